//! The mediator as its peers see it: lines in, lines and records out.

mod across;
mod announce;
mod answers;
mod approvals;
mod batches;
mod calls;
mod content;
mod definitions;
mod endings;
mod features;
mod hostile;
mod lists;
mod notifications;
mod outputs;
mod passed;
mod pins;
mod placeholders;
mod refusals;
mod resources;
mod rounds;
mod session;
mod table;
mod tasks;
mod texts;

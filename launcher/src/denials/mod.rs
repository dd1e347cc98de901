//! What the jail refused: what was tried, what that means, and the grant that would allow it.
//!
//! Two sources, told apart in every record: what the filter, the supervisor or the broker *refused*, and what an
//! observing run *infers*: Landlock gives no signal without audit rights, so each file that was opened is held against
//! the grants here, by the same rules.

mod court;
mod fence;
mod ledger;
mod meaning;
mod objections;
mod outside;
mod propose;
mod record;
mod tried;
mod watch;

pub use court::Court;
pub use fence::{Fence, Outcome};
pub use ledger::Ledger;
pub use objections::of_file as objection_to_file;
pub use outside::HostFiles;
pub use propose::{Remedy, proposals};
pub use record::{Entry, merged};
pub use tried::{FileKind, Tried};
pub use watch::{Ear, Watch};

//! Trials: servers that people run, what they are asked, and what answers them in the place of hosts.

pub mod canaries;
mod certificates;
mod fakes;
mod played;
mod stage;
mod table;

pub use played::{Answer, Difference, Fault, Played, differences};
pub(crate) use stage::found;
pub use stage::{Side, Stage};
pub use table::{Absent, Expected, Row, Table};

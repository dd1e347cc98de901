//! Policy and profile files: text with spans → checked values. All mistakes of a file are reported at once.

mod identity;
mod mistake;
pub mod policy;
pub mod profile;
mod reader;
pub(crate) mod suggest;
mod tree;

pub use mistake::{Mistake, Mistakes};

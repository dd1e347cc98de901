//! `stockade profile schema`: for editors that check TOML.

use stockade_policy::document::profile::schema;

use crate::error::Failure;
use crate::exit::Exit;

/// Prints the JSON Schema of profiles.
pub(super) fn print() -> Result<Exit, Failure> {
    super::print(&format!("{:#}\n", schema()))
}

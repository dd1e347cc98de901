//! `why`.

use clap::Args;

pub(super) const WHY_EXAMPLES: &str = "\
Examples:
  stockade why
  stockade why 4F2K
  stockade why 0192f3a1-7c1e-7b2a-9d3e-0a1b2c3d4e5f --json

Codes stand in the answers that models get; ids of events in `stockade log --json`.";

/// `why`
#[derive(Args, Clone, Debug)]
pub struct WhyArgs {
    /// A decision's code (4F2K), or an event's id or its beginning; without it the latest refusal
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

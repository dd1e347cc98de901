//! `dlp`: the detectors, by hand.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use stockade_policy::detect::Confidence;

pub(super) const SCAN_EXAMPLES: &str = "\
Examples:
  stockade dlp scan .env notes.md
  git diff | stockade dlp scan
  stockade dlp scan --least high --json export.csv
  stockade dlp scan --jsonl < cases.jsonl

Exit status: 0 nothing was found, 1 something was; with --jsonl 0 once every line is answered.
Values are never printed; the eight digits are a hash of the value under this installation's key, as in `stockade log`.";

/// `dlp`
#[derive(Debug, Subcommand)]
pub enum DlpCommand {
    /// Look for secrets, personal data, keywords and hidden text in files or on stdin, as `run` does in messages
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(DlpScanArgs),
    /// Say what was found in messages, what that stopped or would have stopped, and how to suppress it
    #[command(after_help = REPORT_EXAMPLES)]
    Report(DlpReportArgs),
    /// List what there is to find
    Detectors {
        /// Only these, with `*`: `secret/*`, `pii/iban`
        #[arg(value_name = "PATTERN")]
        pattern: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

const REPORT_EXAMPLES: &str = "\
Examples:
  stockade dlp report
  stockade dlp report --since 30d --server github
  stockade dlp report --json | jq '.found[] | select(.would_block > 0)'

Values are never printed: of each there is a length and the eight digits of its hash, as in `stockade log`. Each [[suppress]] is
to be pasted into a policy file once somebody's name and a reason stand in it.

Exit status 0, whatever was found.";

/// `dlp report`
#[derive(Args, Clone, Debug)]
pub struct DlpReportArgs {
    /// How far back: 12h, 7d
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub since: String,
    /// Only servers whose name or identity holds this
    #[arg(long, value_name = "TEXT")]
    pub server: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `dlp scan`
#[derive(Args, Clone, Debug)]
pub struct DlpScanArgs {
    /// Files of text or JSON; stdin without any
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Read JSON lines `{"id", "text"}`, write `{"id", "findings"}` for each, with places in characters
    #[arg(long, conflicts_with = "json")]
    pub jsonl: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Leave out findings that are less sure than this
    #[arg(long, value_name = "CONFIDENCE", default_value = "low")]
    pub least: LeastArg,
    /// A policy whose keyword lists are looked for too, beside those in force
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// How sure a finding has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LeastArg {
    /// Everything
    Low,
    /// Shape and context, or more
    Medium,
    /// A vendor's own prefix, or a check digit with context
    High,
}

impl From<LeastArg> for Confidence {
    fn from(least: LeastArg) -> Self {
        match least {
            LeastArg::Low => Self::Low,
            LeastArg::Medium => Self::Medium,
            LeastArg::High => Self::High,
        }
    }
}

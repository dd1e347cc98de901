//! `dlp`: the detectors, by hand.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use stockade_policy::detect::Confidence;

pub(super) const SCAN_EXAMPLES: &str = "\
Examples:
  stockade dlp scan .env notes.md
  git diff | stockade dlp scan
  stockade dlp scan --least high --json export.csv
  stockade dlp scan --suppressed show notes.md
  stockade dlp scan --jsonl < cases.jsonl

Exit status: 0 nothing was found, 1 something was; with --jsonl 0 once every line is answered.
A [[suppress]] of the policy holds here if it names the value by its hash, or detectors and nothing else: a file is no message, and has no
server, tool or place. With --jsonl, which is for measuring, none does.
Values are never printed; the eight digits are a hash of the value under this installation's key, as in `stockade log`.";

pub(super) const FINGERPRINT_EXAMPLES: &str = "\
Examples:
  stockade dlp fingerprint customers.csv --columns name,ssn,email
  stockade dlp fingerprint badges.csv --columns number --accept-reversible --out /etc/stockade/badges.fingerprints

Two values of one row have to stand near each other to be found. The file holds a key and hashes of two values of a row each, never
a value; a policy names it in [exact.NAME].";

/// `dlp`
#[derive(Debug, Subcommand)]
pub enum DlpCommand {
    /// Look for secrets, personal data, keywords and hidden text in files or on stdin, as `run` does in messages
    #[command(after_help = SCAN_EXAMPLES)]
    Scan(DlpScanArgs),
    /// Say what was found in messages, what that stopped or would have stopped, and how to suppress it
    #[command(after_help = REPORT_EXAMPLES)]
    Report(DlpReportArgs),
    /// Make keyed hashes of the rows of a table, by which they are found in messages and the table stays where it is
    #[command(after_help = FINGERPRINT_EXAMPLES)]
    Fingerprint(DlpFingerprintArgs),
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

/// `dlp fingerprint`
#[derive(Args, Clone, Debug)]
pub struct DlpFingerprintArgs {
    /// The table: CSV in UTF-8 whose first row names the columns
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// Columns to use, by name; all of them unless said
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Name of the table in policies; that of the file unless said
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Where the hashes go; NAME.fingerprints unless said
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Let each value count alone. Whoever has the file can then find the values out by trying all that there could be
    #[arg(long)]
    pub accept_reversible: bool,
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
    /// Findings that somebody answers for in a policy ([[suppress]]); they never count for the exit status
    #[arg(long, value_name = "HOW", default_value = "count", conflicts_with = "jsonl")]
    pub suppressed: SuppressedArg,
    /// A policy whose words, tables and canaries are looked for too, and whose suppressions hold, beside those in force
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// What becomes of findings that somebody answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SuppressedArg {
    /// Say only how many there are, and who answers for them
    Count,
    /// Show each of them, too
    Show,
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

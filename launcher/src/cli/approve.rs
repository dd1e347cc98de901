//! `approve`, `approvals`.

use std::str::FromStr;

use clap::{Args, Subcommand};

pub(super) const APPROVE_EXAMPLES: &str = "\
Examples:
  stockade approve 4F2K
  stockade approve 4F2K --for 1h --tool --reason \"release week\"
  stockade approve 4F2K --for session

A code stands in the answer that the model got, and in `stockade log --verdict ask`. Without flags this very call may be made once,
by the session that asked. It is asked on your terminal, and not below an AI client. An approval answers a rule that asks: it lifts no
deny, and what is redacted or blocked stays so. It ends with the next boot at the latest.

Exit code 0: approved; 64: there is nothing to approve; 77: nobody could be asked, or the answer was no, or the policy forbids it.";

pub(super) const APPROVALS_EXAMPLES: &str = "\
Examples:
  stockade approvals
  stockade approvals --json | jq '.[] | select(.holds)'
  stockade approvals revoke 7c1e";

/// `approve`
#[derive(Args, Clone, Debug)]
pub struct ApproveArgs {
    /// The decision: its code (4F2K), or the id of its event
    #[arg(value_name = "CODE")]
    pub code: String,
    /// How long: `once`, `session`, or a time such as 15m, 1h, 2d (at most 7d); unless said `once`, for a server's start 1d
    #[arg(long = "for", value_name = "TIME")]
    pub term: Option<TermArg>,
    /// How much
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
}

/// How much an approval covers.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
pub struct ScopeArgs {
    /// This very call: the same tool with the same arguments (the default)
    #[arg(long)]
    pub this_call: bool,
    /// This tool of this server, whatever its arguments
    #[arg(long)]
    pub tool: bool,
}

/// How long an approval holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermArg {
    /// One call.
    Once,
    /// The session that asked.
    Session,
    /// So many milliseconds.
    Time(u64),
}

impl FromStr for TermArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const LONGEST_MS: u64 = 7 * 24 * 3_600_000;
        match text {
            "once" => return Ok(Self::Once),
            "session" => return Ok(Self::Session),
            _ => {}
        }
        let unit_ms = match text.chars().next_back() {
            Some('s') => 1_000,
            Some('m') => 60_000,
            Some('h') => 3_600_000,
            Some('d') => 24 * 3_600_000,
            _ => 0,
        };
        let number: Option<u64> = text.get(..text.len().saturating_sub(1)).and_then(|text| text.parse().ok());
        match number.and_then(|number| number.checked_mul(unit_ms)) {
            Some(ms @ 1..=LONGEST_MS) => Ok(Self::Time(ms)),
            Some(ms) if ms > LONGEST_MS => Err("nothing is approved for more than 7d".to_owned()),
            _ => Err("write `once`, `session`, or a time such as 90s, 15m, 1h or 2d".to_owned()),
        }
    }
}

/// `approvals`
#[derive(Args, Clone, Debug)]
pub struct ApprovalsArgs {
    /// What to do; without it they are listed
    #[command(subcommand)]
    pub command: Option<ApprovalsCommand>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `approvals …`
#[derive(Clone, Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// Take an approval back; it counts no more from the next call on
    Revoke {
        /// Its id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_a_word_or_a_bounded_time() {
        assert_eq!("once".parse(), Ok(TermArg::Once));
        assert_eq!("session".parse(), Ok(TermArg::Session));
        assert_eq!("90s".parse(), Ok(TermArg::Time(90_000)));
        assert_eq!("7d".parse(), Ok(TermArg::Time(604_800_000)));
        for wrong in ["", "h", "0h", "8d", "1y", "-1h", "1.5h", "1", "99999999999999999999d", "1é"] {
            assert!(wrong.parse::<TermArg>().is_err(), "{wrong}");
        }
    }
}

//! `pause`.

use std::str::FromStr;

use clap::Args;

use super::approve::TermArg;

pub(super) const PAUSE_EXAMPLES: &str = "\
Examples:
  stockade pause github 15m --reason \"demo at ten, the rule for titles is wrong\"
  stockade pause cursor/github 1h --reason \"release\"
  stockade pause github --end

For that time the policy stops nothing on this server: calls, answers and what is found in them pass, and the record says what would
have been stopped. It holds from the next message on, in running sessions too, for this very server (a new version is another one), and
ends by itself. The jail stays: what that stops is found by `stockade bisect`. It is asked on your terminal, and not below an AI client.

Exit code 0: paused; 64: there is no such server; 77: nobody could be asked, or the answer was no, or the policy forbids it.";

/// `pause`
#[derive(Args, Clone, Debug)]
pub struct PauseArgs {
    /// The server: its name, or CLIENT/NAME
    #[arg(value_name = "SERVER")]
    pub server: String,
    /// How long: 15m, 1h; at most 8h
    #[arg(value_name = "TIME", required_unless_present = "end")]
    pub time: Option<PauseTime>,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", required_unless_present = "end")]
    pub reason: Option<String>,
    /// End the pause now
    #[arg(long, conflicts_with_all = ["time", "reason"])]
    pub end: bool,
}

/// How long a pause holds, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PauseTime(pub u64);

impl FromStr for PauseTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        /// A working day: what has to be paused for longer is a policy to be changed.
        const LONGEST_MS: u64 = 8 * 3_600_000;
        match text.parse() {
            Ok(TermArg::Time(ms)) if ms <= LONGEST_MS => Ok(Self(ms)),
            Ok(TermArg::Time(_)) => {
                Err("nothing is paused for more than 8h; what is wrong for longer is a policy to be changed"
                    .to_owned())
            }
            _ => Err("write a time such as 90s, 15m or 1h".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_short() {
        assert_eq!("15m".parse(), Ok(PauseTime(900_000)));
        assert_eq!("8h".parse(), Ok(PauseTime(28_800_000)));
        for wrong in ["9h", "1d", "once", "session", "0m", ""] {
            assert!(wrong.parse::<PauseTime>().is_err(), "{wrong}");
        }
    }
}

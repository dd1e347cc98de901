//! `stockade pause`: a person's word that for a while the policy only records what it would stop on one server.

use super::approve::{REASON_CHARS_MAX, events, print, time_words};
use super::screen::{Screen, harmless, labelled};
use super::terminal::Terminal;
use crate::approvals::{self, Pausable, Pause};
use crate::cli::PauseArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;

/// Columns of labels.
const LABEL_WIDTH: usize = 12;

/// Asks the person at the terminal, and writes the pause; or ends it, which asks nobody.
pub(super) fn pause(args: &PauseArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let server = approvals::pausable(&args.server, &events(&facts)?)?;
    let (Some(time), Some(reason)) = (args.time, args.reason.as_deref()) else {
        return match approvals::resume(&server, &facts)? {
            0 => Err(Failure::new(Kind::Usage, format!("{} is not paused", harmless(&server.server)))
                .hint("`stockade approvals` lists pauses too")),
            _ => print(&format!("the pause of {} is over\n", harmless(&server.server))),
        };
    };
    let reason: String = harmless(reason).chars().take(REASON_CHARS_MAX).collect();
    if reason.trim().is_empty() {
        return Err(Failure::new(Kind::Usage, "a pause needs a reason")
            .hint("--reason TEXT; it stands in the record"));
    }
    approvals::pause_allowed(&facts)?;
    let mut terminal = Terminal::open()?;
    terminal.show(&described(&server, (time.0, &reason), Screen::of_stderr().width))?;
    if !terminal.agrees("Pause the policy for it?")? {
        return Err(Failure::new(Kind::Permission, "nothing was paused").cause("the answer was not `y`"));
    }
    let pause = Pause { for_ms: time.0, reason, terminal: terminal.name() };
    let stored = approvals::pause(&server, pause, &facts)?;
    print(&format!(
        "paused: {} until {} ({}); `stockade pause {} --end` ends it before\n",
        harmless(&server.server),
        stored.ends,
        stored.id,
        harmless(&args.server),
    ))
}

/// What the person has to know before the answer.
fn described(server: &Pausable, (for_ms, reason): (u64, &str), width: usize) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: &str| {
        out.push_str(&labelled(label, LABEL_WIDTH, &harmless(text), width));
    };
    line("server", server.id.as_deref().unwrap_or(&server.server));
    for identity in &server.identity {
        line("", identity);
    }
    line("ran last", &server.last);
    line("for", &format!("{}, until the next boot at the latest", time_words(for_ms)));
    line("reason", reason);
    line(
        "meanwhile",
        "nothing is refused, redacted or blocked on it, secrets and personal data included; all of it is recorded",
    );
    line("still", "its jail: files, network and programs as before");
    out
}

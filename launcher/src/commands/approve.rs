//! `stockade approve`, `stockade approvals`: what a rule asks about, answered by a person at a terminal.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::screen::{Ink, Screen, harmless, is_invisible, labelled};
use super::terminal::Terminal;
use crate::approvals::{
    self, Found, Gift, Named, Question, SessionState, Stored, StoredScope, StoredTerm, remaining_ms,
};
use crate::cli::{ApprovalsArgs, ApprovalsCommand, ApproveArgs, TermArg};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::launch::START_METHOD;
use crate::telemetry::{Reader, StoredEvent};

/// An approval for one call waits so long for it.
const ONCE_MS: u64 = 3_600_000;
/// An approval for a session ends with it, and after so long at the latest.
const SESSION_MS: u64 = 24 * 3_600_000;
/// An approval of a server's start holds so long, unless said.
const START_MS: u64 = 24 * 3_600_000;
/// Columns of labels.
const LABEL_WIDTH: usize = 12;
/// Longest reason that is recorded, in characters.
pub(super) const REASON_CHARS_MAX: usize = 500;

/// Asks the person at the terminal, and writes the approval.
pub(super) fn approve(args: ApproveArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let all = events(&facts)?;
    let event = named(&args.code, &all)?;
    let question = approvals::question(event, &all, &facts)?;
    let mut terminal = Terminal::open()?;
    let is_start = is_start(&question.event);
    let (term, for_ms) = match args.term {
        Some(TermArg::Time(ms)) => (StoredTerm::Time, ms),
        None if is_start => (StoredTerm::Time, START_MS),
        Some(TermArg::Once | TermArg::Session) if is_start => {
            return Err(Failure::new(Kind::Usage, "a start cannot be approved for one call or one session")
                .cause("the session that asked never began")
                .hint("`--for 1d` lets this very server start for a day"));
        }
        None | Some(TermArg::Once) => (StoredTerm::Once, ONCE_MS),
        Some(TermArg::Session) => (StoredTerm::Session, SESSION_MS),
    };
    let scope = if args.scope.tool || is_start { StoredScope::Item } else { StoredScope::Call };
    let reason = harmless(&args.reason).chars().take(REASON_CHARS_MAX).collect();
    let gift = Gift { scope, term, for_ms, reason, terminal: terminal.name() };
    terminal.show(&described(&question, &gift, Screen::of_stderr().width))?;
    if !terminal.agrees(if is_start { "Let it start?" } else { "Let it pass?" })? {
        return Err(Failure::new(Kind::Permission, "nothing was approved").cause("the answer was not `y`"));
    }
    let stored = approvals::give(&question, gift, &facts)?;
    print(&format!(
        "approved: {} (approval {}); `stockade approvals revoke {}` takes it back\n",
        term_words(stored.term, stored.for_ms),
        stored.id,
        stored.id
    ))
}

/// All events on record, in order of time.
pub(super) fn events(facts: &Facts) -> Result<Vec<StoredEvent>, Failure> {
    Reader::new(&facts.state_dir).poll().map_err(|error| {
        Failure::new(Kind::Permission, format!("cannot read the events in {}", facts.state_dir.display()))
            .because(&error)
            .hint("the directory has to belong to you and be readable (mode 0700)")
    })
}

/// The one event of this code: to approve the wrong one must not be a matter of chance.
fn named(code: &str, all: &[StoredEvent]) -> Result<StoredEvent, Failure> {
    match approvals::find(all, &Named::of(Some(code))) {
        Found::One(event) => Ok(*event),
        Found::Several(events) => Err(several(code, &events)),
        Found::Nothing => Err(nothing(code)),
    }
}

/// Codes are unique in a session and not beyond it.
pub(super) fn several(code: &str, events: &[StoredEvent]) -> Failure {
    let mut failure =
        Failure::new(Kind::Usage, format!("`{}` is the code of several events", harmless(code)));
    for event in events {
        let (id, time) =
            (event.value["id"].as_str().unwrap_or(""), event.value["time"].as_str().unwrap_or(""));
        failure = failure.cause(format!(
            "{id}: {time}, {} {}",
            harmless(event.who("server")),
            harmless(event.what("item"))
        ));
    }
    failure.hint("name one by the id that stands before it")
}

/// What is said of a code that nobody gave out.
pub(super) fn nothing(code: &str) -> Failure {
    Failure::new(Kind::Usage, format!("no event on record has the code or id `{}`", harmless(code)))
        .hint("`stockade log` shows what was decided; records are kept for 30 days")
}

/// What the person has to know before the answer.
fn described(question: &Question, gift: &Gift, width: usize) -> String {
    let event = &question.event;
    let mut out = String::new();
    let mut line = |label: &str, text: &str| {
        out.push_str(&labelled(label, LABEL_WIDTH, &harmless(text), width));
    };
    line("server", event.who("server"));
    for identity in approvals::identities(event) {
        line("", &identity);
    }
    let is_start = is_start(event);
    match is_start {
        true => line("start", "the server, and nothing that it is asked for later"),
        false => line("call", &format!("{} {}", event.what("method"), event.what("item"))),
    }
    match (gift.scope, &question.arguments) {
        _ if is_start => {}
        (StoredScope::Item | StoredScope::Server, _) => line("arguments", "any: this is not about one call"),
        (StoredScope::Call, Some(arguments)) => line("arguments", arguments),
        (StoredScope::Call, None) => {
            line("arguments", &format!("not kept; their hash is {}", question.call));
        }
    }
    line(
        "asked by",
        &format!("rule `{}` ({}): {}", event.what("rule"), event.what("layer"), event.what("reason")),
    );
    let seen = question.arguments.as_deref().filter(|_| gift.scope == StoredScope::Call);
    if let Some(note) = seen.and_then(unseen) {
        line("CAREFUL", note);
    }
    let client =
        match (event.value["who"]["client"]["id"].as_str(), event.value["who"]["client"]["says"].as_str()) {
            (Some(id), _) => id.to_owned(),
            (None, Some(says)) => format!("says it is {says}"),
            (None, None) => "unknown".to_owned(),
        };
    line("client", &client);
    line("at", event.value["time"].as_str().unwrap_or(""));
    line("holds", &term_words(gift.term, gift.for_ms));
    if question.session == SessionState::Ended && !is_start {
        line("note", "the session that asked has ended; only a time (--for 15m) reaches the next one");
    }
    if event.what("content") == "block" {
        line("note", "what was found in this call blocks it all the same");
    }
    out
}

/// Whether a rule asked about the start of a server.
fn is_start(event: &StoredEvent) -> bool {
    event.what("method") == START_METHOD
}

/// What a person does not see of arguments that are shown.
fn unseen(arguments: &str) -> Option<&'static str> {
    if arguments.chars().any(is_invisible) {
        return Some("they hold characters that nobody sees and a server reads; they are left out above");
    }
    arguments.ends_with('…').then_some("only their beginning is shown")
}

fn term_words(term: StoredTerm, for_ms: u64) -> String {
    let time = time_words(for_ms);
    match term {
        StoredTerm::Once => format!("one call of the session that asked, within {time}"),
        StoredTerm::Session => format!("the session that asked, {time} at the longest"),
        StoredTerm::Time => {
            format!("{time}, in every session with this very server, until the next boot at the latest")
        }
    }
}

pub(super) fn time_words(ms: u64) -> String {
    let minutes = ms.div_ceil(60_000);
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Lists them, or takes one back.
pub(super) fn approvals(args: &ApprovalsArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    match &args.command {
        None => list(&facts, args.json),
        Some(ApprovalsCommand::Revoke { id }) => {
            let one = approvals::revoke(id, &facts)?;
            print(&format!("approval {} ({}) is revoked\n", one.id, what(&one)))
        }
    }
}

fn list(facts: &Facts, as_json: bool) -> Result<Exit, Failure> {
    let all = approvals::load(&facts.state_dir).map_err(|error| {
        Failure::new(Kind::Permission, "the approvals cannot be read, and so none of them counts")
            .because(&error)
            .hint("only you may be able to write the file; to remove it revokes them all")
    })?;
    let events = events(facts)?;
    let uses = |one: &Stored| events.iter().filter(|event| event.what("approval") == one.id).count();
    let now = approvals::moment().ok();
    let left = |one: &Stored| {
        let used_up = one.term == StoredTerm::Once && uses(one) > 0;
        now.as_ref().filter(|_| !used_up).and_then(|now| remaining_ms(one, now))
    };
    if as_json {
        let row = |one: &Stored| {
            json!({
                "id": one.id, "code": one.code, "event": one.event, "by": one.by, "reason": one.reason, "server": one.server,
                "identity": one.identity, "method": one.method, "item": one.item, "rule": one.rule,
                "scope": one.scope.word(), "term": one.term.word(), "given": one.given, "ends": one.ends,
                "uses": uses(one), "holds": left(one).is_some(), "processes": one.processes, "terminal": one.terminal,
            })
        };
        return print(&format!("{:#}\n", all.iter().map(row).collect::<Value>()));
    }
    if all.is_empty() {
        return print("nothing is approved\n");
    }
    let screen = Screen::of_stdout();
    let mut out = String::new();
    for one in &all {
        let state = match left(one) {
            Some(ms) => screen.ink(Ink::Good, &format!("holds for {}", time_words(ms))),
            None => screen.ink(Ink::Faint, "ended"),
        };
        out.push_str(&format!("{}  {}, {state}\n", screen.ink(Ink::Strong, &one.id), what(one)));
        let uses = uses(one);
        let used = format!("used {uses} time{}", if uses == 1 { "" } else { "s" });
        let reason =
            if one.reason.is_empty() { String::new() } else { format!(": {}", harmless(&one.reason)) };
        let given = format!(
            "for {}; by {} at {}{reason}; {used}",
            match one.term {
                StoredTerm::Once => "one call of one session",
                StoredTerm::Session => "one session",
                StoredTerm::Time => "every session with it",
            },
            harmless(&one.by),
            one.given
        );
        out.push_str(&labelled("", 10, &given, screen.width));
    }
    print(&out)
}

fn what(one: &Stored) -> String {
    if one.method == START_METHOD {
        return format!("the start of {}", harmless(&one.server));
    }
    let scope = match one.scope {
        StoredScope::Call => "this very call of",
        StoredScope::Item => "any call of",
        StoredScope::Server => return format!("a pause of the policy for {}", harmless(&one.server)),
    };
    let item = if one.item.is_empty() { &one.method } else { &one.item };
    format!("{scope} {} on {}", harmless(item), harmless(&one.server))
}

pub(super) fn print(text: &str) -> Result<Exit, Failure> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_said() {
        assert_eq!(unseen(r#"{"a":"b"}"#), None);
        assert!(unseen("a\u{e0041}").is_some_and(|note| note.contains("nobody sees")));
        assert!(unseen("abc…").is_some_and(|note| note.contains("beginning")));
    }

    #[test]
    fn times_are_said_in_two_units_at_most() {
        for (ms, words) in [
            (1, "1 min"),
            (60_000, "1 min"),
            (3_600_000, "1 h"),
            (5_400_000, "1 h 30 min"),
            (86_400_000, "1 d"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(time_words(ms), words, "{ms}");
        }
    }
}

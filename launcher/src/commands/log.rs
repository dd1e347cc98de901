//! `stockade log`: what was decided, as a table or as the stored lines.

mod agent;
mod denied;
mod network;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde_json::Value;

use super::screen::harmless;
use crate::cli::LogArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::telemetry::{Reader, StoredEvent};

const VERDICTS: [&str; 7] = ["allow", "deny", "ask", "monitor", "redact", "block", "refused"];
/// How often `--follow` looks for more.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);

/// Prints the log.
pub fn log(args: LogArgs) -> Result<Exit, Failure> {
    if let Some(verdict) = args.verdict.as_deref().filter(|verdict| !VERDICTS.contains(verdict)) {
        return Err(Failure::new(Kind::Usage, format!("there is no verdict `{verdict}`"))
            .hint(format!("one of: {}", VERDICTS.join(", "))));
    }
    let facts = Facts::gather()?;
    if args.part.denied {
        return denied::show(&args, &facts);
    }
    let mut reader = Reader::new(&facts.state_dir);
    let mut out = io::stdout().lock();
    let colour = io::stdout().is_terminal() && facts.var("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut headed = args.json;
    loop {
        let events = reader.poll().map_err(|error| unreadable(&facts, &error))?;
        for event in events.iter().filter(|event| matches(event, &args)) {
            if !std::mem::replace(&mut headed, true) {
                write_line(&mut out, &head())?;
            }
            write_line(&mut out, &if args.json { event.line.clone() } else { row(event, colour) })?;
        }
        if !args.part.follow {
            break;
        }
        let _ = out.flush();
        std::thread::sleep(FOLLOW_EVERY);
    }
    if !headed {
        let _ = writeln!(io::stderr(), "no such events in {}", facts.state_dir.join("events").display());
    }
    warn_of_damage(&reader);
    Ok(Exit::Ok)
}

fn warn_of_damage(reader: &Reader) {
    if reader.damaged() > 0 {
        let _ = writeln!(io::stderr(), "warning: {} damaged records were left out", reader.damaged());
    }
}

pub(super) fn unreadable(facts: &Facts, error: &io::Error) -> Failure {
    Failure::new(Kind::Permission, format!("cannot read the events in {}", facts.state_dir.display()))
        .because(error)
        .hint("the directory has to belong to you and be readable (mode 0700)")
}

/// A reader that goes away (`| head`) ends us without a word, like any tool that prints.
fn write_line(out: &mut impl Write, line: &str) -> Result<(), Failure> {
    writeln!(out, "{line}").map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => std::process::exit(0),
        _ => Failure::new(Kind::Software, "cannot print the log").because(&error),
    })
}

fn matches(event: &StoredEvent, args: &LogArgs) -> bool {
    let verdict = args.verdict.as_deref().is_none_or(|verdict| event.what("verdict") == verdict);
    verdict && is_of(event, args.server.as_deref())
}

/// Whether the name or an identity of the event's server holds `text`.
pub(super) fn is_of(event: &StoredEvent, text: Option<&str>) -> bool {
    text.is_none_or(|text| {
        event.who("server").contains(text)
            || event.value["who"]["identity"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one.as_str().is_some_and(|one| one.contains(text))))
    })
}

fn head() -> String {
    format!("{:<14} {:<8} {:<16} {:<28} WHY", "TIME", "VERDICT", "SERVER", "WHAT")
}

fn row(event: &StoredEvent, colour: bool) -> String {
    let kind = event.value["kind"].as_str().unwrap_or("");
    let time = local_time(text(&event.value["time"]));
    let (word, what, why) = match kind {
        "session.start" => ("start", event.what("program").to_owned(), start_why(event)),
        "session.end" => ("end", event.what("server").to_owned(), event.what("why").to_owned()),
        "denied" => ("denied", denied_what(event), event.what("why").to_owned()),
        "denied.lost" => {
            let count = event.value["what"]["count"].as_u64().unwrap_or(0);
            ("denied", format!("✗ {count} more"), "so many at once that they were not told apart".to_owned())
        }
        "limit.output" => ("limit", "output".to_owned(), limit_why(event)),
        _ if kind.starts_with("login.") => ("login", login_what(event, kind), login_why(event)),
        "approval.given" | "approval.revoked" => ("approve", approval_what(event, kind), approval_why(event)),
        "policy.changed" => ("policy", "changed".to_owned(), "from the next message on".to_owned()),
        "policy.broken" | "approvals.distrusted" => ("alert", kind.to_owned(), event.what("why").to_owned()),
        "client.contradiction" => ("alert", "who started it".to_owned(), contradiction_why(event)),
        _ if kind.starts_with("secret.") => {
            let done = kind.trim_start_matches("secret.");
            ("secret", format!("{} {done}", event.what("variable")), event.what("reference").to_owned())
        }
        _ if kind.starts_with("inventory.") || kind.starts_with("agent.") => agent::row(event, kind),
        _ if network::is_one(kind) => network::row(event, kind),
        _ => (event.what("verdict"), decision_what(event, kind), decision_why(event)),
    };
    let padded = format!("{word:<8}");
    let word = if colour { paint(word, &padded) } else { padded };
    let (server, what, why) = (cut(event.who("server"), 16), cut(&what, 28), harmless(&why));
    format!("{time:<14} {word} {server:<16} {what:<28} {why}")
}

fn login_what(event: &StoredEvent, kind: &str) -> String {
    let offered = event.value["what"]["places"].as_array().into_iter().flatten();
    let places = offered.map(|one| &one["place"]).chain([&event.value["what"]["place"]]);
    let places: Vec<&str> = places.filter_map(Value::as_str).collect();
    format!("{} {}", kind.trim_start_matches("login."), places.join(" "))
}

fn login_why(event: &StoredEvent) -> String {
    match event.value["what"]["key"].as_str() {
        Some(key) => format!("not decided: `stockade login list` ({key})"),
        None => event.what("way").to_owned(),
    }
}

fn approval_what(event: &StoredEvent, kind: &str) -> String {
    format!("{} {}", kind.trim_start_matches("approval."), event.what("item"))
}

fn approval_why(event: &StoredEvent) -> String {
    let told = if event.what("reason").is_empty() { "no reason given" } else { event.what("reason") };
    format!(
        "{told} ({} by {}: {}, {}, until {}) decision {}",
        event.what("id"),
        event.what("by"),
        event.what("scope"),
        event.what("term"),
        event.what("ends"),
        event.what("code")
    )
}

/// Events carry UTC; people read their own time.
fn local_time(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%m-%d %H:%M:%S").to_string(),
        Err(_) => time.to_owned(),
    }
}

fn contradiction_why(event: &StoredEvent) -> String {
    let claims = event.value["what"]["claims"].as_array().into_iter().flatten();
    let told: Vec<String> =
        claims.map(|claim| format!("{} says {}", text(&claim["source"]), text(&claim["client"]))).collect();
    told.join(", ")
}

fn start_why(event: &StoredEvent) -> String {
    let weak: Vec<String> = event.value["what"]["enforcement"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|line| line["degree"] != "full")
        .map(|line| format!("{} {}", text(&line["guarantee"]), text(&line["degree"])))
        .collect();
    let held = if weak.is_empty() { "all guarantees full".to_owned() } else { weak.join(", ") };
    format!("profile {}, backend {}, {held}", event.who("profile"), event.what("backend"))
}

fn limit_why(event: &StoredEvent) -> String {
    format!("{}; {}", event.what("why"), event.what("remedy"))
}

/// The end of a path says more than its beginning, and the column is narrow.
fn denied_what(event: &StoredEvent) -> String {
    let what = harmless(event.what("what"));
    let count = what.chars().count();
    let short: String = what.chars().skip(count.saturating_sub(18)).collect();
    let verb = if event.what("access").is_empty() { event.what("kind") } else { event.what("access") };
    format!("✗ {verb} {}{short}", if count > 18 { "…" } else { "" })
}

fn decision_what(event: &StoredEvent, kind: &str) -> String {
    let arrow = if event.what("direction") == "to-server" { "→" } else { "←" };
    let method = if event.what("method").is_empty() { kind } else { event.what("method") };
    match event.what("item") {
        "" => format!("{arrow} {method}"),
        item => format!("{arrow} {method} {item}"),
    }
}

/// What an answer says of a failure.
pub(super) fn failed(event: &StoredEvent) -> Option<String> {
    let failed = &event.value["what"]["failed"];
    match failed["error"].as_i64() {
        Some(code) => Some(format!("the answer is error {code}")),
        None => (failed == "tool").then(|| "the tool reports an error".to_owned()),
    }
}

fn decision_why(event: &StoredEvent) -> String {
    let mut parts = Vec::new();
    for key in ["refusal", "reason"] {
        if !event.what(key).is_empty() {
            parts.push(event.what(key).to_owned());
        }
    }
    if let Some(failed) = failed(event) {
        parts.push(failed);
    }
    if !event.what("rule").is_empty() {
        parts.push(format!("[{}]", event.what("rule")));
    }
    let mut found: Vec<&str> = event.value["what"]["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| text(&one["detector"]))
        .collect();
    found.dedup();
    if !found.is_empty() {
        parts.push(format!("found {}", found.join(", ")));
    }
    let passed = event.value["what"]["own"].as_u64().unwrap_or(0);
    if passed > 0 {
        parts.push(format!("{passed} of the server's own credentials passed"));
    }
    let suppressed = event.value["what"]["suppressed"].as_array().into_iter().flatten();
    let mut by: Vec<&str> = suppressed.map(|one| text(&one["by"])).collect();
    by.dedup();
    if !by.is_empty() {
        parts.push(format!("suppressed by {}", by.join(", ")));
    }
    if !event.what("would_have").is_empty() {
        parts.push(format!("would have been stopped by [{}]", event.what("would_have")));
    }
    if !event.what("code").is_empty() {
        parts.push(format!("decision {}", event.what("code")));
    }
    parts.join(" ")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn paint(word: &str, padded: &str) -> String {
    let code = match word {
        "deny" | "denied" | "block" | "refused" | "ask" | "alert" => "31",
        "redact" | "monitor" => "33",
        "allow" => "32",
        _ => "2",
    };
    format!("\x1b[{code}m{padded}\x1b[0m")
}

/// At most `width` characters, none of which a terminal obeys: names come from servers.
fn cut(text: &str, width: usize) -> String {
    let clean = harmless(text);
    if clean.chars().count() <= width {
        return clean;
    }
    let mut short: String = clean.chars().take(width - 1).collect();
    short.push('…');
    short
}

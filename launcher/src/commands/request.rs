//! `stockade request`, `stockade requests`: a refusal with its evidence, for whoever writes the policy.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::approve::{events, nothing, several};
use super::screen::{Ink, Screen, harmless, labelled};
use crate::approvals::{self, Found, Named, identities};
use crate::cli::{RequestArgs, RequestsArgs, RequestsCommand};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::requests::{self, Requested};
use crate::telemetry::StoredEvent;

/// A grant is proposed for so many days.
const GRANT_DAYS: i64 = 90;
const LABEL_WIDTH: usize = 12;
/// Longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 500;

/// Keeps one.
pub(super) fn request(args: &RequestArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let all = events(&facts)?;
    let event = match approvals::find(&all, &Named::of(args.code.as_deref())) {
        Found::One(event) => *event,
        Found::Several(events) => return Err(several(args.code.as_deref().unwrap_or(""), &events)),
        Found::Nothing => match &args.code {
            Some(code) => return Err(nothing(code)),
            None => return Err(Failure::new(Kind::Usage, "nothing was refused as far as is on record")),
        },
    };
    if !approvals::is_refusal(&event) {
        return Err(Failure::new(Kind::Usage, "this event is no refusal, so there is nothing to request")
            .hint("`stockade log --verdict deny` lists those that are"));
    }
    let place = requests::place(&event, &all, &facts);
    let rule_at = place.as_ref().map(|place| match place.line {
        Some(line) => format!("{}:{line}", place.file),
        None => place.file.clone(),
    });
    let id = requests::new_id();
    let until =
        (host::now() + jiff::SignedDuration::from_hours(GRANT_DAYS * 24)).strftime("%Y-%m-%d").to_string();
    let granted = requests::fragment(&event, place.as_ref(), (&id, &harmless(&facts.user), &until));
    let reason = harmless(&args.reason).chars().take(REASON_CHARS_MAX).collect();
    let kept = requests::keep((&event, reason), rule_at, (id, granted), &facts)?;
    print(&format!(
        "request {} is kept: {}\n`stockade requests show {}` prints it for whoever writes the policy; nothing has changed\n",
        kept.id,
        summary(&kept.evidence()),
        kept.id
    ))
}

/// Lists, shows, forgets or prints them.
pub(super) fn requests(args: &RequestsArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    match &args.command {
        None => list(&facts, args.json),
        Some(RequestsCommand::Show { id }) => {
            let one = requests::one(id, &facts)?;
            print(&if args.json { format!("{:#}\n", json!(one)) } else { shown(&one, Screen::of_stdout()) })
        }
        Some(RequestsCommand::Drop { id }) => {
            let one = requests::drop_one(id, &facts)?;
            print(&format!("request {} is forgotten\n", one.id))
        }
        Some(RequestsCommand::Export) => {
            let lines =
                requests::all(&facts)?.iter().map(|one| format!("{}\n", json!(one))).collect::<String>();
            print(&lines)
        }
    }
}

fn list(facts: &Facts, as_json: bool) -> Result<Exit, Failure> {
    let all = requests::all(facts)?;
    if as_json {
        return print(&format!("{:#}\n", all.iter().map(|one| json!(one)).collect::<Value>()));
    }
    if all.is_empty() {
        return print("nothing is requested\n");
    }
    let screen = Screen::of_stdout();
    let mut out = String::new();
    for one in &all {
        let reason =
            if one.reason.is_empty() { String::new() } else { format!(": {}", harmless(&one.reason)) };
        out.push_str(&format!("{}  {}\n", screen.ink(Ink::Strong, &one.id), summary(&one.evidence())));
        out.push_str(&labelled(
            "",
            10,
            &format!("by {} at {}{reason}", harmless(&one.by), one.at),
            screen.width,
        ));
    }
    print(&out)
}

/// `deploy on github, refused by rule `no-deploy` (organisation)`
fn summary(event: &StoredEvent) -> String {
    let what = [event.what("item"), event.what("method"), event.value["kind"].as_str().unwrap_or("")];
    let what = what.into_iter().find(|text| !text.is_empty()).unwrap_or("a message");
    harmless(&format!(
        "{what} on {}, refused by rule `{}` ({})",
        event.who("server"),
        event.what("rule"),
        event.what("layer")
    ))
}

fn shown(one: &Requested, screen: Screen) -> String {
    let event = one.evidence();
    let mut out =
        format!("{}\n", screen.ink(Ink::Strong, &format!("Request {}: {}", one.id, summary(&event))));
    let mut line = |label: &str, text: &str| {
        if !text.is_empty() {
            out.push_str(&labelled(&format!("  {label}"), LABEL_WIDTH, &harmless(text), screen.width));
        }
    };
    line("asked by", &format!("{} at {}", one.by, one.at));
    line("because", &one.reason);
    line(
        "refused",
        &format!(
            "{} ({})",
            event.value["time"].as_str().unwrap_or(""),
            event.value["id"].as_str().unwrap_or("")
        ),
    );
    line("code", event.what("code"));
    for (n, identity) in identities(&event).iter().enumerate() {
        line(if n == 0 { "server" } else { "" }, identity);
    }
    line("call", &format!("{} {}", event.what("method"), event.what("item")));
    line("rule", one.rule_at.as_deref().unwrap_or("built into Stockade"));
    line("it says", event.what("reason"));
    for finding in event.value["what"]["findings"].as_array().into_iter().flatten() {
        let text = |key: &str| finding[key].as_str().unwrap_or("").to_owned();
        line("found", &format!("{} at {} (hash {})", text("detector"), text("at"), text("hash")));
    }
    match &one.fragment {
        Some(lines) => {
            let head = "These lines in a policy grant it:";
            out.push_str(&format!("\n{}\n\n{lines}\n", screen.ink(Ink::Strong, head)));
            out.push_str(&labelled("", 0, &format!("Note: {}.", one.note), screen.width));
        }
        None => out.push_str(&labelled(
            "",
            0,
            &format!("No line of a policy grants it: {}.", one.note),
            screen.width,
        )),
    }
    out
}

fn print(text: &str) -> Result<Exit, Failure> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))?;
    Ok(Exit::Ok)
}

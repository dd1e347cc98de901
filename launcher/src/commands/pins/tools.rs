//! Definitions of tools: what holds, and what servers say instead. All of it is text of strangers, meant for models.

use serde_json::{Value, json};
use stockade_policy::rules::{Defined, Policy};

use super::{ask, counted};
use crate::commands::screen::{Ink, Screen, columns, is_invisible, labelled, pad};
use crate::definitions::{self, Entry, Field, Found, Line, Pending, ServerPins, State};
use crate::error::{Failure, Kind};
use crate::host::Facts;

/// What stands for the server itself among its tools.
const ITSELF: &str = "(the server itself)";
/// Longest line of a definition that is shown, in characters; what is cut is said.
const LINE_CHARS_MAX: usize = 4_000;

/// A stranger's text on one line: what a terminal would obey, or an eye not see, stands there as its number.
pub(super) fn visible(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        if at == LINE_CHARS_MAX {
            line.push_str(&format!("⟨… {} more characters⟩", text.chars().count() - at));
            break;
        }
        let is_plain_space = c == ' ';
        if c.is_control() || is_invisible(c) || (c.is_whitespace() && !is_plain_space) {
            line.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
        } else {
            line.push(c);
        }
    }
    line
}

/// A line each.
pub(super) fn list_text(servers: &[Found], policy: &Policy, screen: Screen) -> String {
    let name = |found: &Found| visible(found.pins.names.first().unwrap_or(&found.key));
    let wide = servers.iter().map(|found| columns(&name(found))).max().unwrap_or(0).min(screen.width / 2);
    let mut out = String::new();
    for found in servers {
        let state = worst(&found.pins, policy);
        let counts = counts(&found.pins, policy);
        let mut waits = Vec::new();
        for (count, word) in [(counts[1], "changed"), (counts[2], "new")] {
            if count > 0 {
                waits.push(format!("{count} {word}"));
            }
        }
        let waits = if waits.is_empty() { String::new() } else { format!(" ({})", waits.join(", ")) };
        out.push_str(&format!(
            "{}  {}, {}{waits}, since {}\n",
            pad(&name(found), wide),
            screen.ink(ink(state), state.word()),
            counted(found.pins.tools.len(), "tool"),
            visible(&found.pins.first_seen),
        ));
    }
    out
}

/// For `list --json`.
pub(super) fn summary(found: &Found, policy: &Policy) -> Value {
    let pins = &found.pins;
    let [approved, changed, new] = counts(pins, policy);
    json!({
        "kind": "tools", "pin": found.key, "server": pins.server, "names": pins.names, "identity": pins.identity,
        "state": worst(pins, policy).word(), "tools": pins.tools.len(), "approved": approved, "changed": changed,
        "new": new, "first_seen": pins.first_seen, "listed_whole": pins.settled,
    })
}

/// For `show --json`.
pub(super) fn whole(found: &Found, policy: &Policy) -> Value {
    let pins = &found.pins;
    let mut value = summary(found, policy);
    let tools = pins.tools.iter().map(|(name, entry)| {
        let mut tool = entry_json(pins, Defined::Tool(name), entry, policy);
        tool["name"] = json!(name);
        tool
    });
    value["tools"] = tools.collect();
    value["says"] =
        pins.says.as_ref().map_or(Value::Null, |says| entry_json(pins, Defined::Server, says, policy));
    value
}

fn entry_json(pins: &ServerPins, defined: Defined<'_>, entry: &Entry, policy: &Policy) -> Value {
    json!({
        "state": definitions::state(pins, defined, entry, policy).word(), "offered": entry.offered,
        "first_seen": entry.first_seen, "waiting": entry.waiting,
        "approved": entry.approved.as_ref().map(|approved| json!({
            "definition": approved.definition, "at": approved.at, "how": approved.how.word(), "by": approved.by,
        })),
    })
}

/// For `show`.
pub(super) fn text(found: &Found, policy: &Policy, screen: Screen) -> String {
    let pins = &found.pins;
    let name = visible(pins.names.first().unwrap_or(&found.key));
    let mut out = format!("{}\n", screen.ink(Ink::Strong, &format!("What {name} says of its tools")));
    let mut line = |label: &str, value: &str| {
        out.push_str(&labelled(&format!("  {label}"), 16, &visible(value), screen.width));
    };
    line("server", &pins.server);
    for identity in &pins.identity {
        line("identity", identity);
    }
    line("first seen", &pins.first_seen);
    line("seen whole", if pins.settled { "yes: what is added is new" } else { "not yet" });
    line("pin", &found.key);
    out.push_str(&format!("\n{}\n", counted(pins.tools.len(), "tool")));
    for (label, defined, entry) in entries(pins) {
        let state = definitions::state(pins, defined, entry, policy);
        let how = entry.approved.as_ref().map_or_else(
            || format!("seen {}", entry.first_seen),
            |approved| format!("{} {}", approved.how.words(&approved.by), approved.at),
        );
        let gone = if entry.offered { "" } else { ", no longer offered" };
        out.push_str(&format!(
            "  {}  {}, {}{gone}\n",
            visible(label),
            screen.ink(ink(state), state.word()),
            visible(&how)
        ));
    }
    out
}

/// For `diff --json`.
pub(super) fn diff_json(found: &Found, policy: &Policy) -> Value {
    let pending = definitions::pending(&found.pins, &[], policy);
    let line = |line: &Line| match line {
        Line::Same(text) => json!({ "same": text }),
        Line::Old(text) => json!({ "old": text }),
        Line::New(text) => json!({ "new": text }),
        Line::Skipped(count) => json!({ "skipped": count }),
    };
    let field = |field: &Field| json!({ "field": field.name, "lines": field.lines.iter().map(line).collect::<Vec<_>>() });
    let one = |one: &Pending| {
        json!({
            "tool": one.tool, "state": one.state.word(), "since": one.since, "baseline": one.baseline,
            "approved_sha256": one.approved.as_ref().map(|approved| &approved.definition.sha256),
            "seen_sha256": one.seen.sha256,
            "fields": changed_fields(one).map(|fields| fields.iter().map(field).collect::<Vec<_>>()),
        })
    };
    json!({
        "kind": "tools", "pin": found.key, "server": found.pins.server, "state": worst(&found.pins, policy).word(),
        "definitions": pending.iter().map(one).collect::<Vec<_>>(),
    })
}

/// For `diff`, and before a question: of these tools, or of all.
pub(super) fn diff_text(found: &Found, only: &[String], policy: &Policy, screen: Screen) -> String {
    let pins = &found.pins;
    let name = visible(pins.names.first().unwrap_or(&found.key));
    let pending = definitions::pending(pins, only, policy);
    let mut out = format!("{name} ({}): {}\n", visible(&pins.server), worst(pins, policy).word());
    for one in &pending {
        out.push_str(&one_text(one, screen));
    }
    let gone: Vec<String> =
        pins.tools.iter().filter(|(_, entry)| !entry.offered).map(|(name, _)| visible(name)).collect();
    if !gone.is_empty() && only.is_empty() {
        out.push_str(&format!("\nno longer offered: {}\n", gone.join(", ")));
    }
    out
}

fn one_text(one: &Pending, screen: Screen) -> String {
    let label = visible(one.tool.as_deref().unwrap_or(ITSELF));
    let mut out =
        format!("\n{} {}\n", screen.ink(Ink::Strong, &label), screen.ink(ink(one.state), one.state.word()));
    if let Some(baseline) = &one.baseline {
        let what = if one.state == State::New { "is not in" } else { "differs from" };
        out.push_str(&format!("it {what} the baseline {}\n", visible(baseline)));
    }
    let approved = one.approved.as_ref().map_or_else(
        || "--- nothing is approved".to_owned(),
        |approved| format!("--- approved {} {}", approved.how.words(&approved.by), approved.at),
    );
    out.push_str(&format!("{}\n", screen.ink(Ink::Bad, &visible(&approved))));
    out.push_str(&format!("{}\n", screen.ink(Ink::Good, &visible(&format!("+++ seen {}", one.since)))));
    let Some(fields) = changed_fields(one) else {
        let old = one.approved.as_ref().map_or("nothing", |approved| &approved.definition.sha256);
        out.push_str(&format!(
            "the texts were too long to be kept; by hash:\n-{old}\n+{}\n",
            one.seen.sha256
        ));
        return out;
    };
    for field in fields {
        out.push_str(&format!("{}\n", screen.ink(Ink::Faint, &format!("@@ {} @@", visible(&field.name)))));
        for line in &field.lines {
            let shown = match line {
                Line::Same(text) => format!(" {}", visible(text)),
                Line::Old(text) => screen.ink(Ink::Bad, &format!("-{}", visible(text))),
                Line::New(text) => screen.ink(Ink::Good, &format!("+{}", visible(text))),
                Line::Skipped(count) => {
                    screen.ink(Ink::Faint, &format!("⟨{} the same⟩", counted(*count, "line")))
                }
            };
            out.push_str(&format!("{shown}\n"));
        }
    }
    out
}

/// `None`: one of the texts was not kept.
fn changed_fields(one: &Pending) -> Option<Vec<Field>> {
    let old = match &one.approved {
        Some(approved) => Some(approved.definition.text.as_deref()?),
        None => None,
    };
    definitions::fields(old, Some(one.seen.text.as_deref()?))
}

/// Agrees to what waits, if the person at the terminal does; says what holds then.
pub(super) fn approve(
    found: &Found,
    only: &[String],
    policy: &Policy,
    facts: &Facts,
) -> Result<String, Failure> {
    let pending = definitions::pending(&found.pins, only, policy);
    if let Some(one) = pending.iter().find(|one| one.baseline.is_some()) {
        let label = visible(one.tool.as_deref().unwrap_or(ITSELF));
        return Err(Failure::new(
            Kind::Permission,
            format!("{label} is not what the baselines in force expect"),
        )
        .cause(visible(one.baseline.as_deref().unwrap_or("")))
        .hint("whoever keeps the policy changes its baseline; `--tool` agrees to other tools alone"));
    }
    let about = diff_text(found, only, policy, Screen::of_stderr());
    let what = counted(pending.len(), "definition");
    let person = ask(&about, &format!("Let models read {what} as shown from now on?"))?;
    definitions::approve(found, &pending, &person, facts)?;
    let name = visible(found.pins.names.first().unwrap_or(&found.key));
    Ok(format!("{what} of {name} approved, from the next message on\n"))
}

fn entries(pins: &ServerPins) -> impl Iterator<Item = (&str, Defined<'_>, &Entry)> {
    let own = pins.says.iter().map(|says| (ITSELF, Defined::Server, says));
    own.chain(pins.tools.iter().map(|(name, entry)| (name.as_str(), Defined::Tool(name), entry)))
}

/// Approved, changed, new.
fn counts(pins: &ServerPins, policy: &Policy) -> [usize; 3] {
    let mut counts = [0; 3];
    for (_, defined, entry) in entries(pins) {
        let at = match definitions::state(pins, defined, entry, policy) {
            State::Approved => 0,
            State::Changed => 1,
            State::New => 2,
        };
        counts[at] += 1;
    }
    counts
}

/// What a person has to know first.
fn worst(pins: &ServerPins, policy: &Policy) -> State {
    match counts(pins, policy) {
        [_, 0, 0] => State::Approved,
        [_, 0, _] => State::New,
        _ => State::Changed,
    }
}

fn ink(state: State) -> Ink {
    match state {
        State::Approved => Ink::Good,
        State::New => Ink::Warn,
        State::Changed => Ink::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_definition_is_obeyed_and_all_of_it_is_seen() {
        let shown = visible("a\u{1b}[2Jb\r\u{200b}c\u{e0041}\u{202e}d\u{9b}e\u{a0}f\u{2028}g");
        assert_eq!(shown, "a⟨U+001B⟩[2Jb⟨U+000D⟩⟨U+200B⟩c⟨U+E0041⟩⟨U+202E⟩d⟨U+009B⟩e⟨U+00A0⟩f⟨U+2028⟩g");
        assert_eq!(visible("日本 é \"x\""), "日本 é \"x\"");
        let long = visible(&"x".repeat(LINE_CHARS_MAX + 7));
        assert!(long.ends_with("⟨… 7 more characters⟩"));
    }
}

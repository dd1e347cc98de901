//! A recorded event as a story for a person: what happened, to whom, why, and what can be done.

use serde_json::Value;

use crate::approvals::{SessionState, identities};
use crate::commands::log::failed;
use crate::commands::screen::{Ink, Screen, columns, cut, harmless, labelled, pad};
use crate::requests::{RulePlace, Text};
use crate::telemetry::StoredEvent;

const LABEL_WIDTH: usize = 16;

/// Lengths of what was found, in characters, by class.
const LENGTHS: [&str; 5] = ["1 to 7", "8 to 15", "16 to 31", "32 to 63", "64 or more"];

/// Whether a line of the surroundings is the event itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// It is.
    Itself,
    /// It stands before or after.
    Beside,
}

/// What is known of an event.
#[derive(Debug)]
pub(super) struct Story<'e> {
    /// The event.
    pub(super) event: &'e StoredEvent,
    /// Earlier events of other sessions with the same code.
    pub(super) others: &'e [StoredEvent],
    /// Where its rule stands.
    pub(super) place: Option<&'e RulePlace>,
    /// What stands around it in its session.
    pub(super) neighbours: Vec<(&'e StoredEvent, Side)>,
    /// Whether its session goes on.
    pub(super) session: SessionState,
    /// Whether a person can let it pass.
    pub(super) approvable: bool,
    /// The arguments of what a rule asks about, masked, if they were kept.
    pub(super) arguments: Option<String>,
}

impl Story<'_> {
    /// As text of at most the screen's width.
    pub(super) fn text(&self, screen: Screen) -> String {
        let mut page = Page { out: String::new(), screen };
        page.out.push_str(&format!("{}\n\n", screen.ink(self.ink(), &self.headline())));
        self.whose(&mut page);
        if self.event.what("direction").is_empty() {
            self.fields(&mut page);
        } else {
            self.message(&mut page);
            self.verdict(&mut page);
        }
        page.line("told", &self.told());
        self.definition(&mut page);
        self.way_out(&mut page);
        self.around(&mut page);
        for other in self.others {
            let text = format!("the same code was given out at {} too: {}", time(other), id(other));
            page.line("note", &text);
        }
        page.out
    }

    fn ink(&self) -> Ink {
        match self.event.what("verdict") {
            "allow" => Ink::Good,
            "monitor" | "redact" => Ink::Warn,
            "" => Ink::Strong,
            _ => Ink::Bad,
        }
    }

    /// `Decision 4F2K: deploy waits for a person`
    fn headline(&self) -> String {
        let event = self.event;
        let item = [event.what("item"), event.what("method"), kind(event)];
        let item = harmless(item.into_iter().find(|text| !text.is_empty()).unwrap_or("a message"));
        let became = match (kind(event), event.what("verdict")) {
            ("definition", "deny" | "ask" | "block") => "was left out of a list",
            ("answer", "block") => "was carried out, and its answer withheld",
            (_, "ask") => "waits for a person",
            (_, "deny" | "refused") => "was refused",
            (_, "block") => "was blocked",
            (_, "redact") => "went on without what was found",
            (_, "monitor") => "went on, and was put on record",
            ("answer", "allow") if failed(event).is_some() => "came back with an error",
            (_, "allow") => "went on",
            _ => "is on record",
        };
        match event.what("code") {
            "" => format!("{item} {became}"),
            code => format!("Decision {code}: {item} {became}"),
        }
    }

    fn whose(&self, page: &mut Page) {
        let event = self.event;
        page.line("when", &local(event, "%Y-%m-%d %H:%M:%S %Z"));
        page.line("server", event.who("server"));
        for identity in identities(event) {
            page.line("", &identity);
        }
        let client = &event.value["who"]["client"];
        let by = |key: &str| client[key].as_str().map(str::to_owned);
        let processes: Vec<&str> =
            client["processes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let client = [
            by("id"),
            by("says").map(|says| format!("says it is {says}")),
            (!processes.is_empty()).then(|| format!("started by {}", processes.join(" ← "))),
        ];
        page.line("client", &client.into_iter().flatten().collect::<Vec<_>>().join("; "));
        page.line(
            "session",
            &match event.who("profile") {
                // A start that was refused came to none.
                "" => format!("{} of {}", event.who("session"), event.who("user")),
                profile => format!("{} of {}, profile {profile}", event.who("session"), event.who("user")),
            },
        );
        page.line("event", &format!("{} (number {} of its file)", id(event), event.value["seq"]));
    }

    fn message(&self, page: &mut Page) {
        let event = self.event;
        let what = &event.value["what"];
        let way = if event.what("direction") == "to-server" { "to the server" } else { "to the client" };
        let kind = match kind(event) {
            "synthesised" => "an answer of ours in place of one that did not come",
            "definition" => "a definition in a list",
            other => other,
        };
        let request = what["request_id"].as_str().map_or_else(String::new, |id| format!(", id {id}"));
        page.line(
            "message",
            &format!(
                "{kind} {way}: {} {}{request}, {} bytes",
                event.what("method"),
                event.what("item"),
                what["bytes"]
            ),
        );
        if let Some(ms) = what["duration_ms"].as_u64() {
            page.line("", &format!("{ms} ms after the request"));
        }
        if let Some(failed) = failed(event) {
            page.line("", &failed);
        }
        if what["rewritten"].as_bool() == Some(true) {
            page.line("", "it was changed before it went on");
        }
        match what["restored"].as_u64() {
            Some(1) => page.line("", "a redacted value was put back in it, for the server that it came from"),
            Some(more) => page.line(
                "",
                &format!("{more} redacted values were put back in it, for the server that they came from"),
            ),
            None => {}
        }
        if let Some(arguments) = &self.arguments {
            page.line("arguments", &format!("{arguments} (masked; kept beside the log, for you)"));
        } else if let Some(asked) = what["asked"]["call"].as_str() {
            page.line("arguments", &format!("not in the log; their keyed hash is {asked}"));
        }
    }

    fn verdict(&self, page: &mut Page) {
        let event = self.event;
        page.line("access", event.what("access"));
        if let Some(approval) = event.value["what"]["approval"].as_str() {
            page.line("", &format!("a rule asks about it, and approval {approval} let it pass"));
        }
        page.line("content", event.what("content"));
        if !event.what("rule").is_empty() {
            page.line(
                "rule",
                &format!("`{}` ({}): {}", event.what("rule"), event.what("layer"), event.what("reason")),
            );
            page.line("stands in", &self.stands_in());
        }
        if !event.what("would_have").is_empty() {
            let text = format!(
                "rule `{}` would have stopped it, but its layer only monitors",
                event.what("would_have")
            );
            page.line("would have", &text);
        }
        let findings: Vec<&Value> =
            event.value["what"]["findings"].as_array().into_iter().flatten().collect();
        for finding in &findings {
            page.line("found", &found(finding));
        }
        let total = event.value["what"]["findings_total"].as_u64().unwrap_or(0);
        if let Some(more) = total.checked_sub(findings.len() as u64).filter(|more| *more > 0) {
            page.line("", &format!("and {more} more"));
        }
        page.line("policy", event.who("policy"));
    }

    fn stands_in(&self) -> String {
        let Some(place) = self.place else {
            return match self.event.what("layer") {
                _ if self.event.what("rule") == "definition/changed" => {
                    "`[defaults] changed_tools`".to_owned()
                }
                _ if self.event.what("rule") == "definition/new" => "`[defaults] new_tools`".to_owned(),
                "built-in" => "Stockade itself: no policy can change it".to_owned(),
                _ => "a layer whose start is not on record any more".to_owned(),
            };
        };
        let since = match place.text {
            Text::Same => "",
            Text::Changed => ", as the file is now: it was changed since",
            Text::Gone => ", which cannot be read any more",
        };
        match place.line {
            Some(line) => format!("{}:{line}{since}", place.file),
            None if self.event.what("rule") == "default" => {
                format!("{}, `[defaults] server`{since}", place.file)
            }
            None if place.text == Text::Same => format!("Stockade itself, for the layer {}", place.file),
            None => format!("{}{since}; the rule is not in it", place.file),
        }
    }

    /// What the peer was told, or that nobody was.
    fn told(&self) -> String {
        let told = self.event.what("told");
        let to = match (kind(self.event), self.event.what("direction")) {
            ("answer" | "synthesised", "to-client") | (_, "to-server") => "the model",
            _ => "the server",
        };
        if told.is_empty() { String::new() } else { format!("{to}: “{told}”") }
    }

    /// Where a definition is to be seen that is not what was agreed to.
    fn definition(&self, page: &mut Page) {
        if matches!(self.event.what("rule"), "definition/changed" | "definition/new") {
            let server = harmless(self.event.who("server"));
            page.line(
                "definition",
                &format!("`stockade pins diff {server}` shows what it is now, against what was approved"),
            );
            page.line(
                "",
                &format!("`stockade pins approve {server}` on a terminal of your own agrees to it"),
            );
        }
    }

    /// What a person can do. Nothing of it is for a model: `why` is not in any answer.
    fn way_out(&self, page: &mut Page) {
        let event = self.event;
        let code = if event.what("code").is_empty() { id(event) } else { event.what("code") };
        if !crate::approvals::is_refusal(event) {
            if failed(event).is_some() && event.what("method") == "tools/call" {
                page.line("way out", &format!("`stockade bisect --event {code}` makes the call again, bare and in the jail: is it Stockade?"));
            }
            return;
        }
        match (self.approvable, self.session) {
            (false, _) => {}
            (true, SessionState::Open) => {
                let once = "on a terminal of your own lets this very call pass once";
                page.line("way out", &format!("`stockade approve {code}` {once}"));
                page.line("", "--tool lets the tool pass, whatever its arguments; --for 1h holds longer");
            }
            (true, SessionState::Ended) => {
                let next = "on a terminal of your own lets this very call pass in the next session";
                page.line("way out", &format!("`stockade approve {code} --for 15m` {next}"));
                page.line("", "--tool lets the tool pass, whatever its arguments");
            }
        }
        let label = if self.approvable { "" } else { "way out" };
        let (rule, layer) = (event.what("rule"), event.what("layer"));
        if rule.starts_with("wire/") || rule.starts_with("session/") || rule.starts_with("method/") {
            page.line(label, "the message itself is to be mended, by the author of the program that sent it; no policy lets it pass");
            return;
        }
        match self.place {
            Some(place) if layer == "user" || layer == "--policy" => {
                page.line(label, &format!("the rule is yours: change it in {}", at(place)));
                page.line("", &format!("`stockade request {code}` keeps this, with the lines that would grant it"));
            }
            _ => page.line(label, &format!("`stockade request {code}` keeps this, with lines that would grant it, for whoever writes the policy")),
        }
    }

    fn around(&self, page: &mut Page) {
        if self.neighbours.len() < 2 {
            return;
        }
        page.out.push_str(&format!("\n{}\n", page.screen.ink(Ink::Strong, "Around it in its session")));
        let what = |event: &StoredEvent| {
            let arrow = match event.what("direction") {
                "to-server" => "→",
                "to-client" => "←",
                _ => " ",
            };
            let method = if event.what("method").is_empty() { kind(event) } else { event.what("method") };
            harmless(&format!("{arrow} {method} {}", event.what("item")))
        };
        let longest = self.neighbours.iter().map(|(event, _)| columns(&what(event))).max().unwrap_or(0);
        let wide = longest.min(page.screen.width.saturating_sub(30).max(10));
        for (event, side) in &self.neighbours {
            let what = what(event);
            let clock = local(event, "%H:%M:%S");
            let mark = if *side == Side::Itself { "▸" } else { " " };
            let word = if event.what("verdict").is_empty() { kind(event) } else { event.what("verdict") };
            let line = format!("{mark} {clock}  {}  {}", pad(&cut(&what, wide), wide), harmless(word));
            let line = match side {
                Side::Itself => page.screen.ink(Ink::Strong, line.trim_end()),
                Side::Beside => line.trim_end().to_owned(),
            };
            page.out.push_str(&format!("{line}\n"));
        }
    }

    /// Of an event that is no decision about a message: what it holds.
    fn fields(&self, page: &mut Page) {
        page.line("kind", kind(self.event));
        for (key, value) in self.event.value["what"].as_object().into_iter().flatten() {
            let rows: Vec<String> = match value.as_array() {
                Some(all) if all.iter().all(Value::is_object) => all.iter().map(plain).collect(),
                _ => vec![plain(value)],
            };
            for (n, row) in rows.iter().enumerate() {
                page.line(if n == 0 { key } else { "" }, row);
            }
        }
    }
}

/// What was written so far.
struct Page {
    out: String,
    screen: Screen,
}

impl Page {
    /// A line that says something; an empty one is left out.
    fn line(&mut self, label: &str, text: &str) {
        let text = harmless(text);
        if !text.is_empty() {
            let label = pad(&format!("  {}", cut(&label.replace('_', " "), LABEL_WIDTH - 3)), LABEL_WIDTH);
            self.out.push_str(&labelled(
                &self.screen.ink(Ink::Faint, &label),
                LABEL_WIDTH,
                &text,
                self.screen.width,
            ));
        }
    }
}

fn found(finding: &Value) -> String {
    let text = |key: &str| finding[key].as_str().unwrap_or("").to_owned();
    let class = finding["length_class"].as_u64().and_then(|class| usize::try_from(class).ok());
    let length = class.and_then(|class| LENGTHS.get(class)).unwrap_or(&"?");
    format!(
        "{} ({} confidence) at {}: {length} characters, hash {}",
        text("detector"),
        text("confidence"),
        text("at"),
        text("hash")
    )
}

/// A value without the marks of JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(all) => {
            let member = |(key, value): (&String, &Value)| format!("{key}: {}", plain(value));
            all.iter().map(member).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

/// Events carry UTC; people read their own time.
fn local(event: &StoredEvent, form: &str) -> String {
    match time(event).parse::<jiff::Timestamp>() {
        Ok(at) => at.to_zoned(jiff::tz::TimeZone::system()).strftime(form).to_string(),
        Err(_) => time(event).to_owned(),
    }
}

fn at(place: &RulePlace) -> String {
    match place.line {
        Some(line) => format!("{}:{line}", place.file),
        None => place.file.clone(),
    }
}

fn kind(event: &StoredEvent) -> &str {
    event.value["kind"].as_str().unwrap_or("")
}

fn id(event: &StoredEvent) -> &str {
    event.value["id"].as_str().unwrap_or("")
}

fn time(event: &StoredEvent) -> &str {
    event.value["time"].as_str().unwrap_or("")
}

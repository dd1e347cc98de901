//! `stockade policy show`: what is in force, with the layer, file and line of everything.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use stockade_policy::detect::canary_detector;
use stockade_policy::document::policy::{Class, Destinations, DlpRule, Feature, Mode, PolicyDocument, Rule};
use stockade_policy::rules::{Layer, Policy, Times};
use stockade_policy::verdict::Access;

use super::suppressions;
use crate::error::Failure;
use crate::exit::Exit;
use crate::host::Facts;
use crate::policies;

/// Keys that are no rules: name, the value of a document as it is written, and how strict that is.
type Setting = (&'static str, fn(&PolicyDocument) -> String);

const SETTINGS: &[Setting] = &[
    ("mode", |document| mode(document).to_owned()),
    ("may_relax", |document| classes(&document.may_relax)),
    ("defaults.server", |document| document.defaults.server.word().to_owned()),
    ("defaults.unknown_methods", |document| word(&document.defaults.unknown_methods)),
    ("defaults.profile", |document| document.defaults.profile.clone().unwrap_or_default()),
    ("defaults.grants_by_flag", |document| document.defaults.grants_by_flag.word().to_owned()),
    ("defaults.bare_servers", |document| word(&document.defaults.bare_servers)),
    ("defaults.project_files", |document| word(&document.defaults.project_files)),
    ("defaults.full_disk", |document| word(&document.defaults.full_disk)),
    ("defaults.packages", |document| {
        document.defaults.packages.map_or(String::new(), |packages| word(&packages))
    }),
    ("defaults.changed_tools", |document| unless_monitored(document.defaults.changed_tools)),
    ("defaults.new_tools", |document| unless_monitored(document.defaults.new_tools)),
    ("limits.frame_to_server", |document| bytes(document.frame_bytes_max.0)),
    ("limits.frame_to_client", |document| bytes(document.frame_bytes_max.1)),
];

pub(super) fn show(flag: Option<&Path>, json: bool) -> Result<Exit, Failure> {
    let policy = policies::load(&Facts::gather()?, flag)?;
    if json { super::print_json(&as_json(&policy)) } else { super::print(&text(&policy)) }
}

/// To let a definition pass is to put it on record.
fn unless_monitored(access: Access) -> String {
    if access == Access::Allow { "monitor".to_owned() } else { access.word().to_owned() }
}

fn mode(document: &PolicyDocument) -> &'static str {
    match document.mode {
        Mode::Enforce => "enforce",
        Mode::Monitor => "monitor",
    }
}

/// `DropOldest` → `drop-oldest`: as policies write it.
fn word(value: &impl std::fmt::Debug) -> String {
    let mut word = String::new();
    for c in format!("{value:?}").chars() {
        if c.is_ascii_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

fn bytes(bytes: Option<usize>) -> String {
    bytes.map_or(String::new(), |bytes| format!("{bytes}B"))
}

fn classes(classes: &[Class]) -> String {
    let word =
        |class: &Class| Class::WORDS.iter().find(|(_, known)| known == class).map_or("", |(word, _)| *word);
    classes.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn text(policy: &Policy) -> String {
    let mut text = format!("Policy {}\n\nLayers, the furthest first\n", policy.hash());
    for layer in policy.layers() {
        let sha256 = layer.sha256.get(..12).unwrap_or(&layer.sha256);
        let _ = writeln!(
            text,
            "  {:<13} {}  ({}, {sha256})",
            layer.origin.word(),
            layer.name,
            mode(&layer.document)
        );
    }
    let settings = SETTINGS.iter().flat_map(|(key, value)| {
        lines_of(policy, key).map(move |(layer, line)| {
            let setting = format!("{key} = {}", value(&layer.document));
            format!("  {setting:<42} {}\n", place(layer, line))
        })
    });
    section(&mut text, "Settings: of each the strictest that acts holds", settings);
    let rules = each(policy, |document| &document.rules).map(|(layer, rule)| {
        let head = format!("  {:<7} {}  {}\n", rule.effect.word(), rule.id, about(rule));
        format!("{head}          {}: {}\n", place(layer, rule.line), rule.reason)
    });
    section(&mut text, "Rules: of those that hold the strictest decides", rules);
    let limits = each(policy, |document| &document.limits).map(|(layer, limit)| {
        let named = [&limit.tools, &limit.prompts, &limit.resources].map(|names| names.iter());
        let (named, servers) =
            (named.into_iter().flatten().cloned().collect::<Vec<_>>().join(", "), of(&limit.servers));
        let head =
            format!("  {:<7} {}  {} of {named}{servers}\n", limit.effect.word(), limit.id, limit.words());
        format!("{head}          {}: {}\n", place(layer, limit.line), limit.reason)
    });
    section(&mut text, "Limits, each for one session", limits);
    let findings = each(policy, |document| &document.dlp).map(|(layer, rule)| {
        let head = format!("  {:<7} {}  {}\n", rule.action.word(), rule.id, about_finding(rule));
        format!("{head}          {}: {}\n", place(layer, rule.line), rule.reason)
    });
    section(&mut text, "Findings: of the rules about one the strictest decides", findings);
    let suppressions = each(policy, |document| &document.suppressions).map(|(layer, one)| {
        let head = format!("  {}  {}\n", one.id, suppressions::words(one));
        format!("{head}          {}: {} ({})\n", place(layer, one.line), one.reason, one.author)
    });
    section(&mut text, "Suppressions: findings that somebody answers for", suppressions);
    let baselines = each(policy, |document| &document.baselines).map(|(layer, one)| {
        let tools = one
            .tools
            .as_ref()
            .map_or_else(|| "any tools".to_owned(), |tools| format!("{} tools", tools.len()));
        let head = format!("  {}  {tools}{}\n", one.id, of(&one.servers));
        format!("{head}          {}: {}\n", place(layer, one.line), one.reason)
    });
    section(&mut text, "Baselines: what servers are expected to say of their tools", baselines);
    let keywords = each(policy, |document| &document.keywords).map(|(layer, list)| {
        let line = line_of_list(layer, &list.name);
        format!("  keyword/{}  {} words  {}\n", list.name, list.words.len(), place(layer, line))
    });
    section(&mut text, "Keywords", keywords);
    let exact = each(policy, |document| &document.exact).map(|(layer, one)| {
        format!("  {}  {}  {}\n", one.class.detector(&one.name), one.file, place(layer, one.line))
    });
    section(&mut text, "Tables, as hashes", exact);
    let canaries = each(policy, |document| &document.canaries).map(|(layer, one)| {
        let file = one.file.as_ref().map_or(String::new(), |file| format!(", {file}"));
        let name = canary_detector(&one.name);
        format!("  {name}  {} values{file}  {}\n", one.values.len(), place(layer, one.line))
    });
    section(&mut text, "Canaries", canaries);
    text
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines = lines.collect::<String>();
    if !lines.is_empty() {
        let _ = write!(text, "\n{title}\n{lines}");
    }
}

fn line_of_list(layer: &Layer, name: &str) -> usize {
    // A list is a table of tables, and every one of them has a line.
    layer.document.lines.get(&format!("keywords.{name}")).copied().unwrap_or(1)
}

/// The layers that write this key, with its line.
fn lines_of<'p>(policy: &'p Policy, key: &'static str) -> impl Iterator<Item = (&'p Layer, usize)> {
    policy.layers().iter().filter_map(move |layer| Some((layer, *layer.document.lines.get(key)?)))
}

fn each<'p, T: 'p>(
    policy: &'p Policy,
    list: fn(&PolicyDocument) -> &Vec<T>,
) -> impl Iterator<Item = (&'p Layer, &'p T)> {
    policy.layers().iter().flat_map(move |layer| list(&layer.document).iter().map(move |item| (layer, item)))
}

fn place(layer: &Layer, line: usize) -> String {
    format!("{} {}:{line}", layer.origin.word(), layer.name)
}

fn of(servers: &[String]) -> String {
    if servers.is_empty() { String::new() } else { format!(" of {}", servers.join(", ")) }
}

fn features(rule: &Rule) -> Vec<&'static str> {
    let word = |feature: &Feature| match feature {
        Feature::Sampling => "sampling",
        Feature::ElicitationForm => "elicitation-form",
        Feature::ElicitationUrl => "elicitation-url",
        Feature::Roots => "roots",
    };
    rule.features.iter().map(word).collect()
}

fn about(rule: &Rule) -> String {
    let lists = [
        ("tools", rule.tools.join(", ")),
        ("prompts", rule.prompts.join(", ")),
        ("resources", rule.resources.join(", ")),
        ("templates", rule.templates.join(", ")),
        ("features", features(rule).join(", ")),
        ("origins", rule.origins.join(", ")),
    ];
    let named =
        lists.iter().filter(|(_, names)| !names.is_empty()).map(|(kind, names)| format!("{kind} {names}"));
    let named = named.collect::<Vec<_>>().join("; ");
    let named = if named.is_empty() { "everything".to_owned() } else { named };
    let servers = if rule.servers.is_empty() { " of every server".to_owned() } else { of(&rule.servers) };
    let when = rule.when.as_ref().map_or(String::new(), |when| format!(" when {}", when.source()));
    let times = times(&rule.times);
    format!("{named}{servers}{when}{times}")
}

/// ` until 2026-12-31T00:00:00Z on mon, fri from 08:00 to 18:00 (UTC+02:00)`
fn times(times: &Times) -> String {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let until =
        times.until.and_then(|until| jiff::Timestamp::from_millisecond(i64::try_from(until.0).ok()?).ok());
    let mut text = until.map_or(String::new(), |until| format!(" until {until}"));
    let days =
        DAYS.iter().zip(1..).filter(|(_, number)| times.weekdays.contains(number)).map(|(day, _)| *day);
    let days = days.collect::<Vec<_>>().join(", ");
    if !days.is_empty() {
        let _ = write!(text, " on {days}");
    }
    if let Some((from, to)) = times.hours {
        let _ = write!(text, " from {:02}:{:02} to {:02}:{:02}", from / 60, from % 60, to / 60, to % 60);
    }
    if times.hours.is_some() || !days.is_empty() {
        let (sign, offset) =
            (if times.utc_offset_minutes < 0 { '-' } else { '+' }, times.utc_offset_minutes.abs());
        let _ = write!(text, " (UTC{sign}{:02}:{:02})", offset / 60, offset % 60);
    }
    text
}

fn about_finding(rule: &DlpRule) -> String {
    let direction = word(&rule.direction);
    let but = if rule.except_servers.is_empty() {
        String::new()
    } else {
        format!(" but{}", of(&rule.except_servers))
    };
    let back = if rule.restore_to.is_empty() {
        String::new()
    } else {
        format!(", put back for {} alone", rule.restore_to.join(", "))
    };
    let own = match rule.destinations {
        Destinations::Honour => "",
        Destinations::Ignore => ", what is the server's own job too",
    };
    format!(
        "{} {direction}, {} confidence{}{but}{back}{own}",
        rule.detect.join(", "),
        word(&rule.confidence),
        of(&rule.servers)
    )
}

fn as_json(policy: &Policy) -> Value {
    let layers = policy.layers().iter().map(|layer| {
        json!({ "layer": layer.origin.word(), "file": layer.name, "mode": mode(&layer.document), "sha256": layer.sha256 })
    });
    let settings = SETTINGS.iter().flat_map(|(key, value)| {
        lines_of(policy, key)
            .map(move |(layer, line)| json!({ "key": key, "value": value(&layer.document), "at": at(layer, line) }))
    });
    let rules = each(policy, |document| &document.rules).map(|(layer, rule)| {
        json!({
            "id": rule.id, "effect": rule.effect.word(), "servers": rule.servers, "tools": rule.tools,
            "prompts": rule.prompts, "resources": rule.resources, "templates": rule.templates,
            "features": features(rule), "origins": rule.origins,
            "when": rule.when.as_ref().map(|when| when.source()),
            "until_unix_ms": rule.times.until.map(|until| until.0), "weekdays": rule.times.weekdays,
            "hours_minutes": rule.times.hours, "utc_offset_minutes": rule.times.utc_offset_minutes,
            "reason": rule.reason, "at": at(layer, rule.line),
        })
    });
    let limits = each(policy, |document| &document.limits).map(|(layer, limit)| {
        json!({
            "id": limit.id, "effect": limit.effect.word(), "servers": limit.servers, "tools": limit.tools,
            "prompts": limit.prompts, "resources": limit.resources,
            "calls": limit.calls, "bytes": limit.bytes, "per_ms": limit.per_ms, "reason": limit.reason,
            "at": at(layer, limit.line),
        })
    });
    let findings = each(policy, |document| &document.dlp).map(|(layer, rule)| {
        json!({
            "id": rule.id, "action": rule.action.word(), "detect": rule.detect, "direction": word(&rule.direction),
            "confidence": word(&rule.confidence), "servers": rule.servers, "except_servers": rule.except_servers,
            "restore_to": rule.restore_to, "destinations": word(&rule.destinations), "reason": rule.reason,
            "at": at(layer, rule.line),
        })
    });
    let suppressions = each(policy, |document| &document.suppressions).map(|(layer, one)| {
        let mut value = suppressions::as_json(one);
        value["at"] = at(layer, one.line);
        value
    });
    let baselines = each(policy, |document| &document.baselines).map(|(layer, one)| {
        json!({
            "id": one.id, "servers": one.servers, "server": one.server, "tools": one.tools, "reason": one.reason,
            "at": at(layer, one.line),
        })
    });
    let keywords = each(policy, |document| &document.keywords).map(|(layer, list)| {
        let line = line_of_list(layer, &list.name);
        json!({ "name": list.name, "words": list.words.len(), "whole_word": list.whole_word, "at": at(layer, line) })
    });
    json!({
        "hash": policy.hash(),
        "layers": layers.collect::<Vec<_>>(),
        "settings": settings.collect::<Vec<_>>(),
        "rules": rules.collect::<Vec<_>>(),
        "limits": limits.collect::<Vec<_>>(),
        "dlp": findings.collect::<Vec<_>>(),
        "suppressions": suppressions.collect::<Vec<_>>(),
        "baselines": baselines.collect::<Vec<_>>(),
        "keywords": keywords.collect::<Vec<_>>(),
        "exact": exact(policy),
        "canaries": canaries(policy),
    })
}

fn exact(policy: &Policy) -> Vec<Value> {
    let exact = each(policy, |document| &document.exact).map(|(layer, one)| {
        let detector = one.class.detector(&one.name);
        json!({ "detector": detector, "file": one.file, "at": at(layer, one.line) })
    });
    exact.collect()
}

fn canaries(policy: &Policy) -> Vec<Value> {
    let canaries = each(policy, |document| &document.canaries).map(|(layer, one)| {
        let detector = canary_detector(&one.name);
        json!({ "detector": detector, "values": one.values.len(), "file": one.file, "at": at(layer, one.line) })
    });
    canaries.collect()
}

fn at(layer: &Layer, line: usize) -> Value {
    json!({ "layer": layer.origin.word(), "file": layer.name, "line": line })
}

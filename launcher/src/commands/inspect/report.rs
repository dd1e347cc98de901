//! What `inspect` shows: for people, and as one JSON object with the same content.

use serde_json::{Value, json};
use stockade_sandbox::Degree;

use super::findings::Noticed;
use super::survey::{Listing, Survey};
use crate::commands::denied::{self, Sight};
use crate::commands::screen::{Ink, Screen, columns, cut, harmless, labelled, pad, wrap};
use crate::denials::Entry;
use crate::launch::Session;
use crate::plan::ClosedPlaces;

/// What was known before the first message.
#[derive(Debug)]
pub(super) struct Known {
    name: String,
    identities: Vec<String>,
    program: String,
    profile: String,
    profile_why: String,
    policy_hash: String,
    layers: Vec<String>,
    backend: &'static str,
    landlock_abi: u32,
    guarantees: Vec<(&'static str, Degree)>,
    skipped_paths: Vec<String>,
    notes: Vec<String>,
    flag_grants: Vec<String>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Report {
    /// What was known before the first message.
    pub(super) known: Known,
    /// What the server said.
    pub(super) survey: Survey,
    /// What the mediator noticed, or why nobody can tell.
    pub(super) findings: Result<Vec<Noticed>, String>,
    /// What the jail denied.
    pub(super) denied: DeniedPart,
}

/// What the jail denied, as far as it could be seen.
#[derive(Debug)]
pub(super) struct DeniedPart {
    /// What, or why nobody can tell.
    pub(super) entries: Result<Vec<Entry>, String>,
    /// Places that stay closed.
    pub(super) closed: ClosedPlaces,
    /// What could be seen at all.
    pub(super) sight: Sight,
}

impl Known {
    /// Taken from a session before its relay starts.
    pub(super) fn of(session: &Session) -> Self {
        let plan = &session.plan;
        let enforcement = &session.jailed.enforcement;
        Self {
            name: plan.server_name.clone(),
            identities: plan.identities.clone(),
            program: plan.command.program.display().to_string(),
            profile: plan.profile.clone(),
            profile_why: plan.profile_why.clone(),
            policy_hash: plan.policy_hash.clone(),
            layers: session.policy.layers().iter().map(|layer| layer.name.clone()).collect(),
            backend: crate::container::carrier(plan, enforcement),
            landlock_abi: enforcement.landlock_abi,
            guarantees: enforcement
                .guarantees()
                .into_iter()
                .map(|(name, degree)| (name, degree.clone()))
                .collect(),
            skipped_paths: enforcement.skipped_paths.iter().map(|path| path.display().to_string()).collect(),
            notes: plan.notes.clone(),
            flag_grants: plan.flag_grants.clone(),
        }
    }
}

impl Report {
    /// As one JSON object.
    pub(super) fn json(&self) -> String {
        let Self { known, survey, findings, denied } = self;
        let mut report = json!({
            "ok": survey.failure.is_none(),
            "error": survey.failure.as_ref().map(ToString::to_string),
            "name": known.name,
            "identities": known.identities,
            "program": known.program,
            "profile": { "name": known.profile, "why": known.profile_why },
            "policy": { "hash": known.policy_hash, "layers": known.layers },
            "flag_grants": known.flag_grants,
            "not_granted": known.notes,
            "enforcement": {
                "backend": known.backend,
                "landlock_abi": known.landlock_abi,
                "guarantees": known.guarantees.iter().map(guarantee_json).collect::<Vec<_>>(),
                "skipped_paths": known.skipped_paths,
            },
            "protocol": {
                "version": survey.version,
                "era": survey.version.as_ref().map(|_| era(survey)),
                "discover": survey.discover.as_ref().map(|outcome| match outcome {
                    Ok(supported) => json!({ "supported_versions": supported }),
                    Err(why) => json!({ "error": why }),
                }),
            },
            "server": server_info(&survey.opening),
            "capabilities": survey.opening["capabilities"],
            "instructions": survey.opening["instructions"],
            "tools": survey.tools.items,
            "prompts": survey.prompts.items,
            "resources": survey.resources.items,
            "resource_templates": survey.templates.items,
            "incomplete": self.listings().into_iter()
                .filter_map(|(title, listing, _)| Some(json!({ "list": title, "why": listing.incomplete.as_ref()? })))
                .collect::<Vec<_>>(),
            "findings": findings.as_ref().ok().map(|all| all.iter().map(Noticed::json).collect::<Vec<_>>()),
            "findings_error": findings.as_ref().err(),
        });
        report["denials"] = match &denied.entries {
            Ok(entries) => denied::json(entries, &denied.closed),
            Err(why) => json!({ "error": why }),
        };
        report["denials"]["not_seen"] = json!(denied.sight.blind_spot());
        format!("{report:#}\n")
    }

    /// For people.
    pub(super) fn text(&self, screen: Screen) -> String {
        let mut text = String::new();
        self.write_head(&mut text, screen);
        self.write_enforcement(&mut text, screen);
        if self.survey.version.is_some() {
            self.write_protocol(&mut text, screen);
            for (title, listing, name) in self.listings() {
                write_listing(&mut text, screen, (title, listing, name));
            }
        }
        self.write_findings(&mut text, screen);
        self.write_denied(&mut text, screen);
        text
    }

    /// Title, list, and the member that an item of it is called by.
    fn listings(&self) -> [(&'static str, &Listing, &'static str); 4] {
        let survey = &self.survey;
        [
            ("Tools", &survey.tools, "name"),
            ("Prompts", &survey.prompts, "name"),
            ("Resources", &survey.resources, "uri"),
            ("Resource templates", &survey.templates, "uriTemplate"),
        ]
    }

    fn write_head(&self, text: &mut String, screen: Screen) {
        let known = &self.known;
        let mut lines = vec![("Server", known.name.clone())];
        for (n, identity) in known.identities.iter().enumerate() {
            lines.push((if n == 0 { "Identity" } else { "" }, identity.clone()));
        }
        lines.push(("Program", known.program.clone()));
        lines.push(("Profile", format!("{} ({})", known.profile, known.profile_why)));
        let hash: String = known.policy_hash.chars().take(12).collect();
        lines.push(("Policy", format!("{} (sha256 {hash}…)", known.layers.join(" + "))));
        for grant in &known.flag_grants {
            lines.push(("Granted", grant.clone()));
        }
        for note in &known.notes {
            lines.push(("Not granted", note.clone()));
        }
        for (label, line) in lines {
            text.push_str(&labelled(label, 13, &harmless(&line), screen.width));
        }
    }

    fn write_enforcement(&self, text: &mut String, screen: Screen) {
        let known = &self.known;
        let backend = format!("backend {}, Landlock ABI {}", known.backend, known.landlock_abi);
        heading(text, screen, &format!("Enforcement: {backend}"));
        for (name, degree) in &known.guarantees {
            let (word, ink, parts) = degree_shown(degree);
            text.push_str(&format!("  {}{}\n", pad(name, 11), screen.ink(ink, word)));
            for (label, part) in parts {
                text.push_str(&indented(&labelled(label, 9, part, screen.width.saturating_sub(13)), 13));
            }
        }
        if !known.skipped_paths.is_empty() {
            let skipped = format!("granted, but not there: {}", known.skipped_paths.join(", "));
            text.push_str(&indented(&labelled("", 0, &skipped, screen.width.saturating_sub(2)), 2));
        }
    }

    fn write_protocol(&self, text: &mut String, screen: Screen) {
        let survey = &self.survey;
        heading(text, screen, "Protocol");
        let version = survey.version.as_deref().unwrap_or("unknown");
        let mut lines = vec![("revision", format!("{version} ({})", era(survey)))];
        match &survey.discover {
            Some(Ok(supported)) => lines.push(("supports", supported.join(", "))),
            Some(Err(why)) => lines.push(("discover", format!("not supported: {why}"))),
            None => {}
        }
        let info = server_info(&survey.opening);
        let field = |name: &str| info[name].as_str().unwrap_or("?").to_owned();
        lines.push(("says it is", format!("{} {}", field("name"), field("version"))));
        let capabilities: Vec<&str> = survey.opening["capabilities"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.as_str())
            .collect();
        if !capabilities.is_empty() {
            lines.push(("offers", capabilities.join(", ")));
        }
        if let Some(instructions) = survey.opening["instructions"].as_str() {
            lines.push(("instructs", cut(&harmless(instructions), screen.width * 3)));
        }
        for (label, line) in lines {
            text.push_str(&indented(
                &labelled(label, 11, &harmless(&line), screen.width.saturating_sub(2)),
                2,
            ));
        }
    }

    fn write_findings(&self, text: &mut String, screen: Screen) {
        let noticed = match &self.findings {
            Ok(noticed) => noticed,
            Err(why) => {
                heading(text, screen, "Findings: unknown");
                text.push_str(&format!("  {}\n", screen.ink(Ink::Warn, why)));
                return;
            }
        };
        heading(text, screen, &format!("Findings ({})", noticed.len()));
        if noticed.is_empty() {
            text.push_str("  none: nothing was hidden, changed or recorded\n");
        }
        for one in noticed {
            let refused = matches!(one.verdict.as_str(), "block" | "deny" | "ask" | "refused");
            let fate = match (one.kind.as_str(), refused) {
                ("definition", true) => "hidden from the client",
                (_, true) => "stopped",
                (_, false) => "recorded",
            };
            let ink = if refused { Ink::Bad } else { Ink::Warn };
            let item = cut(&harmless(&one.item), screen.width.saturating_sub(40).max(12));
            let head = format!("{item}  {}", screen.ink(ink, &format!("{}, {fate}", one.verdict)));
            text.push_str(&format!("  {head}\n"));
            let mut why = one.detectors.join(", ");
            for part in [&one.reason, &one.rule] {
                if !part.is_empty() {
                    why.push_str(if why.is_empty() { "" } else { " · " });
                    why.push_str(part);
                }
            }
            text.push_str(&indented(&labelled("", 0, &harmless(&why), screen.width.saturating_sub(4)), 4));
        }
    }
}

impl Report {
    fn write_denied(&self, text: &mut String, screen: Screen) {
        let DeniedPart { entries, closed, sight } = &self.denied;
        match entries {
            Err(why) => {
                heading(text, screen, "Denied by the jail: unknown");
                text.push_str(&format!("  {}\n", screen.ink(Ink::Warn, &harmless(why))));
            }
            Ok(entries) => {
                let count = denied::count(entries);
                heading(text, screen, &format!("Denied by the jail ({count})"));
                text.push_str(&denied::text(entries, &self.known.profile, closed, screen));
                text.push_str(if count == 0 { "" } else { "\n" });
                if let Some(note) = denied::not_listed(entries) {
                    text.push_str(&indented(&labelled("", 0, &note, screen.width.saturating_sub(2)), 2));
                }
            }
        }
        text.push_str(&indented(&labelled("", 0, sight.blind_spot(), screen.width.saturating_sub(2)), 2));
    }
}

fn write_listing(text: &mut String, screen: Screen, (title, listing, name): (&str, &Listing, &str)) {
    if listing.items.is_empty() && listing.incomplete.is_none() {
        return;
    }
    heading(text, screen, &format!("{title} ({})", listing.items.len()));
    let names: Vec<String> =
        listing.items.iter().map(|item| harmless(item[name].as_str().unwrap_or("(no name)"))).collect();
    let widest = names.iter().map(|name| columns(name)).max().unwrap_or(0).min(screen.width * 3 / 5);
    for (item, name) in listing.items.iter().zip(&names) {
        let about =
            ["description", "title", "name"].iter().find_map(|key| item[key].as_str()).unwrap_or_default();
        let about = if harmless(about) == *name { String::new() } else { harmless(about) };
        let line = format!("  {}  {about}", pad(&cut(name, widest), widest));
        text.push_str(cut(&line, screen.width).trim_end());
        text.push('\n');
    }
    if let Some(why) = &listing.incomplete {
        text.push_str(&format!("  {}\n", screen.ink(Ink::Warn, &format!("incomplete: {}", harmless(why)))));
    }
}

fn heading(text: &mut String, screen: Screen, title: &str) {
    text.push('\n');
    for line in wrap(title, screen.width) {
        text.push_str(&format!("{}\n", screen.ink(Ink::Strong, &line)));
    }
}

fn indented(text: &str, columns: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(columns))).collect()
}

fn degree_shown(degree: &Degree) -> (&'static str, Ink, Vec<(&'static str, &str)>) {
    match degree {
        Degree::Full => ("full", Ink::Good, Vec::new()),
        Degree::Partial { missing, why, remedy } => {
            ("PARTIAL", Ink::Warn, vec![("missing", missing), ("why", why), ("remedy", remedy)])
        }
        Degree::None { why, remedy } => ("NONE", Ink::Bad, vec![("why", why), ("remedy", remedy)]),
    }
}

fn guarantee_json((name, degree): &(&'static str, Degree)) -> Value {
    let (word, _, parts) = degree_shown(degree);
    let mut line = json!({ "guarantee": name, "degree": word.to_lowercase() });
    for (label, part) in parts {
        line[label] = json!(part);
    }
    line
}

fn era(survey: &Survey) -> &'static str {
    match &survey.discover {
        Some(Ok(supported)) if supported.iter().any(|version| version.as_str() < "2026") => {
            "stateless; it speaks revisions with a handshake as well"
        }
        Some(Ok(_)) => "stateless",
        _ => "with a handshake",
    }
}

/// `serverInfo`, which `server/discover` puts into `_meta`. It is what the server says of itself, and proves nothing.
fn server_info(opening: &Value) -> Value {
    let meta = &opening["_meta"]["io.modelcontextprotocol/serverInfo"];
    [&opening["serverInfo"], meta].into_iter().find(|info| info.is_object()).cloned().unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let partial = Degree::Partial {
            missing: "memory of the tree ".repeat(6),
            why: "there is no cgroup".to_owned(),
            remedy: "none in this version".to_owned(),
        };
        let known = Known {
            name: "s".to_owned(),
            identities: vec!["pkg:npm/s@1".to_owned(), format!("file:sha256:{}", "ab".repeat(32))],
            program: "/usr/bin/node".to_owned(),
            profile: "default".to_owned(),
            profile_why: "default of the policy".to_owned(),
            policy_hash: "00".repeat(32),
            layers: vec!["built-in default".to_owned()],
            backend: "static",
            landlock_abi: 7,
            guarantees: vec![("fs", Degree::Full), ("limits", partial)],
            skipped_paths: vec!["/nowhere".to_owned()],
            notes: Vec::new(),
            flag_grants: Vec::new(),
        };
        let tool = json!({ "name": "evil\u{1b}[2J", "description": format!("Says\r\nthings\u{e0041} {}", "x".repeat(200)) });
        let survey = Survey {
            discover: Some(Err("-32601 Method not found".to_owned())),
            version: Some("2025-11-25".to_owned()),
            opening: json!({ "serverInfo": { "name": "s", "version": "1" }, "instructions": "Do\u{9b} this" }),
            tools: Listing { items: vec![tool], incomplete: Some("cut at 1000 items".to_owned()) },
            ..Survey::default()
        };
        let denied = DeniedPart {
            entries: Ok(Vec::new()),
            closed: ClosedPlaces::default(),
            sight: Sight::Opens(stockade_sandbox::Backend::Notify),
        };
        Report { known, survey, findings: Ok(Vec::new()), denied }
    }

    #[test]
    fn no_line_is_wider_than_the_screen_and_none_holds_a_control_character() {
        for width in [60, 80, 120] {
            let text = report().text(Screen::plain(width));
            for line in text.lines() {
                assert!(columns(line) <= width, "{width}: {line}");
                assert!(!line.chars().any(char::is_control), "{line:?}");
            }
            assert!(text.contains("PARTIAL") && text.contains("Says things"), "{text}");
        }
    }

    #[test]
    fn a_log_that_cannot_be_read_is_not_reported_as_no_findings() {
        let mut report = report();
        report.findings = Err("cannot read it".to_owned());
        assert!(report.text(Screen::plain(80)).contains("Findings: unknown"));
        let json: Value = serde_json::from_str(&report.json()).unwrap();
        assert!(json["findings"].is_null() && json["findings_error"] == "cannot read it");
        assert_eq!(json["enforcement"]["guarantees"][1]["degree"], "partial");
    }
}

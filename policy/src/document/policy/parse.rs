//! The text of a policy file → [`PolicyDocument`].

use super::detectors::KnownDetectors;
use std::collections::BTreeMap;

use super::baseline::baseline;
use super::custom::{Custom, custom};
use super::limit::limit;
use super::rule::rule;
use super::suppress::suppression;
use super::{
    BareServers, Class, Defaults, Destinations, Directions, DlpRule, FullDisk, Mode, Packages,
    PolicyDocument, ProjectFiles, UnknownMethods,
};
use crate::detect::{Confidence, KeywordList, check_regex};
use crate::document::Mistakes;
use crate::document::identity::identity_patterns;
use crate::document::reader::{Reader, Section, Text, shown};
use crate::document::suggest::{did_you_mean, one_of};
use crate::document::tree::{Kind, Member};
use crate::verdict::{Access, Content};

pub(super) const ACCESS: &[(&str, Access)] =
    &[("allow", Access::Allow), ("ask", Access::Ask), ("deny", Access::Deny)];
pub(super) const ACTIONS: &[(&str, Content)] =
    &[("monitor", Content::Monitor), ("redact", Content::Redact), ("block", Content::Block)];
pub(super) const DIRECTIONS: &[(&str, Directions)] =
    &[("to-server", Directions::ToServer), ("to-client", Directions::ToClient), ("both", Directions::Both)];
pub(super) const CONFIDENCES: &[(&str, Confidence)] =
    &[("low", Confidence::Low), ("medium", Confidence::Medium), ("high", Confidence::High)];

pub(super) const DESTINATIONS: &[(&str, Destinations)] =
    &[("honour", Destinations::Honour), ("ignore", Destinations::Ignore)];

pub(super) const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("monitor", Mode::Monitor)];
pub(super) const METHODS: &[(&str, UnknownMethods)] =
    &[("forward", UnknownMethods::Forward), ("deny", UnknownMethods::Deny)];
pub(super) const GRANTS: &[(&str, Access)] = &[("allow", Access::Allow), ("deny", Access::Deny)];
/// What is done about a tool whose definition changed since it was first seen, or that was added since; `monitor` stops
/// nothing.
pub(super) const CHANGED: &[(&str, Access)] =
    &[("monitor", Access::Allow), ("ask", Access::Ask), ("deny", Access::Deny)];
pub(super) const DISKS: &[(&str, FullDisk)] =
    &[("drop-oldest", FullDisk::DropOldest), ("stop", FullDisk::Stop)];
pub(super) const BARE: &[(&str, BareServers)] =
    &[("record", BareServers::Record), ("stop", BareServers::Stop)];
pub(super) const PROJECT_FILES: &[(&str, ProjectFiles)] =
    &[("report", ProjectFiles::Report), ("shadow", ProjectFiles::Shadow), ("rewrite", ProjectFiles::Rewrite)];
pub(super) const PACKAGES: &[(&str, Packages)] =
    &[("follow", Packages::Follow), ("ask", Packages::Ask), ("freeze", Packages::Freeze)];
pub(super) const MATCHES: &[(&str, bool)] = &[("word", true), ("substring", false)];
/// What [`name`] takes, for the schema.
pub(super) const NAME_PATTERN: &str = r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$";

/// Ids under which built-in decisions are recorded: a rule of the same name could not be told from them.
const BUILT_IN_IDS: [&str; 8] = [
    "approvals",
    "changed-tools",
    "default",
    "grants-by-flag",
    "new-tools",
    "no-policy",
    "pause",
    "tool-name",
];

// Keys that the design knows and this version does not: each is refused by name, because a condition or a limit that
// is silently passed over makes a rule wider than its author wrote it.
const TOP_NOT_YET: &[&str] = &["pins", "net", "egress", "detector", "detectors", "fingerprints", "approvals"];
const DLP_NOT_YET: &[&str] = &["when", "tools", "prompts", "masking", "until", "may_relax"];
const DEFAULTS_NOT_YET: &[&str] = &["pins", "network", "may_relax", "upload"];

/// Sizes of frames: a handshake must fit, and offsets are 32 bits wide.
pub(super) const FRAME_BYTES: std::ops::RangeInclusive<u64> = (4 << 10)..=(1 << 30);

pub(super) fn parse(file: &str, text: &str) -> Result<PolicyDocument, Mistakes> {
    let (mut reader, members) = Reader::open(text);
    let r = &mut reader;
    let mut top = Section::whole(&members);
    version(r, &mut top);
    let mode = top.word(r, "mode", MODES);
    let defaults = defaults(r, &mut top);
    let keywords = keywords(r, &mut top);
    let Custom { exact, canaries, detectors } = custom(r, &mut top);
    let mut ids = Ids::default();
    let rules = top.tables(r, "rule").into_iter().filter_map(|s| rule(r, s, &mut ids)).collect();
    let mut dlp = Vec::new();
    let known = KnownDetectors::new(&keywords, &detectors);
    for section in top.tables(r, "dlp") {
        dlp.extend(dlp_rule(r, section, &mut ids, &known));
    }
    let mut suppressions = Vec::new();
    for section in top.tables(r, "suppress") {
        suppressions.extend(suppression(r, section, &mut ids, &known));
    }
    let limits = top.tables(r, "limit").into_iter().filter_map(|s| limit(r, s, &mut ids)).collect();
    let baselines = top.tables(r, "baseline").into_iter().filter_map(|s| baseline(r, s, &mut ids)).collect();
    let may_relax = may_relax(r, &mut top);
    let frame_bytes_max = frame_sizes(r, &mut top);
    let lines = lines(r, &members);
    top.close(r, TOP_NOT_YET);
    let mode = mode.unwrap_or(Mode::Enforce);
    let keywords = keywords.into_iter().filter_map(|list| list.ok()).collect();
    let document = PolicyDocument {
        mode,
        may_relax,
        defaults,
        rules,
        limits,
        dlp,
        suppressions,
        baselines,
        keywords,
        exact,
        canaries,
        frame_bytes_max,
        lines,
    };
    reader.finish(file, Some(document))
}

/// Where everything stands that has no line of its own.
fn lines(r: &Reader<'_>, members: &[Member]) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for member in members {
        match &member.value.kind {
            Kind::Table(inner) => {
                let key = |inner: &Member| format!("{}.{}", member.key, inner.key);
                lines.extend(inner.iter().map(|inner| (key(inner), r.line(inner.key_at))));
            }
            _ => drop(lines.insert(member.key.clone(), r.line(member.key_at))),
        }
    }
    lines
}

fn may_relax(r: &mut Reader<'_>, top: &mut Section<'_>) -> Vec<Class> {
    let known = Class::WORDS.map(|(word, _)| word);
    let mut classes = Vec::new();
    for Text { text, at } in top.strings(r, "may_relax") {
        match Class::WORDS.iter().find(|(word, _)| *word == text) {
            Some((_, class)) => classes.push(*class),
            None => {
                let remedy = did_you_mean(text, known).unwrap_or_else(|| format!("use {}", one_of(known)));
                r.wrong(at, format!("there is no class `{}`", shown(text)), Some(remedy));
            }
        }
    }
    classes
}

fn version(r: &mut Reader<'_>, top: &mut Section<'_>) {
    match top.value("version").map(|node| (node.at, &node.kind)) {
        Some((_, Kind::Integer(Some(1)))) => {}
        None => {
            r.lacking(0, "the file has no `version`", Some("write `version = 1` in its first line".into()))
        }
        Some((at, Kind::Integer(_))) => {
            r.wrong(at, "this version of stockade reads policies of version 1 only", None);
        }
        Some((at, other)) => {
            r.wrong(at, format!("`version` must be the number 1, not {}", other.words()), None)
        }
    }
}

fn defaults(r: &mut Reader<'_>, top: &mut Section<'_>) -> Defaults {
    // What a file leaves open, it leaves to the other layers: the lenient value of each.
    let mut defaults = Defaults {
        server: Access::Allow,
        unknown_methods: UnknownMethods::Forward,
        profile: None,
        grants_by_flag: Access::Allow,
        full_disk: FullDisk::DropOldest,
        changed_tools: Access::Allow,
        new_tools: Access::Allow,
        approvals: Access::Allow,
        pause: None,
        bare_servers: BareServers::Record,
        project_files: ProjectFiles::Report,
        packages: None,
    };
    let Some(mut section) = top.table(r, "defaults") else {
        return defaults;
    };
    if let Some(server) = section.word(r, "server", ACCESS) {
        defaults.server = server;
    }
    if let Some(methods) = section.word(r, "unknown_methods", METHODS) {
        defaults.unknown_methods = methods;
    }
    defaults.profile = section.string(r, "profile").and_then(|text| name(r, "profile", text));
    if let Some(grants) = section.word(r, "grants_by_flag", GRANTS) {
        defaults.grants_by_flag = grants;
    }
    if let Some(bare) = section.word(r, "bare_servers", BARE) {
        defaults.bare_servers = bare;
    }
    if let Some(files) = section.word(r, "project_files", PROJECT_FILES) {
        defaults.project_files = files;
    }
    if let Some(disk) = section.word(r, "full_disk", DISKS) {
        defaults.full_disk = disk;
    }
    defaults.packages = section.word(r, "packages", PACKAGES);
    if let Some(changed) = section.word(r, "changed_tools", CHANGED) {
        defaults.changed_tools = changed;
    }
    if let Some(new) = section.word(r, "new_tools", CHANGED) {
        defaults.new_tools = new;
    }
    if let Some(approvals) = section.word(r, "approvals", GRANTS) {
        defaults.approvals = approvals;
    }
    defaults.pause = section.word(r, "pause", GRANTS);
    section.close(r, DEFAULTS_NOT_YET);
    defaults
}

fn dlp_rule(
    r: &mut Reader<'_>,
    mut s: Section<'_>,
    ids: &mut Ids,
    known: &KnownDetectors<'_>,
) -> Option<DlpRule> {
    let line = r.line(s.at);
    let at = s.at;
    let id = ids.read(r, &mut s);
    let detect = s.strings(r, "detect");
    if detect.is_empty() {
        let remedy = "write `detect = [\"secret/*\"]`".to_owned();
        r.lacking(at, "[[dlp]] has nothing in `detect`", Some(remedy));
    }
    let detect = detect.into_iter().filter(|text| known.check(r, text)).collect::<Vec<_>>();
    let direction = s.word(r, "direction", DIRECTIONS).unwrap_or(Directions::Both);
    let action = s.required(r, "action", "write `action = \"monitor\"`, \"redact\" or \"block\"").is_some();
    let action = if action { s.word(r, "action", ACTIONS) } else { None };
    let confidence = s.word(r, "confidence", CONFIDENCES).unwrap_or(Confidence::Low);
    let servers = s.names(r, "servers");
    let servers = identity_patterns(r, &servers);
    let except_servers = except(r, &mut s);
    let destinations = s.word(r, "destinations", DESTINATIONS).unwrap_or(Destinations::Honour);
    let reason = s.string(r, "reason").and_then(|text| sentence(r, text));
    let restore_at = s.value("restore_to").map(|node| node.at);
    let restore_to = owned(s.names(r, "restore_to"));
    if let Some(at) = restore_at
        && (action.is_some_and(|action| action != Content::Redact) || direction == Directions::ToServer)
    {
        let what = "`restore_to` is about values that were redacted towards the client";
        let remedy = "write it in a rule with `action = \"redact\"`, and no `direction` or `to-client`";
        r.wrong(at, what, Some(remedy.to_owned()));
    }
    s.close(r, DLP_NOT_YET);
    let action = action?;
    Some(DlpRule {
        id: id?,
        detect: owned(detect),
        direction,
        action,
        confidence,
        servers,
        except_servers,
        restore_to,
        destinations,
        reason: reason.unwrap_or_else(|| default_reason(action).to_owned()),
        line,
    })
}

fn except(r: &mut Reader<'_>, s: &mut Section<'_>) -> Vec<String> {
    let Some(mut except) = s.table(r, "except") else {
        return Vec::new();
    };
    let servers = except.strings(r, "servers");
    except.close(r, &["tools", "hashes", "paths", "detect", "until"]);
    identity_patterns(r, &servers)
}

fn default_reason(action: Content) -> &'static str {
    match action {
        Content::Pass | Content::Monitor => "the message holds data that is put on record",
        Content::Redact => "the message held data that is replaced before it goes on",
        Content::Block => "the message holds data that must not go there",
    }
}

/// Each list, or the name of one that has mistakes of its own (so that nobody says it does not exist).
fn keywords(r: &mut Reader<'_>, top: &mut Section<'_>) -> Vec<Result<KeywordList, String>> {
    let Some(lists) = top.table(r, "keywords") else {
        return Vec::new();
    };
    let mut keywords = Vec::new();
    for member in lists.members() {
        let title = format!("[keywords.{}]", shown(&member.key));
        let at = member.key_at;
        let named = name(r, "the name of a keyword list", Text { text: &member.key, at }).is_some();
        let list = Section::of(title, &member.value, r).and_then(|mut s| {
            let words = s.strings(r, "words");
            let regexes = s.strings(r, "regexes");
            if words.is_empty() && regexes.is_empty() {
                let remedy = "write `words = [\"…\"]` or `regexes = ['…']`";
                r.lacking(s.at, "this keyword list has no words", Some(remedy.into()));
            }
            for regex in &regexes {
                if let Err(refused) = check_regex(regex.text) {
                    r.wrong(
                        regex.at,
                        format!("`{}`: {refused}", shown(regex.text)),
                        Some(refused.remedy().into()),
                    );
                }
            }
            for word in words.iter().filter(|word| word.text.trim().is_empty()) {
                r.wrong(word.at, "a keyword of nothing but space is found everywhere", None);
            }
            let whole_word = s.word(r, "match", MATCHES).unwrap_or(true);
            s.close(r, &["file", "fingerprint", "case"]);
            named.then(|| KeywordList {
                name: member.key.clone(),
                words: owned(words),
                regexes: owned(regexes),
                whole_word,
            })
        });
        keywords.push(list.ok_or_else(|| member.key.clone()));
    }
    keywords
}

fn frame_sizes(r: &mut Reader<'_>, top: &mut Section<'_>) -> (Option<usize>, Option<usize>) {
    let Some(mut limits) = top.table(r, "limits") else {
        return (None, None);
    };
    let mut size = |key| limits.size(r, key, FRAME_BYTES).and_then(|bytes| usize::try_from(bytes).ok());
    let sizes = (size("frame_to_server"), size("frame_to_client"));
    limits.close(r, &["depth", "values", "output_rate", "calls_per_minute"]);
    sizes
}

pub(super) fn owned(texts: Vec<Text<'_>>) -> Vec<String> {
    texts.into_iter().map(|text| text.text.to_owned()).collect()
}

/// A reason: one line that fits into a message.
pub(super) fn sentence(r: &mut Reader<'_>, text: Text<'_>) -> Option<String> {
    const LONGEST: usize = 300;
    if text.text.chars().any(char::is_control) {
        r.wrong(text.at, "a reason is one line of plain text", None);
        return None;
    }
    if text.text.chars().count() > LONGEST {
        r.wrong(text.at, format!("a reason has at most {LONGEST} characters"), None);
        return None;
    }
    Some(text.text.trim().to_owned())
}

pub(super) fn name(r: &mut Reader<'_>, what: &str, text: Text<'_>) -> Option<String> {
    if crate::document::profile::is_name(text.text) {
        return Some(text.text.to_owned());
    }
    let remedy = "use 1 to 64 letters, digits, `-`, `_` and `.`".to_owned();
    r.wrong(text.at, format!("{what} cannot be `{}`", shown(text.text)), Some(remedy));
    None
}

/// Ids already used, with their lines: rules and DLP rules share one space, since events name both alike.
#[derive(Debug, Default)]
pub(super) struct Ids(Vec<(String, usize)>);

impl Ids {
    pub(super) fn read(&mut self, r: &mut Reader<'_>, s: &mut Section<'_>) -> Option<String> {
        let text = s.required(r, "id", "name the rule: `id = \"no-merge\"`")?;
        let id = name(r, "`id`", text)?;
        if BUILT_IN_IDS.contains(&id.as_str()) {
            r.wrong(
                text.at,
                format!("`{id}` is the id of a built-in decision"),
                Some("choose another".into()),
            );
        }
        if let Some((_, line)) = self.0.iter().find(|(used, _)| *used == id) {
            r.wrong(text.at, format!("the id `{id}` is already used in line {line}"), None);
        }
        let line = r.line(text.at);
        self.0.push((id.clone(), line));
        Some(id)
    }
}

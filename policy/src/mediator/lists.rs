//! Lists of tools and prompts: what may not be used, and what tries to instruct the model, is not shown.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::action::Turn;
use super::catalogue::ItemKind;
use super::content::{Ruled, Scan, contains};
use super::pending::Era;
use super::record::{Record, RecordKind, built_in, shown};
use super::session::Mediator;
use crate::detect::Finding;
use crate::rules::Item;
use crate::verdict::{Access, Content, Verdict};
use crate::wire::{self, Frame, Node, NodeKind};

/// Most records about definitions that one list may cause.
const DEFINITIONS_MAX: usize = 64;

/// Which list an answer holds. (Resources are searched like everything else, and not filtered yet.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    Tools,
    Prompts,
}

/// An answer with a list.
#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) kind: ListKind,
    pub(super) result: Node,
    pub(super) era: Era,
}

/// One definition of a list.
struct Definition<'f> {
    span: Range<usize>,
    name: Option<Cow<'f, str>>,
}

/// Records about definitions: the first ones one by one, the rest as a number.
#[derive(Default)]
struct Definitions {
    records: Vec<Record>,
    beyond: usize,
}

/// A replacement of a part of the line; an insertion has an empty range.
type Edit = (Range<usize>, &'static str);

impl ListKind {
    /// The list that a method's answer holds.
    pub(super) fn of(method: &str) -> Option<Self> {
        match method {
            "tools/list" => Some(Self::Tools),
            "prompts/list" => Some(Self::Prompts),
            _ => None,
        }
    }

    fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
        }
    }

    fn item_kind(self) -> ItemKind {
        match self {
            Self::Tools => ItemKind::Tool,
            Self::Prompts => ItemKind::Prompt,
        }
    }

    fn item(self, name: &str) -> Item<'_> {
        match self {
            Self::Tools => Item::Tool(name),
            Self::Prompts => Item::Prompt(name),
        }
    }
}

/// Why clients may read another list than the one that would be filtered, if they may: Go's `encoding/json` takes
/// `Tools` and `Name` for the protocol's own members.
pub(super) fn ambiguous(frame: &Frame<'_>, list: List) -> Option<&'static str> {
    let looks_like =
        |node, known| frame.members(node).any(|(key, ..)| key != known && wire::folds_to(&key, known));
    if looks_like(list.result, list.kind.member()) {
        return Some("a member differs from the name of the list only in case");
    }
    let array = frame.get(list.result, list.kind.member())?;
    if frame.kind(array) != NodeKind::Array {
        return Some("it is no array");
    }
    frame
        .elements(array)
        .any(|element| looks_like(element, "name"))
        .then_some("a member of a definition differs from `name` only in case")
}

impl Mediator {
    /// Takes out of a list what the client is not to see; `None` if that is nothing. Findings that leave with a
    /// definition, and instructions in those that stay, are recorded here and taken out of `scan`.
    pub(super) fn filter(
        &mut self,
        frame: &Frame<'_>,
        list: List,
        scan: &mut Scan,
        turn: &mut Turn<'_>,
    ) -> Option<Vec<u8>> {
        let array = frame.get(list.result, list.kind.member())?;
        let definitions: Vec<Definition<'_>> = frame
            .elements(array)
            .map(|element| Definition {
                span: frame.span(element),
                name: frame.get(element, "name").and_then(|name| frame.text(name)),
            })
            .collect();
        let repeated = repeated(&definitions);
        scan.ruled.sort_by_key(|(finding, _)| finding.raw.start);
        let mut records = Definitions::default();
        let mut keep = Vec::with_capacity(definitions.len());
        let mut settled = Vec::new();
        for definition in &definitions {
            let inside = within(&scan.ruled, &definition.span);
            let verdict = self.judge_definition(list.kind, definition, &repeated, inside);
            let hidden = verdict.refuses();
            keep.push(!hidden);
            self.remember(list.kind, definition, &verdict);
            if hidden || verdict.content != Content::Pass || verdict.would_have.is_some() {
                let noted = inside.iter().filter(|(finding, _)| hidden || is_instruction(finding));
                let noted: Vec<Finding> = noted.map(|(finding, _)| finding.clone()).collect();
                records.add(|| self.definition_record(frame, list.kind, definition, (verdict, noted)));
                settled.push((definition.span.clone(), hidden));
            }
        }
        scan.ruled.retain(|(finding, _)| {
            let after = settled.partition_point(|(span, _)| span.end < finding.raw.end);
            let of = settled.get(after).filter(|(span, _)| contains(span, &finding.raw));
            !of.is_some_and(|(_, hidden)| *hidden || is_instruction(finding))
        });
        records.finish(list.kind, turn);
        let removed = removals(&definitions, &keep);
        if removed.is_empty() {
            return None;
        }
        self.catalogue.filtered(list.kind.item_kind());
        Some(splice(frame.bytes, edits(frame, list, removed)))
    }

    /// Whether a definition may be shown. Instructions in it hide it where a rule would block or redact them: to
    /// lose one tool is better than to lose the list, and a redacted instruction is still a tool that gives them.
    fn judge_definition(
        &self,
        kind: ListKind,
        definition: &Definition<'_>,
        repeated: &BTreeMap<&str, usize>,
        inside: &[Ruled],
    ) -> Verdict {
        let Some(name) = definition.name.as_deref() else {
            return built_in(
                "definition/no-name",
                "the definition has no name that could be judged".to_owned(),
            );
        };
        if repeated.get(name).is_some_and(|times| *times > 1) {
            let text = "the list holds this name more than once, and clients differ on which one is called";
            return built_in("definition/repeated-name", text.to_owned());
        }
        let access = self.policy.access(&self.facts.identities, kind.item(name));
        if access.verdict == Access::Deny {
            return Verdict { access: access.verdict, reason: access.reason, ..Verdict::CLEAR };
        }
        // What is asked about is shown: of what it does not see a model cannot ask anything.
        let mut verdict = Verdict { access: Access::Allow, reason: access.reason, ..Verdict::CLEAR };
        for (_, ruling) in inside.iter().filter(|(finding, _)| is_instruction(finding)) {
            let content = if ruling.verdict == Content::Redact { Content::Block } else { ruling.verdict };
            if content > verdict.content {
                verdict.content = content;
                verdict.reason.clone_from(&ruling.reason);
            }
            if verdict.would_have.is_none() {
                verdict.would_have = ruling.would_have.clone().map(|(_, reason)| reason);
            }
        }
        verdict
    }

    /// A definition that was hidden for what it says, not by an access rule, cannot be called either.
    fn remember(&mut self, kind: ListKind, definition: &Definition<'_>, verdict: &Verdict) {
        let Some(name) = definition.name.as_deref() else { return };
        match &verdict.reason {
            Some(reason) if verdict.content == Content::Block || reason.rule.starts_with("definition/") => {
                self.catalogue.hide(kind.item_kind(), name, reason);
            }
            _ => self.catalogue.show(kind.item_kind(), name),
        }
    }

    fn definition_record(
        &self,
        frame: &Frame<'_>,
        kind: ListKind,
        definition: &Definition<'_>,
        (verdict, findings): (Verdict, Vec<Finding>),
    ) -> Record {
        let direction = super::action::Peer::Server.direction();
        let mut record = Record::new(RecordKind::Definition, direction, definition.span.len());
        record.method = Some(kind.method().to_owned());
        record.item = definition.name.as_deref().map(|name| shown(&self.engine, name));
        record.rewritten = verdict.refuses();
        record.verdict = verdict;
        record.note(frame, &self.engine, findings);
        record
    }
}

impl Definitions {
    fn add(&mut self, record: impl FnOnce() -> Record) {
        if self.records.len() < DEFINITIONS_MAX {
            self.records.push(record());
        } else {
            self.beyond += 1;
        }
    }

    fn finish(self, kind: ListKind, turn: &mut Turn<'_>) {
        for record in self.records {
            turn.record(record);
        }
        if self.beyond > 0 {
            let mut record = Record::new(RecordKind::Definition, turn.direction(), 0);
            let text = format!("{} more definitions of this list were hidden or had findings", self.beyond);
            record.method = Some(kind.method().to_owned());
            record.refusal = Some(text);
            turn.record(record);
        }
    }
}

/// How often each name stands in the list.
fn repeated<'d>(definitions: &'d [Definition<'_>]) -> BTreeMap<&'d str, usize> {
    let mut times = BTreeMap::new();
    for name in definitions.iter().filter_map(|definition| definition.name.as_deref()) {
        *times.entry(name).or_insert(0) += 1;
    }
    times
}

/// Text that is addressed to the model.
fn is_instruction(finding: &Finding) -> bool {
    finding.class() == "injection"
}

/// The findings inside `span`; `ruled` is sorted by place.
fn within<'r>(ruled: &'r [Ruled], span: &Range<usize>) -> &'r [Ruled] {
    let start = ruled.partition_point(|(finding, _)| finding.raw.start < span.start);
    let end = ruled.partition_point(|(finding, _)| finding.raw.start < span.end);
    &ruled[start..end.max(start)]
}

/// What has to go so that exactly the kept definitions stay, each with what stood before it: a removed definition
/// takes the comma behind it along, and those behind the last kept one the comma before them.
fn removals(definitions: &[Definition<'_>], keep: &[bool]) -> Vec<Edit> {
    let Some(last) = definitions.last() else { return Vec::new() };
    let last_kept = keep.iter().rposition(|kept| *kept);
    let mut edits: Vec<Edit> = Vec::new();
    for (at, definition) in definitions.iter().enumerate() {
        if keep[at] {
            continue;
        }
        match definitions.get(at + 1) {
            Some(next) if last_kept.is_some_and(|kept| at < kept) => {
                edits.push((definition.span.start..next.span.start, ""));
            }
            _ => break,
        }
    }
    match last_kept {
        Some(kept) if kept + 1 < definitions.len() => {
            edits.push((definitions[kept].span.end..last.span.end, ""));
        }
        Some(_) => {}
        None => edits.push((definitions[0].span.start..last.span.end, "")),
    }
    edits
}

/// The removals, and for the stateless revisions what keeps a filtered list out of shared caches.
fn edits(frame: &Frame<'_>, list: List, mut edits: Vec<Edit>) -> Vec<Edit> {
    let members =
        [("cacheScope", "\"private\"", "\"cacheScope\":\"private\","), ("ttlMs", "0", "\"ttlMs\":0,")];
    let stands = |key| frame.get(list.result, key);
    let is_cached = list.era == Era::Stateless || members.iter().any(|(key, ..)| stands(key).is_some());
    if is_cached {
        let first = frame.span(list.result).start + 1;
        for (key, value, member) in members {
            // The list itself is a member of the result, so the comma behind a new first member is never the last.
            edits.push(stands(key).map_or((first..first, member), |node| (frame.span(node), value)));
        }
    }
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    edits
}

/// `bytes` with edits that are in order and do not overlap.
fn splice(bytes: &[u8], edits: Vec<Edit>) -> Vec<u8> {
    let mut spliced = Vec::with_capacity(bytes.len() + 64);
    let mut from = 0;
    for (range, text) in edits {
        spliced.extend_from_slice(&bytes[from..range.start]);
        spliced.extend_from_slice(text.as_bytes());
        from = range.end;
    }
    spliced.extend_from_slice(&bytes[from..]);
    spliced
}

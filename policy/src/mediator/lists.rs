//! Lists of a server's items: what may not be used, and what tries to instruct the model, is not shown.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::access::stricter;
use super::action::Turn;
use super::catalogue::ItemKind;
use super::content::{Ruled, Scan, contains};
use super::edit::{Edit, removals};
use super::pending::Era;
use super::pins::{CHANGED_RULE, NEW_RULE, skeleton};
use super::record::{Record, RecordKind, built_in, shown};
use super::session::Mediator;
use crate::detect::Finding;
use crate::rules::Annotations;
use crate::verdict::{Access, Content, Verdict};
use crate::wire::{self, Frame, Node, NodeKind};

/// Most records about definitions that one list may cause.
const DEFINITIONS_MAX: usize = 64;

/// Which list an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    Tools,
    Prompts,
    Resources,
    Templates,
    /// Children of a resource that is a directory (an extension).
    Directory,
    /// Skills, which are resources under another name (an extension).
    Skills,
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
    node: Node,
    span: Range<usize>,
    name: Option<Cow<'f, str>>,
    annotations: Option<Annotations>,
}

/// Records about definitions: the first ones one by one, the rest as a number.
#[derive(Default)]
struct Definitions {
    records: Vec<Record>,
    beyond: usize,
}

impl ListKind {
    /// The list that a method's answer holds.
    pub(super) fn of(method: &str) -> Option<Self> {
        match method {
            "tools/list" => Some(Self::Tools),
            "prompts/list" => Some(Self::Prompts),
            "resources/list" => Some(Self::Resources),
            "resources/templates/list" => Some(Self::Templates),
            "resources/directory/read" => Some(Self::Directory),
            "skills/list" => Some(Self::Skills),
            _ => None,
        }
    }

    fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources | Self::Directory => "resources",
            Self::Templates => "resourceTemplates",
            Self::Skills => "skills",
        }
    }

    /// The member of a definition that names it.
    fn key(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Templates => "uriTemplate",
            Self::Resources | Self::Directory | Self::Skills => "uri",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
            Self::Directory => "resources/directory/read",
            Self::Skills => "skills/list",
        }
    }

    fn item_kind(self) -> ItemKind {
        match self {
            Self::Tools => ItemKind::Tool,
            Self::Prompts => ItemKind::Prompt,
            Self::Resources | Self::Directory | Self::Skills => ItemKind::Resource,
            Self::Templates => ItemKind::Template,
        }
    }

    /// Whether clients pick an item by its name alone, so that a second one of the same name may take its place.
    fn is_called_by_name(self) -> bool {
        matches!(self, Self::Tools | Self::Prompts)
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
        .any(|element| looks_like(element, list.kind.key()))
        .then_some("a member of a definition differs from its name only in case")
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
    ) -> Option<Vec<Edit>> {
        let array = frame.get(list.result, list.kind.member())?;
        let definitions: Vec<Definition<'_>> = frame
            .elements(array)
            .map(|element| Definition {
                node: element,
                span: frame.span(element),
                name: frame.get(element, list.kind.key()).and_then(|name| frame.text(name)),
                annotations: match list.kind {
                    ListKind::Tools => Some(annotations(frame, element)),
                    _ => None,
                },
            })
            .collect();
        let repeated = repeated(&definitions);
        let alike = self.hold_against_pins(frame, list.kind, &definitions);
        scan.ruled.sort_by_key(|(finding, _)| finding.raw.start);
        let mut records = Definitions::default();
        let mut keep = Vec::with_capacity(definitions.len());
        let mut settled = Vec::new();
        for definition in &definitions {
            let inside = within(&scan.ruled, &definition.span);
            let verdict = self.judge_definition((list.kind, definition), (&repeated, &alike), inside);
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
        let spans: Vec<_> = definitions.iter().map(|definition| definition.span.clone()).collect();
        let removed = removals(&spans, &keep);
        if removed.is_empty() {
            return None;
        }
        self.catalogue.filtered(list.kind.item_kind());
        Some(edits(frame, list, removed))
    }

    /// Notes the pins of tools; returns the names that look like another one's, in this list or on an earlier page.
    fn hold_against_pins(
        &mut self,
        frame: &Frame<'_>,
        kind: ListKind,
        definitions: &[Definition<'_>],
    ) -> BTreeSet<String> {
        let mut alike = BTreeSet::new();
        if kind != ListKind::Tools {
            return alike;
        }
        self.begin_list();
        let mut here: BTreeMap<String, &str> = BTreeMap::new();
        for definition in definitions {
            let Some(name) = definition.name.as_deref() else { continue };
            self.pin_tool(name, frame.bytes.get(definition.span.clone()).unwrap_or_default());
            self.note_output(frame, name, definition.node);
            let skeleton = skeleton(name);
            match here.get(&skeleton) {
                Some(other) if *other != name => alike.extend([name.to_owned(), (*other).to_owned()]),
                Some(_) => {}
                None if self.catalogue.looks_like_another(&skeleton, name) => {
                    alike.insert(name.to_owned());
                }
                None => {
                    here.insert(skeleton, name);
                }
            }
        }
        alike
    }

    /// Whether a definition may be shown. Instructions in it hide it where a rule would block or redact them: to
    /// lose one tool is better than to lose the list, and a redacted instruction is still a tool that gives them.
    fn judge_definition(
        &self,
        (kind, definition): (ListKind, &Definition<'_>),
        (repeated, alike): (&BTreeMap<&str, usize>, &BTreeSet<String>),
        inside: &[Ruled],
    ) -> Verdict {
        let Some(name) = definition.name.as_deref() else {
            return built_in(
                "definition/no-name",
                "the definition has no name that could be judged".to_owned(),
            );
        };
        if kind.is_called_by_name() && repeated.get(name).is_some_and(|times| *times > 1) {
            let text = "the list holds this name more than once, and clients differ on which one is called";
            return built_in("definition/repeated-name", text.to_owned());
        }
        let mut access = self.may_list(kind.item_kind(), name, definition.annotations);
        if alike.contains(name) {
            access = stricter(access, self.policy.look_alike(&self.facts.identities, name));
        }
        if access.verdict == Access::Deny {
            return Verdict { access: access.verdict, reason: access.reason, ..Verdict::CLEAR };
        }
        // What is asked about is shown: of what it does not see a model cannot ask anything.
        let mut verdict = Verdict { access: Access::Allow, reason: access.reason, ..Verdict::CLEAR };
        // One that is new is told of once in a session.
        if kind == ListKind::Tools
            && let Some(reason) = self.about_change(name).and_then(|change| change.reason)
            && (reason.rule != NEW_RULE || self.is_fresh(name))
        {
            verdict.content = Content::Monitor;
            verdict.reason = Some(reason);
        }
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
        if let Some(annotations) = definition.annotations {
            self.catalogue.annotate(name, annotations);
        }
        self.catalogue.see(kind.item_kind(), name, verdict.access == Access::Allow);
        let name = &*self.catalogue_name(kind.item_kind(), name);
        match &verdict.reason {
            Some(reason)
                if verdict.content == Content::Block
                    || (verdict.refuses() && hides_for_good(&reason.rule)) =>
            {
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

/// Whether a definition stays hidden until it is seen again. How it stands to its pin is asked at every call.
fn hides_for_good(rule: &str) -> bool {
    rule.starts_with("definition/") && rule != CHANGED_RULE && rule != NEW_RULE
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
            let edit = stands(key).map_or((first..first, member), |node| (frame.span(node), value));
            edits.push((edit.0, Cow::Borrowed(edit.1)));
        }
    }
    edits
}

/// What a tool's definition says about it. Only a boolean counts: anything else is no statement.
fn annotations(frame: &Frame<'_>, definition: Node) -> Annotations {
    let Some(said) = frame.get(definition, "annotations") else { return Annotations::default() };
    let hint = |key| frame.get(said, key).and_then(|hint| frame.boolean(hint));
    Annotations {
        read_only: hint("readOnlyHint"),
        destructive: hint("destructiveHint"),
        idempotent: hint("idempotentHint"),
        open_world: hint("openWorldHint"),
    }
}

//! Pins of tool definitions: what a server says about its tools is text for the model, and may change after somebody
//! looked at it. A pin is a hash over the whole definition in one spelling, whatever the order of its members.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::action::Turn;
use super::edit::{Edit, without_members};
use super::record::{Record, RecordKind, cut};
use super::session::Mediator;
use super::sightings::{Said, Sighting, Sightings, Walk};
use crate::approvals::one_spelling;
use crate::rules::{Defined, Expectation, Ruling};
use crate::verdict::{Access, Content, Reason};
use crate::wire::{self, Frame, Node};

/// Most tools whose pins are kept.
pub(super) const PINNED_MAX: usize = 4096;

/// Longest name that is kept. A tool with a longer one is new for ever.
pub(super) const NAME_BYTES_MAX: usize = 256;

/// Where the stateless revisions say who the server is.
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";

/// A definition that differs from its pin.
pub(super) const CHANGED_RULE: &str = "definition/changed";

/// A tool that nobody has seen before, of a server whose tools were all seen.
pub(super) const NEW_RULE: &str = "definition/new";

/// Pins of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Of `serverInfo` and `instructions`: hex SHA-256.
    pub server: Option<String>,
    /// Of each tool by its name: hex SHA-256.
    pub tools: BTreeMap<String, String>,
    /// Tools that were something else when they were last seen. They are until they are seen again.
    pub waiting: BTreeSet<String>,
    /// What a tool is that is not among them.
    pub others: Others,
}

/// What a tool without a pin is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Others {
    /// Pinned at first sight: nobody has seen the whole list yet.
    #[default]
    FirstUse,
    /// New: it was added since.
    New,
}

/// How a definition stands to what was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is that, or is pinned now at first sight.
    Approved,
    /// Nobody has agreed to it yet.
    New,
    /// It is another one.
    Changed,
}

/// What other pins mean for what the client was shown.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repinned {
    /// Nothing.
    Same,
    /// Some definition stands otherwise now: see [`Mediator::announce`].
    Different,
}

/// What this session has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// As first seen: where nothing was approved before, that is what later definitions are held against.
    first: Pins,
    /// As last seen.
    last: Pins,
    /// Tools that the list at hand says something new about.
    fresh: BTreeSet<Box<str>>,
    pub(super) walk: Walk,
    pub(super) sightings: Sightings,
}

impl Mediator {
    /// The pins of all definitions seen in this session, as last seen.
    #[must_use]
    pub fn pins(&self) -> &Pins {
        &self.seen.last
    }

    /// Other definitions are approved from now on, those that this session saw first included.
    pub fn set_pins(&mut self, pins: Pins) -> Repinned {
        let names: Vec<String> = self.seen.last.tools.keys().cloned().collect();
        let standings = |mediator: &Self| -> Vec<Standing> {
            names.iter().map(|name| mediator.standing(name).0).collect()
        };
        let before = standings(self);
        self.facts.pins = pins;
        self.seen.first = Pins::default();
        self.seen.walk.forget_completion();
        if standings(self) == before { Repinned::Same } else { Repinned::Different }
    }

    /// A list of tools begins: what it says of them is compared with the one before.
    pub(super) fn begin_list(&mut self) {
        self.seen.fresh.clear();
    }

    /// Holds a tool's definition against its pin.
    pub(super) fn pin_tool(&mut self, name: &str, definition: &[u8]) {
        let last = &self.seen.last.tools;
        let has_room = last.len() < PINNED_MAX || last.contains_key(name) || self.pinned(name).is_some();
        if name.len() > NAME_BYTES_MAX || !has_room {
            return;
        }
        let (sha256, text) = pin(definition);
        let is_fresh = last.get(name) != Some(&sha256);
        self.seen.last.tools.insert(name.to_owned(), sha256.clone());
        let standing = self.standing(name).0;
        let is_first = standing == Standing::Approved && self.pinned(name).is_none();
        if is_first {
            self.seen.first.tools.insert(name.to_owned(), sha256.clone());
        }
        if is_fresh {
            self.seen.fresh.insert(name.into());
        } else if !is_first {
            return;
        }
        let is_known = self.facts.pins.tools.get(name) == Some(&sha256);
        let said = Said::Tool(name.to_owned());
        let baseline = self.vouched(Defined::Tool(name), &sha256);
        self.seen
            .sightings
            .add(Sighting { said, sha256, text: None, standing, baseline }, text.filter(|_| !is_known));
    }

    /// Holds what a server says of itself against its pin. A change is recorded: versions change, and so may the
    /// instructions that come with them. Where the policy does not let changed tools pass, models do not read changed
    /// instructions either: what has to go so that they are not there.
    pub(super) fn pin_server(&mut self, frame: &Frame<'_>, result: Node, turn: &mut Turn<'_>) -> Vec<Edit> {
        let mut withheld = Vec::new();
        let raw = |node: Option<Node>| node.and_then(|node| frame.bytes.get(frame.span(node)));
        let meta = || frame.get(frame.get(result, "_meta")?, SERVER_INFO_KEY);
        let info = raw(frame.get(result, "serverInfo").or_else(meta)).unwrap_or(b"null");
        let instructions = raw(frame.get(result, "instructions")).unwrap_or(b"null");
        let mut whole = [b"{\"instructions\":", instructions, b",\"serverInfo\":", info].concat();
        // What some clients read as instructions belongs to them.
        for (key, token, value) in frame.members(result) {
            if key != "instructions" && wire::folds_to(&key, "instructions") {
                whole.push(b',');
                let member = token.start as usize..frame.span(value).end;
                whole.extend_from_slice(frame.bytes.get(member).unwrap_or_default());
            }
        }
        whole.push(b'}');
        let (sha256, text) = pin(&whole);
        let approved = self.facts.pins.server.as_ref().or(self.seen.first.server.as_ref());
        let own = match approved {
            Some(approved) if *approved != sha256 => Standing::Changed,
            Some(_) | None => Standing::Approved,
        };
        let (standing, reason) =
            match self.policy.expectation(&self.facts.identities, Defined::Server, Some(&sha256)) {
                Expectation::Met(_) => (Standing::Approved, None),
                Expectation::Differs(by) | Expectation::Unlisted(by) => (Standing::Changed, Some(by)),
                Expectation::Silent => (own, None),
            };
        if standing == Standing::Approved {
            self.seen.first.server.get_or_insert_with(|| sha256.clone());
        } else {
            let ruling = self.policy.changed_tools();
            if ruling.verdict != Access::Allow {
                let reads = |key: &str| key == "instructions" || wire::folds_to(key, "instructions");
                withheld = without_members(frame, result, reads);
            }
            let own = differing(CHANGED_RULE, "the server's name, version or instructions differ", reason);
            let mut record = Record::new(RecordKind::Definition, turn.direction(), turn.bytes);
            record.rewritten = !withheld.is_empty();
            record.verdict.content = if withheld.is_empty() { Content::Monitor } else { Content::Redact };
            record.verdict.would_have =
                ruling.would_have.map(|(_, by)| Reason { layer: by.layer, ..own.clone() });
            record.verdict.reason = Some(match ruling.reason {
                Some(by) if !withheld.is_empty() => Reason { layer: by.layer, ..own },
                _ => own,
            });
            record.item = self.claims.server.as_deref().map(|claim| cut(claim, NAME_BYTES_MAX).to_owned());
            turn.record(record);
        }
        if self.seen.last.server.as_ref() != Some(&sha256) {
            let is_known = self.facts.pins.server.as_ref() == Some(&sha256);
            let baseline = self.vouched(Defined::Server, &sha256);
            self.seen.last.server = Some(sha256.clone());
            self.seen.sightings.add(
                Sighting { said: Said::Server, sha256, text: None, standing, baseline },
                text.filter(|_| !is_known),
            );
        }
        withheld
    }

    /// What the policy says about a tool that is not what was approved.
    pub(super) fn about_change(&self, tool: &str) -> Option<Ruling<Access>> {
        let (standing, by) = self.standing(tool);
        let (ruling, rule, what) = match standing {
            Standing::Approved => return None,
            Standing::Changed => {
                (self.policy.changed_tools(), CHANGED_RULE, "the definition of this tool differs")
            }
            Standing::New => (self.policy.new_tools(), NEW_RULE, "this tool was added since"),
        };
        let own = differing(rule, what, by);
        let say = |reason: Reason| Reason { layer: reason.layer, ..own.clone() };
        Some(Ruling {
            verdict: ruling.verdict,
            reason: Some(ruling.reason.map_or_else(|| own.clone(), say)),
            would_have: ruling.would_have.map(|(verdict, reason)| (verdict, say(reason))),
        })
    }

    /// Whether the list at hand is the first to say this of a tool.
    pub(super) fn is_fresh(&self, tool: &str) -> bool {
        self.seen.fresh.contains(tool)
    }

    /// How a tool stands, and which baseline says so, if one does. A definition that this session has not seen is taken to
    /// be what it was.
    fn standing(&self, tool: &str) -> (Standing, Option<Reason>) {
        let seen = self.seen.last.tools.get(tool).map(String::as_str);
        match self.policy.expectation(&self.facts.identities, Defined::Tool(tool), seen) {
            Expectation::Met(_) => return (Standing::Approved, None),
            Expectation::Differs(by) => return (Standing::Changed, Some(by)),
            Expectation::Unlisted(by) => return (Standing::New, Some(by)),
            Expectation::Silent => {}
        }
        let own = match (self.pinned(tool), seen) {
            (Some(pinned), Some(seen)) if pinned != seen => Standing::Changed,
            (Some(_), None) if self.facts.pins.waiting.contains(tool) => Standing::Changed,
            (Some(_), _) => Standing::Approved,
            (None, _) if self.adds_tools() || tool.len() > NAME_BYTES_MAX => Standing::New,
            (None, _) => Standing::Approved,
        };
        (own, None)
    }

    fn pinned(&self, tool: &str) -> Option<&str> {
        let pins = self.facts.pins.tools.get(tool).or_else(|| self.seen.first.tools.get(tool));
        pins.map(String::as_str)
    }

    /// Whether a tool without a pin was added since somebody saw the whole list, or is one of too many.
    fn adds_tools(&self) -> bool {
        self.facts.pins.others == Others::New
            || self.seen.walk.was_completed()
            || self.seen.first.tools.len() >= PINNED_MAX
    }

    fn vouched(&self, defined: Defined<'_>, sha256: &str) -> Option<String> {
        match self.policy.expectation(&self.facts.identities, defined, Some(sha256)) {
            Expectation::Met(baseline) => Some(baseline),
            Expectation::Silent | Expectation::Differs(_) | Expectation::Unlisted(_) => None,
        }
    }
}

/// `by` is the baseline that says so.
fn differing(rule: &'static str, what: &str, by: Option<Reason>) -> Reason {
    let (text, layer) = match (by, rule) {
        (Some(by), NEW_RULE) => {
            (format!("this tool is not in the baseline `{}` ({})", by.rule, by.text), by.layer)
        }
        (Some(by), _) => (format!("{what} from the baseline `{}` ({})", by.rule, by.text), by.layer),
        (None, NEW_RULE) => (format!("{what} somebody last saw all tools of this server"), "built-in".into()),
        (None, _) => (format!("{what} from what was approved or first seen"), "built-in".into()),
    };
    Reason { rule: rule.into(), text: text.into(), layer }
}

/// Hex SHA-256 of the one spelling, and that. Of what cannot be put in order, the very bytes count.
fn pin(json: &[u8]) -> (String, Option<String>) {
    let spelling = one_spelling(json);
    let digest = Sha256::digest(spelling.as_deref().unwrap_or(json));
    let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    (hex, spelling.and_then(|text| String::from_utf8(text).ok()))
}

/// What is left of a name when case, separators and digits that look like letters are the same to a hasty reader.
/// (Names with other than plain letters need a rule of their own.)
pub(super) fn skeleton(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-' | '.'))
        .map(|c| match c.to_ascii_lowercase() {
            '0' => 'o',
            '1' | 'i' => 'l',
            lower => lower,
        })
        .collect()
}

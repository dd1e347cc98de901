//! The access axis: what the policy says about the items of a message, and what was hidden from the client.

use std::borrow::Cow;

use super::action::Peer;
use super::catalogue::ItemKind;
use super::record::built_in;
use super::session::Mediator;
use super::subject::{ClientFeature, Named, Subject};
use crate::rules::{Annotations, Arguments, Circumstances, Elicited, Item, Ruling};
use crate::uri::Uri;
use crate::verdict::Access;
use crate::wire::{Frame, Node};

/// A URI that readers disagree about.
const URI_RULE: &str = "resource/uri";

/// The access axis, and whether the item is there at all for this client.
pub(super) struct AccessRuling {
    pub(super) ruling: Ruling<Access>,
    pub(super) hidden: bool,
}

/// When the policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// About a list or a capability: the laxest verdict that a call could get.
    Ahead,
    /// About this call.
    Now,
}

/// Nobody has anything against it.
pub(super) const fn allowed() -> Ruling<Access> {
    Ruling { verdict: Access::Allow, reason: None, would_have: None }
}

/// A built-in rule is against it.
pub(super) fn denied(rule: &'static str, text: impl Into<String>) -> Ruling<Access> {
    Ruling { verdict: Access::Deny, reason: built_in(rule, text.into()).reason, would_have: None }
}

/// The stricter of two rulings; of equal ones the first.
pub(super) fn stricter(first: Ruling<Access>, second: Ruling<Access>) -> Ruling<Access> {
    let would_have = match (&first.would_have, &second.would_have) {
        (Some((one, _)), Some((other, _))) if other > one => second.would_have.clone(),
        (None, _) => second.would_have.clone(),
        _ => first.would_have.clone(),
    };
    let strict = if second.verdict > first.verdict { second } else { first };
    Ruling { would_have, ..strict }
}

impl Mediator {
    /// The policy's answer about a request, and what was hidden for its definition.
    pub(super) fn may_use(
        &self,
        frame: &Frame<'_>,
        (from, subject): (Peer, &Subject<'_>),
        params: Option<Node>,
    ) -> AccessRuling {
        if let Subject::Feature(asked) = subject {
            return AccessRuling { ruling: self.may_ask(asked, When::Now), hidden: false };
        }
        if let Subject::Task(id) = subject {
            return AccessRuling { ruling: self.may_follow_task(from, id), hidden: false };
        }
        let arguments = Arguments::of(frame, params.and_then(|params| frame.get(params, "arguments")));
        let mut answer = AccessRuling { ruling: allowed(), hidden: false };
        for Named { kind, name, .. } in subject.items() {
            let AccessRuling { ruling, hidden } = self.may_use_item(*kind, name, arguments);
            answer.hidden |= hidden && ruling.verdict == Access::Deny;
            answer.ruling = stricter(answer.ruling, ruling);
        }
        answer
    }

    /// The policy's answer about a call of one item.
    pub(super) fn may_use_item(&self, kind: ItemKind, name: &str, arguments: Arguments<'_>) -> AccessRuling {
        let annotations = if kind == ItemKind::Tool { self.catalogue.annotations(name) } else { None };
        let known = Circumstances { arguments, annotations, ..self.circumstances() };
        let ruling = self.with_change(kind, name, self.ask_policy(kind, name, &known, When::Now));
        if ruling.verdict == Access::Deny {
            return AccessRuling { ruling, hidden: self.catalogue.is_filtered(kind) };
        }
        match self.catalogue.why_hidden(kind, &self.catalogue_name(kind, name)) {
            Some(reason) => {
                let ruling = Ruling { verdict: Access::Deny, reason: Some(reason.clone()), ..ruling };
                AccessRuling { ruling, hidden: true }
            }
            None => AccessRuling { ruling, hidden: false },
        }
    }

    /// The policy's answer about an item of a list.
    pub(super) fn may_list(
        &self,
        kind: ItemKind,
        name: &str,
        annotations: Option<Annotations>,
    ) -> Ruling<Access> {
        let known = Circumstances { annotations, ..self.circumstances() };
        self.with_change(kind, name, self.ask_policy(kind, name, &known, When::Ahead))
    }

    /// A tool whose definition changed may need a person.
    fn with_change(&self, kind: ItemKind, name: &str, ruling: Ruling<Access>) -> Ruling<Access> {
        let change = if kind == ItemKind::Tool { self.about_change(name) } else { None };
        match change.filter(|change| change.verdict != Access::Allow || change.would_have.is_some()) {
            Some(change) => stricter(ruling, change),
            None => ruling,
        }
    }

    /// The policy's answer about a question of the server to its client.
    pub(super) fn may_ask(&self, asked: &ClientFeature, when: When) -> Ruling<Access> {
        let item = match asked {
            ClientFeature::Sampling => Item::Sampling,
            ClientFeature::Form => Item::Elicitation(Elicited::Form),
            ClientFeature::Page(origin) => Item::Elicitation(Elicited::Url { origin: origin.as_deref() }),
            ClientFeature::Roots => Item::Roots,
        };
        self.ask_about_item(item, &self.circumstances(), when)
    }

    /// The name under which the catalogue knows an item.
    pub(super) fn catalogue_name<'n>(&self, kind: ItemKind, name: &'n str) -> Cow<'n, str> {
        match (kind, Uri::read(name)) {
            (ItemKind::Resource, Ok(uri)) => Cow::Owned(uri.text().to_owned()),
            _ => Cow::Borrowed(name),
        }
    }

    /// What is known about whoever asks.
    pub(super) fn circumstances(&self) -> Circumstances<'_> {
        let facts = &self.facts;
        Circumstances {
            client: facts.client_name.as_deref().or(self.claims.client_name.as_deref()),
            user: facts.user.as_deref(),
            groups: facts.groups.as_deref(),
            device: facts.device.as_deref(),
            now: self.unix_time,
            ..Circumstances::default()
        }
    }

    fn ask_policy(
        &self,
        kind: ItemKind,
        name: &str,
        known: &Circumstances<'_>,
        when: When,
    ) -> Ruling<Access> {
        match kind {
            ItemKind::Tool => self.ask_about_item(Item::Tool(name), known, when),
            ItemKind::Prompt => self.ask_about_item(Item::Prompt(name), known, when),
            ItemKind::Resource => self.ask_about_uri(name, known, when),
            ItemKind::Template => {
                let ruling = self.ask_about_item(Item::Template(name), known, when);
                // Without a variable it is a URI, and some servers complete for those.
                if name.contains('{') {
                    ruling
                } else {
                    stricter(ruling, self.ask_about_uri(name, known, when))
                }
            }
        }
    }

    /// Every reading of a URI has to be allowed. One that readers disagree about is judged as it is written only where
    /// no rule tells resources apart.
    fn ask_about_uri(&self, uri: &str, known: &Circumstances<'_>, when: When) -> Ruling<Access> {
        match Uri::read(uri) {
            Ok(uri) => {
                let ask = |reading| self.ask_about_item(Item::Resource(reading), known, when);
                uri.readings().map(ask).reduce(stricter).unwrap_or_else(allowed)
            }
            Err(fault) if self.policy.names_resources(&self.facts.identities) => {
                denied(URI_RULE, format!("the URI cannot be judged: {fault}"))
            }
            Err(_) => self.ask_about_item(Item::Resource(uri), known, when),
        }
    }

    fn ask_about_item(&self, item: Item<'_>, known: &Circumstances<'_>, when: When) -> Ruling<Access> {
        match when {
            When::Ahead => self.policy.foresee(&self.facts.identities, item, known),
            When::Now => self.policy.decide(&self.facts.identities, item, known),
        }
    }
}

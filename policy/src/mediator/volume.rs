//! How often and how much: calls are charged to the limits of the policy, and answers by their bytes.

use std::borrow::Cow;

use super::action::{Peer, Turn};
use super::catalogue::ItemKind;
use super::pending::{Counted, Entry, Use};
use super::session::Mediator;
use super::subject::Named;
use super::tasks::Work;
use crate::rules::{Item, Ruling};
use crate::uri::Uri;
use crate::verdict::Access;

impl Mediator {
    /// Counts a call of an item that may be made otherwise; `None` if no limit could be about it.
    pub(super) fn charge(
        &mut self,
        method: &str,
        named: &Named<'_>,
        turn: &Turn<'_>,
    ) -> Option<Ruling<Access>> {
        // Whoever wants to hear less is never stopped.
        if turn.from != Peer::Client || method == "resources/unsubscribe" {
            return None;
        }
        let readings = readings(named.kind, &named.name);
        let items = items(named.kind, &readings);
        let about = (&*self.facts.identities, &*items);
        Some(self.limits.charge(&self.policy, about, bytes(turn), turn.now.0))
    }

    /// What the bytes of the answer will be counted for.
    pub(super) fn counted(&self, named: &Named<'_>, from: Peer) -> Option<Box<Counted>> {
        let counts = from == Peer::Client && self.policy.limits_bytes();
        counts.then(|| Box::new(Counted { kind: named.kind, name: (*named.name).into() }))
    }

    /// An answer of the server is there: its bytes cannot be refused any more, but the next call can.
    pub(super) fn count_answer(&mut self, entry: &Entry, turn: &Turn<'_>) {
        if turn.from != Peer::Server || !self.policy.limits_bytes() {
            return;
        }
        // The result of a task is the answer to the call that made it.
        let of_task = match &entry.is_for {
            Use::Task(id) => match self.tasks.get(Peer::Client, id) {
                Some(Work::Item(kind, name)) => Some((*kind, &**name)),
                Some(Work::Feature(_)) | None => None,
            },
            _ => None,
        };
        let counted = entry.counted.as_deref().map(|counted| (counted.kind, &*counted.name));
        let Some((kind, name)) = counted.or(of_task) else { return };
        let readings = readings(kind, name);
        let about = (&*self.facts.identities, &*items(kind, &readings));
        self.limits.answered(&self.policy, about, bytes(turn), turn.now.0);
    }
}

/// What the name may be read as: of a URI every form that some reader takes it for.
fn readings(kind: ItemKind, name: &str) -> Vec<Cow<'_, str>> {
    match (kind, Uri::read(name)) {
        (ItemKind::Resource, Ok(uri)) => uri.readings().map(|text| Cow::Owned(text.to_owned())).collect(),
        _ => vec![Cow::Borrowed(name)],
    }
}

fn items<'n>(kind: ItemKind, readings: &'n [Cow<'_, str>]) -> Vec<Item<'n>> {
    let item = |name: &'n Cow<'_, str>| match kind {
        ItemKind::Tool => Item::Tool(name),
        ItemKind::Prompt => Item::Prompt(name),
        ItemKind::Resource => Item::Resource(name),
        ItemKind::Template => Item::Template(name),
    };
    readings.iter().map(item).collect()
}

fn bytes(turn: &Turn<'_>) -> u64 {
    u64::try_from(turn.bytes).unwrap_or(u64::MAX)
}

//! Requests that wait for an answer, by who asked: a bounded table per owner.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::action::{Now, Peer};
use super::announce::Opted;
use super::catalogue::ItemKind;
use super::rounds::Target;
use super::sightings::Cursor;
use super::subject::ClientFeature;
use crate::wire::IdKey;

/// Most requests of one owner that may wait. Over that the oldest is given up, so an id that nobody ever answers
/// costs nothing for ever.
pub const PENDING_MAX: usize = 1_024;

/// How many of the oldest are looked for at once when a table is full: the walk over the table is shared by as many
/// requests, and an honest session, whose table is never full, pays for no index by age.
const OLDEST_BATCH: usize = 256;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The client asked the server.
    Client,
    /// The server asked the client.
    Server,
    /// We asked the server.
    Stockade,
}

/// How a request speaks. Read from the request itself: the stateless revisions name theirs in every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// 2024-11-05 to 2025-11-25: `initialize` settles the revision.
    Handshake,
    /// 2026-07-28 and later: `_meta["io.modelcontextprotocol/protocolVersion"]` in the request.
    Stateless,
}

/// What has to be known when the answer comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// At most 128 characters; borrowed for the methods we know.
    pub(super) method: Cow<'static, str>,
    /// Tool, prompt or resource, as shown on record.
    pub(super) item: Option<Box<str>>,
    /// When the request was forwarded.
    pub(super) at: Now,
    pub(super) era: Era,
    pub(super) is_for: Use,
    /// What the bytes of the answer are counted for, where the policy counts bytes.
    pub(super) counted: Option<Box<Counted>>,
    /// Of a call of a tool, as JSON: for the record of an answer that reports a failure.
    pub(super) arguments: Option<Box<[u8]>>,
}

/// An item under its own name, for the limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) kind: ItemKind,
    pub(super) name: Box<str>,
}

/// What a request was about, as far as its answer is judged by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing that matters for the answer.
    Nothing,
    /// A call of an item that may have rounds, or become a task.
    Call(Box<Target>),
    /// Something that the server asked of its client.
    Feature(ClientFeature),
    /// A task, by its id.
    Task(Box<str>),
    /// A page of the list of tools, by its cursor.
    Page(Option<Cursor>),
    /// A subscription that stays open.
    Listening(Opted),
}

/// The tables of a session.
#[derive(Debug, Default)]
pub(super) struct Pending {
    client: Table,
    server: Table,
    stockade: Table,
    next_age: u64,
}

/// One owner's requests.
///
/// An ordered map, not a hash map: ids are chosen by the peers, and a tree cannot be flooded with collisions.
#[derive(Debug, Default)]
struct Table {
    waiting: BTreeMap<IdKey, Aged>,
    /// The next to be given up, oldest first, found when the table was full; some of them may be gone since.
    oldest: VecDeque<(u64, IdKey)>,
}

#[derive(Debug)]
struct Aged {
    age: u64,
    entry: Entry,
}

impl From<Peer> for Owner {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Client => Self::Client,
            Peer::Server => Self::Server,
        }
    }
}

impl Pending {
    pub(super) fn get(&self, owner: Owner, key: &IdKey) -> Option<&Entry> {
        self.table(owner).waiting.get(key).map(|aged| &aged.entry)
    }

    pub(super) fn len(&self, owner: Owner) -> usize {
        self.table(owner).waiting.len()
    }

    /// Enters a request whose id is not in the table. A full table gives up its oldest entry: that one is returned.
    #[must_use]
    pub(super) fn insert(&mut self, owner: Owner, key: IdKey, entry: Entry) -> Option<(IdKey, Entry)> {
        let age = self.next_age;
        self.next_age += 1;
        let table = self.table_mut(owner);
        let evicted = if table.waiting.len() >= PENDING_MAX { table.give_up() } else { None };
        table.waiting.insert(key, Aged { age, entry });
        evicted
    }

    /// Removes a request: it is answered, cancelled or given up.
    #[must_use]
    pub(super) fn take(&mut self, owner: Owner, key: &IdKey) -> Option<Entry> {
        self.table_mut(owner).waiting.remove(key).map(|aged| aged.entry)
    }

    /// Removes all requests of an owner, oldest first.
    #[must_use]
    pub(super) fn drain(&mut self, owner: Owner) -> Vec<(IdKey, Entry)> {
        let mut all: Vec<(IdKey, Aged)> = std::mem::take(self.table_mut(owner)).waiting.into_iter().collect();
        all.sort_unstable_by_key(|(_, aged)| aged.age);
        all.into_iter().map(|(key, aged)| (key, aged.entry)).collect()
    }

    /// All requests of an owner, oldest first.
    pub(super) fn oldest_first(&self, owner: Owner) -> Vec<(&IdKey, &Entry)> {
        let mut all: Vec<(&IdKey, &Aged)> = self.table(owner).waiting.iter().collect();
        all.sort_unstable_by_key(|(_, aged)| aged.age);
        all.into_iter().map(|(key, aged)| (key, &aged.entry)).collect()
    }

    fn table(&self, owner: Owner) -> &Table {
        match owner {
            Owner::Client => &self.client,
            Owner::Server => &self.server,
            Owner::Stockade => &self.stockade,
        }
    }

    fn table_mut(&mut self, owner: Owner) -> &mut Table {
        match owner {
            Owner::Client => &mut self.client,
            Owner::Server => &mut self.server,
            Owner::Stockade => &mut self.stockade,
        }
    }
}

impl Table {
    /// Removes the oldest request; one that may stay open for ever by design only if there is no other.
    fn give_up(&mut self) -> Option<(IdKey, Entry)> {
        if let Some(oldest) = self.next_oldest() {
            return Some(oldest);
        }
        let mut closable: Vec<(u64, &IdKey)> = self
            .waiting
            .iter()
            .filter(|(_, aged)| aged.entry.method != "subscriptions/listen")
            .map(|(key, aged)| (aged.age, key))
            .collect();
        if closable.is_empty() {
            closable = self
                .waiting
                .iter()
                .min_by_key(|(_, aged)| aged.age)
                .map(|(key, aged)| (aged.age, key))
                .into_iter()
                .collect();
        }
        closable.sort_unstable_by_key(|(age, _)| *age);
        closable.truncate(OLDEST_BATCH);
        self.oldest = closable.into_iter().map(|(age, key)| (age, key.clone())).collect();
        self.next_oldest()
    }

    /// The next of those found that still waits. An id that was used again since has another age.
    fn next_oldest(&mut self) -> Option<(IdKey, Entry)> {
        while let Some((age, key)) = self.oldest.pop_front() {
            if self.waiting.get(&key).is_some_and(|aged| aged.age == age) {
                return self.waiting.remove(&key).map(|aged| (key, aged.entry));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(method: &'static str) -> Entry {
        Entry {
            method: method.into(),
            item: None,
            counted: None,
            at: Now(0),
            era: Era::Handshake,
            is_for: Use::Nothing,
            arguments: None,
        }
    }

    fn full(first: &'static str) -> Pending {
        let mut pending = Pending::default();
        for number in 0..PENDING_MAX as i64 {
            let method = if number == 0 { first } else { "ping" };
            assert_eq!(pending.insert(Owner::Client, IdKey::Number(number), entry(method)), None);
        }
        pending
    }

    #[test]
    fn a_number_and_a_text_of_the_same_digits_are_two_ids() {
        let mut pending = Pending::default();
        assert!(pending.insert(Owner::Client, IdKey::Number(1), entry("a")).is_none());
        assert!(pending.insert(Owner::Client, IdKey::Text("1".into()), entry("b")).is_none());
        assert_eq!(pending.take(Owner::Client, &IdKey::Text("1".into())), Some(entry("b")));
        assert_eq!(pending.take(Owner::Client, &IdKey::Number(1)), Some(entry("a")));
    }

    #[test]
    fn owners_do_not_see_each_others_ids() {
        let mut pending = Pending::default();
        assert!(pending.insert(Owner::Client, IdKey::Number(1), entry("a")).is_none());
        assert_eq!(pending.take(Owner::Server, &IdKey::Number(1)), None);
        assert_eq!(pending.take(Owner::Stockade, &IdKey::Number(1)), None);
        assert_eq!(pending.len(Owner::Client), 1);
    }

    #[test]
    fn a_full_table_gives_up_its_oldest_request() {
        let mut pending = full("ping");
        let evicted = pending.insert(Owner::Client, IdKey::Number(-5), entry("ping"));
        assert_eq!(evicted, Some((IdKey::Number(0), entry("ping"))));
        assert_eq!(pending.len(Owner::Client), PENDING_MAX);
    }

    #[test]
    fn a_subscription_is_given_up_last() {
        let mut pending = full("subscriptions/listen");
        let evicted = pending.insert(Owner::Client, IdKey::Number(-5), entry("ping"));
        assert_eq!(evicted.map(|(key, _)| key), Some(IdKey::Number(1)));
        assert!(pending.get(Owner::Client, &IdKey::Number(0)).is_some());
    }

    #[test]
    fn a_table_full_of_subscriptions_gives_up_the_oldest_of_them() {
        let mut pending = Pending::default();
        for number in 0..=PENDING_MAX as i64 {
            let evicted = pending.insert(Owner::Client, IdKey::Number(number), entry("subscriptions/listen"));
            assert_eq!(evicted.is_some(), number == PENDING_MAX as i64);
        }
        assert_eq!(pending.len(Owner::Client), PENDING_MAX);
    }

    #[test]
    fn an_id_that_was_used_again_is_as_old_as_its_last_use() {
        let mut pending = full("ping");
        let evicted = |pending: &mut Pending, key| {
            pending.insert(Owner::Client, IdKey::Number(key), entry("ping")).map(|(key, _)| key)
        };
        assert_eq!(evicted(&mut pending, 10_000), Some(IdKey::Number(0)), "the oldest are known now");
        assert!(pending.take(Owner::Client, &IdKey::Number(1)).is_some());
        assert_eq!(evicted(&mut pending, 1), None, "there was room");
        assert_eq!(evicted(&mut pending, 10_001), Some(IdKey::Number(2)));
        for number in 3..PENDING_MAX as i64 {
            assert_eq!(evicted(&mut pending, 20_000 + number), Some(IdKey::Number(number)));
        }
        assert_eq!(evicted(&mut pending, 30_000), Some(IdKey::Number(10_000)));
        assert_eq!(evicted(&mut pending, 30_001), Some(IdKey::Number(1)));
    }

    #[test]
    fn draining_goes_by_age() {
        let mut pending = Pending::default();
        for number in [3, 1, 2] {
            assert!(pending.insert(Owner::Server, IdKey::Number(number), entry("x")).is_none());
        }
        let keys: Vec<IdKey> = pending.drain(Owner::Server).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [3, 1, 2].map(IdKey::Number));
        assert_eq!(pending.len(Owner::Server), 0);
    }
}

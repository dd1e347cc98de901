//! How often and how much: the limits of a policy, and what a session has used up of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::identity::{Identities, IdentityPattern};
use super::layer::{Answer, any, identities, patterns, reason};
use super::pattern::Pattern;
use super::{Item, Origin, Policy, Ruling};
use crate::document::policy::LimitRule;
use crate::verdict::{Access, Reason};

/// Into how many parts the time of a limit is divided. What was used counts until its whole part is over, so a limit is
/// kept in every stretch of its length, and is at most this part of it too strict.
const PARTS: u64 = 60;

/// One `[[limit]]`, compiled.
#[derive(Clone, Debug)]
pub(super) struct CompiledLimit {
    servers: Vec<IdentityPattern>,
    tools: Vec<Pattern>,
    prompts: Vec<Pattern>,
    resources: Vec<Pattern>,
    calls: Option<u64>,
    bytes: Option<u64>,
    per_ms: u64,
    effect: Access,
    reason: Reason,
    key: Key,
}

/// What one session has used up. It belongs to the session, and outlives policies: what was used under one counts under
/// the next, as long as the limit has the same id and the same time.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    used: BTreeMap<Key, Used>,
}

/// A limit, whatever its numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    origin: Origin,
    id: String,
    per_ms: u64,
}

/// What was used in the parts of the time that are not over.
#[derive(Clone, Debug, Default)]
struct Used {
    /// Number of the part, calls and bytes in it.
    parts: VecDeque<(u64, u64, u64)>,
}

impl CompiledLimit {
    pub(super) fn new(limit: &LimitRule, origin: Origin) -> Self {
        let text = limit.reason.trim().trim_end_matches('.');
        Self {
            servers: identities(&limit.servers),
            tools: patterns(&limit.tools),
            prompts: patterns(&limit.prompts),
            resources: patterns(&limit.resources),
            calls: limit.calls,
            bytes: limit.bytes,
            per_ms: limit.per_ms.max(PARTS),
            effect: limit.effect,
            reason: reason(&limit.id, &format!("{text} ({})", limit.words()), origin),
            key: Key { origin, id: limit.id.clone(), per_ms: limit.per_ms },
        }
    }

    fn is_about(&self, identities: &Identities<'_>, readings: &[Item<'_>]) -> bool {
        readings.iter().any(|item| self.names(*item)) && any(&self.servers, identities)
    }

    fn names(&self, item: Item<'_>) -> bool {
        let (patterns, name) = match item {
            Item::Tool(name) => (&self.tools, name),
            Item::Prompt(name) => (&self.prompts, name),
            Item::Resource(uri) => (&self.resources, uri),
            Item::Server | Item::Template(_) | Item::Sampling | Item::Elicitation(_) | Item::Roots => {
                return false;
            }
        };
        patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether it tells resources apart.
    pub(super) fn names_resources(&self, identities: &Identities<'_>) -> bool {
        !self.resources.is_empty() && any(&self.servers, identities)
    }

    pub(super) fn counts_bytes(&self) -> bool {
        self.bytes.is_some()
    }

    fn has_room(&self, used: &Used, bytes: u64) -> bool {
        let (calls, so_far) = used.sum();
        self.calls.is_none_or(|most| calls < most)
            && self.bytes.is_none_or(|most| so_far.saturating_add(bytes) <= most)
    }
}

impl Limits {
    /// Counts a call that may be made otherwise, and says whether a limit stands against it. A call that a limit refuses
    /// uses up none of them, or a client that tries again and again would never be let through.
    ///
    /// `readings` are what the one item may be read as: a URI can have more than one. `now_ms` is on any clock that never
    /// goes back. `bytes` are those of the request.
    pub fn charge(
        &mut self,
        policy: &Policy,
        (identities, readings): (&[String], &[Item<'_>]),
        bytes: u64,
        now_ms: u64,
    ) -> Ruling<Access> {
        let identities = Identities::new(identities);
        let limits =
            policy.compiled.iter().flat_map(|layer| layer.limits.iter().map(|limit| (layer.mode, limit)));
        let about: Vec<_> = limits.filter(|(_, limit)| limit.is_about(&identities, readings)).collect();
        let mut answers = Vec::new();
        for (mode, limit) in &about {
            let used = self.used.entry(limit.key.clone()).or_default();
            used.forget(now_ms, limit.per_ms);
            if !limit.has_room(used, bytes) {
                answers.push(Answer::by_rule(*mode, limit.effect, Cow::Borrowed(&limit.reason)));
            }
        }
        let ruling = policy.join(Access::Allow, Access::Deny, answers);
        if ruling.verdict == Access::Allow {
            for (_, limit) in about {
                self.used.entry(limit.key.clone()).or_default().add((1, bytes), now_ms, limit.per_ms);
            }
        }
        ruling
    }

    /// Counts the bytes of an answer: they cannot be refused any more, but the next call can.
    pub fn answered(
        &mut self,
        policy: &Policy,
        (identities, readings): (&[String], &[Item<'_>]),
        bytes: u64,
        now_ms: u64,
    ) {
        let identities = Identities::new(identities);
        for limit in policy.compiled.iter().flat_map(|layer| &layer.limits) {
            if limit.bytes.is_some() && limit.is_about(&identities, readings) {
                let used = self.used.entry(limit.key.clone()).or_default();
                used.forget(now_ms, limit.per_ms);
                used.add((0, bytes), now_ms, limit.per_ms);
            }
        }
    }
}

impl Used {
    fn sum(&self) -> (u64, u64) {
        let add = |(calls, bytes): (u64, u64), part: &(u64, u64, u64)| {
            (calls.saturating_add(part.1), bytes.saturating_add(part.2))
        };
        self.parts.iter().fold((0, 0), add)
    }

    /// Drops the parts that are over for good: the last moment of them is longer ago than the limit's time.
    fn forget(&mut self, now_ms: u64, per_ms: u64) {
        let part_ms = part_ms(per_ms);
        while self
            .parts
            .front()
            .is_some_and(|(part, ..)| (part + 1).saturating_mul(part_ms) + per_ms <= now_ms)
        {
            self.parts.pop_front();
        }
    }

    fn add(&mut self, (calls, bytes): (u64, u64), now_ms: u64, per_ms: u64) {
        let part = now_ms / part_ms(per_ms);
        match self.parts.back_mut() {
            // A clock that went back all the same counts in the part that it had reached.
            Some(last) if last.0 >= part => {
                last.1 = last.1.saturating_add(calls);
                last.2 = last.2.saturating_add(bytes);
            }
            _ => self.parts.push_back((part, calls, bytes)),
        }
    }
}

fn part_ms(per_ms: u64) -> u64 {
    (per_ms / PARTS).max(1)
}

#[cfg(test)]
mod tests;

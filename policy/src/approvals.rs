//! Approvals: what a person let pass that a rule asks about, for whom, for how long; and whether a call is one of those.
//!
//! An approval answers `ask` and nothing else: it never lifts a deny, and what detectors find in a call is judged as ever.
//! All of it is a plain function of its inputs. Time comes in on two clocks, since one of them can be set.

mod canonical;

use std::collections::BTreeSet;
use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::detect::HashKey;
use crate::wire::Direction;

/// Hex digits of a mark: 128 bits, so that nobody finds other arguments with the same one.
const MARK_DIGITS: usize = 32;

/// A point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since 1970, which whoever owns the machine can set.
    pub unix_ms: i64,
    /// Which boot this is: the other clock means nothing in another one.
    pub boot: String,
    /// Milliseconds since that boot, sleep included; nothing sets them back.
    pub boot_ms: u64,
}

/// What a rule asks about, as marks that tell nothing of the arguments: keyed hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Of method, name and arguments: this very call.
    pub call: String,
    /// Of method and name: this tool, whatever its arguments.
    pub item: String,
}

/// How much an approval covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One call: the same method, name and arguments.
    Call,
    /// The tool, prompt or resource, whatever the arguments.
    Item,
    /// Everything on the server: a pause. It answers no question; see [`Approvals::pause`].
    Server,
}

/// How long an approval holds; it has an end in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// For one call of the session that asked.
    Once,
    /// For the session that asked.
    Session,
    /// Until its end, in every session with this server.
    Time,
}

/// What a person let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its name.
    pub id: String,
    /// Who gave it.
    pub by: String,
    /// Identities of the server: all of them, no more and no fewer.
    pub identities: Vec<String>,
    /// How much it covers.
    pub scope: Scope,
    /// The mark of that, see [`Asked`].
    pub mark: String,
    /// How long it holds.
    pub term: Term,
    /// The session that asked.
    pub session: String,
    /// When it was given.
    pub given: Moment,
    /// How long it holds at most.
    pub for_ms: u64,
}

/// Why an approval does not cover a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Another server, or another version of this one.
    Server,
    /// Another tool, prompt or resource.
    Item,
    /// Other arguments.
    Arguments,
    /// Another session.
    Session,
    /// Used once already.
    Spent,
    /// Its end has passed.
    Ended,
    /// The machine was booted since.
    Boot,
    /// It was given later than it is now: the clock was set back.
    ClockSetBack,
}

/// Whether the policy in force lets approvals count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// They count.
    On,
    /// None does: what is asked about is refused.
    Off,
}

/// What an approval is held against.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Identities of the server.
    pub identities: &'a [String],
    /// The session.
    pub session: &'a str,
}

impl Approval {
    /// Whether it covers what is asked for now.
    ///
    /// # Errors
    /// Why it does not.
    pub fn covers(&self, asker: Asker<'_>, asked: &Asked, now: &Moment) -> Result<(), Miss> {
        if !same(&self.identities, asker.identities) {
            return Err(Miss::Server);
        }
        match self.scope {
            Scope::Call if self.mark != asked.call => return Err(Miss::Arguments),
            Scope::Item if self.mark != asked.item => return Err(Miss::Item),
            Scope::Server => return Err(Miss::Item),
            Scope::Call | Scope::Item => {}
        }
        if self.term != Term::Time && self.session != asker.session {
            return Err(Miss::Session);
        }
        self.holds(now)
    }

    /// Whether it has not ended. Both clocks have to say so: the one that people read can be set back, and the other one
    /// begins anew with each boot, which therefore ends every approval.
    ///
    /// # Errors
    /// Why it has.
    pub fn holds(&self, now: &Moment) -> Result<(), Miss> {
        let given = &self.given;
        if given.boot != now.boot {
            return Err(Miss::Boot);
        }
        let Some(passed_ms) = now.boot_ms.checked_sub(given.boot_ms) else { return Err(Miss::ClockSetBack) };
        let Ok(by_clock_ms) = u64::try_from(now.unix_ms.saturating_sub(given.unix_ms)) else {
            return Err(Miss::ClockSetBack);
        };
        if passed_ms >= self.for_ms || by_clock_ms >= self.for_ms { Err(Miss::Ended) } else { Ok(()) }
    }
}

/// The approvals that one session knows of, and those that it has used up.
#[derive(Clone, Debug)]
pub struct Approvals {
    key: HashKey,
    session: String,
    switch: Switch,
    all: Vec<Approval>,
    spent: BTreeSet<String>,
    now: Option<Moment>,
}

impl Approvals {
    /// None yet. `key` makes the marks.
    #[must_use]
    pub fn new(session: String, key: HashKey) -> Self {
        Self { key, session, switch: Switch::On, all: Vec::new(), spent: BTreeSet::new(), now: None }
    }

    /// Whether they count.
    pub fn set_switch(&mut self, switch: Switch) {
        self.switch = switch;
    }

    /// These stand from now on, and no others.
    pub fn replace(&mut self, all: Vec<Approval>) {
        self.all = all;
    }

    /// Whether there are none, so that nobody has to say what time it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What time it is. Until somebody says so, no approval counts.
    pub fn set_now(&mut self, now: Moment) {
        self.now = Some(now);
    }

    /// The approval that covers this, if one does; the narrowest of them, so that a wider one is not used up for it.
    #[must_use]
    pub fn find(&self, identities: &[String], asked: &Asked) -> Option<&Approval> {
        let now = self.now.as_ref().filter(|_| self.switch == Switch::On)?;
        let asker = Asker { identities, session: &self.session };
        let mut covering: Vec<&Approval> = self
            .all
            .iter()
            .filter(|one| !self.spent.contains(&one.id) && one.covers(asker, asked, now).is_ok())
            .collect();
        // One that ends with its first use is kept for when no other one does.
        covering.sort_by_key(|one| (one.term == Term::Once, one.scope == Scope::Item));
        covering.first().copied()
    }

    /// The pause of this server that ends last, if one holds.
    #[must_use]
    pub fn pause(&self, identities: &[String]) -> Option<&Approval> {
        let now = self.now.as_ref()?;
        let pauses = self.all.iter().filter(|one| {
            one.scope == Scope::Server && same(&one.identities, identities) && one.holds(now).is_ok()
        });
        pauses.max_by_key(|one| one.given.boot_ms.saturating_add(one.for_ms))
    }

    /// A call went on because of this one.
    pub fn spend(&mut self, id: &str) {
        if self.all.iter().any(|one| one.id == id && one.term == Term::Once) {
            self.spent.insert(id.to_owned());
        }
    }

    /// The marks of a request. `params` is JSON that the grammar let through, `_meta` aside: that differs with every request
    /// (progress tokens, traces), and a retry would never be the same.
    #[must_use]
    pub fn marks(&self, (direction, method): (Direction, &str), name: Option<&str>, params: &[u8]) -> Asked {
        let method = method.as_bytes();
        let direction = direction.word().as_bytes();
        let name = name.unwrap_or("").as_bytes();
        let arguments = canonical::without(params, "_meta");
        // Of what cannot be put in order, the very bytes count.
        let arguments = arguments.as_deref().unwrap_or(params);
        Asked {
            call: self.mark(&[b"call", direction, method, name, arguments]),
            item: self.mark(&[b"item", direction, method, name]),
        }
    }

    /// HMAC-SHA256 over parts with their lengths, so that no two lists of parts are the same bytes.
    fn mark(&self, parts: &[&[u8]]) -> String {
        let mut key = hmac::digest::Key::<Hmac<Sha256>>::default();
        // A key shorter than the block is padded with zeros (RFC 2104, section 2).
        key[..self.key.0.len()].copy_from_slice(&self.key.0);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&key);
        mac.update(b"stockade approval 1");
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let mut hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        hex.truncate(MARK_DIGITS);
        hex
    }
}

/// JSON in one spelling: members in order, no white space, strings without needless escapes.
pub(crate) fn one_spelling(json: &[u8]) -> Option<Vec<u8>> {
    canonical::without(json, "")
}

/// The arguments of a request for a person to read: one spelling, whatever way they were escaped. `None` if there are none.
#[must_use]
pub fn readable(params: &[u8]) -> Option<String> {
    let range: Range<usize> = canonical::member(params, "arguments")?;
    let one_spelling = canonical::without(params.get(range)?, "")?;
    String::from_utf8(one_spelling).ok()
}

/// Whether two lists hold the same, in any order. A server without any identity is nobody's.
fn same(one: &[String], other: &[String]) -> bool {
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<String>>();
    !one.is_empty() && set(one) == set(other)
}

#[cfg(test)]
mod tests;

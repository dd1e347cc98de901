//! Rounds of a call: the stateless revisions let a server answer with questions, and the client asks again with the
//! answers and the server's own state (2026-07-28, input required). What comes back must belong to what was sent.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::access::{When, allowed, denied, stricter};
use super::calls::Obstacle;
use super::catalogue::ItemKind;
use super::edit::Edit;
use super::reply;
use super::session::Mediator;
use super::subject::ClientFeature;
use crate::document::policy::UnknownMethods;
use crate::rules::Ruling;
use crate::verdict::Access;
use crate::wire::{self, Frame, Node, NodeKind};

/// Most rounds of one call.
pub(super) const ROUNDS_MAX: u8 = 10;

/// Most questions that may be open at once; over that the oldest is forgotten, and its answer refused.
const OPEN_MAX: usize = 1024;

/// What a call and its later rounds have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: ItemKind,
    pub(super) name: Box<str>,
    /// How many rounds there were before this one.
    pub(super) round: u8,
    /// Mark of the arguments, if a person approved the call.
    pub(super) approved: Option<Mark>,
}

/// A SHA-256.
pub(super) type Mark = [u8; 32];

/// Questions of the server that the client may answer.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    open: BTreeMap<Mark, Open>,
    next_age: u64,
}

/// How often the same question is open: servers may give the same state to two calls.
#[derive(Debug)]
struct Open {
    times: u32,
    round: u8,
    approved: Option<Mark>,
    age: u64,
}

/// What a later round continues.
#[derive(Clone, Copy, Debug)]
pub(super) struct Continued {
    bond: Mark,
    pub(super) round: u8,
    pub(super) approved: Option<Mark>,
}

impl Rounds {
    fn open(&mut self, bond: Mark, target: &Target) {
        if self.open.len() >= OPEN_MAX
            && !self.open.contains_key(&bond)
            && let Some(oldest) = self.open.iter().min_by_key(|(_, open)| open.age).map(|(bond, _)| *bond)
        {
            self.open.remove(&oldest);
        }
        let age = self.next_age;
        self.next_age += 1;
        let fresh = Open { times: 0, round: 0, approved: target.approved, age };
        let open = self.open.entry(bond).or_insert(fresh);
        open.times = open.times.saturating_add(1);
        open.round = open.round.max(target.round.saturating_add(1));
        open.age = age;
        if open.approved != target.approved {
            open.approved = None;
        }
    }

    /// The answer went on: the question is closed, once.
    pub(super) fn close(&mut self, continued: &Continued) {
        if let Some(open) = self.open.get_mut(&continued.bond) {
            open.times -= 1;
            if open.times == 0 {
                self.open.remove(&continued.bond);
            }
        }
    }
}

/// Mark of a call's arguments, as they are written.
pub(super) fn mark_of_arguments(frame: &Frame<'_>, params: Option<Node>) -> Mark {
    let arguments = params.and_then(|params| frame.get(params, "arguments"));
    let raw = arguments.and_then(|arguments| frame.bytes.get(frame.span(arguments)));
    Sha256::digest(raw.unwrap_or_default()).into()
}

/// Ties a state (or its absence) to the method and the name of the call that it belongs to.
fn bond(kind: ItemKind, name: &str, state: Option<&str>) -> Mark {
    let mut hasher = Sha256::new();
    hasher.update([kind as u8, u8::from(state.is_some())]);
    hasher.update((name.len() as u64).to_le_bytes());
    hasher.update(name);
    hasher.update(state.unwrap_or_default());
    hasher.finalize().into()
}

fn stray(text: &'static str) -> Obstacle {
    Obstacle { rule: "round/unknown", code: Some(reply::PARAMS), text: text.into() }
}

impl Mediator {
    /// What a request of the client continues, if it carries answers or a state. Answers without a state that the server
    /// did not wait for continue nothing: the call is one of its own, judged, counted and asked about like any, and the
    /// server asks for what it lacks.
    ///
    /// # Errors
    /// When the server asked nothing like it.
    pub(super) fn continued(
        &self,
        frame: &Frame<'_>,
        (kind, name): (ItemKind, &str),
        params: Option<Node>,
    ) -> Result<Option<Continued>, Obstacle> {
        let member = |key| params.and_then(|params| frame.get(params, key));
        let (state, responses) = (member("requestState"), member("inputResponses"));
        if state.is_none() && responses.is_none() {
            return Ok(None);
        }
        let text = state
            .map(|state| frame.text(state).ok_or_else(|| stray("`params.requestState` has to be a string")));
        let text = text.transpose()?;
        let bond = bond(kind, name, text.as_deref());
        match self.rounds.open.get(&bond) {
            Some(open) => Ok(Some(Continued { bond, round: open.round, approved: open.approved })),
            None if state.is_none() && self.may_volunteer(frame, responses) => Ok(None),
            None => Err(stray(
                "the server asked nothing in this call that could be answered, or it was answered before",
            )),
        }
    }

    /// Whether the server could ask for all that the client volunteers; `narrow_responses` does the rest.
    fn may_volunteer(&self, frame: &Frame<'_>, responses: Option<Node>) -> bool {
        let mut given = responses.into_iter().flat_map(|responses| frame.members(responses));
        given.all(|(_, _, response)| {
            let has = |key| frame.get(response, key).is_some();
            let feature = if has("roots") {
                ClientFeature::Roots
            } else if has("action") {
                ClientFeature::Form
            } else {
                ClientFeature::Sampling
            };
            self.may_ask(&feature, When::Now).verdict == Access::Allow
        })
    }

    /// What has to go from the answers of the client: roots that the jail does not grant.
    ///
    /// # Errors
    /// When they cannot be judged, or tell what the policy keeps from the server.
    pub(super) fn narrow_responses(
        &self,
        frame: &Frame<'_>,
        params: Option<Node>,
    ) -> Result<Vec<Edit>, &'static str> {
        let Some(responses) = params.and_then(|params| frame.get(params, "inputResponses")) else {
            return Ok(Vec::new());
        };
        if frame.kind(responses) != NodeKind::Object {
            return Err("`params.inputResponses` has to be an object");
        }
        let mut edits = Vec::new();
        for (_, _, response) in frame.members(responses) {
            if frame.get(response, "roots").is_some()
                && self.may_ask(&ClientFeature::Roots, When::Now).verdict != Access::Allow
            {
                return Err(
                    "`params.inputResponses` holds roots, and the policy keeps those from the server",
                );
            }
            edits.extend(self.bound_roots(frame, response).edits);
        }
        Ok(edits)
    }

    /// The policy's answer about the questions in a result of the server (or in news of a task); `None` if there are
    /// none. `target` is the call, if it may have rounds.
    pub(super) fn may_continue(
        &self,
        frame: &Frame<'_>,
        result: Node,
        target: Option<&Target>,
    ) -> Option<Ruling<Access>> {
        let odd = |text: &str| Some(denied("answer/form", text));
        const KNOWN: [&str; 5] = ["resultType", "inputRequests", "requestState", "task", "taskId"];
        let imitates = |key: &str| KNOWN.iter().any(|known| key != *known && wire::folds_to(key, known));
        if frame.members(result).any(|(key, ..)| imitates(&key)) {
            return odd("a member of the result differs from one of the protocol's own only in case");
        }
        let kind = frame.get(result, "resultType").map(|kind| frame.text(kind));
        let kind = kind.as_ref().map(Option::as_deref);
        let questions = frame.get(result, "inputRequests");
        let asks = questions.is_some() || kind == Some(Some("input_required"));
        match kind {
            None | Some(Some("complete" | "input_required" | "task")) if !asks => return None,
            None | Some(Some("complete" | "input_required" | "task")) => {}
            Some(_) => {
                let denies = self.policy.unknown_methods() == UnknownMethods::Deny;
                let mut ruling =
                    denied("answer/result-type", "no revision of the protocol knows the type of this result");
                if !denies {
                    ruling.verdict = Access::Allow;
                }
                if denies || !asks {
                    return Some(ruling);
                }
            }
        }
        if target.is_some_and(|target| target.round >= ROUNDS_MAX) {
            return Some(denied(
                "round/too-many",
                format!("the server asked back more than {ROUNDS_MAX} times"),
            ));
        }
        if frame.get(result, "requestState").is_some_and(|state| frame.text(state).is_none()) {
            return odd("`requestState` is no string");
        }
        let Some(questions) = questions else { return Some(allowed()) };
        if frame.kind(questions) != NodeKind::Object {
            return odd("`inputRequests` is no object");
        }
        let judged = frame.members(questions).map(|(_, _, question)| self.may_ask_within(frame, question));
        Some(judged.fold(allowed(), stricter))
    }

    /// One question inside of a result.
    fn may_ask_within(&self, frame: &Frame<'_>, question: Node) -> Ruling<Access> {
        let odd = |text: &str| denied("answer/form", text);
        if frame.members(question).any(|(key, ..)| {
            ["method", "params"].iter().any(|known| key != *known && wire::folds_to(&key, known))
        }) {
            return odd("a member of a question differs from `method` or `params` only in case");
        }
        let Some(method) = frame.get(question, "method").and_then(|method| frame.text(method)) else {
            return odd("a question of the server has no method");
        };
        match ClientFeature::read(frame, &method, frame.get(question, "params")) {
            Err(why) => odd(why),
            Ok(Some(feature)) => self.may_ask(&feature, When::Now),
            Ok(None) if self.policy.unknown_methods() == UnknownMethods::Deny => {
                denied("method/unknown", "the server asks by a method that no revision of the protocol knows")
            }
            Ok(None) => allowed(),
        }
    }

    /// The policy's answer about an error that sends the user to pages first (2025-11-25, error -32042); `None` if it names
    /// none.
    pub(super) fn may_point_to(&self, frame: &Frame<'_>, error: Node) -> Option<Ruling<Access>> {
        let data = frame.get(error, "data")?;
        let is_list = |key: &str| wire::folds_to(key, "elicitations");
        let pages = frame
            .members(data)
            .filter(|(key, ..)| is_list(key))
            .flat_map(|(_, _, list)| frame.elements(list).collect::<Vec<_>>());
        pages
            .map(|page| match ClientFeature::read(frame, "elicitation/create", Some(page)) {
                Ok(Some(feature)) => self.may_ask(&feature, When::Now),
                Ok(None) => allowed(),
                Err(why) => denied("answer/form", why),
            })
            .reduce(stricter)
    }

    /// The questions went on to the client: their answers may come.
    pub(super) fn await_round(&mut self, frame: &Frame<'_>, result: Node, target: &Target) {
        let is_question = frame.get(result, "inputRequests").is_some()
            || frame.get(result, "resultType").and_then(|kind| frame.text(kind)).as_deref()
                == Some("input_required");
        if is_question {
            let state = frame.get(result, "requestState").and_then(|state| frame.text(state));
            self.rounds.open(bond(target.kind, &target.name, state.as_deref()), target);
        }
    }
}

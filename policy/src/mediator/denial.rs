//! How a refusal looks to the one who asked: each kind of request has an answer that its senders know what to do with.

use super::action::Peer;
use super::pending::Era;
use super::reply::{self, About};
use super::subject::Subject;
use crate::verdict::{Access, Verdict};

/// A request that is refused.
pub(super) struct Refused<'r> {
    pub(super) id: &'r [u8],
    pub(super) method: &'r str,
    pub(super) era: Era,
    pub(super) from: Peer,
    pub(super) subject: &'r Subject<'r>,
}

/// What is said about it.
pub(super) struct Said<'r> {
    /// Tool, prompt or URI as it may be shown, or else the method.
    pub(super) what: &'r str,
    /// The item is not there at all, as far as this client knows.
    pub(super) hidden: bool,
    /// Detectors that found something.
    pub(super) found: &'r str,
    /// The code that the user can ask about.
    pub(super) code: &'r str,
}

/// The answer.
pub(super) fn refusal(refused: &Refused<'_>, verdict: &Verdict, said: &Said<'_>) -> Vec<u8> {
    let Refused { id, method, era, from, subject } = *refused;
    let Said { what, hidden, found, code } = *said;
    let text = || reply::sentence(verdict, About { what, answer: false, found, code });
    match (from, method) {
        // A server knows what a user who declines looks like (2025-06-18, elicitation and sampling).
        (Peer::Server, "elicitation/create") => reply::decline(id),
        (Peer::Server, "sampling/createMessage") => {
            reply::error(id, reply::REJECTED, &text(), &reply::decision(verdict, code))
        }
        (Peer::Server, "roots/list") => reply::no_roots(id),
        (Peer::Client, _) if hidden && verdict.access == Access::Deny && method != "completion/complete" => {
            let kind = subject.items().next().map_or("item", |item| item.kind.word());
            let rule = verdict.reason.as_ref().map_or("built-in", |reason| &reason.rule);
            let message = format!("Unknown {kind}: {what}");
            reply::error(id, reply::PARAMS, &message, &[("rule", rule), ("code", code)])
        }
        // Clients complete while the user types: nothing to choose from is harmless, an error is a dialog.
        (Peer::Client, "completion/complete") if verdict.access != Access::Allow => {
            reply::no_completion(id, era)
        }
        (Peer::Client, "tools/call") => reply::tool_denial(id, era, verdict, &text(), code),
        _ => reply::denial(id, verdict, &text(), code),
    }
}

//! Events about approvals: who let what pass, for how long.

use serde::Serialize;

use super::file::Stored;

/// `approval.given`, `approval.revoked`, `pause.begun`, `pause.ended`: what a person decided. Whose processes asked stands in `who`.
#[derive(Debug, Serialize)]
pub(crate) struct ApprovalDecided<'a> {
    /// Its id.
    pub(crate) id: &'a str,
    /// The code of the refusal that it answers.
    pub(crate) code: &'a str,
    /// Id of that event.
    pub(crate) event: &'a str,
    /// The session that asked.
    pub(crate) session: &'a str,
    /// Who decided: the user of the operating system.
    pub(crate) by: &'a str,
    /// The terminal at which that was.
    pub(crate) terminal: &'a str,
    /// `call`, `item` or `server`.
    pub(crate) scope: &'a str,
    /// `once`, `session` or `time`.
    pub(crate) term: &'a str,
    /// When it ends at the latest.
    pub(crate) ends: &'a str,
    /// What the person said.
    pub(crate) reason: &'a str,
    /// Method of the request.
    pub(crate) method: &'a str,
    /// Tool, prompt or resource, masked.
    pub(crate) item: &'a str,
    /// Keyed hash of what it covers.
    pub(crate) mark: &'a str,
}

impl<'a> ApprovalDecided<'a> {
    /// What of an approval goes into an event.
    pub(super) fn of(one: &'a Stored, by: &'a str) -> Self {
        Self {
            id: &one.id,
            code: &one.code,
            event: &one.event,
            session: &one.session,
            by,
            terminal: &one.terminal,
            scope: one.scope.word(),
            term: one.term.word(),
            ends: &one.ends,
            reason: &one.reason,
            method: &one.method,
            item: &one.item,
            mark: &one.mark,
        }
    }
}

/// `approvals.distrusted`: the file of approvals is not as it was written, so none of them counts.
#[derive(Debug, Serialize)]
pub(crate) struct ApprovalsDistrusted {
    /// What is wrong with it.
    pub(crate) why: String,
}

/// `session.paused`, `session.resumed`: from the next message on the policy only records, or enforces again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Paused {
    /// Id of the pause.
    pub(crate) id: String,
    /// Whose decision it was.
    pub(crate) by: String,
}

//! What the client says it can do, and what it subscribes to: what the policy denies is taken out before the server
//! hears of it. Servers must not use what was not declared; those that do are refused on the way back.

use super::access::{When, stricter};
use super::action::Peer;
use super::catalogue::ItemKind;
use super::edit::{Edit, elements, removals, without_members};
use super::session::Mediator;
use super::subject::ClientFeature;
use crate::rules::{Arguments, Ruling};
use crate::verdict::Access;
use crate::wire::{self, Frame, Node, NodeKind};

/// Where the stateless revisions declare capabilities, in each request's `_meta`.
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// The extension of the stateless revisions by which a call becomes a task.
pub(super) const TASKS_KEY: &str = "io.modelcontextprotocol/tasks";

const NO_STRING: &str = "URIs and tasks of a subscription have to be strings";

/// What is taken out of a request, and the strictest ruling that took something out.
#[derive(Default)]
pub(super) struct Narrowed {
    pub(super) edits: Vec<Edit>,
    pub(super) ruling: Option<Ruling<Access>>,
    /// Nothing of what was asked for is left.
    pub(super) is_empty: bool,
}

/// Whether a request of the stateless era says that its client knows tasks.
pub(super) fn declares_tasks(frame: &Frame<'_>, meta: Option<Node>) -> bool {
    let member = |holder: Option<Node>, key| holder.and_then(|holder| frame.get(holder, key));
    member(member(member(meta, CAPABILITIES_KEY), "extensions"), TASKS_KEY).is_some()
}

impl Mediator {
    /// Capabilities in a request of the client.
    pub(super) fn clamp(
        &self,
        frame: &Frame<'_>,
        method: &str,
        params: Option<Node>,
        meta: Option<Node>,
    ) -> Narrowed {
        let mut narrowed = Narrowed::default();
        let declared = [
            params.filter(|_| method == "initialize").and_then(|params| frame.get(params, "capabilities")),
            meta.and_then(|meta| frame.get(meta, CAPABILITIES_KEY)),
        ];
        for capabilities in declared.into_iter().flatten() {
            self.clamp_capabilities(frame, capabilities, &mut narrowed);
        }
        narrowed
    }

    fn clamp_capabilities(&self, frame: &Frame<'_>, capabilities: Node, narrowed: &mut Narrowed) {
        let mut denied = Denied::default();
        for (key, _, value) in frame.members(capabilities) {
            match &*key.to_lowercase() {
                "sampling" => denied.sampling = self.is_denied(&ClientFeature::Sampling, narrowed),
                "roots" => denied.roots = self.is_denied(&ClientFeature::Roots, narrowed),
                "elicitation" => {
                    denied.form = self.is_denied(&ClientFeature::Form, narrowed);
                    denied.page = self.is_denied(&ClientFeature::Page(None), narrowed);
                    let has = |key| frame.get(value, key).is_some();
                    // Without members it means forms (2025-06-18).
                    let forms_are_left = !denied.form && (has("form") || !has("url"));
                    denied.elicitation = !forms_are_left && (denied.page || !has("url"));
                }
                _ => {}
            }
        }
        if denied == Denied::default() {
            return;
        }
        let goes = |key: &str| {
            (denied.sampling && wire::folds_to(key, "sampling"))
                || (denied.roots && wire::folds_to(key, "roots"))
                || (denied.elicitation && wire::folds_to(key, "elicitation"))
        };
        narrowed.edits.extend(without_members(frame, capabilities, goes));
        if let Some(elicitation) = frame.get(capabilities, "elicitation").filter(|_| !denied.elicitation) {
            narrowed.edits.extend(without_members(frame, elicitation, |key| {
                (denied.form && wire::folds_to(key, "form")) || (denied.page && wire::folds_to(key, "url"))
            }));
        }
        // The client would run what the server asks as a task (2025-11-25).
        let tasks = frame.get(capabilities, "tasks").and_then(|tasks| frame.get(tasks, "requests"));
        if let Some(requests) = tasks {
            narrowed.edits.extend(without_members(frame, requests, goes));
        }
    }

    fn is_denied(&self, asked: &ClientFeature, narrowed: &mut Narrowed) -> bool {
        let ruling = self.may_ask(asked, When::Ahead);
        let is_denied = ruling.verdict == Access::Deny;
        if is_denied {
            narrowed.add(ruling);
        }
        is_denied
    }

    /// What a `subscriptions/listen` may listen to: each URI is judged like a reading of it.
    ///
    /// # Errors
    /// When servers could read another list than the one that is judged.
    pub(super) fn narrow_listen(
        &self,
        frame: &Frame<'_>,
        params: Option<Node>,
    ) -> Result<Narrowed, &'static str> {
        let mut narrowed = Narrowed::default();
        let Some(asked) = params.and_then(|params| frame.get(params, "notifications")) else {
            return Ok(narrowed);
        };
        let lists = ["resourceSubscriptions", "taskIds"];
        let imitates = |key: &str| lists.iter().any(|list| key != *list && wire::folds_to(key, list));
        if frame.members(asked).any(|(key, ..)| imitates(&key)) {
            return Err("a member of `params.notifications` differs from the protocol's own only in case");
        }
        let mut left = frame
            .members(asked)
            .filter(|(key, _, value)| !lists.contains(&&**key) && frame.boolean(*value) != Some(false))
            .count();
        for list in lists {
            let Some(array) = frame.get(asked, list) else { continue };
            if frame.kind(array) != NodeKind::Array {
                return Err("`params.notifications` has to list URIs and tasks in arrays");
            }
            let elements = elements(frame, array).ok_or(NO_STRING)?;
            let (mut spans, mut keep) = (Vec::new(), Vec::new());
            for element in elements {
                let text = frame.text(element).ok_or(NO_STRING)?;
                let ruling = match list {
                    "taskIds" => self.may_follow_task(Peer::Client, &text),
                    _ => self.may_use_item(ItemKind::Resource, &text, Arguments::Unknown).ruling,
                };
                spans.push(frame.span(element));
                keep.push(ruling.verdict == Access::Allow);
                if ruling.verdict != Access::Allow {
                    narrowed.add(ruling);
                }
            }
            left += keep.iter().filter(|kept| **kept).count();
            if keep.contains(&false) {
                narrowed.edits.extend(removals(&spans, &keep));
            }
        }
        narrowed.is_empty = left == 0;
        Ok(narrowed)
    }
}

impl Narrowed {
    fn add(&mut self, ruling: Ruling<Access>) {
        self.ruling = Some(match self.ruling.take() {
            Some(known) => stricter(known, ruling),
            None => ruling,
        });
    }
}

/// Capabilities that the policy denies.
#[derive(Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of the protocol's own capabilities")]
struct Denied {
    sampling: bool,
    roots: bool,
    form: bool,
    page: bool,
    /// Nothing of elicitation is left.
    elicitation: bool,
}

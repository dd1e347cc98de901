//! Tasks: calls whose results are fetched later (2025-11-25, and the extension of 2026). A task belongs to the call that
//! made it, and is judged as that call is judged now.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::access::{When, denied};
use super::action::Peer;
use super::catalogue::ItemKind;
use super::edit::{Edit, elements, removals};
use super::session::Mediator;
use super::subject::ClientFeature;
use crate::rules::Ruling;
use crate::verdict::Access;
use crate::wire::{self, Frame, Node, NodeKind};

/// Most tasks of a session; over that the oldest is forgotten.
const TASKS_MAX: usize = 4096;

/// Longest id of a task.
const ID_BYTES_MAX: usize = 512;

/// What a task does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A call of an item of the server.
    Item(ItemKind, Box<str>),
    /// What the server asked of its client.
    Feature(ClientFeature),
}

/// Tasks by who asked for them and their id.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    known: BTreeMap<(Peer, Box<str>), Work>,
    oldest: VecDeque<(Peer, Box<str>)>,
}

impl Tasks {
    fn add(&mut self, owner: Peer, id: &str, work: Work) {
        if id.len() > ID_BYTES_MAX {
            return;
        }
        let key = (owner, Box::from(id));
        // The first call that made a task keeps it: a server cannot move a result under another call.
        if self.known.contains_key(&key) {
            return;
        }
        if self.known.len() >= TASKS_MAX
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.oldest.push_back(key.clone());
        self.known.insert(key, work);
    }

    pub(super) fn get(&self, owner: Peer, id: &str) -> Option<&Work> {
        self.known.get(&(owner, Box::from(id)))
    }
}

impl Mediator {
    /// The policy's answer about a task of `owner`.
    pub(super) fn may_follow_task(&self, owner: Peer, id: &str) -> Ruling<Access> {
        match self.tasks.get(owner, id) {
            None => denied("task/unknown", "no call of this session made such a task"),
            // The arguments of the call are gone; what it may be called with at all still counts.
            Some(Work::Item(kind, name)) => {
                match self.catalogue.why_hidden(*kind, &self.catalogue_name(*kind, name)) {
                    Some(reason) => Ruling { reason: Some(reason.clone()), ..denied("", "") },
                    None => approved(self.may_list(*kind, name, self.catalogue.annotations(name))),
                }
            }
            Some(Work::Feature(feature)) => approved(self.may_ask(feature, When::Ahead)),
        }
    }

    /// An answer went on that makes a task: it belongs to the call.
    pub(super) fn note_task(&mut self, frame: &Frame<'_>, result: Node, owner: Peer, work: Work) {
        let is_task =
            frame.get(result, "resultType").and_then(|kind| frame.text(kind)).as_deref() == Some("task");
        let task = frame.get(result, "task").or_else(|| is_task.then_some(result));
        let id = task.and_then(|task| frame.get(task, "taskId")).and_then(|id| frame.text(id));
        if let Some(id) = id {
            self.tasks.add(owner, &id, work);
        }
    }

    /// What has to go from an answer to `tasks/list`: tasks that this session did not make, or may not follow.
    ///
    /// # Errors
    /// When clients could read another list.
    pub(super) fn filter_tasks(
        &self,
        frame: &Frame<'_>,
        result: Node,
        owner: Peer,
    ) -> Result<Vec<Edit>, &'static str> {
        if frame.members(result).any(|(key, ..)| key != "tasks" && wire::folds_to(&key, "tasks")) {
            return Err("a member differs from the name of the list only in case");
        }
        let Some(tasks) = frame.get(result, "tasks") else { return Ok(Vec::new()) };
        let listed = if frame.kind(tasks) == NodeKind::Array { elements(frame, tasks) } else { None };
        let listed = listed.ok_or("it is no array of tasks")?;
        let id = |task: &Node| frame.get(*task, "taskId").and_then(|id| frame.text(id));
        let follows = |id: Cow<'_, str>| self.may_follow_task(owner, &id).verdict == Access::Allow;
        let keep: Vec<bool> = listed.iter().map(|task| id(task).is_some_and(follows)).collect();
        let spans: Vec<_> = listed.iter().map(|task| frame.span(*task)).collect();
        Ok(if keep.contains(&false) { removals(&spans, &keep) } else { Vec::new() })
    }
}

/// A call that a person had to approve was approved, or there would be no task.
fn approved(ruling: Ruling<Access>) -> Ruling<Access> {
    match ruling.verdict {
        Access::Ask => Ruling { verdict: Access::Allow, ..ruling },
        Access::Allow | Access::Deny => ruling,
    }
}

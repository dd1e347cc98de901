//! What the client may see has changed: it is told to ask again.

use super::action::{Action, Now, Peer, Turn};
use super::catalogue::ItemKind;
use super::pending::{Owner, Use};
use super::record::{Record, RecordKind};
use super::reply;
use super::session::Mediator;
use crate::verdict::Access;
use crate::wire::{Frame, Node};

/// The client key of a subscription's id.
const SUBSCRIPTION_KEY: &str = "io.modelcontextprotocol/subscriptionId";

/// Kinds of lists that clients can be told of.
const LISTS: [(&str, &[ItemKind]); 3] = [
    ("tools", &[ItemKind::Tool]),
    ("prompts", &[ItemKind::Prompt]),
    ("resources", &[ItemKind::Resource, ItemKind::Template]),
];

/// Which lists a subscription wants to hear of, in the order of [`LISTS`].
pub(super) type Opted = [bool; LISTS.len()];

/// Reads what a `subscriptions/listen` asks for.
pub(super) fn opted(frame: &Frame<'_>, params: Option<Node>) -> Opted {
    let asked = params.and_then(|params| frame.get(params, "notifications"));
    LISTS.map(|(list, _)| {
        let member = asked.and_then(|asked| frame.get(asked, &format!("{list}ListChanged")));
        member.and_then(|member| frame.boolean(member)) == Some(true)
    })
}

impl Mediator {
    /// Tells the client of lists that would look different now, under the policy in force, from what it was shown. To be
    /// called once after each [`Mediator::set_policy`].
    pub fn announce(&mut self, now: Now, actions: &mut Vec<Action>) {
        actions.clear();
        let mut turn = Turn { from: Peer::Server, bytes: 0, now, restored: 0, actions };
        if self.is_over(Peer::Client) || self.is_over(Peer::Server) {
            return;
        }
        for (at, (list, kinds)) in LISTS.iter().enumerate() {
            if kinds.iter().any(|kind| self.looks_different(*kind)) {
                self.tell_of(at, list, &mut turn);
            }
        }
    }

    /// Whether some item of this kind would be shown that was not, or the other way round. Notes what is true now.
    fn looks_different(&mut self, kind: ItemKind) -> bool {
        let mut seen = std::mem::take(&mut self.catalogue.seen);
        // Whether a definition still gives instructions is known when the client asks again.
        let mut differs = self.catalogue.has_hidden(kind);
        for ((_, name), shown) in seen.iter_mut().filter(|((of, _), _)| *of == kind) {
            let annotations = if kind == ItemKind::Tool { self.catalogue.annotations(name) } else { None };
            let shows = self.may_list(kind, name, annotations).verdict != Access::Deny;
            differs |= shows != *shown;
            *shown = shows;
        }
        self.catalogue.seen = seen;
        differs
    }

    /// One line for a client with a handshake, one for each subscription that wants to hear of it.
    fn tell_of(&self, at: usize, list: &str, turn: &mut Turn<'_>) {
        let method = format!("notifications/{list}/list_changed");
        let mut lines = Vec::new();
        if self.spoken.handshake {
            lines.push(format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#).into_bytes());
        }
        for (key, entry) in self.pending.oldest_first(Owner::Client) {
            if matches!(&entry.is_for, Use::Listening(opted) if opted.get(at) == Some(&true)) {
                let mut line = format!(
                    r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"_meta":{{"{SUBSCRIPTION_KEY}":"#
                )
                .into_bytes();
                line.extend_from_slice(&reply::id_json(key));
                line.extend_from_slice(b"}}}");
                lines.push(line);
            }
        }
        for line in lines {
            let mut record = Record::new(RecordKind::Synthesised, turn.direction(), line.len());
            record.method = Some(method.clone());
            turn.send(Peer::Client, line);
            turn.record(record);
        }
    }
}

//! What is in force, looked after between two messages, and who is told of a change.

use std::rc::Rc;

use stockade_policy::mediator::Repinned;
use tokio::sync::mpsc::Sender;

use super::Hub;
use crate::approvals::ApprovalsDistrusted;
use crate::definitions::DefinitionsUnkept;
use crate::relay::ending::Cause;
use crate::relay::in_force::News;
use crate::telemetry::{PolicyBroken, PolicyChanged, layers};

impl Hub {
    /// Where notes for the user go. The first place stays.
    pub(in super::super) fn tells(&self, notes: Sender<String>) {
        let _ = self.notes.set(notes);
    }

    /// While nobody says anything.
    pub(in super::super) fn look_meanwhile(self: &Rc<Self>) {
        let hub = Rc::clone(self);
        tokio::task::spawn_local(async move { hub.look().await });
    }

    /// Puts into force what has changed. A server that is no longer allowed ends: whoever waits is told first.
    pub(super) async fn look(&self) {
        let news = self.in_force.borrow_mut().look(&mut self.mediator.borrow_mut());
        for one in news {
            self.tell(one).await;
        }
    }

    pub(super) async fn tell(&self, news: News) {
        match news {
            News::Policy { before, denied } => {
                let (layers, full_disk) = {
                    let force = self.in_force.borrow();
                    (layers(force.policy()), force.policy().full_disk())
                };
                self.log.borrow_mut().set_full_disk(full_disk);
                self.append("policy.changed", &PolicyChanged { before: before.to_string(), layers });
                match denied {
                    Some(why) => {
                        self.breaks(Cause::PolicyStopped(why.clone()));
                        self.session_ends(&why).await;
                    }
                    None => self.announce().await,
                }
            }
            News::Broken(failure) => {
                let why = failure.to_string();
                self.note(format!(
                    "stockade: the changed policy is not used, the last good one stays in force\n{why}\n"
                ));
                self.append("policy.broken", &PolicyBroken { why });
            }
            News::Paused(pause) => {
                let by = &pause.by;
                self.note(format!(
                    "stockade: paused by {by}: what the policy would stop here passes and is recorded, until the pause ends\n"
                ));
                self.append("session.paused", &pause);
                self.announce().await;
            }
            News::Resumed(pause) => {
                self.note("stockade: the pause is over, the policy is enforced again\n".to_owned());
                self.append("session.resumed", &pause);
                self.announce().await;
            }
            News::Distrusted(why) => {
                self.note(format!("stockade: no approval counts: {why}\n"));
                self.append("approvals.distrusted", &ApprovalsDistrusted { why });
            }
            News::Definitions(pinned, repinned) => {
                if let Some(pinned) = pinned {
                    self.append("definitions.pinned", &pinned);
                }
                if repinned == Repinned::Different {
                    self.announce().await;
                }
            }
            News::Unkept(failure) => {
                let why = failure.to_string();
                self.note(format!("stockade: what this server says of its tools is not kept: {why}\n"));
                self.append("definitions.unkept", &DefinitionsUnkept { why });
            }
        }
        self.to_be_synced(true);
    }

    fn note(&self, line: String) {
        if let Some(notes) = self.notes.get() {
            // Nobody waits for a terminal or a pipe that nobody reads; it is on record as well.
            let _ = notes.try_send(line);
        }
    }
}

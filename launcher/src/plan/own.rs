//! Credentials that are a server's own job: a GitHub token is what a GitHub server works with.

use stockade_policy::rules::{OwnCredentials, SaidBy};

/// What the profile calls the server's job, and whether that holds for this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnJob {
    /// Patterns of detectors.
    pub detectors: Vec<String>,
    /// Whether it holds.
    pub standing: Standing,
}

/// Whether a server gets what its profile calls its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does; and by whose word.
    Holds(SaidBy),
    /// Somebody else may have put it in the place of the profile's server, for this reason.
    Doubted(&'static str),
}

impl Default for OwnJob {
    /// Nothing.
    fn default() -> Self {
        Self { detectors: Vec::new(), standing: Standing::Doubted("no profile was asked") }
    }
}

impl OwnJob {
    /// As the mediator takes it.
    pub fn credentials(&self) -> OwnCredentials {
        match self.standing {
            Standing::Holds(said_by) => OwnCredentials::new(&self.detectors, said_by),
            Standing::Doubted(_) => OwnCredentials::default(),
        }
    }

    /// What it comes to, in words.
    pub fn words(&self) -> String {
        match self.standing {
            Standing::Holds(SaidBy::Trusted) => {
                "no findings in messages to it, but for rules with `destinations = \"ignore\"`".to_owned()
            }
            Standing::Holds(SaidBy::User) => {
                "no findings in messages to it, but for rules with `destinations = \"ignore\"` and those of layers that do \
                 not let your profile say so"
                    .to_owned()
            }
            Standing::Doubted(why) => format!("findings all the same: {why}"),
        }
    }
}

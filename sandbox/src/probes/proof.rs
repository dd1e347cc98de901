//! What was tried, what came of it, and whether that is what was claimed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{Control, Guarantee};
use crate::{Backend, Degree, Doors, Enforcement, Files, UnixRule};

/// How this very program is started again, to play one of the parts: [`play`](super::play) gets the words that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfCommand {
    /// Absolute path of the executable. It must be readable and executable by the user.
    pub program: PathBuf,
    /// What stands before the words for [`play`](super::play).
    pub words: Vec<OsString>,
}

/// What to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How to start the parts.
    pub this: SelfCommand,
    /// Only these; empty for all.
    pub backends: Vec<Backend>,
    /// Only probes whose id holds one of these; empty for all.
    pub only: Vec<String>,
    /// Granted in the jail beside what the probes need: what a profile grants must help none of them.
    pub beside: Beside,
}

/// Grants of a profile, in the probes' jail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Its files, with what stays closed in them.
    pub files: Option<Files>,
    /// Ports that lead out and in, in the parts of the proof that have a network.
    pub doors: Doors,
    /// Unix sockets, in the same parts.
    pub unix: Vec<UnixRule>,
}

/// Why nothing was proved.
#[derive(Debug, Error)]
pub enum ProveError {
    /// The place of the probes, its listeners or its victims could not be made.
    #[error("cannot make {what}")]
    Stage {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A part could not be played.
    #[error("the probes cannot be run {place}: {why}")]
    Part {
        /// `bare`, `in namespaces`
        place: String,
        /// What it said.
        why: String,
    },
    /// There is no jail on this system.
    #[error("there is no jail for {} yet", std::env::consts::OS)]
    NoJail,
}

/// A probe, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFacts {
    /// `G1-open-rdonly`
    pub id: &'static str,
    /// What it attacks.
    pub guarantee: Guarantee,
    /// `open(O_RDONLY)`
    pub mechanism: &'static str,
    /// `a file outside of the grants`
    pub object: &'static str,
    /// What stops it.
    pub controls: &'static [Control],
    /// What this probe says about the jail.
    pub kind: Kind,
}

/// What a probe says about a jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It has to be stopped.
    Attack,
    /// It has to succeed: a jail in which nothing works would pass every attack.
    Grant,
    /// It passes, at times or in some backends, and no claim covers it: the threat model names it, and it is shown so that
    /// nobody believes otherwise.
    Residual,
}

/// What came of a probe in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It worked.
    Open {
        /// What shows it.
        evidence: String,
    },
    /// It did not.
    Stopped {
        /// `EACCES`
        how: String,
    },
    /// It did not, but not in a way that its control would show: something else is wrong.
    Doubtful {
        /// What happened.
        how: String,
    },
    /// It can't be tried here.
    NotHere {
        /// Why.
        why: String,
    },
}

impl Verdict {
    /// Whether it worked.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }
}

/// Every probe without a jail.
pub type Bare = BTreeMap<&'static str, Verdict>;

/// Every probe in one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fenced {
    /// Which.
    pub backend: Backend,
    /// Landlock's ABI in it.
    pub landlock_abi: u32,
    /// What the jail said of itself.
    pub claims: BTreeMap<Guarantee, Claim>,
    /// What happened.
    pub verdicts: BTreeMap<&'static str, Verdict>,
}

/// How far a guarantee is said to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// In full.
    Full,
    /// In part.
    Partial {
        /// What passes.
        missing: String,
    },
    /// Not at all.
    None {
        /// Why.
        why: String,
    },
}

impl Claim {
    /// Of a report.
    #[must_use]
    pub fn of(degree: &Degree) -> Self {
        match degree {
            Degree::Full => Self::Full,
            Degree::Partial { missing, .. } => Self::Partial { missing: missing.clone() },
            Degree::None { why, .. } => Self::None { why: why.clone() },
        }
    }

    /// `Full`, `Partial`, `None`
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Full => "Full",
            Self::Partial { .. } => "Partial",
            Self::None { .. } => "None",
        }
    }
}

/// What is claimed on a kernel that need not be this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Landlock's ABI.
    pub landlock_abi: u32,
    /// The first kernel that has it.
    pub kernel: &'static str,
    /// One a backend.
    pub enforcements: Vec<Enforcement>,
}

/// A backend that was not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub backend: Backend,
    /// Why.
    pub why: String,
}

/// What was measured of one guarantee in one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Every probe that works bare was stopped.
    Full {
        /// How many there were.
        probes: usize,
    },
    /// Some were not.
    Partial {
        /// How many were tried.
        probes: usize,
        /// Which were open.
        open: Vec<&'static str>,
    },
    /// None was stopped.
    None {
        /// Which were open.
        open: Vec<&'static str>,
    },
    /// No probe works bare here.
    Nothing,
}

/// One guarantee in one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Which guarantee.
    pub guarantee: Guarantee,
    /// What is claimed.
    pub claim: Claim,
    /// What is so.
    pub measured: Measured,
}

impl Cell {
    /// Claimed in full, and something passes.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.claim == Claim::Full && matches!(self.measured, Measured::Partial { .. } | Measured::None { .. })
    }
}

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// `6.18.44`
    pub kernel: String,
    /// Effective user.
    pub uid: u32,
    /// What was tried.
    pub probes: Vec<ProbeFacts>,
    /// Without a jail.
    pub bare: Bare,
    /// One a backend.
    pub fenced: Vec<Fenced>,
    /// The others.
    pub left_out: Vec<LeftOut>,
}

impl Proof {
    /// Probes that prove something here: they work without a jail.
    pub fn applicable(&self, kind: Kind) -> impl Iterator<Item = &ProbeFacts> {
        self.probes
            .iter()
            .filter(move |probe| probe.kind == kind && self.bare.get(probe.id).is_some_and(Verdict::is_open))
    }

    /// One cell a guarantee.
    #[must_use]
    pub fn cells(&self, fenced: &Fenced) -> Vec<Cell> {
        let cell = |guarantee| {
            let tried: Vec<&ProbeFacts> =
                self.applicable(Kind::Attack).filter(|probe| probe.guarantee == guarantee).collect();
            let open: Vec<&'static str> = tried
                .iter()
                .map(|probe| probe.id)
                .filter(|id| fenced.verdicts.get(id).is_some_and(Verdict::is_open))
                .collect();
            let measured = match (tried.len(), open.len()) {
                (0, _) => Measured::Nothing,
                (probes, 0) => Measured::Full { probes },
                (probes, some) if some < probes => Measured::Partial { probes, open },
                _ => Measured::None { open },
            };
            let unsaid = Claim::None { why: "the jail said nothing about it".to_owned() };
            let claim = fenced.claims.get(&guarantee).cloned().unwrap_or(unsaid);
            Cell { guarantee, claim, measured }
        };
        Guarantee::ALL.map(cell).into()
    }

    /// Claims of `Full` where something passes.
    #[must_use]
    pub fn broken(&self) -> Vec<(Backend, Cell)> {
        let mut broken = Vec::new();
        for fenced in &self.fenced {
            let cells = self.cells(fenced).into_iter().filter(Cell::is_broken);
            broken.extend(cells.map(|cell| (fenced.backend, cell)));
        }
        broken
    }

    /// Probes in a jail that were not stopped by what should stop them, or of which nothing is known.
    #[must_use]
    pub fn doubtful(&self) -> Vec<(Backend, &'static str, String)> {
        let mut doubtful = Vec::new();
        for fenced in &self.fenced {
            let attacks = self.applicable(Kind::Attack).filter_map(|probe| {
                let how = match fenced.verdicts.get(probe.id) {
                    Some(Verdict::Open { .. } | Verdict::Stopped { .. }) => return None,
                    Some(Verdict::Doubtful { how }) => how.clone(),
                    Some(Verdict::NotHere { why }) => format!("could not be tried in the jail: {why}"),
                    None => "was not tried".to_owned(),
                };
                Some((fenced.backend, probe.id, how))
            });
            doubtful.extend(attacks);
        }
        doubtful
    }

    /// Granted deeds that do not work in a jail: what was stopped there may have been stopped for the same reason.
    #[must_use]
    pub fn void(&self) -> Vec<(Backend, &'static str, String)> {
        let mut void = Vec::new();
        for fenced in &self.fenced {
            let grants = self.applicable(Kind::Grant).filter_map(|probe| {
                let how = match fenced.verdicts.get(probe.id) {
                    // What a backend can't carry at all is not granted in it.
                    Some(Verdict::Open { .. } | Verdict::NotHere { .. }) => return None,
                    Some(Verdict::Stopped { how } | Verdict::Doubtful { how }) => how.clone(),
                    None => "was not tried".to_owned(),
                };
                Some((fenced.backend, probe.id, how))
            });
            void.extend(grants);
        }
        void
    }

    /// Whether every claim holds and the jails were not simply too small for anything.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.broken().is_empty() && self.void().is_empty() && !self.fenced.is_empty()
    }
}

#[cfg(test)]
mod tests;

//! A row of the table.

use std::io;

use super::scene::Scene;
use crate::probes::{Control, Guarantee, ProbeFacts, proof::Kind};

/// What a deed came back with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It worked, and this is what it got.
    Text(String),
    /// The call succeeded; what it did can only be seen from outside.
    Done,
    /// The call was refused.
    Errno(i32),
    /// It failed in another way.
    Odd(String),
    /// It can't be tried here.
    Unfit(String),
    /// The process was killed by this signal.
    Died(i32),
    /// It did not come back in time.
    Silent,
}

/// Why a deed did not work, for `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    Errno(i32),
    Odd(String),
    Unfit(String),
}

/// What a deed gives back.
pub(super) type Deed = fn(&Scene) -> Result<Seen, Failed>;

/// What a deed that worked shows for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// What it got.
    Text(String),
    /// Nothing: see outside.
    Done,
}

/// Who says whether a probe worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witness {
    /// The secret of this run, which only the conductor knows, is in what the deed got.
    Secret,
    /// The deed itself.
    Itself,
    /// The probe's own files outside of the grants, which are no longer what they were.
    Files,
    /// The probe's own repository, of which the hooks are no longer what they were.
    Project,
    /// The probe's own victim, which is no longer what it was.
    Victim,
    /// A listener outside, which heard the probe's id.
    Listener,
    /// A process that is left when the session is over.
    Survivor,
}

/// What a probe needs to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// The session of all others.
    Shared,
    /// The same, and once more in a jail with a brokered network.
    Network,
    /// A session of its own, since it may end it.
    Alone,
    /// A session in which nothing else is done, and which ends with the server.
    ServerEnds,
    /// A session that ends by SIGKILL of its launcher.
    LauncherKilled,
}

/// One probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) id: &'static str,
    pub(super) guarantee: Guarantee,
    pub(super) mechanism: &'static str,
    pub(super) object: &'static str,
    pub(super) controls: &'static [Control],
    pub(super) kind: Kind,
    /// With which errno the controls stop it.
    pub(super) errnos: &'static [i32],
    pub(super) witness: Witness,
    pub(super) setting: Setting,
    pub(super) victim: bool,
    pub(super) deed: Deed,
}

impl Probe {
    /// An attack.
    pub(super) const fn new(guarantee: Guarantee, id: &'static str, deed: Deed) -> Self {
        Self {
            id,
            guarantee,
            mechanism: "",
            object: "",
            controls: &[],
            kind: Kind::Attack,
            errnos: &[],
            witness: Witness::Itself,
            setting: Setting::Shared,
            victim: false,
            deed,
        }
    }

    /// What is done, and to what.
    pub(super) const fn tries(mut self, mechanism: &'static str, object: &'static str) -> Self {
        self.mechanism = mechanism;
        self.object = object;
        self
    }

    /// What stops it, and with which errnos.
    pub(super) const fn stopped(mut self, controls: &'static [Control], errnos: &'static [i32]) -> Self {
        self.controls = controls;
        self.errnos = errnos;
        self
    }

    pub(super) const fn seen_by(mut self, witness: Witness) -> Self {
        self.witness = witness;
        self
    }

    pub(super) const fn in_setting(mut self, setting: Setting) -> Self {
        self.setting = setting;
        self
    }

    /// With a process of its own to attack.
    pub(super) const fn with_victim(mut self) -> Self {
        self.victim = true;
        self
    }

    pub(super) const fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) fn facts(&self) -> ProbeFacts {
        ProbeFacts {
            id: self.id,
            guarantee: self.guarantee,
            mechanism: self.mechanism,
            object: self.object,
            controls: self.controls,
            kind: self.kind,
        }
    }
}

impl From<Result<Seen, Failed>> for Said {
    fn from(result: Result<Seen, Failed>) -> Self {
        match result {
            Ok(Seen::Text(text)) => Self::Text(text),
            Ok(Seen::Done) => Self::Done,
            Err(Failed::Errno(errno)) => Self::Errno(errno),
            Err(Failed::Odd(text)) => Self::Odd(text),
            Err(Failed::Unfit(why)) => Self::Unfit(why),
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Self::Errno(errno),
            None => Self::Odd(error.to_string()),
        }
    }
}

impl From<nix::errno::Errno> for Failed {
    fn from(errno: nix::errno::Errno) -> Self {
        Self::Errno(errno as i32)
    }
}

impl Said {
    /// One line, as it travels from the jail.
    pub(super) fn line(&self) -> String {
        let flat = |text: &str| text.replace(['\n', '\r', '\0'], " ");
        match self {
            Self::Text(text) => format!("text {}", flat(text)),
            Self::Done => "done".to_owned(),
            Self::Errno(errno) => format!("errno {errno}"),
            Self::Odd(text) => format!("odd {}", flat(text)),
            Self::Unfit(why) => format!("unfit {}", flat(why)),
            Self::Died(signal) => format!("died {signal}"),
            Self::Silent => "silent".to_owned(),
        }
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "text" => Self::Text(rest.to_owned()),
            "done" => Self::Done,
            "errno" => Self::Errno(rest.parse().ok()?),
            "odd" => Self::Odd(rest.to_owned()),
            "unfit" => Self::Unfit(rest.to_owned()),
            "died" => Self::Died(rest.parse().ok()?),
            "silent" => Self::Silent,
            _ => return None,
        })
    }
}

//! Exit codes: one table for all verbs.

use std::process::ExitCode;

/// How `stockade` ends. `run` passes the server's own code through ([`Exit::Server`]); its own failures use 125–127 as
/// env(1) does, the other verbs use the codes of sysexits.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, and in order.
    Ok,
    /// 1: the thing that was checked is not in order (`demo`, `doctor`, `policy check` …).
    NotInOrder,
    /// 64: the command line is wrong.
    Usage,
    /// 70: a defect in Stockade itself, or the system failed us.
    Software,
    /// 77: a permission is missing.
    NoPermission,
    /// 78: a file that steers Stockade is wrong.
    Config,
    /// 125: `run` itself failed; the server was not started or had to be stopped.
    RunFailed,
    /// 126: the server's program cannot be executed.
    NotExecutable,
    /// 127: the server's program does not exist.
    NotFound,
    /// The server's own exit code, or 128+N if signal N ended it.
    Server(u8),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::NotInOrder => 1,
            Self::Usage => 64,
            Self::Software => 70,
            Self::NoPermission => 77,
            Self::Config => 78,
            Self::RunFailed => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
            Self::Server(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

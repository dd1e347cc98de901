//! What a person is told when something fails: what failed, why, and the way on.

use std::error::Error as StdError;
use std::fmt;

use stockade_policy::document::Mistakes;
use stockade_sandbox::SpawnError;

use crate::exit::Exit;

/// What kind of failure: decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line asks for something that cannot be.
    Usage,
    /// A policy, profile or client config is wrong.
    Config,
    /// A permission is missing, or policy forbids it.
    Permission,
    /// The program to start does not exist.
    NotFound,
    /// The program to start cannot be executed.
    NotExecutable,
    /// Everything else.
    Software,
}

/// A failure as a person sees it: `error:`, `caused by:`, `hint:`.
#[derive(Debug)]
pub struct Failure {
    /// Kind.
    pub kind: Kind,
    /// What failed: lowercase, no full stop.
    pub what: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without causes and hints.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Adds an error and all its sources as causes.
    #[must_use]
    pub fn because(mut self, error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// Adds a cause in words.
    #[must_use]
    pub fn cause(mut self, why: impl Into<String>) -> Self {
        self.causes.push(why.into());
        self
    }

    /// Adds a remedy.
    #[must_use]
    pub fn hint(mut self, remedy: impl Into<String>) -> Self {
        self.hints.push(remedy.into());
        self
    }

    /// The exit code outside of `run`.
    pub fn exit(&self) -> Exit {
        match self.kind {
            Kind::Usage => Exit::Usage,
            Kind::Config => Exit::Config,
            Kind::Permission => Exit::NoPermission,
            Kind::NotFound => Exit::NotFound,
            Kind::NotExecutable => Exit::NotExecutable,
            Kind::Software => Exit::Software,
        }
    }

    /// The exit code of `run`: 125 for all that is ours.
    pub fn run_exit(&self) -> Exit {
        match self.kind {
            Kind::NotFound => Exit::NotFound,
            Kind::NotExecutable => Exit::NotExecutable,
            _ => Exit::RunFailed,
        }
    }

    /// Writes the failure to stderr; a closed stderr is no reason to fail again.
    pub fn report(&self) {
        use std::io::Write;
        let _ = writeln!(std::io::stderr().lock(), "{self}");
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        for cause in &self.causes {
            let mut lines = cause.lines();
            write!(f, "\ncaused by: {}", lines.next().unwrap_or_default())?;
            for line in lines {
                write!(f, "\n           {line}")?;
            }
        }
        if !self.hints.is_empty() {
            writeln!(f)?;
        }
        for hint in &self.hints {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        let count = mistakes.mistakes.len();
        let plural = if count == 1 { "mistake" } else { "mistakes" };
        Self::new(Kind::Config, format!("{} has {count} {plural}", mistakes.file))
            .cause(mistakes.to_string())
            .hint("mend the lines above; nothing was started or changed")
    }
}

impl From<SpawnError> for Failure {
    fn from(error: SpawnError) -> Self {
        let (kind, hint) = match &error {
            SpawnError::NotEnforceable { remedy, .. } => (Kind::Permission, remedy.clone()),
            SpawnError::NotFound { .. } => {
                (Kind::NotFound, "check the name and PATH; the first word after `--` is the server's program".to_owned())
            }
            SpawnError::NotExecutable { .. } => (
                Kind::NotExecutable,
                "check its execute permission, its `#!` line, and that the profile grants it for execution (`--explain`)"
                    .to_owned(),
            ),
            SpawnError::Step { .. } | SpawnError::Threaded { .. } => {
                (Kind::Software, "`stockade doctor` says what this host can enforce".to_owned())
            }
        };
        Self::new(kind, "the server was not started").because(&error).hint(hint)
    }
}

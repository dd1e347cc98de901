//! A throw-away world for one `stockade`: home, state, configuration and project of its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{fixture, python, stockade_bin};

/// Directories that nobody else uses; gone when dropped.
#[derive(Debug)]
pub(crate) struct World {
    root: TempDir,
}

impl World {
    /// An empty world: no policy, no profile, no state.
    pub(crate) fn new() -> Self {
        let root =
            tempfile::Builder::new().prefix("stockade-world.").tempdir().expect("a temporary directory");
        for name in ["home", "project", "config/stockade", "state"] {
            std::fs::create_dir_all(root.path().join(name)).expect("a directory in it");
        }
        Self { root }
    }

    /// The world's own directory.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// `HOME`.
    pub(crate) fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// The working directory.
    pub(crate) fn project(&self) -> PathBuf {
        self.root().join("project")
    }

    /// `XDG_STATE_HOME`.
    pub(crate) fn state(&self) -> PathBuf {
        self.root().join("state")
    }

    /// Writes the user's policy, found without a flag.
    pub(crate) fn user_policy(&self, text: &str) {
        self.write("config/stockade/policy.toml", text);
    }

    /// Writes a file below the world's directory.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("its directory");
        }
        std::fs::write(&path, text).expect("the file can be written");
        path
    }

    /// `stockade WORDS…` in this world: environment from nothing, stdin closed, stdout and stderr piped.
    pub(crate) fn stockade<I, W>(&self, words: I) -> Command
    where
        I: IntoIterator<Item = W>,
        W: Into<OsString>,
    {
        let mut command = Command::new(stockade_bin());
        command.args(words.into_iter().map(Into::into));
        self.dress(&mut command);
        command
    }

    /// Gives any command this world's environment, working directory and pipes.
    pub(crate) fn dress(&self, command: &mut Command) {
        command.env_clear();
        command.envs([
            ("HOME", self.home()),
            ("XDG_STATE_HOME", self.state()),
            ("XDG_CONFIG_HOME", self.root().join("config")),
        ]);
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8");
        command.current_dir(self.project());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
}

/// The command line of a scripted Python server.
pub(crate) fn fixture_command(name: &str, arguments: &[&str]) -> Vec<OsString> {
    let mut words = vec![python().into_os_string(), fixture(name).into_os_string()];
    words.extend(arguments.iter().map(OsString::from));
    words
}

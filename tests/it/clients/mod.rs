//! `wrap` and `unwrap` on the configs of real clients, before and after.

mod add;
mod awkward;
mod census;
mod meanwhile;
mod moved;
mod projects;
mod real;
mod roundtrip;
mod secrets;
mod started;
mod status;
mod who;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program under test.
pub(crate) const STOCKADE: &str = env!("CARGO_BIN_EXE_stockade");

/// A client's config: where it is below the home, what is in it, and what it becomes.
pub(crate) struct Fixture {
    pub(crate) client: &'static str,
    pub(crate) path: &'static str,
    pub(crate) before: &'static [u8],
    after: &'static str,
}

pub(crate) const FIXTURES: [Fixture; 3] = [
    Fixture {
        client: "claude-desktop",
        path: ".config/Claude/claude_desktop_config.json",
        before: include_bytes!("../../cases/clients/claude-desktop.json"),
        after: include_str!("../../cases/clients/claude-desktop.wrapped.json"),
    },
    Fixture {
        client: "claude-code",
        path: ".claude.json",
        before: include_bytes!("../../cases/clients/claude-code.json"),
        after: include_str!("../../cases/clients/claude-code.wrapped.json"),
    },
    Fixture {
        client: "cursor",
        path: ".cursor/mcp.json",
        before: include_bytes!("../../cases/clients/cursor.json"),
        after: include_str!("../../cases/clients/cursor.wrapped.json"),
    },
];

impl Fixture {
    /// What `wrap` makes of it, if the program is called by `launcher`.
    pub(crate) fn after(&self, launcher: &str) -> String {
        self.after.replace("@STOCKADE@", launcher)
    }
}

/// A home directory that is thrown away.
pub(crate) struct Home(tempfile::TempDir);

/// What a command printed, and how it ended.
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Home {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With the configs of all three clients.
    pub(crate) fn furnished() -> Self {
        let home = Self::empty();
        for fixture in &FIXTURES {
            home.write(fixture.path, fixture.before);
        }
        home
    }

    /// With a config of Cursor.
    pub(crate) fn with_cursor(text: &str) -> Self {
        let home = Self::empty();
        home.write(".cursor/mcp.json", text.as_bytes());
        home
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    pub(crate) fn write(&self, below: &str, bytes: &[u8]) {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, below: &str) -> String {
        String::from_utf8(std::fs::read(self.path(below)).unwrap()).unwrap()
    }

    pub(crate) fn cursor(&self) -> String {
        self.read(".cursor/mcp.json")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path(".local/state/stockade")
    }

    /// A command in this home, with nothing of our own environment.
    pub(crate) fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env_clear().env("HOME", self.0.path()).env("PATH", "/usr/bin:/bin");
        command.current_dir(self.0.path());
        command
    }

    pub(crate) fn stockade(&self, args: &[&str]) -> Said {
        Said::from(self.command(Path::new(STOCKADE), args).output().unwrap())
    }

    /// All paths below the home.
    pub(crate) fn tree(&self) -> Vec<PathBuf> {
        let mut open = vec![self.0.path().to_owned()];
        let mut found = Vec::new();
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                }
                found.push(entry.path());
            }
        }
        found.sort();
        found
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }
}

//! What a deed finds: places, ports and victims, read from a file that its jail grants.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::patience::Patience;
use super::probe::{Failed, Seen};
use crate::os::sys::{Side, SingleThreaded, Waited, exit_now, fork, wait};

/// Descriptors that a careless launcher leaves open for its children.
pub(super) const LEFT_FILE: i32 = 200;
/// A directory above everything of the stage.
pub(super) const LEFT_DIRECTORY: i32 = 201;
/// A connection to the listener outside.
pub(super) const LEFT_TCP: i32 = 202;
/// A connection to a Unix socket.
pub(super) const LEFT_UNIX: i32 = 203;
/// The terminal.
pub(super) const LEFT_TERMINAL: i32 = 204;
/// A file open for writing.
pub(super) const LEFT_WRITABLE: i32 = 205;

/// An extended attribute that everybody who owns a file may set.
pub(super) const ATTRIBUTE: &std::ffi::CStr = c"user.stockade";

/// The names of the stage's directories, below its root.
pub(super) const CLOSED: &str = "closed";
pub(super) const READ: &str = "read";
pub(super) const WRITE: &str = "write";
pub(super) const HOME: &str = "home";
pub(super) const PROJECT: &str = "project";
pub(super) const FACTS: &str = "stage";

/// A process to attack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) pid: i32,
    /// Where its memory holds the secret.
    pub(super) address: u64,
    /// Under which number it holds a file open with the secret in it.
    pub(super) fd: i32,
    /// How long the secret is.
    pub(super) length: usize,
}

/// What one deed finds.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) id: &'static str,
    pub(super) proof: SingleThreaded,
    pub(super) patience: Patience,
    root: PathBuf,
    facts: BTreeMap<String, String>,
}

impl Scene {
    /// Reads `key value` lines.
    pub(super) fn read(stage: &Path, id: &'static str) -> io::Result<Self> {
        let proof = SingleThreaded::check().map_err(|why| io::Error::other(format!("{why:?}")))?;
        let text = fs::read_to_string(stage.join(READ).join(FACTS))?;
        let patience = Patience::of(&text)?;
        let facts = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Ok(Self { id, proof, patience, root: stage.to_owned(), facts })
    }

    /// A fact of the stage's.
    pub(super) fn fact(&self, key: &str) -> Result<&str, Failed> {
        let unfit = || Failed::Unfit(format!("there is no {key} here"));
        self.facts.get(key).map(String::as_str).ok_or_else(unfit)
    }

    /// A fact that is a number.
    pub(super) fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T, Failed> {
        let odd = || Failed::Odd(format!("{key} is no number"));
        self.fact(key)?.parse().map_err(|_| odd())
    }

    /// Outside of every grant, for this probe alone: holds `secret`, `tool`, `empty` and a name that is the secret.
    pub(super) fn foreign(&self) -> PathBuf {
        self.root.join(CLOSED).join(self.id)
    }

    /// A file in it.
    pub(super) fn secret(&self) -> PathBuf {
        self.foreign().join("secret")
    }

    /// Granted for reading, for this probe alone: holds `file` and `tool`.
    pub(super) fn readable(&self) -> PathBuf {
        self.root.join(READ).join(self.id)
    }

    /// Granted for writing, for this probe alone: holds `mine`.
    pub(super) fn own(&self) -> PathBuf {
        self.root.join(WRITE).join(self.id)
    }

    /// A granted home with closed places in it.
    pub(super) fn home(&self) -> PathBuf {
        self.root.join(HOME)
    }

    /// A granted project tree with closed places in it.
    pub(super) fn project(&self) -> PathBuf {
        self.root.join(PROJECT)
    }

    /// A repository of this probe's own in the project tree, of which the hooks are closed for writing.
    pub(super) fn repository(&self) -> PathBuf {
        self.project().join(self.id)
    }

    /// Outside of every grant.
    pub(super) fn closed(&self) -> PathBuf {
        self.root.join(CLOSED)
    }

    /// The whole stage.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// This probe's victim.
    pub(super) fn target(&self) -> Result<Target, Failed> {
        let odd = || Failed::Odd("the victim can't be read".to_owned());
        let text = self.fact(&format!("victim.{}", self.id))?;
        let mut words = text.split(' ');
        let mut next = || words.next().ok_or_else(odd);
        let number = |word: &str| word.parse::<u64>().map_err(|_| odd());
        let small = |word: &str| word.parse::<i32>().map_err(|_| odd());
        Ok(Target {
            pid: small(next()?)?,
            address: number(next()?)?,
            fd: small(next()?)?,
            length: usize::try_from(number(next()?)?).map_err(|_| odd())?,
        })
    }

    /// This program, to be started again in a part.
    pub(super) fn this_program(&self) -> Result<Vec<String>, Failed> {
        Ok(self.fact("program")?.split('\t').map(str::to_owned).collect())
    }

    /// Asks the conductor for something; it answers by doing it.
    pub(super) fn ask(&self, what: &str) -> Result<(), Failed> {
        let mut stdout = io::stdout();
        writeln!(stdout, "ask {} {what}", self.id)?;
        Ok(stdout.flush()?)
    }

    /// What the secret's listeners wait for: this probe's name.
    pub(super) fn message(&self) -> Vec<u8> {
        format!("<{}>", self.id).into_bytes()
    }

    /// The exit code of a process of our own that does this.
    pub(super) fn in_child(&self, deed: impl FnOnce() -> i32) -> Result<i32, Failed> {
        match fork(&self.proof)? {
            Side::Child => exit_now(deed()),
            Side::Parent(child) => exit_code(child),
        }
    }
}

/// Waits for a child.
pub(super) fn exit_code(child: i32) -> Result<i32, Failed> {
    match wait(child, 0)? {
        Waited::Ended(_, status) if libc::WIFEXITED(status) => Ok(libc::WEXITSTATUS(status)),
        Waited::Ended(_, status) => {
            Err(Failed::Odd(format!("a child died of signal {}", libc::WTERMSIG(status))))
        }
        Waited::Running | Waited::NoChild => Err(Failed::Odd("a child is lost".to_owned())),
    }
}

/// The first bytes of a file.
pub(super) fn contents(path: impl AsRef<Path>) -> Result<Seen, Failed> {
    let bytes = fs::read(path)?;
    Ok(text(&bytes))
}

/// What was got.
pub(super) fn text(bytes: &[u8]) -> Seen {
    const SHOWN_BYTES_MAX: usize = 64 * 1024;
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    Seen::Text(String::from_utf8_lossy(shown).into_owned())
}

/// For calls that take a path.
pub(super) fn c(path: impl AsRef<OsStr>) -> Result<CString, Failed> {
    CString::new(path.as_ref().as_bytes()).map_err(|_| Failed::Odd("a NUL in a path".to_owned()))
}

/// Numbers as the kernel reads them.
pub(super) fn longs(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

//! Asking for a jail, a probe in it, and the same probe outside.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Which backend a test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Namespaces,
    Notify,
    Static,
}

impl Backend {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Notify => "notify",
            Self::Static => "static",
        }
    }
}

/// What a probe said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It worked, with this result.
    Ok(String),
    /// The call failed.
    Errno(i32),
    /// It said nothing; all of what was printed.
    Silent(String),
}

impl Answer {
    fn read(printed: &str) -> Self {
        for line in printed.lines() {
            if let Some(text) = line.strip_prefix("@ok ") {
                return Self::Ok(text.to_owned());
            }
            if let Some(errno) = line.strip_prefix("@errno ") {
                return Self::Errno(errno.parse().expect("an errno"));
            }
        }
        Self::Silent(printed.to_owned())
    }

    pub(crate) fn is_ok(&self) -> bool {
        matches!(self, Self::Ok(_))
    }

    /// The text of a probe that worked.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        match self {
            Self::Ok(text) => text,
            other => panic!("the probe failed: {other:?}"),
        }
    }
}

/// A jail to be.
#[derive(Clone, Debug)]
pub(crate) struct Jail {
    options: Vec<OsString>,
}

impl Jail {
    /// What every program needs: the system's directories and this binary.
    pub(crate) fn new(backend: Backend) -> Self {
        Self::bare(backend.word())
            .exec("/usr")
            .exec("/bin")
            .exec("/lib")
            .exec("/lib64")
            .exec("/etc/ld.so.cache")
            .exec(this_binary())
            .write("/dev/null")
    }

    pub(crate) fn bare(backend: &str) -> Self {
        Self { options: Vec::new() }.option("--backend", backend)
    }

    pub(crate) fn option(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.options.push(name.into());
        self.options.push(value.into());
        self
    }

    pub(crate) fn read(self, path: impl AsRef<Path>) -> Self {
        self.option("--read", canonical(path.as_ref()))
    }

    pub(crate) fn exec(self, path: impl AsRef<Path>) -> Self {
        self.option("--exec", canonical(path.as_ref()))
    }

    pub(crate) fn write(self, path: impl AsRef<Path>) -> Self {
        self.option("--write", canonical(path.as_ref()))
    }

    /// A launcher that starts `words` in this jail, not yet started itself.
    pub(crate) fn launcher<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new(this_binary());
        command.arg("__jail").args(&self.options).arg("--").args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `words` to their end.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, words: &[S]) -> Run {
        Run::from(self.launcher(words).output().expect("the launcher starts"))
    }

    /// Runs a probe in it.
    pub(crate) fn probe(&self, words: &[&str]) -> Answer {
        let binary = this_binary();
        let mut all = vec![binary.to_str().expect("a path"), "__probe"];
        all.extend(words);
        Answer::read(&self.run(&all).printed)
    }

    /// Runs a probe in it, and keeps what its launcher said besides.
    pub(crate) fn probed(&self, words: &[&str]) -> (Answer, Run) {
        let binary = this_binary();
        let mut all = vec![binary.to_str().expect("a path"), "__probe"];
        all.extend(words);
        let run = self.run(&all);
        (Answer::read(&run.printed), run)
    }

    /// `sh -c SCRIPT` in it.
    pub(crate) fn shell(&self, script: &str) -> Run {
        self.run(&["/bin/sh", "-c", script])
    }
}

/// Links in a grant are not followed, and /bin is one on most systems. What isn't there stays as it is.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The same probe without a jail.
pub(crate) fn outside(words: &[&str]) -> Answer {
    let output = Command::new(this_binary()).arg("__probe").args(words).output();
    Answer::read(&Run::from(output.expect("the probe starts")).printed)
}

/// What a launcher printed: its own lines begin with `@`, the rest is the server's.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) printed: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
        printed.push_str(&String::from_utf8_lossy(&output.stderr));
        Self { printed }
    }
}

impl Run {
    /// The rest of the line that begins with `@WORD `.
    pub(crate) fn line(&self, word: &str) -> Option<&str> {
        line_of(&self.printed, word)
    }

    /// All such lines.
    pub(crate) fn lines(&self, word: &str) -> Vec<&str> {
        self.printed
            .lines()
            .filter_map(|line| line.strip_prefix('@')?.strip_prefix(word)?.strip_prefix(' '))
            .collect()
    }

    /// As [`Run::line`], which must be there.
    #[track_caller]
    pub(crate) fn expect(&self, word: &str) -> &str {
        self.line(word).unwrap_or_else(|| panic!("no @{word} in:\n{}", self.printed))
    }
}

pub(crate) fn line_of<'a>(printed: &'a str, word: &str) -> Option<&'a str> {
    printed.lines().find_map(|line| line.strip_prefix('@')?.strip_prefix(word)?.strip_prefix(' '))
}

pub(crate) fn this_binary() -> PathBuf {
    std::env::current_exe().expect("our own path")
}

/// What this host can enforce.
pub(crate) fn host() -> Run {
    Run::from(Command::new(this_binary()).arg("__host").output().expect("starts"))
}

/// Whether a backend works on this host; why not.
pub(crate) fn usable(backend: Backend) -> Result<(), String> {
    let run = Jail::new(backend).run(&["/bin/true"]);
    match (run.line("backend"), run.line("error")) {
        (Some(word), _) if word == backend.word() => Ok(()),
        (_, Some(why)) => Err(why.to_owned()),
        _ => Err(run.printed),
    }
}

/// Whether the `namespaces` backend works on this host, asked of the crate itself.
pub(crate) fn namespaces_usable() -> Result<(), String> {
    let run = host();
    match run.expect("namespaces") {
        "ok" => Ok(()),
        why => Err(why.to_owned()),
    }
}

/// Processes whose command line holds `mark`, without zombies.
pub(crate) fn processes_with(mark: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).split('\0').any(|word| word == mark) {
            found.push(pid);
        }
    }
    found
}

/// So many times as long as usual is waited on this host, as whoever starts the tests says of an emulated one.
fn patience() -> u32 {
    std::env::var("STOCKADE_PROBES_PATIENCE").map_or(1, |word| word.parse().expect("a number"))
}

/// Waits up to five seconds.
pub(crate) fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) * patience() {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    holds()
}

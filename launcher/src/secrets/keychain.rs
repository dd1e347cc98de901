//! The system's keychain, asked in a process of its own: what speaks to it (D-Bus, on Linux) may start threads and wait for a person, and a
//! launcher must have a single thread when it forks, little memory, and an end to its waiting.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};

use super::store;
use crate::exit::Exit;

/// A keychain that is locked asks its user, who needs a moment; clients give a server some 30 to 60 seconds to start.
const WAIT: Duration = Duration::from_secs(25);

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    /// What lies under these names.
    Get {
        /// The names.
        names: Vec<String>,
    },
    /// Keep this.
    Set {
        /// Under which name.
        name: String,
        /// What.
        item: String,
    },
    /// Remove what lies there.
    Delete {
        /// Under which name.
        name: String,
    },
}

/// What comes back: a text for every name asked for, or why not.
pub(super) type Answer = Result<Vec<Option<String>>, String>;

/// Why the keychain gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeychainError {
    /// There is nobody to ask.
    #[error("the keychain cannot be reached: there is no session bus (D-Bus) of this user")]
    NoBus,
    /// It says no.
    #[error("the keychain cannot be used: {0}")]
    Refused(String),
    /// It says nothing.
    #[error("the keychain did not answer within {} s", WAIT.as_secs())]
    Silent,
    /// The question could not be asked.
    #[error("the keychain cannot be asked")]
    Helper(#[source] std::io::Error),
}

impl KeychainError {
    /// What to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::NoBus => {
                "log in at the desktop, or start a bus with a Secret Service on it (gnome-keyring, KWallet, KeePassXC); \
                 DBUS_SESSION_BUS_ADDRESS names one elsewhere"
            }
            Self::Refused(_) => {
                "a Secret Service has to run and be unlocked (gnome-keyring, KWallet, KeePassXC); unlock it and try again"
            }
            Self::Silent => "it may wait for you to unlock it: look for its window, and try again",
            Self::Helper(_) => "is the stockade program still where it was started from?",
        }
    }
}

/// Asks, in another process.
pub(super) fn ask(op: &Op) -> Result<Vec<Option<String>>, KeychainError> {
    let bus = bus().ok_or(KeychainError::NoBus)?;
    let question = serde_json::to_vec(op).map_err(|error| KeychainError::Helper(error.into()))?;
    let program = std::env::current_exe().map_err(KeychainError::Helper)?;
    let mut command = Command::new(program);
    command.arg("keychain-step").env_clear().env("DBUS_SESSION_BUS_ADDRESS", bus);
    command.envs(
        ["HOME", "XDG_RUNTIME_DIR"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(KeychainError::Helper)?;
    let answer = talk(&mut child, &question);
    if answer.is_err() {
        let _ = child.kill();
    }
    let _ = child.wait();
    let answer: Answer = serde_json::from_slice(&answer?)
        .map_err(|_| KeychainError::Refused("what asks it ended without a word".to_owned()))?;
    answer.map_err(KeychainError::Refused)
}

fn talk(child: &mut Child, question: &[u8]) -> Result<Vec<u8>, KeychainError> {
    let gone = || KeychainError::Helper(std::io::Error::other("it has no pipes"));
    let mut stdin = child.stdin.take().ok_or_else(gone)?;
    stdin.write_all(question).map_err(KeychainError::Helper)?;
    drop(stdin);
    let mut stdout = child.stdout.take().ok_or_else(gone)?;
    let end = Instant::now() + WAIT;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return Err(KeychainError::Silent),
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(KeychainError::Helper(error.into())),
            Ok(_) => {}
        }
        match stdout.read(&mut part).map_err(KeychainError::Helper)? {
            0 => return Ok(answer),
            length => answer.extend(&part[..length]),
        }
    }
}

/// The address of the session bus: clients often start servers without the variable that says it, so the usual socket is looked for.
fn bus() -> Option<OsString> {
    if let Some(address) = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").filter(|address| !address.is_empty())
    {
        return Some(address);
    }
    let uid = nix::unistd::getuid().as_raw();
    let places =
        [std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from), Some(format!("/run/user/{uid}").into())];
    let socket = places.into_iter().flatten().map(|place| place.join("bus")).find(|path| {
        path.is_absolute()
            && std::fs::metadata(path).is_ok_and(|facts| facts.file_type().is_socket() && facts.uid() == uid)
    })?;
    let mut address = OsString::from("unix:path=");
    address.push(socket);
    Some(address)
}

/// The other process: one question on stdin, one answer on stdout.
pub(crate) fn step() -> Exit {
    let mut question = Vec::new();
    let answer: Answer = match std::io::stdin().read_to_end(&mut question) {
        Ok(_) => serde_json::from_slice(&question)
            .map_err(|error| error.to_string())
            .and_then(|op| store::answer(&op)),
        Err(error) => Err(error.to_string()),
    };
    let text = serde_json::to_vec(&answer).unwrap_or_default();
    match std::io::stdout().write_all(&text) {
        Ok(()) => Exit::Ok,
        Err(_) => Exit::Software,
    }
}

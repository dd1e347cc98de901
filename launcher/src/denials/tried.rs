//! What was tried, as plain data that an event can hold and be read back from.

use std::path::{Path, PathBuf};

use serde_json::Value;
use stockade_sandbox::{Access, Denied};

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// Anything else that is there.
    File,
    /// Nothing yet: it was to be created.
    New,
}

/// Something that a program tried and the jail refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tried {
    /// A file was opened or executed.
    File {
        /// Links resolved.
        path: PathBuf,
        /// How.
        access: Access,
        /// What is there.
        kind: FileKind,
    },
    /// A system call of the deny list.
    SystemCall {
        /// `ptrace`
        name: String,
    },
    /// A socket.
    Socket {
        /// `AF_PACKET`
        family: String,
        /// `SOCK_RAW`
        kind: String,
    },
    /// A Unix socket by path, or by abstract name with `@` in front.
    UnixSocket {
        /// Where.
        path: PathBuf,
    },
    /// Listening on a TCP port.
    Listen {
        /// Which.
        port: u16,
    },
    /// A destination of the network, in the broker's words.
    Network {
        /// `api.example.org:443`, or a name alone.
        what: String,
    },
    /// A web page, to be opened in the user's browser.
    Page {
        /// Without query and fragment.
        page: String,
    },
}

impl From<Denied> for Tried {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::SystemCall { name } => Self::SystemCall { name: name.to_owned() },
            Denied::Socket { family, kind } => Self::Socket { family, kind },
            Denied::UnixSocket { path } => Self::UnixSocket { path },
            Denied::Listen { port } => Self::Listen { port },
        }
    }
}

impl Tried {
    /// The word for its kind in events.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::SystemCall { .. } => "system-call",
            Self::Socket { .. } => "socket",
            Self::UnixSocket { .. } => "unix-socket",
            Self::Listen { .. } => "listen",
            Self::Network { .. } => "network",
            Self::Page { .. } => "page",
        }
    }

    /// What it was tried on: path, name, port, host.
    pub fn target(&self) -> String {
        match self {
            Self::File { path, .. } | Self::UnixSocket { path } => shown(path),
            Self::SystemCall { name } => name.clone(),
            Self::Socket { family, kind } => format!("{family} {kind}"),
            Self::Listen { port } => port.to_string(),
            Self::Network { what } => what.clone(),
            Self::Page { page } => page.clone(),
        }
    }

    /// In words: `read /home/u/notes`, `connect to api.example.org:443`.
    pub fn words(&self) -> String {
        let verb = match self {
            Self::File { access, kind, .. } => match (access, kind) {
                (Access::Read, FileKind::Directory) => "list",
                (Access::Read, _) => "read",
                (Access::ReadExecute, _) => "execute",
                (Access::ReadWrite, FileKind::New) => "create",
                (Access::ReadWrite, _) => "write",
            },
            Self::SystemCall { .. } => "system call",
            Self::Socket { .. } => "socket",
            Self::UnixSocket { .. } => "connect to",
            Self::Listen { .. } => "listen on port",
            Self::Network { .. } => "reach",
            Self::Page { .. } => "open in the browser",
        };
        format!("{verb} {}", self.target())
    }

    /// `refused` by filter, supervisor or broker; `inferred` from an open that was seen.
    pub fn evidence(&self) -> &'static str {
        match self {
            Self::File { .. } => "inferred",
            _ => "refused",
        }
    }

    /// Read back from an event; `None` if it is none of these.
    pub fn from_event(what: &Value) -> Option<Self> {
        let text = |key: &str| what[key].as_str();
        let target = text("what")?.to_owned();
        Some(match text("kind")? {
            "file" => Self::File {
                path: target.into(),
                access: access_of(text("access")?)?,
                kind: kind_of(text("file")?)?,
            },
            "system-call" => Self::SystemCall { name: target },
            "socket" => {
                let (family, kind) = target.split_once(' ')?;
                Self::Socket { family: family.to_owned(), kind: kind.to_owned() }
            }
            "unix-socket" => Self::UnixSocket { path: target.into() },
            "listen" => Self::Listen { port: target.parse().ok()? },
            "network" => Self::Network { what: target },
            "page" => Self::Page { page: target },
            _ => return None,
        })
    }

    /// How a file was opened and what it is, for its event.
    pub(super) fn file_words(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::File { access, kind, .. } => Some((access_word(*access), kind_word(*kind))),
            _ => None,
        }
    }
}

const ACCESS: [(Access, &str); 3] =
    [(Access::Read, "read"), (Access::ReadExecute, "execute"), (Access::ReadWrite, "write")];
const KINDS: [(FileKind, &str); 3] =
    [(FileKind::Directory, "directory"), (FileKind::File, "file"), (FileKind::New, "new")];

/// `read`, `execute`, `write`
pub(super) fn access_word(access: Access) -> &'static str {
    ACCESS.iter().find(|(one, _)| *one == access).map_or("", |(_, word)| word)
}

fn kind_word(kind: FileKind) -> &'static str {
    KINDS.iter().find(|(one, _)| *one == kind).map_or("", |(_, word)| word)
}

fn access_of(word: &str) -> Option<Access> {
    ACCESS.iter().find(|(_, one)| *one == word).map(|(access, _)| *access)
}

fn kind_of(word: &str) -> Option<FileKind> {
    KINDS.iter().find(|(_, one)| *one == word).map(|(kind, _)| *kind)
}

/// A path for a record. The kernel bounds its length (PATH_MAX, 4,096 bytes).
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_event_holds_is_read_back_as_it_was() {
        let all = [
            Tried::File { path: "/a b/c".into(), access: Access::ReadWrite, kind: FileKind::New },
            Tried::SystemCall { name: "ptrace".to_owned() },
            Tried::Socket { family: "AF_PACKET".to_owned(), kind: "SOCK_RAW".to_owned() },
            Tried::UnixSocket { path: "@x".into() },
            Tried::Listen { port: 80 },
            Tried::Network { what: "a.org:443".to_owned() },
            Tried::Page { page: "https://a.org/x".to_owned() },
        ];
        for tried in all {
            let (access, kind) = tried.file_words().unzip();
            let event =
                json!({ "kind": tried.kind(), "what": tried.target(), "access": access, "file": kind });
            assert_eq!(Tried::from_event(&event).as_ref(), Some(&tried), "{event}");
        }
        assert_eq!(Tried::from_event(&json!({ "kind": "unheard-of", "what": "x" })), None);
    }
}

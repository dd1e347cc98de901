//! PURE: where no grant is proposed, why, and what to do instead.

use std::path::{Path, PathBuf};

use stockade_policy::document::profile::places;
use stockade_sandbox::Access;

use super::fence::Why;
use super::tried::{FileKind, Tried};
use crate::commands::screen::is_invisible;
use crate::plan::ClosedPlaces;

/// Why no grant of this is proposed; `None` if one may be.
pub(super) fn objection(tried: &Tried, why: Option<&Why>, closed: &ClosedPlaces) -> Option<String> {
    let said = match tried {
        Tried::File { path, access, kind } => return of_file(path, *access, *kind, why, closed),
        Tried::UnixSocket { path } => return of_socket(path, closed),
        Tried::Listen { port: 0 } => {
            "the system chose the port: set a fixed one in the server's own configuration"
        }
        Tried::Listen { .. } => return None,
        Tried::SystemCall { .. } => {
            "no profile grants system calls; a server that fails without this one cannot be run in this jail"
        }
        Tried::Socket { family, kind } if family.starts_with("AF_INET") && kind != "SOCK_RAW" => {
            "grant the hosts that the server needs: `[net] allow`"
        }
        Tried::Socket { family, .. } if family == "AF_UNIX" => {
            "grant the sockets that the server needs: `[unix] allow`"
        }
        Tried::Socket { .. } => "no profile grants this kind of socket",
        Tried::Network { .. } | Tried::Page { .. } => "no grant may allow this destination",
    };
    Some(said.to_owned())
}

/// Secrets of the whole system, as far as an ordinary profile could ever name them.
const SYSTEM_SECRETS: &[&str] = &[
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssh",
    "/etc/ssl/private",
    "/etc/pki/tls/private",
    "/etc/krb5.keytab",
    "/var/lib/sss",
    "/var/spool/cron",
];

/// Directories of so many programs that a grant of one is none.
const SHARED: &[&str] = &[
    "/var/lib",
    "/var/log",
    "/var/cache",
    "/var/run",
    "/var/spool",
    "/var/tmp",
    "/run/user",
    "/usr/local",
    "/usr/lib",
    "/usr/share",
    "/usr/bin",
    "/dev/shm",
];

/// Why no grant of this file is proposed; `why` is the fence's.
pub fn of_file(
    path: &Path,
    access: Access,
    kind: FileKind,
    why: Option<&Why>,
    closed: &ClosedPlaces,
) -> Option<String> {
    if let Some(Why::Writable(_)) = why {
        return Some(WRITABLE.to_owned());
    }
    let (granted, directory) = match kind {
        FileKind::New => (path.parent().unwrap_or(path), true),
        FileKind::Directory => (path, true),
        FileKind::File => (path, false),
    };
    if let Some(place) = closed.sensitive.iter().find(|place| path.starts_with(place)) {
        return Some(format!(
            "{} holds credentials, histories or Stockade's own files, and no wider grant opens it: copy what the server needs \
             to a directory of its own and grant that, or pass a token in its environment",
            place.display()
        ));
    }
    if is_secret(path) {
        return Some(
            "it holds secrets, and no grant of it is proposed: pass what the server needs in its environment"
                .to_owned(),
        );
    }
    let obeyed = || {
        let at_home = closed.for_writing.iter().find(|place| path.starts_with(place)).map(PathBuf::as_path);
        at_home.or_else(|| places::obeyed_in_project(path.to_str()?).map(Path::new))
    };
    if access == Access::ReadWrite
        && let Some(place) = obeyed()
    {
        return Some(format!(
            "other programs run or obey what is written to {}: let the server write elsewhere and move it by hand",
            place.display()
        ));
    }
    if path.starts_with("/proc") || (access == Access::ReadWrite && path.starts_with("/sys")) {
        return Some("it belongs to the kernel or to another process; servers do without it".to_owned());
    }
    if path.starts_with("/dev") {
        return Some(
            "it is a device, through which a program may see or do anything: no grant of it is proposed"
                .to_owned(),
        );
    }
    by_fence(why, access)
        .or_else(|| if directory { of_directory(granted, closed) } else { None })
        .or_else(|| unwritable(granted))
}

/// What to do about a program that lies where the server may write.
const WRITABLE: &str = "whoever gets a server to write a file could have it run otherwise, so no grant is proposed: have the program \
     installed before the session, in a place that the server cannot write; or, if it has to run what it makes, let a profile name \
     just that file or directory (`[fs] exec`)";

/// Why no grant would do, or should, for the reason that the fence has.
fn by_fence(why: Option<&Why>, access: Access) -> Option<String> {
    match why? {
        Why::Closed(place, _) => Some(format!(
            "{} stays closed inside wider grants; no grant of it is proposed, only a profile that names it opens it",
            place.display()
        )),
        Why::ByChildren => {
            Some("use `--backend namespaces`, or grant a directory that holds no sensitive place".to_owned())
        }
        Why::Otherwise(Access::ReadWrite) if access == Access::ReadExecute => Some(
            "what the server can write must not be executed: install the program where it cannot write"
                .to_owned(),
        ),
        // Told before.
        Why::Writable(_) => Some(WRITABLE.to_owned()),
        Why::Otherwise(_) | Why::NoGrant | Why::Private => None,
    }
}

fn of_directory(directory: &Path, closed: &ClosedPlaces) -> Option<String> {
    if is_wide(directory, closed) {
        return Some(format!(
            "{} is too wide a grant: name the directories in it that the server needs",
            directory.display()
        ));
    }
    let place = closed.sensitive.iter().find(|place| place.starts_with(directory))?;
    Some(format!("{} lies in it: name the directories beside it", place.display()))
}

/// Why a profile cannot name this path.
fn unwritable(path: &Path) -> Option<String> {
    let odd = |c: char| c.is_control() || is_invisible(c) || matches!(c, '*' | char::REPLACEMENT_CHARACTER);
    match path.to_str() {
        Some(text) if !text.contains(odd) && !text.contains("${") => None,
        _ => Some("its name cannot be written in a profile: grant its directory".to_owned()),
    }
}

fn is_secret(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    places::is_env_file(name) || SYSTEM_SECRETS.iter().any(|place| path.starts_with(place))
}

/// Whether a directory is so much that a grant of it says nothing.
fn is_wide(directory: &Path, closed: &ClosedPlaces) -> bool {
    let depth = directory.components().count().saturating_sub(1);
    depth < 2
        || closed.home.starts_with(directory)
        || directory.parent().is_some_and(|parent| Some(parent) == closed.home.parent())
        || SHARED.iter().any(|shared| directory == Path::new(shared))
}

/// Where glibc looks for nscd(8), the name service cache, before it reads /etc/passwd or asks a name server itself: an
/// attempt says nothing about the program that makes it.
pub(super) fn is_name_service_cache(path: &Path) -> bool {
    path == Path::new("/var/run/nscd/socket") || path == Path::new("/run/nscd/socket")
}

/// Sockets behind which somebody acts with more rights than the server has: a part of the path, and what stands there.
const POWERFUL_SOCKETS: &[(&str, &str)] = &[
    ("docker.sock", "whoever reaches the container engine is root on this machine"),
    ("podman.sock", "whoever reaches the container engine may do all that the user may"),
    ("containerd", "whoever reaches the container engine is root on this machine"),
    ("crio.sock", "whoever reaches the container engine is root on this machine"),
    ("agent", "an agent signs with the user's keys for whoever asks"),
    ("keyring", "a keyring hands out the user's secrets"),
    (".X11-unix", "a client of the X server sees every key that is pressed"),
    ("dbus", "D-Bus starts programs outside of the jail"),
    ("systemd", "systemd starts programs outside of the jail"),
    ("/run/user/", "the user's session (its bus, screen, sound and agents) acts outside of the jail"),
];

fn of_socket(path: &Path, closed: &ClosedPlaces) -> Option<String> {
    if is_name_service_cache(path) {
        return Some("nothing is missing without it: no grant is needed, and none is proposed".to_owned());
    }
    let text = path.to_string_lossy();
    if let Some((_, what)) = POWERFUL_SOCKETS.iter().find(|(part, _)| text.contains(part)) {
        return Some(format!("{what}, so no grant is proposed"));
    }
    if text.starts_with('@') {
        return Some("a profile names sockets by path, and this one has an abstract name".to_owned());
    }
    if let Some(place) = closed.sensitive.iter().find(|place| path.starts_with(place)) {
        return Some(format!("it lies in {}, which no wider grant opens", place.display()));
    }
    if !path.is_absolute() {
        return Some("a profile names sockets by absolute path".to_owned());
    }
    unwritable(path)
}

//! Unix sockets by path: the file is found here, looked at, and connected to, whatever the path leads to meanwhile.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, umask};

use super::address::{self, FAMILY_BYTES};
use super::bound::Bound;
use super::desk::{Grounds, Masks};
use super::pending::Destination;
use super::sys;
use super::target::{Target, Trouble};
use crate::os::landlock;
use crate::{Backend, Denial, Denied, UnixReach};

/// What an address of this family names.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    /// Nothing.
    None,
    /// Without a file.
    Abstract(Vec<u8>),
    Path(PathBuf),
}

impl Name {
    /// unix(7)
    fn of(asked: &[u8]) -> Result<Self, Trouble> {
        const BYTES_MAX: usize = 110;
        if address::family(asked) != Some(libc::AF_UNIX) || asked.len() > BYTES_MAX {
            return Err(Trouble::Errno(libc::EINVAL));
        }
        Ok(match asked.get(FAMILY_BYTES..).unwrap_or_default() {
            [] => Self::None,
            [0, name @ ..] => Self::Abstract(name.to_vec()),
            path => {
                let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
                Self::Path(OsString::from_vec(path.to_vec()).into())
            }
        })
    }
}

/// Where a connect leads, if it is granted.
pub(super) fn connect(
    grounds: &Grounds,
    bound: &Bound,
    target: &Target<'_>,
    asked: &[u8],
) -> Result<Destination, Trouble> {
    match Name::of(asked)? {
        Name::None => Err(Trouble::Errno(libc::EINVAL)),
        // Such names belong to a network namespace, and in its own there are only the server's.
        Name::Abstract(_) if grounds.backend == Backend::Namespaces => Ok(asked.to_vec().into()),
        Name::Abstract(name) => Err(refused(grounds, target, shown(&name))),
        Name::Path(path) => {
            let path = absolute(target, path)?;
            match granted_file(grounds, bound, target, &path) {
                Ok(Some(file)) => {
                    let address = by_descriptor(&file, None)?;
                    Ok(Destination { address, _file: Some(file.into()) })
                }
                // What isn't there is only said of places that are granted.
                Err(error) if names_granted(grounds, &path) => Err(error.into()),
                Ok(None) | Err(_) => Err(refused(grounds, target, path)),
            }
        }
    }
}

/// Makes a socket of the server's own, in `notify`: in a directory where it may have some.
pub(super) fn bind(
    grounds: &Grounds,
    bound: &mut Bound,
    target: &Target<'_>,
    (socket, asked): (&OwnedFd, &[u8]),
) -> Result<(), Trouble> {
    let path = match Name::of(asked)? {
        Name::Path(path) => absolute(target, path)?,
        // Of the host's network namespace; so are those that the kernel picks.
        Name::Abstract(name) => return Err(refused(grounds, target, shown(&name))),
        Name::None => return Err(refused(grounds, target, "@".into())),
    };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Trouble::Errno(libc::EADDRINUSE));
    };
    let directory = match find(target, parent) {
        Ok(directory) if is_below_granted(grounds, &directory) => directory,
        Err(error) if names_granted(grounds, &path) => return Err(error.into()),
        Ok(_) | Err(_) => return Err(refused(grounds, target, path)),
    };
    let address = by_descriptor(&directory, Some(name))?;
    if let (Some(mask), Masks::Own) = (target.umask(), grounds.masks) {
        let _ = umask(Mode::from_bits_truncate(mask));
    }
    sys::bind(socket.as_fd(), &address)?;
    bound.put(&socket_in(&directory, name)?.metadata()?);
    Ok(())
}

/// The granted file that a path leads to; `None` if it leads to another.
fn granted_file(
    grounds: &Grounds,
    bound: &Bound,
    target: &Target<'_>,
    path: &Path,
) -> io::Result<Option<File>> {
    let file = find(target, path)?;
    let found = file.metadata()?;
    let is_that = |rule: &&crate::UnixRule| {
        rule.reach == UnixReach::Socket
            && landlock::open(&rule.path)
                .and_then(|file| file.metadata())
                .is_ok_and(|granted| same(&granted, &found))
    };
    if grounds.unix.iter().any(|rule| is_that(&rule)) {
        return Ok(Some(file));
    }
    // Below a directory no link is followed at the end, so that what is connected to is what lies there.
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    let directory = find(target, parent)?;
    if !is_below_granted(grounds, &directory) {
        return Ok(None);
    }
    let socket = socket_in(&directory, name)?;
    let found = socket.metadata()?;
    // A private view has its own mounts, and nothing is moved or linked from one to another (EXDEV); what is shown of the
    // host's below is a mount itself. Without a view a server could move somebody else's socket here out of a directory
    // that it may write to.
    let is_own = match grounds.backend {
        Backend::Namespaces => mount_of(&socket)? == mount_of(&directory)?,
        Backend::Notify | Backend::Static => bound.has(&found),
    };
    Ok((found.file_type().is_socket() && is_own).then_some(socket))
}

/// Whether a directory is one of those below which every socket is granted, or lies below one. It is climbed from, since
/// only a directory knows where it lies now; but not out of its mount: what is shown of the host's in the server's own /tmp
/// is not its own.
fn is_below_granted(grounds: &Grounds, directory: &File) -> bool {
    /// PATH_MAX / 2
    const DEPTH_MAX: usize = 2048;
    let granted: Vec<Metadata> = grounds
        .unix
        .iter()
        .filter(|rule| rule.reach == UnixReach::Below)
        .filter_map(|rule| landlock::open(&rule.path).and_then(|file| file.metadata()).ok())
        .collect();
    if granted.is_empty() {
        return false;
    }
    let mut at = None::<File>;
    for _ in 0..DEPTH_MAX {
        let current = at.as_ref().unwrap_or(directory);
        let Ok(here) = current.metadata() else { return false };
        if granted.iter().any(|granted| same(granted, &here)) {
            return true;
        }
        let up = openat(current, "..", FOUND | OFlag::O_DIRECTORY, Mode::empty()).map(File::from);
        let is_one_mount = |up: &File| {
            let mounts = mount_of(current).and_then(|here| Ok((here, mount_of(up)?)));
            mounts.is_ok_and(|(here, above)| here == above)
        };
        match up.map(|up| up.metadata().map(|metadata| (up, metadata))) {
            Ok(Ok((up, above))) if !same(&above, &here) && is_one_mount(&up) => at = Some(up),
            _ => return false,
        }
    }
    false
}

/// The mount that a file was found on: proc_pid_fdinfo(5), `mnt_id`.
fn mount_of(file: &File) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd()))?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    id.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

const FOUND: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

/// What a path leads to in the program's own root. Links are followed in there: it is decided about what is found, not
/// about the way. Without openat2 (in a jail inside of a jail) there must be none.
pub(super) fn find(target: &Target<'_>, path: &Path) -> io::Result<File> {
    let trouble = |trouble| match trouble {
        Trouble::Errno(errno) => io::Error::from_raw_os_error(errno),
        Trouble::Gone => io::ErrorKind::NotFound.into(),
    };
    let root = target.root().map_err(trouble)?;
    let how = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    match openat2(&root, path, OpenHow::new().flags(FOUND).resolve(how)) {
        Ok(file) => Ok(file.into()),
        Err(nix::errno::Errno::ENOSYS) => landlock::open_in(&root, path),
        Err(errno) => Err(errno.into()),
    }
}

fn socket_in(directory: &File, name: &OsStr) -> io::Result<File> {
    Ok(openat(directory, name, FOUND | OFlag::O_NOFOLLOW, Mode::empty()).map(File::from)?)
}

/// As the program means it. Where it stands is asked of /proc, as a path: a directory that was renamed since is its own
/// affair.
fn absolute(target: &Target<'_>, path: PathBuf) -> Result<PathBuf, Trouble> {
    if path.is_absolute() { Ok(path) } else { Ok(target.link("cwd")?.join(path)) }
}

/// The address of an open file, or of a new one in an open directory.
fn by_descriptor(file: &File, name: Option<&OsStr>) -> Result<Vec<u8>, Trouble> {
    const PATH_BYTES_MAX: usize = 107;
    let mut path = format!("/proc/self/fd/{}", file.as_raw_fd()).into_bytes();
    if let Some(name) = name {
        path.push(b'/');
        path.extend(name.as_bytes());
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(Trouble::Errno(libc::ENAMETOOLONG));
    }
    let mut address = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
    address.extend(path);
    address.push(0);
    Ok(address)
}

fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether a path is, as it is written, one of those that are granted.
fn names_granted(grounds: &Grounds, path: &Path) -> bool {
    let plain = path.components().all(|name| name != std::path::Component::ParentDir);
    plain
        && grounds.unix.iter().any(|rule| match rule.reach {
            UnixReach::Socket => rule.path == path,
            UnixReach::Below => path.starts_with(&rule.path),
        })
}

fn shown(name: &[u8]) -> PathBuf {
    let mut shown = b"@".to_vec();
    shown.extend(name.iter().map(|byte| if *byte == 0 { b'@' } else { *byte }));
    OsString::from_vec(shown).into()
}

fn refused(grounds: &Grounds, target: &Target<'_>, path: PathBuf) -> Trouble {
    let program = target.program();
    grounds.gatekeeper.denied(Denial { program, what: Denied::UnixSocket { path } });
    Trouble::Errno(libc::EACCES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let name = |rest: &[u8]| {
            let mut address = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
            address.extend(rest);
            Name::of(&address)
        };
        assert_eq!(name(b""), Ok(Name::None));
        assert_eq!(name(b"\0bus"), Ok(Name::Abstract(b"bus".to_vec())));
        assert_eq!(name(b"/run/x\0junk"), Ok(Name::Path("/run/x".into())));
        assert_eq!(name(b"/run/x"), Ok(Name::Path("/run/x".into())));
        assert_eq!(name(&[b'a'; 109]), Err(Trouble::Errno(libc::EINVAL)));
        assert_eq!(Name::of(&[0, 0]), Err(Trouble::Errno(libc::EINVAL)));
        assert_eq!(shown(b"a\0b"), PathBuf::from("@a@b"));
    }
}

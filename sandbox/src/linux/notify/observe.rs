//! Looking on while files are opened and programs executed. Nothing is decided: Landlock judges when the call runs.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::asked::{FileCall, Notification, Opens};
use super::reply::{Reply, Undecided};
use super::target::Target;
use crate::{Access, Opened, Program};

/// What a call is about.
#[derive(Debug)]
pub(super) struct Seen {
    program: Program,
    path: PathBuf,
    access: Access,
}

/// Looks, while the call waits. `None` if it can't be said: an unreadable process, a bad pointer, a file without a name.
pub(super) fn see(target: &Target<'_>, notification: &Notification, call: &FileCall) -> Option<Seen> {
    let (directory, path, access) = match call.how {
        Opens::Open => (libc::AT_FDCWD, notification.pointer(0), access(notification.int(1))),
        Opens::OpenAt => (notification.int(0), notification.pointer(1), access(notification.int(2))),
        Opens::Create => (libc::AT_FDCWD, notification.pointer(0), Access::ReadWrite),
        Opens::Execute => (libc::AT_FDCWD, notification.pointer(0), Access::ReadExecute),
        Opens::ExecuteAt => (notification.int(0), notification.pointer(1), Access::ReadExecute),
    };
    let text = target.read_string(path).ok().filter(|text| !text.is_empty())?;
    let mut path = PathBuf::from(OsString::from_vec(text));
    if path.is_relative() {
        let base = if directory == libc::AT_FDCWD { "cwd".to_owned() } else { format!("fd/{directory}") };
        path = target.link(&base).ok()?.join(path);
    }
    Some(Seen { program: target.program(), path, access })
}

/// The kernel carries the call out.
pub(super) fn go_on(call: &FileCall) -> Reply {
    Reply::Undecided(Undecided::observed(call))
}

impl Seen {
    /// With what became of the file.
    pub(super) fn opened(self) -> Opened {
        let Self { program, path, access } = self;
        let inside = PathBuf::from(format!("/proc/{}/root", program.pid));
        let file = inside.join(path.strip_prefix("/").unwrap_or(&path));
        // Its process may be gone by now, and its view of the files with it.
        let exists = file.symlink_metadata().is_ok() || !inside.exists() && path.exists();
        Opened { program, path, access, exists }
    }
}

fn access(flags: i32) -> Access {
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY || flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
    if writes { Access::ReadWrite } else { Access::Read }
}

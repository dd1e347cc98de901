//! Looking on while files are opened and programs executed. Nothing is decided: Landlock judges when the call runs.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;

use super::asked::{FileCall, Notification, Opens};
use super::reply::{Reply, Undecided};
use super::target::Target;
use super::unix;
use crate::{Access, Gatekeeper, Opened};

/// How long after a call it is asked what became of its file: it can't be seen when the call has run.
const AFTERWARDS: Duration = Duration::from_millis(20);
/// So many wait for that at once, each with a descriptor of ours; a busy program is asked after earlier.
const WAITING_MAX: usize = 64;

/// What a call is about.
#[derive(Debug)]
pub(super) struct Seen {
    opened: Opened,
    /// Where the file is or will be, found while the caller was there.
    directory: Option<File>,
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
    let directory = path.parent().and_then(|parent| unix::find(target, parent).ok());
    let opened = Opened { program: target.program(), path, access, exists: false };
    Some(Seen { opened, directory })
}

/// The kernel carries the call out.
pub(super) fn go_on(call: &FileCall) -> Reply {
    Reply::Undecided(Undecided::observed(call))
}

impl Seen {
    fn now(self) -> Opened {
        let path = &self.opened.path;
        let exists = match (&self.directory, path.file_name()) {
            (Some(directory), Some(name)) => {
                fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_NO_AUTOMOUNT).is_ok()
            }
            // `/`, or something that ends in `..`
            (_, None) => path.exists(),
            (None, Some(_)) => false,
        };
        Opened { exists, ..self.opened }
    }
}

/// What is still to be told.
#[derive(Debug, Default)]
pub(super) struct Untold(VecDeque<(Instant, Seen)>);

impl Untold {
    pub(super) fn extend(&mut self, seen: Option<Seen>) {
        self.0.extend(seen.map(|seen| (Instant::now() + AFTERWARDS, seen)));
    }

    /// When there is something to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.front().map(|(due, _)| *due)
    }

    /// Everything whose time has come.
    pub(super) fn tell(&mut self, gatekeeper: &dyn Gatekeeper) {
        while self.0.len() > WAITING_MAX || self.due().is_some_and(|due| due <= Instant::now()) {
            let Some((_, seen)) = self.0.pop_front() else { return };
            gatekeeper.opened(seen.now());
        }
    }

    /// Everything, at the end.
    pub(super) fn tell_all(&mut self, gatekeeper: &dyn Gatekeeper) {
        for (_, seen) in self.0.drain(..) {
            gatekeeper.opened(seen.now());
        }
    }
}

fn access(flags: i32) -> Access {
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY || flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
    if writes { Access::ReadWrite } else { Access::Read }
}

//! Who has asked before: what stays the same of a thread as long as it lives is opened once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::rc::Rc;

use super::sys;

/// How many are remembered, each with two descriptors of ours; the one that came first goes first.
const CALLERS_MAX: usize = 8;

/// One thread. Both descriptors are of the thread itself and not of its number: once it is gone they lead nowhere
/// (ESRCH, EACCES), whoever has got its number since. So an old one need not be told from the one that asks now: either it is the
/// same, or it fails.
#[derive(Debug)]
pub(super) struct Caller {
    tid: i32,
    process: i32,
    pidfd: OwnedFd,
    /// Whether that is of the thread, or only of its process.
    of: Of,
    /// The link in /proc to what it executes: the link itself, which leads to another program after an execve.
    program: Option<File>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Thread,
    Process,
}

impl Caller {
    /// The thread that has this number now: whether it is the one that is meant has to be asked afterwards.
    pub(super) fn find(tid: i32) -> io::Result<Rc<Self>> {
        let (pidfd, of) = open(tid)?;
        let mut options = OpenOptions::new();
        let link = options.read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW);
        let program = link.open(format!("/proc/{tid}/exe")).ok();
        Ok(Rc::new(Self { tid, process: process(tid), pidfd, of, program }))
    }

    /// The open file behind one of its descriptors.
    pub(super) fn descriptor(&self, fd: i32) -> io::Result<OwnedFd> {
        sys::pidfd_getfd(self.pidfd.as_fd(), fd)
    }

    /// Its process, and the program that it executes; `None` if that can't be read.
    pub(super) fn program(&self) -> Option<(i32, PathBuf)> {
        // Asked each time: nothing tells us of an execve.
        let path = sys::link_target(self.program.as_ref()?.as_fd()).ok()?;
        Some((self.process, path))
    }
}

/// The last ones.
#[derive(Debug, Default)]
pub(super) struct Callers(RefCell<VecDeque<Rc<Caller>>>);

impl Callers {
    /// The thread that had this number when it asked last.
    pub(super) fn known(&self, tid: i32) -> Option<Rc<Caller>> {
        self.0.borrow().iter().find(|caller| caller.tid == tid).cloned()
    }

    /// Remembers a thread that was found to be the one that asks. Not by a descriptor of its process, which outlives it.
    pub(super) fn remember(&self, caller: &Rc<Caller>) {
        let mut callers = self.0.borrow_mut();
        callers.retain(|known| known.tid != caller.tid);
        if caller.of == Of::Process {
            return;
        }
        if callers.len() >= CALLERS_MAX {
            callers.pop_front();
        }
        callers.push_back(Rc::clone(caller));
    }
}

/// A descriptor of the thread itself, which may have descriptors of its own, or outlive the first one (O_EXCL, Linux 6.9);
/// before that of its process, and of the thread only if it leads that.
fn open(tid: i32) -> io::Result<(OwnedFd, Of)> {
    const PIDFD_THREAD: u32 = libc::O_EXCL.cast_unsigned();
    match sys::pidfd_open(tid, PIDFD_THREAD) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            let process = process(tid);
            let of = if process == tid { Of::Thread } else { Of::Process };
            Ok((sys::pidfd_open(process, 0)?, of))
        }
        other => Ok((other?, Of::Thread)),
    }
}

/// The process's number, or the thread's if it is gone.
pub(super) fn process(tid: i32) -> i32 {
    if sys::leads_its_process(tid) {
        return tid;
    }
    let status = fs::read_to_string(format!("/proc/{tid}/status"));
    let tgid = status.ok().and_then(|status| field(&status, "Tgid:")?.parse().ok());
    tgid.unwrap_or(tid)
}

/// proc_pid_status(5)
pub(super) fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    fn started() -> (Child, i32) {
        // `cat` waits for our end of its input.
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts");
        let tid = i32::try_from(child.id()).expect("a pid");
        (child, tid)
    }

    fn ended((mut child, _): (Child, i32)) {
        drop(child.stdin.take());
        child.wait().expect("it ends");
    }

    #[test]
    fn what_is_known_of_a_thread_leads_nowhere_once_it_is_gone() {
        let callers = Callers::default();
        let (child, tid) = started();
        callers.remember(&Caller::find(tid).expect("it is there"));
        let caller = callers.known(tid).expect("remembered");
        assert!(caller.descriptor(0).is_ok());
        let (process, path) = caller.program().expect("readable");
        assert_eq!(process, tid);
        assert!(path.is_absolute());
        ended((child, tid));
        // Another one with its number would not be found by it either.
        let gone = caller.descriptor(0).expect_err("nobody is there");
        assert_eq!(gone.raw_os_error(), Some(libc::ESRCH));
        assert_eq!(caller.program(), None);
        assert!(Caller::find(tid).is_err());
    }

    #[test]
    fn the_program_is_the_one_that_runs_now_and_not_the_one_that_was_met() {
        let mut shell = Command::new("sh");
        let mut child =
            shell.args(["-c", "read line; exec cat"]).stdin(Stdio::piped()).spawn().expect("starts");
        let tid = i32::try_from(child.id()).expect("a pid");
        let caller = Caller::find(tid).expect("it is there");
        let (_, met) = caller.program().expect("readable");
        writeln!(child.stdin.as_mut().expect("piped"), "go on").expect("it reads");
        let soon = Instant::now() + Duration::from_secs(20);
        while caller.program().is_some_and(|(_, path)| path == met) && Instant::now() < soon {
            std::thread::sleep(Duration::from_millis(5));
        }
        let (process, path) = caller.program().expect("readable");
        assert_eq!(process, tid);
        assert_ne!(path, met);
        assert!(caller.descriptor(0).is_ok());
        ended((child, tid));
    }

    /// The longest that can be executed has 4,095 bytes; a path of that many can't be made under every directory.
    #[test]
    fn a_long_path_is_read_whole() {
        let root = tempfile::tempdir().expect("a directory");
        for length in [255, 256, 257, 1_000, 3_500] {
            let mut path = root.path().canonicalize().expect("it is there");
            while path.as_os_str().len() + 201 < length {
                path.push("d".repeat(100));
            }
            path.push("p".repeat(length - path.as_os_str().len() - 1));
            fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            fs::copy("/bin/cat", &path).expect("copied");
            let child =
                Command::new(&path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts");
            let tid = i32::try_from(child.id()).expect("a pid");
            let caller = Caller::find(tid).expect("it is there");
            let (_, read) = caller.program().expect("readable");
            assert_eq!((read.as_os_str().len(), &read), (length, &path));
            ended((child, tid));
        }
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let callers = Callers::default();
        let children: Vec<_> = (0..=CALLERS_MAX).map(|_| started()).collect();
        for (_, tid) in &children {
            let caller = Caller::find(*tid).expect("it is there");
            callers.remember(&caller);
            callers.remember(&caller);
        }
        assert_eq!(callers.0.borrow().len(), CALLERS_MAX);
        assert!(callers.known(children[0].1).is_none());
        assert!(callers.known(children[1].1).is_some());
        children.into_iter().for_each(ended);
    }
}

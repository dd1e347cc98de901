//! A minimal /dev: what was granted of it, and what is the jail's own.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode as FileMode, mkdirat};
use nix::unistd::symlinkat;

use super::plan::Plan;
use super::stage::{Keeping, Leaf, Stage};
use super::sys::{self, ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID};
use super::ways;

/// What a grant of the whole of /dev gives: nothing that names hardware.
const STANDARD: [&str; 6] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// proc_pid_fd(5)
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

/// An empty directory, and an empty file, which nobody may open: masks of closed places are copies of them.
pub(super) const CLOSED_DIRECTORY: &str = "/dev/.closed";
pub(super) const CLOSED_FILE: &str = "/dev/.closed-file";
/// What stands in the place of a file whose contents alone are closed.
pub(super) const CLOSED_CONTENTS: &str = "/dev/.closed-contents";
/// A comment to every reader of such files (dotenv, shells), and a sentence to whom it is shown.
pub(super) const CLOSED_TEXT: &str = "# The jail of this program keeps the contents of this file from it.\n\
    # Whoever runs the program can grant the file by its name in the program's profile.\n";
/// What the view's /etc/hosts is a copy of.
pub(super) const HOSTS: &str = "/dev/.hosts";
/// The same for /etc/resolv.conf.
pub(super) const RESOLV: &str = "/dev/.resolv";

/// Shared memory has to live in memory, so there is not much of it: as much as containers have.
const SHARED_MEMORY_BYTES: &std::ffi::CStr = c"64m";

/// Makes /dev.
pub(super) fn show(stage: &mut Stage, plan: &Plan) -> io::Result<()> {
    let dev = Path::new("/dev");
    if plan.root.is_some() {
        let own =
            sys::new_filesystem(c"tmpfs", &[(c"mode", c"0755")], ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC)?;
        stage.add(own, dev, Keeping::ReadOnly)?;
    }
    let directory = stage.place(dev, Leaf::Directory)?;
    for (name, target) in LINKS {
        symlinkat(target, &directory, name)?;
    }
    mkdirat(&directory, ".closed", FileMode::from_bits_truncate(0o111))?;
    write_file(directory.as_fd(), ".closed-file", 0, "")?;
    write_file(directory.as_fd(), ".closed-contents", 0o444, CLOSED_TEXT)?;
    write_file(
        directory.as_fd(),
        ".hosts",
        0o444,
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    )?;
    write_file(directory.as_fd(), ".resolv", 0o444, &ways::own_resolv())?;

    let whole = plan.devices.iter().any(|path| path == dev);
    let granted = |name: &str| whole || plan.devices.iter().any(|path| path.starts_with(name));
    if granted("/dev/shm") {
        let options = [(c"mode", c"1777"), (c"size", SHARED_MEMORY_BYTES)];
        let shared = sys::new_filesystem(c"tmpfs", &options, ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC)?;
        stage.add(shared, "/dev/shm".as_ref(), Keeping::Writable)?;
    }
    if granted("/dev/pts") || granted("/dev/ptmx") {
        // Terminals of the jail's own. The group "tty" has no number here.
        let options = [(c"ptmxmode", c"0666"), (c"mode", c"620")];
        let terminals = sys::new_filesystem(c"devpts", &options, ATTR_NOSUID | ATTR_NOEXEC)?;
        stage.add(terminals, "/dev/pts".as_ref(), Keeping::Writable)?;
        symlinkat("pts/ptmx", &directory, "ptmx")?;
    }
    let own = ["/dev/shm", "/dev/pts", "/dev/ptmx", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"];
    for path in &plan.devices {
        if path != dev && !own.iter().any(|own| path.starts_with(own)) {
            stage.bind_device(path)?;
        }
    }
    for path in STANDARD.map(Path::new).into_iter().filter(|_| whole) {
        if !plan.devices.iter().any(|granted| granted == path) {
            stage.bind_device(path)?;
        }
    }
    Ok(())
}

fn write_file(directory: BorrowedFd<'_>, name: &str, mode: u32, text: &str) -> io::Result<()> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let file = openat(directory, name, flags, FileMode::from_bits_truncate(mode))?;
    File::from(file).write_all(text.as_bytes())
}

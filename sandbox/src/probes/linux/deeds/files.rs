//! G1: reading, listing and executing what is not granted, by its path.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::chdir;

use super::super::ears::GREETING;
use super::super::probe::{Deed, Failed, Probe, Seen, Witness};
use super::super::scene::{Scene, c, contents, longs, text};
use super::super::stage::late_place;
use super::super::sys::{Arg, call};
use super::super::tiny_elf;
use super::super::uring::{self, Operation, Ring};
use crate::probes::proof::Kind;
use crate::probes::{Control, Guarantee};

const FILE: &str = "a file outside of the grants";
const PROGRAM: &str = "a program outside of the grants";
const CLOSED: &str = "a closed place in a granted directory";

pub(super) const PROBES: &[Probe] = &[
    granted("G1-granted-read", |scene| contents(scene.readable().join("file")))
        .tries("read", "a granted file"),
    granted("G1-granted-list", |scene| {
        Ok(text(fs::read_dir(scene.readable())?.count().to_string().as_bytes()))
    })
    .tries("list", "a granted directory"),
    granted("G1-granted-write", |scene| {
        fs::write(scene.own().join("new"), GREETING)?;
        fs::rename(scene.own().join("new"), scene.own().join("newer"))?;
        contents(scene.own().join("newer"))
    })
    .tries("create, write, rename", "a file in a granted directory"),
    granted("G1-granted-in-home", |scene| contents(scene.home().join("notes/note")))
        .tries("read", "a granted file beside a closed place"),
    reading("G1-open-rdonly", |scene| contents(scene.secret())).tries("open(O_RDONLY)", FILE),
    reading("G1-open-rdwr", |scene| {
        let mut held = String::new();
        OpenOptions::new().read(true).write(true).open(scene.secret())?.read_to_string(&mut held)?;
        Ok(Seen::Text(held))
    })
    .tries("open(O_RDWR)", FILE),
    reading("G1-open-path", |scene| {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(scene.secret())?;
        contents(format!("/proc/self/fd/{}", file.as_raw_fd()))
    })
    .tries("open(O_PATH), then /proc/self/fd", FILE),
    reading("G1-openat-dotdot", |scene| {
        let dir = File::open(scene.readable())?;
        let path = format!("../../closed/{}/secret", scene.id);
        let file = openat(&dir, path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Seen::Text(io::read_to_string(File::from(file))?))
    })
    .tries("openat(granted directory, ../..)", FILE),
    reading("G1-openat2", openat2).tries("openat2", FILE).stopped(
        &[Control::Landlock, Control::View, Control::Seccomp],
        &[libc::EACCES, libc::ENOENT, libc::ENOSYS],
    ),
    reading("G1-chdir", |scene| {
        chdir(&scene.foreign())?;
        contents("secret")
    })
    .tries("chdir, then a relative path", FILE),
    reading("G1-io-uring", io_uring)
        .tries("io_uring: openat, read", FILE)
        .stopped(&[Control::Seccomp], &[libc::ENOSYS]),
    reading("G1-list", |scene| list(fs::read_dir(scene.foreign())?)).tries("getdents", "a foreign directory"),
    reading("G1-list-parent", |scene| {
        let dir = File::open(scene.own())?;
        let up = openat(&dir, "../../closed", OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty())?;
        list(fs::read_dir(format!("/proc/self/fd/{}/{}", up.as_raw_fd(), scene.id))?)
    })
    .tries("getdents of an opened parent", "a foreign directory"),
    executing("G1-exec", |scene| run(Command::new(scene.foreign().join("tool")))).tries("execve", PROGRAM),
    executing("G1-execveat", |scene| {
        let file =
            OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(scene.foreign().join("tool"))?;
        execveat(scene, file.as_raw_fd())
    })
    .tries("open(O_PATH), execveat", PROGRAM),
    executing("G1-exec-proc-fd", |scene| {
        let file =
            OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(scene.foreign().join("tool"))?;
        run(Command::new(format!("/proc/self/fd/{}", file.as_raw_fd())))
    })
    .tries("execve(/proc/self/fd)", PROGRAM),
    executing("G1-exec-readable", |scene| run(Command::new(scene.readable().join("tool"))))
        .tries("execve", "a program granted for reading"),
    reading("G1-sensitive-read", |scene| contents(scene.home().join(".ssh/id_ed25519")))
        .tries("open", "a key in a granted home"),
    reading("G1-sensitive-file", |scene| contents(scene.home().join(".bash_history")))
        .tries("open", "a history in a granted home"),
    reading("G1-sensitive-proc-root", |scene| {
        contents(format!("/proc/self/root{}/.ssh/id_ed25519", scene.home().display()))
    })
    .tries("open(/proc/self/root)", CLOSED),
    reading("G1-sensitive-openat", |scene| {
        let home = File::open(scene.home())?;
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let file = openat(&home, ".ssh/id_ed25519", flags, Mode::empty())?;
        Ok(Seen::Text(io::read_to_string(File::from(file))?))
    })
    .tries("openat(granted directory)", CLOSED),
    reading("G1-sensitive-hard-link", |scene| {
        let link = scene.project().join("src/link");
        fs::hard_link(scene.home().join(".ssh/id_ed25519"), &link)?;
        contents(link)
    })
    .tries("link into a granted directory", CLOSED)
    .stopped(FENCE, &[libc::EACCES, libc::ENOENT, libc::EXDEV, libc::EPERM]),
    reading("G1-sensitive-rename", |scene| {
        let moved = scene.own().join("moved");
        fs::rename(scene.home().join(".bash_history"), &moved)?;
        let seen = contents(&moved);
        fs::rename(moved, scene.home().join(".bash_history"))?;
        seen
    })
    .tries("rename into a granted directory", CLOSED)
    .stopped(FENCE, &[libc::EACCES, libc::ENOENT, libc::EXDEV, libc::EPERM, libc::EBUSY]),
    reading("G1-sensitive-later", |scene| {
        scene.ask("late-place")?;
        // Time enough for whoever closes it.
        sleep(scene.patience.with(Duration::from_millis(500)));
        contents(scene.home().join(late_place(scene.id)).join("credentials"))
    })
    .tries("open", "a sensitive place that appears in a granted home later"),
    reading("G1-sensitive-at-once", |scene| {
        scene.ask("late-place")?;
        let until = Instant::now() + scene.patience.with(Duration::from_secs(2));
        loop {
            match contents(scene.home().join(late_place(scene.id)).join("credentials")) {
                Err(Failed::Errno(libc::ENOENT)) if Instant::now() < until => {
                    sleep(Duration::from_millis(5));
                }
                // It is made before it is written.
                Ok(Seen::Text(text)) if text.is_empty() && Instant::now() < until => {}
                other => return other,
            }
        }
    })
    .of_kind(Kind::Residual)
    .stopped(&[], &[libc::EACCES, libc::ENOENT])
    .tries("open as soon as it is there", "a sensitive place that appears in a granted home later"),
];

const FENCE: &[Control] = &[Control::Landlock, Control::View];

const fn reading(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Files, id, deed)
        .seen_by(Witness::Secret)
        .stopped(FENCE, &[libc::EACCES, libc::ENOENT])
}

const fn executing(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Files, id, deed).stopped(FENCE, &[libc::EACCES, libc::ENOENT, libc::EPERM])
}

const fn granted(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Files, id, deed).of_kind(Kind::Grant)
}

/// The names of a directory.
fn list(dir: fs::ReadDir) -> Result<Seen, Failed> {
    let names: Result<Vec<_>, _> = dir.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let names: Vec<_> = names?.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    Ok(Seen::Text(names.join(" ")))
}

/// Runs the tiny program, or a copy of it.
pub(super) fn run(mut command: Command) -> Result<Seen, Failed> {
    match command.status()?.code() {
        Some(tiny_elf::EXIT) => Ok(Seen::Done),
        other => Err(Failed::Odd(format!("the program ended with {other:?}"))),
    }
}

/// As [`run`], by descriptor.
pub(super) fn execveat(scene: &Scene, fd: i32) -> Result<Seen, Failed> {
    /// The exit code of a child that could not execute, above every errno that it reports.
    const FAILED: i32 = 128;
    let none = longs(&[0]);
    let code = scene.in_child(|| {
        let empty_path = i64::from(libc::AT_EMPTY_PATH);
        let arguments =
            [Arg::Int(fd.into()), Arg::Text(c""), Arg::In(&none), Arg::In(&none), Arg::Int(empty_path)];
        let failed = call(libc::SYS_execveat, arguments).err();
        FAILED + failed.and_then(|error| error.raw_os_error()).unwrap_or(0)
    })?;
    match code {
        tiny_elf::EXIT => Ok(Seen::Done),
        code if code > FAILED => Err(Failed::Errno(code - FAILED)),
        code => Err(Failed::Odd(format!("the program ended with {code}"))),
    }
}

fn openat2(scene: &Scene) -> Result<Seen, Failed> {
    // struct open_how: flags, mode, resolve.
    let how = longs(&[0, 0, 0]);
    let path = c(scene.secret())?;
    let at = Arg::Int(libc::AT_FDCWD.into());
    let fd = call(libc::SYS_openat2, [at, Arg::Text(&path), Arg::In(&how), Arg::Int(24)])?;
    contents(format!("/proc/self/fd/{fd}"))
}

fn io_uring(scene: &Scene) -> Result<Seen, Failed> {
    let mut ring = Ring::new()?;
    let path = c(scene.secret())?;
    let mut held = vec![0; 256];
    let address = super::super::sys::address(path.as_bytes_with_nul());
    let fd =
        ring.run(Operation { opcode: uring::OPENAT, fd: libc::AT_FDCWD, address, ..Operation::default() })?;
    let address = super::super::sys::address_mut(&mut held);
    ring.run(Operation { opcode: uring::READ, fd, address, length: 256, ..Operation::default() })?;
    Ok(text(&held))
}

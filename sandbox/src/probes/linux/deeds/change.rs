//! G1: changing what is not granted for writing. Judged by the files themselves, from outside.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::os::unix::net::UnixDatagram;

use nix::sys::stat::Mode;
use nix::unistd::{mkfifo, truncate};

use super::super::probe::{Deed, Probe, Seen, Witness};
use super::super::scene::c;
use super::super::sys::{Arg, call};
use crate::probes::{Control, Guarantee};

const FILE: &str = "a file outside of the grants";
const DIRECTORY: &str = "a directory outside of the grants";
const READABLE: &str = "a file granted for reading";
const READABLE_DIRECTORY: &str = "a directory granted for reading";
const HOOKS: &str = "a place closed for writing in a granted project";

pub(super) const PROBES: &[Probe] = &[
    changing("G1-write", |scene| done(fs::write(scene.secret(), "x")))
        .tries("open(O_WRONLY|O_TRUNC), write", FILE),
    changing("G1-append", |scene| {
        OpenOptions::new().append(true).open(scene.secret())?.write_all(b"x")?;
        Ok(Seen::Done)
    })
    .tries("open(O_APPEND), write", FILE),
    changing("G1-truncate", |scene| Ok(truncate(&scene.secret(), 0).map(|()| Seen::Done)?))
        .tries("truncate", FILE),
    changing("G1-open-truncating", |scene| {
        OpenOptions::new().read(true).custom_flags(libc::O_TRUNC).open(scene.secret())?;
        Ok(Seen::Done)
    })
    .tries("open(O_RDONLY|O_TRUNC)", FILE),
    changing("G1-open-mode-3", |scene| {
        let path = c(scene.secret())?;
        let at = Arg::Int(libc::AT_FDCWD.into());
        call(libc::SYS_openat, [at, Arg::Text(&path), Arg::Int((3 | libc::O_TRUNC).into()), Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .tries("open(access mode 3, O_TRUNC)", FILE),
    changing("G1-create", |scene| done(fs::write(scene.foreign().join("new"), "")))
        .tries("open(O_CREAT)", DIRECTORY),
    changing("G1-mkdir", |scene| done(fs::create_dir(scene.foreign().join("new")))).tries("mkdir", DIRECTORY),
    changing("G1-mkfifo", |scene| {
        Ok(mkfifo(&scene.foreign().join("new"), Mode::S_IRUSR).map(|()| Seen::Done)?)
    })
    .tries("mknod(S_IFIFO)", DIRECTORY),
    changing("G1-plant-symlink", |scene| done(symlink("/", scene.foreign().join("new"))))
        .tries("symlink", DIRECTORY),
    changing("G1-plant-hard-link", |scene| {
        done(fs::hard_link(scene.own().join("mine"), scene.foreign().join("new")))
    })
    .tries("link of a file of our own", DIRECTORY),
    changing("G1-plant-rename", |scene| {
        done(fs::rename(scene.own().join("mine"), scene.foreign().join("new")))
    })
    .tries("rename of a file of our own", DIRECTORY),
    changing("G1-plant-tmpfile", |scene| {
        let mut options = OpenOptions::new();
        let file = options.write(true).custom_flags(libc::O_TMPFILE).mode(0o600).open(scene.own())?;
        let (from, to) = (c(format!("/proc/self/fd/{}", file.as_raw_fd()))?, c(scene.foreign().join("new"))?);
        let at = || Arg::Int(libc::AT_FDCWD.into());
        let follow = Arg::Int(libc::AT_SYMLINK_FOLLOW.into());
        call(libc::SYS_linkat, [at(), Arg::Text(&from), at(), Arg::Text(&to), follow])?;
        Ok(Seen::Done)
    })
    .tries("open(O_TMPFILE), linkat", DIRECTORY),
    changing("G1-plant-socket", |scene| {
        UnixDatagram::bind(scene.foreign().join("new"))?;
        Ok(Seen::Done)
    })
    .tries("bind of a Unix socket", DIRECTORY),
    changing("G1-unlink", |scene| done(fs::remove_file(scene.secret()))).tries("unlink", FILE),
    changing("G1-rmdir", |scene| done(fs::remove_dir(scene.foreign().join("empty"))))
        .tries("rmdir", DIRECTORY),
    changing("G1-rename-within", |scene| done(fs::rename(scene.secret(), scene.foreign().join("new"))))
        .tries("rename in place", FILE),
    changing("G1-rename-out", |scene| {
        done(fs::rename(scene.readable().join("file"), scene.own().join("new")))
    })
    .tries("rename into a granted directory", READABLE),
    changing("G1-readable-write", |scene| done(fs::write(scene.readable().join("file"), "x")))
        .tries("open(O_WRONLY|O_TRUNC), write", READABLE),
    changing("G1-readable-truncate", |scene| {
        Ok(truncate(&scene.readable().join("file"), 0).map(|()| Seen::Done)?)
    })
    .tries("truncate", READABLE),
    changing("G1-readable-unlink", |scene| done(fs::remove_file(scene.readable().join("file"))))
        .tries("unlink", READABLE),
    changing("G1-readable-create", |scene| done(fs::write(scene.readable().join("new"), "")))
        .tries("open(O_CREAT)", READABLE_DIRECTORY),
    changing("G1-readable-hard-link", |scene| {
        fs::hard_link(scene.readable().join("file"), scene.own().join("new"))?;
        fs::write(scene.own().join("new"), "x")?;
        Ok(Seen::Done)
    })
    .tries("link into a granted directory, write there", READABLE),
    changing("G1-readable-proc-fd", |scene| {
        let file = File::open(scene.readable().join("file"))?;
        done(fs::write(format!("/proc/self/fd/{}", file.as_raw_fd()), "x"))
    })
    .tries("open(/proc/self/fd) for writing", READABLE),
    hooks("G1-hooks-write", |scene| done(fs::write(scene.repository().join(".git/hooks/pre-commit"), "x")))
        .tries("open(O_WRONLY|O_TRUNC), write", HOOKS),
    hooks("G1-hooks-create", |scene| {
        let hook = scene.repository().join(".git/hooks/post-merge");
        fs::write(&hook, "x")?;
        Ok(Seen::Done)
    })
    .tries("open(O_CREAT)", HOOKS),
    hooks("G1-hooks-rename", |scene| {
        let git = scene.repository().join(".git");
        fs::rename(git.join("hooks"), git.join("old"))?;
        fs::create_dir(git.join("hooks"))?;
        done(fs::write(git.join("hooks/post-checkout"), "x"))
    })
    .tries("rename away, mkdir", HOOKS),
];

const FENCE: &[Control] = &[Control::Landlock, Control::View];

const fn changing(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Files, id, deed).seen_by(Witness::Files).stopped(FENCE, KEPT)
}

const fn hooks(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Files, id, deed).seen_by(Witness::Project).stopped(FENCE, KEPT)
}

const KEPT: &[i32] = &[libc::EACCES, libc::ENOENT, libc::EPERM, libc::EROFS, libc::EXDEV, libc::EBUSY];

fn done(result: std::io::Result<()>) -> Result<Seen, super::super::probe::Failed> {
    Ok(result.map(|()| Seen::Done)?)
}

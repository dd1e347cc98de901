//! G1: reaching a file by another name than its path: links, /proc, handles, mounts, devices.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};

use nix::fcntl::{OFlag, openat};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::unistd::{chdir, chroot, getppid};

use super::super::probe::{Deed, Failed, Probe, Seen, Witness};
use super::super::scene::{Scene, c, contents, text};
use super::super::sys::{Arg, call};
use crate::probes::{Control, Guarantee};

const FILE: &str = "a file outside of the grants";

pub(super) const PROBES: &[Probe] = &[
    reading("G1-symlink", |scene| {
        let link = scene.own().join("link");
        symlink(scene.secret(), &link)?;
        contents(link)
    })
    .tries("symlink in a granted directory", FILE),
    reading("G1-symlink-directory", |scene| {
        let link = scene.own().join("link");
        symlink(scene.foreign(), &link)?;
        contents(link.join("secret"))
    })
    .tries("symlink in a granted directory", "the directory of such a file"),
    reading("G1-hard-link", |scene| {
        let link = scene.own().join("link");
        fs::hard_link(scene.secret(), &link)?;
        contents(link)
    })
    .tries("link into a granted directory", FILE)
    .stopped(FENCE, &[libc::EACCES, libc::ENOENT, libc::EXDEV, libc::EPERM]),
    reading("G1-rename-in", |scene| {
        let moved = scene.own().join("moved");
        fs::rename(scene.secret(), &moved)?;
        contents(moved)
    })
    .tries("rename into a granted directory", FILE)
    .stopped(FENCE, &[libc::EACCES, libc::ENOENT, libc::EXDEV, libc::EPERM]),
    reading("G1-rename-exchange", |scene| {
        let mine = scene.own().join("mine");
        const RENAME_EXCHANGE: i64 = 2;
        let (from, to) = (c(scene.secret())?, c(&mine)?);
        let at = || Arg::Int(libc::AT_FDCWD.into());
        let exchange = Arg::Int(RENAME_EXCHANGE);
        call(libc::SYS_renameat2, [at(), Arg::Text(&from), at(), Arg::Text(&to), exchange])?;
        contents(mine)
    })
    .tries("renameat2(RENAME_EXCHANGE)", FILE)
    .stopped(FENCE, &[libc::EACCES, libc::ENOENT, libc::EXDEV, libc::EPERM]),
    reading("G1-proc-self-root", |scene| contents(format!("/proc/self/root{}", scene.secret().display())))
        .tries("/proc/self/root", FILE),
    reading("G1-proc-parent-root", |scene| {
        contents(format!("/proc/{}/root{}", getppid(), scene.secret().display()))
    })
    .tries("/proc/PPID/root", FILE),
    reading("G1-proc-victim-root", |scene| {
        contents(format!("/proc/{}/root{}", scene.target()?.pid, scene.secret().display()))
    })
    .with_victim()
    .tries("/proc/PID/root of another process", FILE),
    reading("G1-proc-victim-cwd", |scene| contents(format!("/proc/{}/cwd/secret", scene.target()?.pid)))
        .with_victim()
        .tries("/proc/PID/cwd of another process", FILE),
    reading("G1-proc-victim-fd", |scene| {
        let target = scene.target()?;
        contents(format!("/proc/{}/fd/{}", target.pid, target.fd))
    })
    .with_victim()
    .tries("/proc/PID/fd of another process", "a file that it holds open"),
    reading("G1-proc-map-files", |scene| {
        let pid = scene.target()?.pid;
        for entry in fs::read_dir(format!("/proc/{pid}/map_files"))? {
            File::open(entry?.path())?;
        }
        Ok(Seen::Done)
    })
    .with_victim()
    .seen_by(Witness::Itself)
    .tries("/proc/PID/map_files of another process", "files that it has mapped"),
    reading("G1-handle", |scene| by_handle(scene, &scene.secret()))
        .tries("name_to_handle_at, open_by_handle_at", FILE)
        .stopped(&[Control::Seccomp], &[libc::EPERM]),
    reading("G1-bind-mount", |scene| {
        own_mounts()?;
        let place = scene.own().join("place");
        fs::create_dir(&place)?;
        let none: Option<&str> = None;
        mount(Some(&scene.foreign()), &place, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
        contents(place.join("secret"))
    })
    .tries("unshare, mount(MS_BIND)", FILE)
    .stopped(&[Control::Seccomp], &[libc::EPERM]),
    reading("G1-overlay", |scene| {
        own_mounts()?;
        let place = scene.own().join("place");
        fs::create_dir(&place)?;
        let layers = format!("lowerdir={}:{}", scene.foreign().display(), scene.own().display());
        mount(Some("overlay"), &place, Some("overlay"), MsFlags::empty(), Some(layers.as_str()))?;
        contents(place.join("secret"))
    })
    .tries("unshare, mount(overlay)", FILE)
    .stopped(&[Control::Seccomp], &[libc::EPERM]),
    reading("G1-open-tree", |scene| {
        own_mounts()?;
        const CLONE: i64 = 1;
        let path = c(scene.foreign())?;
        let at = Arg::Int(libc::AT_FDCWD.into());
        let fd = call(libc::SYS_open_tree, [at, Arg::Text(&path), Arg::Int(CLONE)])?;
        contents(format!("/proc/self/fd/{fd}/secret"))
    })
    .tries("unshare, open_tree(OPEN_TREE_CLONE)", FILE)
    .stopped(&[Control::Seccomp], &[libc::EPERM]),
    reading("G1-chroot", |scene| {
        unshare(CloneFlags::CLONE_NEWUSER)?;
        chroot(&scene.foreign())?;
        contents("/secret")
    })
    .tries("unshare, chroot", FILE)
    .stopped(&[Control::Seccomp], &[libc::EPERM]),
    reading("G1-chroot-up", |scene| {
        // The old way out of a chroot: a root below the working directory, and then up from there.
        unshare(CloneFlags::CLONE_NEWUSER)?;
        chroot(&scene.own())?;
        for _ in 0..64 {
            chdir("..")?;
        }
        chroot(".")?;
        contents(scene.secret())
    })
    .tries("unshare, chroot, chdir(..)", FILE)
    .stopped(&[Control::Seccomp], &[libc::EPERM]),
    device("G1-raw-disk", |scene| {
        let disk = scene.own().join("disk");
        mknod(&disk, SFlag::S_IFBLK, Mode::S_IRUSR, fs::metadata(scene.own())?.dev())?;
        let mut block = [0; 512];
        File::open(disk)?.read_exact_at(&mut block, 0)?;
        Ok(Seen::Done)
    })
    .tries("mknod(S_IFBLK), open", "the disk below the files"),
    device("G1-device-tun", |_| File::open("/dev/net/tun").map(|_| Seen::Done).map_err(Failed::from))
        .tries("open(/dev/net/tun)", "a device that makes network interfaces"),
    device("G1-proc-kcore", |_| File::open("/proc/kcore").map(|_| Seen::Done).map_err(Failed::from))
        .tries("open(/proc/kcore)", "the memory of the kernel"),
    device("G1-proc-core-pattern", |_| {
        OpenOptions::new().write(true).open("/proc/sys/kernel/core_pattern")?;
        Ok(Seen::Done)
    })
    .tries("open for writing", "the program that the kernel runs for a core dump"),
    device("G1-proc-sys-write", |_| {
        OpenOptions::new().write(true).open("/proc/sys/kernel/hostname")?;
        Ok(Seen::Done)
    })
    .tries("open for writing", "a setting of the kernel's"),
    reading("G1-proc-fd-up", |scene| {
        let dir = File::open(scene.own())?;
        let path = format!("/proc/self/fd/{}/../../closed/{}/secret", dir.as_raw_fd(), scene.id);
        contents(path)
    })
    .tries("/proc/self/fd/N/../..", FILE),
    reading("G1-proc-cwd-up", |scene| {
        chdir(&scene.own())?;
        let path = format!("/proc/self/cwd/../../closed/{}/secret", scene.id);
        let root = File::open("/")?;
        let file = openat(&root, path.as_str(), OFlag::O_RDONLY, Mode::empty())?;
        Ok(Seen::Text(io::read_to_string(File::from(file))?))
    })
    .tries("/proc/self/cwd/../..", FILE)
    .stopped(FENCE, &[libc::EACCES, libc::ENOENT]),
];

const FENCE: &[Control] = &[Control::Landlock, Control::View];

const fn reading(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Files, id, deed)
        .seen_by(Witness::Secret)
        .stopped(FENCE, &[libc::EACCES, libc::ENOENT])
}

const fn device(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Files, id, deed).stopped(
        &[Control::Landlock, Control::View, Control::Privileges],
        &[libc::EACCES, libc::ENOENT, libc::EPERM, libc::EROFS],
    )
}

/// A user and a mount namespace of our own, in which mounts are ours to make.
fn own_mounts() -> Result<(), Failed> {
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    Ok(())
}

/// `struct file_handle`: its length, a type, and up to 128 bytes.
fn by_handle(scene: &Scene, file: &std::path::Path) -> Result<Seen, Failed> {
    const HANDLE_BYTES: u32 = 128;
    let mut handle = vec![0; 8 + HANDLE_BYTES as usize];
    handle.splice(..4, HANDLE_BYTES.to_ne_bytes());
    let mut mount = [0; 4];
    let path = c(file)?;
    let arguments = [
        Arg::Int(libc::AT_FDCWD.into()),
        Arg::Text(&path),
        Arg::Out(&mut handle),
        Arg::Out(&mut mount),
        Arg::Int(0),
    ];
    call(libc::SYS_name_to_handle_at, arguments)?;
    let anywhere = File::open(scene.own())?;
    let arguments =
        [Arg::Int(anywhere.as_raw_fd().into()), Arg::In(&handle), Arg::Int(libc::O_RDONLY.into())];
    let fd = call(libc::SYS_open_by_handle_at, arguments)?;
    match contents(format!("/proc/self/fd/{fd}")) {
        Ok(seen) => Ok(seen),
        // The descriptor is open either way.
        Err(_) => Ok(text(b"")),
    }
}

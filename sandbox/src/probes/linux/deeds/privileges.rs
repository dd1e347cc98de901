//! G6: privileges that a process can give itself: namespaces in which it is root, and programs that run as somebody else.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, mknod};

use super::super::probe::{Deed, Failed, Probe, Seen};
use super::super::scene::{Scene, exit_code, longs};
use super::super::sys::{Arg, call};
use super::surface::{CALL, reach};
use crate::os::sys::{Side, exit_now, fork_into_namespaces};
use crate::probes::{Control, Guarantee};

pub(super) const PROBES: &[Probe] = &[
    refused("G6-unshare-user", |_| own(CloneFlags::CLONE_NEWUSER)).tries("unshare", "a user namespace"),
    refused("G6-unshare-mount", |_| own(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS))
        .tries("unshare", "a mount namespace"),
    refused("G6-unshare-net", |_| own(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET))
        .tries("unshare", "a network namespace"),
    refused("G6-unshare-pid", |_| own(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID))
        .tries("unshare", "a pid namespace"),
    refused("G6-unshare-ipc", |_| own(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWIPC))
        .tries("unshare", "an IPC namespace"),
    refused("G6-unshare-uts", |_| own(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWUTS))
        .tries("unshare", "a UTS namespace"),
    refused("G6-unshare-cgroup", |_| own(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWCGROUP))
        .tries("unshare", "a cgroup namespace"),
    refused("G6-unshare-time", |_| {
        const NEWTIME: i64 = 0x80;
        own(CloneFlags::CLONE_NEWUSER)?;
        call(libc::SYS_unshare, [Arg::Int(NEWTIME)])?;
        Ok(Seen::Done)
    })
    .tries("unshare", "a time namespace"),
    refused("G6-clone-user", |scene| match fork_into_namespaces(&scene.proof, libc::CLONE_NEWUSER)? {
        Side::Child => exit_now(0),
        Side::Parent(child) => exit_code(child).map(|_| Seen::Done),
    })
    .tries("clone(CLONE_NEWUSER)", "a user namespace"),
    refused("G6-clone3-user", |scene| clone3(scene, libc::CLONE_NEWUSER))
        .tries("clone3(CLONE_NEWUSER)", "a user namespace"),
    refused("G6-clone3", |scene| clone3(scene, 0)).tries("clone3", "flags that no filter sees"),
    refused("G6-setns", |_| reach(libc::SYS_setns, [-1, 0, 0, 0], &[libc::EBADF]))
        .tries("setns", "a namespace"),
    refused("G6-set-id-chmod", |scene| {
        set_id(scene, |path| {
            fs::write(path, "")?;
            Ok(fs::set_permissions(path, fs::Permissions::from_mode(SET_ID))?)
        })
    })
    .tries("chmod(4755)", "a file of our own"),
    refused("G6-set-id-fchmod", |scene| {
        set_id(scene, |path| {
            let file = OpenOptions::new().write(true).create_new(true).open(path)?;
            Ok(file.set_permissions(fs::Permissions::from_mode(SET_ID))?)
        })
    })
    .tries("fchmod(4755)", "a file of our own"),
    refused("G6-set-id-create", |scene| {
        set_id(scene, |path| {
            OpenOptions::new().write(true).create_new(true).mode(SET_ID).open(path)?;
            Ok(())
        })
    })
    .tries("open(O_CREAT, 4755)", "a file of our own"),
    refused("G6-set-id-mknod", |scene| {
        set_id(scene, |path| Ok(mknod(path, SFlag::S_IFREG, Mode::from_bits_truncate(SET_ID), 0)?))
    })
    .tries("mknod(4755)", "a file of our own"),
    refused("G6-set-id-mkdir", |scene| {
        set_id(scene, |path| {
            // mkdir(2) itself leaves these bits out; chmod of a directory doesn't.
            fs::DirBuilder::new().mode(0o755).create(path)?;
            Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o2755))?)
        })
    })
    .tries("mkdir, chmod(2755)", "a directory of our own"),
];

const fn refused(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Surface, id, deed).stopped(&[Control::Seccomp], CALL)
}

/// For the rest of this process.
fn own(namespaces: CloneFlags) -> Result<Seen, Failed> {
    unshare(namespaces)?;
    Ok(Seen::Done)
}

fn clone3(scene: &Scene, flags: i32) -> Result<Seen, Failed> {
    // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, and more zeros.
    let flags = u64::from(flags.cast_unsigned());
    let arguments = longs(&[flags, 0, 0, 0, u64::from(libc::SIGCHLD.cast_unsigned()), 0, 0, 0]);
    // The child goes on here with memory of its own, as after fork(2); there is one thread, as the scene's proof says.
    let _ = &scene.proof;
    match call(libc::SYS_clone3, [Arg::In(&arguments), Arg::Int(64)])? {
        0 => exit_now(0),
        child => exit_code(i32::try_from(child).unwrap_or(-1)).map(|_| Seen::Done),
    }
}

const SET_ID: u32 = 0o4755;

/// Whether a file came to have such a bit.
fn set_id(scene: &Scene, make: impl FnOnce(&Path) -> Result<(), Failed>) -> Result<Seen, Failed> {
    let path = scene.own().join("new");
    make(&path)?;
    let mode = fs::metadata(&path)?.permissions().mode();
    if mode & 0o6000 == 0 {
        return Err(Failed::Odd(format!("its mode is {:o}", mode & 0o7777)));
    }
    Ok(Seen::Text(format!("its mode is {:o}", mode & 0o7777)))
}

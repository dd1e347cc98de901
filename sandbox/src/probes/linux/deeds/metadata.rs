//! G1m: what is known of files outside of the grants beside what they hold, and what of it can be changed.

use std::fs::{self, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{AccessFlags, access};

use super::super::probe::{Deed, Failed, Probe, Seen, Witness};
use super::super::scene::{ATTRIBUTE, Scene, c, text};
use super::super::sys::{Arg, call};
use crate::probes::{Control, Guarantee};

const FILE: &str = "a file outside of the grants";
const READABLE: &str = "a file granted for reading";

pub(super) const PROBES: &[Probe] = &[
    knowing("G1m-stat", |scene| {
        let facts = fs::metadata(scene.secret())?;
        Ok(text(format!("{} bytes, mode {:o}", facts.size(), facts.mode()).as_bytes()))
    })
    .tries("stat", FILE),
    knowing("G1m-access", |scene| Ok(access(&scene.secret(), AccessFlags::F_OK).map(|()| Seen::Done)?))
        .tries("access", FILE),
    knowing("G1m-readlink", |scene| {
        Ok(text(fs::read_link(scene.foreign().join("link"))?.as_os_str().as_encoded_bytes()))
    })
    .seen_by(Witness::Secret)
    .tries("readlink", "a link outside of the grants"),
    knowing("G1m-getxattr", |scene| get_attribute(scene)).seen_by(Witness::Secret).tries("getxattr", FILE),
    knowing("G1m-inotify", |scene| {
        let fd = call(libc::SYS_inotify_init1, [Arg::Int(libc::O_CLOEXEC.into())])?;
        let path = c(scene.foreign())?;
        let events = Arg::Int((libc::IN_CREATE | libc::IN_MODIFY).into());
        call(libc::SYS_inotify_add_watch, [Arg::Int(fd), Arg::Text(&path), events])?;
        Ok(Seen::Done)
    })
    .tries("inotify_add_watch", "a directory outside of the grants"),
    knowing("G1m-fanotify", |scene| {
        const REPORT_FID: i64 = 0x200;
        const MARK_ADD: i64 = 1;
        let fd = call(libc::SYS_fanotify_init, [Arg::Int(REPORT_FID), Arg::Int(0)])?;
        let path = c(scene.foreign())?;
        let modified = Arg::Int(2);
        let at = Arg::Int(libc::AT_FDCWD.into());
        call(libc::SYS_fanotify_mark, [Arg::Int(fd), Arg::Int(MARK_ADD), modified, at, Arg::Text(&path)])?;
        Ok(Seen::Done)
    })
    .stopped(&[Control::Seccomp], &[libc::EPERM])
    .tries("fanotify_mark", "a directory outside of the grants"),
    changing("G1m-chmod", |scene| Ok(fs::set_permissions(scene.secret(), mode(0o600)).map(|()| Seen::Done)?))
        .tries("chmod", FILE),
    changing("G1m-chmod-proc-fd", |scene| {
        let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(scene.secret())?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(fs::set_permissions(path, mode(0o600)).map(|()| Seen::Done)?)
    })
    .tries("open(O_PATH), chmod(/proc/self/fd)", FILE),
    changing("G1m-chown", |scene| {
        const DAEMON: u32 = 1;
        Ok(chown(scene.secret(), Some(DAEMON), Some(DAEMON)).map(|()| Seen::Done)?)
    })
    .tries("chown", FILE),
    changing("G1m-utimes", |scene| set_time(&scene.secret())).tries("utimensat", FILE),
    changing("G1m-setxattr", |scene| set_attribute(&scene.secret())).tries("setxattr", FILE),
    changing("G1m-removexattr", |scene| {
        let path = c(scene.secret())?;
        call(libc::SYS_removexattr, [Arg::Text(&path), Arg::Text(ATTRIBUTE)])?;
        Ok(Seen::Done)
    })
    .tries("removexattr", FILE),
    changing("G1m-readable-chmod", |scene| {
        Ok(fs::set_permissions(scene.readable().join("file"), mode(0o600)).map(|()| Seen::Done)?)
    })
    .tries("chmod", READABLE),
    changing("G1m-readable-fchmod", |scene| {
        let file = fs::File::open(scene.readable().join("file"))?;
        Ok(file.set_permissions(mode(0o600)).map(|()| Seen::Done)?)
    })
    .tries("fchmod", READABLE),
    changing("G1m-readable-utimes", |scene| set_time(&scene.readable().join("file")))
        .tries("utimensat", READABLE),
    changing("G1m-readable-setxattr", |scene| set_attribute(&scene.readable().join("file")))
        .tries("setxattr", READABLE),
];

const fn knowing(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Metadata, id, deed).stopped(&[Control::View], &[libc::ENOENT, libc::EACCES])
}

const fn changing(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Metadata, id, deed)
        .seen_by(Witness::Files)
        .stopped(&[Control::View], &[libc::ENOENT, libc::EACCES, libc::EROFS, libc::EPERM, libc::EINVAL])
}

fn mode(bits: u32) -> Permissions {
    Permissions::from_mode(bits)
}

fn set_time(path: &std::path::Path) -> Result<Seen, Failed> {
    let long_ago = TimeSpec::new(1, 0);
    let at = nix::fcntl::AT_FDCWD;
    utimensat(at, path, &long_ago, &long_ago, UtimensatFlags::FollowSymlink)?;
    Ok(Seen::Done)
}

fn set_attribute(path: &std::path::Path) -> Result<Seen, Failed> {
    let path = c(path)?;
    let value = b"changed";
    let arguments = [Arg::Text(&path), Arg::Text(ATTRIBUTE), Arg::In(value), Arg::Int(7), Arg::Int(0)];
    call(libc::SYS_setxattr, arguments)?;
    Ok(Seen::Done)
}

fn get_attribute(scene: &Scene) -> Result<Seen, Failed> {
    let path = c(scene.secret())?;
    let mut value = [0; 256];
    let arguments = [Arg::Text(&path), Arg::Text(ATTRIBUTE), Arg::Out(&mut value), Arg::Int(256)];
    call(libc::SYS_getxattr, arguments)?;
    Ok(text(&value))
}

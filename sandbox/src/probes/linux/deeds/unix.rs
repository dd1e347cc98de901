//! G3: Unix sockets of other programs. Judged by the listeners outside.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::chdir;

use super::super::probe::{Deed, Failed, Probe, Seen, Setting, Witness};
use super::super::scene::Scene;
use super::super::sys::address;
use super::super::uring::{self, Operation, Ring};
use super::network::{connect, greeting, send, send_message, send_messages, send_to, socket};
use crate::probes::proof::Kind;
use crate::probes::{Control, Guarantee};

const CLOSED: &str = "a socket outside of the grants";
const READABLE: &str = "a socket in a directory granted for reading";
const WRITABLE: &str = "a socket in a directory granted for writing";
const DATAGRAMS: &str = "a datagram socket outside of the grants";
const ABSTRACT: &str = "an abstract name";

pub(super) const PROBES: &[Probe] = &[
    Probe::new(Guarantee::UnixSockets, "G3-granted", |scene| {
        if scene.fact("network")? == "none" {
            return Err(Failed::Unfit("no socket is granted in this session".to_owned()));
        }
        greeting(UnixStream::connect(scene.closed().join("granted"))?)
    })
    .of_kind(Kind::Grant)
    .in_setting(Setting::Network)
    .tries("connect", "a granted socket"),
    Probe::new(Guarantee::UnixSockets, "G3-granted-pair", |_| {
        let flags = SockFlag::SOCK_CLOEXEC;
        socketpair(AddressFamily::Unix, SockType::Stream, None, flags)?;
        Ok(Seen::Done)
    })
    .of_kind(Kind::Grant)
    .tries("socketpair", "connected to each other alone"),
    reaching("G3-stream", |scene| stream(scene, &path(&scene.closed().join("socket"))))
        .tries("connect", CLOSED),
    reaching("G3-docker", |scene| stream(scene, &path(&scene.closed().join("docker.sock"))))
        .tries("connect", "docker.sock"),
    reaching("G3-stream-readable", |scene| stream(scene, &path(&scene.readable().join("../socket"))))
        .tries("connect", READABLE),
    reaching("G3-stream-writable", |scene| stream(scene, &path(&scene.own().join("../socket"))))
        .tries("connect", WRITABLE),
    reaching("G3-symlink", |scene| {
        let link = scene.own().join("link");
        symlink(scene.closed().join("socket"), &link)?;
        stream(scene, &path(&link))
    })
    .tries("connect to a symlink", CLOSED),
    reaching("G3-hard-link", |scene| {
        let link = scene.own().join("link");
        std::fs::hard_link(scene.closed().join("socket"), &link)?;
        stream(scene, &path(&link))
    })
    .tries("link, connect", CLOSED),
    reaching("G3-relative", |scene| {
        chdir(&scene.own())?;
        stream(scene, &path(Path::new("../socket")))
    })
    .tries("connect to a relative path", WRITABLE),
    reaching("G3-proc-fd", |scene| {
        let dir = File::open(scene.own().join(".."))?;
        stream(scene, &path(Path::new(&format!("/proc/self/fd/{}/socket", dir.as_raw_fd()))))
    })
    .tries("connect to /proc/self/fd/N/…", WRITABLE),
    reaching("G3-abstract", |scene| stream(scene, &name(scene.fact("abstract")?))).tries("connect", ABSTRACT),
    reaching("G3-abstract-datagram", |scene| {
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?;
        send_to(&fd, &scene.message(), 0, &name(&format!("{}-dgram", scene.fact("abstract")?)))
    })
    .tries("sendto", ABSTRACT),
    reaching("G3-seqpacket", |scene| {
        let fd = socket(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0)?;
        connect(&fd, &path(&scene.closed().join("seqpacket")))?;
        send(&fd, &scene.message())
    })
    .tries("connect (SOCK_SEQPACKET)", CLOSED),
    reaching("G3-datagram-sendto", |scene| {
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?;
        send_to(&fd, &scene.message(), 0, &path(&scene.closed().join("datagrams")))
    })
    .tries("sendto", DATAGRAMS),
    reaching("G3-datagram-connect", |scene| {
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?;
        connect(&fd, &path(&scene.closed().join("datagrams")))?;
        send(&fd, &scene.message())
    })
    .tries("connect, send", DATAGRAMS),
    reaching("G3-datagram-writable", |scene| {
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?;
        send_to(&fd, &scene.message(), 0, &path(&scene.own().join("../datagrams")))
    })
    .tries("sendto", "a datagram socket in a directory granted for writing"),
    reaching("G3-pair-sendto", |scene| {
        send_to(&pair(SockType::Datagram)?, &scene.message(), 0, &path(&scene.closed().join("datagrams")))
    })
    .tries("socketpair(SOCK_DGRAM), sendto", DATAGRAMS),
    reaching("G3-pair-sendmsg", |scene| {
        send_message(
            &pair(SockType::Datagram)?,
            &scene.message(),
            0,
            &path(&scene.closed().join("datagrams")),
        )
    })
    .tries("socketpair(SOCK_DGRAM), sendmsg", DATAGRAMS),
    reaching("G3-pair-sendmmsg", |scene| {
        send_messages(&pair(SockType::Datagram)?, &scene.message(), &path(&scene.closed().join("datagrams")))
    })
    .tries("socketpair(SOCK_DGRAM), sendmmsg", DATAGRAMS),
    reaching("G3-pair-connect", |scene| {
        let fd = pair(SockType::Datagram)?;
        connect(&fd, &path(&scene.closed().join("datagrams")))?;
        send(&fd, &scene.message())
    })
    .tries("socketpair(SOCK_DGRAM), connect", DATAGRAMS),
    reaching("G3-pair-abstract", |scene| {
        let to = name(&format!("{}-dgram", scene.fact("abstract")?));
        send_to(&pair(SockType::Datagram)?, &scene.message(), 0, &to)
    })
    .tries("socketpair(SOCK_DGRAM), sendto", ABSTRACT),
    reaching("G3-io-uring", |scene| {
        let mut ring = Ring::new()?;
        let stream = u64::from(libc::SOCK_STREAM.cast_unsigned());
        let socket =
            Operation { opcode: uring::SOCKET, fd: libc::AF_UNIX, offset: stream, ..Operation::default() };
        let fd = ring.run(socket)?;
        let to = path(&scene.closed().join("socket"));
        let (opcode, offset) = (uring::CONNECT, to.len() as u64);
        ring.run(Operation { opcode, fd, offset, address: address(&to), ..Operation::default() })?;
        let message = scene.message();
        let length = u32::try_from(message.len()).unwrap_or(0);
        let send =
            Operation { opcode: uring::SEND, fd, address: address(&message), length, ..Operation::default() };
        ring.run(send)?;
        Ok(Seen::Done)
    })
    .tries("io_uring: socket, connect, send", CLOSED)
    .stopped(&[Control::Seccomp], &[libc::ENOSYS]),
];

const fn reaching(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::UnixSockets, id, deed)
        .seen_by(Witness::Listener)
        .in_setting(Setting::Network)
        .stopped(
            &[Control::Seccomp, Control::Supervisor, Control::View, Control::Landlock],
            &[libc::EACCES, libc::EPERM, libc::ENOENT, libc::ECONNREFUSED, libc::EAFNOSUPPORT, libc::EXDEV],
        )
}

fn stream(scene: &Scene, to: &[u8]) -> Result<Seen, Failed> {
    let fd = socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    connect(&fd, to)?;
    send(&fd, &scene.message())
}

/// One end; the other is closed, since the end is to be turned to somebody else.
fn pair(kind: SockType) -> Result<OwnedFd, Failed> {
    let (one, _other) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)?;
    Ok(one)
}

/// As sockaddr_un.
fn path(path: &Path) -> Vec<u8> {
    let mut bytes = u16::try_from(libc::AF_UNIX).unwrap_or(0).to_ne_bytes().to_vec();
    bytes.extend(path.as_os_str().as_encoded_bytes());
    bytes.push(0);
    bytes
}

/// As sockaddr_un: an abstract name begins with a NUL and ends with the address.
fn name(name: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(libc::AF_UNIX).unwrap_or(0).to_ne_bytes().to_vec();
    bytes.push(0);
    bytes.extend(name.as_bytes());
    bytes
}

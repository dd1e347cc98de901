//! What is refused, and told.

use super::Post;
use super::asked::Notification;
use super::desk::Grounds;
use super::reply::Reply;
use super::target::Target;
use crate::os::bpf::{Action, Table};
use crate::os::seccomp::{self, Filter, Group, HostIpc, Listener, Sockets, Truncate, UnixSockets};
use crate::{Backend, Denial, Denied};

/// The filter's own table as it would be if nobody listened: with which errno what is refused.
pub(super) fn refusals(post: &Post) -> Table {
    let sockets = match (&post.doors, post.backend) {
        (None, _) => Sockets::None,
        (Some(_), Backend::Namespaces) => Sockets::OwnNamespace,
        (Some(_), Backend::Notify | Backend::Static) => Sockets::Supervised,
    };
    seccomp::refusals(Filter {
        sockets,
        host_ipc: HostIpc::Private,
        truncate: Truncate::Landlock,
        group: Group::Free,
        unix: UnixSockets::None,
        listener: Listener::Absent,
        observe: post.observe,
    })
}

/// The errno of a call that the filter refuses when nobody listens. What it would allow then should not have been asked.
pub(super) fn refuse(grounds: &Grounds, target: &Target<'_>, notification: &Notification) -> Reply {
    let errno = match grounds.refusals.answer(notification.number, &notification.arguments) {
        Action::Errno(errno) => i32::from(errno),
        Action::Allow | Action::Notify | Action::KillProcess => libc::EPERM,
    };
    let what = match libc::c_long::from(notification.number) {
        libc::SYS_socket => Denied::Socket {
            family: family(notification.int(0)),
            kind: kind(notification.int(1) & !(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)),
        },
        _ => Denied::SystemCall { name: seccomp::name(notification.number) },
    };
    grounds.gatekeeper.denied(Denial { program: target.program(), what });
    Reply::Errno(errno)
}

fn family(number: i32) -> String {
    let name = match number {
        libc::AF_UNIX => "AF_UNIX",
        libc::AF_INET => "AF_INET",
        libc::AF_INET6 => "AF_INET6",
        libc::AF_NETLINK => "AF_NETLINK",
        libc::AF_PACKET => "AF_PACKET",
        libc::AF_VSOCK => "AF_VSOCK",
        libc::AF_ALG => "AF_ALG",
        libc::AF_BLUETOOTH => "AF_BLUETOOTH",
        libc::AF_CAN => "AF_CAN",
        libc::AF_KEY => "AF_KEY",
        libc::AF_TIPC => "AF_TIPC",
        libc::AF_RDS => "AF_RDS",
        libc::AF_XDP => "AF_XDP",
        _ => return number.to_string(),
    };
    name.to_owned()
}

fn kind(number: i32) -> String {
    let name = match number {
        libc::SOCK_STREAM => "SOCK_STREAM",
        libc::SOCK_DGRAM => "SOCK_DGRAM",
        libc::SOCK_RAW => "SOCK_RAW",
        libc::SOCK_SEQPACKET => "SOCK_SEQPACKET",
        _ => return number.to_string(),
    };
    name.to_owned()
}

//! What every filter says about every class of call, in words that know nothing of how its rules are written.

use super::*;
use crate::os::bpf::MAX_INSTRUCTIONS;

/// Every filter that can be asked for.
fn filters() -> Vec<Filter> {
    let mut all = Vec::new();
    for sockets in [Sockets::None, Sockets::OwnNamespace, Sockets::Supervised, Sockets::Host] {
        for unix in [UnixSockets::None, UnixSockets::Connected, UnixSockets::Supervised] {
            for listener in [Listener::Present, Listener::Absent] {
                for observe in [Observe::Refused, Observe::Files] {
                    let base = Filter { sockets, unix, listener, observe, ..FILTER };
                    all.push(base);
                    all.push(Filter { host_ipc: HostIpc::Shared, group: Group::Kept, ..base });
                    all.push(Filter { truncate: Truncate::Filter, ..base });
                }
            }
        }
    }
    all
}

/// Registers that hold what the rules look at: families, kinds, protocols, flags, modes, options, pids, and each of them
/// with rubbish in the upper half.
fn registers() -> Vec<[u64; 6]> {
    const VALUES: [u64; 22] = [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        8,
        10,
        16,
        17,
        26,
        38,
        0x10,
        0x11,
        0x5412,
        0o4755,
        0x40_0000,
        0x1000_0011,
        0x2000_0000,
        0x5961_6d61,
        0xffff_ffff,
    ];
    let mut all = vec![[0; 6]];
    for place in 0..6 {
        for value in VALUES {
            let mut registers = [0; 6];
            registers[place] = value;
            all.push(registers);
            registers[place] = value | 0xdead_0000_0000_0000;
            all.push(registers);
        }
    }
    for family in [0u64, 1, 2, 10, 16, 17, 40, 45] {
        for kind in [1u64, 2, 3, 5, 0o2_000_001, 0o2_004_002, 0x7000_0001] {
            for protocol in [0u64, 1, 6, 17, 132, 255, 262] {
                all.push([family, kind, protocol, 0, 0, 0]);
            }
        }
    }
    for level in [0u64, 1, 6, 41] {
        for name in 0..80u64 {
            all.push([3, level, name, 0, 0, 0]);
        }
    }
    all
}

/// As many of them as a call's rule looks at: none, for most.
fn looked_at<'a>(table: &Table, number: u32, registers: &'a [[u64; 6]]) -> &'a [[u64; 6]] {
    let looks = table.rules.iter().any(|rule| rule.number == number && !rule.cases.is_empty());
    if looks { registers } else { &registers[..1] }
}

#[test]
fn the_program_says_what_the_table_says() {
    let registers = registers();
    for filter in filters() {
        let (program, table) = (program(filter).expect("assembles"), table(filter));
        assert!(program.len() < MAX_INSTRUCTIONS / 4, "{}", program.len());
        for number in (0..600).chain([0x3fff_ffff]) {
            for arguments in looked_at(&table, number, &registers) {
                let call = Call { arch: AUDIT_ARCH, number, arguments: *arguments };
                assert_eq!(run(&program, &call), table.answer(number, arguments), "{filter:?} {call:x?}");
            }
        }
        for number in [0u32, 42, 0x4000_0000, 0x4000_002a, u32::MAX] {
            for arch in [0x4000_0003u32, 0x4000_0028, 0, AUDIT_ARCH ^ 1] {
                let call = Call { arch, number, arguments: [0; 6] };
                assert_eq!(run(&program, &call), Action::KillProcess, "{call:x?}");
            }
            if number >= 0x4000_0000 {
                let call = Call { arch: AUDIT_ARCH, number, arguments: [0; 6] };
                assert_eq!(run(&program, &call), no(libc::ENOSYS), "{call:x?}");
            }
        }
    }
}

/// Without a listener a notification is ENOSYS whatever is meant; with one, whoever is only told of a call has to know
/// its errno.
#[test]
fn nothing_is_asked_where_nobody_listens_and_everything_told_has_an_errno() {
    let registers = registers();
    let opens = [libc::SYS_openat, libc::SYS_execve, libc::SYS_execveat];
    #[cfg(target_arch = "x86_64")]
    let opens = opens.into_iter().chain([libc::SYS_open, libc::SYS_creat]).collect::<Vec<_>>();
    let opens: Vec<u32> = opens.iter().map(|&call| number(call)).collect();
    for filter in filters().into_iter().filter(|filter| filter.listener == Listener::Present) {
        let (heard, deaf) = (table(filter), refusals(filter));
        for number in 0..600 {
            for arguments in looked_at(&heard, number, &registers) {
                let (heard, deaf) = (heard.answer(number, arguments), deaf.answer(number, arguments));
                let case = (filter, number, arguments);
                assert_ne!(deaf, Action::Notify, "{case:x?}");
                match (heard, deaf) {
                    (Action::Notify, Action::Errno(errno)) => assert_ne!(errno, 0, "{case:x?}"),
                    (Action::Notify, Action::Allow) => {
                        let observed = filter.observe == Observe::Files && opens.contains(&number);
                        let on_unix_sockets = filter.unix != UnixSockets::None
                            && [libc::SYS_connect, libc::SYS_bind, libc::SYS_listen, libc::SYS_prctl]
                                .contains(&libc::c_long::from(number));
                        assert!(observed || on_unix_sockets, "{case:x?}");
                    }
                    // Unix sockets are there only where somebody connects them.
                    (Action::Allow, Action::Errno(_)) if number == super::number(libc::SYS_socket) => {
                        assert!(
                            filter.unix != UnixSockets::None && arguments[0] & 0xffff_ffff == 1,
                            "{case:x?}"
                        );
                    }
                    (heard, deaf) => assert_eq!(heard, deaf, "{case:x?}"),
                }
            }
        }
    }
}

/// What a call is to a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Allowed,
    /// Refused, and told where somebody listens.
    Refused(i32),
    /// Refused without a word.
    Silent(i32),
    /// Answered by the supervisor; refused without one.
    Asked,
}
use Is::{Allowed, Asked, Refused, Silent};

fn check(filter: Filter, call: libc::c_long, arguments: &[u64], is: Is) {
    let listens = filter.listener == Listener::Present;
    let expected = match is {
        Allowed => Action::Allow,
        Refused(_) | Asked if listens => Action::Notify,
        Refused(errno) | Silent(errno) => no(errno),
        Asked => no(libc::EACCES),
    };
    assert_eq!(asked(filter, call, arguments), expected, "{filter:?} {call} {arguments:x?}");
}

#[test]
fn which_sockets_can_be_made() {
    const FLAGS: u64 = 0o2_004_000;
    for filter in filters().into_iter().filter(|filter| filter.sockets != Sockets::Host) {
        let socket = |family: i32, kind: i32, protocol: i32, is| {
            for flags in [0, FLAGS] {
                let arguments = [family as u64, kind as u64 | flags, protocol as u64];
                check(filter, libc::SYS_socket, &arguments, is);
            }
        };
        for family in [libc::AF_INET, libc::AF_INET6] {
            let (stream, datagram, rest, raw) = match filter.sockets {
                Sockets::None | Sockets::Host => {
                    let no = Refused(libc::EACCES);
                    (no, no, no, no)
                }
                Sockets::OwnNamespace => {
                    (Allowed, Allowed, Refused(libc::EPROTONOSUPPORT), Refused(libc::EPERM))
                }
                Sockets::Supervised => (Allowed, Asked, Refused(libc::EPROTONOSUPPORT), Refused(libc::EPERM)),
            };
            socket(family, libc::SOCK_STREAM, 0, stream);
            socket(family, libc::SOCK_STREAM, libc::IPPROTO_TCP, stream);
            socket(family, libc::SOCK_DGRAM, 0, datagram);
            socket(family, libc::SOCK_DGRAM, libc::IPPROTO_UDP, datagram);
            socket(family, libc::SOCK_STREAM, 262, Silent(libc::EPROTONOSUPPORT));
            socket(family, libc::SOCK_STREAM, libc::IPPROTO_SCTP, rest);
            socket(family, libc::SOCK_STREAM, libc::IPPROTO_UDP, rest);
            socket(family, libc::SOCK_DGRAM, libc::IPPROTO_ICMP, rest);
            socket(family, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE, rest);
            socket(family, libc::SOCK_SEQPACKET, 0, rest);
            socket(family, 0, 0, rest);
            socket(family, libc::SOCK_RAW, 255, raw);
        }
        let unix = match (filter.unix, filter.listener) {
            (UnixSockets::None, _) | (_, Listener::Absent) => Refused(libc::EACCES),
            _ => Allowed,
        };
        socket(libc::AF_UNIX, libc::SOCK_STREAM, 0, unix);
        socket(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, unix);
        socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0, Refused(libc::EACCES));
        socket(libc::AF_UNIX, libc::SOCK_RAW, 0, Refused(libc::EACCES));
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE, Allowed);
        socket(libc::AF_NETLINK, libc::SOCK_RAW, 4, Refused(libc::EPROTONOSUPPORT));
        for family in [0, libc::AF_PACKET, libc::AF_VSOCK, libc::AF_ALG, libc::AF_XDP, 43, 46, -1] {
            socket(family, libc::SOCK_STREAM, 0, Refused(libc::EAFNOSUPPORT));
        }
        check(filter, libc::SYS_socketpair, &[1, 1 | FLAGS, 0], Allowed);
        check(filter, libc::SYS_socketpair, &[1, 2, 0], Silent(libc::EACCES));
    }
}

#[test]
fn which_calls_on_sockets_are_asked_about() {
    for filter in filters() {
        let unix = match filter.listener {
            Listener::Present => filter.unix,
            Listener::Absent => UnixSockets::None,
        };
        let supervised = filter.sockets == Sockets::Supervised;
        let (connects, binds) = match (filter.sockets, unix) {
            (Sockets::Host, _) => (false, false),
            (Sockets::Supervised, _) | (_, UnixSockets::Supervised) => (true, true),
            (_, UnixSockets::Connected) => (true, false),
            (_, UnixSockets::None) => (false, false),
        };
        let asked_if = |is: bool| if is { Asked } else { Allowed };
        check(filter, libc::SYS_connect, &[3, 0x7fff_0000, 16], asked_if(connects));
        check(filter, libc::SYS_bind, &[3, 0x7fff_0000, 16], asked_if(binds));
        check(filter, libc::SYS_listen, &[3, 128], asked_if(binds));
        for call in [libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_recvmsg] {
            check(filter, call, &[3, 1, 1], asked_if(supervised));
        }
        check(filter, libc::SYS_recvfrom, &[3, 1, 1, 0, 0, 0], Allowed);
        check(filter, libc::SYS_recvfrom, &[3, 1, 1, 0, 0x7fff_1234, 1], asked_if(supervised));
        for call in [libc::SYS_accept4, libc::SYS_recvmmsg, libc::SYS_shutdown, libc::SYS_getsockopt] {
            check(filter, call, &[3, 1, 1], Allowed);
        }
        // Data is nobody's business, and a first segment that connects nobody's either.
        let fast_open = if filter.sockets == Sockets::Host { Allowed } else { Silent(libc::EOPNOTSUPP) };
        for (call, place) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
            let mut arguments = [3, 1, 1, 0, 0, 0];
            arguments[place] = 0x4000;
            check(filter, call, &arguments, Allowed);
            arguments[place] |= 0x2000_0000;
            check(filter, call, &arguments, fast_open);
        }
        let undumpable = if connects { Refused(libc::EPERM) } else { Allowed };
        check(filter, libc::SYS_prctl, &[libc::PR_SET_DUMPABLE as u64, 0], undumpable);
        check(filter, libc::SYS_prctl, &[libc::PR_SET_DUMPABLE as u64, 1], Allowed);
    }
}

#[test]
fn which_options_of_sockets_are_asked_about() {
    for filter in filters() {
        let option = |level: i32, name: i32, is: Is| {
            let is = if filter.sockets == Sockets::Supervised { is } else { Allowed };
            check(filter, libc::SYS_setsockopt, &[3, level as u64, name as u64], is);
        };
        let (ip, ipv6) = (libc::IPPROTO_IP, libc::IPPROTO_IPV6);
        for (level, name) in [(ip, libc::IP_RECVERR), (ipv6, libc::IPV6_RECVERR), (ipv6, 49), (ipv6, 18)] {
            option(level, name, Silent(0));
        }
        for (level, name) in [(ip, libc::IP_OPTIONS), (ipv6, libc::IPV6_RTHDR), (1, libc::SO_BINDTODEVICE)] {
            option(level, name, Refused(libc::EPERM));
        }
        for (level, name) in [
            (ip, libc::IP_TOS),
            (ipv6, libc::IPV6_TCLASS),
            (libc::IPPROTO_TCP, libc::TCP_NODELAY),
            (libc::IPPROTO_TCP, 4),
            (1, libc::SO_KEEPALIVE),
            (1, libc::SO_REUSEADDR),
        ] {
            option(level, name, Allowed);
        }
        let only = [3, ipv6 as u64, libc::IPV6_V6ONLY as u64];
        let action = asked(filter, libc::SYS_setsockopt, &only);
        match (filter.sockets, filter.listener) {
            (Sockets::Supervised, Listener::Present) => assert_eq!(action, Action::Notify),
            (Sockets::Supervised, Listener::Absent) => assert_eq!(action, no(libc::EPERM)),
            _ => assert_eq!(action, Action::Allow),
        }
    }
}

#[test]
fn what_is_refused_to_everybody() {
    for filter in filters() {
        for call in [libc::SYS_io_uring_setup, libc::SYS_clone3, libc::SYS_openat2, libc::SYS_memfd_secret] {
            check(filter, call, &[0x100], Silent(libc::ENOSYS));
        }
        for call in [
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_pidfd_getfd,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_move_mount,
            libc::SYS_pivot_root,
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_keyctl,
            libc::SYS_reboot,
        ] {
            check(filter, call, &[0], Refused(libc::EPERM));
            assert_ne!(name(number(call)), "a system call", "{call}");
        }
        check(filter, libc::SYS_clone, &[0x1000_0011], Refused(libc::EPERM));
        check(filter, libc::SYS_clone, &[0x003d_0f00], Allowed);
        check(filter, libc::SYS_ioctl, &[0, 0x5412], Refused(libc::EPERM));
        check(filter, libc::SYS_ioctl, &[0, 0x5413], Allowed);
        check(filter, libc::SYS_memfd_create, &[0, 0], Refused(libc::EACCES));
        check(filter, libc::SYS_memfd_create, &[0, 1], Refused(libc::EACCES));
        check(filter, libc::SYS_memfd_create, &[0, 8], Allowed);
        check(filter, libc::SYS_memfd_create, &[0, 9], Allowed);
        check(filter, libc::SYS_memfd_create, &[0, 0x10], Refused(libc::EACCES));
        // Both at once are EINVAL in every kernel: nothing is made.
        check(filter, libc::SYS_memfd_create, &[0, 0x18], Allowed);
        let observed = filter.observe == Observe::Files && filter.listener == Listener::Present;
        let expected = if observed { Action::Notify } else { Action::Allow };
        assert_eq!(asked(filter, libc::SYS_openat, &[0, 0, libc::O_WRONLY as u64]), expected);
        assert_eq!(asked(filter, libc::SYS_execve, &[0]), expected);
        assert_eq!(asked(filter, libc::SYS_execveat, &[0]), expected);
        // What is refused is refused, whoever looks on.
        let create = [0, 0, libc::O_CREAT as u64, 0o4755];
        check(filter, libc::SYS_openat, &create, Silent(libc::EPERM));
        check(filter, libc::SYS_fchmodat, &[0, 0, 0o2755], Silent(libc::EPERM));
        let truncate = [0, 0, libc::O_TRUNC as u64];
        if filter.truncate == Truncate::Filter {
            check(filter, libc::SYS_openat, &truncate, Silent(libc::EACCES));
        }
    }
}

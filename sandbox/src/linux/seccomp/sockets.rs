//! Rules about sockets: which can be made, and which calls on them a supervisor answers.

use super::{Filter, Sockets, UnixSockets, case, errno, number, with_cases};
use crate::os::bpf::{Action, Case, Rule, Test};

const MSG_FASTOPEN: u32 = 0x2000_0000;
const IPPROTO_MPTCP: u32 = 262;
/// SOCK_NONBLOCK and SOCK_CLOEXEC.
const SOCKET_FLAGS: u32 = 0o4000 | 0o2_000_000;

/// Everything about sockets, unless they are the host's.
pub(super) fn rules(filter: Filter) -> Vec<Rule> {
    let mut rules = vec![socket(filter), socketpair()];
    rules.extend(no_fast_open());
    if filter.connects_are_asked() {
        rules.push(asked(filter, libc::SYS_connect));
    }
    if filter.binds_are_asked() {
        // Without a bind before it, listen(2) takes any free port on every address.
        rules.extend([libc::SYS_bind, libc::SYS_listen].map(|call| asked(filter, call)));
    }
    if filter.sockets == Sockets::Supervised {
        rules.extend(supervised(filter));
    }
    rules
}

/// What can be made: connected pairs, the netlink family that getifaddrs(3) asks, and what the ruleset grants.
fn socket(filter: Filter) -> Rule {
    let eacces = filter.told(libc::EACCES);
    let mut cases = Vec::new();
    if filter.unix() != UnixSockets::None {
        cases.extend([libc::SOCK_STREAM, libc::SOCK_SEQPACKET].map(|of| {
            // No datagrams: each of them can name another receiver.
            case([family(libc::AF_UNIX), kind(of)], Action::Allow)
        }));
    }
    cases.push(case([family(libc::AF_UNIX)], eacces));
    for domain in [libc::AF_INET, libc::AF_INET6] {
        cases.extend(internet(filter, domain));
    }
    let no_protocol = filter.told(libc::EPROTONOSUPPORT);
    cases.extend([
        case([family(libc::AF_NETLINK), Test::equals(2, libc::NETLINK_ROUTE.cast_unsigned())], Action::Allow),
        case([family(libc::AF_NETLINK)], no_protocol),
    ]);
    Rule { number: number(libc::SYS_socket), cases, otherwise: filter.told(libc::EAFNOSUPPORT) }
}

fn internet(filter: Filter, domain: libc::c_int) -> Vec<Case> {
    let family = family(domain);
    let protocol = |protocol: libc::c_int| Test::equals(2, protocol.cast_unsigned());
    // Go tries MPTCP first and falls back on TCP for this errno alone; nobody need be told.
    let mut cases = vec![case([family, Test::equals(2, IPPROTO_MPTCP)], errno(libc::EPROTONOSUPPORT))];
    let datagrams = match filter.sockets {
        Sockets::None | Sockets::Host => {
            cases.push(case([family], filter.told(libc::EACCES)));
            return cases;
        }
        Sockets::OwnNamespace => Action::Allow,
        // A datagram can name its receiver in memory, where no filter looks: what is given is one end of a pair.
        Sockets::Supervised => filter.told(libc::EACCES),
    };
    for (of, own, action) in [
        (libc::SOCK_STREAM, libc::IPPROTO_TCP, Action::Allow),
        (libc::SOCK_DGRAM, libc::IPPROTO_UDP, datagrams),
    ] {
        cases.extend([0, own].map(|number| case([family, kind(of), protocol(number)], action)));
    }
    cases.push(case([family, kind(libc::SOCK_RAW)], filter.told(libc::EPERM)));
    cases.push(case([family], filter.told(libc::EPROTONOSUPPORT)));
    cases
}

fn socketpair() -> Rule {
    Rule {
        number: number(libc::SYS_socketpair),
        cases: vec![
            case([family(libc::AF_UNIX), kind(libc::SOCK_STREAM)], Action::Allow),
            case([family(libc::AF_UNIX), kind(libc::SOCK_SEQPACKET)], Action::Allow),
            // An end of a datagram pair can be given another address with every send.
            case([family(libc::AF_UNIX)], errno(libc::EACCES)),
        ],
        otherwise: errno(libc::EAFNOSUPPORT),
    }
}

/// Landlock's TCP rules don't see a connection made by MSG_FASTOPEN (Linux 6.18), nor would a supervisor. The flags are
/// the last argument of sendmsg, and the fourth of the two others.
fn no_fast_open() -> [Rule; 3] {
    [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)].map(|(call, argument)| {
        with_cases(call, vec![case([Test::any_bit(argument, MSG_FASTOPEN)], errno(libc::EOPNOTSUPP))])
    })
}

/// The calls on sockets of the host's network that a supervisor answers.
fn supervised(filter: Filter) -> Vec<Rule> {
    let mut rules: Vec<Rule> = [
        // What a program takes for a UDP socket is one end of a pair, which has no such names.
        libc::SYS_getsockname,
        libc::SYS_getpeername,
        libc::SYS_recvmsg,
    ]
    .map(|call| asked(filter, call))
    .to_vec();
    // Who sent it is asked for by the fifth argument. A pointer whose lower half is zero is taken for none: then the
    // kernel gives the pair's own, empty name.
    let names_sender = case([Test::differs(4, 0)], filter.told(libc::EACCES));
    rules.push(with_cases(libc::SYS_recvfrom, vec![names_sender]));
    rules.push(with_cases(libc::SYS_setsockopt, options(filter)));
    rules
}

const SOL_IPV6: libc::c_int = libc::IPPROTO_IPV6;
const IP_UNICAST_IF: libc::c_int = 50;
const IPV6_2292RTHDR: libc::c_int = 5;
const IPV6_2292PKTOPTIONS: libc::c_int = 6;
const IPV6_MULTICAST_ALL: libc::c_int = 29;
const IPV6_UNICAST_IF: libc::c_int = 76;
const SO_BINDTOIFINDEX: libc::c_int = 62;

/// Options by level and name that TCP has no use for, and that one end of a pair doesn't know. Resolvers and runtimes
/// set them on their UDP sockets and give up (glibc: on the first) when they can't.
const WITHOUT_EFFECT: &[(libc::c_int, libc::c_int)] = &[
    (libc::SOL_IP, libc::IP_RECVERR),
    (SOL_IPV6, libc::IPV6_RECVERR),
    (libc::SOL_IP, libc::IP_PKTINFO),
    (SOL_IPV6, libc::IPV6_RECVPKTINFO),
    (libc::SOL_IP, libc::IP_MULTICAST_ALL),
    (SOL_IPV6, IPV6_MULTICAST_ALL),
    (libc::SOL_IP, libc::IP_MULTICAST_TTL),
    (SOL_IPV6, libc::IPV6_MULTICAST_HOPS),
];

/// Options that lead a connection another way than the host would. A source route names hosts that the packets to a
/// granted address pass first; a device is another network, with another host of that address. IPV6_RTHDR (segment
/// routing) and SO_BINDTODEVICE (Linux 5.7) may be set without privileges, the others on some kernels.
const OTHER_ROUTES: &[(libc::c_int, libc::c_int)] = &[
    (libc::SOL_IP, libc::IP_OPTIONS),
    (libc::SOL_IP, IP_UNICAST_IF),
    (SOL_IPV6, libc::IPV6_RTHDR),
    (SOL_IPV6, IPV6_2292RTHDR),
    (SOL_IPV6, IPV6_2292PKTOPTIONS),
    (SOL_IPV6, IPV6_UNICAST_IF),
    (libc::SOL_SOCKET, libc::SO_BINDTODEVICE),
    (libc::SOL_SOCKET, SO_BINDTOIFINDEX),
];

fn options(filter: Filter) -> Vec<Case> {
    let option = |(level, name): (libc::c_int, libc::c_int), action| {
        case([Test::equals(1, level.cast_unsigned()), Test::equals(2, name.cast_unsigned())], action)
    };
    let refused = filter.told(libc::EPERM);
    let mut cases: Vec<Case> = WITHOUT_EFFECT.iter().map(|&which| option(which, Action::Errno(0))).collect();
    cases.extend(OTHER_ROUTES.iter().map(|&which| option(which, refused)));
    // Has an effect on TCP, so that it matters which socket it is: the supervisor looks.
    cases.push(option((SOL_IPV6, libc::IPV6_V6ONLY), refused));
    cases
}

/// Answered by the supervisor whatever its arguments are.
fn asked(filter: Filter, call: libc::c_long) -> Rule {
    Rule { number: number(call), cases: Vec::new(), otherwise: filter.told(libc::EACCES) }
}

fn family(family: libc::c_int) -> Test {
    Test::equals(0, family.cast_unsigned())
}

fn kind(kind: libc::c_int) -> Test {
    Test::masked(1, !SOCKET_FLAGS, kind.cast_unsigned())
}

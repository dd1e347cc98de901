//! The system call filter as data: what is refused, with which errno, and why that errno.
//!
//! A deny list, because language runtimes probe new calls and take ENOSYS for "old kernel, use the other way", but an
//! unexpected EPERM or a kill for a reason to stop. What runs on any architecture stands here; numbers come from libc.

use super::bpf::{Action, AssembleError, Case, Instruction, Rule, Table, Test, assemble};
use crate::{Backend, Network, Observe};

/// What the filter has to do beyond the base list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Sockets.
    pub(crate) sockets: Sockets,
    /// System V IPC and POSIX message queues are the host's: there is no IPC namespace of our own.
    pub(crate) host_ipc: HostIpc,
    /// Who keeps files from being truncated.
    pub(crate) truncate: Truncate,
    /// Whether processes may leave the server's group.
    pub(crate) group: Group,
    /// Unix sockets.
    pub(crate) unix: UnixSockets,
    /// Whether somebody answers notifications.
    pub(crate) listener: Listener,
    /// What is told.
    pub(crate) observe: Observe,
}

/// Unix sockets beyond connected pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnixSockets {
    /// None.
    None,
    /// The supervisor connects to granted ones.
    Supervised,
}

/// Whether a supervisor answers notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Calls may be notified.
    Present,
    /// Every call has to be decided by the filter alone.
    Absent,
}

/// Which sockets there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sockets {
    /// None but connected pairs.
    None,
    /// A network namespace of its own.
    OwnNamespace,
    /// A supervisor connects.
    Supervised,
    /// The host's.
    Host,
}

impl Sockets {
    pub(crate) fn of(network: &Network, backend: Backend) -> Self {
        match (network, backend) {
            (Network::DangerousHost, _) => Self::Host,
            (Network::Brokered(_), Backend::Namespaces) => Self::OwnNamespace,
            (Network::Brokered(_), Backend::Notify) => Self::Supervised,
            (Network::None | Network::Brokered(_), _) => Self::None,
        }
    }
}

/// The process group, by which the keeper kills a tree at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// A pid namespace takes everything with it, so groups are the server's own affair.
    Free,
    /// Everything stays in the server's.
    Kept,
}

/// Whose System V IPC the jail sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostIpc {
    /// Its own namespace's.
    Private,
    /// The host's, so it must be refused.
    Shared,
}

/// Who keeps files outside of the grants from being truncated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truncate {
    /// Landlock (ABI 3, Linux 6.2).
    Landlock,
    /// This filter: truncate(2) and opening for reading with O_TRUNC are refused, everywhere.
    Filter,
}

/// The program to install.
pub(crate) fn program(filter: Filter) -> Result<Vec<Instruction>, AssembleError> {
    assemble(&table(filter))
}

/// The table of this architecture.
pub(crate) fn table(filter: Filter) -> Table {
    let mut rules = base();
    if filter.sockets != Sockets::Host {
        rules.extend(no_network());
    }
    if filter.sockets == Sockets::OwnNamespace {
        own_namespace(&mut rules);
    }
    if filter.host_ipc == HostIpc::Shared {
        // ENOSYS is what a kernel without CONFIG_SYSVIPC or CONFIG_POSIX_MQUEUE says.
        rules.extend(HOST_IPC.iter().map(|&number| refuse(number, libc::ENOSYS)));
    }
    if filter.group == Group::Kept {
        rules.extend(one_group());
    }
    rules.extend(no_set_id(filter.truncate));
    if filter.truncate == Truncate::Filter {
        rules.push(refuse(libc::SYS_truncate, libc::EACCES));
    }
    Table { audit_arch: AUDIT_ARCH, foreign_from: Some(X32_BIT), rules, otherwise: Action::Allow }
}

/// `__X32_SYSCALL_BIT`: x32 calls come under the audit_arch of x86-64. No other architecture has numbers so high.
const X32_BIT: u32 = 0x4000_0000;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7; // AUDIT_ARCH_AARCH64

/// Calls whose callers fall back on something else when they are told that the kernel is too old for them.
const ENOSYS: &[libc::c_long] = &[
    libc::SYS_io_uring_setup, // its operations (openat, connect, send) pass no seccomp filter
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_clone3,  // its flags stand in memory; glibc 2.34 falls back on clone
    libc::SYS_openat2, // flags and mode stand in memory; glibc and musl never call it, others fall back on openat
    libc::SYS_memfd_secret,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
];

/// Calls that no server needs and that reach other processes, the kernel's insides or the machine.
const EPERM: &[libc::c_long] = &[
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // large kernel surfaces
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_fanotify_init, // watches directories that the grants don't name
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    // namespaces, mounts and ways around paths
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    OPEN_TREE_ATTR,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // the machine
    libc::SYS_kexec_load,
    KEXEC_FILE_LOAD,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

#[cfg(target_arch = "x86_64")]
const EPERM_HERE: &[libc::c_long] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib, libc::SYS__sysctl];
#[cfg(target_arch = "aarch64")]
const EPERM_HERE: &[libc::c_long] = &[];

// Not in libc 0.2.191. Numbers from 424 on are the same on every architecture.
const OPEN_TREE_ATTR: libc::c_long = 467; // Linux 6.15
// libc 0.2.191 lacks it for musl on aarch64.
#[cfg(target_arch = "x86_64")]
const KEXEC_FILE_LOAD: libc::c_long = 320;
#[cfg(target_arch = "aarch64")]
const KEXEC_FILE_LOAD: libc::c_long = 294;

const HOST_IPC: &[libc::c_long] = &[
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
];

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. CLONE_NEWTIME is 0x80, part of clone's exit
/// signal, so that only unshare and clone3 can ask for it.
const NEW_NAMESPACES: u32 = 0x7e02_0000;
const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;
const PERSONALITY_QUERY: u32 = 0xffff_ffff;
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;

/// Refused whatever the ruleset says.
fn base() -> Vec<Rule> {
    let mut rules: Vec<Rule> = ENOSYS.iter().map(|&number| refuse(number, libc::ENOSYS)).collect();
    rules.extend(EPERM.iter().chain(EPERM_HERE).map(|&number| refuse(number, libc::EPERM)));
    let eperm = errno(libc::EPERM);
    rules.extend([
        with_cases(libc::SYS_clone, vec![case([Test::any_bit(0, NEW_NAMESPACES)], eperm)]),
        with_cases(
            libc::SYS_ioctl,
            vec![case([Test::equals(1, TIOCSTI)], eperm), case([Test::equals(1, TIOCLINUX)], eperm)],
        ),
        with_cases(
            libc::SYS_prctl,
            vec![case([Test::equals(0, libc::PR_SET_PTRACER.cast_unsigned())], eperm)],
        ),
        // The limits of another process of the same user can be set without any ptrace check. Zero means oneself.
        with_cases(libc::SYS_prlimit64, vec![case([Test::differs(0, 0)], eperm)]),
        Rule {
            number: number(libc::SYS_personality),
            cases: [0, PERSONALITY_QUERY, ADDR_NO_RANDOMIZE]
                .map(|persona| case([Test::equals(0, persona)], Action::Allow))
                .to_vec(),
            otherwise: eperm,
        },
    ]);
    rules
}

const MSG_FASTOPEN: u32 = 0x2000_0000;
const IPPROTO_MPTCP: u32 = 262;
/// SOCK_NONBLOCK and SOCK_CLOEXEC.
const SOCKET_FLAGS: u32 = 0o4000 | 0o2_000_000;

/// No socket that could reach anything. What is left: connected pairs, and the netlink family that getifaddrs(3) asks.
fn no_network() -> [Rule; 5] {
    let eacces = errno(libc::EACCES);
    let family = |family: libc::c_int| Test::equals(0, family.cast_unsigned());
    let mptcp = Test::equals(2, IPPROTO_MPTCP);
    // Go tries MPTCP first and falls back on TCP for this errno alone.
    let no_mptcp = errno(libc::EPROTONOSUPPORT);
    let socket = Rule {
        number: number(libc::SYS_socket),
        cases: vec![
            case([family(libc::AF_UNIX)], eacces),
            case([family(libc::AF_INET), mptcp], no_mptcp),
            case([family(libc::AF_INET)], eacces),
            case([family(libc::AF_INET6), mptcp], no_mptcp),
            case([family(libc::AF_INET6)], eacces),
            case(
                [family(libc::AF_NETLINK), Test::equals(2, libc::NETLINK_ROUTE.cast_unsigned())],
                Action::Allow,
            ),
            case([family(libc::AF_NETLINK)], errno(libc::EPROTONOSUPPORT)),
        ],
        otherwise: errno(libc::EAFNOSUPPORT),
    };
    let kind = |kind: libc::c_int| Test::masked(1, !SOCKET_FLAGS, kind.cast_unsigned());
    let socketpair = Rule {
        number: number(libc::SYS_socketpair),
        cases: vec![
            case([family(libc::AF_UNIX), kind(libc::SOCK_STREAM)], Action::Allow),
            case([family(libc::AF_UNIX), kind(libc::SOCK_SEQPACKET)], Action::Allow),
            // An end of a datagram pair can be given another address with every send.
            case([family(libc::AF_UNIX)], eacces),
        ],
        otherwise: errno(libc::EAFNOSUPPORT),
    };
    // Landlock's TCP rules don't see a connection made by MSG_FASTOPEN (Linux 6.18). The flags are the last argument
    // of sendmsg, and the fourth of the two others.
    let fast_open = |call, argument| {
        with_cases(call, vec![case([Test::any_bit(argument, MSG_FASTOPEN)], errno(libc::EOPNOTSUPP))])
    };
    [
        socket,
        socketpair,
        fast_open(libc::SYS_sendto, 3),
        fast_open(libc::SYS_sendmsg, 2),
        fast_open(libc::SYS_sendmmsg, 3),
    ]
}

/// TCP and UDP of a network namespace that leads nowhere but to our own doors.
fn own_namespace(rules: &mut [Rule]) {
    let Some(socket) = rules.iter_mut().find(|rule| rule.number == number(libc::SYS_socket)) else { return };
    for family in [libc::AF_INET, libc::AF_INET6] {
        let family = Test::equals(0, family.cast_unsigned());
        for (kind, protocol) in
            [(libc::SOCK_STREAM, libc::IPPROTO_TCP), (libc::SOCK_DGRAM, libc::IPPROTO_UDP)]
        {
            for protocol in [0, protocol] {
                let kind = Test::masked(1, !SOCKET_FLAGS, kind.cast_unsigned());
                let protocol = Test::equals(2, protocol.cast_unsigned());
                socket.cases.insert(0, case([family, kind, protocol], Action::Allow));
            }
        }
    }
}

/// Nothing leaves the server's process group.
///
/// A success that isn't one: to be refused is rare enough that Python's `start_new_session` and Node's `detached` give
/// up on it, while nothing that works on pipes notices that it stayed where it was. But what believes that it has a
/// group of its own goes on to signal it. `kill(0)` (timeout(1)) and `killpg(getpgid(child))` (Python) would then hit
/// the server itself: both are told that there is no such process.
fn one_group() -> [Rule; 4] {
    let no_process = errno(libc::ESRCH);
    [
        Rule { number: number(libc::SYS_setsid), cases: Vec::new(), otherwise: Action::Errno(0) },
        Rule { number: number(libc::SYS_setpgid), cases: Vec::new(), otherwise: Action::Errno(0) },
        // Signal 0 only asks.
        with_cases(libc::SYS_kill, vec![case([Test::equals(0, 0), Test::differs(1, 0)], no_process)]),
        with_cases(libc::SYS_getpgid, vec![case([Test::differs(0, 0)], no_process)]),
    ]
}

/// S_ISUID and S_ISGID: such a program would run as us, or as root, whoever outside of the jail starts it. Landlock has
/// no right for modes: chmod(2) works on every file that the user owns, granted or not.
const SET_ID: u32 = 0o6000;
/// Without one of these there is no mode, and its register holds anything. Of O_TMPFILE the bit that isn't O_DIRECTORY.
const CREATES: u32 = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)).cast_unsigned();
/// libc 0.2.191 lacks it for musl. Linux 6.6.
const FCHMODAT2: libc::c_long = 452;

/// The calls that take a mode, with the mode's place.
const MODES: &[(libc::c_long, u8)] = &[
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (FCHMODAT2, 2),
    (libc::SYS_mkdirat, 2),
    (libc::SYS_mknodat, 2),
];
#[cfg(target_arch = "x86_64")]
const MODES_HERE: &[(libc::c_long, u8)] =
    &[(libc::SYS_chmod, 1), (libc::SYS_creat, 1), (libc::SYS_mkdir, 1), (libc::SYS_mknod, 1)];
#[cfg(target_arch = "aarch64")]
const MODES_HERE: &[(libc::c_long, u8)] = &[];

/// No file becomes a set-user-id or set-group-id one. The calls that open are here with all their cases, as a number
/// has one rule.
fn no_set_id(truncate: Truncate) -> Vec<Rule> {
    let set_id = |mode| Test::any_bit(mode, SET_ID);
    let eperm = errno(libc::EPERM);
    let opens = |call, flags| {
        let mut cases = vec![case([Test::any_bit(flags, CREATES), set_id(flags + 1)], eperm)];
        if truncate == Truncate::Filter {
            cases.extend(read_and_truncate(flags));
        }
        with_cases(call, cases)
    };
    let mut rules: Vec<Rule> = MODES
        .iter()
        .chain(MODES_HERE)
        .map(|&(call, mode)| with_cases(call, vec![case([set_id(mode)], eperm)]))
        .collect();
    rules.push(opens(libc::SYS_openat, 2));
    #[cfg(target_arch = "x86_64")]
    rules.push(opens(libc::SYS_open, 1));
    rules
}

/// Landlock before ABI 3 neither sees truncate(2) nor O_TRUNC on a file opened for reading only.
fn read_and_truncate(flags: u8) -> [Case; 2] {
    // Access mode 3 ("neither reading nor writing", open(2)) asks for no right of Landlock at all and truncates too.
    let truncates = Test::any_bit(flags, libc::O_TRUNC.cast_unsigned());
    [0, 3].map(|mode| case([Test::masked(flags, 3, mode), truncates], errno(libc::EACCES)))
}

fn refuse(call: libc::c_long, code: libc::c_int) -> Rule {
    Rule { number: number(call), cases: Vec::new(), otherwise: errno(code) }
}

fn with_cases(call: libc::c_long, cases: Vec<Case>) -> Rule {
    Rule { number: number(call), cases, otherwise: Action::Allow }
}

fn case<const N: usize>(tests: [Test; N], action: Action) -> Case {
    Case { tests: tests.to_vec(), action }
}

/// Every system call number is small and positive.
fn number(call: libc::c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// Every errno is small and positive.
fn errno(code: libc::c_int) -> Action {
    Action::Errno(u16::try_from(code).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests;

//! The system call filter as data: what is refused, with which errno, and why that errno.
//!
//! A deny list, because language runtimes probe new calls and take ENOSYS for "old kernel, use the other way", but an
//! unexpected EPERM or a kill for a reason to stop. What runs on any architecture stands here; numbers come from libc.
//!
//! Where somebody listens, rare refusals are told to him, and he answers with the errno that stands here.

mod calls;
mod files;
mod sockets;

use super::bpf::{Action, AssembleError, Case, Instruction, Rule, Table, Test, assemble};
use crate::weaken::{self, Weakness};
use crate::{Backend, Network, Observe, UnixRule};

pub(crate) use calls::name;

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
    /// The supervisor connects to granted ones. Listening is the server's own affair, in namespaces of its own.
    Connected,
    /// The supervisor also gives them their names, which are the host's.
    Supervised,
}

impl UnixSockets {
    pub(crate) fn of(granted: &[UnixRule], backend: Backend) -> Self {
        match backend {
            _ if granted.is_empty() => Self::None,
            Backend::Namespaces => Self::Connected,
            Backend::Notify => Self::Supervised,
            Backend::Static => Self::None,
        }
    }
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

impl Filter {
    /// A refusal that the supervisor hears of, and answers with this errno: see [`refusal`].
    fn told(self, code: libc::c_int) -> Action {
        match self.listener {
            Listener::Present => Action::Notify,
            Listener::Absent => errno(code),
        }
    }

    /// Nobody connects to a Unix socket on the server's behalf if nobody listens.
    fn unix(self) -> UnixSockets {
        match self.listener {
            Listener::Present => self.unix,
            Listener::Absent => UnixSockets::None,
        }
    }

    /// Whether the supervisor performs every connect(2).
    fn connects_are_asked(self) -> bool {
        self.sockets == Sockets::Supervised
            || self.unix() != UnixSockets::None && self.sockets != Sockets::Host
    }

    /// Whether it performs every bind(2) and listen(2).
    fn binds_are_asked(self) -> bool {
        self.sockets == Sockets::Supervised
            || self.unix() == UnixSockets::Supervised && self.sockets != Sockets::Host
    }
}

/// The program to install.
pub(crate) fn program(filter: Filter) -> Result<Vec<Instruction>, AssembleError> {
    assemble(&table(filter))
}

/// What is refused with which errno when nobody listens: what a supervisor answers that has only been told.
pub(crate) fn refusals(filter: Filter) -> Table {
    table(Filter { listener: Listener::Absent, ..filter })
}

/// The table of this architecture.
pub(crate) fn table(filter: Filter) -> Table {
    let mut rules = base(filter);
    if filter.sockets != Sockets::Host {
        rules.extend(sockets::rules(filter));
    }
    if filter.host_ipc == HostIpc::Shared {
        // ENOSYS is what a kernel without CONFIG_SYSVIPC or CONFIG_POSIX_MQUEUE says.
        rules.extend(calls::HOST_IPC.iter().map(|&number| refuse(number, libc::ENOSYS)));
    }
    if filter.group == Group::Kept {
        rules.extend(one_group());
    }
    rules.extend(files::rules(filter));
    rules.retain(|rule| !weaken::is_off(Weakness::Call(rule.number)));
    Table { audit_arch: AUDIT_ARCH, foreign_from: Some(X32_BIT), rules, otherwise: Action::Allow }
}

/// `__X32_SYSCALL_BIT`: x32 calls come under the audit_arch of x86-64. No other architecture has numbers so high.
const X32_BIT: u32 = 0x4000_0000;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7; // AUDIT_ARCH_AARCH64

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. CLONE_NEWTIME is 0x80, part of clone's exit
/// signal, so that only unshare and clone3 can ask for it.
const NEW_NAMESPACES: u32 = 0x7e02_0000;
const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;
const PERSONALITY_QUERY: u32 = 0xffff_ffff;
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
/// memfd_create(2), Linux 6.3.
pub(crate) const MFD_NOEXEC_SEAL: u32 = 0x0008;
/// The same: executable, said aloud.
pub(crate) const MFD_EXEC: u32 = 0x0010;

/// Refused whatever the ruleset says.
fn base(filter: Filter) -> Vec<Rule> {
    let mut rules: Vec<Rule> = calls::ENOSYS.iter().map(|&number| refuse(number, libc::ENOSYS)).collect();
    let eperm = filter.told(libc::EPERM);
    let never = calls::EPERM.iter().chain(calls::EPERM_HERE);
    rules.extend(never.map(|&(_, call)| Rule { number: number(call), cases: Vec::new(), otherwise: eperm }));
    rules.extend([
        with_cases(libc::SYS_clone, vec![case([Test::any_bit(0, NEW_NAMESPACES)], eperm)]),
        with_cases(
            libc::SYS_ioctl,
            vec![case([Test::equals(1, TIOCSTI)], eperm), case([Test::equals(1, TIOCLINUX)], eperm)],
        ),
        with_cases(libc::SYS_prctl, processes(filter)),
        // The limits of another process of the same user can be set without any ptrace check. Zero means oneself.
        with_cases(libc::SYS_prlimit64, vec![case([Test::differs(0, 0)], eperm)]),
        Rule {
            number: number(libc::SYS_personality),
            cases: [0, PERSONALITY_QUERY, ADDR_NO_RANDOMIZE]
                .map(|persona| case([Test::equals(0, persona)], Action::Allow))
                .to_vec(),
            otherwise: eperm,
        },
        memory_files(filter),
    ]);
    rules
}

fn processes(filter: Filter) -> Vec<Case> {
    let eperm = filter.told(libc::EPERM);
    let option = |option: libc::c_int| Test::equals(0, option.cast_unsigned());
    let mut cases = vec![case([option(libc::PR_SET_PTRACER)], eperm)];
    if filter.connects_are_asked() {
        // The supervisor could no longer take a socket out of such a process, and every connect would fail.
        cases.push(case([option(libc::PR_SET_DUMPABLE), Test::equals(1, 0)], eperm));
    }
    cases
}

/// A file without a path is one that no mount option and no right of Landlock keeps from being executed: it has to be
/// sealed against it. The supervisor makes such a one for whoever doesn't ask for it (nearly everybody, yet).
fn memory_files(filter: Filter) -> Rule {
    let eacces = filter.told(libc::EACCES);
    Rule {
        number: number(libc::SYS_memfd_create),
        cases: vec![
            // Both at once are EINVAL in every kernel (before 6.3 each is an unknown flag): Chromium asks so, with all
            // bits set, whether there is the call, and ends itself if it hears anything else.
            case([Test::any_bit(1, MFD_EXEC), Test::any_bit(1, MFD_NOEXEC_SEAL)], Action::Allow),
            case([Test::any_bit(1, MFD_EXEC)], eacces),
            case([Test::any_bit(1, MFD_NOEXEC_SEAL)], Action::Allow),
        ],
        otherwise: eacces,
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

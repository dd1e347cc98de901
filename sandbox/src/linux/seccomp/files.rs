//! Rules about files: set-id bits, truncation, and what is told to an observer.

use super::{Filter, Listener, Truncate, case, errno, number, with_cases};
use crate::Observe;
use crate::os::bpf::{Action, Case, Rule, Test};

/// S_ISUID and S_ISGID: such a program would run as us, or as root, whoever outside of the jail starts it. Landlock has
/// no right for modes: chmod(2) works on every file that the user owns, granted or not.
const SET_ID: u32 = 0o6000;
/// Without one of these there is no mode, and its register holds anything. Of O_TMPFILE the bit that isn't O_DIRECTORY.
const CREATES: u32 = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)).cast_unsigned();
/// libc 0.2.191 lacks it for musl. Linux 6.6.
const FCHMODAT2: libc::c_long = 452;

/// The calls that take a mode, with the mode's place.
pub(super) const MODES: &[(libc::c_long, u8)] = &[
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (FCHMODAT2, 2),
    (libc::SYS_mkdirat, 2),
    (libc::SYS_mknodat, 2),
];
#[cfg(target_arch = "x86_64")]
pub(super) const MODES_HERE: &[(libc::c_long, u8)] =
    &[(libc::SYS_chmod, 1), (libc::SYS_creat, 1), (libc::SYS_mkdir, 1), (libc::SYS_mknod, 1)];
#[cfg(target_arch = "aarch64")]
pub(super) const MODES_HERE: &[(libc::c_long, u8)] = &[];

#[cfg(target_arch = "x86_64")]
const CREAT: Option<libc::c_long> = Some(libc::SYS_creat);
#[cfg(target_arch = "aarch64")]
const CREAT: Option<libc::c_long> = None;

/// The calls that open or execute. They are here with all their cases, as a number has one rule.
pub(super) fn rules(filter: Filter) -> Vec<Rule> {
    let set_id = |mode| case([Test::any_bit(mode, SET_ID)], errno(libc::EPERM));
    let mut rules: Vec<Rule> =
        MODES.iter().chain(MODES_HERE).map(|&(call, mode)| with_cases(call, vec![set_id(mode)])).collect();
    rules.push(opens(filter, libc::SYS_openat, 2));
    #[cfg(target_arch = "x86_64")]
    rules.push(opens(filter, libc::SYS_open, 1));
    if let Some(creat) = CREAT {
        let observed = otherwise(filter);
        rules
            .iter_mut()
            .filter(|rule| rule.number == number(creat))
            .for_each(|rule| rule.otherwise = observed);
    }
    if otherwise(filter) != Action::Allow {
        let told = |call| Rule { number: number(call), cases: Vec::new(), otherwise: otherwise(filter) };
        rules.extend([libc::SYS_execve, libc::SYS_execveat].map(told));
    }
    if filter.truncate == Truncate::Filter {
        let refused = errno(libc::EACCES);
        rules.push(Rule { number: number(libc::SYS_truncate), cases: Vec::new(), otherwise: refused });
    }
    rules
}

/// What happens to a call that the filter has nothing against.
fn otherwise(filter: Filter) -> Action {
    match (filter.observe, filter.listener) {
        (Observe::Files, Listener::Present) => Action::Notify,
        _ => Action::Allow,
    }
}

/// No file becomes a set-user-id or set-group-id one.
fn opens(filter: Filter, call: libc::c_long, flags: u8) -> Rule {
    let set_id = [Test::any_bit(flags, CREATES), Test::any_bit(flags + 1, SET_ID)];
    let mut cases = vec![case(set_id, errno(libc::EPERM))];
    if filter.truncate == Truncate::Filter {
        cases.extend(read_and_truncate(flags));
    }
    Rule { number: number(call), cases, otherwise: otherwise(filter) }
}

/// Landlock before ABI 3 neither sees truncate(2) nor O_TRUNC on a file opened for reading only.
fn read_and_truncate(flags: u8) -> [Case; 2] {
    // Access mode 3 ("neither reading nor writing", open(2)) asks for no right of Landlock at all and truncates too.
    let truncates = Test::any_bit(flags, libc::O_TRUNC.cast_unsigned());
    [0, 3].map(|mode| case([Test::masked(flags, 3, mode), truncates], errno(libc::EACCES)))
}

//! A table of system calls in, a classic BPF program for seccomp(2) out.
//!
//! `seccompiler` 0.5 knows one match action per filter and has no x32 check, so this is our own assembler.
//! Every block that it emits ends in `ret` on every path, so a block can stand anywhere and jumps only go forward.

use std::fmt;

/// What the kernel does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Let it run.
    Allow,
    /// Don't run it; return this errno.
    Errno(u16),
    /// Don't run it; a supervisor answers (`SECCOMP_RET_USER_NOTIF`, Linux 5.0).
    Notify,
    /// Kill the whole process (SIGSYS).
    KillProcess,
}

/// A condition on the low 32 bits of one argument.
///
/// The low half is enough for everything tested here: the kernel declares those arguments `int` or `unsigned int`, or
/// takes `lower_32_bits()` of them (clone's flags), and ignores the upper half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Test {
    argument: u8,
    mask: u32,
    kind: TestKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TestKind {
    Equals(u32),
    NotEquals(u32),
    AnyBit,
}

impl Test {
    /// The argument equals `value`.
    pub(crate) const fn equals(argument: u8, value: u32) -> Self {
        Self { argument, mask: u32::MAX, kind: TestKind::Equals(value) }
    }

    /// The argument differs from `value`.
    pub(crate) const fn differs(argument: u8, value: u32) -> Self {
        Self { argument, mask: u32::MAX, kind: TestKind::NotEquals(value) }
    }

    /// The argument, with the bits of `mask` alone, equals `value`.
    pub(crate) const fn masked(argument: u8, mask: u32, value: u32) -> Self {
        Self { argument, mask, kind: TestKind::Equals(value) }
    }

    /// The argument has at least one of these bits.
    pub(crate) const fn any_bit(argument: u8, bits: u32) -> Self {
        Self { argument, mask: bits, kind: TestKind::AnyBit }
    }
}

/// If all tests hold, this action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// All must hold.
    pub(crate) tests: Vec<Test>,
    /// What happens then.
    pub(crate) action: Action,
}

/// One system call: the first case that holds, else `otherwise`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Its number on the table's architecture.
    pub(crate) number: u32,
    /// In order.
    pub(crate) cases: Vec<Case>,
    /// When no case holds.
    pub(crate) otherwise: Action,
}

/// What a filter does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// `AUDIT_ARCH_*`; a call through any other ABI kills the process.
    pub(crate) audit_arch: u32,
    /// From this number on calls belong to another ABI under the same `audit_arch` (x32) and get ENOSYS.
    pub(crate) foreign_from: Option<u32>,
    /// One rule a number, in any order.
    pub(crate) rules: Vec<Rule>,
    /// For numbers without a rule.
    pub(crate) otherwise: Action,
}

impl Test {
    fn holds(&self, arguments: &[u64; 6]) -> bool {
        let value = arguments.get(usize::from(self.argument)).map_or(0, |argument| low_half(*argument));
        match self.kind {
            TestKind::Equals(wanted) => value & self.mask == wanted,
            TestKind::NotEquals(unwanted) => value & self.mask != unwanted,
            TestKind::AnyBit => value & self.mask != 0,
        }
    }
}

impl Table {
    /// What it says about a call of its own architecture.
    pub(crate) fn answer(&self, number: u32, arguments: &[u64; 6]) -> Action {
        let Some(rule) = self.rules.iter().find(|rule| rule.number == number) else { return self.otherwise };
        let holds = |case: &&Case| case.tests.iter().all(|test| test.holds(arguments));
        rule.cases.iter().find(holds).map_or(rule.otherwise, |case| case.action)
    }
}

/// All that the kernel reads of an `int`.
pub(crate) fn low_half(argument: u64) -> u32 {
    (argument & u64::from(u32::MAX)) as u32
}

/// One instruction, laid out as the kernel's `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// Operation.
    pub(crate) code: u16,
    /// Instructions to skip when true.
    pub(crate) jt: u8,
    /// Instructions to skip when false.
    pub(crate) jf: u8,
    /// Operand.
    pub(crate) k: u32,
}

/// Why a table can't become a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AssembleError {
    /// Two rules for one number.
    Twice(u32),
    /// More than the kernel's BPF_MAXINSNS.
    TooLong(usize),
}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(number) => write!(f, "two rules for system call {number}"),
            Self::TooLong(length) => {
                write!(f, "{length} instructions, the kernel takes {MAX_INSTRUCTIONS}")
            }
        }
    }
}

/// BPF_MAXINSNS, `include/uapi/linux/bpf_common.h`.
pub(crate) const MAX_INSTRUCTIONS: usize = 4096;

// `struct seccomp_data` (include/uapi/linux/seccomp.h): int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6].
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_ARGUMENTS: u32 = 16;

pub(super) const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
pub(super) const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
pub(super) const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
pub(super) const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
pub(super) const JUMP_GREATER_EQUAL: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
pub(super) const JUMP_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
pub(super) const RETURN: u16 = 0x06; // BPF_RET | BPF_K

const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_USER_NOTIF: u32 = 0x7fc0_0000;
const RET_KILL_PROCESS: u32 = 0x8000_0000;

/// Turns a table into a program.
pub(crate) fn assemble(table: &Table) -> Result<Vec<Instruction>, AssembleError> {
    let mut rules: Vec<&Rule> = table.rules.iter().collect();
    rules.sort_by_key(|rule| rule.number);
    for pair in rules.windows(2) {
        if let [first, second] = pair
            && first.number == second.number
        {
            return Err(AssembleError::Twice(first.number));
        }
    }

    let mut calls = vec![plain(LOAD, OFFSET_NUMBER)];
    let search = search(&rules, table.otherwise);
    match table.foreign_from {
        Some(first) => {
            let enosys = vec![ret(Action::Errno(ENOSYS))];
            calls.extend(branch(JUMP_GREATER_EQUAL, first, enosys, search));
        }
        None => calls.extend(search),
    }

    let mut program = vec![plain(LOAD, OFFSET_ARCH)];
    // The foreign branch stands first: it is one instruction long, so the jump over it always fits.
    program.push(Instruction { code: JUMP_EQUAL, jt: 1, jf: 0, k: table.audit_arch });
    program.push(ret(Action::KillProcess));
    program.extend(calls);

    if program.len() > MAX_INSTRUCTIONS {
        return Err(AssembleError::TooLong(program.len()));
    }
    Ok(program)
}

const ENOSYS: u16 = 38;

/// Binary search over rules sorted by number, with the number in the accumulator.
fn search(rules: &[&Rule], otherwise: Action) -> Vec<Instruction> {
    match rules {
        [] => vec![ret(otherwise)],
        [rule] => branch(JUMP_EQUAL, rule.number, body(rule), vec![ret(otherwise)]),
        _ => {
            let (low, high) = rules.split_at(rules.len() / 2);
            let pivot = high.first().map_or(u32::MAX, |rule| rule.number);
            branch(JUMP_GREATER_EQUAL, pivot, search(high, otherwise), search(low, otherwise))
        }
    }
}

/// The cases of one rule, in order, then what happens otherwise.
fn body(rule: &Rule) -> Vec<Instruction> {
    let mut code = vec![ret(rule.otherwise)];
    for case in rule.cases.iter().rev() {
        let mut taken = vec![ret(case.action)];
        for test in case.tests.iter().rev() {
            taken.splice(0..0, checked(test, taken.len()));
        }
        taken.extend(code);
        code = taken;
    }
    code
}

/// Falls through to the `length` instructions that follow if the test holds, else skips them.
fn checked(test: &Test, length: usize) -> Vec<Instruction> {
    // A case has a handful of tests of at most three instructions each, far below 255.
    let skip = u8::try_from(length).unwrap_or(u8::MAX);
    let mut code = vec![plain(LOAD, OFFSET_ARGUMENTS + 8 * u32::from(test.argument))];
    if test.mask != u32::MAX && test.kind != TestKind::AnyBit {
        code.push(plain(AND, test.mask));
    }
    code.push(match test.kind {
        TestKind::Equals(value) => Instruction { code: JUMP_EQUAL, jt: 0, jf: skip, k: value },
        TestKind::NotEquals(value) => Instruction { code: JUMP_EQUAL, jt: skip, jf: 0, k: value },
        TestKind::AnyBit => Instruction { code: JUMP_ANY_BIT, jt: 0, jf: skip, k: test.mask },
    });
    code
}

/// `if A <code> k { yes } else { no }`; offsets of conditional jumps have 8 bits, those of plain jumps 32.
fn branch(code: u16, k: u32, yes: Vec<Instruction>, no: Vec<Instruction>) -> Vec<Instruction> {
    let mut block = Vec::with_capacity(2 + yes.len() + no.len());
    if let Ok(skip) = u8::try_from(yes.len()) {
        block.push(Instruction { code, jt: 0, jf: skip, k });
    } else {
        block.push(Instruction { code, jt: 1, jf: 0, k });
        block.push(plain(JUMP, u32::try_from(yes.len()).unwrap_or(u32::MAX)));
    }
    block.extend(yes);
    block.extend(no);
    block
}

fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

fn ret(action: Action) -> Instruction {
    plain(
        RETURN,
        match action {
            Action::Allow => RET_ALLOW,
            Action::Errno(errno) => RET_ERRNO | u32::from(errno),
            Action::Notify => RET_USER_NOTIF,
            Action::KillProcess => RET_KILL_PROCESS,
        },
    )
}

#[cfg(test)]
pub(super) mod interpreter;
#[cfg(test)]
mod tests;

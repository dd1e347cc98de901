//! Runs a program as the kernel would, on one call: the other half of the assembler's tests.

use super::{AND, Action, Instruction, JUMP, JUMP_ANY_BIT, JUMP_EQUAL, JUMP_GREATER_EQUAL, LOAD, RETURN};

/// One call as seccomp sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) arch: u32,
    pub(crate) number: u32,
    pub(crate) arguments: [u64; 6],
}

/// The program's answer. Panics on anything that the kernel's verifier would refuse.
pub(crate) fn run(program: &[Instruction], call: &Call) -> Action {
    let mut accumulator = 0u32;
    let mut at = 0usize;
    for _ in 0..=program.len() {
        let instruction = program.get(at).expect("a jump leaves the program");
        at += 1;
        let holds = match instruction.code {
            LOAD => {
                accumulator = load(call, instruction.k);
                continue;
            }
            AND => {
                accumulator &= instruction.k;
                continue;
            }
            JUMP => {
                at += instruction.k as usize;
                continue;
            }
            RETURN => return action(instruction.k),
            JUMP_EQUAL => accumulator == instruction.k,
            JUMP_GREATER_EQUAL => accumulator >= instruction.k,
            JUMP_ANY_BIT => accumulator & instruction.k != 0,
            other => panic!("unknown operation {other:#x}"),
        };
        at += usize::from(if holds { instruction.jt } else { instruction.jf });
    }
    panic!("the program does not end")
}

fn load(call: &Call, offset: u32) -> u32 {
    match offset {
        0 => call.number,
        4 => call.arch,
        offset @ 16..=63 if offset % 4 == 0 => {
            let argument = call.arguments[(offset as usize - 16) / 8];
            if offset % 8 == 0 { argument as u32 } else { (argument >> 32) as u32 }
        }
        other => panic!("load from {other}"),
    }
}

fn action(value: u32) -> Action {
    match value & 0xffff_0000 {
        0x7fff_0000 => Action::Allow,
        0x0005_0000 => Action::Errno((value & 0xffff) as u16),
        0x7fc0_0000 => Action::Notify,
        0x8000_0000 => Action::KillProcess,
        other => panic!("unknown return {other:#x}"),
    }
}

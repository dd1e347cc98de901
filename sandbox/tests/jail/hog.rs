//! Probes that take memory, in all the ways that a limit has to see.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write};
use std::process::Command;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::sys::{self, Segment};

const STEP_BYTES: usize = 4 << 20;
/// Between two steps: a limit that is looked at now and then has to be passed for a while.
const STEP_PAUSE: Duration = Duration::from_millis(5);
/// So long a hog stays that nobody ends.
const STAY: Duration = Duration::from_secs(5);
const STAY_LONG: Duration = Duration::from_secs(60);

/// Takes so much memory, in this way, stays for a while, and gives it back.
pub(crate) fn deed(words: &[&str]) -> io::Result<String> {
    match words {
        ["mapped", bytes] => mapped(bytes)?,
        // Where the machine is too busy to be looked at often.
        ["mapped-for-long", bytes] => {
            mapped(bytes)?;
            std::thread::sleep(STAY_LONG);
        }
        // One of 8 MiB each, so that none reaches the limit of a file.
        ["files", bytes] => {
            let mut held = Vec::new();
            grow(bytes, || {
                let mut file = file_in_memory()?;
                file.write_all(&vec![1; STEP_BYTES])?;
                held.push(file);
                Ok(())
            })?;
        }
        ["segments", bytes] => grow(bytes, || sys::fill_segment(STEP_BYTES, Segment::Left))?,
        ["a-segment"] => sys::fill_segment(STEP_BYTES, Segment::Removed)?,
        ["processes", count, bytes] => {
            let mut children = Vec::new();
            for _ in 0..number(count) {
                // Not /proc/self/exe: it may be out of reach.
                let me = std::env::args_os().next().expect("our own path");
                children.push(Command::new(me).args(["__probe", "hog", "mapped", bytes]).spawn()?);
            }
            for mut child in children {
                child.wait()?;
            }
        }
        ["shared-by-fork", count, bytes] => {
            let held = vec![1u8; number(bytes)];
            sys::fork_sleepers(number(count), STAY / 2)?;
            std::thread::sleep(STAY / 2);
            black_box(&held);
        }
        other => panic!("unknown hog {other:?}"),
    }
    Ok(String::new())
}

fn mapped(bytes: &str) -> io::Result<()> {
    let mut held = Vec::new();
    let grown = grow(bytes, || {
        held.push(vec![1u8; STEP_BYTES]);
        Ok(())
    });
    // Until the process ends.
    std::mem::forget(black_box(held));
    grown
}

/// Files in memory that nobody can execute (Linux 6.3). Before, a jail gives none: they could all be executed.
const NOEXEC_SEAL: MFdFlags = MFdFlags::from_bits_retain(8);

/// Whether this kernel has them.
pub(crate) fn has_files_in_memory() -> bool {
    memfd_create(c"hog", NOEXEC_SEAL).is_ok()
}

fn file_in_memory() -> io::Result<File> {
    let made = match memfd_create(c"hog", NOEXEC_SEAL) {
        Err(nix::errno::Errno::EINVAL) => memfd_create(c"hog", MFdFlags::empty()),
        other => other,
    };
    Ok(made?.into())
}

fn grow(bytes: &str, mut step: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 0..number(bytes).div_ceil(STEP_BYTES) {
        step()?;
        std::thread::sleep(STEP_PAUSE);
    }
    std::thread::sleep(STAY);
    Ok(())
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

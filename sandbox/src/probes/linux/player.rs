//! The program in the jail, or bare: every deed in a process of its own, so that one that dies or hangs costs no other.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::deeds;
use super::patience::Patience;
use super::probe::{Probe, Said, Setting};
use super::scene::{FACTS, READ, Scene};
use crate::os::sys::{Side, SingleThreaded, Waited, exit_now, fork, wait};

/// No deed takes longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// But those that wait for a limit, or use up time.
const MORE_PATIENCE: Duration = Duration::from_secs(60);
/// So long a process lives that is to survive its session, if nobody ends it.
const LINGERS: Duration = Duration::from_secs(12);

/// Plays every probe that the stage names, in its order.
pub(super) fn play(stage: &Path) -> u8 {
    match play_all(stage) {
        Ok(()) => 0,
        Err(error) => {
            say(&format!("lost {error}"));
            1
        }
    }
}

/// A process that does nothing for a while.
pub(super) fn linger(patience: &str) -> u8 {
    match Patience::read(patience) {
        Ok(patience) => {
            sleep(patience.with(LINGERS));
            0
        }
        Err(_) => 1,
    }
}

fn play_all(stage: &Path) -> io::Result<()> {
    let proof = SingleThreaded::check().map_err(|why| io::Error::other(format!("{why:?}")))?;
    let facts = std::fs::read_to_string(stage.join(READ).join(FACTS))?;
    let patience = Patience::of(&facts)?;
    for line in facts.lines() {
        let Some(id) = line.strip_prefix("probe ") else { continue };
        let Some(probe) = deeds::all().find(|probe| probe.id == id) else { continue };
        let said = one(probe, stage, patience, &proof)?;
        say(&format!("result {id} {}", said.line()));
    }
    say("over");
    if facts.lines().any(|line| line == "end killed") {
        sleep(patience.with(LINGERS));
    }
    Ok(())
}

fn one(probe: &'static Probe, stage: &Path, patience: Patience, proof: &SingleThreaded) -> io::Result<Said> {
    let (read, mut write) = io::pipe()?;
    let child = match fork(proof)? {
        Side::Child => {
            drop(read);
            let said = match Scene::read(stage, probe.id) {
                Ok(scene) => Said::from((probe.deed)(&scene)),
                Err(error) => Said::Odd(format!("the stage can't be read: {error}")),
            };
            let written = writeln!(write, "{}", said.line());
            exit_now(i32::from(written.is_err()))
        }
        Side::Parent(child) => child,
    };
    drop(write);
    let usual = if probe.setting == Setting::Alone { MORE_PATIENCE } else { PATIENCE };
    let heard = heard_within(&read, patience.with(usual))?;
    let said = match heard {
        Heard::Something => {
            let mut line = String::new();
            // Only one line: what the deed leaves behind may hold the pipe open.
            BufReader::new(&read).read_line(&mut line)?;
            Said::read(line.trim_end())
        }
        Heard::Nothing => Some(Said::Silent),
    };
    if said == Some(Said::Silent) {
        let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
    }
    let ended = wait(child, 0)?;
    Ok(said.unwrap_or(match ended {
        Waited::Ended(_, status) if libc::WIFSIGNALED(status) => Said::Died(libc::WTERMSIG(status)),
        _ => Said::Odd("it ended without a word".to_owned()),
    }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Something,
    Nothing,
}

fn heard_within(read: &io::PipeReader, patience: Duration) -> io::Result<Heard> {
    let until = Instant::now() + patience;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(read.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return Ok(Heard::Nothing),
            Ok(_) => return Ok(Heard::Something),
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn say(line: &str) {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}

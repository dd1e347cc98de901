//! G8: outliving the session. Judged by who is left when it is over.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, raise, sigprocmask};
use nix::unistd::{Pid, setpgid, setsid};

use super::super::probe::{Deed, Failed, Probe, Seen, Setting, Witness};
use super::super::scene::Scene;
use crate::os::sys::{Side, exit_now, fork, fork_into_namespaces, ignore_signal};
use crate::probes::{Control, Guarantee};

const SERVER: &str = "the server's end";
const LAUNCHER: &str = "the launcher's end by SIGKILL";

pub(super) const PROBES: &[Probe] = &[
    at_end("G8-child", |scene| leave(scene, unhung)).tries("fork, SIGHUP ignored", SERVER),
    at_end("G8-setsid", |scene| leave(scene, in_session)).tries("fork, setsid", SERVER),
    at_end("G8-double-fork", double_fork).tries("fork, setsid, fork", SERVER),
    at_end("G8-signals-ignored", |scene| leave(scene, deaf))
        .tries("SIGTERM, SIGHUP and SIGINT ignored", SERVER),
    at_end("G8-signals-blocked", |scene| leave(scene, blocked)).tries("every signal blocked", SERVER),
    at_end("G8-stopped", |scene| leave(scene, in_session).and_then(|seen| stopped(scene).map(|()| seen)))
        .tries("SIGSTOP", SERVER),
    at_end("G8-group", |scene| leave(scene, in_group)).tries("setpgid", SERVER),
    at_end("G8-no-death-signal", |scene| leave(scene, without_death_signal))
        .tries("prctl(PR_SET_PDEATHSIG, 0)", SERVER),
    at_end("G8-clone-parent", sibling).tries("clone(CLONE_PARENT)", SERVER),
    at_end("G8-subreaper", |scene| {
        set_child_subreaper(true)?;
        double_fork(scene)
    })
    .tries("prctl(PR_SET_CHILD_SUBREAPER), fork, setsid, fork", SERVER),
    at_end("G8-pid-namespace", |scene| {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID)?;
        leave(scene, in_session)
    })
    .stopped(&[Control::Seccomp], &[libc::EPERM])
    .tries("unshare(CLONE_NEWPID), fork, setsid", SERVER),
    at_kill("G8-killed-child", |scene| leave(scene, unhung)).tries("fork, SIGHUP ignored", LAUNCHER),
    at_kill("G8-killed-setsid", |scene| leave(scene, in_session)).tries("fork, setsid", LAUNCHER),
    at_kill("G8-killed-double-fork", double_fork).tries("fork, setsid, fork", LAUNCHER),
    at_kill("G8-killed-signals-ignored", |scene| leave(scene, deaf))
        .tries("SIGTERM, SIGHUP and SIGINT ignored", LAUNCHER),
    at_kill("G8-killed-no-death-signal", |scene| leave(scene, without_death_signal))
        .tries("prctl(PR_SET_PDEATHSIG, 0)", LAUNCHER),
    at_kill("G8-killed-stopped", |scene| {
        leave(scene, in_session).and_then(|seen| stopped(scene).map(|()| seen))
    })
    .tries("SIGSTOP", LAUNCHER),
];

const fn at_end(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Tree, id, deed)
        .seen_by(Witness::Survivor)
        .in_setting(Setting::ServerEnds)
        .stopped(&[Control::PidNamespace, Control::Keeper], &[])
}

const fn at_kill(id: &'static str, deed: Deed) -> Probe {
    at_end(id, deed).in_setting(Setting::LauncherKilled)
}

/// Starts a process that goes on, prepared so.
fn leave(scene: &Scene, prepare: impl FnOnce()) -> Result<Seen, Failed> {
    match fork(&scene.proof)? {
        Side::Child => {
            prepare();
            linger(scene)
        }
        Side::Parent(_) => Ok(Seen::Done),
    }
}

fn double_fork(scene: &Scene) -> Result<Seen, Failed> {
    scene.in_child(|| {
        in_session();
        match fork(&scene.proof) {
            Ok(Side::Child) => linger(scene),
            Ok(Side::Parent(_)) => 0,
            Err(_) => 1,
        }
    })?;
    Ok(Seen::Done)
}

/// A child of our parent.
fn sibling(scene: &Scene) -> Result<Seen, Failed> {
    match fork_into_namespaces(&scene.proof, libc::CLONE_PARENT)? {
        Side::Child => {
            in_session();
            linger(scene)
        }
        Side::Parent(_) => Ok(Seen::Done),
    }
}

/// One more, which stops itself.
fn stopped(scene: &Scene) -> Result<(), Failed> {
    let (started, start) = std::io::pipe()?;
    match fork(&scene.proof)? {
        Side::Child => {
            in_session();
            drop((started, start));
            let _ = raise(Signal::SIGSTOP);
            linger(scene)
        }
        Side::Parent(child) => {
            drop(start);
            // At its end the child has come as far as to its stop.
            std::io::copy(&mut &started, &mut std::io::sink())?;
            let _ = kill(Pid::from_raw(child), None);
            Ok(())
        }
    }
}

/// Becomes a process that does nothing for a while, with a mark of this probe in its command line.
fn linger(scene: &Scene) -> ! {
    let null = || {
        File::options().read(true).write(true).open("/dev/null").map_or_else(|_| Stdio::null(), Stdio::from)
    };
    if let Ok(words) = scene.this_program()
        && let Some((program, words)) = words.split_first()
    {
        let mark = format!("{}:{}", scene.root().display(), scene.id);
        let mut command = Command::new(program);
        command
            .args(words)
            .args(["linger", &mark, &scene.patience.word()])
            .stdin(null())
            .stdout(null())
            .stderr(null());
        let _ = command.exec();
    }
    exit_now(1)
}

/// The end of a terminal's session is told to its processes.
fn unhung() {
    let _ = ignore_signal(libc::SIGHUP);
}

fn in_session() {
    let _ = setsid();
}

fn in_group() {
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
}

fn deaf() {
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
        let _ = ignore_signal(signal);
    }
    in_session();
}

fn blocked() {
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None);
    in_session();
}

fn without_death_signal() {
    let none: Option<Signal> = None;
    let _ = set_pdeathsig(none);
    in_session();
}

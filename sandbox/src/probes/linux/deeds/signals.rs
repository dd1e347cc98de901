//! G4: ending and disturbing other processes. Judged by the victim's life.

use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::super::probe::{Deed, Failed, Probe, Seen, Witness};
use super::super::scene::{LEFT_TERMINAL, Scene};
use super::super::sys::{Arg, call};
use super::processes::pidfd;
use crate::probes::{Control, Guarantee};

const PROCESS: &str = "another process of the user";

pub(super) const PROBES: &[Probe] = &[
    killing("G4-kill", |scene| signal(scene, libc::SYS_kill, libc::SIGTERM)).tries("kill(SIGTERM)", PROCESS),
    killing("G4-kill-stop", |scene| signal(scene, libc::SYS_kill, libc::SIGSTOP))
        .tries("kill(SIGSTOP)", PROCESS),
    killing("G4-tkill", |scene| signal(scene, libc::SYS_tkill, libc::SIGTERM)).tries("tkill", PROCESS),
    killing("G4-tgkill", |scene| {
        let pid = i64::from(scene.target()?.pid);
        call(libc::SYS_tgkill, [Arg::Int(pid), Arg::Int(pid), Arg::Int(libc::SIGTERM.into())])?;
        Ok(Seen::Done)
    })
    .tries("tgkill", PROCESS),
    killing("G4-sigqueue", |scene| {
        let pid = Arg::Int(scene.target()?.pid.into());
        let signal = Arg::Int(libc::SIGTERM.into());
        call(libc::SYS_rt_sigqueueinfo, [pid, signal, Arg::In(&queued())])?;
        Ok(Seen::Done)
    })
    .tries("rt_sigqueueinfo", PROCESS),
    killing("G4-tgsigqueue", |scene| {
        let pid = i64::from(scene.target()?.pid);
        let signal = Arg::Int(libc::SIGTERM.into());
        call(libc::SYS_rt_tgsigqueueinfo, [Arg::Int(pid), Arg::Int(pid), signal, Arg::In(&queued())])?;
        Ok(Seen::Done)
    })
    .tries("rt_tgsigqueueinfo", PROCESS),
    killing("G4-pidfd-signal", |scene| {
        let pidfd = pidfd(scene.target()?.pid)?;
        let signal = Arg::Int(libc::SIGTERM.into());
        call(libc::SYS_pidfd_send_signal, [Arg::Int(pidfd), signal, Arg::Int(0), Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .tries("pidfd_open, pidfd_send_signal", PROCESS),
    killing("G4-proc-pidfd-signal", |scene| {
        let dir = std::fs::File::open(format!("/proc/{}", scene.target()?.pid))?;
        let signal = Arg::Int(libc::SIGTERM.into());
        let fd = Arg::Int(dir.as_raw_fd().into());
        call(libc::SYS_pidfd_send_signal, [fd, signal, Arg::Int(0), Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .tries("open(/proc/PID), pidfd_send_signal", PROCESS),
    killing("G4-sigio", |scene| {
        const SETSIG: i64 = 10;
        let flags = SockFlag::SOCK_CLOEXEC;
        let (ours, other) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags)?;
        let control = |command: i64, value: i64| {
            call(libc::SYS_fcntl, [Arg::Int(ours.as_raw_fd().into()), Arg::Int(command), Arg::Int(value)])
        };
        control(libc::F_SETOWN.into(), scene.target()?.pid.into())?;
        control(SETSIG, libc::SIGTERM.into())?;
        control(libc::F_SETFL.into(), libc::O_ASYNC.into())?;
        nix::unistd::write(&other, b"x")?;
        Ok(Seen::Done)
    })
    .tries("fcntl(F_SETOWN, O_ASYNC)", PROCESS),
    killing("G4-kill-group", |scene| {
        // The victim's group is its launcher's: signal 0 only asks whether it could be done.
        let pid = scene.target()?.pid;
        let group = call(libc::SYS_getpgid, [Arg::Int(pid.into())])?;
        call(libc::SYS_kill, [Arg::Int(-group), Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .seen_by(Witness::Itself)
    .tries("kill(-group)", "a process group of the user's"),
    killing("G4-parent", |_| {
        // Signal 0, since a parent that dies takes the whole session with it.
        let launcher = outermost_parent()?;
        call(libc::SYS_kill, [Arg::Int(launcher), Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .seen_by(Witness::Itself)
    .tries("kill", "whoever started the server"),
    Probe::new(Guarantee::Processes, "G4-terminal-type", |_| {
        let terminal = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        type_into(terminal.as_raw_fd())
    })
    .stopped(&[Control::Seccomp, Control::Hygiene, Control::Landlock, Control::View], NOT_TYPED)
    .tries("open(/dev/tty), ioctl(TIOCSTI)", "the user's terminal"),
    Probe::new(Guarantee::Processes, "G4-terminal-type-left", |_| type_into(LEFT_TERMINAL))
        .stopped(&[Control::Seccomp, Control::Hygiene], NOT_TYPED)
        .tries("ioctl(TIOCSTI)", "a terminal left open"),
    Probe::new(Guarantee::Processes, "G4-terminal-paste", |_| {
        // Not on a terminal: that the kernel looks for one at all is what is asked.
        const TIOCLINUX: i64 = 0x541c;
        match call(libc::SYS_ioctl, [Arg::Int(0), Arg::Int(TIOCLINUX), Arg::In(&[3])]) {
            Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => Ok(Seen::Done),
            other => Ok(other.map(|_| Seen::Done)?),
        }
    })
    .stopped(&[Control::Seccomp], &[libc::EPERM])
    .tries("ioctl(TIOCLINUX)", "the console's selection"),
];

const NOT_TYPED: &[i32] =
    &[libc::EPERM, libc::EACCES, libc::ENOENT, libc::ENXIO, libc::EBADF, libc::ENOTTY, libc::EIO];

const fn killing(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Processes, id, deed).with_victim().seen_by(Witness::Victim).stopped(
        &[Control::Landlock, Control::PidNamespace],
        &[libc::EPERM, libc::ESRCH, libc::EACCES, libc::ENOENT, libc::EBADF],
    )
}

fn signal(scene: &Scene, number: libc::c_long, signal: i32) -> Result<Seen, Failed> {
    call(number, [Arg::Int(scene.target()?.pid.into()), Arg::Int(signal.into())])?;
    Ok(Seen::Done)
}

/// `siginfo_t` of a queued signal: number, errno, code (SI_QUEUE), and zeros.
fn queued() -> Vec<u8> {
    const SI_QUEUE: i32 = -1;
    let mut info =
        [libc::SIGTERM, 0, SI_QUEUE].iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>();
    info.resize(128, 0);
    info
}

fn type_into(terminal: i32) -> Result<Seen, Failed> {
    const TIOCSTI: i64 = 0x5412;
    call(libc::SYS_ioctl, [Arg::Int(terminal.into()), Arg::Int(TIOCSTI), Arg::In(b"x")])?;
    Ok(Seen::Done)
}

/// The parent of our parent, as the conductor told it: in a pid namespace nobody outside has a number.
fn outermost_parent() -> Result<i64, Failed> {
    let parent = nix::unistd::getppid();
    let stat = std::fs::read_to_string(format!("/proc/{parent}/stat"))?;
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_ascii_whitespace());
    let above = fields.and_then(|mut fields| fields.nth(1)?.parse().ok());
    match above {
        Some(0 | 1) | None => Err(Failed::Odd("there is nobody above us".to_owned())),
        Some(above) => Ok(above),
    }
}

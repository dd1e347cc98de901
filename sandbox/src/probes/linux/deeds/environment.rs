//! G5: what a careless launcher leaves to its children: variables, descriptors, a terminal.

use std::env;
use std::fs::{self, File};
use std::os::fd::RawFd;

use nix::unistd::getppid;

use super::super::conductor::SECRET_VARIABLES;
use super::super::probe::{Deed, Failed, Probe, Seen, Witness};
use super::super::scene::{
    CLOSED, LEFT_DIRECTORY, LEFT_FILE, LEFT_TCP, LEFT_TERMINAL, LEFT_UNIX, LEFT_WRITABLE, Scene, c, contents,
    text,
};
use super::super::sys::{Arg, call};
use crate::probes::proof::Kind;
use crate::probes::{Control, Guarantee};

pub(super) const PROBES: &[Probe] = &[
    Probe::new(Guarantee::Environment, "G5-granted", |_| {
        env::var("GRANTED").or_else(|_| env::var("PATH")).map(Seen::Text).map_err(|_| absent())
    })
    .of_kind(Kind::Grant)
    .tries("getenv", "a granted variable"),
    inherited("G5-variable-cloud", |_| variable(0)).tries("getenv", "AWS_SECRET_ACCESS_KEY"),
    inherited("G5-variable-forge", |_| variable(1)).tries("getenv", "GITHUB_TOKEN"),
    inherited("G5-variable-model", |_| variable(2)).tries("getenv", "OPENAI_API_KEY"),
    inherited("G5-variable-database", |_| variable(3)).tries("getenv", "DATABASE_URL"),
    inherited("G5-variable-agent", |_| variable(4)).tries("getenv", "SSH_AUTH_SOCK"),
    inherited("G5-proc-self-environ", |_| contents("/proc/self/environ"))
        .tries("open(/proc/self/environ)", "the environment of our own start"),
    inherited("G5-proc-parent-environ", |_| contents(format!("/proc/{}/environ", getppid())))
        .tries("open(/proc/PPID/environ)", "the environment of our parent"),
    inherited("G5-proc-ancestors-environ", |_| {
        let mut pid = getppid().as_raw();
        let mut seen = String::new();
        while pid > 0 {
            seen.push_str(
                &fs::read(format!("/proc/{pid}/environ"))
                    .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned()),
            );
            pid = parent_of(pid)?;
        }
        Ok(Seen::Text(seen))
    })
    .tries("open(/proc/PID/environ)", "the environment of everybody above us"),
    inherited("G5-shell", |scene| {
        // As a program sees it that the server starts.
        let output = std::process::Command::new("/bin/sh").args(["-c", "export -p"]).output()?;
        let _ = scene;
        Ok(text(&output.stdout))
    })
    .tries("sh -c 'export -p'", "the environment of a child"),
    inherited("G5-left-file", |_| contents(format!("/proc/self/fd/{LEFT_FILE}")))
        .tries("/proc/self/fd/200", "a file left open"),
    inherited("G5-left-file-read", |_| {
        let mut held = [0; 256];
        let at = [Arg::Int(LEFT_FILE.into()), Arg::Out(&mut held), Arg::Int(256), Arg::Int(0)];
        call(libc::SYS_pread64, at)?;
        Ok(text(&held))
    })
    .tries("pread", "a file left open"),
    inherited("G5-left-directory", |scene| {
        let path = c(format!("{CLOSED}/{}/secret", scene.id))?;
        let at = Arg::Int(LEFT_DIRECTORY.into());
        let fd =
            call(libc::SYS_openat, [at, Arg::Text(&path), Arg::Int(libc::O_RDONLY.into()), Arg::Int(0)])?;
        contents(format!("/proc/self/fd/{fd}"))
    })
    .tries("openat", "a directory left open"),
    inherited("G5-left-directory-chdir", |scene| {
        call(libc::SYS_fchdir, [Arg::Int(LEFT_DIRECTORY.into())])?;
        contents(format!("{CLOSED}/{}/secret", scene.id))
    })
    .tries("fchdir", "a directory left open"),
    sent("G5-left-connection", LEFT_TCP, |scene| write(LEFT_TCP, scene))
        .tries("write", "a connection left open"),
    sent("G5-left-unix", LEFT_UNIX, |scene| write(LEFT_UNIX, scene))
        .tries("write", "a Unix socket left open"),
    inherited("G5-left-writable", |scene| {
        write(LEFT_WRITABLE, scene)?;
        Ok(Seen::Done)
    })
    .seen_by(Witness::Itself)
    .tries("write", "a file left open for writing"),
    inherited("G5-left-terminal", |scene| write(LEFT_TERMINAL, scene))
        .seen_by(Witness::Itself)
        .tries("write", "a terminal left open"),
    inherited("G5-controlling-terminal", |_| {
        File::options().read(true).write(true).open("/dev/tty")?;
        Ok(Seen::Done)
    })
    .seen_by(Witness::Itself)
    .stopped(
        &[Control::Hygiene, Control::Landlock, Control::View],
        &[libc::ENXIO, libc::EACCES, libc::ENOENT],
    )
    .tries("open(/dev/tty)", "the controlling terminal"),
    inherited("G5-descriptors", |_| {
        // But for the standard ones and what this deed holds itself.
        let open: Vec<i64> = (3..1024)
            .filter(|fd| call(libc::SYS_fcntl, [Arg::Int(*fd), Arg::Int(libc::F_GETFD.into())]).is_ok())
            .filter(|fd| *fd >= i64::from(LEFT_FILE))
            .collect();
        if open.is_empty() { Err(absent()) } else { Ok(text(format!("{open:?}").as_bytes())) }
    })
    .seen_by(Witness::Itself)
    .tries("fcntl(F_GETFD) of every number", "descriptors left open"),
];

const fn inherited(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Environment, id, deed)
        .seen_by(Witness::Secret)
        .stopped(&[Control::Hygiene], &[libc::EBADF, libc::ENOENT, libc::EACCES])
}

const fn sent(id: &'static str, _fd: RawFd, deed: Deed) -> Probe {
    inherited(id, deed).seen_by(Witness::Listener)
}

fn variable(index: usize) -> Result<Seen, Failed> {
    let name = SECRET_VARIABLES.get(index).copied().unwrap_or("");
    env::var(name).map(Seen::Text).map_err(|_| absent())
}

fn absent() -> Failed {
    Failed::Odd("it is not there".to_owned())
}

fn write(fd: RawFd, scene: &Scene) -> Result<Seen, Failed> {
    let message = scene.message();
    let length = i64::try_from(message.len()).unwrap_or(0);
    call(libc::SYS_write, [Arg::Int(fd.into()), Arg::In(&message), Arg::Int(length)])?;
    Ok(Seen::Done)
}

fn parent_of(pid: i32) -> Result<i32, Failed> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_ascii_whitespace());
    Ok(fields.and_then(|mut fields| fields.nth(1)?.parse().ok()).unwrap_or(0))
}

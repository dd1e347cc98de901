//! G4: what processes share by number or name.

use std::ffi::CString;

use super::super::ipc::USER_KEYRING;
use super::super::probe::{Deed, Failed, Probe, Seen, Witness};
use super::super::scene::{Scene, text};
use super::super::sys::{Arg, Mapping, call};
use crate::probes::{Control, Guarantee};

pub(super) const PROBES: &[Probe] = &[
    sharing("G4-sysv-memory", |scene| {
        let length = 64;
        let segment = Mapping::of_segment(scene.number("shared-memory")?, length, libc::SHM_RDONLY)?;
        Ok(text(&segment.bytes(0, length)))
    })
    .seen_by(Witness::Secret)
    .tries("shmat", "another process's shared memory"),
    sharing("G4-sysv-messages", |scene| {
        let mut message = [0; 8 + 256];
        let id = Arg::Int(scene.number("messages")?);
        let no_wait = Arg::Int(libc::IPC_NOWAIT.into());
        call(libc::SYS_msgrcv, [id, Arg::Out(&mut message), Arg::Int(256), Arg::Int(0), no_wait])?;
        Ok(text(&message))
    })
    .seen_by(Witness::Secret)
    .tries("msgrcv", "another process's messages"),
    sharing("G4-sysv-semaphores", |scene| {
        const SETVAL: i64 = 16;
        let set = [Arg::Int(scene.number("semaphores")?), Arg::Int(0), Arg::Int(SETVAL), Arg::Int(5)];
        call(libc::SYS_semctl, set)?;
        Ok(Seen::Done)
    })
    .tries("semctl(SETVAL)", "another process's semaphores"),
    sharing("G4-message-queue", |scene| {
        let name = CString::new(scene.fact("queue")?).map_err(|_| Failed::Odd("a NUL".to_owned()))?;
        let read = Arg::Int((libc::O_RDONLY | libc::O_NONBLOCK).into());
        let queue = call(libc::SYS_mq_open, [Arg::Text(&name), read, Arg::Int(0), Arg::Int(0)])?;
        let mut message = [0; 256];
        let into = [Arg::Int(queue), Arg::Out(&mut message), Arg::Int(256), Arg::Int(0), Arg::Int(0)];
        call(libc::SYS_mq_timedreceive, into)?;
        Ok(text(&message))
    })
    .seen_by(Witness::Secret)
    .tries("mq_open, mq_receive", "another process's messages"),
    Probe::new(Guarantee::Processes, "G4-key-read", read_key)
        .seen_by(Witness::Secret)
        .stopped(&[Control::Seccomp], &[libc::EPERM])
        .tries("keyctl(KEYCTL_READ)", "a key in the user's keyring"),
    Probe::new(Guarantee::Processes, "G4-key-search", |scene| {
        const SEARCH: i64 = 10;
        let name = CString::new(scene.fact("queue")?).map_err(|_| Failed::Odd("a NUL".to_owned()))?;
        let keyring = Arg::Int(USER_KEYRING);
        call(
            libc::SYS_keyctl,
            [Arg::Int(SEARCH), keyring, Arg::Text(c"user"), Arg::Text(&name), Arg::Int(0)],
        )?;
        Ok(Seen::Done)
    })
    .stopped(&[Control::Seccomp], &[libc::EPERM])
    .tries("keyctl(KEYCTL_SEARCH)", "the user's keyring"),
];

const fn sharing(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Processes, id, deed).stopped(
        &[Control::IpcNamespace, Control::Seccomp],
        &[libc::ENOSYS, libc::EINVAL, libc::EIDRM, libc::ENOENT, libc::EACCES],
    )
}

fn read_key(scene: &Scene) -> Result<Seen, Failed> {
    const READ: i64 = 11;
    let mut held = [0; 256];
    let key = Arg::Int(scene.number("key")?);
    call(libc::SYS_keyctl, [Arg::Int(READ), key, Arg::Out(&mut held), Arg::Int(256)])?;
    Ok(text(&held))
}

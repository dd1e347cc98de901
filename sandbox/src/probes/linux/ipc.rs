//! Things of the host's that are reached by number or name and not by path: System V IPC, message queues, keys.

use std::ffi::CString;
use std::io;

use super::sys::{Arg, Mapping, call};

/// KEY_SPEC_USER_KEYRING
pub(super) const USER_KEYRING: i64 = -4;
/// KEYCTL_UNLINK
const UNLINK: i64 = 9;
const IPC_RMID: i64 = 0;
const IPC_CREAT_600: i64 = 0o1600;

/// What was made; taken away again on drop. What the host doesn't have stays `None`.
#[derive(Debug, Default)]
pub(super) struct Ipc {
    pub(super) shared_memory: Option<i64>,
    pub(super) semaphores: Option<i64>,
    pub(super) messages: Option<i64>,
    pub(super) queue: Option<CString>,
    pub(super) key: Option<i64>,
}

impl Ipc {
    /// Each with the secret in it; `name` is the queue's and the key's.
    pub(super) fn new(name: &str, secret: &[u8]) -> io::Result<Self> {
        let private = || Arg::Int(0);
        let size = i64::try_from(secret.len().max(64)).unwrap_or(64);
        let shared_memory = call(libc::SYS_shmget, [private(), Arg::Int(size), Arg::Int(IPC_CREAT_600)]).ok();
        if let Some(id) = shared_memory {
            Mapping::of_segment(i32::try_from(id).unwrap_or(-1), secret.len(), 0)?.write(0, secret);
        }
        let semaphores = call(libc::SYS_semget, [private(), Arg::Int(1), Arg::Int(IPC_CREAT_600)]).ok();
        let messages = call(libc::SYS_msgget, [private(), Arg::Int(IPC_CREAT_600)]).ok();
        if let Some(id) = messages {
            // msgsnd(2): a long that is the type, and the text.
            let mut message = 1i64.to_ne_bytes().to_vec();
            message.extend(secret);
            let length = i64::try_from(secret.len()).unwrap_or(0);
            call(libc::SYS_msgsnd, [Arg::Int(id), Arg::In(&message), Arg::Int(length), Arg::Int(0)])?;
        }
        Ok(Self { shared_memory, semaphores, messages, queue: queue(name, secret)?, key: key(name, secret)? })
    }
}

impl Drop for Ipc {
    fn drop(&mut self) {
        if let Some(id) = self.shared_memory {
            let _ = call(libc::SYS_shmctl, [Arg::Int(id), Arg::Int(IPC_RMID), Arg::Int(0)]);
        }
        if let Some(id) = self.semaphores {
            let _ = call(libc::SYS_semctl, [Arg::Int(id), Arg::Int(0), Arg::Int(IPC_RMID), Arg::Int(0)]);
        }
        if let Some(id) = self.messages {
            let _ = call(libc::SYS_msgctl, [Arg::Int(id), Arg::Int(IPC_RMID), Arg::Int(0)]);
        }
        if let Some(name) = &self.queue {
            let _ = call(libc::SYS_mq_unlink, [Arg::Text(name)]);
        }
        if let Some(key) = self.key {
            let _ = call(libc::SYS_keyctl, [Arg::Int(UNLINK), Arg::Int(key), Arg::Int(USER_KEYRING)]);
        }
    }
}

/// A POSIX queue with one message; `None` where there are no queues.
fn queue(name: &str, secret: &[u8]) -> io::Result<Option<CString>> {
    const NORMAL_PRIORITY: i64 = 0;
    let name = CString::new(name)?;
    let flags = i64::from(libc::O_CREAT | libc::O_RDWR | libc::O_CLOEXEC | libc::O_NONBLOCK);
    // struct mq_attr: flags, maxmsg, msgsize, curmsgs, four reserved.
    let attributes: Vec<u8> =
        [0i64, 1, 256, 0, 0, 0, 0, 0].iter().flat_map(|number| number.to_ne_bytes()).collect();
    let open = [Arg::Text(&name), Arg::Int(flags), Arg::Int(0o600), Arg::In(&attributes)];
    let Ok(fd) = call(libc::SYS_mq_open, open) else { return Ok(None) };
    let length = i64::try_from(secret.len()).unwrap_or(0);
    let send = [Arg::Int(fd), Arg::In(secret), Arg::Int(length), Arg::Int(NORMAL_PRIORITY), Arg::Int(0)];
    call(libc::SYS_mq_timedsend, send)?;
    drop(crate::os::sys::adopt(i32::try_from(fd).unwrap_or(-1)));
    Ok(Some(name))
}

/// A key in the user's keyring; `None` where there are no keys.
fn key(name: &str, secret: &[u8]) -> io::Result<Option<i64>> {
    let name = CString::new(name)?;
    let length = i64::try_from(secret.len()).unwrap_or(0);
    let [kind, name] = [Arg::Text(c"user"), Arg::Text(&name)];
    Ok(call(libc::SYS_add_key, [kind, name, Arg::In(secret), Arg::Int(length), Arg::Int(USER_KEYRING)]).ok())
}

//! The four ends of a session as async readers and writers.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::pipe;

/// A boxed reader.
pub(super) type Reader = Box<dyn AsyncRead + Unpin>;
/// A boxed writer.
pub(super) type Writer = Box<dyn AsyncWrite + Unpin>;

/// One of our own standard streams. Pipes and sockets are polled; the mode that this needs (O_NONBLOCK stands in the
/// open file description, which others may share) is taken back when this is dropped. Terminals and files go through
/// tokio's blocking threads.
#[derive(Debug)]
pub(super) struct Own {
    polled: Option<(OwnedFd, OFlag)>,
}

impl Own {
    /// Our stdin.
    pub(super) fn stdin() -> io::Result<(Reader, Self)> {
        match Self::poll(&io::stdin(), io::stdin().is_terminal())? {
            (Some(fd), own) => Ok((Box::new(pipe::Receiver::from_owned_fd_unchecked(fd)?), own)),
            (None, own) => Ok((Box::new(tokio::io::stdin()), own)),
        }
    }

    /// Our stdout.
    pub(super) fn stdout() -> io::Result<(Writer, Self)> {
        match Self::poll(&io::stdout(), io::stdout().is_terminal())? {
            (Some(fd), own) => Ok((Box::new(pipe::Sender::from_owned_fd_unchecked(fd)?), own)),
            (None, own) => Ok((Box::new(tokio::io::stdout()), own)),
        }
    }

    /// Our stderr.
    pub(super) fn stderr() -> io::Result<(Writer, Self)> {
        match Self::poll(&io::stderr(), io::stderr().is_terminal())? {
            (Some(fd), own) => Ok((Box::new(pipe::Sender::from_owned_fd_unchecked(fd)?), own)),
            (None, own) => Ok((Box::new(tokio::io::stderr()), own)),
        }
    }

    fn poll(stream: &impl AsFd, terminal: bool) -> io::Result<(Option<OwnedFd>, Self)> {
        let kind = SFlag::from_bits_truncate(fstat(stream)?.st_mode) & SFlag::S_IFMT;
        if terminal || !(kind == SFlag::S_IFIFO || kind == SFlag::S_IFSOCK) {
            return Ok((None, Self { polled: None }));
        }
        let fd = stream.as_fd().try_clone_to_owned()?;
        let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
        if kind == SFlag::S_IFIFO
            && let Some(own) = reopen(&fd, flags)
        {
            return Ok((Some(own), Self { polled: None }));
        }
        if flags.contains(OFlag::O_NONBLOCK) {
            return Ok((Some(fd), Self { polled: None }));
        }
        fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok((Some(fd.try_clone()?), Self { polled: Some((fd, flags)) }))
    }
}

/// A pipe as an open file description of our own, whose mode nobody shares. Not to be had without /proc, or where the
/// pipe belongs to another user.
fn reopen(fd: &OwnedFd, flags: OFlag) -> Option<OwnedFd> {
    let mut options = std::fs::OpenOptions::new();
    match flags & OFlag::O_ACCMODE {
        OFlag::O_RDONLY => options.read(true),
        OFlag::O_WRONLY => options.write(true),
        _ => return None,
    };
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    options.custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok().map(OwnedFd::from)
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some((fd, flags)) = &self.polled {
            // Best effort: the stream may be gone by now.
            let _ = fcntl(fd, FcntlArg::F_SETFL(*flags));
        }
    }
}

/// The server's stdin.
pub(super) fn server_writer(fd: OwnedFd) -> io::Result<Writer> {
    Ok(Box::new(pipe::Sender::from_owned_fd(fd)?))
}

/// The server's stdout or stderr.
pub(super) fn server_reader(fd: OwnedFd) -> io::Result<Reader> {
    Ok(Box::new(pipe::Receiver::from_owned_fd(fd)?))
}

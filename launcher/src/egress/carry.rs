//! Bytes from one connection to another and back, counted.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::TcpStream;

/// Read at once.
const CHUNK_BYTES: usize = 128 << 10;
/// A side that has closed its whole socket and one that has only said all look alike to us, as long as the other side is
/// silent. After this time it is taken for the first.
const HALF_CLOSED_IDLE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 300 });
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(if cfg!(test) { 250 } else { 60_000 });
/// Kept while nobody needs them.
const SPARE_BUFFERS_MAX: usize = 4;

/// Buffers, lent only while bytes are on their way: a connection that waits has none.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    spare: RefCell<Vec<Box<[u8]>>>,
}

impl Buffers {
    fn take(&self) -> Box<[u8]> {
        self.spare.borrow_mut().pop().unwrap_or_else(|| vec![0; CHUNK_BYTES].into_boxed_slice())
    }

    fn give_back(&self, buffer: Box<[u8]>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_BUFFERS_MAX {
            spare.push(buffer);
        }
    }
}

/// Hears of bytes before they are written.
pub(super) trait Tally {
    /// Bytes to the second connection.
    ///
    /// # Errors
    /// [`Cut`]: they must not be written, and the connection ends.
    fn up(&self, bytes: usize) -> Result<(), Cut>;
    /// Bytes to the first.
    fn down(&self, bytes: usize);
}

/// The connection is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Both sides said all.
    Closed,
    /// One side broke off; so was the other.
    Reset,
    /// [`Tally::up`] said so.
    Cut,
    /// One side had said all, and the other nothing for [`HALF_CLOSED_IDLE`].
    Stale,
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self::Reset
    }
}

impl From<Cut> for Ended {
    fn from(_: Cut) -> Self {
        Self::Cut
    }
}

/// Carries bytes both ways until both sides have said all, or one breaks off; then the other is broken off too. A side
/// that has said all still hears the other. `early` is what the second has said already.
pub(super) async fn carry(
    first: TcpStream,
    second: TcpStream,
    early: &[u8],
    tally: &impl Tally,
    buffers: &Buffers,
) -> Ended {
    let life = Life::default();
    let up = async {
        let allow = |bytes| {
            life.moved();
            tally.up(bytes)
        };
        pass(&first, &second, buffers, allow).await?;
        life.half_closed();
        Ok(())
    };
    let down = async {
        if !early.is_empty() {
            tally.down(early.len());
            write_all(&first, early).await?;
        }
        let allow = |bytes| {
            life.moved();
            tally.down(bytes);
            Ok(())
        };
        pass(&second, &first, buffers, allow).await?;
        life.half_closed();
        Ok(())
    };
    let both = async { tokio::try_join!(up, down) };
    let ended = tokio::select! {
        ended = both => ended.map(drop),
        () = life.is_stale() => Err(Ended::Stale),
    };
    match ended {
        Ok(()) => Ended::Closed,
        Err(ended) => {
            reset(&first);
            reset(&second);
            ended
        }
    }
}

/// Tells a half-closed connection on which nothing moves from one that is used.
#[derive(Debug, Default)]
struct Life {
    is_half_closed: Cell<bool>,
    has_moved: Cell<bool>,
}

impl Life {
    fn moved(&self) {
        self.has_moved.set(true);
    }

    fn half_closed(&self) {
        self.is_half_closed.set(true);
        self.moved();
    }

    async fn is_stale(&self) {
        let mut idle = Duration::ZERO;
        while idle < HALF_CLOSED_IDLE {
            tokio::time::sleep(LOOK_EVERY).await;
            let used = self.has_moved.take() || !self.is_half_closed.get();
            idle = if used { Duration::ZERO } else { idle + LOOK_EVERY };
        }
    }
}

/// The next close of this connection is a reset, which the peer sees at once, and not an end of its input.
pub(super) fn reset(stream: &TcpStream) {
    // Without it the peer sees an orderly end, which is the end all the same.
    let _ = stream.set_zero_linger();
}

async fn pass(
    from: &TcpStream,
    to: &TcpStream,
    buffers: &Buffers,
    mut allow: impl FnMut(usize) -> Result<(), Cut>,
) -> Result<(), Ended> {
    loop {
        from.readable().await?;
        let mut buffer = buffers.take();
        let read = from.try_read(&mut buffer);
        let done = match read {
            Ok(0) => Ok(true),
            Ok(length) => {
                allow(length)?;
                write_all(to, buffer.get(..length).unwrap_or_default()).await.map(|()| false)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        };
        buffers.give_back(buffer);
        if done? {
            // A peer that is gone already needs not be told.
            let _ = shutdown(to.as_raw_fd(), Shutdown::Write);
            return Ok(());
        }
    }
}

async fn write_all(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

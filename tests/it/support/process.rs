//! Child processes with a deadline, and what is running on this machine.

use std::io::Read;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How.
    pub(crate) status: ExitStatus,
    /// Everything it wrote to stdout, if that was piped.
    pub(crate) stdout: Vec<u8>,
    /// Everything it wrote to stderr, if that was piped.
    pub(crate) stderr: String,
}

impl Finished {
    /// stdout as text.
    pub(crate) fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The exit code; a signal counts as 128+N, as a shell has it.
    pub(crate) fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }
}

fn drain<R: Read + Send + 'static>(pipe: Option<R>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut chunk = vec![0; 65536];
        let Some(mut pipe) = pipe else { return };
        while let Ok(count @ 1..) = pipe.read(&mut chunk) {
            if sender.send(chunk[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// What came through a pipe until its end. A process left behind may hold the pipe open for ever: what has not ended
/// within two seconds is taken as it is.
fn drained(receiver: &Receiver<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(chunk) = receiver.recv_timeout(Duration::from_secs(2)) {
        bytes.extend(chunk);
    }
    bytes
}

/// Reads all of the child's output and waits for its end; past the deadline it is killed and the test fails.
pub(crate) fn finish(mut child: Child, deadline: Duration) -> Finished {
    drop(child.stdin.take());
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let mut status = None;
    let ended = wait_until(deadline, || {
        status = child.try_wait().expect("the child can be waited for");
        status.is_some()
    });
    if !ended {
        child.kill().expect("the child can be killed");
        status = Some(child.wait().expect("the child can be waited for"));
    }
    let status = status.expect("it has ended by now");
    let stderr = String::from_utf8_lossy(&drained(&stderr)).into_owned();
    let finished = Finished { status, stdout: drained(&stdout), stderr };
    assert!(ended, "no end after {deadline:?}: {finished:#?}");
    finished
}

/// Waits until `done` holds; `false` if it did not within the deadline.
#[must_use]
pub(crate) fn wait_until(deadline: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Pids of all processes, zombies aside, that have `mark` in one of their arguments.
pub(crate) fn processes_with(mark: &str) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").expect("/proc can be listed");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    // A zombie has no arguments any more, so it is not found.
    pids.filter(|pid| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_else(|_| Vec::new());
        arguments.split(|&byte| byte == 0).any(|argument| String::from_utf8_lossy(argument).contains(mark))
    })
    .collect()
}

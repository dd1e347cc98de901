//! How much memory a tree holds, from /proc.
//!
//! Three looks, each dearer than the one before: what `status` says of each process (too much, where pages are shared),
//! `smaps_rollup` (shared pages by halves; milliseconds a gigabyte), and the shared memory that is open but not mapped.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::uio::pread;

use super::sys;
use crate::os::link::{Status, tell_with};
use crate::os::tree::Process;

/// Tells the keeper where to read how large the System V segments of our namespace are: nobody need have them attached, and
/// the file shows those of the namespace in which it was opened. Nothing of a start depends on it.
pub(crate) fn show_segments(keeper: BorrowedFd<'_>) {
    if let Ok(file) = File::open("/proc/sysvipc/shm") {
        let _ = tell_with(keeper, &Status::Segments, &[file.as_fd()]);
    }
}

/// Measures one tree.
#[derive(Debug)]
pub(super) struct Gauge<'a> {
    /// The host's shared memory when the tree was young.
    shared_before: u64,
    /// /proc/sysvipc/shm of its namespace.
    segments: Option<&'a OwnedFd>,
}

/// What one process holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Holding {
    /// Its own, with what of it is swapped out, and page tables.
    private: u64,
    /// tmpfs, memfd and System V segments, as far as they are mapped.
    shared: u64,
}

impl<'a> Gauge<'a> {
    pub(super) fn new(segments: Option<&'a OwnedFd>) -> Self {
        Self { shared_before: sys::shared_and_swapped().unwrap_or(0), segments }
    }

    /// Bytes, which may be too many as long as they are below `limit`.
    pub(super) fn used(&self, processes: &[Process], limit: u64) -> u64 {
        let first: Vec<Holding> = processes.iter().map(|process| from_status(process.pid)).collect();
        let mut total = sum(first.iter().copied());
        if total.private.saturating_add(total.shared) > limit {
            let better = |(process, first): (&Process, Holding)| from_rollup(process.pid).unwrap_or(first);
            total = sum(processes.iter().zip(first).map(better));
        }
        let grown = sys::shared_and_swapped().unwrap_or(u64::MAX).saturating_sub(self.shared_before);
        // Whoever it was. A quarter, so that the search for it is rare and yet in time.
        if grown > limit / 4 {
            let segments = self.segments.map_or(0, of_segments);
            total.shared = total.shared.max(open_and_shared(processes).saturating_add(segments));
        }
        total.private.saturating_add(total.shared)
    }
}

fn sum(holdings: impl Iterator<Item = Holding>) -> Holding {
    holdings.fold(Holding::default(), |total, one| Holding {
        private: total.private.saturating_add(one.private),
        shared: total.shared.saturating_add(one.shared),
    })
}

/// Readable whatever the process does; zero for one that is gone.
fn from_status(pid: i32) -> Holding {
    fs::read_to_string(format!("/proc/{pid}/status")).map(|text| parse_status(&text)).unwrap_or_default()
}

/// Not readable for a process that has made itself undumpable.
fn from_rollup(pid: i32) -> Option<Holding> {
    parse_rollup(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

/// proc_pid_status(5)
fn parse_status(text: &str) -> Holding {
    let bytes = |name| kilobytes(text, name).unwrap_or(0).saturating_mul(1024);
    Holding {
        private: bytes("RssAnon:").saturating_add(bytes("VmSwap:")).saturating_add(bytes("VmPTE:")),
        shared: bytes("RssShmem:"),
    }
}

/// Before Linux 5.9 there is `Pss:` alone, which counts mapped files too.
fn parse_rollup(text: &str) -> Option<Holding> {
    let bytes = |name| kilobytes(text, name).map(|number| number.saturating_mul(1024));
    let private = bytes("Pss_Anon:").or_else(|| bytes("Pss:"))?;
    Some(Holding {
        private: private.saturating_add(bytes("SwapPss:").unwrap_or(0)),
        shared: bytes("Pss_Shmem:").unwrap_or(0),
    })
}

/// `NAME   123 kB`
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix(" kB")?.parse().ok()
}

/// Bytes of files in memory that the processes have open: a memfd that nobody maps is in no `status`.
fn open_and_shared(processes: &[Process]) -> u64 {
    /// `st_blocks` counts these, stat(2).
    const BLOCK_BYTES: u64 = 512;
    let mut seen = BTreeSet::new();
    let mut total = 0u64;
    for process in processes {
        for entry in fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(file) = fs::metadata(&path) else { continue };
            if file.is_file()
                && statfs(&path).is_ok_and(|place| place.filesystem_type() == TMPFS_MAGIC)
                && seen.insert((file.dev(), file.ino()))
            {
                total = total.saturating_add(file.blocks().saturating_mul(BLOCK_BYTES));
            }
        }
    }
    total
}

fn of_segments(file: &OwnedFd) -> u64 {
    /// 4,096 segments, the most that a namespace has by default, and 160 bytes a line.
    const LIST_BYTES_MAX: usize = 1 << 20;
    let (mut list, mut buffer) = (Vec::new(), [0; 4096]);
    while list.len() < LIST_BYTES_MAX {
        let Ok(place) = i64::try_from(list.len()) else { break };
        match pread(file, &mut buffer, place) {
            Ok(length @ 1..) => list.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            _ => break,
        }
    }
    parse_segments(&String::from_utf8_lossy(&list))
}

/// sysvipc(5): the last two columns are what is in memory, and in swap.
fn parse_segments(list: &str) -> u64 {
    let of_line = |line: &str| {
        let mut fields = line.split_ascii_whitespace().rev();
        let swapped: u64 = fields.next()?.parse().ok()?;
        Some(swapped.saturating_add(fields.next()?.parse().ok()?))
    };
    list.lines().skip(1).filter_map(of_line).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::os::tree::descendants;

    #[test]
    fn what_a_process_holds_is_read_from_status_and_rollup() {
        let status = "Name:\tx\nVmRSS:\t  900 kB\nRssAnon:\t  100 kB\nRssFile:\t  700 kB\nRssShmem:\t 100 kB\n\
                      VmPTE:\t 4 kB\nVmSwap:\t 8 kB\nThreads:\t2\n";
        let expected = Holding { private: 112 * 1024, shared: 100 * 1024 };
        assert_eq!(parse_status(status), expected);
        // A kernel thread, or a zombie, has no memory.
        assert_eq!(parse_status("Name:\tx\nThreads:\t1\n"), Holding::default());
        let rollup = "55-7f ---p 00 00:00 0 [rollup]\nRss: 900 kB\nPss: 500 kB\nPss_Anon: 50 kB\nPss_File: 440 kB\n\
                      Pss_Shmem: 10 kB\nSwap: 7 kB\nSwapPss: 3 kB\n";
        assert_eq!(parse_rollup(rollup), Some(Holding { private: 53 * 1024, shared: 10 * 1024 }));
        let old = "Rss: 900 kB\nPss: 500 kB\nSwapPss: 3 kB\n";
        assert_eq!(parse_rollup(old), Some(Holding { private: 503 * 1024, shared: 0 }));
        assert_eq!(parse_rollup(""), None);
    }

    #[test]
    fn segments_are_summed_with_what_is_swapped_out() {
        let list = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      \
                    atime      dtime      ctime                   rss                  swap\n\
                    0          0  1600               4194304   812   812      0  1000  1000  1000  1000 \
                    1763    1763    1763               4194304                     0\n\
                    0          1  1600               4194304   812   812      0  1000  1000  1000  1000 \
                    1763    1763    1763                  4096                  8192\n";
        assert_eq!(parse_segments(list), 4_194_304 + 4096 + 8192);
        assert_eq!(parse_segments(""), 0);
    }

    #[test]
    fn a_memfd_that_is_not_mapped_is_found_once() {
        let file =
            nix::sys::memfd::memfd_create(c"hidden", nix::sys::memfd::MFdFlags::empty()).expect("memfd");
        let mut file = File::from(file);
        file.write_all(&[1; 1 << 20]).expect("written");
        let copies = [file.try_clone().expect("dup"), file.try_clone().expect("dup")];
        let mut child = std::process::Command::new("sleep").arg("30").stdin(file).spawn().expect("sleep");
        let found = open_and_shared(&descendants(nix::unistd::getpid().as_raw(), &[]));
        child.kill().expect("killed");
        child.wait().expect("reaped");
        drop(copies);
        assert!((1 << 20..2 << 20).contains(&found), "{found}");
    }
}

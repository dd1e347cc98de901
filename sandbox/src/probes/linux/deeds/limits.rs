//! G7: taking more than the limits give. Every deed is bounded, so that it harms nothing where there is no limit.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::fence::{CPU_SECONDS_MAX, FILE_BYTES_MAX, MEMORY_BYTES_MAX, OPEN_FILES_MAX, PROCESSES_MAX};
use super::super::probe::{Deed, Failed, Probe, Seen, Setting};
use super::super::scene::{Scene, text};
use super::super::sys::Mapping;
use crate::os::sys::{Side, exit_now, fork, ignore_signal, wait};
use crate::probes::{Control, Guarantee};

/// The keeper looks twice a second.
const NOTICED_WITHIN: Duration = Duration::from_millis(2500);

pub(super) const PROBES: &[Probe] = &[
    tree("G7-processes", |scene| {
        let count = processes(scene, PROCESSES_MAX + 20, scene.patience.with(NOTICED_WITHIN))?;
        beyond("processes", count, PROCESSES_MAX)
    })
    .tries("fork", "processes, for seconds"),
    tree("G7-processes-burst", |scene| {
        let count = processes(scene, PROCESSES_MAX + 20, Duration::ZERO)?;
        beyond("processes", count, PROCESSES_MAX)
    })
    .tries("fork", "processes, for a moment"),
    tree("G7-threads", |scene| {
        let held = scene.patience.with(NOTICED_WITHIN);
        let mut count = 0u64;
        for _ in 0..PROCESSES_MAX + 20 {
            let thread = std::thread::Builder::new().stack_size(64 * 1024);
            if let Err(error) = thread.spawn(move || sleep(held)) {
                return if count > PROCESSES_MAX {
                    beyond("threads", count, PROCESSES_MAX)
                } else {
                    Err(error.into())
                };
            }
            count += 1;
        }
        sleep(held);
        beyond("threads", count, PROCESSES_MAX)
    })
    .tries("clone(CLONE_THREAD)", "threads, for seconds"),
    memory("G7-memory", |scene| hog(scene, 1, libc::MAP_PRIVATE))
        .tries("mmap(MAP_PRIVATE)", "memory of one process"),
    memory("G7-memory-shared", |scene| hog(scene, 1, libc::MAP_SHARED))
        .tries("mmap(MAP_SHARED)", "memory of one process"),
    memory("G7-memory-tree", |scene| {
        let children: Result<Vec<i32>, Failed> = (0..4)
            .map(|_| match fork(&scene.proof)? {
                Side::Child => exit_now(i32::from(hog(scene, 4, libc::MAP_PRIVATE).is_err())),
                Side::Parent(child) => Ok(child),
            })
            .collect();
        for child in children? {
            if super::super::scene::exit_code(child)? != 0 {
                return Err(Failed::Errno(libc::ENOMEM));
            }
        }
        Ok(Seen::Done)
    })
    .tries("mmap in four processes", "memory of the whole tree"),
    limited("G7-open-files", |_| {
        let mut open = Vec::new();
        while (open.len() as u64) < OPEN_FILES_MAX + 20 {
            open.push(File::open("/dev/null")?);
        }
        beyond("open files", open.len() as u64, OPEN_FILES_MAX)
    })
    .stopped(RLIMIT, &[libc::EMFILE])
    .tries("open", "descriptors"),
    limited("G7-open-files-dup", |_| {
        let file = File::open("/dev/null")?;
        let number = i32::try_from(OPEN_FILES_MAX + 20).unwrap_or(i32::MAX);
        let copy = nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(number))?;
        Ok(text(format!("descriptor {copy}").as_bytes()))
    })
    .stopped(RLIMIT, &[libc::EINVAL, libc::EMFILE])
    .tries("fcntl(F_DUPFD)", "a descriptor of a high number"),
    file("G7-file-size", |scene| {
        let mut file = File::create(scene.own().join("big"))?;
        for _ in 0..FILE_BYTES_MAX / BLOCK as u64 + 8 {
            file.write_all(&[1; BLOCK])?;
        }
        Ok(Seen::Done)
    })
    .tries("write", "a file"),
    file("G7-file-size-truncate", |scene| {
        File::create(scene.own().join("big"))?.set_len(FILE_BYTES_MAX + 1)?;
        Ok(Seen::Done)
    })
    .tries("ftruncate", "a file"),
    file("G7-file-size-far", |scene| {
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).open(scene.own().join("big"))?;
        file.write_all_at(b"x", FILE_BYTES_MAX + 1)?;
        Ok(Seen::Done)
    })
    .tries("pwrite far behind the end", "a file"),
    limited("G7-core", |_| {
        let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
        match hard {
            0 => Err(Failed::Odd("none may be written".to_owned())),
            hard => Ok(text(format!("up to {hard} bytes").as_bytes())),
        }
    })
    .tries("getrlimit", "a core dump, which holds what the server knew"),
    limited("G7-raise", |_| {
        // Of all limits one that is never unlimited, and has no upper bound in the kernel.
        let (_, hard) = getrlimit(Resource::RLIMIT_MSGQUEUE)?;
        setrlimit(Resource::RLIMIT_MSGQUEUE, hard.saturating_add(1), hard.saturating_add(1))?;
        Ok(Seen::Done)
    })
    .stopped(&[Control::Privileges], &[libc::EPERM])
    .tries("setrlimit", "a hard limit"),
    limited("G7-cpu", |scene| burn(scene.patience.times(CPU_SECONDS_MAX * 1000 + 900)))
        .stopped(RLIMIT, &[-libc::SIGXCPU, -libc::SIGKILL])
        .in_setting(Setting::Alone)
        .tries("a busy loop", "CPU time"),
    limited("G7-cpu-ignored", |scene| {
        ignore_signal(libc::SIGXCPU)?;
        burn(scene.patience.times(CPU_SECONDS_MAX * 1000 + 1900))
    })
    .stopped(RLIMIT, &[-libc::SIGXCPU, -libc::SIGKILL])
    .in_setting(Setting::Alone)
    .tries("SIGXCPU ignored, a busy loop", "CPU time"),
];

const BLOCK: usize = 64 * 1024;
const RLIMIT: &[Control] = &[Control::Rlimit];

const fn limited(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Limits, id, deed).stopped(RLIMIT, &[])
}

const fn file(id: &'static str, deed: Deed) -> Probe {
    limited(id, deed).stopped(RLIMIT, &[libc::EFBIG, -libc::SIGXFSZ])
}

const fn tree(id: &'static str, deed: Deed) -> Probe {
    limited(id, deed)
        .stopped(&[Control::Rlimit, Control::Keeper], &[libc::EAGAIN, -libc::SIGKILL])
        .in_setting(Setting::Alone)
}

const fn memory(id: &'static str, deed: Deed) -> Probe {
    limited(id, deed)
        .stopped(&[Control::Keeper, Control::Rlimit], &[libc::ENOMEM, -libc::SIGKILL])
        .in_setting(Setting::Alone)
}

fn beyond(what: &str, count: u64, limit: u64) -> Result<Seen, Failed> {
    if count > limit {
        return Ok(text(format!("{count} {what}, {limit} are allowed").as_bytes()));
    }
    Err(Failed::Odd(format!("{count} {what}")))
}

/// Starts so many that wait, holds them, and ends them. Gives how many ran at the same time.
fn processes(scene: &Scene, wanted: u64, hold: Duration) -> Result<u64, Failed> {
    let mut children = Vec::new();
    let mut refused = None;
    while (children.len() as u64) < wanted {
        match fork(&scene.proof) {
            Ok(Side::Child) => {
                sleep(scene.patience.with(NOTICED_WITHIN * 2));
                exit_now(0)
            }
            Ok(Side::Parent(child)) => children.push(child),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    sleep(hold);
    for child in &children {
        let _ = kill(Pid::from_raw(*child), Signal::SIGKILL);
        wait(*child, 0)?;
    }
    match refused {
        Some(error) => Err(error.into()),
        None => Ok(children.len() as u64),
    }
}

/// Takes a share of more than the limit, and keeps it until somebody should have noticed.
fn hog(scene: &Scene, share: u64, flags: i32) -> Result<Seen, Failed> {
    let bytes = usize::try_from((MEMORY_BYTES_MAX + MEMORY_BYTES_MAX / 3) / share).unwrap_or(0);
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let memory = Mapping::new(-1, bytes, access, flags | libc::MAP_ANONYMOUS | libc::MAP_POPULATE)?;
    // MAP_POPULATE may give up in silence.
    for at in (0..bytes).step_by(4096) {
        memory.write(at, &[1]);
    }
    sleep(scene.patience.with(NOTICED_WITHIN));
    Ok(text(format!("{} MiB were held", bytes >> 20).as_bytes()))
}

/// Uses so much CPU time.
fn burn(milliseconds: u64) -> Result<Seen, Failed> {
    let used = || -> Result<u64, Failed> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_ascii_whitespace());
        // utime and stime are fields 14 and 15, in hundredths of a second.
        let fields: Vec<u64> =
            fields.into_iter().flatten().skip(11).take(2).filter_map(|f| f.parse().ok()).collect();
        Ok(fields.iter().sum::<u64>() * 10)
    };
    while used()? < milliseconds {
        for number in 0..100_000u64 {
            std::hint::black_box(number);
        }
    }
    Ok(text(format!("{milliseconds} ms were used").as_bytes()))
}

//! G4: looking into other processes, and at the host's.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use super::super::probe::{Deed, Failed, Probe, Seen, Witness};
use super::super::scene::{Scene, contents, longs, text};
use super::super::sys::{Arg, address, address_mut, call};
use super::network::socket;
use crate::probes::proof::Kind;
use crate::probes::{Control, Guarantee};

const MEMORY: &str = "another process's memory";
const ENVIRONMENT: &str = "another process's environment";
const NAME: &str = "another process's name";
const SCHEDULING: &str = "another process's scheduling";
const HOST: &str = "what the host's processes do";

pub(super) const PROBES: &[Probe] = &[
    Probe::new(Guarantee::Processes, "G4-granted-child", |scene| match scene.in_child(|| 7)? {
        7 => Ok(Seen::Done),
        other => Err(Failed::Odd(format!("a child ended with {other}"))),
    })
    .of_kind(Kind::Grant)
    .tries("fork, wait", "a child of our own"),
    reading("G4-proc-environ", |scene| contents(format!("/proc/{}/environ", scene.target()?.pid)))
        .tries("open(/proc/PID/environ)", ENVIRONMENT),
    reading("G4-proc-mem", |scene| {
        let target = scene.target()?;
        let mut held = vec![0; target.length];
        File::open(format!("/proc/{}/mem", target.pid))?.read_exact_at(&mut held, target.address)?;
        Ok(text(&held))
    })
    .tries("open(/proc/PID/mem)", MEMORY),
    reading("G4-proc-task-mem", |scene| {
        let target = scene.target()?;
        let path = format!("/proc/{0}/task/{0}/mem", target.pid);
        let mut held = vec![0; target.length];
        File::open(path)?.read_exact_at(&mut held, target.address)?;
        Ok(text(&held))
    })
    .tries("open(/proc/PID/task/TID/mem)", MEMORY),
    looking("G4-proc-maps", |scene| some(&format!("/proc/{}/maps", scene.target()?.pid)))
        .tries("open(/proc/PID/maps)", "the layout of another process's memory"),
    looking("G4-proc-fd", |scene| {
        let target = scene.target()?;
        Ok(text(
            fs::read_link(format!("/proc/{}/fd/{}", target.pid, target.fd))?.as_os_str().as_encoded_bytes(),
        ))
    })
    .tries("readlink(/proc/PID/fd/N)", "which files another process has open"),
    looking("G4-proc-auxv", |scene| some(&format!("/proc/{}/auxv", scene.target()?.pid)))
        .tries("open(/proc/PID/auxv)", "where another process's code is"),
    looking("G4-proc-syscall", |scene| some(&format!("/proc/{}/syscall", scene.target()?.pid)))
        .tries("open(/proc/PID/syscall)", "what another process is doing"),
    reading("G4-proc-cmdline", |scene| contents(format!("/proc/{}/cmdline", scene.target()?.pid)))
        .tries("open(/proc/PID/cmdline)", "another process's command line"),
    looking("G4-proc-status", |scene| some(&format!("/proc/{}/status", scene.target()?.pid)))
        .tries("open(/proc/PID/status)", NAME),
    looking("G4-proc-mem-write", |scene| {
        let target = scene.target()?;
        let file = OpenOptions::new().write(true).open(format!("/proc/{}/mem", target.pid))?;
        file.write_all_at(b"changed", target.address)?;
        Ok(Seen::Done)
    })
    .seen_by(Witness::Victim)
    .tries("write(/proc/PID/mem)", MEMORY),
    looking("G4-proc-oom-score", |scene| {
        fs::write(format!("/proc/{}/oom_score_adj", scene.target()?.pid), "1000")?;
        Ok(Seen::Done)
    })
    .seen_by(Witness::Victim)
    .tries("write(/proc/PID/oom_score_adj)", "who dies first when memory is short"),
    refused("G4-process-vm-readv", |scene| {
        let target = scene.target()?;
        let mut held = vec![0; target.length];
        let length = held.len() as u64;
        let ours = longs(&[address_mut(&mut held), length]);
        let theirs = longs(&[target.address, length]);
        let one = || Arg::Int(1);
        let pid = Arg::Int(target.pid.into());
        let vectors = [pid, Arg::In(&ours), one(), Arg::In(&theirs), one(), Arg::Int(0)];
        call(libc::SYS_process_vm_readv, vectors)?;
        Ok(text(&held))
    })
    .seen_by(Witness::Secret)
    .tries("process_vm_readv", MEMORY),
    refused("G4-process-vm-writev", |scene| {
        let target = scene.target()?;
        let ours = longs(&[address(b"changed"), 7]);
        let theirs = longs(&[target.address, 7]);
        let one = || Arg::Int(1);
        let pid = Arg::Int(target.pid.into());
        let vectors = [pid, Arg::In(&ours), one(), Arg::In(&theirs), one(), Arg::Int(0)];
        call(libc::SYS_process_vm_writev, vectors)?;
        Ok(Seen::Done)
    })
    .seen_by(Witness::Victim)
    .tries("process_vm_writev", MEMORY),
    refused("G4-ptrace-attach", |scene| ptrace(scene, libc::PTRACE_ATTACH.into()))
        .tries("ptrace(PTRACE_ATTACH), peek", MEMORY),
    refused("G4-ptrace-seize", |scene| ptrace(scene, PTRACE_SEIZE))
        .tries("ptrace(PTRACE_SEIZE)", "another process"),
    refused("G4-pidfd-getfd", |scene| {
        let target = scene.target()?;
        let pidfd = pidfd(target.pid)?;
        let copy = call(libc::SYS_pidfd_getfd, [Arg::Int(pidfd), Arg::Int(target.fd.into()), Arg::Int(0)])?;
        contents(format!("/proc/self/fd/{copy}"))
    })
    .seen_by(Witness::Secret)
    .stopped(&[Control::Seccomp, Control::PidNamespace], NOT_THEIRS)
    .tries("pidfd_open, pidfd_getfd", "a file that another process has open"),
    refused("G4-kcmp", |scene| {
        let target = scene.target()?;
        let me = i64::from(std::process::id());
        let two_files = [Arg::Int(me), Arg::Int(target.pid.into()), Arg::Int(0), Arg::Int(0), Arg::Int(0)];
        call(libc::SYS_kcmp, two_files)?;
        Ok(Seen::Done)
    })
    .tries("kcmp", "which files another process has open"),
    refused("G4-robust-list", |scene| {
        let (mut head, mut length) = ([0; 8], [0; 8]);
        let pid = Arg::Int(scene.target()?.pid.into());
        call(libc::SYS_get_robust_list, [pid, Arg::Out(&mut head), Arg::Out(&mut length)])?;
        Ok(Seen::Done)
    })
    .stopped(&[Control::Landlock, Control::PidNamespace], NOT_THEIRS)
    .tries("get_robust_list", "an address in another process"),
    refused("G4-move-pages", |scene| {
        let target = scene.target()?;
        let pages = longs(&[target.address & !0xfff]);
        let mut status = [0; 4];
        let pid = Arg::Int(target.pid.into());
        let none = || Arg::Int(0);
        call(
            libc::SYS_move_pages,
            [pid, Arg::Int(1), Arg::In(&pages), none(), Arg::Out(&mut status), none()],
        )?;
        Ok(Seen::Done)
    })
    .tries("move_pages", "where another process's memory is"),
    refused("G4-migrate-pages", |scene| {
        let nodes = longs(&[1]);
        let pid = Arg::Int(scene.target()?.pid.into());
        call(libc::SYS_migrate_pages, [pid, Arg::Int(2), Arg::In(&nodes), Arg::In(&nodes)])?;
        Ok(Seen::Done)
    })
    .tries("migrate_pages", "where another process's memory is"),
    refused("G4-process-madvise", |scene| {
        let target = scene.target()?;
        let pidfd = pidfd(target.pid)?;
        let vector = longs(&[target.address & !0xfff, 4096]);
        let advice = Arg::Int(libc::MADV_COLD.into());
        call(
            libc::SYS_process_madvise,
            [Arg::Int(pidfd), Arg::In(&vector), Arg::Int(1), advice, Arg::Int(0)],
        )?;
        Ok(Seen::Done)
    })
    .tries("process_madvise", MEMORY),
    refused("G4-perf-attach", |scene| {
        let target = scene.target()?;
        super::surface::perf_event(target.pid)
    })
    .tries("perf_event_open", "what another process does"),
    scheduling("G4-setpriority", |scene| {
        let who = [Arg::Int(0), Arg::Int(scene.target()?.pid.into()), Arg::Int(10)];
        call(libc::SYS_setpriority, who)?;
        Ok(Seen::Done)
    })
    .tries("setpriority", SCHEDULING),
    scheduling("G4-sched-setaffinity", |scene| {
        // One of the CPUs that we may use ourselves.
        let mut mask = [0; 128];
        call(libc::SYS_sched_getaffinity, [Arg::Int(0), Arg::Int(128), Arg::Out(&mut mask)])?;
        let mut one = [0; 128];
        let index = mask.iter().position(|byte| *byte != 0).unwrap_or(0);
        let lowest = mask.get(index).map_or(0, |byte| byte & byte.wrapping_neg());
        if let Some(byte) = one.get_mut(index) {
            *byte = lowest;
        }
        if one == mask {
            return Err(Failed::Unfit("there is one CPU".to_owned()));
        }
        let pid = Arg::Int(scene.target()?.pid.into());
        call(libc::SYS_sched_setaffinity, [pid, Arg::Int(128), Arg::In(&one)])?;
        Ok(Seen::Done)
    })
    .tries("sched_setaffinity", SCHEDULING),
    scheduling("G4-sched-setscheduler", |scene| {
        const BATCH: i64 = 3;
        let pid = Arg::Int(scene.target()?.pid.into());
        call(libc::SYS_sched_setscheduler, [pid, Arg::Int(BATCH), Arg::In(&[0; 4])])?;
        Ok(Seen::Done)
    })
    .tries("sched_setscheduler", SCHEDULING),
    scheduling("G4-ioprio-set", |scene| {
        const PROCESS: i64 = 1;
        const IDLE: i64 = 3 << 13;
        call(
            libc::SYS_ioprio_set,
            [Arg::Int(PROCESS), Arg::Int(scene.target()?.pid.into()), Arg::Int(IDLE)],
        )?;
        Ok(Seen::Done)
    })
    .tries("ioprio_set", SCHEDULING),
    refused("G4-prlimit", |scene| {
        let low = longs(&[16, 16]);
        let pid = Arg::Int(scene.target()?.pid.into());
        let resource = Arg::Int(libc::RLIMIT_NOFILE.into());
        call(libc::SYS_prlimit64, [pid, resource, Arg::In(&low), Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .seen_by(Witness::Victim)
    .tries("prlimit", "another process's limits"),
    looking("G4-processes", |_| {
        // More than one's own tree: the number is the evidence.
        const OUR_OWN_MAX: usize = 6;
        let is_process =
            |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        let count = fs::read_dir("/proc")?.flatten().filter(|entry| is_process(&entry.file_name())).count();
        match count {
            count if count > OUR_OWN_MAX => Ok(text(format!("{count} processes").as_bytes())),
            count => Err(Failed::Odd(format!("{count} processes are seen"))),
        }
    })
    .tries("getdents(/proc)", "which processes there are"),
    looking("G4-proc-net", |scene| {
        let port = format!(":{:04X} ", scene.number::<u16>("tcp4")?);
        let mut table = String::new();
        File::open("/proc/net/tcp")?.read_to_string(&mut table)?;
        if table.contains(&port) {
            return Ok(text(b"the listener outside is in the table"));
        }
        Err(Failed::Odd("nothing of the host is in the table".to_owned()))
    })
    .tries("open(/proc/net/tcp)", "the host's connections"),
    looking("G4-netlink-route", |_| interfaces())
        .stopped(&[Control::NetNamespace, Control::Seccomp], &[libc::EACCES, libc::EPROTONOSUPPORT])
        .tries("netlink: RTM_GETLINK", "the host's network interfaces"),
    looking("G4-proc-init", |_| match fs::read_to_string("/proc/1/comm")?.trim() {
        "stockade-init" => Err(Failed::Odd("process 1 is the jail's own".to_owned())),
        name => Ok(text(name.as_bytes())),
    })
    .tries("open(/proc/1/comm)", HOST),
];

/// What a call gets for a process that isn't to be seen, or not to be touched.
const NOT_THEIRS: &[i32] = &[libc::EPERM, libc::EACCES, libc::ESRCH, libc::ENOENT, libc::ENOSYS];

const fn reading(id: &'static str, deed: Deed) -> Probe {
    looking(id, deed).seen_by(Witness::Secret)
}

const fn looking(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Processes, id, deed)
        .with_victim()
        .stopped(&[Control::PidNamespace, Control::Landlock], NOT_THEIRS)
}

const fn refused(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Processes, id, deed)
        .with_victim()
        .stopped(&[Control::Seccomp, Control::PidNamespace], NOT_THEIRS)
}

const fn scheduling(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Processes, id, deed)
        .with_victim()
        .seen_by(Witness::Victim)
        .stopped(&[Control::PidNamespace], NOT_THEIRS)
}

const PTRACE_SEIZE: i64 = 0x4206;

fn ptrace(scene: &Scene, how: i64) -> Result<Seen, Failed> {
    let pid = scene.target()?.pid;
    call(libc::SYS_ptrace, [Arg::Int(how), Arg::Int(pid.into()), Arg::Int(0), Arg::Int(0)])?;
    // It lets go when we end.
    Ok(Seen::Done)
}

pub(super) fn pidfd(pid: i32) -> Result<i64, Failed> {
    Ok(call(libc::SYS_pidfd_open, [Arg::Int(pid.into()), Arg::Int(0)])?)
}

/// A file with something in it.
fn some(path: &str) -> Result<Seen, Failed> {
    let held = fs::read(path)?;
    if held.is_empty() {
        return Err(Failed::Odd("it is empty".to_owned()));
    }
    Ok(text(format!("{} bytes", held.len()).as_bytes()))
}

/// Asks for all links; more than the loopback is the host's.
fn interfaces() -> Result<Seen, Failed> {
    const RTM_NEWLINK: u16 = 16;
    const RTM_GETLINK: u16 = 18;
    const REQUEST_DUMP: u16 = 0x301;
    let fd = socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
    let fd_number = || Arg::Int(fd.as_raw_fd().into());
    // struct nlmsghdr (length, type, flags, sequence, port) and a struct ifinfomsg of zeros.
    let mut request = 32u32.to_ne_bytes().to_vec();
    request.extend(RTM_GETLINK.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    request.resize(32, 0);
    let none = || Arg::Int(0);
    call(libc::SYS_sendto, [fd_number(), Arg::In(&request), Arg::Int(32), none(), none(), none()])?;
    let mut answer = vec![0; 64 * 1024];
    let size = Arg::Int(64 * 1024);
    let received =
        call(libc::SYS_recvfrom, [fd_number(), Arg::Out(&mut answer), size, none(), none(), none()])?;
    let mut rest = answer.get(..usize::try_from(received).unwrap_or(0)).unwrap_or(&[]);
    let mut links = 0;
    while let Some((head, _)) = rest.split_first_chunk::<16>() {
        let [a, b, c, d, kind_low, kind_high, ..] = *head;
        links += usize::from(u16::from_ne_bytes([kind_low, kind_high]) == RTM_NEWLINK);
        let length = usize::try_from(u32::from_ne_bytes([a, b, c, d])).unwrap_or(0).next_multiple_of(4);
        rest = rest.get(length.max(16)..).unwrap_or(&[]);
    }
    match links {
        0 | 1 => Err(Failed::Odd(format!("{links} interfaces are seen"))),
        links => Ok(text(format!("{links} interfaces").as_bytes())),
    }
}

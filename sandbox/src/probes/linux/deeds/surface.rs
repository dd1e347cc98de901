//! G6: what the kernel offers beyond what a server needs.
//!
//! Where the deed itself would do harm, or needs more than it is worth, the call is made with arguments that the kernel has
//! to look at: an answer that only it can give shows that the call is reached.

use std::io;

use super::super::probe::{Deed, Failed, Probe, Seen};
use super::super::sys::{Arg, call};
use super::super::uring::Ring;
use crate::probes::{Control, Guarantee};

pub(super) const PROBES: &[Probe] = &[
    refused("G6-io-uring", |_| Ring::new().map(|_| Seen::Done).map_err(Failed::from))
        .tries("io_uring_setup", "a ring"),
    refused("G6-io-uring-register", |_| {
        reach(libc::SYS_io_uring_register, [-1, 0, 0, 0], &[libc::EBADF, libc::EINVAL])
    })
    .tries("io_uring_register", "a ring"),
    refused("G6-userfaultfd", |_| {
        const USER_MODE_ONLY: i64 = 1;
        call(libc::SYS_userfaultfd, [Arg::Int(USER_MODE_ONLY)])?;
        Ok(Seen::Done)
    })
    .tries("userfaultfd", "page faults"),
    refused("G6-bpf-map", |_| {
        // BPF_MAP_CREATE of an array: type, key, value, entries.
        let mut attributes =
            [2u32, 4, 4, 1].iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>();
        attributes.resize(128, 0);
        call(libc::SYS_bpf, [Arg::Int(0), Arg::In(&attributes), Arg::Int(128)])?;
        Ok(Seen::Done)
    })
    .tries("bpf(BPF_MAP_CREATE)", "a map"),
    refused("G6-bpf", |_| reach(libc::SYS_bpf, [99, 0, 0, 0], &[libc::EINVAL]))
        .tries("bpf", "an unknown command"),
    refused("G6-perf", |_| perf_event(0)).tries("perf_event_open", "our own CPU time"),
    refused("G6-keyctl", |_| {
        const GET_KEYRING_ID: i64 = 0;
        const SESSION: i64 = -3;
        call(libc::SYS_keyctl, [Arg::Int(GET_KEYRING_ID), Arg::Int(SESSION), Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .tries("keyctl", "the session keyring"),
    refused("G6-add-key", |_| {
        const PROCESS: i64 = -2;
        let (kind, name) = (Arg::Text(c"user"), Arg::Text(c"stockade-prove"));
        call(libc::SYS_add_key, [kind, name, Arg::In(b"x"), Arg::Int(1), Arg::Int(PROCESS)])?;
        Ok(Seen::Done)
    })
    .tries("add_key", "a keyring"),
    refused("G6-request-key", |_| {
        let (kind, name) = (Arg::Text(c"user"), Arg::Text(c"stockade-no-such-key"));
        let result = call(libc::SYS_request_key, [kind, name, Arg::Int(0), Arg::Int(0)]);
        reached(result, &[libc::ENOKEY])
    })
    .tries("request_key", "a key"),
    refused("G6-mount", |_| reach(libc::SYS_mount, [0, 0, 0, 0], &[libc::EFAULT])).tries("mount", "a path"),
    refused("G6-umount", |_| {
        reached(call(libc::SYS_umount2, [Arg::Text(c"/no/such/path"), Arg::Int(0)]), &[libc::ENOENT])
    })
    .tries("umount2", "a path"),
    refused("G6-open-tree", |_| {
        call(libc::SYS_open_tree, [Arg::Int(libc::AT_FDCWD.into()), Arg::Text(c"/"), Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .tries("open_tree", "a mount"),
    refused("G6-mount-setattr", |_| {
        reach(libc::SYS_mount_setattr, [-1, 0, 0, 0], &[libc::EINVAL, libc::EFAULT])
    })
    .tries("mount_setattr", "a mount"),
    refused("G6-fsopen", |_| {
        call(libc::SYS_fsopen, [Arg::Text(c"tmpfs"), Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .tries("fsopen", "a file system"),
    refused("G6-fspick", |_| reach(libc::SYS_fspick, [-1, 0, 0xff00, 0], &[libc::EINVAL]))
        .tries("fspick", "a file system"),
    refused("G6-move-mount", |_| {
        reach(libc::SYS_move_mount, [-1, 0, -1, 0], &[libc::EINVAL, libc::EFAULT, libc::EBADF])
    })
    .tries("move_mount", "a mount"),
    refused("G6-pivot-root", |_| {
        let nowhere = || Arg::Text(c"/no/such/path");
        reached(call(libc::SYS_pivot_root, [nowhere(), nowhere()]), &[libc::ENOENT])
    })
    .tries("pivot_root", "the root"),
    refused("G6-chroot", |_| reached(call(libc::SYS_chroot, [Arg::Text(c"/no/such/path")]), &[libc::ENOENT]))
        .tries("chroot", "the root"),
    refused("G6-personality", |_| personality(0x0040_0000)).tries("personality(READ_IMPLIES_EXEC)", "memory"),
    refused("G6-personality-uname", |_| personality(0x0002_0000))
        .tries("personality(UNAME26)", "the kernel's version"),
    refused("G6-memfd-secret", |_| {
        call(libc::SYS_memfd_secret, [Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .tries("memfd_secret", "memory that nobody can look into"),
    refused("G6-name-to-handle", |_| {
        reach(libc::SYS_name_to_handle_at, [-1, 0, 0, 0], &[libc::EFAULT, libc::EBADF])
    })
    .tries("name_to_handle_at", "a handle"),
    refused("G6-open-by-handle", |_| {
        reach(libc::SYS_open_by_handle_at, [-1, 0, 0, 0], &[libc::EFAULT, libc::EBADF])
    })
    .tries("open_by_handle_at", "a handle"),
    refused("G6-fanotify", |_| reach(libc::SYS_fanotify_init, [0x200, 0, 0, 0], &[]))
        .tries("fanotify_init", "file events"),
    refused("G6-quotactl", |_| {
        // Q_GETFMT, of user quotas.
        const GET_FORMAT: i64 = 0x8000_0400;
        let to = Arg::Text(c"/no/such/device");
        let result = call(libc::SYS_quotactl, [Arg::Int(GET_FORMAT), to, Arg::Int(0), Arg::Int(0)]);
        reached(result, &[libc::ENOENT, libc::ENODEV, libc::ENOTBLK])
    })
    .tries("quotactl", "quotas"),
    refused("G6-syslog", |_| {
        const SIZE_BUFFER: i64 = 10;
        call(libc::SYS_syslog, [Arg::Int(SIZE_BUFFER), Arg::Int(0), Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .tries("syslog", "the kernel's log"),
    refused("G6-acct", |_| reached(call(libc::SYS_acct, [Arg::Text(c"/no/such/path")]), &[libc::ENOENT]))
        .tries("acct", "process accounting"),
    refused("G6-swapon", |_| {
        reached(call(libc::SYS_swapon, [Arg::Text(c"/no/such/path"), Arg::Int(0)]), &[libc::ENOENT])
    })
    .tries("swapon", "swap"),
    refused("G6-swapoff", |_| {
        reached(call(libc::SYS_swapoff, [Arg::Text(c"/no/such/path")]), &[libc::ENOENT])
    })
    .tries("swapoff", "swap"),
    refused("G6-reboot", |_| reach(libc::SYS_reboot, [0, 0, 0, 0], &[libc::EINVAL]))
        .tries("reboot", "the machine"),
    refused("G6-init-module", |_| reach(libc::SYS_init_module, [0, 0, 0, 0], &[libc::ENOEXEC, libc::EFAULT]))
        .tries("init_module", "a kernel module"),
    refused("G6-finit-module", |_| {
        reach(libc::SYS_finit_module, [-1, 0, 0, 0], &[libc::EBADF, libc::EFAULT])
    })
    .tries("finit_module", "a kernel module"),
    refused("G6-delete-module", |_| {
        let nonblocking = Arg::Int(libc::O_NONBLOCK.into());
        let result = call(libc::SYS_delete_module, [Arg::Text(c"stockade_no_such_module"), nonblocking]);
        reached(result, &[libc::ENOENT])
    })
    .tries("delete_module", "a kernel module"),
    refused("G6-kexec", |_| reach(libc::SYS_kexec_load, [0, 0, 0, 0xffff], &[libc::EINVAL]))
        .tries("kexec_load", "another kernel"),
    refused("G6-adjtimex", |_| {
        // No modes: it is only read. struct timex is 208 bytes.
        call(libc::SYS_adjtimex, [Arg::Out(&mut [0; 256])])?;
        Ok(Seen::Done)
    })
    .tries("adjtimex", "the clock"),
    refused("G6-settimeofday", |_| reach(libc::SYS_settimeofday, [0, 0, 0, 0], &[]))
        .tries("settimeofday", "the clock"),
    refused("G6-clock-settime", |_| reach(libc::SYS_clock_settime, [0, 0, 0, 0], &[libc::EFAULT]))
        .tries("clock_settime", "the clock"),
    refused("G6-sethostname", |_| reach(libc::SYS_sethostname, [0, -1, 0, 0], &[libc::EINVAL]))
        .tries("sethostname", "the host's name"),
    #[cfg(target_arch = "x86_64")]
    refused("G6-modify-ldt", |_| {
        call(libc::SYS_modify_ldt, [Arg::Int(0), Arg::Out(&mut [0; 64]), Arg::Int(64)])?;
        Ok(Seen::Done)
    })
    .tries("modify_ldt", "the descriptor table"),
    #[cfg(target_arch = "x86_64")]
    refused("G6-ioperm", |_| reach(libc::SYS_ioperm, [0, 1, 0, 0], &[])).tries("ioperm", "I/O ports"),
    #[cfg(target_arch = "x86_64")]
    refused("G6-iopl", |_| reach(libc::SYS_iopl, [0, 0, 0, 0], &[])).tries("iopl", "I/O ports"),
    #[cfg(target_arch = "x86_64")]
    refused("G6-int80", |_| {
        let answer = super::super::sys::getpid_of_i386();
        if answer == i64::from(std::process::id()) {
            return Ok(Seen::Done);
        }
        Err(Failed::Errno(i32::try_from(-answer).unwrap_or(0)))
    })
    .stopped(&[Control::Seccomp], &[-libc::SIGSYS, libc::ENOSYS])
    .tries("int 0x80", "the 32-bit system calls"),
    #[cfg(target_arch = "x86_64")]
    refused("G6-x32", |_| {
        const X32_BIT: libc::c_long = 0x4000_0000;
        call(X32_BIT | libc::SYS_getpid, [Arg::Int(0)])?;
        Ok(Seen::Done)
    })
    .stopped(&[Control::Seccomp], &[-libc::SIGSYS, libc::ENOSYS])
    .tries("a number with the x32 bit", "the x32 system calls"),
];

/// What a call of the filter's deny list gets.
pub(super) const CALL: &[i32] = &[libc::EPERM, libc::ENOSYS];

const fn refused(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::Surface, id, deed).stopped(&[Control::Seccomp], CALL)
}

/// Makes a call with numbers alone; any of these errnos shows that the kernel itself has looked at them.
pub(super) fn reach(number: libc::c_long, arguments: [i64; 4], looked: &[i32]) -> Result<Seen, Failed> {
    reached(call(number, arguments.map(Arg::Int)), looked)
}

fn reached(result: io::Result<i64>, looked: &[i32]) -> Result<Seen, Failed> {
    match result {
        Err(error) if error.raw_os_error().is_some_and(|errno| looked.contains(&errno)) => {
            Ok(Seen::Text(format!("the kernel answers: {error}")))
        }
        other => Ok(other.map(|_| Seen::Done)?),
    }
}

/// Counts the CPU time of a process (0: our own) without the kernel's part, which every user may.
pub(super) fn perf_event(pid: i32) -> Result<Seen, Failed> {
    // struct perf_event_attr: type SOFTWARE, its size, config TASK_CLOCK, two fields, then flags: disabled,
    // exclude_kernel, exclude_hv.
    let mut attributes = [1u32, 128].iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>();
    attributes.extend([1u64, 0, 0, 0, 0x61].iter().flat_map(|number| number.to_ne_bytes()));
    attributes.resize(128, 0);
    let everywhere = || Arg::Int(-1);
    let arguments = [Arg::In(&attributes), Arg::Int(pid.into()), everywhere(), everywhere(), Arg::Int(0)];
    call(libc::SYS_perf_event_open, arguments)?;
    Ok(Seen::Done)
}

/// Sets another one, for the rest of this process.
fn personality(persona: i64) -> Result<Seen, Failed> {
    call(libc::SYS_personality, [Arg::Int(persona)])?;
    Ok(Seen::Done)
}

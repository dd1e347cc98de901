//! Which calls are refused for good, by name, and with which errno.

type Named = (&'static str, libc::c_long);

/// Calls whose callers fall back on something else when they are told that the kernel is too old for them.
pub(super) const ENOSYS: &[libc::c_long] = &[
    libc::SYS_io_uring_setup, // its operations (openat, connect, send) pass no seccomp filter
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_clone3,  // its flags stand in memory; glibc 2.34 falls back on clone
    libc::SYS_openat2, // flags and mode stand in memory; glibc and musl never call it, others fall back on openat
    libc::SYS_memfd_secret,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
];

/// Calls that no server needs and that reach other processes, the kernel's insides or the machine. Rare, so that a
/// supervisor can hear of each.
pub(super) const EPERM: &[Named] = &[
    // other processes
    ("ptrace", libc::SYS_ptrace),
    ("process_vm_readv", libc::SYS_process_vm_readv),
    ("process_vm_writev", libc::SYS_process_vm_writev),
    ("pidfd_getfd", libc::SYS_pidfd_getfd),
    ("kcmp", libc::SYS_kcmp),
    ("migrate_pages", libc::SYS_migrate_pages),
    ("move_pages", libc::SYS_move_pages),
    // large kernel surfaces
    ("bpf", libc::SYS_bpf),
    ("perf_event_open", libc::SYS_perf_event_open),
    ("userfaultfd", libc::SYS_userfaultfd),
    ("keyctl", libc::SYS_keyctl),
    ("add_key", libc::SYS_add_key),
    ("request_key", libc::SYS_request_key),
    ("fanotify_init", libc::SYS_fanotify_init), // watches directories that the grants don't name
    ("lookup_dcookie", libc::SYS_lookup_dcookie),
    ("nfsservctl", libc::SYS_nfsservctl),
    // namespaces, mounts and ways around paths
    ("mount", libc::SYS_mount),
    ("umount2", libc::SYS_umount2),
    ("mount_setattr", libc::SYS_mount_setattr),
    ("move_mount", libc::SYS_move_mount),
    ("open_tree", libc::SYS_open_tree),
    ("open_tree_attr", OPEN_TREE_ATTR),
    ("fsopen", libc::SYS_fsopen),
    ("fsconfig", libc::SYS_fsconfig),
    ("fsmount", libc::SYS_fsmount),
    ("fspick", libc::SYS_fspick),
    ("pivot_root", libc::SYS_pivot_root),
    ("chroot", libc::SYS_chroot),
    ("unshare", libc::SYS_unshare),
    ("setns", libc::SYS_setns),
    ("open_by_handle_at", libc::SYS_open_by_handle_at),
    ("name_to_handle_at", libc::SYS_name_to_handle_at),
    // the machine
    ("kexec_load", libc::SYS_kexec_load),
    ("kexec_file_load", KEXEC_FILE_LOAD),
    ("init_module", libc::SYS_init_module),
    ("finit_module", libc::SYS_finit_module),
    ("delete_module", libc::SYS_delete_module),
    ("reboot", libc::SYS_reboot),
    ("swapon", libc::SYS_swapon),
    ("swapoff", libc::SYS_swapoff),
    ("acct", libc::SYS_acct),
    ("quotactl", libc::SYS_quotactl),
    ("quotactl_fd", libc::SYS_quotactl_fd),
    ("syslog", libc::SYS_syslog),
    ("settimeofday", libc::SYS_settimeofday),
    ("clock_settime", libc::SYS_clock_settime),
    ("clock_adjtime", libc::SYS_clock_adjtime),
    ("adjtimex", libc::SYS_adjtimex),
    ("sethostname", libc::SYS_sethostname),
    ("setdomainname", libc::SYS_setdomainname),
    ("vhangup", libc::SYS_vhangup),
];

#[cfg(target_arch = "x86_64")]
pub(super) const EPERM_HERE: &[Named] = &[
    ("iopl", libc::SYS_iopl),
    ("ioperm", libc::SYS_ioperm),
    ("modify_ldt", libc::SYS_modify_ldt),
    ("uselib", libc::SYS_uselib),
    ("_sysctl", libc::SYS__sysctl),
];
#[cfg(target_arch = "aarch64")]
pub(super) const EPERM_HERE: &[Named] = &[];

// Not in libc 0.2.191. Numbers from 424 on are the same on every architecture.
const OPEN_TREE_ATTR: libc::c_long = 467; // Linux 6.15
// libc 0.2.191 lacks it for musl on aarch64.
#[cfg(target_arch = "x86_64")]
const KEXEC_FILE_LOAD: libc::c_long = 320;
#[cfg(target_arch = "aarch64")]
const KEXEC_FILE_LOAD: libc::c_long = 294;

/// System V IPC and POSIX message queues.
pub(super) const HOST_IPC: &[libc::c_long] = &[
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
];

/// Calls that are refused with some arguments only.
const IN_PART: &[Named] = &[
    ("clone (new namespaces)", libc::SYS_clone),
    ("ioctl (terminal injection)", libc::SYS_ioctl),
    ("memfd_create (executable)", libc::SYS_memfd_create),
    ("personality", libc::SYS_personality),
    ("prctl", libc::SYS_prctl),
    ("prlimit64 (of another process)", libc::SYS_prlimit64),
    ("setsockopt (another route)", libc::SYS_setsockopt),
];

/// As it is told: a name of this list, never a number.
pub(crate) fn name(number: u32) -> &'static str {
    let all = EPERM.iter().chain(EPERM_HERE).chain(IN_PART);
    let mut named = all.filter(|(_, call)| super::number(*call) == number);
    named.next().map_or("a system call", |(name, _)| name)
}

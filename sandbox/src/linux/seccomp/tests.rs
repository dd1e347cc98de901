use super::super::bpf::interpreter::{Call, run};
use super::files::{MODES, MODES_HERE};
use super::*;

mod decisions;

const FILTER: Filter = Filter {
    sockets: Sockets::None,
    host_ipc: HostIpc::Private,
    truncate: Truncate::Landlock,
    group: Group::Free,
    unix: UnixSockets::None,
    listener: Listener::Absent,
    observe: Observe::Refused,
};

fn asked(filter: Filter, call: libc::c_long, arguments: &[u64]) -> Action {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    let program = program(filter).expect("assembles");
    run(&program, &Call { arch: AUDIT_ARCH, number: call as u32, arguments: all })
}

fn no(code: libc::c_int) -> Action {
    Action::Errno(code as u16)
}

#[test]
fn what_runtimes_probe_gets_enosys_and_what_is_dangerous_eperm() {
    for call in [libc::SYS_io_uring_setup, libc::SYS_clone3, libc::SYS_openat2, libc::SYS_memfd_secret] {
        assert_eq!(asked(FILTER, call, &[]), no(libc::ENOSYS), "{call}");
    }
    for call in [
        libc::SYS_ptrace,
        libc::SYS_bpf,
        libc::SYS_mount,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_pivot_root,
        libc::SYS_keyctl,
        libc::SYS_pidfd_getfd,
        libc::SYS_open_by_handle_at,
        libc::SYS_reboot,
    ] {
        assert_eq!(asked(FILTER, call, &[]), no(libc::EPERM), "{call}");
    }
    for call in [libc::SYS_read, libc::SYS_execve, libc::SYS_futex, libc::SYS_openat, 999_999] {
        assert_eq!(asked(FILTER, call, &[0, 0, 0x241]), Action::Allow, "{call}");
    }
}

#[test]
fn threads_may_be_cloned_but_not_namespaces() {
    // What pthread_create of glibc passes.
    assert_eq!(asked(FILTER, libc::SYS_clone, &[0x003d_0f00]), Action::Allow);
    assert_eq!(asked(FILTER, libc::SYS_clone, &[0x11]), Action::Allow);
    for flag in [0x0002_0000u64, 0x0200_0000, 0x0400_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
        assert_eq!(asked(FILTER, libc::SYS_clone, &[flag | 0x11]), no(libc::EPERM), "{flag:#x}");
    }
}

#[test]
fn terminal_injection_is_refused_on_the_low_half_of_the_command() {
    for command in [0x5412u64, 0x541c, 0x1_0000_5412, 0xffff_ffff_0000_541c] {
        assert_eq!(asked(FILTER, libc::SYS_ioctl, &[0, command]), no(libc::EPERM), "{command:#x}");
    }
    assert_eq!(asked(FILTER, libc::SYS_ioctl, &[0, 0x5413]), Action::Allow);
}

#[test]
fn personality_may_be_asked_for_and_randomisation_turned_off_but_nothing_else() {
    for persona in [0u64, 0xffff_ffff, 0x0004_0000] {
        assert_eq!(asked(FILTER, libc::SYS_personality, &[persona]), Action::Allow);
    }
    for persona in [0x0040_0000u64, 0x0008, 0x0002_0000, 0x0004_0008] {
        assert_eq!(asked(FILTER, libc::SYS_personality, &[persona]), no(libc::EPERM));
    }
}

#[test]
fn only_ones_own_limits_may_be_set() {
    assert_eq!(asked(FILTER, libc::SYS_prlimit64, &[0, 7]), Action::Allow);
    assert_eq!(asked(FILTER, libc::SYS_prlimit64, &[4711, 7]), no(libc::EPERM));
    assert_eq!(asked(FILTER, libc::SYS_prctl, &[0x5961_6d61, 1]), no(libc::EPERM));
    assert_eq!(asked(FILTER, libc::SYS_prctl, &[38, 1]), Action::Allow);
}

#[test]
fn no_socket_family_that_reaches_anything_is_left() {
    let socket = |family: i32, kind: i32, protocol: u64| {
        asked(FILTER, libc::SYS_socket, &[family as u64, kind as u64, protocol])
    };
    let cloexec = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    assert_eq!(socket(libc::AF_UNIX, libc::SOCK_STREAM | cloexec, 0), no(libc::EACCES));
    assert_eq!(socket(libc::AF_INET, libc::SOCK_STREAM, 0), no(libc::EACCES));
    assert_eq!(socket(libc::AF_INET, libc::SOCK_DGRAM, 17), no(libc::EACCES));
    assert_eq!(socket(libc::AF_INET6, libc::SOCK_RAW, 255), no(libc::EACCES));
    assert_eq!(socket(libc::AF_INET, libc::SOCK_STREAM, 262), no(libc::EPROTONOSUPPORT));
    assert_eq!(socket(libc::AF_INET6, libc::SOCK_STREAM, 262), no(libc::EPROTONOSUPPORT));
    assert_eq!(socket(libc::AF_NETLINK, libc::SOCK_RAW, 0), Action::Allow);
    assert_eq!(socket(libc::AF_NETLINK, libc::SOCK_RAW, 12), no(libc::EPROTONOSUPPORT));
    for family in [libc::AF_PACKET, libc::AF_VSOCK, libc::AF_ALG, libc::AF_BLUETOOTH, 0, 45, -1] {
        assert_eq!(socket(family, libc::SOCK_STREAM, 0), no(libc::EAFNOSUPPORT), "{family}");
    }
}

#[test]
fn connected_pairs_stay_but_not_datagram_pairs() {
    let pair = |family: i32, kind: i32| asked(FILTER, libc::SYS_socketpair, &[family as u64, kind as u64, 0]);
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    assert_eq!(pair(libc::AF_UNIX, libc::SOCK_STREAM), Action::Allow);
    assert_eq!(pair(libc::AF_UNIX, libc::SOCK_STREAM | flags), Action::Allow);
    assert_eq!(pair(libc::AF_UNIX, libc::SOCK_SEQPACKET | flags), Action::Allow);
    assert_eq!(pair(libc::AF_UNIX, libc::SOCK_DGRAM), no(libc::EACCES));
    assert_eq!(pair(libc::AF_UNIX, libc::SOCK_RAW | flags), no(libc::EACCES));
    assert_eq!(pair(libc::AF_TIPC, libc::SOCK_STREAM), no(libc::EAFNOSUPPORT));
}

#[test]
fn fast_open_is_refused_wherever_its_flag_can_stand() {
    let flag = 0x2000_0000u64;
    assert_eq!(asked(FILTER, libc::SYS_sendto, &[3, 0, 0, flag]), no(libc::EOPNOTSUPP));
    assert_eq!(asked(FILTER, libc::SYS_sendmsg, &[3, 0, flag | 0x4000]), no(libc::EOPNOTSUPP));
    assert_eq!(asked(FILTER, libc::SYS_sendmmsg, &[3, 0, 1, flag]), no(libc::EOPNOTSUPP));
    assert_eq!(asked(FILTER, libc::SYS_sendto, &[3, 0, 0, 0x4000]), Action::Allow);
}

#[test]
fn the_hosts_network_leaves_sockets_alone_but_nothing_else() {
    let filter = Filter { sockets: Sockets::Host, ..FILTER };
    assert_eq!(asked(filter, libc::SYS_socket, &[2, 1, 0]), Action::Allow);
    assert_eq!(asked(filter, libc::SYS_ptrace, &[]), no(libc::EPERM));
}

#[test]
fn the_hosts_ipc_is_refused_as_if_the_kernel_had_none() {
    let filter = Filter { host_ipc: HostIpc::Shared, ..FILTER };
    for call in [libc::SYS_shmat, libc::SYS_semget, libc::SYS_msgrcv, libc::SYS_mq_open] {
        assert_eq!(asked(filter, call, &[]), no(libc::ENOSYS));
        assert_eq!(asked(FILTER, call, &[]), Action::Allow);
    }
}

#[test]
fn without_landlocks_right_truncation_is_refused_by_the_filter() {
    let filter = Filter { truncate: Truncate::Filter, ..FILTER };
    let flags = |flags: i32| [0u64, 0, flags as u64];
    assert_eq!(asked(filter, libc::SYS_truncate, &[]), no(libc::EACCES));
    assert_eq!(asked(filter, libc::SYS_ftruncate, &[]), Action::Allow);
    let read = libc::O_RDONLY | libc::O_TRUNC | libc::O_CLOEXEC;
    assert_eq!(asked(filter, libc::SYS_openat, &flags(read)), no(libc::EACCES));
    assert_eq!(asked(filter, libc::SYS_openat, &flags(3 | libc::O_TRUNC)), no(libc::EACCES));
    // Opening for writing asks for Landlock's WRITE_FILE anyway.
    let write = libc::O_WRONLY | libc::O_TRUNC | libc::O_CREAT;
    assert_eq!(asked(filter, libc::SYS_openat, &flags(write)), Action::Allow);
    assert_eq!(asked(filter, libc::SYS_openat, &flags(libc::O_RDONLY)), Action::Allow);
    assert_eq!(asked(filter, libc::SYS_openat2, &[]), no(libc::ENOSYS));
}

#[test]
fn no_call_that_takes_a_mode_sets_a_set_id_bit() {
    for mode in [0o4755u64, 0o2755, 0o6000, 0o104_755, 0o1_000_000_004_000] {
        for &(call, place) in MODES.iter().chain(MODES_HERE) {
            let mut arguments = [0; 6];
            arguments[usize::from(place)] = mode;
            assert_eq!(asked(FILTER, call, &arguments), no(libc::EPERM), "{call} {mode:o}");
            arguments[usize::from(place)] = 0o101_777;
            assert_eq!(asked(FILTER, call, &arguments), Action::Allow, "{call}");
        }
        for truncate in [Truncate::Landlock, Truncate::Filter] {
            let filter = Filter { truncate, ..FILTER };
            let open = |flags: i32| asked(filter, libc::SYS_openat, &[0, 0, flags as u64, mode]);
            assert_eq!(open(libc::O_CREAT | libc::O_WRONLY), no(libc::EPERM), "{mode:o}");
            assert_eq!(open(libc::O_TMPFILE | libc::O_RDWR), no(libc::EPERM), "{mode:o}");
            // No mode is read: the register holds anything.
            assert_eq!(open(libc::O_RDONLY | libc::O_DIRECTORY), Action::Allow, "{mode:o}");
        }
    }
}

#[test]
fn where_the_group_is_kept_leaving_it_only_seems_to_work() {
    let filter = Filter { group: Group::Kept, ..FILTER };
    for call in [libc::SYS_setsid, libc::SYS_setpgid] {
        assert_eq!(asked(filter, call, &[0, 0]), Action::Errno(0), "{call}");
        assert_eq!(asked(FILTER, call, &[0, 0]), Action::Allow, "{call}");
    }
    // What would hit the server's group by mistake finds nobody; asking is allowed.
    assert_eq!(asked(filter, libc::SYS_kill, &[0, 15]), no(libc::ESRCH));
    assert_eq!(asked(filter, libc::SYS_kill, &[0, 0]), Action::Allow);
    assert_eq!(asked(filter, libc::SYS_kill, &[4711, 15]), Action::Allow);
    assert_eq!(asked(filter, libc::SYS_getpgid, &[0]), Action::Allow);
    assert_eq!(asked(filter, libc::SYS_getpgid, &[4711]), no(libc::ESRCH));
    assert_eq!(asked(FILTER, libc::SYS_kill, &[0, 15]), Action::Allow);
}

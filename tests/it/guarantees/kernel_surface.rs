//! G6: calls of the kernel that no server needs are refused.

use serde_json::json;

use super::{BACKENDS, check, inside, outside};
use crate::support::World;

const CLONE_NEWUSER: u64 = 0x1000_0000;

#[test]
fn namespaces_cannot_be_made() {
    let world = World::new();
    check(&world, &[], &json!([["a user namespace", "unshare", CLONE_NEWUSER]]), &[]);
}

/// Numbers of x86-64 and aarch64 differ below 424; these are the same everywhere, or given for both.
#[test]
fn system_calls_of_the_deny_list_are_refused() {
    let old = |x86: i64, arm: i64| if cfg!(target_arch = "x86_64") { x86 } else { arm };
    let world = World::new();
    // (call, number, errno inside): arguments are such that the kernel would answer EINVAL, EFAULT or EBADF itself.
    let calls = [
        ("io_uring_setup", 425, "ENOSYS"),
        ("io_uring_enter", 426, "ENOSYS"),
        ("io_uring_register", 427, "ENOSYS"),
        ("clone3", 435, "ENOSYS"),
        ("open_tree", 428, "EPERM"),
        ("fsopen", 430, "EPERM"),
        ("pidfd_getfd", 438, "EPERM"),
        ("mount_setattr", 442, "EPERM"),
        ("ptrace", old(101, 117), "EPERM"),
        ("bpf", old(321, 280), "EPERM"),
        ("perf_event_open", old(298, 241), "EPERM"),
        ("userfaultfd", old(323, 282), "EPERM"),
        ("keyctl", old(250, 219), "EPERM"),
        ("add_key", old(248, 217), "EPERM"),
        ("mount", old(165, 40), "EPERM"),
        ("setns", old(308, 268), "EPERM"),
        ("process_vm_readv", old(310, 270), "EPERM"),
        ("open_by_handle_at", old(304, 265), "EPERM"),
        ("kexec_load", old(246, 104), "EPERM"),
    ];
    let attempts = json!(calls.map(|(name, number, _)| json!([name, "syscall", number, -1, -1, -1, -1, -1])));
    let bare = outside(&world, &attempts);
    // An ordinary user is refused some of them by the kernel itself: those prove nothing here (as root they do).
    let telling = calls.iter().filter(|(name, _, errno)| bare[*name] != *errno).count();
    assert!(telling >= 8, "only {telling} calls differ from what they do without a jail: {bare:?}");
    for backend in BACKENDS {
        let found = inside(&world, backend, &[], &attempts);
        for (name, _, errno) in calls {
            assert_eq!(found[name], errno, "{name} ({backend})");
        }
    }
}

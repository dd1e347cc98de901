//! What a refusal means, in a sentence for people who never heard of the call.

use super::objections::is_name_service_cache;
use super::tried::Tried;

/// Names of system calls, and what a program wants with them.
const SYSTEM_CALLS: &[(&[&str], &str)] = &[
    (
        &[
            "ptrace",
            "process_vm_readv",
            "process_vm_writev",
            "pidfd_getfd",
            "kcmp",
            "process_madvise",
            "process_mrelease",
        ],
        "reaches into other processes",
    ),
    (&["prlimit64", "move_pages", "migrate_pages"], "changes other processes"),
    (
        &["bpf", "perf_event_open", "userfaultfd", "modify_ldt"],
        "reaches deep into the kernel; attacks begin there",
    ),
    (
        &["io_uring_setup", "io_uring_enter", "io_uring_register"],
        "does input and output past the filter; programs fall back to ordinary calls",
    ),
    (&["keyctl", "add_key", "request_key"], "reaches the keys that the kernel keeps for the user"),
    (
        &[
            "mount",
            "umount2",
            "pivot_root",
            "chroot",
            "move_mount",
            "open_tree",
            "fsopen",
            "fsmount",
            "fsconfig",
            "fspick",
            "mount_setattr",
            "swapon",
            "swapoff",
        ],
        "changes what the file tree looks like",
    ),
    (&["name_to_handle_at", "open_by_handle_at", "fanotify_init"], "reaches files around their paths"),
    (
        &["unshare", "setns", "clone", "clone3"],
        "makes or enters namespaces, which a sandbox inside the jail needs",
    ),
    (
        &["init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "acct"],
        "changes the running kernel",
    ),
    (
        &["settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname"],
        "changes the clock or the name of the machine",
    ),
    (&["syslog"], "reads or changes the kernel's own log"),
    (&["ioperm", "iopl"], "reaches the hardware's ports"),
    (&["ioctl"], "types into a terminal as if the user had"),
    (&["personality"], "changes how the kernel lays out memory"),
    (&["setsid", "setpgid"], "leaves the server's process group, by which its tree is ended"),
    (&["chmod", "fchmod", "fchmodat", "fchmodat2"], "sets set-user-id or set-group-id bits"),
    (
        &["memfd_create", "memfd_secret"],
        "makes memory that can be executed like a file, or that nobody else can see",
    ),
    (
        &["sendto", "sendmsg", "sendmmsg", "setsockopt"],
        "sends by a way of its choice, past the check of connections",
    ),
];

/// What a program wants with this system call; a remark in brackets may follow its name.
fn system_call(name: &str) -> &'static str {
    let name = name.split(' ').next().unwrap_or(name);
    let known = SYSTEM_CALLS.iter().find(|(names, _)| names.contains(&name));
    known.map_or("belongs to the part of the kernel that no server needs", |(_, wants)| wants)
}

/// What it means that this was refused. Files and destinations have reasons of their own.
pub(super) fn means(tried: &Tried) -> String {
    match tried {
        Tried::File { .. } => "no grant holds it".to_owned(),
        Tried::Network { .. } | Tried::Page { .. } => "this destination is not granted".to_owned(),
        Tried::SystemCall { name } => format!("`{name}` {}", system_call(name)),
        Tried::Socket { family, kind } => socket(family, kind).to_owned(),
        Tried::UnixSocket { path } if is_name_service_cache(path) => {
            "glibc asks for a cache of names (nscd) before it looks one up itself, in every program"
                .to_owned()
        }
        Tried::UnixSocket { .. } => {
            "a Unix socket leads to another program, which acts outside of the jail for whoever asks"
                .to_owned()
        }
        Tried::Listen { .. } => "waiting for connections has to be granted port by port".to_owned(),
    }
}

fn socket(family: &str, kind: &str) -> &'static str {
    match (family, kind) {
        ("AF_INET" | "AF_INET6", "SOCK_RAW") => "raw sockets send any packet (`ping` wants one)",
        ("AF_INET" | "AF_INET6", _) => "this profile grants no network, or none of this kind",
        ("AF_UNIX", _) => "this profile grants no Unix socket",
        ("AF_NETLINK", _) => "netlink talks to the kernel about devices and settings of the network",
        ("AF_PACKET", _) => "packet sockets see and send everything on the wire",
        ("AF_VSOCK", _) => "leads out of a virtual machine to its host",
        ("AF_ALG", _) => "reaches the kernel's ciphers, an old source of attacks",
        _ => "a kind of socket that no server needs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_in_the_table_once() {
        let mut names: Vec<&str> = SYSTEM_CALLS.iter().flat_map(|(names, _)| *names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(system_call("ptrace"), "reaches into other processes");
        assert_eq!(system_call("clone (new namespaces)"), system_call("unshare"));
        assert_ne!(system_call("unheard_of"), "");
    }
}

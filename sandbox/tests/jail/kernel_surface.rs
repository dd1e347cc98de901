//! G6: what the kernel offers beyond what a server needs is refused, with the errno that lets programs go on.

use super::harness::{Test, say};
use super::jail::{Answer, Backend, Jail, outside};

pub(crate) const TESTS: &[Test] = &[
    ("dangerous calls are refused with the errno that runtimes expect", dangerous_calls),
    ("no file gets a set-user-id or set-group-id bit", set_id_bits),
    ("foreign system call ABIs are refused", foreign_abis),
    ("threads and programs start as usual", ordinary_programs),
];

/// Call, arguments, errno in the jail. Pointers are null, so that outside the kernel answers something else.
const CALLS: &[(&str, i64, &[&str], i32)] = &[
    ("io_uring_setup", libc::SYS_io_uring_setup, &["1", "0"], libc::ENOSYS),
    ("clone3", libc::SYS_clone3, &["0", "0"], libc::ENOSYS),
    ("openat2", libc::SYS_openat2, &["0", "0", "0", "24"], libc::ENOSYS),
    ("process_madvise", libc::SYS_process_madvise, &["0", "0"], libc::ENOSYS),
    ("bpf", libc::SYS_bpf, &["99", "0", "0"], libc::EPERM),
    ("perf_event_open", libc::SYS_perf_event_open, &["0"], libc::EPERM),
    ("keyctl", libc::SYS_keyctl, &["0", "0xfffffffd", "0"], libc::EPERM),
    ("add_key", libc::SYS_add_key, &["0"], libc::EPERM),
    ("request_key", libc::SYS_request_key, &["0"], libc::EPERM),
    ("unshare", libc::SYS_unshare, &["0"], libc::EPERM),
    ("unshare user", libc::SYS_unshare, &["0x10000000"], libc::EPERM),
    ("clone user", libc::SYS_clone, &["0x10000011"], libc::EPERM),
    ("setns", libc::SYS_setns, &["1000", "0"], libc::EPERM),
    ("personality", libc::SYS_personality, &["0x0400000"], libc::EPERM),
    ("tiocsti", libc::SYS_ioctl, &["0", "0x5412", "0"], libc::EPERM),
    ("tiocsti, upper half set", libc::SYS_ioctl, &["0", "0xff00005412", "0"], libc::EPERM),
    ("tioclinux", libc::SYS_ioctl, &["0", "0x541c", "0"], libc::EPERM),
    ("set_ptracer", libc::SYS_prctl, &["0x59616d61", "0xffffffffffffffff"], libc::EPERM),
    ("name_to_handle_at", libc::SYS_name_to_handle_at, &["0", "0", "0"], libc::EPERM),
    ("fanotify_init", libc::SYS_fanotify_init, &["0x200"], libc::EPERM),
];

fn dangerous_calls(backend: Backend) {
    let jail = Jail::new(backend);
    for (name, number, arguments, errno) in CALLS {
        let number = number.to_string();
        let words: Vec<&str> = ["syscall", &number].into_iter().chain(arguments.iter().copied()).collect();
        assert_eq!(jail.probe(&words), Answer::Errno(*errno), "{name}");
        let free = outside(&words);
        if free == Answer::Errno(*errno) {
            // The host itself refuses it: nothing is proved, which must be seen.
            say(&format!("  not proved here, refused outside too: {name}"));
        }
    }
}

fn set_id_bits(backend: Backend) {
    for deed in ["chmod", "fchmod", "create-mode", "tmpfile-mode", "mkdir-mode", "mknod-mode"] {
        for (mode, refused) in [("755", false), ("1755", false), ("4755", true), ("2755", true)] {
            let dir = tempfile::tempdir().expect("a directory");
            let root = dir.path().canonicalize().expect("a path");
            std::fs::write(root.join("own"), "").expect("write");
            let path = match deed {
                "chmod" | "fchmod" => root.join("own"),
                "tmpfile-mode" => root.clone(),
                _ => root.join("new"),
            };
            let words = [deed, path.to_str().expect("a path"), mode];
            let answer = Jail::new(backend).write(&root).probe(&words);
            if refused {
                assert_eq!(answer, Answer::Errno(libc::EPERM), "{words:?}");
            } else {
                assert!(answer.is_ok(), "{words:?}: {answer:?}");
                continue;
            }
            let free = outside(&words);
            assert!(free.is_ok(), "{words:?} outside: {free:?}");
        }
    }
    // The mode of a file that isn't created is whatever the register holds.
    let openat = libc::SYS_openat.to_string();
    let words = ["syscall", &openat, "0xffffff9c", "0", "0", "0x9ed"];
    assert_eq!(Jail::new(backend).probe(&words), Answer::Errno(libc::EFAULT));
}

fn foreign_abis(backend: Backend) {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let jail = Jail::new(backend);
    // getpid of x32: a kernel without x32 says ENOSYS itself, so only the assembler's test proves the check.
    assert_eq!(jail.probe(&["syscall", "0x40000027"]), Answer::Errno(libc::ENOSYS));
    if outside(&["int80"]).is_ok() {
        let binary = super::jail::this_binary();
        let run = jail.run(&[binary.to_str().expect("a path"), "__probe", "int80"]);
        assert_eq!(run.expect("ended"), "Signalled(31)", "SIGSYS");
    } else {
        say("  not proved here: this kernel has no 32-bit calls");
    }
}

fn ordinary_programs(backend: Backend) {
    let jail = Jail::new(backend);
    assert_eq!(jail.probe(&["threads", "8"]).text(), "8");
    let run = jail.shell("echo $(echo nested | cat); /bin/true && /bin/ls /usr > /dev/null && echo fine");
    assert!(run.printed.contains("nested\n") && run.printed.contains("fine\n"), "{}", run.printed);
    assert_eq!(run.expect("degree-syscalls"), "Full");
}

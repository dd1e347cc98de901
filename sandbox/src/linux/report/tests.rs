use super::*;
use crate::{Access, BackendChoice, Limits};

pub(super) fn facts(abi: Result<u32, i32>) -> Facts {
    Facts { kernel: "6.1.0".to_owned(), landlock: abi, seccomp: true, uid: 1000, gid: 1000 }
}

pub(super) fn ruleset() -> Ruleset {
    Ruleset {
        files: Some(crate::Files::plain(Vec::new())),
        network: Network::None,
        unix: Vec::new(),
        observe: crate::Observe::Refused,
        env: Vec::new(),
        limits: Limits { open_files: 64, file_bytes: 1, processes: 8, cpu_seconds: None, memory_bytes: None },
        backend: BackendChoice::Auto,
        required: Required { fs: Need::Full, net: Need::Full, process: Need::BestEffort },
        tree_end: TreeEnd::Kill,
    }
}

#[test]
fn a_kernel_without_landlock_is_refused_with_reason_and_remedy() {
    for (errno, word, remedy) in [
        (libc::ENOSYS, "no Landlock", "Linux 6.2"),
        (libc::EOPNOTSUPP, "off at boot", "lsm="),
        (libc::EPERM, "Operation not permitted", "Linux 6.2"),
    ] {
        for backend in [Backend::Notify, Backend::Static] {
            let report = enforcement(&facts(Err(errno)), &ruleset(), backend, None);
            assert_eq!(report.landlock_abi, 0);
            let refused = check(&report, ruleset().required).expect_err("refused");
            let SpawnError::NotEnforceable { guarantee, why, remedy: hint } = refused else {
                panic!("another error");
            };
            assert_eq!(guarantee, "files");
            assert!(why.contains(word) && why.contains("6.1.0"), "{why}");
            assert!(hint.contains(remedy), "{hint}");
        }
    }
}

#[test]
fn without_landlock_the_view_of_namespaces_holds_files_metadata_and_native_code() {
    let report = enforcement(&facts(Err(libc::ENOSYS)), &ruleset(), Backend::Namespaces, None);
    assert_eq!([&report.fs, &report.metadata, &report.exec], [&Degree::Full; 3]);
    assert!(check(&report, ruleset().required).is_ok());
}

#[test]
fn without_landlock_a_start_that_insists_on_nothing_is_reported_as_unfenced() {
    let report = enforcement(&facts(Err(libc::ENOSYS)), &ruleset(), Backend::Static, None);
    assert!(matches!(report.fs, Degree::None { .. }));
    let none = Required { fs: Need::BestEffort, net: Need::Full, process: Need::BestEffort };
    assert!(check(&report, none).is_ok());
}

#[test]
fn old_landlock_is_full_for_files_and_says_that_the_filter_closes_truncation() {
    for abi in [1, 2] {
        let report = enforcement(&facts(Ok(abi)), &ruleset(), Backend::Namespaces, None);
        assert_eq!(report.fs, Degree::Full);
        assert!(matches!(&report.syscalls, Degree::Partial { why, .. } if why.contains("truncation")));
    }
    let report = enforcement(&facts(Ok(1)), &ruleset(), Backend::Static, None);
    assert!(matches!(report.fs, Degree::Partial { .. }));
    for abi in 3..=12 {
        let report = enforcement(&facts(Ok(abi)), &ruleset(), Backend::Static, None);
        assert_eq!((&report.fs, &report.syscalls), (&Degree::Full, &Degree::Full));
        assert_eq!(report.landlock_abi, abi.min(10));
    }
}

#[test]
fn static_is_partial_for_processes_and_says_why_namespaces_were_not_had() {
    let failure = Failure::new(Step::MountProc, libc::EPERM);
    let report = enforcement(
        &facts(Ok(7)),
        &ruleset(),
        Backend::Static,
        Some(FellBack { failure, found: Found::Now }),
    );
    let Degree::Partial { why, remedy, missing } = &report.process else { panic!("not partial") };
    assert!(why.contains("mounting a fresh /proc") && why.contains("6.1.0"), "{why}");
    assert!(remedy.contains("systempaths"), "{remedy}");
    assert!(!missing.contains("signals"), "{missing}");
    let full = Required { fs: Need::Full, net: Need::Full, process: Need::Full };
    assert!(matches!(
        check(&report, full),
        Err(SpawnError::NotEnforceable { guarantee: "process tree", .. })
    ));
    let report = enforcement(&facts(Ok(5)), &ruleset(), Backend::Static, None);
    assert!(matches!(&report.process, Degree::Partial { missing, .. } if missing.contains("signals")));
}

#[test]
fn names_in_proc_are_missing_only_if_proc_is_granted() {
    for (path, told) in [("/", true), ("/proc", true), ("/proc/sys", true), ("/usr", false)] {
        let paths = Some(vec![PathRule { path: path.into(), access: Access::Read }]);
        let ruleset = Ruleset { files: paths.map(crate::Files::plain), ..ruleset() };
        let report = enforcement(&facts(Ok(7)), &ruleset, Backend::Static, None);
        let Degree::Partial { missing, .. } = report.process else { panic!("not partial") };
        assert_eq!(missing.contains("command lines"), told, "{path}");
    }
}

#[test]
fn namespaces_of_an_ordinary_user_are_full_and_roots_process_limit_is_soft() {
    let report = enforcement(&facts(Ok(7)), &ruleset(), Backend::Namespaces, None);
    for (name, degree) in report.guarantees() {
        assert_eq!(*degree, Degree::Full, "{name}");
    }
    let root = Facts { uid: 0, gid: 0, ..facts(Ok(7)) };
    let report = enforcement(&root, &ruleset(), Backend::Namespaces, None);
    assert!(matches!(report.limits, Degree::Partial { .. }));
    assert_eq!(report.process, Degree::Full);
}

#[test]
fn native_code_is_kept_out_by_namespaces_alone() {
    let exec = |abi, backend| enforcement(&facts(abi), &ruleset(), backend, None).exec;
    assert_eq!(exec(Ok(7), Backend::Namespaces), Degree::Full);
    for backend in [Backend::Notify, Backend::Static] {
        let degree = exec(Ok(10), backend);
        assert!(
            matches!(&degree, Degree::Partial { missing, .. } if missing.contains("ld.so")),
            "{degree:?}"
        );
        assert!(matches!(exec(Err(libc::ENOSYS), backend), Degree::None { .. }));
    }
}

#[test]
fn without_landlock_other_environments_can_be_read_where_there_is_no_pid_namespace() {
    for (backend, full) in [(Backend::Namespaces, true), (Backend::Notify, false), (Backend::Static, false)] {
        assert_eq!(
            enforcement(&facts(Err(libc::ENOSYS)), &ruleset(), backend, None).env == Degree::Full,
            full
        );
        assert_eq!(enforcement(&facts(Ok(1)), &ruleset(), backend, None).env, Degree::Full);
    }
}

#[test]
fn metadata_is_kept_by_the_view_alone() {
    let metadata = |backend| enforcement(&facts(Ok(10)), &ruleset(), backend, None).metadata;
    assert_eq!(metadata(Backend::Namespaces), Degree::Full);
    for backend in [Backend::Notify, Backend::Static] {
        assert!(matches!(metadata(backend), Degree::Partial { missing, .. } if missing.contains("times")));
    }
}

#[test]
fn a_filter_without_a_listener_is_reported_where_one_was_expected() {
    for (backend, present, full) in [
        (Backend::Namespaces, true, true),
        (Backend::Namespaces, false, false),
        (Backend::Static, false, true),
    ] {
        let mut report = enforcement(&facts(Ok(7)), &ruleset(), backend, None);
        listener(&mut report, present);
        assert_eq!(report.syscalls == Degree::Full, full, "{backend:?}");
    }
}

#[test]
fn every_danger_is_reported_as_none_and_refused_where_full_is_required() {
    let dangers = [
        Ruleset { files: None, ..ruleset() },
        Ruleset { network: Network::DangerousHost, ..ruleset() },
        Ruleset { tree_end: TreeEnd::DangerousLeave, ..ruleset() },
    ];
    let full = Required { fs: Need::Full, net: Need::Full, process: Need::Full };
    for (danger, guarantee) in dangers.iter().zip(["fs", "net", "process"]) {
        let report = enforcement(&facts(Ok(7)), danger, Backend::Namespaces, None);
        for (name, degree) in report.guarantees() {
            if name == guarantee {
                assert!(matches!(degree, Degree::None { .. }), "{name}: {degree:?}");
            }
        }
        assert!(check(&report, full).is_err());
    }
}

//! Kernel and jail: what the probe found by doing, and which setting stands behind it.

use std::path::Path;

use stockade_sandbox::{Backend, Degree, HostReport};

use super::{Check, State};

/// What each version of Landlock's interface added (`landlock(7)`, HISTORY): ABI, kernel, right, what its lack means.
const LANDLOCK: [(u32, &str, &str, &str); 7] = [
    (1, "5.13", "files and directories", "no file fence at all"),
    (
        2,
        "5.19",
        "renaming and linking across directories",
        "every rename across directories is refused, even granted ones",
    ),
    (3, "6.2", "truncating", "truncate(2) is refused altogether, by the seccomp filter"),
    (4, "6.7", "TCP ports", "TCP is fenced by the socket filter alone"),
    (5, "6.10", "ioctl on devices", "ioctls on granted devices are not fenced"),
    (
        6,
        "6.12",
        "abstract Unix sockets and signals",
        "signals to processes outside are fenced by the pid namespace alone",
    ),
    (7, "6.15", "audit records", "denials do not show up in the kernel's audit log"),
];

/// Settings that explain why namespaces cannot be made. `None`: the setting does not exist here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu 23.10 and later).
    pub(super) apparmor_restricts: Option<i64>,
    /// `kernel.unprivileged_userns_clone` (Debian's and Arch's kernels).
    pub(super) userns_clone: Option<i64>,
    /// `user.max_user_namespaces`
    pub(super) max_user_namespaces: Option<i64>,
    /// A file that container engines leave behind.
    pub(super) container: Option<&'static str>,
}

impl Settings {
    /// Reads them.
    pub(super) fn read() -> Self {
        let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse().ok();
        Self {
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            userns_clone: number("/proc/sys/kernel/unprivileged_userns_clone"),
            max_user_namespaces: number("/proc/sys/user/max_user_namespaces"),
            container: ["/.dockerenv", "/run/.containerenv"]
                .into_iter()
                .find(|path| Path::new(path).exists()),
        }
    }

    /// What to do so that namespaces can be made, likeliest first.
    fn remedy(&self) -> String {
        if self.apparmor_restricts == Some(1) {
            return "AppArmor keeps user namespaces from programs without a profile: give the stockade binary a profile \
                    with `userns,`, or set sysctl kernel.apparmor_restrict_unprivileged_userns=0"
                .to_owned();
        }
        if self.userns_clone == Some(0) {
            return "set sysctl kernel.unprivileged_userns_clone=1".to_owned();
        }
        if self.max_user_namespaces == Some(0) {
            return "set sysctl user.max_user_namespaces to a few thousand".to_owned();
        }
        if let Some(sign) = self.container {
            return format!(
                "this is a container ({sign}): its engine forbids new namespaces or masks parts of /proc; start it with \
                 a seccomp profile that allows them and with unmasked system paths, or run Stockade on the host"
            );
        }
        "ask the administrator for unprivileged user namespaces (sysctl user.max_user_namespaces, seccomp and \
         security-module rules)"
            .to_owned()
    }
}

/// Kernel and its mechanisms.
pub(super) fn kernel(report: &HostReport, settings: &Settings) -> Vec<Check> {
    let mut checks =
        vec![Check::new("Linux", State::Note, report.kernel.clone()), landlock(report.landlock_abi)];
    checks.push(if report.seccomp {
        Check::new("seccomp", State::Full, "filters can be installed")
    } else {
        Check::new("seccomp", State::Missing, "filters cannot be installed")
            .means("no server can be started: the network and kernel fences are seccomp filters")
            .remedy("use a kernel with CONFIG_SECCOMP_FILTER, and a container engine that allows seccomp(2)")
    });
    checks.push(match &report.namespaces {
        Ok(()) => Check::new("namespaces", State::Full, "user, pid, network, mount and IPC namespaces can be made"),
        Err(why) => Check::new("namespaces", State::Partial, format!("they cannot be made: {why}"))
            .means("the backend `static` carries the jail: Landlock and seccomp alone, with the gaps listed below")
            .remedy(settings.remedy()),
    });
    checks.push(match report.yama {
        Some(0) => {
            Check::new("Yama", State::Note, "ptrace_scope 0: processes of one user may trace each other")
                .means(
                    "nothing for jailed servers, which cannot trace anybody; servers outside of a jail can",
                )
        }
        Some(scope) => Check::new("Yama", State::Note, format!("ptrace_scope {scope}")),
        None => Check::new("Yama", State::Note, "not in this kernel")
            .means("nothing for jailed servers, which cannot trace anybody; servers outside of a jail can"),
    });
    checks
}

fn landlock(abi: u32) -> Check {
    if abi == 0 {
        return Check::new("Landlock", State::Missing, "not available")
            .means("the file fence then needs the backend `namespaces`; without that, no server is started")
            .remedy("use Linux 5.13 or later with CONFIG_SECURITY_LANDLOCK, and `landlock` in the boot option lsm=");
    }
    let missing: Vec<_> = LANDLOCK.iter().filter(|(since, ..)| *since > abi).collect();
    let Some(&&(_, kernel, ..)) = missing.last() else {
        return Check::new("Landlock", State::Full, format!("ABI {abi}: every right that Stockade uses"));
    };
    let lacks: Vec<String> =
        missing.iter().map(|(_, _, right, means)| format!("{right} ({means})")).collect();
    Check::new("Landlock", State::Partial, format!("ABI {abi}"))
        .means(format!("missing: {}", lacks.join("; ")))
        .remedy(format!("Linux {kernel} or later has them all"))
}

/// What a jail with nothing granted would enforce.
pub(super) fn guarantees(report: &HostReport) -> Vec<Check> {
    let backend = report.enforcement.backend;
    let mut checks = vec![match backend {
        Backend::Namespaces => Check::new("backend", State::Full, "namespaces"),
        Backend::Notify | Backend::Static => Check::new("backend", State::Partial, backend.word())
            .means("weaker than `namespaces`; what is missing stands below")
            .remedy("see `namespaces` above"),
    }];
    checks.extend(report.enforcement.guarantees().into_iter().map(|(name, degree)| guarantee(name, degree)));
    checks.push(
        Check::new("memory", State::Note, "not limited: this version makes no cgroup yet")
            .means("a server can take as much memory as any program of the user"),
    );
    checks.push(
        Check::new("hosts", State::Note, "none: this version grants no hosts yet")
            .means("a jailed server has no network at all; servers that need one cannot work yet"),
    );
    checks
}

fn guarantee(name: &str, degree: &Degree) -> Check {
    let about = match name {
        "fs" => "files outside of the grants",
        "metadata" => "modes, owners, times and attributes of such files",
        "exec" => "native code from writable places",
        "net" => "network: no socket but what is granted",
        "unix" => "Unix sockets",
        "process" => "other processes, and the end of the tree",
        "syscalls" => "kernel surface: system calls that servers have no use for",
        "limits" => "files, processes and CPU time",
        "env" => "environment and inherited files",
        other => other,
    };
    let found = |why: &str| format!("{about}: {why}");
    match degree {
        Degree::Full => Check::new(name, State::Full, about),
        Degree::Partial { missing, why, remedy } => {
            Check::new(name, State::Partial, found(why)).means(missing.clone()).remedy(remedy.clone())
        }
        Degree::None { why, remedy } => Check::new(name, State::Missing, found(why))
            .means("a profile that requires it cannot be used on this host")
            .remedy(remedy.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_landlock_right_is_named_with_the_kernel_that_has_it() {
        assert_eq!(landlock(7).state, State::Full);
        assert_eq!(landlock(9).state, State::Full);
        let old = landlock(2);
        let means = old.means.unwrap();
        assert!(means.contains("truncat") && means.contains("TCP") && !means.contains("renaming"), "{means}");
        assert!(old.remedy.unwrap().contains("6.15"));
        assert_eq!(landlock(0).state, State::Missing);
    }

    #[test]
    fn the_remedy_for_namespaces_is_the_setting_that_forbids_them() {
        let none = Settings::default();
        for (settings, word) in [
            (Settings { apparmor_restricts: Some(1), ..none.clone() }, "AppArmor"),
            (Settings { userns_clone: Some(0), ..none.clone() }, "unprivileged_userns_clone"),
            (Settings { max_user_namespaces: Some(0), ..none.clone() }, "max_user_namespaces"),
            (Settings { container: Some("/.dockerenv"), ..none.clone() }, "container"),
            (Settings { apparmor_restricts: Some(0), userns_clone: Some(1), ..none }, "administrator"),
        ] {
            assert!(settings.remedy().contains(word), "{settings:?}");
        }
    }
}

//! What each option of `docker run` and `podman run` would give a server.

/// What is done about an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It gives nothing that the container does not have anyway.
    Harmless,
    /// It is about the network, and means nothing without one.
    Network,
    /// It is not granted.
    Refused {
        /// Why.
        why: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
}

const LEAVE_IT: &str = "leave it out";
const NOT_JUDGED: Ruling =
    Ruling::Refused { why: "what it would give the container is not judged", remedy: LEAVE_IT };

/// Options without a value: `=false` takes them back.
pub(super) fn is_switch(option: &str) -> bool {
    const SWITCHES: &[&str] = &[
        "privileged",
        "publish-all",
        "use-api-socket",
        "oom-kill-disable",
        "env-host",
        "detach",
        "rootfs",
        "replace",
        "tty",
        "read-only",
        "no-healthcheck",
        "interactive",
        "rm",
        "init",
        "rmi",
        "sig-proxy",
        "no-hosts",
        "no-hostname",
    ];
    SWITCHES.contains(&option)
}

/// The ruling about one option.
pub(super) fn ruling(option: &str, value: &str) -> Ruling {
    const HARMLESS: &[&str] = &[
        "blkio-weight",
        "cpu-period",
        "cpu-quota",
        "cpu-rt-period",
        "cpu-rt-runtime",
        "cpu-shares",
        "cpus",
        "cpuset-cpus",
        "cpuset-mems",
        "memory-reservation",
        "memory-swappiness",
        "shm-size",
        "ulimit",
        "hostname",
        "domainname",
        "entrypoint",
        "expose",
        "health-cmd",
        "health-interval",
        "health-retries",
        "health-start-interval",
        "health-start-period",
        "health-timeout",
        "label",
        "no-healthcheck",
        "platform",
        "arch",
        "os",
        "variant",
        "quiet",
        "read-only",
        "read-only-tmpfs",
        "stop-signal",
        "stop-timeout",
        "tmpfs",
        "user",
        "workdir",
        "umask",
        "tz",
        "timeout",
        "retry",
        "retry-delay",
        "rmi",
        "no-hosts",
        "no-hostname",
        "unsetenv",
        "unsetenv-all",
        "device-read-bps",
        "device-read-iops",
        "device-write-bps",
        "device-write-iops",
        "disable-content-trust",
        "storage-opt",
    ];
    const NETWORK: &[&str] =
        &["dns", "dns-option", "dns-search", "ip", "ip6", "mac-address", "network-alias", "link-local-ip"];
    if HARMLESS.contains(&option) {
        return Ruling::Harmless;
    }
    if NETWORK.contains(&option) {
        return Ruling::Network;
    }
    by_value(option, value).unwrap_or_else(|| refused(option))
}

/// Options with values that give nothing away.
fn by_value(option: &str, value: &str) -> Option<Ruling> {
    let is = |values: &[&str]| values.contains(&value);
    let harmless = match option {
        "security-opt" => is(&["no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"]),
        "ipc" => is(&["none", "private"]),
        "pid" | "uts" | "cgroupns" => is(&["private"]),
        "userns" => is(&["private", "auto", "keep-id", "nomap"]),
        "restart" => is(&["no"]),
        "attach" => is(&["stdin", "stdout", "stderr", "STDIN", "STDOUT", "STDERR"]),
        "log-driver" => is(&["none", "json-file", "local", "journald", "k8s-file"]),
        "log-opt" => value.starts_with("max-size=") || value.starts_with("max-file="),
        // Stronger walls than the usual ones.
        "runtime" => is(&["runsc", "kata", "kata-runtime", "runc", "crun"]),
        "group-add" => value != "keep-groups",
        "oom-score-adj" => value.parse::<i32>().is_ok_and(|adjusted| adjusted >= 0),
        "systemd" => is(&["false"]),
        "image-volume" => is(&["ignore", "tmpfs", "anonymous"]),
        // A name for the machine itself would lead out of the container.
        "add-host" if !value.ends_with("host-gateway") => return Some(Ruling::Network),
        _ => false,
    };
    harmless.then_some(Ruling::Harmless)
}

fn refused(option: &str) -> Ruling {
    let (why, remedy) = match option {
        "privileged" => ("the container would have this machine's devices and no walls", "leave it out"),
        "device" | "device-cgroup-rule" | "gpus" => {
            ("the container would reach devices of this machine", LEAVE_IT)
        }
        "cap-add" => {
            ("a server gets no capabilities", "leave it out; an image that needs one cannot be contained")
        }
        "security-opt" => {
            ("it weakens what holds the container", "leave it out; `no-new-privileges` is always set")
        }
        "ipc" | "pid" | "uts" | "userns" | "cgroupns" | "cgroup-parent" | "cgroups" => {
            ("the container would share what belongs to this machine or to another container", LEAVE_IT)
        }
        "publish" | "publish-all" | "link" => (
            "others would reach the server beside the messages that are mediated",
            "leave it out: a server speaks on stdio",
        ),
        "add-host" => ("the container would be led to this machine", "leave it out"),
        "detach" | "restart" => ("the container would outlive its session", LEAVE_IT),
        "volumes-from" | "volume-driver" => {
            ("what it brings along is not known", "name each directory: `--mount type=bind,src=…,dst=…`")
        }
        "use-api-socket" => ("whoever reaches the engine has this machine", LEAVE_IT),
        "env-host" => ("the container would see the whole environment", "name each variable: `--env NAME`"),
        "cidfile" | "conmon-pidfile" | "pidfile" | "pod-id-file" | "label-file" => {
            ("the engine would read or write a file outside of any jail", LEAVE_IT)
        }
        "oom-kill-disable" | "oom-score-adj" => ("limits of memory would not hold", LEAVE_IT),
        "runtime" | "isolation" | "annotation" | "sysctl" | "init-path" | "seccomp-policy" => {
            ("it changes what holds the container", LEAVE_IT)
        }
        "secret" => ("secrets of the engine are not the profile's to grant", "pass a variable: `--env NAME`"),
        "log-driver" | "log-opt" => ("what the server writes would be sent elsewhere", LEAVE_IT),
        "pod" | "replace" => ("it is about other containers", LEAVE_IT),
        "rootfs" => ("a directory is no image", "name an image"),
        _ => return NOT_JUDGED,
    };
    Ruling::Refused { why, remedy }
}

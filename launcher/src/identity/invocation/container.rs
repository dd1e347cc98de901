//! `docker run` (28) and `podman run` (5): options before the image, the image, its command.

use std::ffi::OsString;

use super::options::{self, Grammar, Name};
use super::{ContainerRun, Invocation, Runs};

/// Which container engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Docker,
    Podman,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// Words behind the engine's name; `None` if they are not `run`, or name no image.
pub(super) fn run(engine: Engine, words: &[OsString]) -> Option<Invocation> {
    let (global, run) = match engine {
        Engine::Docker => (DOCKER_GLOBAL, DOCKER_RUN),
        Engine::Podman => (PODMAN_GLOBAL, PODMAN_RUN),
    };
    let before = options::read(words, global);
    let verb: Vec<&str> = before.rest.iter().take(2).map(|word| word.to_str().unwrap_or("")).collect();
    let behind = match verb.as_slice() {
        ["run", ..] => 1,
        ["container", "run"] => 2,
        _ => return None,
    };
    let read = options::read(before.rest.get(behind..)?, run);
    let (image, arguments) = read.rest.split_first()?;
    let mut remainder = super::remains(engine.name(), &before, &[]);
    remainder.extend(read.unknown.iter().map(|option| super::option_remains(engine.name(), option)));
    let options = read.options.into_iter().map(|(name, value)| (long(name).to_owned(), value)).collect();
    let runs = ContainerRun {
        engine: engine.name().to_owned(),
        image: image.to_str()?.to_owned(),
        options,
        arguments: arguments.to_vec(),
    };
    Some(Invocation { wrappers: Vec::new(), set: Vec::new(), runs: Runs::Container(runs), remainder })
}

/// The name that an option goes by, where it has two.
fn long(name: &'static str) -> &'static str {
    match name {
        "net" => "network",
        "net-alias" => "network-alias",
        "dns-opt" => "dns-option",
        name => name,
    }
}

const DOCKER_GLOBAL: Grammar = Grammar {
    values: &[
        ("", "config"),
        ("c", "context"),
        ("H", "host"),
        ("l", "log-level"),
        ("", "tlscacert"),
        ("", "tlscert"),
        ("", "tlskey"),
    ],
    flags: &[("D", "debug"), ("", "tls"), ("", "tlsverify"), ("v", "version"), ("", "help")],
};
const PODMAN_GLOBAL: Grammar = Grammar {
    values: &[
        ("", "cgroup-manager"),
        ("", "config"),
        ("", "conmon"),
        ("c", "connection"),
        ("", "events-backend"),
        ("", "hooks-dir"),
        ("", "identity"),
        ("", "imagestore"),
        ("", "log-level"),
        ("", "module"),
        ("", "network-cmd-path"),
        ("", "network-config-dir"),
        ("", "out"),
        ("", "root"),
        ("", "runroot"),
        ("", "runtime"),
        ("", "runtime-flag"),
        ("", "ssh"),
        ("", "storage-driver"),
        ("", "storage-opt"),
        ("", "tmpdir"),
        ("", "url"),
        ("", "volumepath"),
    ],
    flags: &[("r", "remote"), ("", "noout"), ("", "syslog"), ("", "transient-store"), ("", "help")],
};

macro_rules! both_values {
    ($($more:expr),* $(,)?) => {
        &[
            ("", "add-host"), ("", "annotation"), ("a", "attach"), ("", "blkio-weight"), ("", "blkio-weight-device"),
            ("", "cap-add"), ("", "cap-drop"), ("", "cgroup-parent"), ("", "cgroupns"), ("", "cidfile"),
            ("", "cpu-period"), ("", "cpu-quota"), ("", "cpu-rt-period"), ("", "cpu-rt-runtime"), ("c", "cpu-shares"),
            ("", "cpus"), ("", "cpuset-cpus"), ("", "cpuset-mems"), ("", "detach-keys"), ("", "device"),
            ("", "device-cgroup-rule"), ("", "device-read-bps"), ("", "device-read-iops"), ("", "device-write-bps"),
            ("", "device-write-iops"), ("", "dns"), ("", "dns-opt"), ("", "dns-option"), ("", "dns-search"),
            ("", "entrypoint"), ("e", "env"), ("", "env-file"), ("", "expose"), ("", "gpus"), ("", "group-add"),
            ("", "health-cmd"), ("", "health-interval"), ("", "health-retries"), ("", "health-start-period"),
            ("", "health-timeout"), ("h", "hostname"), ("", "ip"), ("", "ip6"), ("", "ipc"), ("l", "label"),
            ("", "label-file"), ("", "link-local-ip"), ("", "log-driver"), ("", "log-opt"), ("", "mac-address"),
            ("m", "memory"), ("", "memory-reservation"), ("", "memory-swap"), ("", "memory-swappiness"),
            ("", "mount"), ("", "name"), ("", "net"), ("", "net-alias"), ("", "network"), ("", "network-alias"),
            ("", "oom-score-adj"), ("", "pid"), ("", "pids-limit"), ("", "platform"), ("p", "publish"), ("", "pull"),
            ("", "restart"), ("", "runtime"), ("", "security-opt"), ("", "shm-size"), ("", "stop-signal"),
            ("", "stop-timeout"), ("", "storage-opt"), ("", "sysctl"), ("", "tmpfs"), ("", "ulimit"), ("u", "user"),
            ("", "userns"), ("", "uts"), ("v", "volume"), ("", "volumes-from"), ("w", "workdir"),
            $($more),*
        ]
    };
}

const DOCKER_RUN: Grammar = Grammar {
    values: both_values![
        ("", "cpu-count"),
        ("", "cpu-percent"),
        ("", "domainname"),
        ("", "health-start-interval"),
        ("", "io-maxbandwidth"),
        ("", "io-maxiops"),
        ("", "isolation"),
        ("", "kernel-memory"),
        ("", "link"),
        ("", "volume-driver"),
    ],
    flags: &[
        ("d", "detach"),
        ("", "disable-content-trust"),
        ("", "help"),
        ("", "init"),
        ("i", "interactive"),
        ("", "no-healthcheck"),
        ("", "oom-kill-disable"),
        ("", "privileged"),
        ("P", "publish-all"),
        ("q", "quiet"),
        ("", "read-only"),
        ("", "rm"),
        ("", "sig-proxy"),
        ("t", "tty"),
        ("", "use-api-socket"),
    ],
};
const PODMAN_RUN: Grammar = Grammar { values: PODMAN_VALUES, flags: PODMAN_FLAGS };
const PODMAN_VALUES: &[Name] = both_values![
    ("", "arch"),
    ("", "authfile"),
    ("", "cert-dir"),
    ("", "cgroup-conf"),
    ("", "cgroups"),
    ("", "chrootdirs"),
    ("", "conmon-pidfile"),
    ("", "creds"),
    ("", "decryption-key"),
    ("", "env-merge"),
    ("", "gidmap"),
    ("", "health-log-destination"),
    ("", "health-max-log-count"),
    ("", "health-max-log-size"),
    ("", "health-on-failure"),
    ("", "health-startup-cmd"),
    ("", "health-startup-interval"),
    ("", "health-startup-retries"),
    ("", "health-startup-success"),
    ("", "health-startup-timeout"),
    ("", "hosts-file"),
    ("", "hostuser"),
    ("", "image-volume"),
    ("", "init-path"),
    ("", "os"),
    ("", "passwd-entry"),
    ("", "group-entry"),
    ("", "personality"),
    ("", "pidfile"),
    ("", "pod"),
    ("", "pod-id-file"),
    ("", "preserve-fd"),
    ("", "preserve-fds"),
    ("", "rdt-class"),
    ("", "requires"),
    ("", "retry"),
    ("", "retry-delay"),
    ("", "sdnotify"),
    ("", "seccomp-policy"),
    ("", "secret"),
    ("", "shm-size-systemd"),
    ("", "subgidname"),
    ("", "subuidname"),
    ("", "systemd"),
    ("", "timeout"),
    ("", "tz"),
    ("", "uidmap"),
    ("", "umask"),
    ("", "unsetenv"),
    ("", "variant"),
];
const PODMAN_FLAGS: &[Name] = &[
    ("d", "detach"),
    ("", "disable-content-trust"),
    ("", "env-host"),
    ("", "help"),
    ("", "http-proxy"),
    ("", "init"),
    ("i", "interactive"),
    ("", "no-healthcheck"),
    ("", "no-hostname"),
    ("", "no-hosts"),
    ("", "oom-kill-disable"),
    ("", "passwd"),
    ("", "privileged"),
    ("P", "publish-all"),
    ("q", "quiet"),
    ("", "read-only"),
    ("", "read-only-tmpfs"),
    ("", "replace"),
    ("", "rm"),
    ("", "rmi"),
    ("", "rootfs"),
    ("", "sig-proxy"),
    ("", "tls-verify"),
    ("t", "tty"),
    ("", "unsetenv-all"),
];

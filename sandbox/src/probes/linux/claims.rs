//! What is claimed on other kernels: the report of a jail, worked out from facts alone.

use crate::os::facts::Facts;
use crate::os::report;
use crate::probes::Claims;
use crate::{
    Access, Backend, BackendChoice, Doors, Files, Limits, Need, Network, Observe, PathRule, Required,
    Ruleset, TreeEnd,
};

/// Landlock's ABIs and the first kernel of each, and a kernel that was built without it (landlock(7), HISTORY; from 8 on
/// `Documentation/userspace-api/landlock.rst`).
const KERNELS: [(u32, &str); 11] = [
    (0, "5.13"),
    (1, "5.13"),
    (2, "5.19"),
    (3, "6.2"),
    (4, "6.7"),
    (5, "6.10"),
    (6, "6.12"),
    (7, "6.15"),
    (8, "7.0"),
    (9, "7.1"),
    (10, "7.2"),
];

/// One row a version of Landlock's interface, for an ordinary user and a profile that grants a network, a few paths and
/// /proc.
#[must_use]
pub fn claims() -> Vec<Claims> {
    KERNELS.iter().map(|&(abi, kernel)| row(abi, kernel)).collect()
}

fn row(abi: u32, kernel: &'static str) -> Claims {
    const USER: u32 = 1000;
    let facts = Facts {
        kernel: format!("{kernel}.0"),
        landlock: if abi == 0 { Err(libc::ENOSYS) } else { Ok(abi) },
        seccomp: true,
        uid: USER,
        gid: USER,
    };
    let enforcements = [Backend::Namespaces, Backend::Notify, Backend::Static]
        .into_iter()
        .map(|backend| report::enforcement(&facts, &ruleset(backend), backend, None))
        .collect();
    Claims { landlock_abi: abi, kernel, enforcements }
}

fn ruleset(backend: Backend) -> Ruleset {
    let rule = |path: &str, access| PathRule { path: path.into(), access };
    let paths = vec![rule("/usr", Access::ReadExecute), rule("/proc", Access::Read)];
    Ruleset {
        files: Some(Files::plain(paths)),
        network: match backend {
            Backend::Namespaces | Backend::Notify => Network::Brokered(Doors::default()),
            Backend::Static => Network::None,
        },
        unix: Vec::new(),
        observe: Observe::Refused,
        env: Vec::new(),
        limits: Limits {
            open_files: 1024,
            file_bytes: 1 << 30,
            processes: 64,
            cpu_seconds: None,
            memory_bytes: Some(1 << 30),
        },
        backend: BackendChoice::Auto,
        required: Required { fs: Need::BestEffort, net: Need::BestEffort, process: Need::BestEffort },
        tree_end: TreeEnd::Kill,
    }
}

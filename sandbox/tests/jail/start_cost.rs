//! What a jail adds to the start of a program. Printed, not judged: the machine may be busy.

use std::process::Command;
use std::time::{Duration, Instant};

use super::harness::{Test, say};
use super::jail::{Backend, Jail};

pub(crate) const TESTS: &[Test] = &[
    ("the start is measured beside a bare exec", start),
    ("the start with the grants of a whole profile is measured", start_with_a_profile),
];

fn start(backend: Backend) {
    measure(backend, "few grants", Jail::new(backend));
}

/// As many grants as a profile for Linux has, most of them files of /etc, and a project with places that stay closed.
fn start_with_a_profile(backend: Backend) {
    let place =
        super::view::Place::new(&["home/", "cache/", "scratch/", "work/.git/hooks/", "work/.git/config"]);
    let mut jail = Jail::new(backend);
    for path in ["/sbin", "/opt", "/nix/store"] {
        jail = jail.exec(path);
    }
    let mut etc: Vec<_> =
        std::fs::read_dir("/etc").expect("/etc").flatten().map(|entry| entry.path()).collect();
    etc.sort();
    for path in etc.iter().filter(|path| !path.is_symlink()).take(55) {
        jail = jail.read(path);
    }
    for path in ["/proc", "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup", "/no/such"]
    {
        jail = jail.read(path);
    }
    for path in ["/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"] {
        jail = jail.write(path);
    }
    for name in ["home", "cache", "scratch", "work"] {
        jail = jail.write(place.root.join(name));
    }
    for name in ["work/.git/hooks", "work/.git/config", "work/.vscode", "work/.envrc", "work/.mcp.json"] {
        jail = jail.option("--close-writing", place.root.join(name));
    }
    jail = jail.option("--scratch", place.root.join("scratch"));
    if backend == Backend::Namespaces {
        jail = jail.option("--port", "443");
    }
    measure(backend, "a whole profile", jail);
}

fn measure(backend: Backend, what: &str, jail: Jail) {
    const RUNS: usize = 15;
    let mut bare = Vec::new();
    let mut jailed = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        assert!(Command::new("/bin/true").status().expect("starts").success());
        bare.push(start.elapsed());
        let run = jail.run(&["/bin/true"]);
        let micros = run.expect("spawn_us").parse().expect("a number");
        jailed.push(Duration::from_micros(micros));
    }
    let (bare, jailed) = (median(bare), median(jailed));
    let backend = backend.word();
    say(&format!("  bare fork to exit: {bare:?}; spawn until execve in {backend} with {what}: {jailed:?}"));
    // A start that takes this long is broken, however busy the machine.
    assert!(jailed < Duration::from_millis(500));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

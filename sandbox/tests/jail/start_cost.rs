//! What a jail adds to the start of a program. Printed, not judged: the machine may be busy.

use std::process::Command;
use std::time::{Duration, Instant};

use super::harness::{Test, say};
use super::jail::{Backend, Jail};

pub(crate) const TESTS: &[Test] = &[("the start is measured beside a bare exec", start)];

fn start(backend: Backend) {
    const RUNS: usize = 15;
    let mut bare = Vec::new();
    let mut jailed = Vec::new();
    let jail = Jail::new(backend);
    for _ in 0..RUNS {
        let start = Instant::now();
        assert!(Command::new("/bin/true").status().expect("starts").success());
        bare.push(start.elapsed());
        let run = jail.run(&["/bin/true"]);
        let micros = run.expect("spawn_us").parse().expect("a number");
        jailed.push(Duration::from_micros(micros));
    }
    let (bare, jailed) = (median(bare), median(jailed));
    say(&format!("  bare fork to exit: {bare:?}; spawn until execve in {}: {jailed:?}", backend.word()));
    // A start that takes this long is broken, however busy the machine.
    assert!(jailed < Duration::from_millis(500));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

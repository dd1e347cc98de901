//! What a jail costs at its start, over a bare fork and exec of /bin/true, beside bubblewrap in the same run:
//! `cargo bench -p stockade-sandbox --bench start [ROUNDS]`. Prints medians; asserts nothing.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::process::{Command, ExitCode, Stdio};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use stockade_sandbox::{
        Access, BackendChoice, ClosedGate, Doors, Files, KeeperMessage, Limits, Need, Network, Observe,
        PathRule, Required, Ruleset, TreeEnd, spawn,
    };

    /// Ways of starting /bin/true. The last word of each but the first two is a backend, with or without network.
    const WAYS: &[&str] =
        &["bare", "bubblewrap", "static", "notify", "namespaces", "notify+net", "namespaces+net"];
    /// As long as the base profile's list: what a real server is granted.
    const GRANTED: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/dev/null", "/proc"];
    const GRANTED_IN_ETC: usize = 50;

    pub(crate) fn main() -> ExitCode {
        let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
        match words.first().map(String::as_str) {
            Some("once") => once(words.get(1).map_or("bare", String::as_str)),
            rounds => compare(rounds.and_then(|word| word.parse().ok()).unwrap_or(60)),
        }
    }

    /// Each start in a process of its own, in turns, so that what else the machine does hits all alike.
    fn compare(rounds: usize) -> ExitCode {
        let binary = std::env::current_exe().expect("our path");
        let mut times: Vec<(Vec<u128>, Vec<u128>)> = vec![(Vec::new(), Vec::new()); WAYS.len()];
        for _ in 0..rounds {
            for (way, (ready, whole)) in WAYS.iter().zip(&mut times) {
                let output = Command::new(&binary).args(["once", way]).output().expect("starts");
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let mut numbers = text.split_whitespace().filter_map(|word| word.parse::<u128>().ok());
                ready.extend(numbers.next());
                whole.extend(numbers.next());
            }
        }
        let bare = times.first_mut().map_or(1, |(_, whole)| median(whole));
        say("way               until exec (ms)   fork to exit (ms)   over bare (ms)");
        for (way, (ready, whole)) in WAYS.iter().zip(&mut times) {
            if whole.is_empty() {
                say(&format!("{way:<17} not to be had here"));
                continue;
            }
            let (ready, whole) = (median(ready), median(whole));
            let over = millis(whole) - millis(bare);
            say(&format!("{way:<17} {:>15.2} {:>19.2} {over:>16.2}", millis(ready), millis(whole)));
        }
        ExitCode::SUCCESS
    }

    fn median(times: &mut [u128]) -> u128 {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    }

    fn millis(micros: u128) -> f64 {
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).as_secs_f64() * 1e3
    }

    /// Prints two times in microseconds: until execve has succeeded, and until the whole tree is gone.
    fn once(way: &str) -> ExitCode {
        let times = match way {
            "bare" => outside(Command::new("/bin/true")),
            "bubblewrap" => outside(bubblewrap()),
            backend => jailed(backend),
        };
        let Some((ready, whole)) = times else { return ExitCode::FAILURE };
        say(&format!("{} {}", ready.as_micros(), whole.as_micros()));
        ExitCode::SUCCESS
    }

    fn outside(mut command: Command) -> Option<(Duration, Duration)> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let mut child = command.spawn().ok()?;
        let ready = start.elapsed();
        child.wait().ok()?.success().then(|| (ready, start.elapsed()))
    }

    fn bubblewrap() -> Command {
        let mut command = Command::new("bwrap");
        command.args([
            "--unshare-all",
            "--die-with-parent",
            "--dev",
            "/dev",
            "--proc",
            "/proc",
            "--tmpfs",
            "/tmp",
        ]);
        for place in ["/usr", "/bin", "/lib", "/lib64", "/etc", "/opt"] {
            command.args(["--ro-bind-try", place, place]);
        }
        command.arg("/bin/true");
        command
    }

    fn jailed(backend: &str) -> Option<(Duration, Duration)> {
        let (backend, network) = match backend.split_once('+') {
            Some((backend, _)) => {
                (backend, Network::Brokered(Doors { ports: vec![443], listen: Vec::new() }))
            }
            None => (backend, Network::None),
        };
        let command = stockade_sandbox::Command {
            program: "/usr/bin/true".into(),
            argv: vec!["true".into()],
            cwd: "/".into(),
        };
        let ruleset = ruleset(backend, network);
        let start = Instant::now();
        let jailed = spawn(&command, &ruleset, Arc::new(ClosedGate)).ok()?;
        let ready = start.elapsed();
        loop {
            poll(&mut [PollFd::new(jailed.keeper.fd(), PollFlags::POLLIN)], PollTimeout::NONE).ok()?;
            while let Some(message) = jailed.keeper.receive().ok()? {
                if matches!(message, KeeperMessage::TreeGone | KeeperMessage::KeeperLost) {
                    return Some((ready, start.elapsed()));
                }
            }
        }
    }

    fn ruleset(backend: &str, network: Network) -> Ruleset {
        let mut paths: Vec<PathBuf> = GRANTED.iter().map(PathBuf::from).collect();
        let etc = std::fs::read_dir("/etc").map(|entries| entries.flatten().map(|entry| entry.path()));
        paths.extend(etc.into_iter().flatten().take(GRANTED_IN_ETC));
        let mut grants: Vec<PathRule> = paths
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .map(|path| {
                let exec = !path.starts_with("/etc") && !path.starts_with("/proc");
                PathRule { path, access: if exec { Access::ReadExecute } else { Access::Read } }
            })
            .collect();
        grants.push(PathRule { path: std::env::temp_dir(), access: Access::ReadWrite });
        Ruleset {
            files: Some(Files::plain(grants)),
            network,
            unix: Vec::new(),
            observe: Observe::Refused,
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            limits: Limits {
                open_files: 4096,
                file_bytes: 4 << 30,
                processes: 256,
                cpu_seconds: None,
                memory_bytes: None,
            },
            backend: match backend {
                "namespaces" => BackendChoice::Namespaces,
                "notify" => BackendChoice::Notify,
                _ => BackendChoice::Static,
            },
            required: Required { fs: Need::BestEffort, net: Need::BestEffort, process: Need::BestEffort },
            tree_end: TreeEnd::Kill,
        }
    }

    fn say(line: &str) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

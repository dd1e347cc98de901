//! What connect(2) costs when the supervisor of `notify` makes it, beside the same connect in no jail, in the same run:
//! `cargo bench -p stockade-sandbox --bench connect [ROUNDS] [BUSY]`. BUSY processes keep the processors busy meanwhile.
//! Prints medians and the ninth decile in microseconds; asserts nothing.

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
    use std::fs::File;
    use std::io::{BufRead, BufReader, Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::os::fd::{AsRawFd as _, OwnedFd};
    use std::process::{Child, Command, ExitCode, Stdio};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, connect, setsockopt, socket, sockopt,
    };
    use stockade_sandbox::{
        Access, BackendChoice, Denial, Doors, Files, Gatekeeper, Jailed, KeeperMessage, Limits, Need,
        Network, Observe, Opened, PathRule, Required, Ruleset, TreeEnd, Way, Wish, spawn,
    };

    /// How a connect is made. The relay is the listener itself.
    const WAYS: &[&str] = &["bare", "notify", "notify+relay", "notify+refused"];
    const CONNECTS: usize = 500;
    /// Not counted: page faults, caches.
    const WARM_UP: usize = 50;

    pub(crate) fn main() -> ExitCode {
        let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["sink", kind] => sink(kind),
            ["busy"] => busy(),
            ["client", port] => client(number(port)),
            ["jail", way, port] => jail(way, port),
            [rounds, processes] => compare(number(rounds), number(processes)),
            [rounds] => compare(number(rounds), 0),
            _ => compare(20, 0),
        }
    }

    fn number<T: std::str::FromStr>(word: &str) -> T {
        word.parse().unwrap_or_else(|_| panic!("{word} is no number"))
    }

    /// A process that is gone with us.
    struct Aide(Child);

    impl Drop for Aide {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn this() -> Command {
        Command::new(std::env::current_exe().expect("our path"))
    }

    fn compare(rounds: usize, busy: usize) -> ExitCode {
        let _busy: Vec<Aide> = (0..busy).map(|_| Aide(this().arg("busy").spawn().expect("starts"))).collect();
        say("to a listener that looks every few milliseconds:");
        measure(rounds, "drowsy");
        say("to a listener that each connection wakes, and that runs on a processor of the client's:");
        measure(rounds, "prompt");
        ExitCode::SUCCESS
    }

    /// The ways take turns, so that what else the machine does hits all alike.
    fn measure(rounds: usize, listener: &str) {
        let mut sink = this();
        let mut sink = Aide(sink.args(["sink", listener]).stdout(Stdio::piped()).spawn().expect("starts"));
        let mut port = String::new();
        let printed = sink.0.stdout.take().expect("piped");
        BufReader::new(printed).read_line(&mut port).expect("it says its port");
        let port = port.trim();
        let mut times: Vec<Vec<[f64; 2]>> = vec![Vec::new(); WAYS.len()];
        for _ in 0..rounds {
            for (way, times) in WAYS.iter().zip(&mut times) {
                let output = match *way {
                    "bare" => this().args(["client", port]).output(),
                    way => this().args(["jail", way, port]).output(),
                };
                let output = output.expect("starts");
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let mut figures = text.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
                times.extend(figures.next().zip(figures.next()).map(|(median, ninth)| [median, ninth]));
            }
        }
        let bare = times.first().map_or([1.0; 2], |times| middle(times));
        say("way                median (us)   over bare   times bare        p90 (us)   over bare");
        for (way, times) in WAYS.iter().zip(&times) {
            if times.is_empty() {
                say(&format!("{way:<17} not to be had here"));
                continue;
            }
            let ([median, ninth], [bare_median, bare_ninth]) = (middle(times), bare);
            let (over, over_ninth) = (median - bare_median, ninth - bare_ninth);
            let ratio = median / bare_median;
            say(&format!(
                "{way:<17} {median:>12.1} {over:>+11.1} {ratio:>12.2} {ninth:>15.1} {over_ninth:>+11.1}"
            ));
        }
    }

    /// Of each figure the median over all rounds.
    fn middle(rounds: &[[f64; 2]]) -> [f64; 2] {
        [0, 1].map(|which| {
            let mut figures: Vec<f64> = rounds.iter().filter_map(|round| round.get(which)).copied().collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
        })
    }

    /// Takes whatever comes, and lets go of it. A connection wakes nobody while the listener sleeps.
    fn sink(kind: &str) -> ExitCode {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::MAXCONN).expect("a longer queue");
        say(&listener.local_addr().expect("an address").port().to_string());
        if kind == "prompt" {
            while listener.accept().is_ok() {}
            return ExitCode::FAILURE;
        }
        listener.set_nonblocking(true).expect("a flag");
        loop {
            while listener.accept().is_ok() {}
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    fn busy() -> ExitCode {
        let mut turns = 0u64;
        loop {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }

    /// Prints the median and the ninth decile of its connects.
    fn client(port: u16) -> ExitCode {
        let to = SockaddrIn::new(127, 0, 0, 1, port);
        let mut times = Vec::with_capacity(CONNECTS);
        for turn in 0..CONNECTS + WARM_UP {
            let socket =
                socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("one");
            // Closed by a reset, which leaves no port behind.
            let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
            setsockopt(&socket, sockopt::Linger, &at_once).expect("an option of every socket");
            let start = Instant::now();
            // A refusal is an answer too.
            let _ = connect(socket.as_raw_fd(), &to);
            let time = start.elapsed();
            if turn >= WARM_UP {
                times.push(time.as_secs_f64() * 1e6);
            }
        }
        times.sort_by(f64::total_cmp);
        let at = |tenths: usize| times.get(times.len() * tenths / 10).copied().unwrap_or(f64::NAN);
        say(&format!("{} {}", at(5), at(9)));
        ExitCode::SUCCESS
    }

    /// Every connect leads this way.
    #[derive(Debug)]
    struct Gate(Way);

    impl Gatekeeper for Gate {
        fn connect(&self, _wish: &Wish) -> Way {
            self.0
        }

        fn relayed(&self, _from: SocketAddr, _wish: &Wish) {}

        fn resolver(&self, _end: OwnedFd) {}

        fn denied(&self, _denial: Denial) {}

        fn opened(&self, _opened: Opened) {}
    }

    /// The client in a jail; what it prints is printed.
    fn jail(way: &str, port: &str) -> ExitCode {
        let to = SocketAddr::from(([127, 0, 0, 1], number(port)));
        let way = match way {
            "notify+relay" => Way::Relay(to),
            "notify+refused" => Way::Refused(nix::libc::EACCES),
            _ => Way::Direct(to),
        };
        let this = std::env::current_exe().expect("our path");
        let command = stockade_sandbox::Command {
            program: this.clone(),
            argv: vec![this.into(), "client".into(), port.into()],
            cwd: "/".into(),
        };
        let Ok(jailed) = spawn(&command, &ruleset(), Arc::new(Gate(way))) else { return ExitCode::FAILURE };
        let Jailed { stdout, keeper, .. } = jailed;
        let mut printed = String::new();
        File::from(stdout).read_to_string(&mut printed).expect("text");
        say(printed.trim());
        loop {
            poll(&mut [PollFd::new(keeper.fd(), PollFlags::POLLIN)], PollTimeout::NONE).expect("poll");
            while let Some(message) = keeper.receive().expect("the keeper is there") {
                if matches!(message, KeeperMessage::TreeGone | KeeperMessage::KeeperLost) {
                    return ExitCode::SUCCESS;
                }
            }
        }
    }

    fn ruleset() -> Ruleset {
        let this = std::env::current_exe().expect("our path");
        let places = ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache"].map(std::path::PathBuf::from);
        let grants = places.into_iter().chain([this]).filter_map(|path| path.canonicalize().ok());
        let grants = grants.map(|path| PathRule { path, access: Access::ReadExecute }).collect();
        Ruleset {
            files: Some(Files::plain(grants)),
            network: Network::Brokered(Doors::default()),
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
            backend: BackendChoice::Notify,
            required: Required { fs: Need::BestEffort, net: Need::BestEffort, process: Need::BestEffort },
            tree_end: TreeEnd::Kill,
        }
    }

    fn say(line: &str) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

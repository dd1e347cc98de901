//! The agent: wraps what is new in the clients' configs, keeps the inventory, looks for servers that run without Stockade.
//!
//! It sleeps until a directory changes ([`ear`]), looks at all files ([`sweep`]), and writes down what is different ([`inventory`],
//! [`census`]). What it does is done by the same code as `stockade wrap`.

mod census;
mod ear;
mod inventory;
mod lock;
mod places;
mod rivals;
pub(crate) mod service;
pub(crate) mod session_time;
mod sweep;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use serde::Serialize;
use stockade_policy::document::policy::{BareServers, FullDisk, ProjectFiles};

use crate::clients::{self, Journal, Ledger, World};
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::telemetry::{ClientClaim, Common, EventLog};
use crate::{policies, state};
use census::Census;
use ear::{Ear, Heard};
use inventory::Inventory;
use places::Places;
use session_time::SessionTime;
use sweep::{Projects, Sweeper, Swept};

/// What comes within this time of a change belongs to it.
const SETTLE: Duration = Duration::from_millis(40);
/// Whoever never stops writing is not waited for longer than this.
const SETTLE_MAX: Duration = Duration::from_millis(200);
/// Whatever was not heard (network file systems, a lost event) is found so late.
const RESCAN: Duration = Duration::from_secs(60);
/// The same where nothing can be listened to.
const RESCAN_DEAF: Duration = Duration::from_secs(2);
/// Processes are looked at so often.
const CENSUS: Duration = Duration::from_secs(30);
/// A client that takes up its config by itself has started its servers anew by then.
const RESTARTED: Duration = Duration::from_secs(3);

/// `inventory.wrapped`: the agent put an entry under Stockade.
#[derive(Debug, Serialize)]
struct WrappedEvent<'a> {
    client: &'a str,
    server: &'a str,
    file: String,
    /// For how long the entry stood there bare, in milliseconds.
    bare_ms: u64,
    /// Whether its client takes up changes by itself, so that it may have started the bare one.
    hot_reload: Option<bool>,
}

/// `inventory.problem`: a client's file that could not be wrapped; or one that another program keeps writing back.
#[derive(Debug, Serialize)]
struct ProblemEvent<'a> {
    file: String,
    why: &'a str,
}

/// `agent.started`, `agent.ended`
#[derive(Debug, Serialize)]
struct AgentEvent {
    version: &'static str,
    pid: u32,
}

/// The directory in which the agent keeps what it knows.
pub(crate) fn directory(facts: &Facts) -> PathBuf {
    facts.state_dir.join("agent")
}

/// The process of the running agent, if there is one.
pub(crate) fn running(facts: &Facts) -> Option<u32> {
    lock::holder(&directory(facts))
}

/// Runs until a signal ends it. `say` is told, in words, what it does.
///
/// # Errors
/// When another one runs, or nothing can be kept.
pub(crate) fn run(facts: &Facts, launcher: String, say: &mut dyn FnMut(&str)) -> Result<(), Failure> {
    state::private_dir(&facts.state_dir)?;
    let key = state::open(&facts.state_dir)?;
    let _lock = lock::take(&directory(facts))?;
    let (to, heard) = channel();
    end_on_signals(to.clone())?;
    let mut agent = Agent::new(facts, launcher, key)?;
    agent
        .record("agent.started", &AgentEvent { version: env!("CARGO_PKG_VERSION"), pid: std::process::id() });
    agent.live(to, &heard, say);
    agent.record("agent.ended", &AgentEvent { version: env!("CARGO_PKG_VERSION"), pid: std::process::id() });
    Ok(())
}

/// Before any other thread is made: all of them leave these signals to ours.
fn end_on_signals(to: Sender<Heard>) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(Kind::Software, "cannot wait for signals").cause(error.to_string())
    };
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block().map_err(|error| failed(&error))?;
    let wait = move || {
        while signals.wait().is_err() {}
        let _ = to.send(Heard::End);
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(|error| failed(&error))?;
    Ok(())
}

struct Agent<'a> {
    facts: &'a Facts,
    launcher: String,
    key: [u8; 32],
    log: EventLog,
    sweeper: Sweeper,
    inventory: Inventory,
    census: Census,
    ledgers: Vec<Ledger>,
    projects: Projects,
    census_at: Instant,
    counted_at: Instant,
    runtime: SessionTime,
}

impl<'a> Agent<'a> {
    fn new(facts: &'a Facts, launcher: String, key: [u8; 32]) -> Result<Self, Failure> {
        let common = Common {
            session: uuid::Uuid::now_v7().to_string(),
            user: facts.user.clone(),
            client: ClientClaim::default(),
            server: "stockade agent".to_owned(),
            identity: Vec::new(),
            profile: String::new(),
            policy: String::new(),
        };
        let log = EventLog::open(&facts.state_dir, common, FullDisk::DropOldest).map_err(|error| {
            Failure::new(Kind::Permission, "cannot record what the agent does")
                .because(&error)
                .hint(format!("make room or mend the permissions in {}", facts.state_dir.display()))
        })?;
        Ok(Self {
            facts,
            launcher,
            key,
            log,
            sweeper: Sweeper::default(),
            inventory: Inventory::load(directory(facts).join("inventory.json")),
            census: Census::default(),
            ledgers: Vec::new(),
            projects: Projects::default(),
            census_at: Instant::now(),
            counted_at: Instant::now(),
            runtime: SessionTime::load(&directory(facts)),
        })
    }

    fn live(&mut self, to: Sender<Heard>, heard: &Receiver<Heard>, say: &mut dyn FnMut(&str)) {
        let mut ear = match Ear::new(to) {
            Ok(ear) => Some(ear),
            Err(error) => {
                say(&format!("nothing can be listened to, so files are looked at every 2 s: {error}"));
                None
            }
        };
        let mut deaf = ear.is_none();
        loop {
            if let Some(ear) = &mut ear {
                let told = ear.listen(self.places());
                if let Err(why) = &told
                    && !deaf
                {
                    say(&format!("{why}; files are looked at every 2 s as well"));
                }
                deaf = told.is_err();
            }
            // What changed before a new directory was listened to is seen now.
            let world = (World::of(self.facts), &self.projects);
            let swept = self.sweeper.sweep(world, &self.launcher, &self.facts.state_dir);
            let is_new = swept.changed;
            self.note(swept, say);
            if Instant::now() >= self.census_at {
                self.count(say);
            }
            if is_new {
                // A directory may have come with the change.
                if let Some(ear) = &mut ear {
                    deaf = ear.listen(self.places()).is_err();
                }
            }
            let rescan = Instant::now() + if deaf { RESCAN_DEAF } else { RESCAN };
            let until = [Some(rescan), Some(self.census_at), self.sweeper.next()].into_iter().flatten().min();
            let wait = until.unwrap_or(rescan).saturating_duration_since(Instant::now());
            match heard.recv_timeout(wait) {
                Ok(Heard::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Heard::Change) if settled(heard) => return,
                Ok(Heard::Change) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn places(&self) -> Places {
        Places::of(World::of(self.facts), &self.projects.directories)
    }

    /// Writes down what a look came to.
    fn note(&mut self, swept: Swept, say: &mut dyn FnMut(&str)) {
        for one in &swept.wrapped {
            let event = WrappedEvent {
                client: one.client.id,
                server: &one.server,
                file: one.file.display().to_string(),
                bare_ms: one.bare_ms,
                hot_reload: one.client.hot_reload,
            };
            self.record("inventory.wrapped", &event);
            say(&format!("wrapped {}/{} in {}", one.client.id, one.server, one.file.display()));
            // The client may have started the bare one, and may be about to start it anew.
            self.census_at = self.census_at.min(Instant::now() + RESTARTED);
        }
        for (file, why) in &swept.problems {
            self.record("inventory.problem", &ProblemEvent { file: file.display().to_string(), why });
            say(&format!("left alone: {}: {why}", file.display()));
        }
        for (file, peace) in &swept.rivals {
            let why = format!(
                "another program keeps writing its entries back; it is left alone for {} s. Close the program, or take the server out of Stockade with `stockade unwrap`",
                peace.as_secs()
            );
            self.record("inventory.problem", &ProblemEvent { file: file.display().to_string(), why: &why });
            say(&format!("ALERT: {}: {why}", file.display()));
        }
        if swept.changed {
            let journal = Journal::peek(&self.facts.state_dir);
            self.ledgers = clients::ledgers_in(World::of(self.facts), &self.projects.directories, &journal);
            let events = self.inventory.update((&self.ledgers, &clients::versions()), &self.key, self.facts);
            for event in &events {
                self.record("inventory.server", event);
            }
            if !events.is_empty()
                && let Err(error) = self.inventory.save()
            {
                say(&format!("the inventory cannot be kept: {error}"));
            }
        }
    }

    fn count(&mut self, say: &mut dyn FnMut(&str)) {
        self.census_at = Instant::now() + CENSUS;
        // A policy that cannot be read stops nothing here; servers do not start under it either.
        let policy = policies::load(self.facts, None);
        let (policy, way) = policy.map_or((BareServers::Record, ProjectFiles::Report), |policy| {
            (policy.bare_servers(), policy.project_files())
        });
        self.projects = Projects { directories: clients::projects(World::of(self.facts)), way };
        let (events, counts) = self.census.take(&self.ledgers, self.facts, policy);
        // A machine that slept did not run them all that time.
        let time = self.counted_at.elapsed().min(CENSUS * 2);
        self.counted_at = Instant::now();
        if counts != (0, 0) {
            self.runtime.add(host::now(), time, counts);
            // What cannot be kept now is added up all the same.
            let _ = self.runtime.save(&directory(self.facts));
        }
        for event in events {
            say(&format!(
                "{} (pid {}) runs below {} (pid {}) without Stockade: {}",
                event.server, event.pid, event.client, event.client_pid, event.done
            ));
            self.record("inventory.bare", &event);
        }
    }

    /// To lose an event is no reason to leave a server bare.
    fn record<T: Serialize>(&mut self, kind: &'static str, what: &T) {
        let _ = self.log.append(kind, what);
        if let Some(file) = self.log.take_unsynced() {
            let _ = file.sync_data();
        }
    }
}

/// Waits for the rest of a change. Whether the end was heard meanwhile.
fn settled(heard: &Receiver<Heard>) -> bool {
    let latest = Instant::now() + SETTLE_MAX;
    loop {
        let wait = SETTLE.min(latest.saturating_duration_since(Instant::now()));
        if wait.is_zero() {
            return false;
        }
        match heard.recv_timeout(wait) {
            Ok(Heard::Change) => {}
            Ok(Heard::End) | Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

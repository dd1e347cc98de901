//! A question on the user's desktop: a notification (freedesktop.org's Desktop Notifications) by `notify-send`, of which one button lets
//! this one call pass.
//!
//! Program and bus stand at fixed places. An environment that came with a server's entry in a project's file must not be able to name
//! a bus on which somebody else presses the button.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stockade_policy::mediator::Record;
use stockade_policy::verdict::{Access, Content};

use super::file::{StoredScope, StoredTerm};
use super::give::{Gift, give, question};
use crate::commands::screen::harmless;
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::telemetry::{EventLog, Reader};

/// Where distributions put it (package libnotify-bin or libnotify).
const PROGRAM: &str = "/usr/bin/notify-send";
/// What the button says to us.
const PRESSED: &str = "approve";
/// An approval waits so long for its call.
const ONCE_MS: u64 = 3_600_000;
/// Longest text of each kind, in characters: a notification is read at a glance.
const NAME_CHARS_MAX: usize = 60;
const TEXT_CHARS_MAX: usize = 200;
/// Different calls that one session asks about on the desktop; after them the codes remain.
const CALLS_MAX: usize = 32;

/// What is to be decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The code of the refusal.
    pub(crate) code: String,
    /// Id of its event.
    pub(crate) event: String,
    /// Keyed hash of the very call.
    pub(crate) call: String,
    /// The server's name in the client's configuration.
    pub(crate) server: String,
    /// Tool, prompt or resource, masked.
    pub(crate) item: String,
    /// Arguments, masked; empty if there are none to show.
    pub(crate) arguments: String,
}

impl Asked {
    /// What was put on record last, if it is a question.
    pub(crate) fn of(record: &Record, log: &EventLog) -> Option<Self> {
        let petition = record.petition.as_ref().filter(|petition| petition.approval.is_none())?;
        Some(Self {
            code: record.code.clone()?,
            event: log.last_id().to_owned(),
            call: petition.asked.call.clone(),
            server: log.server().to_owned(),
            item: record.item.clone().unwrap_or_default(),
            arguments: petition.arguments.clone().unwrap_or_default(),
        })
    }
}

/// A refusal that nobody can approve on the spot.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    code: String,
    server: String,
    item: String,
    why: String,
    /// What refused it, of which server: it is told once.
    cause: String,
}

impl Refused {
    /// What was put on record last, if the policy refused it.
    pub(crate) fn of(record: &Record, log: &EventLog) -> Option<Self> {
        let verdict = &record.verdict;
        let by_policy = verdict.access == Access::Deny || verdict.content == Content::Block;
        let reason = verdict.reason.as_ref().filter(|_| by_policy)?;
        let cause = format!("{}\0{}\0{}", log.server(), reason.layer, reason.rule);
        Some(Self {
            code: record.code.clone()?,
            server: log.server().to_owned(),
            item: record.item.clone().or_else(|| record.method.clone()).unwrap_or_default(),
            why: reason.text.to_string(),
            cause,
        })
    }
}

/// Asks on the desktop, one question at a time.
#[derive(Debug)]
pub(crate) struct Desktop {
    facts: Facts,
    program: PathBuf,
    bus: PathBuf,
    open: Arc<AtomicBool>,
    shown: BTreeSet<String>,
    told: BTreeSet<String>,
}

impl Desktop {
    /// `None`: there is no desktop to ask on.
    pub(crate) fn of(facts: &Facts) -> Option<Self> {
        let bus = PathBuf::from(format!("/run/user/{}/bus", facts.uid));
        (is_private(&bus, facts.uid) && Path::new(PROGRAM).is_file())
            .then(|| Self::at(facts, PROGRAM.into(), bus))
    }

    fn at(facts: &Facts, program: PathBuf, bus: PathBuf) -> Self {
        Self {
            facts: facts.clone(),
            program,
            bus,
            open: Arc::default(),
            shown: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    /// Tells of a refusal, the first of each cause (decided once and for all sessions), without waiting.
    pub(crate) fn tell(&mut self, refused: Refused) {
        if self.told.len() >= CALLS_MAX || !self.told.insert(refused.cause.clone()) {
            return;
        }
        let (facts, bus) =
            (self.facts.clone(), Bus { program: self.program.clone(), address: self.bus.clone() });
        // Who gets no thread reads it in the client's window all the same.
        let _ = std::thread::Builder::new().name("desktop".to_owned()).spawn(move || {
            if is_first(&facts.state_dir, &refused.cause) {
                bus.refused(&refused);
            }
        });
    }

    /// Asks, without waiting for the answer: not while another question stands there, and about no call twice. What is not asked
    /// here has its code all the same.
    pub(crate) fn ask(&mut self, asked: Asked) {
        if self.shown.len() >= CALLS_MAX
            || self.open.load(Ordering::Acquire)
            || !self.shown.insert(asked.call.clone())
        {
            return;
        }
        self.open.store(true, Ordering::Release);
        let (open, bus) =
            (Arc::clone(&self.open), Bus { program: self.program.clone(), address: self.bus.clone() });
        let facts = self.facts.clone();
        let thread = std::thread::Builder::new().name("desktop".to_owned()).spawn(move || {
            if bus.pressed(&asked)
                && let Err(failure) = approve(&asked, &facts)
            {
                bus.tell("Nothing was approved", &failure.to_string());
            }
            open.store(false, Ordering::Release);
        });
        if thread.is_err() {
            self.open.store(false, Ordering::Release);
        }
    }
}

/// Whether nobody was told of this cause yet: a file of that name is made, or is there.
fn is_first(state_dir: &Path, cause: &str) -> bool {
    let directory = state_dir.join("told");
    let name = crate::identity::sha256_hex(cause.as_bytes());
    crate::state::make_private(&directory).is_ok() && File::create_new(directory.join(&name[..32])).is_ok()
}

/// Whether it is a socket of this user's in a directory that nobody else can write.
fn is_private(bus: &Path, uid: u32) -> bool {
    let ours = |path: &Path| path.symlink_metadata().ok().filter(|facts| facts.uid() == uid);
    let directory = bus.parent().and_then(ours).is_some_and(|it| it.is_dir() && it.mode() & 0o022 == 0);
    directory && ours(bus).is_some_and(|it| it.file_type().is_socket())
}

/// The approval of one call of the session that asked, as `stockade approve CODE` gives it.
fn approve(asked: &Asked, facts: &Facts) -> Result<(), Failure> {
    let all = Reader::new(&facts.state_dir).poll().map_err(|error| {
        Failure::new(Kind::Permission, "cannot read the events in the state directory").because(&error)
    })?;
    let event = all.iter().find(|event| event.value["id"] == asked.event.as_str()).cloned();
    let event = event.ok_or_else(|| {
        Failure::new(Kind::Usage, format!("the event of decision {} is no longer on record", asked.code))
            .hint("let the client call again")
    })?;
    let gift = Gift {
        scope: StoredScope::Call,
        term: StoredTerm::Once,
        for_ms: ONCE_MS,
        reason: String::new(),
        terminal: "desktop notification".to_owned(),
    };
    give(&question(event, &all, facts)?, gift, facts).map(|_| ())
}

/// The notification service of the user's session.
struct Bus {
    program: PathBuf,
    address: PathBuf,
}

impl Bus {
    /// Waits until the notification is gone. Whether the button was pressed.
    fn pressed(&self, asked: &Asked) -> bool {
        let Asked { code, server, item, arguments, .. } = asked;
        let title =
            format!("{} wants to call {}", short(server, NAME_CHARS_MAX), short(item, NAME_CHARS_MAX));
        let mut body = short(arguments, TEXT_CHARS_MAX);
        if !body.is_empty() {
            body.push_str("\n\n");
        }
        body.push_str(&format!("For more than this one call, in a terminal: stockade approve {code}"));
        let button = format!("--action={PRESSED}=Let this call pass");
        match self.send(&[&button, "--urgency=critical"], &title, &body) {
            Some(output) => output.trim() == PRESSED,
            // Before libnotify 0.8 there were no buttons: the code can be read all the same.
            None => {
                self.send(&["--urgency=critical"], &title, &body);
                false
            }
        }
    }

    fn refused(&self, refused: &Refused) {
        let Refused { code, server, item, why, .. } = refused;
        let title = format!("Stopped: {} on {}", short(item, NAME_CHARS_MAX), short(server, NAME_CHARS_MAX));
        let mut body = short(why, TEXT_CHARS_MAX);
        body.push_str(&format!(
            "\n\nIn a terminal: stockade why {code} says more, stockade request {code} asks for it. This is told once."
        ));
        self.send(&["--urgency=normal"], &title, &body);
    }

    fn tell(&self, title: &str, body: &str) {
        self.send(&[], title, &short(body, TEXT_CHARS_MAX));
    }

    /// What it printed; `None` if it failed.
    fn send(&self, options: &[&str], title: &str, body: &str) -> Option<String> {
        // A body may hold markup (chapter "Markup" of the specification); a title may not.
        let body = body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let output = Command::new(&self.program)
            .args(["--app-name=Stockade", "--icon=dialog-password"])
            .args(options)
            .args(["--", title, &body])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", self.address.display()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn short(text: &str, chars_max: usize) -> String {
    let line = harmless(text);
    match line.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A program in the place of `notify-send` that writes down what it got and does what `then` says.
    fn service(dir: &Path, then: &str) -> Bus {
        let program = dir.join("notify-send");
        let log = dir.join("log");
        let text = format!(
            "#!/bin/sh\n{{ printf '%s|' \"$@\"; echo \"$DBUS_SESSION_BUS_ADDRESS|$HOME\"; }} >> {}\n{then}\n",
            log.display()
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        Bus { program, address: dir.join("bus") }
    }

    fn asked() -> Asked {
        Asked {
            code: "4F2K".to_owned(),
            call: "a".to_owned(),
            server: "git\u{202e}hub".to_owned(),
            item: "deploy\n<b>".to_owned(),
            arguments: format!("{{\"to\":\"<a href='x'>&{}\"}}", "z".repeat(300)),
            ..Asked::default()
        }
    }

    #[test]
    fn only_the_button_says_yes() {
        for (then, yes) in [
            ("echo approve", true),
            ("echo no", false),
            ("echo approved", false),
            (":", false),
            ("exit 3", false),
            ("echo approve; exit 1", false),
        ] {
            let dir = tempfile::tempdir().unwrap();
            assert_eq!(service(dir.path(), then).pressed(&asked()), yes, "{then}");
        }
        let nowhere = Bus { program: "/nowhere".into(), address: "/nowhere".into() };
        assert!(!nowhere.pressed(&asked()));
    }

    #[test]
    fn what_is_shown_is_short_plain_text_and_the_environment_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        service(dir.path(), ":").pressed(&asked());
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert!(log.contains("--|github wants to call deploy <b>|"), "{log}");
        assert!(log.contains("{\"to\":\"&lt;a href='x'&gt;&amp;zzz") && log.contains('…'), "{log}");
        assert!(log.contains("stockade approve 4F2K|") && log.len() < 1_000, "{log}");
        assert!(log.ends_with(&format!("unix:path={}|\n", dir.path().join("bus").display())), "{log}");
    }

    #[test]
    fn a_service_without_buttons_still_shows_the_code() {
        let dir = tempfile::tempdir().unwrap();
        let bus = service(dir.path(), "case \"$*\" in *--action*) exit 1;; *) echo approve;; esac");
        assert!(!bus.pressed(&asked()), "there was no button");
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert_eq!(log.matches("stockade approve 4F2K").count(), 2, "{log}");
    }

    #[test]
    fn one_question_at_a_time_and_none_twice() {
        let dir = tempfile::tempdir().unwrap();
        let bus = service(dir.path(), &format!("cat {} > /dev/null", dir.path().join("gate").display()));
        nix::unistd::mkfifo(&dir.path().join("gate"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let facts = Facts::gather().unwrap();
        let mut desktop = Desktop::at(&facts, bus.program, bus.address);
        let call = |call: &str| Asked { call: call.to_owned(), ..asked() };
        let shown =
            || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default().matches("4F2K").count();
        let closes = |desktop: &Desktop| {
            std::fs::write(dir.path().join("gate"), "").unwrap();
            while desktop.open.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
        };
        desktop.ask(call("a"));
        desktop.ask(call("b"));
        closes(&desktop);
        assert_eq!(shown(), 1, "two at once");
        desktop.ask(call("a"));
        assert!(!desktop.open.load(Ordering::Acquire), "the same call again");
        desktop.ask(call("b"));
        closes(&desktop);
        assert_eq!(shown(), 2, "the other one was not shown, so it may be later");
    }

    #[test]
    fn a_cause_is_told_once_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let bus = service(dir.path(), ":");
        let facts = Facts { state_dir: dir.path().join("state"), ..Facts::gather().unwrap() };
        let refused = |code: &str, cause: &str| Refused {
            code: code.to_owned(),
            server: "git".to_owned(),
            item: "push".to_owned(),
            why: "no pushes\n<b>".to_owned(),
            cause: cause.to_owned(),
        };
        let log = || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        let wait = |times: usize| {
            while log().matches("Stopped: push on git|").count() < times {
                std::thread::yield_now();
            }
        };
        let mut desktop = Desktop::at(&facts, bus.program.clone(), bus.address.clone());
        desktop.tell(refused("AAAA", "git\0rule"));
        wait(1);
        desktop.tell(refused("BBBB", "git\0rule"));
        // Another session.
        let mut desktop = Desktop::at(&facts, bus.program, bus.address);
        desktop.tell(refused("CCCC", "git\0rule"));
        desktop.tell(refused("DDDD", "git\0other"));
        wait(2);
        let log = log();
        assert!(log.contains("no pushes") && log.contains("stockade request AAAA asks for it"), "{log}");
        assert!(!log.contains("<b>") && !log.contains("BBBB") && !log.contains("CCCC"), "{log}");
        assert!(log.contains("stockade why DDDD"), "{log}");
    }

    #[test]
    fn a_bus_that_others_could_have_put_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let uid = nix::unistd::getuid().as_raw();
        let bus = dir.path().join("bus");
        assert!(!is_private(&bus, uid));
        let _listener = UnixListener::bind(&bus).unwrap();
        assert!(is_private(&bus, uid) && !is_private(&bus, uid + 1));
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        assert!(!is_private(&bus, uid), "anybody could have put it there");
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::remove_file(&bus).unwrap();
        std::fs::write(&bus, "").unwrap();
        assert!(!is_private(&bus, uid), "no socket");
    }
}

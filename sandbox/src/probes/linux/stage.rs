//! The place where probes play: made outside, fresh for each session, and gone with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::ears::{Ears, Places};
use super::ipc::Ipc;
use super::patience::Patience;
use super::probe::{Probe, Witness};
use super::scene::{ATTRIBUTE, CLOSED, FACTS, HOME, PROJECT, READ, WRITE};
use super::snapshot::Snapshot;
use super::sys::{Arg, call};
use super::tiny_elf;
use super::victim::{self, Condition};
use crate::probes::SelfCommand;

/// Everything of one session that lies outside of its jail.
#[derive(Debug)]
pub(super) struct Stage {
    root: Root,
    /// What nobody in the jail may get.
    pub(super) secret: String,
    pub(super) patience: Patience,
    pub(super) ears: Ears,
    ipc: Ipc,
    victims: BTreeMap<&'static str, Victim>,
    snapshots: BTreeMap<&'static str, Snapshot>,
}

/// The name in the granted home that a probe of such a place looks for.
pub(super) fn late_place(id: &str) -> String {
    format!(".{id}")
}

/// Removed on drop.
#[derive(Debug)]
struct Root(PathBuf);

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug)]
struct Victim {
    process: Child,
    address: u64,
    fd: i32,
    length: usize,
    before: Condition,
}

impl Victim {
    fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap_or(-1)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Stage {
    /// Makes it. `extra` facts are told to the deeds, too.
    pub(super) fn new(
        this: &SelfCommand,
        probes: &[&'static Probe],
        extra: &[(&str, String)],
    ) -> io::Result<Self> {
        let patience = Patience::asked_for()?;
        let name = random_word()?;
        let secret = format!("secret-{}", random_word()?);
        let template = std::env::temp_dir().canonicalize()?.join("stockade-prove-XXXXXX");
        let root = Root(nix::unistd::mkdtemp(&template)?);
        let [closed, read, write] = [CLOSED, READ, WRITE].map(|name| root.0.join(name));
        let places = Places { closed, read, write };
        make_places(&root.0, &secret)?;
        for probe in probes {
            make_objects(&places, probe.id, &secret)?;
            if probe.witness == Witness::Project {
                make_repository(&root.0.join(PROJECT).join(probe.id))?;
            }
        }
        let ears = Ears::new(&places, &name)?;
        let ipc = Ipc::new(&format!("stockade-prove-{name}"), secret.as_bytes())?;
        let mut victims = BTreeMap::new();
        for probe in probes.iter().filter(|probe| probe.victim) {
            victims.insert(probe.id, victim(this, &places.closed.join(probe.id), &secret)?);
        }
        let mut stage = Self { root, secret, patience, ears, ipc, victims, snapshots: BTreeMap::new() };
        stage.write_facts(this, probes, extra)?;
        let watched =
            probes.iter().filter(|probe| matches!(probe.witness, Witness::Files | Witness::Project));
        stage.snapshots = watched.map(|probe| (probe.id, stage.snapshot(probe.id))).collect();
        Ok(stage)
    }

    /// Where it is.
    pub(super) fn root(&self) -> &Path {
        &self.root.0
    }

    /// What became of a probe's files, if anything did.
    pub(super) fn files_changed(&self, id: &'static str) -> Option<String> {
        self.snapshots.get(id)?.difference(&self.snapshot(id))
    }

    /// What became of a probe's victim, if anything did.
    pub(super) fn victim_changed(&self, id: &'static str) -> Option<String> {
        let victim = self.victims.get(id)?;
        victim.before.difference(&Condition::of(victim.pid(), victim.address, victim.length))
    }

    /// Makes a sensitive place that was not there when the jail was made.
    pub(super) fn make_late_place(&self, id: &str) -> io::Result<()> {
        let dir = self.root.0.join(HOME).join(late_place(id));
        fs::create_dir(&dir)?;
        fs::write(dir.join("credentials"), &self.secret)
    }

    fn snapshot(&self, id: &str) -> Snapshot {
        let hooks = self.root.0.join(PROJECT).join(id).join(".git/hooks");
        Snapshot::of(&[self.root.0.join(CLOSED).join(id), self.root.0.join(READ).join(id), hooks])
    }

    fn write_facts(
        &self,
        this: &SelfCommand,
        probes: &[&'static Probe],
        extra: &[(&str, String)],
    ) -> io::Result<()> {
        let mut facts = String::new();
        let mut fact = |key: &str, value: &dyn std::fmt::Display| {
            let _ = writeln!(facts, "{key} {value}");
        };
        let words: Vec<String> = std::iter::once(this.program.as_os_str())
            .chain(this.words.iter().map(AsRef::as_ref))
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        fact("program", &words.join("\t"));
        let ports = &self.ears.ports;
        fact("tcp4", &ports.tcp4);
        fact("udp4", &ports.udp4);
        fact("granted", &ports.granted);
        for (key, port) in [("tcp6", ports.tcp6), ("udp6", ports.udp6)] {
            if let Some(port) = port {
                fact(key, &port);
            }
        }
        fact("abstract", &self.ears.abstract_name);
        let ipc = &self.ipc;
        for (key, id) in [
            ("shared-memory", ipc.shared_memory),
            ("semaphores", ipc.semaphores),
            ("messages", ipc.messages),
            ("key", ipc.key),
        ] {
            if let Some(id) = id {
                fact(key, &id);
            }
        }
        if let Some(name) = &ipc.queue {
            fact("queue", &name.to_string_lossy());
        }
        for (id, victim) in &self.victims {
            let Victim { address, fd, length, .. } = victim;
            fact(&format!("victim.{id}"), &format!("{} {address} {fd} {length}", victim.pid()));
        }
        let (key, value) = self.patience.fact();
        fact(key, &value);
        for (key, value) in extra {
            fact(key, value);
        }
        for probe in probes.iter().filter(|probe| probe.witness == Witness::Project) {
            fact("repository", &probe.id);
        }
        for probe in probes {
            fact("probe", &probe.id);
        }
        fs::write(self.root.0.join(READ).join(FACTS), facts)
    }
}

fn random_word() -> io::Result<String> {
    let mut bytes = [0; 12];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut word, byte| {
        let _ = write!(word, "{byte:02x}");
        word
    }))
}

/// Home and project tree, with what must stay closed inside of their grants.
fn make_places(root: &Path, secret: &str) -> io::Result<()> {
    for dir in [CLOSED, READ, WRITE, "scratch", HOME, PROJECT] {
        fs::create_dir(root.join(dir))?;
    }
    let home = root.join(HOME);
    for dir in [".ssh", "notes"] {
        fs::create_dir(home.join(dir))?;
    }
    fs::write(home.join(".ssh/id_ed25519"), secret)?;
    fs::write(home.join(".bash_history"), secret)?;
    fs::write(home.join("notes/note"), "granted")?;
    let project = root.join(PROJECT);
    fs::create_dir(project.join("src"))?;
    fs::write(root.join(CLOSED).join("left-open"), secret)?;
    fs::write(root.join(CLOSED).join("left-writable"), "")
}

/// What one probe may attack.
fn make_objects(places: &Places, id: &str, secret: &str) -> io::Result<()> {
    let closed = places.closed.join(id);
    fs::create_dir(&closed)?;
    fs::write(closed.join("secret"), secret)?;
    fs::write(closed.join(secret), "")?;
    fs::create_dir(closed.join("empty"))?;
    std::os::unix::fs::symlink(secret, closed.join("link"))?;
    program(&closed.join("tool"))?;
    let read = places.read.join(id);
    fs::create_dir(&read)?;
    fs::write(read.join("file"), "granted")?;
    program(&read.join("tool"))?;
    let write = places.write.join(id);
    fs::create_dir(&write)?;
    fs::write(write.join("mine"), "granted")?;
    for path in [closed.join("secret"), read.join("file")] {
        let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
        let length = i64::try_from(secret.len()).unwrap_or(0);
        let value = [Arg::In(secret.as_bytes()), Arg::Int(length), Arg::Int(0)];
        let [bytes, length, flags] = value;
        // A file system without attributes has none to protect.
        let _ = call(libc::SYS_setxattr, [Arg::Text(&path), Arg::Text(ATTRIBUTE), bytes, length, flags]);
    }
    Ok(())
}

fn make_repository(dir: &Path) -> io::Result<()> {
    let hooks = dir.join(".git/hooks");
    fs::create_dir_all(&hooks)?;
    fs::write(hooks.join("pre-commit"), "#!/bin/sh\n")
}

fn program(path: &Path) -> io::Result<()> {
    fs::write(path, tiny_elf::bytes())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

fn victim(this: &SelfCommand, dir: &Path, secret: &str) -> io::Result<Victim> {
    let mut process = Command::new(&this.program)
        .args(&this.words)
        .args(["victim", secret])
        .env(victim::VARIABLE, secret)
        .env(victim::FILE, dir.join("secret"))
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    let stdout = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    BufReader::new(stdout).read_line(&mut line)?;
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [pid, address, fd, length] = numbers.as_slice() else {
        let _ = process.kill();
        let _ = process.wait();
        return Err(io::Error::other("a victim did not start"));
    };
    let length = usize::try_from(*length).unwrap_or(0);
    let before = Condition::of(i32::try_from(*pid).unwrap_or(-1), *address, length);
    Ok(Victim { process, address: *address, fd: i32::try_from(*fd).unwrap_or(-1), length, before })
}

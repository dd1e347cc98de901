//! What the demo is played on: a temporary home with secrets in it, the attacker's host, and the sweeping up.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::rogue::DAEMON;
use crate::error::{Failure, Kind};

/// The stage. Dropping it removes the home and ends what is left of the daemons.
#[derive(Debug)]
pub(super) struct Stage {
    home: TempDir,
    key_fingerprint: String,
    aws_secret: String,
    attacker: Attacker,
    cast: Cast,
    seed: [u8; 32],
}

/// The two parts that are played.
const PARTS: [&str; 2] = ["bare", "jailed"];

/// The attacker's host: a listener on a loopback port that notes what it hears.
#[derive(Debug)]
struct Attacker {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    /// Builds the stage.
    ///
    /// # Errors
    /// When a temporary directory or its files cannot be made.
    pub(super) fn set() -> Result<Self, Failure> {
        let failed = |what: &str, error: &std::io::Error| {
            Failure::new(Kind::Software, format!("cannot set the demo up: {what}")).because(error)
        };
        let (seed, cast) = (random(), Cast::default());
        // Before there is anything to sweep up.
        let swept = Swept::default();
        sweep_on_signals(Arc::clone(&swept), cast.clone(), PARTS.map(|part| mark(&seed, part)));
        let home = {
            let mut swept = swept.lock().unwrap_or_else(PoisonError::into_inner);
            let home = tempfile::Builder::new().prefix("stockade-demo-").tempdir().map_err(|error| {
                failed("no temporary directory", &error).hint("set TMPDIR to a directory that can be written")
            })?;
            *swept = Some(home.path().to_owned());
            home
        };
        let key = fake_key(&seed);
        furnish(home.path(), &key).map_err(|error| failed("its home cannot be written", &error))?;
        // Without a loopback there is no attacker: the attempt then fails bare as well, and the table says so.
        let attacker = Attacker::listen().unwrap_or_else(|_| Attacker::absent());
        Ok(Self {
            key_fingerprint: fingerprint(key.as_bytes()),
            aws_secret: base62(&derive(&seed, "aws"), 40),
            home,
            attacker,
            cast,
            seed,
        })
    }

    /// The victim's home.
    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where a client would work.
    pub(super) fn project(&self) -> PathBuf {
        self.home.path().join("project")
    }

    /// Stockade's state directory inside of the temporary home.
    pub(super) fn state_dir(&self) -> PathBuf {
        self.home.path().join(".local/state/stockade")
    }

    /// The attacker's port.
    pub(super) fn port(&self) -> u16 {
        self.attacker.port
    }

    /// A word that stands nowhere else, a different one for each part that is played.
    pub(super) fn mark(&self, part: &str) -> String {
        mark(&self.seed, part)
    }

    /// Fingerprint of the key in the home.
    pub(super) fn key_fingerprint(&self) -> &str {
        &self.key_fingerprint
    }

    /// Fingerprint of the secret in the environment.
    pub(super) fn aws_fingerprint(&self) -> String {
        fingerprint(self.aws_secret.as_bytes())
    }

    /// Whether the attacker's host was told this mark.
    pub(super) fn attacker_heard(&self, mark: &str) -> bool {
        self.attacker.heard.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|line| line == mark)
    }

    /// The environment that an AI client would start a server with. Stockade's own directories lie in the temporary
    /// home, so that nothing of the user's is read or written.
    pub(super) fn environment(&self) -> BTreeMap<OsString, OsString> {
        let home = self.home.path();
        let mut env: BTreeMap<OsString, OsString> = ["PATH", "USER", "LOGNAME", "LANG", "LC_ALL", "TERM"]
            .into_iter()
            .filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
            .collect();
        env.insert("HOME".into(), home.into());
        env.insert("SHELL".into(), "/bin/sh".into());
        env.insert("AWS_REGION".into(), "eu-central-1".into());
        env.insert("AWS_SECRET_ACCESS_KEY".into(), (&self.aws_secret).into());
        for (name, below) in
            [("XDG_STATE_HOME", ".local/state"), ("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache")]
        {
            env.insert(name.into(), home.join(below).into());
        }
        env
    }

    /// Whoever is started on this stage is noted here, to be ended should the demo be.
    pub(super) fn cast(&self) -> &Cast {
        &self.cast
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.cast.is_ended.load(Ordering::SeqCst) {
            // A signal came, and whoever waits for it sweeps up and ends the process with its number.
            std::thread::sleep(Duration::from_secs(2));
        }
        end_daemons(&PARTS.map(|part| self.mark(part)));
        if let Err(error) = fs::remove_dir_all(self.home.path()) {
            let path = self.home.path().display();
            let _ = writeln!(std::io::stderr(), "stockade: cannot remove {path}: {error}");
        }
    }
}

fn mark(seed: &[u8; 32], part: &str) -> String {
    format!("{part}{}", base62(&derive(seed, part), 16))
}

/// The home, once it is made; locked while it is.
type Swept = Arc<Mutex<Option<PathBuf>>>;

/// Pids of the processes that the demo has started and not yet waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct Cast {
    pids: Arc<Mutex<Vec<i32>>>,
    is_ended: Arc<AtomicBool>,
}

impl Cast {
    /// Starts a process, unless all has been ended, which waits until it is noted: none is left out. What is returned with it
    /// is dropped once it was waited for: the number may belong to somebody else from then on.
    pub(super) fn enter<T>(
        &self,
        start: impl FnOnce() -> Result<T, Failure>,
        pid: impl FnOnce(&T) -> u32,
    ) -> Result<(T, OnStage), Failure> {
        let mut pids = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_ended.load(Ordering::SeqCst) {
            return Err(Failure::new(Kind::Software, "the demo was interrupted"));
        }
        let started = start()?;
        let pid = i32::try_from(pid(&started)).ok();
        pids.extend(pid);
        drop(pids);
        Ok((started, OnStage { cast: self.clone(), pid }))
    }

    fn end(&self) {
        let pids = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_ended.store(true, Ordering::SeqCst);
        for &pid in pids.iter() {
            // A session that is killed takes its tree with it: its keeper sees to that.
            let _ = signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// A process that is to be ended with the stage.
#[derive(Debug)]
pub(super) struct OnStage {
    cast: Cast,
    pid: Option<i32>,
}

impl Drop for OnStage {
    fn drop(&mut self) {
        self.cast.pids.lock().unwrap_or_else(PoisonError::into_inner).retain(|here| Some(*here) != self.pid);
    }
}

impl Attacker {
    /// Nobody, at a port where nobody listens either (discard, RFC 863).
    fn absent() -> Self {
        Self { port: 9, heard: Arc::default() }
    }

    fn listen() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                note(&stream, &notes);
            }
        });
        Ok(Self { port, heard })
    }
}

/// One visitor: a line, noted before it is acknowledged.
fn note(stream: &TcpStream, notes: &Mutex<Vec<String>>) {
    let mut line = String::new();
    let waits = stream.set_read_timeout(Some(Duration::from_secs(1)));
    if waits.is_ok() && BufReader::new(std::io::Read::take(stream, 256)).read_line(&mut line).is_ok() {
        notes.lock().unwrap_or_else(PoisonError::into_inner).push(line.trim_end().to_owned());
        // The visitor reports a success only after this; a visitor who went away does not matter.
        let mut stream = stream;
        let _ = stream.write_all(b"!");
    }
}

/// Host pids of the processes that carry this mark as a daemon.
pub(super) fn daemons(mark: &str) -> Vec<i32> {
    let wanted = format!("{DAEMON}{mark}");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let has_mark = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split(|&byte| byte == 0).any(|word| word == wanted.as_bytes()))
    };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(has_mark).collect()
}

/// Ends daemons that are still alive.
pub(super) fn end_daemons(marks: &[String]) {
    for pid in marks.iter().flat_map(|mark| daemons(mark)) {
        // Gone between the look and the signal is just as well.
        let _ = signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// Names bytes without giving them away: SHA-256, in words of letters, because a string of digits and letters would
/// look like a secret to the very detectors that stand in its way.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    let letters: Vec<u8> =
        Sha256::digest(bytes).iter().flat_map(|byte| [b'a' + (byte >> 4), b'a' + (byte & 15)]).collect();
    letters.chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

/// The secret that the rogue answers with: new for each mark, made up, and valid as far as can be seen: `ghp_`, thirty
/// characters, and six that are their CRC-32 in base 62.
pub(super) fn token(mark: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let body = base62(&Sha256::digest(format!("token of {mark}")).into(), 30);
    let mut crc = crc32fast::hash(body.as_bytes()) as usize;
    let mut tail = [b'0'; 6];
    for digit in tail.iter_mut().rev() {
        *digit = DIGITS[crc % 62];
        crc /= 62;
    }
    format!("ghp_{body}{}", String::from_utf8_lossy(&tail))
}

fn furnish(home: &Path, key: &str) -> std::io::Result<()> {
    for below in [".ssh", "project", ".config", ".local/state", ".cache"] {
        fs::create_dir_all(home.join(below))?;
    }
    fs::set_permissions(home.join(".ssh"), Permissions::from_mode(0o700))?;
    let path = home.join(".ssh/id_rsa");
    fs::write(&path, key)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))
}

fn fake_key(seed: &[u8; 32]) -> String {
    let lines: Vec<String> = (0..6).map(|n| base62(&derive(seed, &format!("key {n}")), 43)).collect();
    format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", lines.join("\n"))
}

fn random() -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(uuid::Uuid::new_v4().as_bytes());
    hash.update(uuid::Uuid::new_v4().as_bytes());
    hash.finalize().into()
}

fn derive(seed: &[u8; 32], purpose: &str) -> [u8; 32] {
    Sha256::new().chain_update(seed).chain_update(purpose).finalize().into()
}

/// `length` letters and digits from a seed: enough like a random token for every detector.
fn base62(seed: &[u8; 32], length: usize) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let second = derive(seed, "more");
    seed.iter().chain(&second).take(length).map(|&byte| char::from(DIGITS[usize::from(byte) % 62])).collect()
}

/// Ctrl-C, a closed terminal or SIGTERM end the demo without leaving its home, a session or a daemon behind. Returns when they
/// are heard.
fn sweep_on_signals(swept: Swept, cast: Cast, marks: [String; 2]) {
    use tokio::signal::unix::{SignalKind, signal};
    let (hears, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        let number = runtime.block_on(async {
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
                return None;
            };
            let _ = hears.send(());
            tokio::select! {
                _ = interrupt.recv() => Some(2),
                _ = terminate.recv() => Some(15),
                _ = hangup.recv() => Some(1),
            }
        });
        let Some(number) = number else { return };
        cast.end();
        // A keeper needs a moment for the tree of its session; a file written after the removal would stay.
        std::thread::sleep(Duration::from_millis(200));
        end_daemons(&marks);
        // Held until the end: no home is made any more.
        let home = swept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(home) = &*home {
            remove(home);
        }
        std::process::exit(128 + number);
    });
    // Without a thread that hears, a signal does what it does to any program.
    let _ = heard.recv();
}

/// Also what somebody who is about to end still writes into it.
fn remove(home: &Path) {
    for _ in 0..50 {
        let _ = fs::remove_dir_all(home);
        if !home.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_new_for_each_mark_and_has_its_checksum() {
        let token = token("one");
        assert_eq!(token.len(), 40);
        assert_ne!(token, super::token("two"));
        // GitHub: the last six characters are the CRC-32 of the thirty before them, in base 62.
        let digit =
            |c: char| "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".find(c).unwrap();
        let tail = token[34..].chars().fold(0u64, |sum, c| sum * 62 + digit(c) as u64);
        assert_eq!(tail, u64::from(crc32fast::hash(&token.as_bytes()[4..34])));
    }

    #[test]
    fn a_fingerprint_has_no_digits_and_differs() {
        assert!(fingerprint(b"a").chars().all(|c| matches!(c, 'a'..='p' | ' ')));
        assert_ne!(fingerprint(b"a"), fingerprint(b"b"));
    }

    #[test]
    fn the_home_is_gone_with_the_stage() {
        let stage = Stage::set().unwrap();
        let home = stage.home().to_owned();
        assert!(home.join(".ssh/id_rsa").exists());
        drop(stage);
        assert!(!home.exists());
    }
}

//! What really runs: MCP servers below AI clients, with Stockade above them or not.
//!
//! Servers are known by the configs that each running client reads (its own environment and working directory decide which), by the
//! configs on its command line, and, where no config names them, by what their program is.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::clients::coverage::{self, Ledger};
use crate::clients::entry::{self, Shape};
use crate::clients::journal::Journal;
use crate::clients::processes;
use crate::clients::registry::{Form, Format, Layout, Os, World};
use crate::clients::running::{self, Bare, Lineage};
use crate::clients::spans::Document;
use crate::host::{self, Facts, Process};

/// Options of clients that name a config, or hold one.
const CONFIG_OPTIONS: [&str; 2] = ["--mcp-config", "--additional-mcp-config"];
/// Of a larger config on a command line nothing is known.
const CONFIG_BYTES_MAX: u64 = 1 << 20;
/// So much of a program is looked through.
const SCRIPT_BYTES_MAX: u64 = 1 << 18;
const BINARY_BYTES_MAX: u64 = 64 << 20;
/// What shows that a script speaks MCP.
const MARKS: [&[u8]; 6] =
    [b"modelcontextprotocol", b"fastmcp", b"import mcp", b"from mcp", b"tools/list", b"mcp.server"];
/// What a compiled server has in it: its methods.
const BINARY_MARK: &[u8] = b"tools/list";
/// They run anything.
const INTERPRETERS: [&str; 10] =
    ["node", "python", "bun", "deno", "ruby", "java", "perl", "php", "dotnet", "uv"];
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "busybox", "fish"];

/// A server that runs without Stockade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BareServer {
    /// Its name in a config, or what its program is called.
    pub server: String,
    /// How it is known.
    pub evidence: &'static str,
    /// Whether its entry is wrapped by now: then it is one that the client started before.
    pub is_stale: bool,
    /// Its command line, as the config has it; of one that no config names, as the process has it.
    pub words: Vec<String>,
    /// Where it runs.
    pub bare: Bare,
}

/// What runs below AI clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    /// Sessions of Stockade.
    pub contained: usize,
    /// Servers without.
    pub bare: Vec<BareServer>,
}

/// Programs that were looked through, by device, inode and time of change.
#[derive(Debug, Default)]
pub(crate) struct Looked(BTreeMap<(u64, u64, i64), bool>);

/// A server that some config names.
struct Named {
    server: String,
    evidence: &'static str,
    is_stale: bool,
    words: Vec<String>,
}

/// Looks at all processes. `ledgers` are the user's own configs.
pub(crate) fn count(ledgers: &[Ledger], facts: &Facts, looked: &mut Looked) -> Count {
    let all = running::everything();
    let mut names = named(ledgers, "its client's config");
    let mut worlds = BTreeSet::new();
    for client in clients_in(&all) {
        names.extend(of_command_line(client));
        let environment = host::environment(client.pid).unwrap_or_default();
        let cwd = std::fs::read_link(format!("/proc/{}/cwd", client.pid)).ok();
        if worlds.insert((relevant(&environment), cwd.clone())) {
            names.extend(of_environment(&environment, cwd.as_deref(), facts));
        }
    }
    let mut found: Vec<BareServer> = Vec::new();
    for one in &names {
        for bare in running::bare(&one.words, &all) {
            match found.iter_mut().find(|known| known.bare.pid == bare.pid) {
                Some(known) => known.is_stale |= one.is_stale,
                None => found.push(BareServer {
                    server: one.server.clone(),
                    evidence: one.evidence,
                    is_stale: one.is_stale,
                    words: one.words.clone(),
                    bare,
                }),
            }
        }
    }
    let suspects = suspects(&all, &found, looked);
    found.extend(suspects);
    Count { contained: all.iter().filter(|one| is_session(one)).count(), bare: found }
}

fn named(ledgers: &[Ledger], evidence: &'static str) -> Vec<Named> {
    let servers = ledgers.iter().flat_map(|ledger| &ledger.servers).filter(|server| !server.words.is_empty());
    let named = servers.map(|server| Named {
        server: server.name.clone(),
        evidence,
        is_stale: server.standing.is_covered(),
        words: server.words.clone(),
    });
    named.collect()
}

/// The clients themselves, and their helpers.
pub(super) fn clients_in(all: &[Lineage]) -> impl Iterator<Item = &Process> {
    let is_client =
        |process: &&Process| processes::of_process(process).is_some_and(|name| name != processes::OURSELVES);
    all.iter().map(|one| &one.process).filter(is_client)
}

/// A launcher below a client: one session.
fn is_session(one: &Lineage) -> bool {
    let runs = one.process.words.get(1).is_some_and(|word| word == "run");
    let is_ours = processes::of_process(&one.process) == Some(processes::OURSELVES);
    // Its keeper and its helpers are processes of the same name below it.
    let above = one.above.iter().find_map(processes::of_process);
    runs && is_ours && above.is_some_and(|name| name != processes::OURSELVES)
}

/// The variables that paths of configs are made of.
fn relevant(environment: &host::Environment) -> Vec<(OsString, OsString)> {
    let is_one = |name: &str| name == "HOME" || crate::clients::registry::variables().contains(name);
    let pairs = environment.iter().filter(|(name, _)| name.to_str().is_some_and(is_one));
    pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The configs that a client reads which was started with this environment in this directory.
fn of_environment(environment: &host::Environment, cwd: Option<&Path>, facts: &Facts) -> Vec<Named> {
    let home = environment.get(&OsString::from("HOME")).map(PathBuf::from).filter(|home| home.is_absolute());
    let home = home.unwrap_or_else(|| facts.home.clone());
    let world = World { os: Os::current(), home: &home, env: environment, project: cwd };
    named(
        &coverage::ledgers(world, &Journal::peek(&facts.state_dir)),
        "a config that its client was started with",
    )
}

/// Configs that a client was given on its command line.
fn of_command_line(client: &Process) -> Vec<Named> {
    let mut found = Vec::new();
    let mut words = client.words.iter().peekable();
    while let Some(word) = words.next() {
        let (option, inline) = word.split_once('=').map_or((word.as_str(), None), |(a, b)| (a, Some(b)));
        if !CONFIG_OPTIONS.contains(&option) {
            continue;
        }
        found.extend(inline.map(str::to_owned));
        while let Some(value) = words.next_if(|word| !word.starts_with("--")) {
            found.push(value.clone());
        }
    }
    found.into_iter().flat_map(|value| of_value(&value, client.pid)).collect()
}

/// A file, or JSON itself; with an `@` before the file's name in some clients.
fn of_value(value: &str, pid: u32) -> Vec<Named> {
    let text = if value.trim_start().starts_with('{') {
        Some(value.to_owned())
    } else {
        let path = Path::new(&format!("/proc/{pid}/cwd")).join(value.trim_start_matches('@'));
        start_of(&path, CONFIG_BYTES_MAX).and_then(|bytes| String::from_utf8(bytes).ok())
    };
    let layout = Layout {
        at: &["mcpServers"],
        list: false,
        form: Form::Words,
        command: "command",
        args: "args",
        env: "env",
    };
    let Some(text) = text else { return Vec::new() };
    let Ok(document) = Document::parse(text.as_bytes(), Format::Json) else { return Vec::new() };
    let entries = entry::entries(&document, &[layout]).unwrap_or_default();
    let named = entries.into_iter().filter_map(|entry| match entry.shape {
        Shape::Bare(launch) => Some(Named {
            server: entry.place.name,
            evidence: "a config on its client's command line",
            is_stale: false,
            words: launch.words().into_iter().map(str::to_owned).collect(),
        }),
        Shape::Wrapped(_) | Shape::Remote | Shape::Odd(_) => None,
    });
    named.collect()
}

/// Processes below a client that speak with their parent over pipes and are MCP servers by what they are.
fn suspects(all: &[Lineage], known: &[BareServer], looked: &mut Looked) -> Vec<BareServer> {
    let mut found: Vec<BareServer> = Vec::new();
    let mut candidates: Vec<(&Lineage, Bare)> =
        all.iter().filter_map(|one| Some((one, below(one)?))).collect();
    // Those nearer to the client first: what a server starts is its own business.
    candidates.sort_by_key(|(one, bare)| {
        (one.above.iter().position(|above| above.pid == bare.client_pid), bare.pid)
    });
    for (one, bare) in candidates {
        let is_part = |pid: u32| known.iter().chain(&found).any(|server| server.bare.pid == pid);
        if is_part(one.process.pid) || one.above.iter().any(|above| is_part(above.pid)) {
            continue;
        }
        if speaks_over_pipes(one.process.pid) && is_mcp(&one.process, looked) {
            found.push(BareServer {
                server: name_of(&one.process),
                evidence: "its program is an MCP server",
                is_stale: false,
                words: one.process.words.clone(),
                bare,
            });
        }
    }
    found
}

/// Where it stands below a client, if it does and is no part of it, with no session of ours in between.
fn below(one: &Lineage) -> Option<Bare> {
    if processes::of_process(&one.process).is_some() {
        return None;
    }
    let client = one.above.iter().find(|above| processes::of_process(above).is_some())?;
    let name = processes::of_process(client).filter(|name| *name != processes::OURSELVES)?;
    Some(Bare { pid: one.process.pid, client: name.to_owned(), client_pid: client.pid })
}

fn speaks_over_pipes(pid: u32) -> bool {
    let is_pipe = |number: u8| {
        let target = std::fs::read_link(format!("/proc/{pid}/fd/{number}")).ok();
        target.is_some_and(|target| {
            let target = target.to_string_lossy().into_owned();
            target.starts_with("pipe:") || target.starts_with("socket:")
        })
    };
    is_pipe(0) && is_pipe(1)
}

/// By its words, by its script, or by what its program has in it.
fn is_mcp(process: &Process, looked: &mut Looked) -> bool {
    let program = process.program.as_deref().unwrap_or("");
    let name = program.rsplit('/').next().unwrap_or(program);
    let is_shell = SHELLS.contains(&name);
    // What a shell is told to do may have the word in it; what it does is another process.
    if !is_shell && process.words.iter().any(|word| says_mcp(word)) {
        return true;
    }
    let runs_others = is_shell || INTERPRETERS.iter().any(|known| name.starts_with(known));
    if !runs_others {
        return looked.at(Path::new(&format!("/proc/{}/exe", process.pid)), BINARY_BYTES_MAX, &[BINARY_MARK]);
    }
    if is_shell {
        return false;
    }
    let arguments = process.words.iter().skip(1).filter(|word| !word.starts_with('-')).take(3);
    let cwd = PathBuf::from(format!("/proc/{}/cwd", process.pid));
    arguments.map(|word| cwd.join(word)).any(|path| looked.at(&path, SCRIPT_BYTES_MAX, &MARKS))
}

/// `mcp` as a word of its own.
fn says_mcp(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let mut parts = lower.split(|c: char| !c.is_ascii_alphanumeric());
    parts.any(|part| part == "mcp" || part == "modelcontextprotocol")
}

fn name_of(process: &Process) -> String {
    let named = process.words.iter().find(|word| says_mcp(word)).or_else(|| {
        let is_file = |word: &&String| !word.starts_with('-') && word.contains('.');
        process.words.iter().skip(1).find(is_file)
    });
    let word = named.or(process.words.first()).map_or(process.name.as_str(), String::as_str);
    word.rsplit('/').next().unwrap_or(word).to_owned()
}

impl Looked {
    /// Whether one of the marks is in the first bytes of a regular file.
    fn at(&mut self, path: &Path, most: u64, marks: &[&[u8]]) -> bool {
        let Ok(facts) = path.metadata() else { return false };
        if !facts.is_file() {
            return false;
        }
        *self.0.entry((facts.dev(), facts.ino(), facts.ctime())).or_insert_with(|| has(path, most, marks))
    }
}

/// In pieces: a large program must not make us as large.
fn has(path: &Path, most: u64, marks: &[&[u8]]) -> bool {
    const PIECE: usize = 1 << 16;
    let Ok(file) = opened(path) else { return false };
    let mut file = file.take(most);
    let longest = marks.iter().map(|mark| mark.len()).max().unwrap_or(1);
    let mut piece = vec![0; PIECE];
    let mut kept = 0;
    loop {
        let Ok(read) = file.read(piece.get_mut(kept..).unwrap_or_default()) else { return false };
        let here = piece.get(..kept + read).unwrap_or_default();
        if marks.iter().any(|mark| memchr::memmem::find(here, mark).is_some()) {
            return true;
        }
        if read == 0 {
            return false;
        }
        // What is cut in two is whole in the next piece.
        let end = kept + read;
        kept = end.min(longest - 1);
        piece.copy_within(end - kept..end, 0);
    }
}

fn start_of(path: &Path, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    opened(path).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Should it have become a FIFO meanwhile, nobody is waited for (fifo(7)).
fn opened(path: &Path) -> std::io::Result<File> {
    std::fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_mcp_is_found_as_a_word_of_its_own() {
        for word in
            ["mcp-server-git", "@modelcontextprotocol/server-x", "/opt/my_mcp/index.js", "server.mcp", "MCP"]
        {
            assert!(says_mcp(word), "{word}");
        }
        for word in ["mcpherson", "tcpmcpx", "/usr/bin/python3", "compact"] {
            assert!(!says_mcp(word), "{word}");
        }
    }

    #[test]
    fn a_mark_is_found_where_two_pieces_meet() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        for at in [0, (1 << 16) - 5, (1 << 16) - 1, 1 << 16, 200_000] {
            let mut bytes = vec![b'x'; at];
            bytes.extend_from_slice(BINARY_MARK);
            std::fs::write(&path, &bytes).unwrap();
            assert!(has(&path, BINARY_BYTES_MAX, &[BINARY_MARK]), "{at}");
        }
        std::fs::write(&path, vec![b'x'; 300_000]).unwrap();
        assert!(!has(&path, BINARY_BYTES_MAX, &[BINARY_MARK]));
    }

    #[test]
    fn configs_on_a_command_line_are_read_however_they_are_given() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        std::fs::write(&path, r#"{"mcpServers":{"a":{"command":"n","args":["1"]}}}"#).unwrap();
        let path = path.display().to_string();
        let inline = r#"{"mcpServers":{"b":{"command":"m"}}}"#;
        for (words, names) in [
            (vec!["claude", "--mcp-config", &path, inline, "--print"], vec!["a", "b"]),
            (vec!["claude", "-p", "hello"], vec![]),
        ] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            let process =
                Process { pid: std::process::id(), name: "claude".to_owned(), program: None, words };
            let found: Vec<String> = of_command_line(&process).into_iter().map(|one| one.server).collect();
            assert_eq!(found, names);
        }
        let with_sign = format!("--additional-mcp-config=@{path}");
        let process = Process {
            pid: std::process::id(),
            name: "copilot".to_owned(),
            program: None,
            words: vec!["copilot".to_owned(), with_sign],
        };
        assert_eq!(of_command_line(&process).len(), 1);
    }
}

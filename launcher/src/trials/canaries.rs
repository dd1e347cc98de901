//! What no profile gives away, held out in every trial: a program in the server's jail that tries to take it, and the
//! same program bare, which must get it.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use crate::error::{Failure, Kind};

/// What stands in each.
const WORD: &str = "canary-7d41c0";
/// A variable that no profile passes.
pub const VARIABLE: &str = "TRIAL_SECRET";
/// Connections that no profile grants: the cloud's metadata service (RFC 3927), a private host (RFC 1918), and a
/// service of this machine's.
const PLACES: [(&str, SocketAddr); 3] = [
    ("metadata service", SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 80)),
    ("private host", SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 20, 30, 40)), 4711)),
    ("service on the loopback", SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4712)),
];
/// Files below the home directory and the working directory, in this order.
const FILES: [(&str, &str); 2] = [("~/.ssh/id_ed25519", ".ssh/id_ed25519"), (".env", ".env")];

/// Prints the name of each thing that it got, after a first line that says that it ran.
const PYTHON: &str = r#"
import os, socket, sys
print("ran")
def attempt(name, got):
    try:
        if got(): print(name)
    except Exception: pass
def connects(host, port):
    # A broker may take a connection only to end it: what counts is an answer.
    with socket.create_connection((host, port), timeout=5) as it:
        return word.encode() in it.recv(100)
word, variable, files, places = sys.argv[1], sys.argv[2], sys.argv[3].split("\n"), sys.argv[4].split("\n")
attempt("variable", lambda: os.environ.get(variable) == word)
for line in files:
    name, path = line.split("=", 1)
    attempt(name, lambda: word in open(path).read())
for line in places:
    name, host, port = line.split("=")
    attempt(name, lambda: connects(host, int(port)))
"#;

/// The same.
const NODE: &str = r#"
const fs = require("fs"), net = require("net");
console.log("ran");
const [word, variable, files, places] = process.argv.slice(-4);
if (process.env[variable] === word) console.log("variable");
for (const line of files.split("\n")) {
  const at = line.indexOf("=");
  try { if (fs.readFileSync(line.slice(at + 1), "utf8").includes(word)) console.log(line.slice(0, at)); } catch {}
}
for (const line of places.split("\n")) {
  const [name, host, port] = line.split("=");
  const socket = net.connect({ host, port: Number(port), timeout: 5000 });
  socket.on("data", data => { if (data.includes(word)) console.log(name); socket.destroy(); });
  socket.on("timeout", () => socket.destroy());
  socket.on("error", () => {});
}
"#;

/// Everything that there is to be had.
pub fn all() -> BTreeSet<String> {
    let files = FILES.iter().map(|(name, _)| *name);
    let places = PLACES.iter().map(|(name, _)| *name);
    ["variable"].into_iter().chain(files).chain(places).map(str::to_owned).collect()
}

/// What the variable holds.
pub fn value() -> &'static str {
    WORD
}

/// Puts the files into a home and a working directory.
///
/// # Errors
/// When one can't be written.
pub fn place(home: &Path, cwd: &Path) -> Result<(), Failure> {
    for (_, path) in files(home, cwd) {
        let written = match path.parent() {
            Some(parent) => std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, WORD)),
            None => std::fs::write(&path, WORD),
        };
        written.map_err(|error| {
            Failure::new(Kind::Software, format!("cannot write {}", path.display())).because(&error)
        })?;
    }
    Ok(())
}

/// Listens in the places and greets whoever connects, for as long as this process lives.
///
/// # Errors
/// When a port can't be had.
pub fn listen() -> Result<(), Failure> {
    for (_, place) in PLACES {
        let listener = TcpListener::bind(place).map_err(|error| {
            Failure::new(Kind::Software, format!("cannot listen at {place}")).because(&error)
        })?;
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                // Whoever has gone again has got nothing.
                let _ = connection.write_all(WORD.as_bytes());
            }
        });
    }
    Ok(())
}

/// The words after an interpreter, which is Python or Node.js.
pub fn words(interpreter: &Path, home: &Path, cwd: &Path) -> Option<Vec<String>> {
    let name = interpreter.file_name()?.to_str()?;
    let (flag, script) = match name {
        "node" => ("-e", NODE),
        _ if name.starts_with("python") => ("-c", PYTHON),
        _ => return None,
    };
    let files: Vec<_> =
        files(home, cwd).into_iter().map(|(name, path)| format!("{name}={}", path.display())).collect();
    let places: Vec<_> =
        PLACES.iter().map(|(name, place)| format!("{name}={}={}", place.ip(), place.port())).collect();
    let rest = [WORD, VARIABLE, &files.join("\n"), &places.join("\n")].map(str::to_owned);
    Some([flag.to_owned(), script.to_owned()].into_iter().chain(rest).collect())
}

/// What the program got; `None` if it did not run.
pub fn got(stdout: &str) -> Option<BTreeSet<String>> {
    let mut lines = stdout.lines();
    (lines.next() == Some("ran")).then(|| lines.map(str::to_owned).collect())
}

fn files(home: &Path, cwd: &Path) -> [(&'static str, std::path::PathBuf); 2] {
    let [(key, in_home), (env, in_cwd)] = FILES;
    [(key, home.join(in_home)), (env, cwd.join(in_cwd))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_did_not_run_has_proved_nothing() {
        assert_eq!(got(""), None);
        assert_eq!(got("Permission denied"), None);
        assert_eq!(got("ran\n"), Some(BTreeSet::new()));
        assert_eq!(got("ran\n.env\n"), Some(BTreeSet::from([".env".to_owned()])));
    }

    #[test]
    fn only_what_runs_scripts_is_asked() {
        let (home, cwd) = (Path::new("/h"), Path::new("/w"));
        assert!(words(Path::new("/t/venv/bin/python"), home, cwd).is_some());
        assert!(words(Path::new("/usr/bin/node"), home, cwd).is_some());
        assert_eq!(words(Path::new("/t/mcp-grafana"), home, cwd), None);
    }
}

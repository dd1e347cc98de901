//! PURE: a container's command line, judged option by option. What is not known here is refused: an engine's options can
//! give away the whole host. What is left is written anew, with what a server's container always gets.

mod mounts;
mod table;

use std::ffi::OsString;
use std::path::PathBuf;

use stockade_sandbox::{ClosedPlace, PathRule};

use crate::identity::invocation::ContainerRun;
use crate::plan::Tree;

/// What the server may have, from its profile, the client's entry and flags.
#[derive(Clone, Debug)]
pub struct Granted {
    /// Paths.
    pub paths: Vec<PathRule>,
    /// What stays closed inside of them.
    pub closed: Vec<ClosedPlace>,
    /// Names of variables.
    pub variables: Vec<OsString>,
    /// The network.
    pub network: Network,
    /// Most processes.
    pub processes: u64,
    /// Most memory, in bytes.
    pub memory_bytes: u64,
    /// Where relative paths begin.
    pub cwd: PathBuf,
}

/// Whether a container may have a network. Which hosts it reaches there nobody asks us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// None.
    None,
    /// One of its own, behind the engine's bridge.
    Bridge,
}

/// Something that cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// As it is typed, without values that may be secrets.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
}

/// A command line that may be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Words behind the engine's name.
    pub words: Vec<OsString>,
    /// What was left out or changed, in words.
    pub notes: Vec<String>,
    /// The network that it has.
    pub network: Network,
}

/// What is collected while options are gone through.
#[derive(Debug, Default)]
struct Draft {
    words: Vec<OsString>,
    notes: Vec<String>,
    objections: Vec<Objection>,
    network: Option<String>,
    network_options: Vec<OsString>,
    pull: Option<String>,
    processes: Option<u64>,
    memory_bytes: Option<u64>,
}

/// Judges. `name` is what the container will be called, and `image` what is started: the image by its digest where one is
/// known.
///
/// # Errors
/// Everything that is in the way, at once.
pub fn judge(
    run: &ContainerRun,
    granted: &Granted,
    (name, image): (&str, &str),
    tree: &dyn Tree,
) -> Result<Judged, Vec<Objection>> {
    let mut draft = Draft::default();
    for (option, value) in &run.options {
        draft.option(option, value.as_ref(), granted, tree);
    }
    let network = draft.network(granted.network);
    if !draft.objections.is_empty() {
        return Err(draft.objections);
    }
    let mut words: Vec<OsString> = ["run", "--interactive", "--rm", "--init"].map(OsString::from).to_vec();
    let processes = draft.processes.map_or(granted.processes, |asked| asked.min(granted.processes));
    let memory_bytes =
        draft.memory_bytes.map_or(granted.memory_bytes, |asked| asked.min(granted.memory_bytes));
    let ours = [
        format!("--name={name}"),
        "--cap-drop=ALL".to_owned(),
        "--security-opt=no-new-privileges".to_owned(),
        format!("--pids-limit={processes}"),
        format!("--memory={memory_bytes}"),
        // Swap beyond the limit would make it none.
        format!("--memory-swap={memory_bytes}"),
        format!("--network={}", if network == Network::Bridge { "bridge" } else { "none" }),
        format!("--pull={}", draft.pull.as_deref().unwrap_or("missing")),
    ];
    words.extend(ours.map(OsString::from));
    if run.engine == "podman" {
        // podman hands on the proxies of its own environment, credentials and all.
        words.push("--http-proxy=false".into());
    }
    words.extend(draft.words);
    // What an option is cannot be an image.
    words.push(image.into());
    words.extend(run.arguments.iter().cloned());
    Ok(Judged { words, notes: draft.notes, network })
}

impl Draft {
    fn option(&mut self, option: &str, value: Option<&OsString>, granted: &Granted, tree: &dyn Tree) {
        let Some(text) = value.map_or(Some(""), |value| value.to_str()) else {
            return self.refuse(option, "its value is no text", "write it in UTF-8");
        };
        // `--privileged=false` is as if it were not there.
        if value.is_some_and(|value| value == "false") && table::is_switch(option) {
            return;
        }
        match option {
            "interactive" | "rm" | "init" | "sig-proxy" => {}
            "tty" => self.note("--tty: a terminal would change the messages"),
            "name" => self.note("--name: the container is called by its session"),
            "cap-drop" => self.note("--cap-drop: all are dropped anyway"),
            "detach-keys" | "memory-swap" => self.note(&format!("--{option}: it is set by Stockade")),
            "network" => self.network = Some(text.to_owned()),
            "pull" if ["always", "missing", "never", "newer"].contains(&text) => {
                self.pull = Some(text.to_owned())
            }
            "pids-limit" => self.processes = text.parse().ok().filter(|&limit| limit > 0),
            "memory" => match bytes(text) {
                Some(bytes) => self.memory_bytes = Some(bytes).filter(|&bytes| bytes > 0),
                None => self.refuse(option, "it is no number of bytes", "write it like `512m`"),
            },
            "env" => self.variable(text, granted),
            "env-file" => self.file(option, text, granted, tree),
            "volume" => self.volume(text, granted, tree),
            "mount" => self.mount(text, granted, tree),
            _ => self.by_table(option, value, text),
        }
    }

    fn by_table(&mut self, option: &str, value: Option<&OsString>, text: &str) {
        match table::ruling(option, text) {
            table::Ruling::Harmless => self.words.push(word(option, value)),
            table::Ruling::Network => self.network_options.push(word(option, value)),
            table::Ruling::Refused { why, remedy } => self.refuse(option, why, remedy),
        }
    }

    /// `NAME=VALUE` is the command line's own; `NAME` is taken from the environment, and so has to be granted.
    fn variable(&mut self, text: &str, granted: &Granted) {
        let name = text.split('=').next().unwrap_or(text);
        if name.is_empty() || name.contains('*') {
            return self.refuse("env", "it names no single variable", "name each variable");
        }
        if text.contains('=') || granted.variables.iter().any(|known| known == name) {
            self.words.push(format!("--env={text}").into());
        } else {
            self.note(&format!(
                "--env {name}: neither the profile nor the client's entry passes it (`--env {name}` does)"
            ));
        }
    }

    /// The network that it gets, and the options that are about it.
    fn network(&mut self, granted: Network) -> Network {
        const OWN: &[&str] = &["bridge", "default", "private", "slirp4netns", "pasta"];
        let asked = self.network.take();
        match asked.as_deref() {
            None | Some("none") => {}
            Some(own) if OWN.contains(&own) => {}
            Some("host") => self.refuse(
                "network host",
                "the container would share every network of this machine, its loopback among them",
                "leave it out, and grant hosts in the profile",
            ),
            Some(other) => {
                let what = format!("network {}", other.split(':').next().unwrap_or(other));
                self.refuse(
                    &what,
                    "what else is in that network is not known",
                    "leave it out: it gets one of its own",
                );
            }
        }
        if granted == Network::None || asked.as_deref() == Some("none") {
            if asked.as_deref().is_some_and(|asked| asked != "none") {
                self.note("--network: the profile grants none");
            }
            if !self.network_options.is_empty() {
                self.note("options about a network: there is none");
            }
            return Network::None;
        }
        self.words.append(&mut self.network_options);
        Network::Bridge
    }

    fn note(&mut self, what: &str) {
        self.notes.push(format!("left out: {what}"));
    }

    fn refuse(&mut self, what: &str, why: &str, remedy: &str) {
        self.objections.push(Objection {
            what: format!("--{what}"),
            why: why.to_owned(),
            remedy: remedy.to_owned(),
        });
    }
}

fn word(option: &str, value: Option<&OsString>) -> OsString {
    let mut word = OsString::from(format!("--{option}"));
    if let Some(value) = value {
        word.push("=");
        word.push(value);
    }
    word
}

/// `512m`, `1g`, `1073741824`, `64mb`
fn bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let factor: u64 = match unit {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests;

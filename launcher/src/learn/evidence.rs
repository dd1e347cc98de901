//! What one run of a server was seen to do, as it is kept.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Version of the form; what has another one is not read.
pub(super) const VERSION: u32 = 1;

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// [`VERSION`]
    pub version: u32,
    /// When it began, RFC 3339.
    pub began: String,
    /// Mechanism of the jail.
    pub backend: String,
    /// What ran.
    pub identities: Vec<String>,
    /// Whether files could be seen at all.
    pub files_seen: bool,
    /// Files and directories beyond what every server has.
    pub files: Vec<FileSeen>,
    /// Destinations.
    pub hosts: Vec<HostSeen>,
    /// Refused for good: sockets, system calls, listeners.
    pub refused: Vec<RefusedSeen>,
    /// Variables given by flag.
    pub given: Vec<String>,
    /// Programs whose files could not be seen, since the user may not read them.
    pub unreadable: Vec<String>,
    /// Opens that nobody could keep.
    pub lost: u64,
    /// Paths that hold what looks like a secret, and are not kept.
    pub hidden: u64,
    /// Paths that were opened and are gone.
    pub gone: u64,
}

/// How a file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Read or listed.
    Read,
    /// Written, created.
    Write,
    /// Executed.
    Exec,
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A file that stood there before.
    File,
    /// A directory that was listed.
    Directory,
    /// A directory in which files were created.
    Inside,
    /// A directory with more files than were told apart.
    Crowd,
}

/// What became of it while learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Became {
    /// It was allowed.
    Allowed,
    /// The jail refused it.
    Refused,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSeen {
    /// Links resolved.
    pub path: String,
    /// How it was opened.
    pub way: Way,
    /// What it is.
    pub what: What,
    /// What became of it.
    pub became: Became,
    /// How often, by whom, when first.
    pub sight: Sighting,
}

/// A destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSeen {
    /// A name, or an address if no name led to it.
    pub host: String,
    /// TCP port; `None` if a name was asked for and refused before its port was known.
    pub port: Option<u16>,
    /// `public`, `loopback` …
    pub class: String,
    /// What became of it.
    pub became: Became,
    /// How often, by whom, when first.
    pub sight: Sighting,
}

/// Something that stays refused, whatever is learnt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedSeen {
    /// `listen on port 8080`
    pub words: String,
    /// Lines of a profile that would allow it.
    pub fragment: Option<String>,
    /// Why there are none.
    pub instead: Option<String>,
    /// How often.
    pub times: u64,
}

/// How often something was seen, by whom, when first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// How often.
    pub times: u64,
    /// Names of programs.
    pub by: Vec<String>,
    /// `tools/call read`; empty if no call was in flight.
    pub during: String,
}

impl Evidence {
    /// Ports of public hosts that were tried and were not open: they are in the next run.
    pub fn tried_ports(runs: &[Self]) -> BTreeSet<u16> {
        let hosts = runs.iter().flat_map(|run| &run.hosts);
        hosts.filter(|host| host.class == "public").filter_map(|host| host.port).collect()
    }
}

impl Sighting {
    /// Both together; the first call that is known stays.
    pub(super) fn add(&mut self, other: &Self) {
        const PROGRAMS_MAX: usize = 3;
        self.times = self.times.saturating_add(other.times);
        for program in &other.by {
            if self.by.len() < PROGRAMS_MAX && !self.by.contains(program) {
                self.by.push(program.clone());
            }
        }
        if self.during.is_empty() {
            self.during.clone_from(&other.during);
        }
    }
}

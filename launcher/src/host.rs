//! Facts about this machine and this process, read once; and the few file reads whose errors must carry the path.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Failure, Kind};
use crate::plan::EntryKind;

/// Facts read once at start.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Home directory of the user, from the password database if `HOME` is not set.
    pub home: PathBuf,
    /// Working directory.
    pub cwd: PathBuf,
    /// Our whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Numeric user id.
    pub uid: u32,
    /// User name, or the number.
    pub user: String,
    /// `$XDG_STATE_HOME/stockade`: events, private homes of servers, journal, key.
    pub state_dir: PathBuf,
    /// `$XDG_CONFIG_HOME/stockade`: the user's policy and profiles.
    pub config_dir: PathBuf,
    /// `/etc/stockade`: the organisation's policy and profiles.
    pub system_dir: PathBuf,
}

impl Facts {
    /// Reads the facts.
    ///
    /// # Errors
    /// When there is no home directory or no working directory.
    pub fn gather() -> Result<Self, Failure> {
        let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let uid = nix::unistd::getuid();
        let entry = nix::unistd::User::from_uid(uid).ok().flatten();
        let home = env
            .get(OsString::from("HOME").as_os_str())
            .map(PathBuf::from)
            .filter(|home| home.is_absolute())
            .or_else(|| entry.as_ref().map(|user| user.dir.clone()))
            .ok_or_else(|| {
                Failure::new(Kind::Config, "cannot tell the home directory")
                    .cause("HOME is not set to an absolute path and the user database has no entry")
                    .hint("set HOME")
            })?;
        let cwd = std::env::current_dir().map_err(|error| {
            Failure::new(Kind::Config, "cannot tell the working directory")
                .because(&error)
                .hint("start from a directory that exists")
        })?;
        let base = |name: &str, below: &str| {
            env.get(OsString::from(name).as_os_str())
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
                .unwrap_or_else(|| home.join(below))
                .join("stockade")
        };
        Ok(Self {
            // Grants follow no links, and the servers' private directories lie in here.
            state_dir: real(&base("XDG_STATE_HOME", ".local/state")),
            config_dir: base("XDG_CONFIG_HOME", ".config"),
            system_dir: PathBuf::from("/etc/stockade"),
            uid: uid.as_raw(),
            user: entry.map_or_else(|| uid.to_string(), |user| user.name),
            home,
            cwd,
            env,
        })
    }

    /// One variable of our environment.
    pub fn var(&self, name: &str) -> Option<&OsString> {
        self.env.get(OsString::from(name).as_os_str())
    }
}

/// The path with the links of its existing part resolved.
fn real(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(found), Ok(rest)) = (std::fs::canonicalize(ancestor), path.strip_prefix(ancestor)) {
            return found.join(rest);
        }
    }
    path.to_owned()
}

/// The time. Events carry it in UTC: machines of a fleet stand in many zones.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Whether a file or directory belongs to this user or to root.
pub fn belongs_to(path: &Path, uid: u32) -> bool {
    std::fs::metadata(path).is_ok_and(|facts| facts.uid() == uid || facts.uid() == 0)
}

/// A text file's content; the error names the path.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(Kind::Config, format!("cannot read {}", path.display()))
            .because(&error)
            .hint("check the path and its permissions")
    })
}

/// The real file system, as far as a plan looks at it.
#[derive(Debug)]
pub struct FileTree;

impl crate::plan::Tree for FileTree {
    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        // Most sensitive places do not exist: one call tells, where resolving asks for every part of the path.
        std::fs::symlink_metadata(path).ok()?;
        std::fs::canonicalize(path).ok()
    }

    fn children(&self, path: &Path) -> Vec<PathBuf> {
        let mut children: Vec<PathBuf> = std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        children.sort();
        children
    }

    fn kind(&self, path: &Path) -> Option<EntryKind> {
        std::fs::symlink_metadata(path).ok().map(|facts| kind(facts.file_type()))
    }

    fn entries(&self, path: &Path, most: usize) -> Vec<(PathBuf, EntryKind)> {
        let listed = std::fs::read_dir(path).into_iter().flatten().flatten().take(most);
        let mut entries: Vec<_> =
            listed.filter_map(|entry| Some((entry.path(), kind(entry.file_type().ok()?)))).collect();
        // As bytes: comparing paths part by part takes longer than reading the directory.
        entries.sort_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
        entries
    }
}

fn kind(found: std::fs::FileType) -> EntryKind {
    match found {
        found if found.is_dir() => EntryKind::Directory,
        found if found.is_file() => EntryKind::File,
        found if found.is_symlink() => EntryKind::Link,
        _ => EntryKind::Other,
    }
}

/// Names of the processes above us, nearest first: evidence of which client started us.
pub fn ancestors() -> Vec<String> {
    names_of(&above())
}

/// The same, of these.
pub fn names_of(above: &[Process]) -> Vec<String> {
    const DEPTH_MAX: usize = 6;
    above
        .iter()
        .filter(|process| process.pid > 1)
        .take(DEPTH_MAX)
        .map(|process| process.name.clone())
        .collect()
}

/// A process above us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// What it calls itself.
    pub name: String,
    /// The file that it runs, if we may know.
    pub program: Option<String>,
    /// Its command line.
    pub words: Vec<String>,
}

/// All processes above us, nearest first, as far as they can be told.
pub fn above() -> Vec<Process> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
    const DEPTH_MAX: usize = 64;
    let mut found = Vec::new();
    let Ok(mut system) = System::new() else { return found };
    let what = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always).with_cmd(UpdateKind::Always);
    let mut next = u32::try_from(nix::unistd::getppid().as_raw()).ok();
    while let Some(number) = next.filter(|pid| *pid > 0 && found.len() < DEPTH_MAX) {
        let pid = Pid::from_u32(number);
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        let Some(process) = system.process(pid) else { break };
        let text = |word: &std::ffi::OsString| word.to_string_lossy().into_owned();
        found.push(Process {
            pid: number,
            name: process.name().to_string_lossy().into_owned(),
            program: process.exe().map(|path| path.display().to_string()),
            words: process.cmd().iter().map(text).collect(),
        });
        next = process.parent().map(Pid::as_u32);
    }
    found
}

/// Every process of this user that we may know of, with those above it, nearest first.
pub fn lineages() -> Vec<(Process, Vec<Process>)> {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
    const DEPTH_MAX: usize = 64;
    let Ok(mut system) = System::new() else { return Vec::new() };
    let what = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always).with_cmd(UpdateKind::Always);
    let what = what.with_user(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, false, what.without_tasks());
    // What others run on the same machine is theirs.
    let own = nix::unistd::getuid().to_string();
    let is_own = |one: &&sysinfo::Process| one.user_id().is_none_or(|uid| uid.to_string() == own);
    let process = |one: &sysinfo::Process| Process {
        pid: one.pid().as_u32(),
        name: one.name().to_string_lossy().into_owned(),
        program: one.exe().map(|path| path.display().to_string()),
        words: one.cmd().iter().map(|word| word.to_string_lossy().into_owned()).collect(),
    };
    let above = |one: &sysinfo::Process| {
        let chain = std::iter::successors(one.parent(), |pid| system.process(*pid)?.parent());
        chain.take(DEPTH_MAX).filter_map(|pid| system.process(pid)).map(process).collect()
    };
    system.processes().values().filter(is_own).map(|one| (process(one), above(one))).collect()
}

/// Our `PATH`.
pub fn search_path() -> Option<String> {
    std::env::var("PATH").ok().filter(|path| !path.is_empty())
}

/// For how long a process has run, if it is there, in seconds.
pub fn run_time_s(pid: u32) -> Option<u64> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
    let mut system = System::new().ok()?;
    let pid = Pid::from_u32(pid);
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, ProcessRefreshKind::nothing());
    system.process(pid).map(sysinfo::Process::run_time)
}

/// The environments of the process that started us (of its start, proc_pid_environ(5)), and of what else it started; as far as we may
/// read them.
pub fn environments_around() -> Option<(Environment, Vec<Environment>)> {
    let parent = u32::try_from(nix::unistd::getppid().as_raw()).ok()?;
    let own = std::process::id();
    let all = lineages();
    let siblings = all.iter().filter(|(process, above)| {
        process.pid != own && above.first().is_some_and(|above| above.pid == parent)
    });
    let siblings = siblings.filter_map(|(process, _)| environment(process.pid)).collect();
    Some((environment(parent)?, siblings))
}

/// Variables with their values.
pub type Environment = BTreeMap<OsString, OsString>;

/// The environment that a process was started with, if we may read it.
pub fn environment(pid: u32) -> Option<Environment> {
    use std::os::unix::ffi::OsStringExt;
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variable = |entry: &[u8]| {
        let at = entry.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (entry.get(..at)?.to_vec(), entry.get(at + 1..)?.to_vec());
        Some((OsString::from_vec(name), OsString::from_vec(value)))
    };
    Some(bytes.split(|byte| *byte == 0).filter_map(variable).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_the_existing_part_of_a_path_are_resolved() {
        let dir = tempfile::tempdir().unwrap();
        let place = std::fs::canonicalize(dir.path()).unwrap();
        std::fs::create_dir(place.join("data")).unwrap();
        std::os::unix::fs::symlink(place.join("data"), place.join("home")).unwrap();
        assert_eq!(real(&place.join("home/u/state")), place.join("data/u/state"));
    }
}

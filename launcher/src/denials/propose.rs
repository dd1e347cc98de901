//! PURE: which grant would allow what was refused, as a fragment of a profile; or why there is none and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use stockade_sandbox::Access;

use super::fence::Why;
use super::objections;
use super::record::Entry;
use super::tried::{FileKind, Tried};
use crate::commands::screen::is_invisible;
use crate::plan::ClosedPlaces;

/// What to do about a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// This grant would allow it.
    Grant(Grant),
    /// No grant is proposed: why, and what to do instead.
    None(String),
}

/// One item of one list of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    list: List,
    item: Item,
}

/// The lists that grants stand in, in the order in which they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum List {
    Read,
    Write,
    Exec,
    Hosts,
    Listen,
    Open,
    Unix,
    Upload,
}

impl List {
    /// What others write fragments of.
    const OF_OTHERS: [Self; 3] = [Self::Hosts, Self::Open, Self::Upload];

    /// Table and key.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("fs", "read"),
            Self::Write => ("fs", "write"),
            Self::Exec => ("fs", "exec"),
            Self::Hosts => ("net", "allow"),
            Self::Listen => ("net", "listen"),
            Self::Open => ("net", "open"),
            Self::Unix => ("unix", "allow"),
            Self::Upload => ("limits", "upload"),
        }
    }

    fn of(access: Access) -> Self {
        match access {
            Access::Read => Self::Read,
            Access::ReadWrite => Self::Write,
            Access::ReadExecute => Self::Exec,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Path(PathBuf),
    Port(u16),
    /// As it was written elsewhere: inline tables, or one value.
    Written(Vec<String>),
}

/// What could be done about many refusals at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposals {
    /// A fragment that allows all that a grant may allow, each list once; `None` if nothing may.
    pub fragment: Option<String>,
    /// The others: what was tried, and what to do about it.
    pub without: Vec<(String, String)>,
}

/// So many files of one directory stand for the directory.
const FOLD_FROM: usize = 3;
/// Directories may fold into theirs this often.
const FOLD_ROUNDS: usize = 3;
/// Lines of one list; a program that needs more than this needs a profile of its own.
const LINES_MAX: usize = 40;

/// What would allow one thing. `why` is the fence's, for files.
pub fn remedy(tried: &Tried, why: Option<&Why>, places: &ClosedPlaces) -> Remedy {
    match (objections::objection(tried, why, places), grant(tried)) {
        (Some(why), _) => Remedy::None(why),
        (None, Some(grant)) => Remedy::Grant(grant),
        (None, None) => Remedy::None("there is no grant for it".to_owned()),
    }
}

/// The grant that names this and nothing more.
pub(super) fn grant(tried: &Tried) -> Option<Grant> {
    let (list, item) = match tried {
        Tried::File { path, access, kind: FileKind::New } => {
            (List::of(*access), Item::Path(path.parent()?.to_owned()))
        }
        Tried::File { path, access, .. } => (List::of(*access), Item::Path(path.clone())),
        Tried::UnixSocket { path } => (List::Unix, Item::Path(path.clone())),
        Tried::Listen { port } => (List::Listen, Item::Port(*port)),
        Tried::SystemCall { .. } | Tried::Socket { .. } | Tried::Network { .. } | Tried::Page { .. } => {
            return None;
        }
    };
    Some(Grant { list, item })
}

impl Grant {
    /// A grant as the broker writes it: a table's head and one key.
    pub fn read(fragment: &str) -> Option<Self> {
        let odd = |c: char| (c.is_control() && c != '\n') || is_invisible(c);
        if fragment.contains(odd) {
            return None;
        }
        List::OF_OTHERS.into_iter().find_map(|list| {
            let (table, key) = list.place();
            let rest = fragment.trim().strip_prefix(&format!("[{table}]"))?.trim_start();
            let value = rest.strip_prefix(key)?.trim_start().strip_prefix('=')?.trim();
            if list == List::Upload {
                return Some(Self { list, item: Item::Written(vec![value.to_owned()]) });
            }
            let tables = value.strip_prefix('[')?.strip_suffix(']')?.trim();
            let tables = tables.strip_prefix('{')?.trim_end_matches(',').trim_end().strip_suffix('}')?;
            // Names of hosts hold no braces.
            let tables = tables.split("}, {").map(|one| format!("{{{one}}}")).collect();
            Some(Self { list, item: Item::Written(tables) })
        })
    }

    /// As a fragment of a profile.
    pub fn fragment(&self, program: Option<&Path>, places: &ClosedPlaces) -> String {
        let (table, key) = self.list.place();
        let by = program.map(program_name).into_iter().collect();
        let lines = lines(&self.item, &by, places).join(", ");
        match self.list {
            List::Upload => format!("[{table}]\n{key} = {lines}\n"),
            _ => format!("[{table}]\n{key} = [{lines}]\n"),
        }
    }
}

/// What would allow all of these: files folded into directories, each list once.
pub fn proposals(entries: &[Entry], places: &ClosedPlaces) -> Proposals {
    let mut without = Vec::new();
    let mut files: BTreeMap<List, Wanted> = BTreeMap::new();
    let mut others: BTreeMap<List, BTreeSet<String>> = BTreeMap::new();
    for entry in entries {
        let grant = match &entry.remedy {
            Remedy::Grant(grant) => grant,
            Remedy::None(why) => {
                let said = (entry.tried.words(), why.clone());
                if !without.contains(&said) {
                    without.push(said);
                }
                continue;
            }
        };
        let by = entry.program.as_deref().map(program_name);
        match (&grant.item, &entry.tried) {
            (Item::Path(path), Tried::File { kind, .. }) => {
                let wanted = files.entry(grant.list).or_default().entry(path.clone()).or_default();
                wanted.directory |= *kind != FileKind::File;
                wanted.by.extend(by);
            }
            (item, _) => {
                let by = by.into_iter().collect();
                others.entry(grant.list).or_default().extend(lines(item, &by, places));
            }
        }
    }
    fold(&mut files, places);
    let mut lists: BTreeMap<List, Vec<String>> = BTreeMap::new();
    for (list, wanted) in files {
        let lines =
            wanted.into_iter().flat_map(|(path, wanted)| lines(&Item::Path(path), &wanted.by, places));
        lists.insert(list, lines.collect());
    }
    lists.extend(others.into_iter().map(|(list, lines)| (list, lines.into_iter().collect())));
    lists.retain(|_, lines| !lines.is_empty());
    Proposals { fragment: (!lists.is_empty()).then(|| written(&lists)), without }
}

/// The wanted paths of one list.
type Wanted = BTreeMap<PathBuf, WantedPath>;

#[derive(Clone, Debug, Default)]
struct WantedPath {
    directory: bool,
    by: BTreeSet<String>,
}

fn fold(files: &mut BTreeMap<List, Wanted>, places: &ClosedPlaces) {
    for (list, wanted) in files.iter_mut() {
        let access = match list {
            List::Write => Access::ReadWrite,
            List::Exec => Access::ReadExecute,
            _ => Access::Read,
        };
        for _ in 0..FOLD_ROUNDS {
            cover(wanted);
            let mut children: BTreeMap<PathBuf, usize> = BTreeMap::new();
            for path in wanted.keys() {
                if let Some(parent) = path.parent() {
                    *children.entry(parent.to_owned()).or_default() += 1;
                }
            }
            children.retain(|parent, count| {
                *count >= FOLD_FROM
                    && objections::of_file(parent, access, FileKind::Directory, None, places).is_none()
            });
            if children.is_empty() {
                break;
            }
            for parent in children.into_keys() {
                wanted.entry(parent).or_default().directory = true;
            }
        }
        cover(wanted);
    }
    // Whoever may write or execute may read.
    let more: Vec<PathBuf> = [List::Write, List::Exec]
        .iter()
        .filter_map(|list| files.get(list))
        .flat_map(|wanted| wanted.keys().cloned())
        .collect();
    if let Some(read) = files.get_mut(&List::Read) {
        read.retain(|path, _| !more.iter().any(|other| path.starts_with(other)));
    }
}

/// Takes out what a wanted directory holds anyway, and notes there for whom.
fn cover(wanted: &mut Wanted) {
    let directories: Vec<PathBuf> =
        wanted.iter().filter(|(_, wanted)| wanted.directory).map(|(path, _)| path.clone()).collect();
    for directory in directories {
        let below: Vec<PathBuf> = wanted
            .keys()
            .filter(|path| path.starts_with(&directory) && **path != directory)
            .cloned()
            .collect();
        for path in below {
            let by = wanted.remove(&path).map(|wanted| wanted.by).into_iter().flatten();
            if let Some(wanted) = wanted.get_mut(&directory) {
                wanted.by.extend(by);
            }
        }
    }
}

fn written(lists: &BTreeMap<List, Vec<String>>) -> String {
    let mut out = String::new();
    let mut open = "";
    for (list, lines) in lists {
        let (table, key) = list.place();
        // Writing to a String cannot fail.
        if table != open {
            let _ = writeln!(out, "{}[{table}]", if open.is_empty() { "" } else { "\n" });
            open = table;
        }
        if *list == List::Upload {
            let _ = writeln!(out, "{key} = {}", lines.last().map_or("", String::as_str));
            continue;
        }
        let _ = writeln!(out, "{key} = [");
        for line in lines.iter().take(LINES_MAX) {
            let _ = writeln!(out, "  {line},");
        }
        if let Some(left_out) = lines.len().checked_sub(LINES_MAX).filter(|count| *count > 0) {
            let _ =
                writeln!(out, "  # {left_out} more are left out here: name the directories that they share");
        }
        let _ = writeln!(out, "]");
    }
    out
}

fn lines(item: &Item, by: &BTreeSet<String>, places: &ClosedPlaces) -> Vec<String> {
    let names: Vec<&str> = by.iter().take(3).map(String::as_str).collect();
    let reason = if names.is_empty() { "tried".to_owned() } else { format!("tried by {}", names.join(", ")) };
    let reason = quoted(&reason);
    match item {
        Item::Written(lines) => lines.clone(),
        Item::Port(port) => vec![format!("{{ port = {port}, reason = {reason} }}")],
        Item::Path(path) => {
            let path = match path.strip_prefix(&places.home) {
                Ok(below) if below.components().next().is_some() => format!("${{home}}/{}", below.display()),
                _ => path.display().to_string(),
            };
            vec![format!("{{ path = {}, reason = {reason} }}", quoted(&path))]
        }
    }
}

/// A TOML basic string. Characters that it cannot hold plainly are left out: only names of programs bring them here.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars().filter(|c| !c.is_control() && !is_invisible(*c)) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

fn program_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;

//! A client with a window starts servers with hardly any `PATH`: the one under which the entry was wrapped finds what that does not.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::clients::journal::Journal;
use crate::host::Facts;

/// The facts with the directories of the entry's own `PATH` behind ours, if ours does not have the program and those do.
pub(crate) fn with_search_path(id: Option<&str>, command: &[OsString], mut facts: Facts) -> Facts {
    let own = facts.var("PATH").cloned().unwrap_or_default();
    let (Some(id), Some(program)) = (id, command.first()) else { return facts };
    if Path::new(program).components().count() != 1 || finds(&own, program) {
        return facts;
    }
    let records = Journal::peek(&facts.state_dir).of_id(id);
    let known: BTreeSet<String> = records.into_iter().filter_map(|record| record.search_path).collect();
    let Some(kept) = known.into_iter().find(|kept| finds(OsStr::new(kept), program)) else { return facts };
    // A relative directory means something else here.
    let absolute = |path: &PathBuf| path.is_absolute();
    let all: Vec<PathBuf> =
        std::env::split_paths(&own).chain(std::env::split_paths(&kept).filter(absolute)).collect();
    if let Ok(path) = std::env::join_paths(all) {
        facts.env.insert("PATH".into(), path);
    }
    facts
}

fn finds(path: &OsStr, program: &OsStr) -> bool {
    let is_program = |path: &Path| {
        path.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .any(|directory| is_program(&directory.join(program)))
}

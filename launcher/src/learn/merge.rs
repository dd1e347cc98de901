//! What was learnt, put into a profile of the user's: lines are added where their lists stand, every other byte stays.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use stockade_policy::document::profile::Profile;

use super::case::Case;
use super::evidence::Evidence;
use super::propose::beyond;
use super::splice::add;
use super::wanted::List;
use super::write::item;
use crate::error::{Failure, Kind};
use crate::host;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The lines that were added, each with its list; none if everything was granted already.
    pub added: Vec<String>,
    /// What was tried and is not granted, in words.
    pub aside: Vec<String>,
}

/// Adds to a profile's file what the runs ask for beyond it.
///
/// # Errors
/// When the file is no profile, cannot be changed, or writes its lists in a form that nothing can be added to.
pub fn merge(case: &Case, runs: &[Evidence], path: &Path) -> Result<Merged, Failure> {
    let text = host::read_text(path)?;
    let shown = path.display().to_string();
    let find = |name: &str| case.find(name);
    let profile = Profile::parse(&shown, &text, &find)?;
    let wanted = beyond(case, &profile, runs)?;
    let mut lists: BTreeMap<List, Vec<String>> = BTreeMap::new();
    for line in &wanted.lines {
        lists.entry(line.list).or_default().push(item(line));
    }
    let mut merged = text.clone();
    let mut added = Vec::new();
    for (list, items) in &lists {
        let (table, key) = list.place();
        merged = add(&merged, (table, key), items).map_err(|why| {
            Failure::new(Kind::Config, format!("cannot add to `[{table}] {key}` in {shown}"))
                .cause(why)
                .hint("add the lines that `stockade learn` proposes by hand; the file was not changed")
        })?;
        added.extend(items.iter().map(|item| format!("[{table}] {key}: {item}")));
    }
    let aside = wanted.asides.iter().map(|aside| format!("{}: {}", aside.what, aside.why)).collect();
    if added.is_empty() {
        return Ok(Merged { added, aside });
    }
    let changed = Profile::parse(&shown, &merged, &find)
        .map_err(|mistakes| Failure { kind: Kind::Software, ..Failure::from(mistakes) })?;
    // Nothing may get lost by what is added.
    let kept = profile.read.iter().all(|grant| changed.read.contains(grant))
        && profile.write.iter().all(|grant| changed.write.contains(grant))
        && profile.net_allow.iter().all(|grant| changed.net_allow.contains(grant));
    if !kept {
        return Err(Failure::new(
            Kind::Software,
            format!("the changed {shown} would grant less than before"),
        )
        .hint("the file was not changed; this is a defect of Stockade"));
    }
    replace(path, &merged).map_err(|error| {
        Failure::new(Kind::Permission, format!("cannot write {shown}"))
            .because(&error)
            .hint("the file was not changed")
    })?;
    Ok(Merged { added, aside })
}

/// The whole file or nothing. A link stays a link, and the mode stays.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let real = std::fs::canonicalize(path)?;
    let mode = std::fs::metadata(&real)?.mode() & 0o777;
    let new = real.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let outcome = written.and_then(|()| std::fs::rename(&new, &real));
    if outcome.is_err() {
        // The first failure is the one to tell.
        let _ = std::fs::remove_file(&new);
    }
    outcome
}

//! PURE: many files of one directory as the directory, where that says no more than the files did.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::evidence::{Way, What};
use super::wanted::{Bench, Candidate, Candidates, List, Tally};

/// So many files of one directory stand for the directory.
const FOLD_FROM: usize = 4;
/// So many of them, if their names look made by a program: it will make others next time.
const FOLD_GENERATED_FROM: usize = 2;
/// Directories may fold into theirs this often.
const ROUNDS: usize = 2;

/// Folds reading and writing. Programs are named one by one.
pub(super) fn fold(lists: &mut BTreeMap<List, Candidates>, bench: &Bench<'_>) {
    for (list, way) in [(List::Read, Way::Read), (List::Write, Way::Write)] {
        let Some(candidates) = lists.get_mut(&list) else { continue };
        for _ in 0..ROUNDS {
            cover(candidates);
            let parents = full(candidates);
            let may = |parent: &PathBuf| bench.objection(parent, way, What::Directory).is_none();
            let verb = if list == List::Write { "files in it written" } else { "files in it read" };
            let parents: Vec<PathBuf> =
                parents.into_iter().filter(may).filter(|parent| !candidates.contains_key(parent)).collect();
            if parents.is_empty() {
                break;
            }
            for parent in parents {
                let empty = Candidate { directory: true, verb, tally: Tally::default() };
                candidates.insert(parent, empty);
            }
        }
        cover(candidates);
    }
    // Whoever may write or execute may read.
    let more: Vec<(PathBuf, bool)> = [List::Write, List::Exec]
        .iter()
        .filter_map(|list| lists.get(list))
        .flat_map(|candidates| candidates.iter().map(|(path, one)| (path.clone(), one.directory)))
        .collect();
    if let Some(read) = lists.get_mut(&List::Read) {
        read.retain(|path, one| {
            !more.iter().any(|(other, directory)| {
                path == other && (*directory || !one.directory) || *directory && path.starts_with(other)
            })
        });
    }
}

/// Directories with so many candidates in them that they stand for these.
fn full(candidates: &Candidates) -> Vec<PathBuf> {
    let mut children: BTreeMap<PathBuf, (usize, usize)> = BTreeMap::new();
    for path in candidates.keys() {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let (all, generated) = children.entry(parent.to_owned()).or_default();
        *all += 1;
        *generated += usize::from(is_generated(&name.to_string_lossy()));
    }
    let is_full = |(all, generated): &(usize, usize)| *all >= FOLD_FROM || *generated >= FOLD_GENERATED_FROM;
    children.into_iter().filter(|(_, counts)| is_full(counts)).map(|(path, _)| path).collect()
}

/// Whether a name looks made by a program: a long number, a hash, a UUID.
fn is_generated(name: &str) -> bool {
    let longest = |is: fn(char) -> bool| name.split(|c: char| !is(c)).map(str::len).max().unwrap_or(0);
    let hex = |c: char| c.is_ascii_hexdigit() || c == '-';
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    longest(|c| c.is_ascii_digit()) >= 6 || (longest(hex) >= 12 && digits >= 3)
}

/// Takes out what a directory holds anyway, and counts it there.
fn cover(candidates: &mut Candidates) {
    let directories: Vec<PathBuf> =
        candidates.iter().filter(|(_, one)| one.directory).map(|(path, _)| path.clone()).collect();
    for directory in directories {
        let below: Vec<PathBuf> = candidates
            .keys()
            .filter(|path| path.starts_with(&directory) && **path != directory)
            .cloned()
            .collect();
        for path in below {
            let Some(taken) = candidates.remove(&path) else { continue };
            if let Some(into) = candidates.get_mut(&directory) {
                into.tally.add(&taken.tally);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_made_by_programs_are_known() {
        for name in ["cache-1699999999.json", "0f8fad5b-d9cb-469f-a165-70867728950e", "a3f5e1c2b4d69788.bin"]
        {
            assert!(is_generated(name), "{name}");
        }
        for name in ["notes.txt", "report-2024.md", "deadbeef", "feedback-facade"] {
            assert!(!is_generated(name), "{name}");
        }
    }
}

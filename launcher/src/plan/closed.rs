//! What stays closed inside the grants, and the same grants without it for backends that cannot mask anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stockade_sandbox::{Access, Closed, ClosedPlace, Files, PathRule};

use super::paths::{Asked, Scope, Settled};
use super::tree::Tree;
use crate::error::{Failure, Kind};

/// The files of a plan.
#[derive(Debug)]
pub(super) struct Fenced {
    pub(super) files: Files,
    /// Why each wide rule is granted, in their order.
    pub(super) reasons: Vec<String>,
    pub(super) notes: Vec<String>,
    /// What is different without a mount namespace.
    pub(super) without_view: Vec<String>,
    /// Whether some place can only be closed by a mount namespace.
    pub(super) needs_view: bool,
}

/// A place with what is known of it.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    closed: Closed,
    /// Whether a backend without a mount namespace grants around it even while it does not exist.
    around: Around,
}

/// When a directory is granted by its children, so that a place in it is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    /// Always: what appears in a home directory is worth it.
    Always,
    /// If the place exists: else no file could be created in any project.
    IfThere,
}

/// Finds what stays closed, and computes the grants without it. A profile that says `strict` stops here if the search
/// could not be finished.
///
/// # Errors
/// When `strict` cannot be kept.
pub(super) fn fence(settled: Settled, tree: &dyn Tree, strict: bool) -> Result<Fenced, Failure> {
    let search = settled.search(tree);
    let mut notes = settled.notes.clone();
    for root in &search.unfinished {
        let shown = root.display();
        if strict {
            return Err(Failure::new(Kind::Permission, format!("{shown} is too large for a strict profile"))
                .cause("not every file of it can be looked at, so a file of secrets could stay open")
                .hint("grant the directories in it that are needed, or leave `strict` out of the profile"));
        }
        notes.push(format!(
            "{shown}: too large to be searched to its end, files of secrets deep in it stay open"
        ));
    }
    let places = inside(&settled, places(&settled, search.secrets, search.obeyed, tree));
    let left_open = left_open(&settled, &places);
    let mut needs_view = !left_open.is_empty();
    let mut without_view: Vec<String> =
        left_open.iter().map(|place| format!("{}: open to writing", place.display())).collect();
    let mut narrow = Narrow { tree, places: &places, left_open, rules: Vec::new() };
    let mut listed = Vec::new();
    for asked in &settled.asked {
        if narrow.add(asked) == Whole::ByChildren {
            let names = if narrow.may_be_listed(&asked.path) {
                listed.push(asked.path.clone());
                ", though its name is shown"
            } else {
                ""
            };
            without_view.push(format!(
                "{}: granted by its children; what is created in it later is not granted{names}",
                asked.path.display()
            ));
        }
    }
    let rules = narrow.rules;
    let later = later(&settled, &places, tree);
    needs_view |= !later.is_empty();
    without_view.extend(later);
    let closed = places.iter().map(|p| ClosedPlace { path: p.path.clone(), closed: p.closed }).collect();
    let mut files = Files { wide: settled.rules(), closed, narrow: rules, listed, scratch: None };
    let mut reasons = settled.asked.into_iter().map(|asked| asked.reason).collect();
    of_its_own(&mut files, &mut reasons);
    Ok(Fenced { files, reasons, notes, without_view, needs_view })
}

/// What a view makes new and empty for its jail, so that it needs no grant. Without a view these are the machine's: the
/// shared memory and the terminals of the user's other programs.
const OF_ITS_OWN: [(&str, &str); 3] = [
    (
        "/dev/shm",
        "shared memory and semaphores (shm_overview(7)) of its own, where there is a mount namespace",
    ),
    ("/dev/ptmx", "terminals (pty(7)) of its own, where there is a mount namespace"),
    ("/dev/pts", "terminals (pty(7)) of its own, where there is a mount namespace"),
];

fn of_its_own(files: &mut Files, reasons: &mut Vec<String>) {
    for (place, reason) in OF_ITS_OWN {
        if files.wide.iter().all(|rule| !Path::new(place).starts_with(&rule.path)) {
            files.wide.push(PathRule { path: place.into(), access: Access::ReadWrite });
            reasons.push(reason.to_owned());
        }
    }
}

/// Every place that could matter.
fn places(settled: &Settled, secrets: Vec<PathBuf>, obeyed: Vec<PathBuf>, tree: &dyn Tree) -> Vec<Place> {
    let place = |closed, around| move |path: PathBuf| Place { path, closed, around };
    let targets = |path: PathBuf| super::places::both_names(tree, path);
    let known = settled.places.sensitive.iter().chain(&settled.by_profile).cloned();
    let mut places: Vec<Place> = known.map(place(Closed::Entirely, Around::Always)).collect();
    let for_writing = settled.places.for_writing.iter().cloned();
    places.extend(for_writing.map(place(Closed::ForWriting, Around::Always)));
    places.extend(secrets.into_iter().flat_map(targets).map(place(Closed::Contents, Around::IfThere)));
    places.extend(obeyed.into_iter().flat_map(targets).map(place(Closed::ForWriting, Around::IfThere)));
    places
}

/// Those that lie inside a grant and are not opened by name, each once.
fn inside(settled: &Settled, candidates: Vec<Place>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for mut place in candidates {
        let holders = settled.asked.iter().filter(|asked| {
            let matters = place.closed != Closed::ForWriting || asked.access == Access::ReadWrite;
            asked.scope != Scope::Private && matters && place.path.starts_with(&asked.path)
        });
        let mut wide = holders.filter(|asked| asked.path != place.path).peekable();
        if wide.peek().is_none() || places.iter().any(|known| known.path == place.path) {
            continue;
        }
        let writable = wide.any(|asked| asked.access == Access::ReadWrite);
        let opened = settled.asked.iter().find(|a| a.path == place.path && a.scope == Scope::Opens);
        match opened.map(|asked| asked.access) {
            None => {}
            // Named for reading inside of a grant for writing.
            Some(Access::Read | Access::ReadExecute) if writable => place.closed = Closed::ForWriting,
            Some(_) => continue,
        }
        // What lies in a closed place is closed with it, unless something between the two is granted.
        let between = |known: &Path| {
            settled.asked.iter().any(|a| a.path.starts_with(known) && place.path.starts_with(&a.path))
        };
        let is_in = |known: &Place| {
            known.closed != Closed::ForWriting && place.path.starts_with(&known.path) && !between(&known.path)
        };
        if !places.iter().any(is_in) {
            places.push(place);
        }
    }
    places
}

/// Places that a profile opens together with the directory that it names, where they cannot be told apart: git's hooks
/// and configuration inside of `.git`.
fn left_open(settled: &Settled, places: &[Place]) -> Vec<PathBuf> {
    let named = |path: &Path| settled.asked.iter().any(|a| a.scope == Scope::OpensInside && a.path == path);
    let open = places
        .iter()
        .filter(|place| place.closed == Closed::ForWriting && place.path.parent().is_some_and(named));
    open.map(|place| place.path.clone()).collect()
}

/// What nothing but a mount namespace closes when it appears, a line a grant.
fn later(settled: &Settled, places: &[Place], tree: &dyn Tree) -> Vec<String> {
    let missing = |place: &&Place| place.around == Around::IfThere && tree.kind(&place.path).is_none();
    let mut lines = Vec::new();
    let mut roots: BTreeMap<(&Path, &str), Vec<String>> = BTreeMap::new();
    for place in places.iter().filter(missing) {
        let around = settled.asked.iter().map(|asked| asked.path.as_path());
        let Some(root) = around.filter(|path| place.path.starts_with(path)).max() else { continue };
        let open = if place.closed == Closed::ForWriting { "open to writing" } else { "open" };
        let below = place.path.strip_prefix(root).unwrap_or(&place.path).display().to_string();
        roots.entry((root, open)).or_default().push(below);
    }
    for ((root, open), names) in roots {
        lines.push(format!("{}: {open}, should they appear: {}", root.display(), names.join(" ")));
    }
    lines
}

/// The grants without anything closed in them.
struct Narrow<'a> {
    tree: &'a dyn Tree,
    places: &'a [Place],
    left_open: Vec<PathBuf>,
    rules: Vec<PathRule>,
}

/// What became of one grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    AsAsked,
    ByChildren,
}

impl Narrow<'_> {
    fn add(&mut self, asked: &Asked) -> Whole {
        if asked.scope != Scope::Private && self.holds(&asked.path, asked.access) {
            self.children(&asked.path, asked.access);
            return Whole::ByChildren;
        }
        self.push(asked.path.clone(), asked.access);
        Whole::AsAsked
    }

    /// Whether something in it stays closed, so that it is granted by its children.
    fn holds(&self, path: &Path, access: Access) -> bool {
        self.places.iter().any(|place| {
            let matters = place.closed != Closed::ForWriting || access == Access::ReadWrite;
            let is_there = || place.around == Around::Always || self.tree.kind(&place.path).is_some();
            matters
                && place.path != path
                && place.path.starts_with(path)
                && !self.left_open.contains(&place.path)
                && is_there()
        })
    }

    /// Whether names may be listed everywhere below: a rule of Landlock's holds for all that is below its place.
    fn may_be_listed(&self, path: &Path) -> bool {
        !self.places.iter().any(|place| place.closed == Closed::Entirely && place.path.starts_with(path))
    }

    fn children(&mut self, path: &Path, access: Access) {
        for child in self.tree.children(path) {
            // What a link leads to is granted by its own name or not at all: anybody may have put the link there.
            if self.tree.canonical(&child).is_none_or(|target| target != child) {
                continue;
            }
            let places = || self.places.iter().filter(|place| !self.left_open.contains(&place.path));
            let closed = places().find(|place| place.path == child).map(|place| place.closed);
            match closed {
                Some(Closed::Entirely | Closed::Contents) => {}
                Some(Closed::ForWriting) if access == Access::ReadWrite => self.push(child, Access::Read),
                _ if self.holds(&child, access) => self.children(&child, access),
                _ => self.push(child, access),
            }
        }
    }

    fn push(&mut self, path: PathBuf, access: Access) {
        let rule = PathRule { path, access };
        if !self.rules.contains(&rule) {
            self.rules.push(rule);
        }
    }
}

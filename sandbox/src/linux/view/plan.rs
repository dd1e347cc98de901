//! Which mounts make a view, worked out from the ruleset alone: nothing is looked at here, and nothing is mounted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::{Access, Closed, ClosedPlace, Files, PathRule};

/// Who does the fine part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    /// Landlock does: directories of the system that hold grants are shown whole, with one mount each.
    Coarse,
    /// Nobody else: what is not granted is not there.
    Exact,
}

/// Directories of the system at the root, where what is not granted says nothing about the user. They are shown read-only.
const OF_THE_SYSTEM: &[&str] =
    &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/etc", "/nix", "/gnu", "/sw"];

/// How a place is shown. Always without set-id bits and, but for granted devices, without device nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// Read-only and noexec.
    Read,
    /// Read-only.
    Execute,
    /// Writable and noexec, which stops `ld.so ./x` and dlopen(3) as well.
    Write,
    /// Writable: write and execution were granted for this very place, or execution inside of a write grant.
    WriteExecute,
}

impl Mode {
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::WriteExecute)
    }

    fn executes(self) -> bool {
        matches!(self, Self::Execute | Self::WriteExecute)
    }

    fn executable(self) -> Self {
        match self {
            Self::Read | Self::Execute => Self::Execute,
            Self::Write | Self::WriteExecute => Self::WriteExecute,
        }
    }
}

/// One mount of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) path: PathBuf,
    pub(crate) what: What,
}

/// What is mounted there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The place itself.
    Bind(Mode),
    /// The server's own directory for temporary files.
    Scratch,
    /// What is shown there already, once more: a mount point can neither be renamed nor removed, and a closed place below
    /// would else be left behind by renaming what holds it.
    Pin,
    /// A mask. `Holes` says whether something deeper is granted.
    Close(Closed, Holes),
}

/// Whether something below a closed place is granted by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holes {
    None,
    Some,
}

/// A view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// `/` itself was granted.
    pub(crate) root: Option<Mode>,
    /// Parents before children.
    pub(crate) layers: Vec<Layer>,
    /// How the jail's own /proc is shown, if at all.
    pub(crate) proc: Option<Mode>,
    /// Granted paths in /dev, or /dev itself.
    pub(crate) devices: Vec<PathBuf>,
}

/// Where programs put temporary files.
pub(super) const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// Plans the view of `files`. `sockets` are Unix sockets that may be connected to: they are shown.
pub(crate) fn plan(files: &Files, sockets: &[PathBuf], grain: Grain) -> Plan {
    let mut tops = BTreeSet::new();
    let mut grants = Vec::new();
    for rule in &files.wide {
        let top = system_directory_of(&rule.path).filter(|_| grain == Grain::Coarse);
        tops.extend(top);
        if !top.is_some_and(|top| is_shown_by(top, rule, &files.closed)) {
            grants.push(rule.clone());
        }
    }
    grants.extend(sockets.iter().map(|path| PathRule { path: path.clone(), access: Access::Read }));
    let rules = Rules { grants: &grants, closed: &files.closed };

    let mut granted: BTreeSet<&Path> = grants.iter().map(|rule| rule.path.as_path()).collect();
    granted.extend(tops.into_iter().map(Path::new));
    let mut places = granted.clone();
    places.extend(rules.closed.iter().map(|place| place.path.as_path()));
    if files.scratch.is_some() {
        places.extend(TEMPORARY.map(Path::new));
    }
    let special =
        |path: &Path| path == Path::new("/") || path.starts_with("/proc") || path.starts_with("/dev");
    places.retain(|path| !special(path));

    let whole = rules.mode_at(Path::new("/"));
    let root = whole.map(|mode| coarse(mode, "/".as_ref(), &rules, grain));
    let mut shown = Shown { layers: Vec::new(), root };
    // Ordered by components, so that a parent stands before its children.
    for path in places {
        if files.scratch.is_some() && TEMPORARY.iter().any(|place| path == Path::new(place)) {
            shown.add(path, What::Scratch);
            continue;
        }
        if granted.contains(path)
            && let Some(mode) = rules.mode_at(path).or_else(|| system(path, grain))
        {
            shown.bind(path, coarse(mode, path, &rules, grain), grain);
        }
        if let Some(closed) = rules.closed_at(path) {
            shown.close(path, closed, &rules);
        }
    }
    Plan { root, layers: shown.layers, proc: rules.mode_of_proc(), devices: rules.devices() }
}

/// A directory of the system is shown even if only something in it is granted.
fn system(path: &Path, grain: Grain) -> Option<Mode> {
    (grain == Grain::Coarse && is_of_the_system(path)).then_some(Mode::Read)
}

fn is_of_the_system(path: &Path) -> bool {
    OF_THE_SYSTEM.iter().any(|top| path == Path::new(top))
}

/// The one that holds `path`, or is it.
fn system_directory_of(path: &Path) -> Option<&'static str> {
    let name = path.components().nth(1)?.as_os_str();
    OF_THE_SYSTEM.iter().copied().find(|top| top.strip_prefix('/').is_some_and(|top| name == top))
}

/// Most of a profile's grants are to read in a directory of the system, whose one mount shows them: they add nothing.
fn is_shown_by(top: &str, rule: &PathRule, closed: &[ClosedPlace]) -> bool {
    rule.access == Access::Read && !closed.iter().any(|place| place.path.starts_with(top))
}

/// Where Landlock does the fine part, one mount is executable if anything in it is.
fn coarse(mode: Mode, path: &Path, rules: &Rules<'_>, grain: Grain) -> Mode {
    let whole = path == Path::new("/") || is_of_the_system(path);
    let any =
        || rules.grants.iter().any(|rule| rule.access == Access::ReadExecute && rule.path.starts_with(path));
    if grain == Grain::Coarse && whole && any() { mode.executable() } else { mode }
}

/// Grants and closed places, asked about one path at a time.
#[derive(Clone, Copy, Debug)]
struct Rules<'a> {
    grants: &'a [PathRule],
    closed: &'a [ClosedPlace],
}

impl Rules<'_> {
    /// What is granted there. Grants add up, and a closed place cuts off those that stand above it. A write grant takes
    /// execution away from what stands below it, unless an exec grant names that place or something between.
    fn mode_at(&self, path: &Path) -> Option<Mode> {
        let mut writes = false;
        let mut deepest = (0, None);
        for rule in self.grants.iter().filter(|rule| path.starts_with(&rule.path)) {
            let access = match (self.cut(&rule.path, path), rule.access) {
                (Some(Closed::Entirely | Closed::Contents), _) => continue,
                (Some(Closed::ForWriting), Access::ReadWrite) => Access::Read,
                (_, access) => access,
            };
            writes |= access == Access::ReadWrite;
            let depth = rule.path.components().count();
            // Of two grants of one place the exec grant decides: `Option` orders `None` first.
            let decides = match access {
                Access::Read => None,
                Access::ReadWrite => Some(false),
                Access::ReadExecute => Some(true),
            };
            let here = (if decides.is_some() { depth } else { 0 }, Some(decides.unwrap_or(false)));
            deepest = deepest.max(here);
        }
        let (_, executes) = deepest;
        let mode = if writes { Mode::Write } else { Mode::Read };
        executes.map(|executes| if executes { mode.executable() } else { mode })
    }

    /// What closes `path` to a grant that stands at `grant`.
    fn cut(&self, grant: &Path, path: &Path) -> Option<Closed> {
        let between = |place: &&ClosedPlace| path.starts_with(&place.path) && place.path.starts_with(grant);
        let closed = self.closed.iter().filter(between).map(|place| place.closed);
        closed.min()
    }

    fn closed_at(&self, path: &Path) -> Option<Closed> {
        let here = self.closed.iter().filter(|place| place.path == path).map(|place| place.closed);
        here.min()
    }

    /// Its own processes are all that a jail's /proc shows, but it also holds switches of the whole machine, some of which
    /// obey root without any capability.
    fn mode_of_proc(&self) -> Option<Mode> {
        let covers =
            |rule: &&PathRule| rule.path.starts_with("/proc") || Path::new("/proc").starts_with(&rule.path);
        let grants: Vec<_> = self.grants.iter().filter(covers).collect();
        let writes =
            grants.iter().any(|rule| rule.access == Access::ReadWrite && rule.path.starts_with("/proc"));
        (!grants.is_empty()).then_some(if writes { Mode::Write } else { Mode::Read })
    }

    fn devices(&self) -> Vec<PathBuf> {
        let dev = Path::new("/dev");
        let paths = self.grants.iter().map(|rule| &rule.path);
        let inside = paths.filter(|path| path.starts_with(dev) || dev.starts_with(path));
        // `/` grants what `/dev` does.
        inside.map(|path| if path.starts_with(dev) { path.clone() } else { dev.to_owned() }).collect()
    }
}

/// The layers so far.
#[derive(Debug)]
struct Shown {
    layers: Vec<Layer>,
    root: Option<Mode>,
}

impl Shown {
    /// The layer that shows `path`: the last one above it, as parents stand before children.
    fn above(&self, path: &Path) -> Option<(&Path, What)> {
        let above = |layer: &&Layer| layer.what != What::Pin && path.starts_with(&layer.path);
        let layer = self.layers.iter().rev().find(above).map(|layer| (layer.path.as_path(), layer.what));
        layer.or_else(|| self.root.map(|mode| (Path::new("/"), What::Bind(mode))))
    }

    fn add(&mut self, path: &Path, what: What) {
        self.layers.push(Layer { path: path.to_owned(), what });
    }

    fn bind(&mut self, path: &Path, mode: Mode, grain: Grain) {
        let enough = match self.above(path) {
            Some((_, What::Bind(above))) if above == mode => true,
            // Landlock tells what may be executed from what may only be read.
            Some((top, What::Bind(above)))
                if grain == Grain::Coarse && (top == Path::new("/") || is_of_the_system(top)) =>
            {
                !above.writes() && !mode.writes() && (above.executes() || !mode.executes())
            }
            // The mask of a place that is closed for writing shows the rest.
            Some((_, What::Close(Closed::ForWriting, _))) => mode == Mode::Read,
            _ => false,
        };
        if !enough {
            self.add(path, What::Bind(mode));
        }
    }

    fn close(&mut self, path: &Path, closed: Closed, rules: &Rules<'_>) {
        let (top, mode) = match path.parent().and_then(|parent| self.above(parent)) {
            Some((top, What::Bind(mode))) => (top, mode),
            Some((top, What::Close(Closed::ForWriting, _))) => (top, Mode::Read),
            // Not shown.
            _ => return,
        };
        if closed == Closed::ForWriting && !mode.writes() {
            return;
        }
        if mode.writes() {
            let top = top.to_owned();
            let mut pins: Vec<&Path> =
                path.ancestors().skip(1).take_while(|dir| **dir != *top && dir.starts_with(&top)).collect();
            pins.retain(|dir| !self.layers.iter().any(|layer| layer.path == *dir));
            for dir in pins.into_iter().rev() {
                self.add(dir, What::Pin);
            }
        }
        let granted = |rule: &PathRule| rule.path != path && rule.path.starts_with(path);
        let holes = if rules.grants.iter().any(granted) { Holes::Some } else { Holes::None };
        self.add(path, What::Close(closed, holes));
    }
}

#[cfg(test)]
mod tests;

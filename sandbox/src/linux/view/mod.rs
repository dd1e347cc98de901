//! The private view of the file tree in `namespaces`: a root of its own in which what was granted is mounted, read-only
//! but for what may be written, without set-id bits and device nodes; closed places in it are masked.

use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode as FileMode, umask};

use super::step::{At, Failure, Step};
use crate::Files;

mod devices;
mod mask;
mod plan;
mod stage;
#[expect(unsafe_code, reason = "the mount API of Linux 5.2 has no safe form")]
mod sys;
mod watch;
mod ways;

pub(crate) use plan::Grain;
pub(crate) use watch::Watch;
pub(crate) use ways::paths_in;

use plan::What;
use stage::{Leaf, Stage};

/// What a view is made for.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) files: &'a Files,
    /// Unix sockets that may be connected to.
    pub(crate) sockets: Vec<PathBuf>,
    pub(crate) grain: Grain,
    /// Where the server starts.
    pub(crate) cwd: &'a Path,
    /// The program, and what may be paths in its arguments: links on the way to them are shown.
    pub(crate) words: Vec<PathBuf>,
    pub(crate) hosts: Hosts,
}

/// Which names the view's /etc/hosts knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// The host's.
    AsItIs,
    /// localhost alone: libc looks there first, and every other name is for the name server to know.
    Localhost,
}

/// Replaces the whole tree by what is granted. /proc must be a fresh one already, the mounts private, and CAP_SYS_ADMIN
/// held; the working directory is the new root afterwards.
pub(crate) fn enter(scene: &Scene<'_>) -> Result<(), Failure> {
    let umask = Umask::open();
    let plan = plan::plan(scene.files, &scene.sockets, scene.grain);
    let mut stage = Stage::new(plan.root, scene.grain, scene.files.scratch.as_deref()).at(Step::View)?;
    if plan.root.is_none() {
        // /bin and /lib on most systems, /home on some.
        ways::links_of("/".as_ref(), stage.root());
    }
    if let Some(mode) = plan.proc {
        stage.take("/proc".as_ref(), mode).at(Step::View)?;
    }
    devices::show(&mut stage, &plan).at(Step::View)?;
    for layer in &plan.layers {
        match layer.what {
            What::Bind(mode) => stage.bind(&layer.path, mode),
            What::Scratch => stage.scratch(&layer.path),
            What::Pin => mask::pin(stage.root(), &layer.path),
            What::Close(closed, holes) => {
                let holes = if scene.cwd.starts_with(&layer.path) { plan::Holes::Some } else { holes };
                stage.close(&layer.path, closed, holes)
            }
        }
        .at(Step::View)?;
    }
    for path in plan::TEMPORARY {
        // Programs look whether it is there. Empty, if neither it nor something in it was granted.
        stage.place(path.as_ref(), Leaf::Directory).at(Step::View)?;
    }
    if scene.hosts == Hosts::Localhost {
        ways::own_names(&stage).at(Step::View)?;
    }
    for word in &scene.words {
        ways::show_links(&stage, word);
    }
    ways::show_directory(&stage, scene.cwd);
    drop(umask);
    stage.enter().at(Step::View)
}

/// What is made has the mode that it is made with, and the server the umask that it was started with.
struct Umask(FileMode);

impl Umask {
    fn open() -> Self {
        Self(umask(FileMode::empty()))
    }
}

impl Drop for Umask {
    fn drop(&mut self) {
        umask(self.0);
    }
}

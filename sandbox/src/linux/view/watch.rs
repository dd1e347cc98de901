//! Closed places that appear, or are replaced, while a server runs: the keeper sees it on the host and masks them again.
//!
//! A mask is gone once the host renames something over what it covers, or removes that: rename(2) takes a mount away in
//! every namespace but the caller's. Between that moment and the new mask the server may look.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use nix::unistd::alarm;

use super::Scene;
use super::mask;
use super::plan::{self, Layer, What};
use crate::os::landlock::{is_unreachable, open};
use crate::os::sys::{self, Side, SingleThreaded, Waited};

/// The keeper's eye on closed places.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    /// User and mount namespace of the view.
    view: &'a [OwnedFd],
    /// What is pinned and closed, parents first.
    layers: Vec<Layer>,
    /// Directories on the way to closed places, with the names in them that lead there.
    ways: BTreeMap<PathBuf, BTreeSet<OsString>>,
    watched: Option<Watched>,
}

#[derive(Debug)]
struct Watched {
    inotify: Inotify,
    names: BTreeMap<WatchDescriptor, BTreeSet<OsString>>,
}

/// A mask takes less than a millisecond. It can take longer on a file system of somebody's own (FUSE).
const PATIENCE_SECONDS: u32 = 2;

impl<'a> Watch<'a> {
    /// `view` is empty if nothing has to be watched.
    pub(crate) fn new(view: &'a [OwnedFd], scene: Option<&Scene<'_>>) -> Self {
        let (mut layers, mut ways) = (Vec::new(), BTreeMap::new());
        if let (Some(scene), false) = (scene, view.is_empty()) {
            let plan = plan::plan(scene.files, &scene.sockets, scene.grain);
            ways = ways_to_closed(&plan.layers);
            layers = plan.layers;
            layers.retain(|layer| matches!(layer.what, What::Pin | What::Close(..)));
        }
        Self { view, layers, ways, watched: None }
    }

    /// Readable when [`Watch::close_again`] has something to do; nothing before it was called for the first time.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.watched.as_ref().map(|watched| watched.inotify.as_fd())
    }

    /// Masks what has appeared since the last call. An error says that a closed place may be open.
    pub(crate) fn close_again(&mut self, proof: &SingleThreaded) -> io::Result<()> {
        if self.layers.is_empty() || !self.is_stale()? {
            return Ok(());
        }
        // First the watch, then the look: what appears in between is seen by both.
        self.watch()?;
        match sys::fork(proof)? {
            Side::Child => sys::exit_now(i32::from(self.mask_from_inside().is_err())),
            Side::Parent(child) => match sys::wait(child, 0)? {
                Waited::Ended(_, 0) => Ok(()),
                _ => Err(io::Error::other("the place could not be masked")),
            },
        }
    }

    /// Whether a name that matters has appeared. Reads all news.
    fn is_stale(&self) -> io::Result<bool> {
        let Some(watched) = &self.watched else { return Ok(true) };
        let mut stale = false;
        loop {
            match watched.inotify.read_events() {
                Ok(events) => {
                    for event in events {
                        // Without a name: the queue was too short, or a directory is gone.
                        stale |= event.name.is_none_or(|name| {
                            watched.names.get(&event.wd).is_some_and(|names| names.contains(&name))
                        });
                    }
                }
                Err(Errno::EAGAIN) => return Ok(stale),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Watches every way as far as it goes. What is watched already stays so: to let go of an inotify instance takes the
    /// kernel a grace period, in which a place would be open.
    fn watch(&mut self) -> io::Result<()> {
        let mut watched = match self.watched.take() {
            Some(watched) => watched,
            None => Watched {
                inotify: Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?,
                names: BTreeMap::new(),
            },
        };
        let events = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
        for (directory, names) in &self.ways {
            let directory = match open(directory) {
                Ok(directory) => directory,
                Err(error) if is_unreachable(&error) => continue,
                Err(error) => return Err(error),
            };
            // By its descriptor, as the path may lead elsewhere by now.
            let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
            match watched.inotify.add_watch(path.as_str(), events) {
                Ok(watch) => watched.names.entry(watch).or_default().extend(names.iter().cloned()),
                Err(Errno::ENOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.watched = Some(watched);
        Ok(())
    }

    /// In a process of its own, which enters the view for this.
    fn mask_from_inside(&self) -> io::Result<()> {
        alarm::set(PATIENCE_SECONDS);
        for (namespace, kind) in self.view.iter().zip([CloneFlags::CLONE_NEWUSER, CloneFlags::CLONE_NEWNS]) {
            setns(namespace, kind)?;
        }
        let root = open("/".as_ref())?;
        for layer in &self.layers {
            match layer.what {
                What::Pin => mask::pin(root.as_fd(), &layer.path)?,
                What::Close(closed, _) => mask::close(root.as_fd(), &layer.path, closed)?,
                What::Bind(_) | What::Scratch => {}
            }
        }
        Ok(())
    }
}

/// From what is shown down to each closed place: on the way there anything may be replaced.
fn ways_to_closed(layers: &[Layer]) -> BTreeMap<PathBuf, BTreeSet<OsString>> {
    let mut ways: BTreeMap<PathBuf, BTreeSet<OsString>> = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate() {
        if !matches!(layer.what, What::Close(..)) {
            continue;
        }
        let shows = |shown: &&Layer| {
            matches!(shown.what, What::Bind(_))
                && shown.path != layer.path
                && layer.path.starts_with(&shown.path)
        };
        let top = layers.iter().take(index).rev().find(shows).map_or(Path::new("/"), |shown| &shown.path);
        for place in layer.path.ancestors().take_while(|place| *place != top) {
            if let (Some(directory), Some(name)) = (place.parent(), place.file_name()) {
                ways.entry(directory.to_owned()).or_default().insert(name.to_owned());
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Closed, ClosedPlace, Files, PathRule};

    #[test]
    fn the_whole_way_from_a_grant_to_a_closed_place_is_watched() {
        let grant = PathRule { path: "/home/u".into(), access: Access::ReadWrite };
        let closed = |path: &str| ClosedPlace { path: path.into(), closed: Closed::Entirely };
        let places = vec![closed("/home/u/.config/gh"), closed("/home/u/.ssh"), closed("/var/secret")];
        let files = Files { closed: places, ..Files::plain(vec![grant]) };
        let ways = ways_to_closed(&plan::plan(&files, &[], plan::Grain::Coarse).layers);
        let names = |directory: &str| {
            let names = ways.get(Path::new(directory)).expect("watched");
            names.iter().map(|name| name.to_str().expect("text")).collect::<Vec<_>>()
        };
        assert_eq!(names("/home/u"), [".config", ".ssh"]);
        assert_eq!(names("/home/u/.config"), ["gh"]);
        assert_eq!(ways.len(), 2);
    }
}

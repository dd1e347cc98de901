//! Listens to directories (crate `notify`: inotify, FSEvents, ReadDirectoryChangesW) and passes on what counts.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, RwLock};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::places::Places;

/// What wakes the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A config may have changed.
    Change,
    /// The system wants it to end.
    End,
}

/// The directories that are listened to.
#[derive(Debug)]
pub(super) struct Ear {
    watcher: RecommendedWatcher,
    /// With the inode: a directory of the same name may be another one.
    directories: BTreeMap<PathBuf, (u64, u64)>,
    counting: Arc<RwLock<Places>>,
}

impl Ear {
    /// Hears nothing yet.
    ///
    /// # Errors
    /// When the system gives nothing to listen with (inotify(7): `max_user_instances`).
    pub(super) fn new(to: Sender<Heard>) -> notify::Result<Self> {
        let counting = Arc::new(RwLock::new(Places::default()));
        let places = Arc::clone(&counting);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let counts = match (&event, places.read()) {
                // What was lost may have been anything.
                (Ok(event), Ok(places)) => {
                    event.need_rescan()
                        || (changes(event.kind) && event.paths.iter().any(|path| places.counts(path)))
                }
                (Err(_), _) | (_, Err(_)) => true,
            };
            if counts {
                // Nobody listens any more when the agent ends.
                let _ = to.send(Heard::Change);
            }
        })?;
        Ok(Self { watcher, directories: BTreeMap::new(), counting })
    }

    /// Listens to these places from now on, and to no others. Says why, if not all of them can be listened to.
    pub(super) fn listen(&mut self, places: Places) -> Result<(), String> {
        let mut wanted = BTreeMap::new();
        for directory in &places.directories {
            if let Ok(facts) = std::fs::metadata(directory) {
                wanted.insert(directory.clone(), (facts.dev(), facts.ino()));
            }
        }
        if let Ok(mut counting) = self.counting.write() {
            *counting = places;
        }
        let gone: Vec<PathBuf> = self
            .directories
            .iter()
            .filter(|(path, inode)| wanted.get(*path) != Some(*inode))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            // It may be gone with its directory.
            let _ = self.watcher.unwatch(&path);
            self.directories.remove(&path);
        }
        let mut failed = None;
        for (path, inode) in wanted {
            if self.directories.contains_key(&path) {
                continue;
            }
            match self.watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.directories.insert(path, inode);
                }
                Err(error) => failed = Some(because(&path, &error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Reading is no change; and what we read ourselves must not wake us.
fn changes(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

fn because(path: &Path, error: &notify::Error) -> String {
    let remedy = match error.kind {
        notify::ErrorKind::MaxFilesWatch => " (raise fs.inotify.max_user_watches, sysctl(8))",
        _ => "",
    };
    format!("cannot listen to {}: {error}{remedy}", path.display())
}

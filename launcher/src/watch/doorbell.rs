//! Tells that nothing has happened to some files: one read of an inotify queue (inotify(7)) in the place of a `stat` of each.
//!
//! The kernel queues an event before the call that caused it returns, so a change that is complete is heard of by whoever asks
//! afterwards. What inotify does not tell of (changes on another machine of a network file system, through a mapping, below
//! an overlay, a mount over a directory) is seen because silence is believed for [`BELIEVED_FOR`] only.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

/// Silence is not believed for longer than this: then the files are looked at all the same.
const BELIEVED_FOR: Duration = Duration::from_millis(100);
/// As many links as the kernel follows in one path (path_resolution(7)).
const LINKS_MAX: usize = 40;
/// Reads of the queue at one look, of up to 4 KiB each; a directory where more happens is looked at.
const READS_MAX: usize = 16;

/// Listens for changes to some files.
#[derive(Debug)]
pub(crate) struct Doorbell {
    /// `None`: the user has too many of them, or the kernel none. Then it is never silent.
    queue: Option<Inotify>,
    heard: BTreeMap<WatchDescriptor, Heard>,
    paths: Vec<PathBuf>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Something happened on the way to the files, so what leads there may be something else.
    Stale,
    /// Everything on the way is listened to; the files were looked at then.
    Listening { looked: Instant },
    /// Something on the way cannot be listened to; that was tried then.
    Deaf { tried: Instant },
}

/// What counts of a directory or file that is listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    /// These names in the directory, and the directory itself.
    Names(BTreeSet<OsString>),
    /// All of it.
    Everything,
}

impl Doorbell {
    /// Listens to nothing yet.
    pub(crate) fn new() -> Self {
        let queue = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
        Self { queue, heard: BTreeMap::new(), paths: Vec::new(), state: State::Stale }
    }

    /// Whether nothing can have happened to the paths since they were given to [`Self::listen`].
    pub(crate) fn is_silent(&mut self) -> bool {
        let State::Listening { looked } = self.state else { return false };
        let Some(queue) = &self.queue else { return false };
        if looked.elapsed() >= BELIEVED_FOR {
            return false;
        }
        for _ in 0..READS_MAX {
            match queue.read_events() {
                Ok(events) if !events.iter().any(|event| self.concerns(event)) => {}
                Err(Errno::EAGAIN) => return true,
                Ok(_) | Err(_) => break,
            }
        }
        self.state = State::Stale;
        false
    }

    /// Listens to these from now on. Whoever calls this looks at them afterwards, else silence would say nothing.
    pub(crate) fn listen(&mut self, paths: &[PathBuf]) {
        let now = Instant::now();
        let same = self.paths == paths;
        match &mut self.state {
            State::Listening { looked } if same => *looked = now,
            // To try again for every message would cost more than to look.
            State::Deaf { tried } if same && now.duration_since(*tried) < BELIEVED_FOR => {}
            _ => {
                self.paths = paths.to_vec();
                self.state = match self.listen_anew() {
                    Ok(()) => State::Listening { looked: now },
                    Err(_) => State::Deaf { tried: now },
                };
            }
        }
    }

    /// Other files count now: there is no silence before [`Self::listen`] has heard of them.
    pub(crate) fn distrust(&mut self) {
        self.state = State::Stale;
    }

    fn listen_anew(&mut self) -> nix::Result<()> {
        let queue = self.queue.as_ref().ok_or(Errno::EMFILE)?;
        let mut way = Way { queue, heard: BTreeMap::new(), links: 0 };
        let complete = self.paths.iter().try_for_each(|path| way.to(path));
        let before = std::mem::replace(&mut self.heard, way.heard);
        for gone in before.keys().filter(|one| !self.heard.contains_key(one)) {
            // What is not there any more is not listened to any more either.
            let _ = queue.rm_watch(*gone);
        }
        complete
    }

    /// Events of what is no longer listened to say nothing.
    fn concerns(&self, event: &InotifyEvent) -> bool {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return true;
        }
        match (self.heard.get(&event.wd), &event.name) {
            (None, _) => false,
            (Some(Heard::Names(names)), Some(name)) => names.contains(name),
            (Some(_), _) => true,
        }
    }
}

/// Begins to listen to everything on the way to files.
struct Way<'q> {
    queue: &'q Inotify,
    heard: BTreeMap<WatchDescriptor, Heard>,
    /// Links followed on the way to one file.
    links: usize,
}

impl Way<'_> {
    /// To one of them, whether it is there or not. Each directory is listened to before the next name in it is looked up.
    fn to(&mut self, path: &Path) -> nix::Result<()> {
        self.links = 0;
        self.walk(PathBuf::from("/"), path)
    }

    /// From a directory without links on its way.
    fn walk(&mut self, mut at: PathBuf, path: &Path) -> nix::Result<()> {
        let mut components = path.components();
        while let Some(component) = components.next() {
            let name = match component {
                Component::Normal(name) => name,
                Component::RootDir => {
                    at = PathBuf::from("/");
                    continue;
                }
                Component::ParentDir => {
                    at.pop();
                    continue;
                }
                Component::CurDir | Component::Prefix(_) => continue,
            };
            if !self.name(&at, name.to_owned())? {
                return Ok(());
            }
            let next = at.join(name);
            let facts = match next.symlink_metadata() {
                Ok(facts) => facts,
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Ok(());
                }
                Err(error) => return Err(Errno::from_raw(error.raw_os_error().unwrap_or_default())),
            };
            if facts.is_symlink() {
                self.links += 1;
                let target = next.read_link().map_err(|_| Errno::EINVAL)?;
                let rest = components.as_path();
                return if self.links > LINKS_MAX {
                    Err(Errno::ELOOP)
                } else {
                    self.walk(at, &target.join(rest))
                };
            }
            if components.as_path().as_os_str().is_empty() {
                return self.whole(&next);
            }
            at = next;
        }
        self.whole(&at)
    }

    /// One name in a directory; `false` if there is no such directory.
    fn name(&mut self, directory: &Path, name: OsString) -> nix::Result<bool> {
        let Some(watch) = self.add(directory, AddWatchFlags::IN_ONLYDIR)? else { return Ok(false) };
        match self.heard.entry(watch).or_insert_with(|| Heard::Names(BTreeSet::new())) {
            Heard::Names(names) => _ = names.insert(name),
            Heard::Everything => {}
        }
        Ok(true)
    }

    /// A file with what is in it, whatever name it is changed by; a directory with all names in it.
    fn whole(&mut self, path: &Path) -> nix::Result<()> {
        if let Some(watch) = self.add(path, AddWatchFlags::IN_MODIFY)? {
            self.heard.insert(watch, Heard::Everything);
        }
        Ok(())
    }

    /// `None`: it is not there, or not what it was; the directory above tells when that changes.
    fn add(&self, path: &Path, flags: AddWatchFlags) -> nix::Result<Option<WatchDescriptor>> {
        let events = AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_MOVE_SELF;
        // The same inode may be on the way to one file and be another one.
        let how = AddWatchFlags::IN_DONT_FOLLOW | AddWatchFlags::from_bits_retain(nix::libc::IN_MASK_ADD);
        match self.queue.add_watch(path, events | flags | how) {
            Ok(watch) => Ok(Some(watch)),
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Tells of a change at once; a second one without a change in between would be late.
    fn rings(bell: &mut Doorbell, paths: &[PathBuf], what: &str, change: impl FnOnce()) {
        bell.listen(paths);
        // What happened to them before anybody asked about them may be heard of once.
        let _ = bell.is_silent();
        bell.listen(paths);
        assert!(bell.is_silent(), "before: {what}");
        change();
        assert!(!bell.is_silent(), "not heard: {what}");
    }

    /// A directory whose path holds no link of the machine's.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        (dir, real)
    }

    #[test]
    fn every_way_to_change_a_file_rings() {
        let (_dir, root) = place();
        let path = root.join("a/b/policy.toml");
        let paths = [path.clone()];
        let mut bell = Doorbell::new();
        assert!(!bell.is_silent(), "nobody listened yet");
        let mut ring = |what: &str, change: &dyn Fn()| rings(&mut bell, &paths, what, change);
        ring("a directory far above appears", &|| fs::create_dir(root.join("a")).unwrap());
        ring("the directory appears", &|| fs::create_dir(root.join("a/b")).unwrap());
        ring("the file appears", &|| fs::write(&path, "a").unwrap());
        ring("it is written", &|| fs::write(&path, "b").unwrap());
        ring("it is appended to", &|| {
            fs::File::options().append(true).open(&path).unwrap().write_all(b"c").unwrap();
        });
        ring("its mode changes", &|| fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap());
        fs::write(root.join("new"), "d").unwrap();
        ring("another file takes its name", &|| fs::rename(root.join("new"), &path).unwrap());
        fs::hard_link(&path, root.join("other-name")).unwrap();
        ring("it is written by another name", &|| fs::write(root.join("other-name"), "e").unwrap());
        ring("a directory above is moved away", &|| fs::rename(root.join("a"), root.join("z")).unwrap());
        ring("and back", &|| fs::rename(root.join("z"), root.join("a")).unwrap());
        ring("it is removed", &|| fs::remove_file(&path).unwrap());
    }

    #[test]
    fn links_are_followed_and_heard_of() {
        let (_dir, root) = place();
        for one in ["real", "else"] {
            fs::create_dir(root.join(one)).unwrap();
            fs::write(root.join(one).join("policy.toml"), one).unwrap();
        }
        symlink("real", root.join("link")).unwrap();
        let paths = [root.join("link/policy.toml")];
        let mut bell = Doorbell::new();
        rings(&mut bell, &paths, "the file behind it is written", || {
            fs::write(root.join("real/policy.toml"), "new").unwrap();
        });
        rings(&mut bell, &paths, "the link leads elsewhere", || {
            fs::remove_file(root.join("link")).unwrap();
            symlink(root.join("else"), root.join("link")).unwrap();
        });
        rings(&mut bell, &paths, "the new one is written", || {
            fs::write(root.join("else/policy.toml"), "newer").unwrap();
        });
        symlink("round", root.join("round")).unwrap();
        bell.listen(&[root.join("round/policy.toml")]);
        assert!(!bell.is_silent(), "what leads nowhere cannot be listened to");
    }

    #[test]
    fn what_happens_beside_the_files_is_silence() {
        let (_dir, root) = place();
        fs::write(root.join("policy.toml"), "a").unwrap();
        let mut bell = Doorbell::new();
        bell.listen(&[root.join("policy.toml"), root.join("absent/policy.toml")]);
        for n in 0..100 {
            fs::write(root.join(format!("{n}")), "x").unwrap();
        }
        fs::create_dir(root.join("other")).unwrap();
        fs::read(root.join("policy.toml")).unwrap();
        assert!(bell.is_silent());
        let (_dir, groups) = place();
        rings(&mut bell, std::slice::from_ref(&groups), "a directory gets a name", || {
            fs::write(groups.join("group-dev.toml"), "x").unwrap();
        });
    }

    #[test]
    fn other_files_have_to_be_listened_to_first_and_silence_is_not_believed_for_long() {
        let (_dir, root) = place();
        let mut bell = Doorbell::new();
        rings(&mut bell, &[root.join("a")], "the first", || fs::write(root.join("a"), "x").unwrap());
        rings(&mut bell, &[root.join("b")], "the second", || fs::write(root.join("b"), "x").unwrap());
        bell.listen(&[root.join("b")]);
        fs::write(root.join("a"), "y").unwrap();
        assert!(bell.is_silent(), "nobody asked about it any more");
        std::thread::sleep(BELIEVED_FOR);
        assert!(!bell.is_silent());
    }

    #[test]
    fn more_events_than_the_queue_holds_are_no_silence() {
        let (_dir, root) = place();
        let mut bell = Doorbell::new();
        bell.listen(&[root.join("policy.toml")]);
        for n in 0..(READS_MAX * 4096 / 16) {
            let name = root.join(format!("{}", n % 2));
            fs::write(&name, "x").unwrap();
            fs::remove_file(&name).unwrap();
        }
        assert!(!bell.is_silent(), "too much to read before a message");
    }
}

//! Files that are looked at before every message: a `stat` each tells whether anything is to be read anew, and a
//! [`Doorbell`] whether even that can be left out.
//!
//! A file that was changed so lately that its times may not tell is read, until they do: the kernel's times of files go
//! forward in ticks of up to 10 ms.

mod doorbell;

use std::fs::Metadata;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use sha2::{Digest, Sha256};

use crate::host;

pub(crate) use doorbell::Doorbell;

/// A file that was changed longer ago than this has other times when it is changed again.
const SETTLED_MS: i64 = 100;
/// Of a larger file only so much is compared; nobody reads one as a policy.
const COMPARED_BYTES_MAX: u64 = 64 << 20;

/// Some files, as they were when they were looked at last.
#[derive(Debug)]
pub(crate) struct FileWatch {
    files: Vec<Watched>,
    settled: bool,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    stamp: Option<Stamp>,
    /// Content and who may write it; `None` before the first look.
    content: Option<[u8; 32]>,
}

/// What a `stat` tells of a file, or why it tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    There(Stat),
    /// A link that leads nowhere.
    Dangling,
    Gone(ErrorKind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    device: u64,
    inode: u64,
    size: u64,
    mode: u32,
    uid: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileWatch {
    /// The first look at them finds them changed.
    pub(crate) fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let files = paths.into_iter().map(Watched::new);
        Self { files: files.collect(), settled: false }
    }

    /// What it looks after.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().map(|file| &file.path)
    }

    /// Looks after these from now on. What is known of those that stay, stays known; a new one counts as changed.
    pub(crate) fn follow(&mut self, paths: Vec<PathBuf>) {
        if self.files.iter().map(|file| &file.path).eq(&paths) {
            return;
        }
        let mut known = std::mem::take(&mut self.files);
        let mut file = |path: PathBuf| match known.iter().position(|one| one.path == path) {
            Some(at) => known.swap_remove(at),
            None => Watched::new(path),
        };
        self.files = paths.into_iter().map(&mut file).collect();
        self.settled = false;
    }

    /// Whether any of them holds something else, or may be written by somebody else, than at the last look.
    pub(crate) fn changed(&mut self) -> bool {
        let mut same = self.settled;
        for file in &mut self.files {
            let stamp = Stamp::of(&file.path);
            same &= file.stamp == Some(stamp);
            file.stamp = Some(stamp);
        }
        // Stamps first, contents then: what changes in between is seen at the next look.
        !same && self.read()
    }

    fn read(&mut self) -> bool {
        let settled_before_ms = host::now().as_millisecond() - SETTLED_MS;
        let mut changed = false;
        self.settled = true;
        for file in &mut self.files {
            let content = Some(content(&file.path, file.stamp));
            changed |= file.content != content;
            file.content = content;
            self.settled &= file.stamp.is_some_and(|stamp| stamp.is_older_than(settled_before_ms));
        }
        changed
    }
}

impl Watched {
    fn new(path: PathBuf) -> Self {
        Self { path, stamp: None, content: None }
    }
}

impl Stamp {
    fn of(path: &Path) -> Self {
        // One call for what is there or not there; only a link takes a second one.
        match std::fs::symlink_metadata(path) {
            Ok(facts) if !facts.is_symlink() => Self::There(Stat::of(&facts)),
            Ok(_) => std::fs::metadata(path).map_or(Self::Dangling, |facts| Self::There(Stat::of(&facts))),
            Err(error) => Self::Gone(error.kind()),
        }
    }

    fn is_older_than(self, unix_ms: i64) -> bool {
        match self {
            Self::There(stat) => {
                let ms = |(seconds, nanos): (i64, i64)| seconds.saturating_mul(1000) + nanos / 1_000_000;
                ms(stat.changed) < unix_ms && ms(stat.modified) < unix_ms
            }
            Self::Dangling | Self::Gone(_) => true,
        }
    }
}

impl Stat {
    fn of(facts: &Metadata) -> Self {
        Self {
            device: facts.dev(),
            inode: facts.ino(),
            size: facts.size(),
            mode: facts.mode(),
            uid: facts.uid(),
            modified: (facts.mtime(), facts.mtime_nsec()),
            changed: (facts.ctime(), facts.ctime_nsec()),
        }
    }
}

/// A digest of what the file says and of who may write it.
fn content(path: &Path, stamp: Option<Stamp>) -> [u8; 32] {
    let mut hash = Sha256::new();
    match stamp {
        Some(Stamp::There(stat)) => {
            hash.update(stat.mode.to_le_bytes());
            hash.update(stat.uid.to_le_bytes());
            match bytes(path) {
                // Of a directory its names count.
                Err(error) if error.kind() == ErrorKind::IsADirectory => hash.update(names(path)),
                Ok(bytes) => hash.update(bytes),
                Err(error) => hash.update(format!("{:?}", error.kind())),
            }
        }
        other => hash.update(format!("{other:?}")),
    }
    hash.finalize().into()
}

fn names(directory: &Path) -> Vec<u8> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_encoded_bytes()).collect();
    names.sort();
    names.join(&0)
}

/// Without waiting for the writer of a pipe.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    file.take(COMPARED_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn watch(path: &Path) -> FileWatch {
        let mut watch = FileWatch::new([path.to_owned()]);
        assert!(watch.changed(), "the first look");
        assert!(!watch.changed());
        watch
    }

    #[test]
    fn a_file_that_appears_changes_and_vanishes_is_noticed_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        let mut watch = watch(&path);
        std::fs::write(&path, "a").unwrap();
        assert!(watch.changed() && !watch.changed());
        std::fs::write(&path, "b").unwrap();
        assert!(watch.changed() && !watch.changed(), "the same length in the same tick");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        assert!(watch.changed() && !watch.changed(), "others may write it now");
        std::fs::remove_file(&path).unwrap();
        assert!(watch.changed() && !watch.changed());
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert!(watch.changed() && !watch.changed(), "a link to nowhere is not nothing");
        std::fs::write(dir.path().join("nowhere"), "a").unwrap();
        assert!(watch.changed() && !watch.changed(), "it leads somewhere now");
        std::fs::write(dir.path().join("nowhere"), "b").unwrap();
        assert!(watch.changed() && !watch.changed(), "what it leads to was changed");
    }

    #[test]
    fn a_thousand_changes_of_one_byte_are_a_thousand_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        std::fs::write(&path, "x").unwrap();
        let mut watch = watch(&path);
        for n in 0..1000 {
            std::fs::write(&path, if n % 2 == 0 { "a" } else { "b" }).unwrap();
            assert!(watch.changed(), "change {n} was missed");
        }
    }

    #[test]
    fn a_directory_changes_with_its_names_and_its_files_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = watch(dir.path());
        let file = dir.path().join("group-dev.toml");
        std::fs::write(&file, "a").unwrap();
        assert!(watch.changed() && !watch.changed());
        watch.follow(vec![file.clone(), dir.path().to_owned()]);
        assert!(watch.changed() && !watch.changed(), "a new one counts as changed");
        std::fs::write(&file, "b").unwrap();
        assert!(watch.changed() && !watch.changed());
        watch.follow(vec![file, dir.path().to_owned()]);
        assert!(!watch.changed(), "the same ones");
    }

    #[test]
    fn what_was_only_touched_is_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        std::fs::write(&path, "a").unwrap();
        let mut watch = watch(&path);
        std::fs::File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(std::time::UNIX_EPOCH)
            .unwrap();
        assert!(!watch.changed());
    }

    #[test]
    fn once_its_times_can_tell_a_file_is_not_read_any_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.toml");
        std::fs::write(&path, "a").unwrap();
        let mut watch = watch(&path);
        std::thread::sleep(std::time::Duration::from_millis(SETTLED_MS as u64 + 50));
        assert!(!watch.changed() && watch.settled);
    }
}

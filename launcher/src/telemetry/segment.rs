//! One append-only file of records (decision 24): a record is one JSON line that ends in its own CRC-32. Every launcher
//! has segments of its own, so that processes never lock each other; torn tails are cut when reading.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A segment is closed and a new one begun at this size.
const SEGMENT_BYTES_MAX: u64 = 8 << 20;
/// All segments of a user together.
const TOTAL_BYTES_MAX: u64 = 64 << 20;
/// Segments that were not written for this long are removed.
const AGE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// The open segment of this launcher.
#[derive(Debug)]
pub struct Segment {
    dir: PathBuf,
    stem: String,
    part: u32,
    file: Arc<File>,
    path: PathBuf,
    /// Bytes of whole records in the file.
    length: u64,
}

impl Segment {
    /// Begins the first segment of a launcher; `stem` sorts by time (a UUIDv7).
    pub fn create(dir: &Path, stem: &str) -> io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let (file, path) = open(dir, stem, 0)?;
        Ok(Self {
            dir: dir.to_owned(),
            stem: stem.to_owned(),
            part: 0,
            file: Arc::new(file),
            path,
            length: 0,
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, to be synced elsewhere.
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Appends one record (a JSON object without newline); its CRC is added here. A record is written whole or not at all.
    pub fn append(&mut self, json: &[u8]) -> io::Result<()> {
        let crc = crc32fast::hash(json);
        let mut record = Vec::with_capacity(json.len() + 24);
        record.extend_from_slice(json.strip_suffix(b"}").unwrap_or(json));
        record.extend_from_slice(format!(",\"crc\":\"{crc:08x}\"}}\n").as_bytes());
        if self.length > 0 && self.length + record.len() as u64 > SEGMENT_BYTES_MAX {
            self.rotate()?;
        }
        match (&*self.file).write_all(&record) {
            Ok(()) => {
                self.length += record.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a record must not stand before the next one.
                self.file.set_len(self.length)?;
                Err(error)
            }
        }
    }

    /// Removes segments that are too old, then the oldest until the rest fits; never this one.
    pub fn prune(&self) {
        prune(&self.dir, TOTAL_BYTES_MAX, &self.path);
    }

    /// Makes room by removing the oldest segment that is not this one; `false` if there is none.
    pub fn drop_oldest(&self) -> bool {
        oldest(&self.dir, &self.path).is_some_and(|path| std::fs::remove_file(path).is_ok())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let _ = self.file.sync_data();
        self.prune();
        let (file, path) = open(&self.dir, &self.stem, self.part + 1)?;
        self.part += 1;
        self.file = Arc::new(file);
        self.path = path;
        self.length = 0;
        Ok(())
    }
}

/// All segments below `dir`, oldest first.
pub fn segments(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = match std::fs::read_dir(dir) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    Ok(paths)
}

fn open(dir: &Path, stem: &str, part: u32) -> io::Result<(File, PathBuf)> {
    let path = dir.join(format!("{stem}-{part:04}.jsonl"));
    let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
    Ok((file, path))
}

fn oldest(dir: &Path, except: &Path) -> Option<PathBuf> {
    segments(dir).ok()?.into_iter().find(|path| path != except)
}

/// Removes what is too old, then the oldest until the rest fits. A segment that cannot be looked at or removed is left:
/// the log must not fail because of housekeeping.
fn prune(dir: &Path, bytes_max: u64, except: &Path) {
    let Ok(paths) = segments(dir) else { return };
    let mut kept = Vec::new();
    for path in paths {
        let Ok(facts) = std::fs::metadata(&path) else { continue };
        let old = facts.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > AGE_MAX);
        if old && path != except && std::fs::remove_file(&path).is_ok() {
            continue;
        }
        kept.push((path, facts.len()));
    }
    let mut total: u64 = kept.iter().map(|(_, bytes)| bytes).sum();
    for (path, bytes) in kept {
        if total <= bytes_max {
            return;
        }
        if path != except && std::fs::remove_file(&path).is_ok() {
            total -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: usize, bytes: usize) -> Vec<u8> {
        format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(bytes)).into_bytes()
    }

    #[test]
    fn a_segment_rotates_and_the_total_stays_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let mut segment = Segment::create(dir.path(), "a").unwrap();
        for n in 0..100 {
            segment.append(&record(n, 1 << 20)).unwrap();
        }
        let total: u64 =
            segments(dir.path()).unwrap().iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(segments(dir.path()).unwrap().len() > 1, "nothing was rotated");
        assert!(total <= TOTAL_BYTES_MAX + SEGMENT_BYTES_MAX, "{total} bytes are kept");
        let newest = std::fs::read_to_string(segment.path()).unwrap();
        assert!(newest.contains("\"n\":99"), "the newest record is gone");
    }

    #[test]
    fn the_directory_and_the_file_are_the_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("events");
        let segment = Segment::create(&below, "a").unwrap();
        assert_eq!(below.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(segment.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

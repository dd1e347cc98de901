//! One append-only file of records (decision 24): a record is one JSON line that ends in its own CRC-32. Every launcher
//! has segments of its own, so that processes never lock each other; torn tails are cut when reading.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::host;

/// A segment is closed and a new one begun at this size.
const SEGMENT_BYTES_MAX: u64 = 8 << 20;
/// Segments that one session keeps: half of what all may have, so that no server can flood the others' records away.
const SESSION_SEGMENTS_MAX: u32 = 4;
/// All segments of a user together.
const TOTAL_BYTES_MAX: u64 = 64 << 20;
/// Segments whose session began longer ago are removed, in seconds.
const AGE_MAX_S: i64 = 30 * 24 * 3600;

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

    /// Makes room by removing the oldest segment of this session that is not being written; `false` if there is none.
    /// Other sessions' records are not this one's to drop.
    pub fn drop_oldest(&self) -> bool {
        let own = (0..self.part).map(|part| segment_path(&self.dir, &self.stem, part));
        own.into_iter().any(|path| std::fs::remove_file(path).is_ok())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let _ = self.file.sync_data();
        if let Some(oldest) = (self.part + 2).checked_sub(SESSION_SEGMENTS_MAX + 1) {
            let _ = std::fs::remove_file(segment_path(&self.dir, &self.stem, oldest));
        }
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
    let path = segment_path(dir, stem, part);
    let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
    Ok((file, path))
}

fn segment_path(dir: &Path, stem: &str, part: u32) -> PathBuf {
    dir.join(format!("{stem}-{part:04}.jsonl"))
}

/// Whether the session of a segment began too long ago. Its name tells (UUIDv7): the times of a file can be set by any
/// process of the user, also by one that could not read the file (Landlock does not cover utimensat(2)).
fn is_old(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let began = name
        .as_deref()
        .and_then(|name| uuid::Uuid::parse_str(name.get(..36)?).ok()?.get_timestamp())
        .and_then(|at| i64::try_from(at.to_unix().0).ok());
    began.is_some_and(|began| host::now().as_second() - began > AGE_MAX_S)
}

/// Removes what is too old, then the oldest until the rest fits. A segment that cannot be looked at or removed is left:
/// the log must not fail because of housekeeping.
fn prune(dir: &Path, bytes_max: u64, except: &Path) {
    let Ok(paths) = segments(dir) else { return };
    let mut kept = Vec::new();
    for path in paths {
        let Ok(facts) = std::fs::metadata(&path) else { continue };
        if is_old(&path) && path != except && std::fs::remove_file(&path).is_ok() {
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
    fn a_session_that_floods_drops_its_own_records_and_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let mut other = Segment::create(dir.path(), "a").unwrap();
        other.append(&record(0, 100)).unwrap();
        let mut flood = Segment::create(dir.path(), "b").unwrap();
        for n in 0..200 {
            flood.append(&record(n, 1 << 20)).unwrap();
        }
        assert!(other.path().exists(), "another session's records are gone");
        let own = segments(dir.path()).unwrap().len() - 1;
        assert!(own <= SESSION_SEGMENTS_MAX as usize, "{own} segments are kept");
        assert!(flood.drop_oldest() && other.path().exists());
    }

    #[test]
    fn age_is_told_by_the_name_and_not_by_the_files_times() {
        let dir = tempfile::tempdir().unwrap();
        let young = Segment::create(dir.path(), &uuid::Uuid::now_v7().to_string()).unwrap();
        let file = File::options().write(true).open(young.path()).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        let old = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_600_000_000, 0));
        let old = Segment::create(dir.path(), &old.to_string()).unwrap();
        Segment::create(dir.path(), &uuid::Uuid::now_v7().to_string()).unwrap().prune();
        assert!(young.path().exists(), "a young segment was removed by its forged time");
        assert!(!old.path().exists(), "an old segment was kept");
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

//! Reads segments back: whole records only, in order, following what is added.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::segment::segments;

/// One record as it was stored.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    /// The line without its newline.
    pub line: String,
    /// The line, parsed.
    pub value: Value,
}

impl StoredEvent {
    /// A text member of `what`.
    pub fn what(&self, key: &str) -> &str {
        self.value["what"][key].as_str().unwrap_or("")
    }

    /// A text member of `who`.
    pub fn who(&self, key: &str) -> &str {
        self.value["who"][key].as_str().unwrap_or("")
    }
}

/// Reads all segments of a directory; called again it returns what was added since.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    /// Only this session's.
    session: Option<String>,
    offsets: BTreeMap<PathBuf, u64>,
    damaged: u64,
}

impl Reader {
    /// A reader of the events below `state_dir`.
    pub fn new(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("events"), session: None, offsets: BTreeMap::new(), damaged: 0 }
    }

    /// A reader of one session's events.
    pub fn of_session(state_dir: &Path, session: &str) -> Self {
        Self { session: Some(session.to_owned()), ..Self::new(state_dir) }
    }

    /// Lines whose CRC did not match, so far.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Everything new since the last call, in order of time (event ids are UUIDv7 and sort by it).
    ///
    /// # Errors
    /// When the directory or a segment cannot be read.
    pub fn poll(&mut self) -> io::Result<Vec<StoredEvent>> {
        let mut events = Vec::new();
        let mut paths = segments(&self.dir)?;
        if let Some(session) = &self.session {
            let is_its = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(session.as_str());
            paths.retain(|path| path.file_name().is_some_and(is_its));
        }
        self.offsets.retain(|path, _| paths.contains(path));
        for path in paths {
            let offset = self.offsets.entry(path.clone()).or_insert(0);
            let mut file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            file.seek(SeekFrom::Start(*offset))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            // A torn tail has no newline yet: it is left for the next call, or for ever.
            let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            *offset += whole as u64;
            for line in bytes[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                match check(line) {
                    Some(event) => events.push(event),
                    None => self.damaged += 1,
                }
            }
        }
        events.sort_by(|a, b| a.value["id"].as_str().cmp(&b.value["id"].as_str()));
        Ok(events)
    }
}

fn check(line: &[u8]) -> Option<StoredEvent> {
    let text = std::str::from_utf8(line).ok()?;
    let (body, tail) = text.rsplit_once(",\"crc\":\"")?;
    let crc = u32::from_str_radix(tail.strip_suffix("\"}")?, 16).ok()?;
    let mut hash = crc32fast::Hasher::new();
    hash.update(body.as_bytes());
    hash.update(b"}");
    if hash.finalize() != crc {
        return None;
    }
    Some(StoredEvent { line: text.to_owned(), value: serde_json::from_str(text).ok()? })
}

#[cfg(test)]
mod tests {
    use super::super::segment::Segment;
    use super::*;

    #[test]
    fn what_was_written_is_read_once_and_torn_or_damaged_lines_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut segment = Segment::create(&dir.path().join("events"), "a").unwrap();
        segment.append(br#"{"id":"1","n":1}"#).unwrap();
        segment.append(br#"{"id":"2","n":2}"#).unwrap();
        let path = segment.path().to_owned();
        let mut reader = Reader::new(dir.path());
        assert_eq!(reader.poll().unwrap().len(), 2);
        assert_eq!(reader.poll().unwrap().len(), 0, "records were read twice");

        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - 20;
        bytes[at] ^= 1;
        bytes.extend_from_slice(b"{\"id\":\"3\",\"n\":3");
        std::fs::write(&path, bytes).unwrap();
        let mut reader = Reader::new(dir.path());
        let events = reader.poll().unwrap();
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(reader.damaged(), 1);
    }
}

//! The event log of one launcher: numbers events, writes them, and knows what a full disk means.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use stockade_policy::document::policy::FullDisk;
use stockade_policy::mediator::Record;

use super::events::{Common, Decision, Envelope, SCHEMA_VERSION};
use super::segment::Segment;
use crate::commands::screen::is_invisible;
use crate::host;

/// The log cannot be written and policy says that traffic stops then (decision 18).
#[derive(Debug, thiserror::Error)]
#[error("the event log cannot be written, and the policy in force stops traffic then")]
pub struct Stopped(#[source] io::Error);

/// Numbers and appends events.
#[derive(Debug)]
pub struct EventLog {
    segment: Segment,
    common: Common,
    /// `common` as JSON: it is the larger half of every event and hardly ever changes.
    who: Option<Box<RawValue>>,
    full_disk: FullDisk,
    seq: u64,
    dropped: u64,
    last_id: String,
    unsynced: bool,
    alerted: bool,
}

impl EventLog {
    /// Opens the log of a session below `state_dir`.
    pub fn open(state_dir: &Path, common: Common, full_disk: FullDisk) -> io::Result<Self> {
        let segment = Segment::create(&state_dir.join("events"), &common.session)?;
        Ok(Self {
            segment,
            common,
            who: None,
            full_disk,
            seq: 0,
            dropped: 0,
            last_id: String::new(),
            unsynced: false,
            alerted: false,
        })
    }

    /// Where the events go.
    pub fn path(&self) -> &Path {
        self.segment.path()
    }

    /// Id of the session.
    pub fn session(&self) -> &str {
        &self.common.session
    }

    /// Name that the user knows the server by.
    pub fn server(&self) -> &str {
        &self.common.server
    }

    /// Which processes stand above us: found out after the server's start, which must not wait for it.
    pub fn started_by(&mut self, processes: Vec<String>) {
        self.common.client.processes = processes;
        self.who = None;
    }

    /// The client's id in our own arguments.
    pub fn client_id(&self) -> Option<&str> {
        self.common.client.id.as_deref()
    }

    /// What else tells who started us: the file that runs above us, and the marks of clients in our environment.
    pub fn evidence(&mut self, program: Option<String>, marks: Vec<String>) {
        self.common.client.program = program;
        self.common.client.marks = marks;
        self.who = None;
    }

    /// Removes what is too old or too much.
    pub fn prune(&self) {
        self.segment.prune();
    }

    /// The client told its name. Whether that is news.
    pub fn client_says(&mut self, name: Option<&str>) -> bool {
        let is_new = self.common.client.says.as_deref() != name;
        if is_new {
            self.common.client.says = name.map(str::to_owned);
            self.who = None;
        }
        is_new
    }

    /// The policy by which the next events were decided.
    pub fn under(&mut self, policy_hash: &str) {
        if self.common.policy != policy_hash {
            policy_hash.clone_into(&mut self.common.policy);
            self.who = None;
        }
    }

    /// What a full disk means from now on.
    pub fn set_full_disk(&mut self, full_disk: FullDisk) {
        self.full_disk = full_disk;
    }

    /// Writes one decision. Returns whether it should reach the disk at once: refusals do.
    ///
    /// # Errors
    /// [`Stopped`] when policy stops traffic on a full disk.
    pub fn decision(&mut self, record: &Record) -> Result<bool, Stopped> {
        self.append(Decision::kind(record), &Decision::new(record))?;
        Ok(record.verdict.refuses())
    }

    /// Writes one event.
    ///
    /// # Errors
    /// [`Stopped`] when policy stops traffic on a full disk.
    pub fn append<T: Serialize>(&mut self, kind: &'static str, what: &T) -> Result<(), Stopped> {
        let who = match self.who.take() {
            Some(who) => who,
            None => match serde_json::value::to_raw_value(&self.common) {
                Ok(who) => who,
                Err(error) => return self.failed(error.into()),
            },
        };
        let envelope = Envelope {
            v: SCHEMA_VERSION,
            seq: self.seq + 1,
            id: uuid::Uuid::now_v7().to_string(),
            time: host::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            kind,
            dropped: self.dropped,
            who: &who,
            what,
        };
        let written =
            serde_json::to_vec(&envelope).map_err(io::Error::from).and_then(|line| self.write(line));
        let id = envelope.id;
        self.who = Some(who);
        match written {
            Ok(()) => {
                self.seq += 1;
                self.dropped = 0;
                self.unsynced = true;
                self.last_id = id;
                Ok(())
            }
            Err(error) => self.failed(error),
        }
    }

    /// Id of the event that was written last.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// The file to sync, if anything was written since the last call.
    pub fn take_unsynced(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.unsynced).then(|| self.segment.file())
    }

    /// An event could not be written: policy says whether traffic goes on.
    fn failed(&mut self, error: io::Error) -> Result<(), Stopped> {
        if self.full_disk == FullDisk::Stop {
            return Err(Stopped(error));
        }
        self.dropped += 1;
        self.alert(&error);
        Ok(())
    }

    fn write(&mut self, line: Vec<u8>) -> io::Result<()> {
        let line = plain(line);
        match self.segment.append(&line) {
            Err(error)
                if error.kind() == io::ErrorKind::StorageFull
                    && self.full_disk == FullDisk::DropOldest
                    && self.segment.drop_oldest() =>
            {
                self.segment.append(&line)
            }
            outcome => outcome,
        }
    }

    fn alert(&mut self, error: &io::Error) {
        use std::io::Write;
        if !std::mem::replace(&mut self.alerted, true) {
            let path = self.segment.path().display();
            let _ = writeln!(
                io::stderr(),
                "stockade: events are being dropped and counted: cannot write {path}: {error}\n\
                 stockade: make room there; traffic goes on, as the policy in force says"
            );
        }
    }
}

/// The same JSON with every character that a terminal obeys or an eye cannot see as an escape: events hold names that
/// servers chose, and people look at the file itself. (serde_json escapes the ASCII ones.)
fn plain(json: Vec<u8>) -> Vec<u8> {
    if json.is_ascii() {
        return json;
    }
    let Ok(text) = std::str::from_utf8(&json) else { return json };
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() || !(character.is_control() || is_invisible(character)) {
            out.push(character);
        } else {
            let mut units = [0; 2];
            out.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_change_what_stands_around_them_are_written_as_escapes() {
        let written = plain("{\"é\":\"a\u{202e}b\u{9b}\u{e0041}\"}".as_bytes().to_vec());
        assert_eq!(written, "{\"é\":\"a\\u202eb\\u009b\\udb40\\udc41\"}".as_bytes());
        assert!(serde_json::from_slice::<serde_json::Value>(&written).is_ok());
    }
}

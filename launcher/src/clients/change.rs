//! Carries a change of one client's file out: read, propose, keep in the journal, replace; again if it changed meanwhile.

use std::path::Path;
use std::time::Duration;

use crate::clients::entry;
use crate::clients::journal::{Journal, JournalError, Record};
use crate::clients::propose::{self, Known, Outcome, Proposal, Request, Row, Way};
use crate::clients::registry::{Format, Location};
use crate::clients::spans::{Document, quoted};
use crate::clients::store::{self, FileProblem, Original};
use crate::host;
use crate::secrets::{self, Reference};

/// A client that is busy writing is given this many chances.
pub(super) const ATTEMPTS_MAX: u32 = 8;
const UNFINISHED_WAIT: Duration = Duration::from_millis(100);

/// Write, or only show?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write.
    Write,
    /// Show what would be written.
    Show,
}

/// What became of one file.
#[derive(Debug)]
pub(crate) struct FileReport {
    /// Which file.
    pub location: Location,
    /// A row for each entry; none if there is a problem.
    pub rows: Vec<Row>,
    /// Why nothing was changed, though it should have been.
    pub problem: Option<String>,
    /// Why nothing of it is ever changed.
    pub reported_only: Option<String>,
    /// The command lines of the servers that were wrapped, without us.
    pub wrapped: Vec<(entry::Place, Vec<String>)>,
    /// The file before and after.
    pub texts: Option<(String, String)>,
}

/// Changes one file, or says why not. `None` if it does not exist. `journal` is `None` if there can be none: then nothing
/// is wrapped, but whatever is wrapped can be undone.
pub(crate) fn change(
    location: &Location,
    request: &Request,
    mode: Mode,
    journal: Option<&Journal>,
) -> Option<FileReport> {
    change_between(location, request, (mode, journal), &mut || ())
}

/// With a step between reading and writing, in which tests let others change the file.
fn change_between(
    location: &Location,
    request: &Request,
    (mode, journal): (Mode, Option<&Journal>),
    between: &mut dyn FnMut(),
) -> Option<FileReport> {
    let report = |outcome: Result<(Proposal, String), String>| match outcome {
        Ok((proposal, before)) => FileReport {
            location: location.clone(),
            texts: Some((before, proposal.text)),
            rows: proposal.rows,
            wrapped: proposal.wrapped,
            problem: None,
            reported_only: None,
        },
        Err(problem) => {
            let (rows, wrapped) = (Vec::new(), Vec::new());
            let location = location.clone();
            FileReport { location, rows, wrapped, problem: Some(problem), reported_only: None, texts: None }
        }
    };
    if !location.place.is_writable() {
        let why = match location.place.why {
            "" => "nobody has tried how this client reads it",
            why => why,
        };
        let only =
            FileReport { problem: None, reported_only: Some(why.to_owned()), ..report(Err(String::new())) };
        return location.path.exists().then_some(only);
    }
    for attempt in 1..=ATTEMPTS_MAX {
        let original = match store::read(location) {
            Ok(Some(original)) => original,
            Ok(None) => return None,
            Err(problem) => return Some(report(Err(problem.to_string()))),
        };
        let proposal = match proposed(location, request, &original, (mode, journal)) {
            // A client that empties the file and then fills it may just be at it.
            _ if attempt == 1 && looks_unfinished(&original.bytes, location.place.format) => {
                std::thread::sleep(UNFINISHED_WAIT);
                continue;
            }
            Ok(proposal) => proposal,
            Err(problem) => return Some(report(Err(problem))),
        };
        let before = String::from_utf8_lossy(&original.bytes).into_owned();
        if mode == Mode::Show || proposal.changed.is_empty() {
            return Some(report(Ok((proposal, before))));
        }
        between();
        match write(location, request, (&original, &proposal), journal) {
            Ok(()) => return Some(report(Ok((proposal, before)))),
            Err(WriteError::File(FileProblem::Changed)) => {}
            Err(problem) => return Some(report(Err(problem.to_string()))),
        }
    }
    Some(report(Err(FileProblem::Changed.to_string())))
}

fn looks_unfinished(bytes: &[u8], format: Option<Format>) -> bool {
    let parsed = format.map(|format| Document::parse(bytes, format));
    parsed.is_some_and(|parsed| parsed.map_or(true, |document| document.root().is_none()))
}

fn proposed(
    location: &Location,
    request: &Request,
    original: &Original,
    (mode, journal): (Mode, Option<&Journal>),
) -> Result<Proposal, String> {
    let recall = |place: &entry::Place| journal.and_then(|journal| journal.find(&original.path, place));
    let is_spared = |place: &entry::Place| {
        let taken_back = journal.and_then(|journal| journal.taken_back(&original.path, place));
        matches!(request.way, Way::Keep { .. }) && taken_back.is_some()
    };
    let whose = (location.client, location.place);
    let secret = |reference: &Reference, format: Format| match mode {
        Mode::Write => secrets::text_of(reference, format),
        // What would be written is shown to whoever asks.
        Mode::Show => Ok(quoted(&reference.to_string())),
    };
    let known = Known { journal: &recall, is_spared: &is_spared, secret: &secret };
    propose::propose_knowing(whose, &original.bytes, request, known)
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    File(#[from] FileProblem),
    #[error("it was not changed: {0}: {cause}", cause = cause_of(.0))]
    Journal(#[from] JournalError),
    #[error("it was not changed: there is no journal to keep the original in")]
    NoJournal,
}

fn cause_of(error: &JournalError) -> String {
    std::error::Error::source(error).map_or_else(String::new, ToString::to_string)
}

fn write(
    location: &Location,
    request: &Request,
    (original, proposal): (&Original, &Proposal),
    journal: Option<&Journal>,
) -> Result<(), WriteError> {
    if request.way.is_wrap() {
        // First the way back, then the change.
        let file = (original.path.as_path(), original.bytes.as_slice());
        keep(location, file, proposal, journal.ok_or(WriteError::NoJournal)?)?;
    }
    store::replace(location, original, proposal.text.as_bytes())?;
    if let (Way::Unwrap, Some(journal)) = (&request.way, journal) {
        for changed in &proposal.changed {
            let id = entry::id(location.client, &changed.place.name);
            let record = Record::taken_back(host::now().to_string(), id, &original.path, &changed.place);
            if journal.keep(&original.path, &changed.place, &record).is_err() {
                journal.forget(&original.path, &changed.place);
            }
        }
    }
    Ok(())
}

/// The way back from a change that is about to be made.
pub(super) fn keep(
    location: &Location,
    (file, bytes): (&Path, &[u8]),
    proposal: &Proposal,
    journal: &Journal,
) -> Result<(), JournalError> {
    if !proposal.was_wrapped || !journal.backup_path(file).exists() {
        journal.back_up(file, bytes)?;
    }
    let at = host::now().to_string();
    for changed in &proposal.changed {
        let id = entry::id(location.client, &changed.place.name);
        let texts = (changed.before.as_str(), changed.after.as_str());
        let words = proposal.wrapped.iter().find(|(place, _)| *place == changed.place);
        let record = Record::new(at.clone(), id, file, &changed.place, texts);
        let record = record.with_words(words.map_or_else(Vec::new, |(_, words)| words.clone()));
        let record = record.with_search_path(host::search_path());
        journal.keep(file, &changed.place, &record)?;
    }
    journal.settle()
}

impl FileReport {
    /// How many entries became, or would become, something else.
    pub(crate) fn changed(&self) -> usize {
        let changes =
            |row: &&Row| matches!(row.outcome, Outcome::Wrapped | Outcome::Shadowed | Outcome::Restored(_));
        self.rows.iter().filter(changes).count()
    }

    /// Is there anything that should have been changed and could not be?
    pub(crate) fn has_failed(&self) -> bool {
        self.problem.is_some() || self.rows.iter().any(|row| matches!(row.outcome, Outcome::Failed(_)))
    }
}

#[cfg(test)]
mod tests;

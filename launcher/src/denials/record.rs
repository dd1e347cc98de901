//! One denial between memory and the log.

use std::path::{Path, PathBuf};

use super::meaning::means;
use super::objections::is_name_service_cache;
use super::propose::{Grant, Remedy, grant, remedy};
use super::tried::Tried;
use crate::plan::ClosedPlaces;
use crate::telemetry::{CallsInFlight, Denied, StoredEvent};

/// Something that was refused, and what to make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was tried.
    pub tried: Tried,
    /// Why it was refused, or what it means.
    pub why: String,
    /// The grant that would allow it.
    pub remedy: Remedy,
    /// The program of the tree.
    pub program: Option<PathBuf>,
    /// How often.
    pub count: u64,
    /// When it was recorded last, in the words of the log.
    pub last: Option<String>,
}

impl Entry {
    /// As an event. `mask` hides what looks like a secret: paths and names are chosen by the server. `during` are the calls
    /// in flight when the news came.
    pub fn event(
        &self,
        mask: &dyn Fn(&str) -> String,
        during: &CallsInFlight,
        places: &ClosedPlaces,
    ) -> Denied {
        let target = self.tried.target();
        let masked = mask(&target);
        let hidden = masked != target;
        let (access, file) = self.tried.file_words().unzip();
        let (fragment, instead) = match &self.remedy {
            Remedy::Grant(_) if hidden => {
                (None, Some("its name holds what looks like a secret, and is not written down".to_owned()))
            }
            Remedy::Grant(grant) => (Some(grant.fragment(self.program.as_deref(), places)), None),
            Remedy::None(instead) => (None, Some(instead.clone())),
        };
        Denied {
            verdict: "deny",
            kind: self.tried.kind(),
            what: masked,
            access,
            file,
            evidence: self.tried.evidence(),
            why: mask(&self.why),
            fragment: fragment.map(|text| mask(&text)),
            instead: instead.map(|text| mask(&text)),
            program: self.program.as_deref().map(|path| mask(&path.to_string_lossy())),
            count: self.count,
            // An observed open is told some time after it happened, when the call it was for may be over.
            during: (self.tried.evidence() == "refused").then(|| during.clone()),
        }
    }

    /// Read back from the log; `None` for an event that is not about a denial of the jail.
    pub fn of_stored(event: &StoredEvent, places: &ClosedPlaces) -> Option<Self> {
        let what = &event.value["what"];
        let text = |key: &str| what[key].as_str().map(str::to_owned);
        let tried = match event.value["kind"].as_str()? {
            "denied" => Tried::from_event(what)?,
            "net.refused" | "net.dns_refused" => Tried::Network { what: text("what")? },
            "browser" if what["outcome"] == "refused" => Tried::Page { page: text("page")? },
            _ => return None,
        };
        let remedy = match (text("fragment"), text("instead")) {
            (Some(fragment), _) => match grant(&tried).or_else(|| Grant::read(&fragment)) {
                Some(grant) => Remedy::Grant(grant),
                None => remedy(&tried, None, places),
            },
            (None, Some(instead)) => Remedy::None(instead),
            (None, None) => remedy(&tried, None, places),
        };
        // `count` is how often in all, `suppressed` how often besides this once.
        let again = what["suppressed"].as_u64().unwrap_or(0);
        Some(Self {
            why: text("why").unwrap_or_else(|| means(&tried)),
            remedy,
            program: text("program").map(PathBuf::from),
            count: what["count"].as_u64().unwrap_or(1 + again),
            last: event.value["time"].as_str().map(str::to_owned),
            tried,
        })
    }

    /// Whether it says nothing about the server: the library tries it in every program, and does without. On record like any
    /// other, but not listed.
    pub fn is_noise(&self) -> bool {
        matches!(&self.tried, Tried::UnixSocket { path } if is_name_service_cache(path))
    }

    /// The same denial again.
    pub fn is_same(&self, other: &Self) -> bool {
        self.tried == other.tried && self.program == other.program
    }

    /// Whose it was, for people.
    pub fn program_words(&self) -> String {
        self.program
            .as_deref()
            .map_or_else(|| "an unknown program".to_owned(), |path: &Path| path.display().to_string())
    }
}

/// One entry for what was refused several times, in the order in which it was first seen.
pub fn merged(entries: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
    let mut merged: Vec<Entry> = Vec::new();
    for entry in entries {
        match merged.iter_mut().find(|one| one.is_same(&entry)) {
            Some(one) => {
                one.count += entry.count;
                one.last = entry.last.max(one.last.take());
            }
            None => merged.push(entry),
        }
    }
    merged
}

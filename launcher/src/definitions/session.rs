//! The pins as a running session has them: read at its start, looked at before every message, written when a server says
//! something else.

use std::collections::BTreeSet;
use std::path::PathBuf;

use stockade_policy::mediator::{Others, Pins, Said, Sightings, Standing};

use super::apply::apply;
use super::events::{DefinitionsPinned, NAMED_MAX};
use super::pin::ServerPins;
use super::store::{self, Place};
use crate::error::Failure;
use crate::host::{self, Facts};
use crate::plan::Plan;
use crate::watch::FileWatch;

/// How people read a time in the file.
const TIME_FORM: &str = "%Y-%m-%dT%H:%M:%SZ";
/// Most names that a server is remembered under.
const NAMES_MAX: usize = 8;

/// The pins of this session's server.
#[derive(Debug)]
pub(crate) struct Definitions {
    place: Place,
    server: String,
    name: String,
    identity: Vec<String>,
    watch: FileWatch,
    /// What a tool without a pin is until all pages were seen: in the session that saw the server first, and in no other.
    others: Others,
    known: Known,
}

/// What has to be known to tell whether a list says anything new: no texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    pins: Pins,
    /// What it says of itself is not what holds.
    server_waits: bool,
    offered: BTreeSet<String>,
    settled: bool,
}

/// What became of what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What holds now.
    pub(crate) pins: Pins,
    /// What was pinned at first sight.
    pub(crate) pinned: Option<DefinitionsPinned>,
}

impl Definitions {
    /// Those of the plan's server.
    ///
    /// # Errors
    /// When they are damaged: to start without them would be to agree to whatever the server says.
    pub(crate) fn open(plan: &Plan, facts: &Facts) -> Result<Self, Failure> {
        let key = store::key(&plan.lasting.name, &plan.lasting.identity);
        let place = Place::new(&facts.state_dir, &key);
        let mut watch = FileWatch::new([place.path()]);
        // What changes after this is seen at the next look.
        watch.changed();
        let stored = place.load()?;
        let seen_before = stored.as_ref().is_some_and(|pins| pins.settled || !pins.tools.is_empty());
        let others = if seen_before { Others::New } else { Others::FirstUse };
        let known = stored.map_or_else(Known::default, |pins| Known::of(&pins, others));
        Ok(Self {
            place,
            server: plan.lasting.identity.clone(),
            name: plan.server_name.clone(),
            identity: plan.identities.clone(),
            watch,
            others,
            known,
        })
    }

    /// What holds.
    pub(crate) fn pins(&self) -> Pins {
        self.known.pins.clone()
    }

    /// The files that it looks after.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.watch.paths()
    }

    /// What holds now; `None` if that is what held at the last look.
    ///
    /// # Errors
    /// When it is damaged. What held goes on to hold.
    pub(crate) fn look(&mut self) -> Option<Result<Pins, Failure>> {
        if !self.watch.changed() {
            return None;
        }
        let known = match self.place.load() {
            Ok(Some(pins)) => Known::of(&pins, self.others),
            // Forgotten: the next list is a first sight.
            Ok(None) => {
                self.others = Others::FirstUse;
                Known::default()
            }
            Err(failure) => return Some(Err(failure)),
        };
        if known == self.known {
            return None;
        }
        self.known = known;
        Some(Ok(self.pins()))
    }

    /// Stores what was seen; `None` if it says nothing new.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub(crate) fn keep(&mut self, sightings: &Sightings) -> Result<Option<Kept>, Failure> {
        if !self.known.is_news(sightings) {
            return Ok(None);
        }
        let now = host::now().strftime(TIME_FORM).to_string();
        let others = self.others;
        let (pinned, pins) = self.place.update(
            || ServerPins::new(&self.server, &now),
            |pins| {
                let pinned = apply(pins, sightings, others, &now);
                remember_name(&mut pins.names, &self.name);
                pins.identity.clone_from(&self.identity);
                Ok(pinned)
            },
        )?;
        self.known = Known::of(&pins, others);
        let names = pinned.iter().take(NAMED_MAX).cloned().collect();
        let pinned = (!pinned.is_empty()).then_some(DefinitionsPinned { tools: pinned.len(), names });
        Ok(Some(Kept { pins: self.pins(), pinned }))
    }
}

impl Known {
    fn of(pins: &ServerPins, others: Others) -> Self {
        let offered = pins.tools.iter().filter(|(_, entry)| entry.offered);
        Self {
            pins: pins.pins(others),
            server_waits: pins.says.as_ref().is_some_and(|says| says.waiting.is_some()),
            offered: offered.map(|(name, _)| name.clone()).collect(),
            settled: pins.settled,
        }
    }

    /// Whether the file would be another one with this in it.
    fn is_news(&self, sightings: &Sightings) -> bool {
        let is_known = |sha256: &String, said: &Said| match said {
            Said::Server => self.pins.server.as_ref() == Some(sha256) && !self.server_waits,
            Said::Tool(name) => {
                self.pins.tools.get(name) == Some(sha256) && !self.pins.waiting.contains(name)
            }
        };
        let known = |listed: &BTreeSet<String>| self.settled && *listed == self.offered;
        sightings
            .seen
            .iter()
            .any(|one| one.standing != Standing::Approved || !is_known(&one.sha256, &one.said))
            || sightings.listed.as_ref().is_some_and(|listed| !known(listed))
    }
}

fn remember_name(names: &mut Vec<String>, name: &str) {
    if names.first().is_none_or(|first| first != name) {
        names.retain(|known| known != name);
        names.insert(0, name.to_owned());
        names.truncate(NAMES_MAX);
    }
}

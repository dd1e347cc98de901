//! SessionTime coverage: of all the time that servers ran below AI clients, how much they ran contained. Added up by day, as the agent counts.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the file.
const VERSION: u32 = 1;
/// Older days are dropped.
const DAYS_MAX: usize = 90;
/// Days that `status` tells of.
const DAYS_TOLD: usize = 7;

/// Of one day, in UTC: seconds of sessions, all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Day {
    /// Under Stockade.
    pub contained_s: u64,
    /// Without.
    pub bare_s: u64,
}

/// Days by date.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SessionTime {
    version: u32,
    days: BTreeMap<String, Day>,
}

impl SessionTime {
    /// As it is kept in the agent's directory; none, if it cannot be read.
    pub(crate) fn load(directory: &Path) -> Self {
        let text = std::fs::read(path(directory)).ok();
        let stored = text.and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        let stored = stored.filter(|stored| (1..=VERSION + 1).contains(&stored.version));
        stored.unwrap_or(Self { version: VERSION, days: BTreeMap::new() })
    }

    /// For this long, so many sessions ran.
    pub(super) fn add(&mut self, now: Timestamp, time: Duration, (contained, bare): (usize, usize)) {
        let seconds =
            |sessions: usize| time.as_secs().saturating_mul(u64::try_from(sessions).unwrap_or(u64::MAX));
        let day = self.days.entry(now.strftime("%Y-%m-%d").to_string()).or_default();
        day.contained_s = day.contained_s.saturating_add(seconds(contained));
        day.bare_s = day.bare_s.saturating_add(seconds(bare));
        while self.days.len() > DAYS_MAX {
            self.days.pop_first();
        }
    }

    /// Keeps it.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn save(&self, directory: &Path) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.persist(path(directory)).map(drop).map_err(|error| error.error)
    }

    /// The last seven days on which anything ran, added up; `None` if nothing did.
    pub(crate) fn lately(&self) -> Option<Day> {
        let sum = self.days.values().rev().take(DAYS_TOLD).fold(Day::default(), |sum, day| Day {
            contained_s: sum.contained_s.saturating_add(day.contained_s),
            bare_s: sum.bare_s.saturating_add(day.bare_s),
        });
        (sum != Day::default()).then_some(sum)
    }
}

impl Day {
    /// Session-minutes in all, and how many of a thousand were contained (never rounded up to all).
    pub(crate) fn told(self) -> (u64, u64) {
        let all = self.contained_s.saturating_add(self.bare_s).max(1);
        (all / 60, self.contained_s.saturating_mul(1_000) / all)
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("runtime.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_add_up_by_day_and_old_days_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut runtime = SessionTime::load(dir.path());
        assert_eq!(runtime.lately(), None);
        let day = |number: i64| Timestamp::from_second(1_764_000_000 + number * 86_400).unwrap();
        for number in 0..100 {
            runtime.add(day(number), Duration::from_secs(60), (9, 1));
        }
        runtime.save(dir.path()).unwrap();
        let runtime = SessionTime::load(dir.path());
        assert_eq!(runtime.days.len(), DAYS_MAX);
        let lately = runtime.lately().unwrap();
        assert_eq!(lately, Day { contained_s: 7 * 540, bare_s: 7 * 60 });
        assert_eq!(lately.told(), (70, 900));
        assert_eq!(Day { contained_s: 99_999, bare_s: 1 }.told().1, 999, "not all");
        std::fs::write(path(dir.path()), "{").unwrap();
        assert_eq!(SessionTime::load(dir.path()).lately(), None);
    }
}

//! Another program that writes an entry back as often as we wrap it: then we stop, and say so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So many wraps of one entry within [`WINDOW`] are no coincidence.
const WRAPS_MAX: usize = 6;
const WINDOW: Duration = Duration::from_secs(30);
/// For so long the file is left alone; twice as long each further time.
const PEACE: Duration = Duration::from_secs(60);
const PEACE_MAX: Duration = Duration::from_secs(3_600);

/// Wraps of late, by file and entry; and the files that are left alone.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    wraps: BTreeMap<(PathBuf, String), Vec<Instant>>,
    left: BTreeMap<PathBuf, (Instant, Duration)>,
}

impl Rivals {
    /// An entry of this file was wrapped. `Some`: once too often, and for how long the file is left alone.
    pub(super) fn wrapped(&mut self, file: &Path, entry: &str, now: Instant) -> Option<Duration> {
        let wraps = self.wraps.entry((file.to_owned(), entry.to_owned())).or_default();
        wraps.retain(|at| now.duration_since(*at) < WINDOW);
        wraps.push(now);
        if wraps.len() < WRAPS_MAX {
            return None;
        }
        wraps.clear();
        let before = self.left.get(file).map(|(_, peace)| *peace);
        let peace = before.map_or(PEACE, |before| (before * 2).min(PEACE_MAX));
        self.left.insert(file.to_owned(), (now + peace, peace));
        Some(peace)
    }

    /// Until when the file is left alone, if it is.
    pub(super) fn left_until(&self, file: &Path, now: Instant) -> Option<Instant> {
        self.left.get(file).map(|(until, _)| *until).filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_back_each_time_is_left_alone_for_longer_and_longer() {
        let (mut rivals, start, file) = (Rivals::default(), Instant::now(), Path::new("/f"));
        let wrap =
            |rivals: &mut Rivals, second: u64| rivals.wrapped(file, "a", start + Duration::from_secs(second));
        for second in 0..5 {
            assert_eq!(wrap(&mut rivals, second), None);
        }
        assert_eq!(wrap(&mut rivals, 5), Some(PEACE));
        assert!(rivals.left_until(file, start + Duration::from_secs(64)).is_some());
        assert_eq!(rivals.left_until(file, start + Duration::from_secs(66)), None);
        for second in 70..75 {
            assert_eq!(wrap(&mut rivals, second), None);
        }
        assert_eq!(wrap(&mut rivals, 75), Some(PEACE * 2));
    }

    #[test]
    fn a_person_who_edits_is_no_rival() {
        let (mut rivals, start) = (Rivals::default(), Instant::now());
        for minute in 0..60 {
            let now = start + Duration::from_secs(10 * minute);
            assert_eq!(rivals.wrapped(Path::new("/f"), "a", now), None);
            assert_eq!(rivals.wrapped(Path::new("/f"), &minute.to_string(), now), None, "new entries");
        }
    }
}

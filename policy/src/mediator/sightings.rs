//! What a server said of itself and of its tools, for whoever keeps pins beyond the session; and whether a client has been
//! shown all pages of the list.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::pending::{Entry, Use};
use super::pins::{NAME_BYTES_MAX, PINNED_MAX, Standing};
use super::session::Mediator;
use crate::wire::{Frame, Node, NodeKind};

/// Longest definition whose text is handed over; of a longer one the hash has to do.
pub const DEFINITION_BYTES_MAX: usize = 64 << 10;

/// Most bytes of texts that are handed over at once.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// What was seen since the last time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    /// Definitions, each time that they were another one than before in this session.
    pub seen: Vec<Sighting>,
    /// Names of all tools, if the last page of a list was seen and each page before it.
    pub listed: Option<BTreeSet<String>>,
    text_bytes: usize,
}

/// One definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Whose.
    pub said: Said,
    /// Hex SHA-256 over its one spelling.
    pub sha256: String,
    /// That spelling, if it is not the approved one and not too long.
    pub text: Option<String>,
    /// What it was judged as.
    pub standing: Standing,
    /// Id of the baseline that vouches for it.
    pub baseline: Option<String>,
}

/// What a definition is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// `serverInfo` and `instructions`
    Server,
    /// A tool, by its name.
    Tool(String),
}

/// A walk over the pages of `tools/list`.
#[derive(Debug, Default)]
pub(super) struct Walk {
    names: BTreeSet<String>,
    /// The cursor that the next page is asked for with.
    next: Option<Cursor>,
    completed: bool,
}

/// Digest of a cursor: servers choose them, as long as they like.
pub(super) type Cursor = [u8; 32];

impl Mediator {
    /// What was seen since this was last asked for.
    pub fn take_sightings(&mut self) -> Sightings {
        std::mem::take(&mut self.seen.sightings)
    }

    /// A page of the list of tools was shown.
    pub(super) fn turn_page(&mut self, frame: &Frame<'_>, result: Node, entry: &Entry) {
        let Use::Page(asked) = &entry.is_for else { return };
        let Some(tools) = frame.get(result, "tools").filter(|tools| frame.kind(*tools) == NodeKind::Array)
        else {
            return;
        };
        let name = |tool| frame.get(tool, "name").and_then(|name| frame.text(name));
        let names = frame.elements(tools).filter_map(name).map(std::borrow::Cow::into_owned);
        if let Some(all) = self.seen.walk.page(*asked, cursor(frame, result, "nextCursor"), names) {
            self.seen.sightings.listed = Some(all);
        }
    }
}

impl Sightings {
    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.listed.is_none()
    }

    pub(super) fn add(&mut self, sighting: Sighting, text: Option<String>) {
        let fits = |text: &String| {
            text.len() <= DEFINITION_BYTES_MAX && self.text_bytes + text.len() <= TEXT_BYTES_MAX
        };
        let text = text.filter(fits);
        self.text_bytes += text.as_ref().map_or(0, String::len);
        // Lists that nobody asks after cost no more than one that is full.
        if self.seen.len() > PINNED_MAX {
            self.seen.clear();
        }
        self.seen.push(Sighting { text, ..sighting });
    }
}

impl Walk {
    /// Whether a whole list was seen in this session.
    pub(super) fn was_completed(&self) -> bool {
        self.completed
    }

    /// Somebody else knows that now.
    pub(super) fn forget_completion(&mut self) {
        self.completed = false;
    }

    /// One page. The names of all of them if it is the last one, and follows each page before it.
    fn page(
        &mut self,
        asked: Option<Cursor>,
        next: Option<Cursor>,
        names: impl Iterator<Item = String>,
    ) -> Option<BTreeSet<String>> {
        match asked {
            None => self.names.clear(),
            Some(asked) if self.next == Some(asked) => {}
            Some(_) => return None,
        }
        self.names.extend(names.filter(|name| name.len() <= NAME_BYTES_MAX));
        self.next = next;
        if self.names.len() > PINNED_MAX {
            // Too many to tell whether one of them is gone.
            self.names.clear();
            self.next = None;
            self.completed |= next.is_none();
            return None;
        }
        if next.is_some() {
            return None;
        }
        self.completed = true;
        Some(std::mem::take(&mut self.names))
    }
}

/// The cursor under `key`. `null` is none: that is how many servers say that there is no further page.
pub(super) fn cursor(frame: &Frame<'_>, of: Node, key: &str) -> Option<Cursor> {
    let node = frame.get(of, key)?;
    match frame.text(node) {
        Some(text) => Some(Sha256::digest(text.as_bytes()).into()),
        None => {
            let raw = frame.bytes.get(frame.span(node)).filter(|raw| *raw != b"null")?;
            Some(Sha256::digest(raw).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(names: [&str; N]) -> impl Iterator<Item = String> {
        names.map(str::to_owned).into_iter()
    }

    fn set<const N: usize>(all: [&str; N]) -> Option<BTreeSet<String>> {
        Some(names(all).collect())
    }

    #[test]
    fn only_all_pages_in_their_order_are_a_whole_list() {
        let mut walk = Walk::default();
        assert_eq!(walk.page(None, Some([1; 32]), names(["a"])), None);
        assert_eq!(walk.page(Some([2; 32]), None, names(["x"])), None, "a page of another walk");
        assert!(!walk.was_completed());
        assert_eq!(walk.page(Some([1; 32]), Some([2; 32]), names(["b"])), None);
        assert_eq!(walk.page(Some([2; 32]), None, names(["c"])), set(["a", "b", "c"]));
        assert!(walk.was_completed());
        // A list that is begun anew has nothing of the one before.
        assert_eq!(walk.page(None, Some([1; 32]), names(["a"])), None);
        assert_eq!(walk.page(None, None, names(["d"])), set(["d"]));
        assert_eq!(walk.page(Some([1; 32]), None, names(["b"])), None, "the end of a walk that was left");
    }

    #[test]
    fn a_list_without_end_is_never_whole_and_takes_no_more_than_so_much_memory() {
        let mut walk = Walk::default();
        let mut asked = None;
        for page in 0..100_u8 {
            let many = (0..1000).map(|n| format!("{page}-{n}"));
            assert_eq!(walk.page(asked, Some([page; 32]), many), None);
            assert!(walk.names.len() <= PINNED_MAX);
            asked = Some([page; 32]);
        }
        assert!(!walk.was_completed());
    }

    #[test]
    fn texts_are_handed_over_up_to_a_size() {
        let mut sightings = Sightings::default();
        let one = || Sighting {
            said: Said::Server,
            sha256: String::new(),
            text: None,
            standing: Standing::New,
            baseline: None,
        };
        sightings.add(one(), Some("x".repeat(DEFINITION_BYTES_MAX + 1)));
        for _ in 0..100 {
            sightings.add(one(), Some("x".repeat(DEFINITION_BYTES_MAX)));
        }
        let kept = sightings.seen.iter().filter(|one| one.text.is_some()).count();
        assert_eq!((kept, sightings.seen[0].text.is_none()), (TEXT_BYTES_MAX / DEFINITION_BYTES_MAX, true));
        for _ in 0..3 * PINNED_MAX {
            sightings.add(one(), None);
        }
        assert!(sightings.seen.len() <= PINNED_MAX + 1);
    }
}

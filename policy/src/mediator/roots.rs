//! Roots of the client: some servers take them for grants, so they hear only of those that their jail grants.

use std::borrow::Cow;

use super::edit::{Edit, elements, removals, without_members};
use super::session::Mediator;
use crate::uri::Uri;
use crate::verdict::{Access, Content, Reason, Verdict};
use crate::wire::{self, Frame, Node, NodeKind};

/// Roots that were taken out.
const RULE: &str = "roots/outside-grants";

/// What has to change in a list of roots.
#[derive(Default)]
pub(super) struct RootEdits {
    pub(super) edits: Vec<Edit>,
    /// Roots that go, and how many there were.
    pub(super) removed: usize,
    pub(super) all: usize,
}

impl RootEdits {
    /// What the record says, if nothing stricter is to be said.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let text = match self {
            Self { edits, .. } if edits.is_empty() => return None,
            Self { removed, all, .. } => {
                format!("{removed} of {all} roots of the client lie outside of what the server is granted")
            }
        };
        let reason = Reason { rule: RULE.into(), text: text.into(), layer: "built-in".into() };
        Some(Verdict {
            access: Access::Allow,
            content: Content::Redact,
            reason: Some(reason),
            would_have: None,
        })
    }
}

impl Mediator {
    /// What has to go from `holder`, an object whose member `roots` lists roots, so that only those within the grants
    /// stay. Members that only look like `roots` go as well: some servers would read them in its place.
    pub(super) fn bound_roots(&self, frame: &Frame<'_>, holder: Node) -> RootEdits {
        let Some(within) = &self.facts.roots_within else { return RootEdits::default() };
        let imitates = |key: &str, known: &str| key != known && wire::folds_to(key, known);
        let mut found = RootEdits {
            edits: without_members(frame, holder, |key| imitates(key, "roots")),
            ..RootEdits::default()
        };
        let Some(roots) = frame.get(holder, "roots") else { return found };
        let listed = if frame.kind(roots) == NodeKind::Array { elements(frame, roots) } else { None };
        let Some(listed) = listed else {
            found.edits.push((frame.span(roots), Cow::Borrowed("[]")));
            return found;
        };
        let (mut spans, mut keep) = (Vec::new(), Vec::new());
        for root in listed {
            let uri = frame.get(root, "uri").and_then(|uri| frame.text(uri));
            let is_plain = !frame.members(root).any(|(key, ..)| imitates(&key, "uri"));
            keep.push(is_plain && uri.is_some_and(|uri| lies_within(&uri, within)));
            spans.push(frame.span(root));
        }
        found.all = keep.len();
        found.removed = keep.iter().filter(|kept| !**kept).count();
        if found.removed > 0 {
            found.edits.extend(removals(&spans, &keep));
        }
        found
    }
}

/// Whether a `file:` URI names one of the directories or something below.
fn lies_within(uri: &str, directories: &[String]) -> bool {
    let Ok(uri) = Uri::read(uri) else { return false };
    // A query or fragment is a part of the name to sloppy readers.
    if uri.text().contains(['?', '#']) {
        return false;
    }
    let plainest = uri.readings().last().unwrap_or_default();
    let Some(path) = plainest.strip_prefix("file://") else { return false };
    directories.iter().any(|directory| {
        let below = path.strip_prefix(directory.trim_end_matches('/'));
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::lies_within;

    #[test]
    fn a_root_lies_within_by_whole_names() {
        let granted = ["/srv/work".to_owned(), "/home/ada/a#b/".to_owned()];
        for inside in [
            "file:///srv/work",
            "file:///srv/work/",
            "file:///srv/work/sub/x",
            "file://localhost/srv/work",
            "file:///home/ada/a%23b",
            "file:///srv/%77ork",
        ] {
            assert!(lies_within(inside, &granted), "{inside}");
        }
        for outside in [
            "file:///srv",
            "file:///srv/workshop",
            "file:///",
            "file:///srv/work/../../etc",
            "file:///srv/work/%2e%2e/x",
            "file:///home/ada/a#b",
            "file:///srv/work?x",
            "file://other/srv/work",
            "/srv/work",
            "https://example.org/srv/work",
            "FILE:srv/work",
        ] {
            assert!(!lies_within(outside, &granted), "{outside}");
        }
        assert!(lies_within("file:///etc", &["/".to_owned()]));
        assert!(!lies_within("file:///srv", &[]));
    }
}

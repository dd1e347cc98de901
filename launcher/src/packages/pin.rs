//! A pin: what one request resolved to when it was first used, package by package, and what was found since.

use serde::{Deserialize, Serialize};

use super::request::Asked;
use crate::identity::sha256_hex;

/// Version of the file format.
pub(crate) const FORMAT: u32 = 1;

/// What one request runs until a person or the policy says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pin {
    /// [`FORMAT`].
    pub(crate) v: u32,
    /// `npm` or `pypi`
    pub(crate) ecosystem: String,
    /// What was asked for.
    pub(crate) asked: Asked,
    /// Registry of the first package, without credentials.
    pub(crate) registry: String,
    /// The Python that the tree is for, as `3.12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) python: Option<String>,
    /// When it was first used, RFC 3339 in UTC.
    pub(crate) first_seen: String,
    /// When the tree in force was accepted.
    pub(crate) accepted_at: String,
    /// By whom.
    pub(crate) accepted: Accepted,
    /// When the registry was last asked for something newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checked: Option<String>,
    /// What runs.
    pub(crate) tree: Tree,
    /// What the registry offers instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<Waiting>,
}

/// Who accepted a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Accepted {
    /// Nobody was asked: it was the first.
    FirstUse,
    /// A person.
    Person,
    /// A policy that says `follow`.
    Policy,
}

impl Accepted {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::FirstUse => "at its first use",
            Self::Person => "approved by a person",
            Self::Policy => "followed, as the policy says",
        }
    }
}

/// A resolved tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tree {
    /// Version of the first package.
    pub(crate) version: String,
    /// SHA-256 of the lock file that says all of it.
    pub(crate) lock_sha256: String,
    /// Whether install scripts ran.
    pub(crate) scripts: bool,
    /// Every package, sorted.
    pub(crate) packages: Vec<Locked>,
}

impl Tree {
    /// Name of its directory in the store.
    pub(crate) fn directory(&self, built_for: &str) -> String {
        let what = format!("{}\n{}\n{built_for}\n", self.lock_sha256, self.scripts);
        sha256_hex(what.as_bytes()).chars().take(32).collect()
    }
}

/// One package of a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Locked {
    /// As its registry writes it.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// What its files hash to: `sha512-BASE64` of npm's one file, `sha256:HEX` of each of PyPI's.
    pub(crate) integrity: Vec<String>,
}

/// A tree that is not in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// When it was found.
    pub(crate) found: String,
    /// What it is to the one in force.
    pub(crate) change: Change,
    /// It.
    pub(crate) tree: Tree,
}

/// What a newly resolved tree is to the pinned one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// Other versions.
    Update,
    /// Other content under a version that is pinned: what registries rule out, and attackers do.
    ChangedWithoutVersion,
}

impl Change {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Update => "update available",
            Self::ChangedWithoutVersion => "changed without a version",
        }
    }
}

impl Pin {
    /// `pinned | update available | changed without a version`
    pub(crate) fn state(&self) -> &'static str {
        self.waiting.as_ref().map_or("pinned", |waiting| waiting.change.words())
    }

    /// The tree that waits becomes the one in force.
    pub(crate) fn accept(&mut self, by: Accepted, now: String) -> bool {
        let Some(waiting) = self.waiting.take() else { return false };
        self.tree = waiting.tree;
        self.accepted = by;
        self.accepted_at = now;
        true
    }

    /// Package URL of the first package in force.
    pub(crate) fn purl(&self) -> String {
        purl(&self.ecosystem, self.asked.name(), &self.tree.version)
    }
}

/// `pkg:npm/%40scope/name@1.2.3`
pub(crate) fn purl(ecosystem: &str, name: &str, version: &str) -> String {
    format!("pkg:{ecosystem}/{}@{version}", name.replacen('@', "%40", 1))
}

/// One line of the difference between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Difference<'t> {
    /// Only in the new one.
    Added(&'t Locked),
    /// Only in the old one.
    Removed(&'t Locked),
    /// The only version of a package is another one.
    Moved(&'t Locked, &'t Locked),
    /// The same version with other content.
    Changed(&'t Locked, &'t Locked),
}

/// What differs between two trees, by name.
pub(crate) fn differences<'t>(old: &'t [Locked], new: &'t [Locked]) -> Vec<Difference<'t>> {
    let mut lines = Vec::new();
    let gone = |list: &[Locked], one: &Locked| {
        !list.iter().any(|other| other.name == one.name && other.version == one.version)
    };
    let removed: Vec<&Locked> = old.iter().filter(|one| gone(new, one)).collect();
    let added: Vec<&Locked> = new.iter().filter(|one| gone(old, one)).collect();
    let alone = |list: &[&Locked], name: &str| list.iter().filter(|one| one.name == name).count() == 1;
    for one in &added {
        match removed.iter().find(|other| other.name == one.name) {
            Some(other) if alone(&added, &one.name) && alone(&removed, &one.name) => {
                lines.push(Difference::Moved(other, one));
            }
            _ => lines.push(Difference::Added(one)),
        }
    }
    for one in &removed {
        if !(alone(&added, &one.name) && alone(&removed, &one.name)) {
            lines.push(Difference::Removed(one));
        }
    }
    lines.extend(changed(old, new).into_iter().map(|(old, new)| Difference::Changed(old, new)));
    lines
}

/// Packages that have other content under the same name and version.
///
/// PyPI has several files a version: that one was added later, or is gone, changes nothing that is pinned. That one is gone
/// and another has come is a change.
pub(crate) fn changed<'t>(old: &'t [Locked], new: &'t [Locked]) -> Vec<(&'t Locked, &'t Locked)> {
    let within = |few: &Locked, many: &Locked| few.integrity.iter().all(|hash| many.integrity.contains(hash));
    let mut found = Vec::new();
    for one in old {
        let same = new.iter().find(|other| other.name == one.name && other.version == one.version);
        if let Some(other) = same.filter(|other| !within(one, other) && !within(other, one)) {
            found.push((one, other));
        }
    }
    found
}

/// What a newly resolved tree is to the pinned one; `None` if it is the same.
pub(crate) fn change(old: &Tree, new: &Tree) -> Option<Change> {
    if !changed(&old.packages, &new.packages).is_empty() {
        return Some(Change::ChangedWithoutVersion);
    }
    (!differences(&old.packages, &new.packages).is_empty()).then_some(Change::Update)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(name: &str, version: &str, hashes: &[&str]) -> Locked {
        Locked {
            name: name.to_owned(),
            version: version.to_owned(),
            integrity: hashes.iter().map(|hash| (*hash).to_owned()).collect(),
        }
    }

    fn tree(packages: Vec<Locked>) -> Tree {
        Tree { version: "1.0.0".to_owned(), lock_sha256: String::new(), scripts: false, packages }
    }

    #[test]
    fn the_same_tree_is_no_change() {
        let one = tree(vec![locked("a", "1", &["x"]), locked("b", "2", &["y"])]);
        assert_eq!(change(&one, &one.clone()), None);
    }

    #[test]
    fn another_version_deep_in_the_tree_is_an_update() {
        let old = tree(vec![locked("a", "1", &["x"]), locked("b", "2", &["y"])]);
        let new = tree(vec![locked("a", "1", &["x"]), locked("b", "3", &["z"])]);
        assert_eq!(change(&old, &new), Some(Change::Update));
        assert_eq!(
            differences(&old.packages, &new.packages),
            [Difference::Moved(&old.packages[1], &new.packages[1])]
        );
    }

    #[test]
    fn other_content_under_one_version_outweighs_every_update() {
        let old = tree(vec![locked("a", "1", &["x"]), locked("b", "2", &["y"])]);
        let new = tree(vec![locked("a", "1", &["q"]), locked("b", "3", &["z"])]);
        assert_eq!(change(&old, &new), Some(Change::ChangedWithoutVersion));
    }

    #[test]
    fn a_wheel_that_was_added_is_no_change_and_one_that_was_exchanged_is() {
        let old = tree(vec![locked("a", "1", &["x", "y"])]);
        let more = tree(vec![locked("a", "1", &["w", "x", "y"])]);
        let other = tree(vec![locked("a", "1", &["x", "z"])]);
        assert_eq!(change(&old, &more), None);
        assert_eq!(change(&old, &other), Some(Change::ChangedWithoutVersion));
    }

    #[test]
    fn two_versions_of_one_package_are_not_taken_for_a_move() {
        let old = [locked("a", "1", &["x"]), locked("a", "2", &["y"])];
        let new = [locked("a", "3", &["z"])];
        let lines = differences(&old, &new);
        assert_eq!(
            lines,
            [Difference::Added(&new[0]), Difference::Removed(&old[0]), Difference::Removed(&old[1])]
        );
    }
}

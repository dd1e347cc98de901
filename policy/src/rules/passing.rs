//! What goes on though a rule names it: credentials on their way to the server whose job they are, and findings that
//! somebody answers for (`[[suppress]]`).

use std::cell::Cell;

use super::identity::{Identities, IdentityPattern};
use super::item::UnixTime;
use super::layer::{CompiledLayer, identities, meant, patterns, reason};
use super::pattern::Pattern;
use super::version::Meant;
use super::{Origin, Policy, Ruling};
use crate::detect::Finding;
use crate::document::policy::{self, Class, Destinations, Directions, Term};
use crate::verdict::{Content, Reason};
use crate::wire::Direction;

/// The credentials that are a server's own job, by their detectors, and whose word that is.
#[derive(Clone, Debug)]
pub struct OwnCredentials {
    detectors: Vec<Pattern>,
    said_by: SaidBy,
}

/// Who says what a server's job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidBy {
    /// A profile inside the binary, or the organisation's: every layer believes it.
    Trusted,
    /// The user's own profile: the organisation's and the group's rules believe it where they may be relaxed.
    User,
}

/// A finding's surroundings, as far as it depends on them what is done about it.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Identities of the server.
    pub identities: &'a [String],
    /// Which way the message goes.
    pub direction: Direction,
    /// The tool that is called, or that answers.
    pub tool: Option<&'a str>,
    /// The time of day; without it no suppression holds.
    pub now: Option<UnixTime>,
    /// The server's own credentials.
    pub own: &'a OwnCredentials,
    /// JSON Pointer of the value that holds the finding. Asked for only if a suppression that fits otherwise names a path;
    /// without an answer that one does not hold.
    pub path: &'a dyn Fn() -> Option<String>,
}

/// What is done about a finding, and what was not done.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// What is done.
    pub ruling: Ruling<Content>,
    /// Why that is less than the rules alone would do, if it is.
    pub passed: Option<Passed>,
}

/// Why a finding gets less than the rules alone would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// Such credentials are this server's job.
    Own,
    /// By the suppression with this id.
    Suppressed(String),
}

/// A `[[suppress]]`, compiled.
#[derive(Clone, Debug)]
pub(super) struct CompiledSuppression {
    pub(super) reason: Reason,
    source: policy::Suppression,
    detect: Vec<Pattern>,
    path: Option<Pattern>,
    servers: Vec<IdentityPattern>,
    tools: Vec<Pattern>,
}

/// What of a layer's answer is left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Relief<'s> {
    /// The finding is the server's own, and this layer believes it.
    pub(super) is_own: bool,
    /// The suppression of this layer that speaks for the finding.
    pub(super) suppression: Option<&'s CompiledSuppression>,
}

impl Default for OwnCredentials {
    /// None.
    fn default() -> Self {
        Self { detectors: Vec::new(), said_by: SaidBy::User }
    }
}

impl OwnCredentials {
    /// Of these detectors (patterns).
    #[must_use]
    pub fn new<P: AsRef<str>>(detectors: &[P], said_by: SaidBy) -> Self {
        Self { detectors: detectors.iter().map(|one| Pattern::new(one.as_ref())).collect(), said_by }
    }

    fn holds(&self, finding: &Finding, direction: Direction) -> bool {
        direction == Direction::ToServer && self.detectors.iter().any(|one| one.matches(&finding.detector))
    }

    fn is_believed_by(&self, layer: &CompiledLayer) -> bool {
        let is_above = matches!(layer.origin, Origin::Organisation | Origin::Group);
        self.said_by == SaidBy::Trusted || !is_above || layer.may_relax.contains(&Class::Secret)
    }
}

impl CompiledSuppression {
    pub(super) fn new(source: &policy::Suppression, origin: Origin) -> Self {
        Self {
            reason: reason(&source.id, &source.reason, origin),
            detect: patterns(&source.detect),
            path: source.path.as_deref().map(Pattern::new),
            servers: identities(&source.servers),
            tools: patterns(&source.tools),
            source: source.clone(),
        }
    }

    /// Whether it is about the value, wherever that stands: by its hash, or by nothing but its detector. What is about a place
    /// in messages of some server or tool says nothing of a value elsewhere.
    fn is_about(&self, finding: &Finding) -> bool {
        let of = &self.source;
        let is_narrow = self.path.is_some()
            || !self.servers.is_empty()
            || !self.tools.is_empty()
            || of.direction != Directions::Both;
        (of.hash == Some(finding.hash) || of.hash.is_none() && !is_narrow)
            && (self.detect.is_empty() || self.detect.iter().any(|one| one.matches(&finding.detector)))
    }

    fn speaks_for(&self, finding: &Finding, identities: &Identities<'_>, around: &Around<'_>) -> bool {
        let any = |patterns: &[Pattern], text: &str| patterns.iter().any(|pattern| pattern.matches(text));
        let that_way = match self.source.direction {
            Directions::Both => true,
            Directions::ToServer => around.direction == Direction::ToServer,
            Directions::ToClient => around.direction == Direction::ToClient,
        };
        that_way
            && self.source.hash.is_none_or(|hash| hash == finding.hash)
            && (self.detect.is_empty() || any(&self.detect, &finding.detector))
            && (self.tools.is_empty() || around.tool.is_some_and(|tool| any(&self.tools, tool)))
            && meant(&self.servers, identities) == Meant::Yes
            && around.now.is_some_and(|now| self.source.term(now) == Term::Holds)
            && self
                .path
                .as_ref()
                .is_none_or(|path| (around.path)().is_some_and(|pointer| path.matches(&pointer)))
    }
}

impl Policy {
    /// What is done about this finding? As [`Policy::content`], but for what is the server's own job, and for what somebody
    /// answers for. A suppression is an answer of its layer: it takes the place of what the layer's own rules say, and of
    /// what those above say where they let it (`may_relax`).
    pub fn weigh(&self, finding: &Finding, around: &Around<'_>) -> Weighed {
        let plain = self.content(around.identities, around.direction, finding);
        let is_own = around.own.holds(finding, around.direction);
        let has_suppressions = || self.compiled.iter().any(|layer| !layer.suppressions.is_empty());
        if strictness(&plain) == (Content::Pass, Content::Pass) || !(is_own || has_suppressions()) {
            return Weighed { ruling: plain, passed: None };
        }
        let identities = Identities::new(around.identities);
        let believed = |layer: &CompiledLayer| is_own && around.own.is_believed_by(layer);
        let (mut ruling, mut passed) = (plain, None);
        if is_own {
            let eased = self
                .relieved(finding, around, |_, layer| Relief { is_own: believed(layer), suppression: None });
            ease(&mut ruling, &mut passed, (eased, Passed::Own));
        }
        let speaks = |layer: &'_ CompiledLayer| {
            layer.suppressions.iter().position(|one| one.speaks_for(finding, &identities, around))
        };
        let speaking: Vec<Option<usize>> = self.compiled.iter().map(speaks).collect();
        let suppression = |at: usize| Some(&self.compiled.get(at)?.suppressions[speaking[at]?]);
        // The furthest first: of several the one that made the difference is on record.
        for last in (0..speaking.len()).filter(|at| speaking[*at].is_some()) {
            let eased = self.relieved(finding, around, |at, layer| Relief {
                is_own: believed(layer),
                suppression: if at <= last { suppression(at) } else { None },
            });
            let id = suppression(last).map_or_else(String::new, |one| one.source.id.clone());
            ease(&mut ruling, &mut passed, (eased, Passed::Suppressed(id)));
        }
        Weighed { ruling, passed }
    }

    /// Suppressions that are about a value which was found in no message, whatever their time; the nearest file's first.
    pub fn suppressions_of(&self, finding: &Finding) -> impl Iterator<Item = &policy::Suppression> {
        let each = self.compiled.iter().rev().flat_map(|layer| &layer.suppressions);
        each.filter(|one| one.is_about(finding)).map(|one| &one.source)
    }

    fn relieved<'p>(
        &'p self,
        finding: &Finding,
        around: &Around<'_>,
        relief: impl Fn(usize, &'p CompiledLayer) -> Relief<'p>,
    ) -> Ruling<Content> {
        let identities = Identities::new(around.identities);
        let class = Class::of_detector(finding.class());
        // The layers are asked one after the other, each once.
        let at = Cell::new(0);
        self.join_content(class, |layer| {
            let relief = relief(at.replace(at.get() + 1), layer);
            layer.content_but(&identities, around.direction, (finding, relief))
        })
    }
}

/// Takes a milder ruling in place of what is known, with its cause.
fn ease(
    ruling: &mut Ruling<Content>,
    passed: &mut Option<Passed>,
    (eased, cause): (Ruling<Content>, Passed),
) {
    if strictness(&eased) < strictness(ruling) {
        (*ruling, *passed) = (eased, Some(cause));
    }
}

/// What is done, and what a layer that only watches would do.
fn strictness(ruling: &Ruling<Content>) -> (Content, Content) {
    (ruling.verdict, ruling.would_have.as_ref().map_or(Content::Pass, |(verdict, _)| *verdict))
}

/// What a rule makes of the server's own.
pub(super) fn passes_over(destinations: Destinations, relief: Relief<'_>) -> bool {
    relief.is_own && destinations == Destinations::Honour
}

#[cfg(test)]
mod tests;

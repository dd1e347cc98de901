//! An access rule, compiled: is it about this item, and does it hold for this call?

use std::borrow::Cow;

use super::Origin;
use super::condition::{Condition, Seen};
use super::identity::{Identities, IdentityPattern};
use super::item::{Circumstances, Elicited, Item};
use super::layer::{any, identities, meant, patterns, reason};
use super::pattern::Pattern;
use super::times::Times;
use super::version::Meant;
use crate::document::policy::{Feature, Rule};
use crate::verdict::{Access, Reason};

/// When a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before there is a call: what is not known yet may turn out either way.
    Ahead,
    /// About this very call: what is not known now never will be.
    Call,
}

/// A question: what about, when, and what is known.
#[derive(Debug)]
pub(super) struct Question<'q> {
    pub(super) item: Item<'q>,
    stage: Stage,
    circumstances: &'q Circumstances<'q>,
    seen: Seen<'q>,
}

impl<'q> Question<'q> {
    pub(super) fn new(item: Item<'q>, stage: Stage, circumstances: &'q Circumstances<'q>) -> Self {
        Self { item, stage, circumstances, seen: Seen::default() }
    }
}

/// Whether a rule holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is about something else.
    No,
    /// It depends on what is not known yet.
    Maybe,
    /// Whether it holds cannot be found out, for this reason.
    Broken(Cow<'static, str>),
    /// It holds.
    Yes,
}

/// One `[[rule]]`.
#[derive(Clone, Debug)]
pub(super) struct AccessRule {
    pub(super) effect: Access,
    pub(super) reason: Reason,
    /// Empty: every server.
    pub(super) servers: Vec<IdentityPattern>,
    pub(super) tools: Vec<Pattern>,
    prompts: Vec<Pattern>,
    resources: Vec<Pattern>,
    templates: Vec<Pattern>,
    features: Vec<Feature>,
    /// Empty: pages anywhere.
    origins: Vec<Pattern>,
    when: Option<Condition>,
    times: Times,
}

impl Fit {
    /// Of two things that both have to be so.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Broken(why), _) | (_, Self::Broken(why)) => Self::Broken(why),
            (Self::Maybe, _) | (_, Self::Maybe) => Self::Maybe,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    /// The same, where finding out about the second takes work.
    fn and_then(self, other: impl FnOnce() -> Self) -> Self {
        if self == Self::No { Self::No } else { self.and(other()) }
    }
}

impl AccessRule {
    pub(super) fn new(rule: &Rule, origin: Origin) -> Self {
        Self {
            effect: rule.effect,
            servers: identities(&rule.servers),
            tools: patterns(&rule.tools),
            prompts: patterns(&rule.prompts),
            resources: patterns(&rule.resources),
            templates: patterns(&rule.templates),
            features: rule.features.clone(),
            origins: patterns(&rule.origins),
            when: rule.when.clone(),
            times: rule.times.clone(),
            reason: reason(&rule.id, &rule.reason, origin),
        }
    }

    /// Whether it is about this server and item, and holds.
    pub(super) fn fit(&self, identities: &Identities<'_>, question: &Question<'_>) -> Fit {
        let about = self.is_about(question);
        // Arguments are read only for what is left after this.
        let of_server = match meant(&self.servers, identities) {
            _ if about == Fit::No => return Fit::No,
            Meant::No => return Fit::No,
            Meant::Unknown => Fit::Broken(Cow::Borrowed("the server's version is not known")),
            Meant::Yes => Fit::Yes,
        };
        about.and(of_server).and(self.is_time(question)).and_then(|| self.holds(question))
    }

    /// Whether it holds at this time of day.
    fn is_time(&self, question: &Question<'_>) -> Fit {
        match question.circumstances.now {
            _ if self.times.is_always() => Fit::Yes,
            Some(now) if self.times.hold(now) => Fit::Yes,
            Some(_) => Fit::No,
            None if question.stage == Stage::Ahead => Fit::Maybe,
            None => Fit::Broken(Cow::Borrowed("nobody knows what time it is")),
        }
    }

    /// What its condition says; no condition says yes.
    fn holds(&self, question: &Question<'_>) -> Fit {
        let Some(condition) = &self.when else { return Fit::Yes };
        let Question { item, stage, circumstances, ref seen } = *question;
        let is_open = match stage {
            Stage::Ahead => !condition.is_answerable(item, circumstances),
            Stage::Call => item == Item::Server && condition.waits_for_a_call(),
        };
        if is_open {
            return Fit::Maybe;
        }
        match condition.holds(item, circumstances, seen) {
            Ok(true) => Fit::Yes,
            Ok(false) => Fit::No,
            Err(why) => Fit::Broken(why),
        }
    }

    /// Whether it is about this server and item, whether it holds or not.
    pub(super) fn names(&self, identities: &Identities<'_>, question: &Question<'_>) -> bool {
        self.is_about(question) != Fit::No && any(&self.servers, identities)
    }

    /// Whether it names this very tool, without a wildcard.
    pub(super) fn names_tool(&self, identities: &Identities<'_>, name: &str) -> bool {
        self.tools.iter().any(|tool| tool.literal() == Some(name)) && any(&self.servers, identities)
    }

    /// Whether it tells resources apart.
    pub(super) fn names_resources(&self, identities: &Identities<'_>) -> bool {
        !(self.resources.is_empty() && self.templates.is_empty()) && any(&self.servers, identities)
    }

    /// A rule that lets something of *named* servers be used lets those servers start, for nothing could be used
    /// otherwise. One that names no servers does not: it would let any server start. Nor does one that cannot hold.
    pub(super) fn opens_server(&self, identities: &Identities<'_>, question: &Question<'_>) -> bool {
        self.effect != Access::Deny
            && !self.is_about_server()
            && self.servers.iter().any(|p| !matches!(p, IdentityPattern::Every) && p.matches(identities))
            && matches!(self.is_time(question).and(self.holds(question)), Fit::Yes | Fit::Maybe)
    }

    /// A rule that names no items is about the server and everything in it.
    fn is_about(&self, question: &Question<'_>) -> Fit {
        if self.is_about_server() {
            return Fit::Yes;
        }
        let one_of = |patterns: &[Pattern], text: &str| {
            if patterns.iter().any(|pattern| pattern.matches(text)) { Fit::Yes } else { Fit::No }
        };
        match question.item {
            Item::Server => Fit::No,
            Item::Tool(name) => one_of(&self.tools, name),
            Item::Prompt(name) => one_of(&self.prompts, name),
            Item::Resource(uri) => one_of(&self.resources, uri),
            // A template is also a text that URIs begin like: whoever closes `file:///etc/*` closes `file:///etc/{name}`.
            Item::Template(template) => match one_of(&self.templates, template) {
                Fit::No => one_of(&self.resources, template),
                fit => fit,
            },
            Item::Sampling => self.has(Feature::Sampling),
            Item::Roots => self.has(Feature::Roots),
            Item::Elicitation(Elicited::Form) => self.has(Feature::ElicitationForm),
            Item::Elicitation(Elicited::Url { origin }) => match self.has(Feature::ElicitationUrl) {
                Fit::Yes if !self.origins.is_empty() => match (origin, question.stage) {
                    (Some(origin), _) => one_of(&self.origins, origin),
                    (None, Stage::Ahead) => Fit::Maybe,
                    (None, Stage::Call) => {
                        Fit::Broken(Cow::Borrowed("the page has no address with an origin"))
                    }
                },
                fit => fit,
            },
        }
    }

    fn has(&self, feature: Feature) -> Fit {
        if self.features.contains(&feature) { Fit::Yes } else { Fit::No }
    }

    pub(super) fn is_about_server(&self) -> bool {
        self.tools.is_empty() && !self.names_others()
    }

    /// Whether it names something else than tools.
    pub(super) fn names_others(&self) -> bool {
        let named = [&self.prompts, &self.resources, &self.templates];
        named.iter().any(|patterns| !patterns.is_empty()) || !self.features.is_empty()
    }
}

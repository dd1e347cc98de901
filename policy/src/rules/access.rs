//! An access rule, compiled: is it about this item, and does it hold for this call?

use std::borrow::Cow;

use super::Origin;
use super::identity::{Identities, IdentityPattern};
use super::item::{Circumstances, Elicited, Item};
use super::layer::{any, identities, patterns, reason};
use super::pattern::Pattern;
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'q> {
    pub(super) item: Item<'q>,
    pub(super) stage: Stage,
    #[expect(dead_code, reason = "the conditions of rules, which ask for them, come next")]
    pub(super) circumstances: &'q Circumstances<'q>,
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
    servers: Vec<IdentityPattern>,
    tools: Vec<Pattern>,
    prompts: Vec<Pattern>,
    resources: Vec<Pattern>,
    templates: Vec<Pattern>,
    features: Vec<Feature>,
    /// Empty: pages anywhere.
    origins: Vec<Pattern>,
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
            reason: reason(&rule.id, &rule.reason, origin),
        }
    }

    /// Whether it is about this server and item, and holds.
    pub(super) fn fit(&self, identities: &Identities<'_>, question: &Question<'_>) -> Fit {
        let about = self.is_about(question);
        if about == Fit::No || !any(&self.servers, identities) { Fit::No } else { about }
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
    /// otherwise. One that names no servers does not: it would let any server start.
    pub(super) fn opens_server(&self, identities: &Identities<'_>) -> bool {
        self.effect != Access::Deny
            && !self.is_about_server()
            && self.servers.iter().any(|p| !matches!(p, IdentityPattern::Every) && p.matches(identities))
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

    fn is_about_server(&self) -> bool {
        let named = [&self.tools, &self.prompts, &self.resources, &self.templates];
        named.iter().all(|patterns| patterns.is_empty()) && self.features.is_empty()
    }
}

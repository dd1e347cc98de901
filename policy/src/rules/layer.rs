//! One layer, compiled: its answer to one question, before the layers are joined.

use std::borrow::Cow;

use super::identity::{Identities, IdentityPattern};
use super::pattern::Pattern;
use super::{Item, Layer, Origin};
use crate::detect::{Confidence, Finding};
use crate::document::policy::{Directions, DlpRule, Mode, Rule};
use crate::verdict::{Access, Content, Reason};
use crate::wire::Direction;

/// What one layer says on one axis, and why.
#[derive(Clone, Debug)]
pub(super) struct Answer<'p, V> {
    pub(super) mode: Mode,
    pub(super) verdict: V,
    pub(super) reason: Option<Cow<'p, Reason>>,
}

/// The rules of one layer with their patterns compiled and their reasons made up.
#[derive(Clone, Debug)]
pub(super) struct CompiledLayer {
    pub(super) origin: Origin,
    pub(super) mode: Mode,
    unnamed: Access,
    rules: Vec<AccessRule>,
    dlp: Vec<ContentRule>,
}

#[derive(Clone, Debug)]
struct AccessRule {
    effect: Access,
    /// Empty: every server.
    servers: Vec<IdentityPattern>,
    tools: Vec<Pattern>,
    prompts: Vec<Pattern>,
    reason: Reason,
}

#[derive(Clone, Debug)]
struct ContentRule {
    action: Content,
    detect: Vec<Pattern>,
    direction: Directions,
    confidence: Confidence,
    servers: Vec<IdentityPattern>,
    except: Vec<IdentityPattern>,
    reason: Reason,
}

impl CompiledLayer {
    pub(super) fn new(layer: &Layer) -> Self {
        let document = &layer.document;
        Self {
            origin: layer.origin,
            mode: document.mode,
            unnamed: document.defaults.server,
            rules: document.rules.iter().map(|rule| AccessRule::new(rule, layer.origin)).collect(),
            dlp: document.dlp.iter().map(|rule| ContentRule::new(rule, layer.origin)).collect(),
        }
    }

    /// The strictest rule that names the item; where none does, the layer's default.
    pub(super) fn access(&self, identities: &Identities<'_>, item: Item<'_>) -> Answer<'_, Access> {
        let strictest = self
            .rules
            .iter()
            .filter(|rule| rule.is_about(item) && any(&rule.servers, identities))
            .reduce(|best, rule| if rule.effect > best.effect { rule } else { best });
        if let Some(rule) = strictest {
            return self.answer(rule.effect, Cow::Borrowed(&rule.reason));
        }
        if item == Item::Server
            && let Some(rule) = self.rules.iter().find(|rule| rule.opens_server(identities))
        {
            return self.answer(Access::Allow, Cow::Borrowed(&rule.reason));
        }
        match self.unnamed {
            Access::Allow => Answer { mode: self.mode, verdict: Access::Allow, reason: None },
            verdict => self.answer(verdict, Cow::Owned(self.unnamed_reason(item))),
        }
    }

    /// Whether an allow rule names this very tool, without a wildcard.
    pub(super) fn names_tool(&self, identities: &Identities<'_>, name: &str) -> bool {
        self.rules.iter().any(|rule| {
            rule.effect == Access::Allow
                && rule.tools.iter().any(|tool| tool.literal() == Some(name))
                && any(&rule.servers, identities)
        })
    }

    /// The strictest DLP rule that names the finding.
    pub(super) fn content(
        &self,
        identities: &Identities<'_>,
        direction: Direction,
        finding: &Finding,
    ) -> Option<Answer<'_, Content>> {
        self.strictest(identities, direction, |rule| {
            finding.confidence >= rule.confidence && rule.detect.iter().any(|d| d.matches(&finding.detector))
        })
    }

    /// Whether some DLP rule asks about findings of this detector in this direction.
    pub(super) fn asks_about(
        &self,
        identities: &Identities<'_>,
        direction: Direction,
        detector: &str,
    ) -> bool {
        self.strictest(identities, direction, |rule| rule.detect.iter().any(|d| d.matches(detector)))
            .is_some()
    }

    /// The strictest DLP rule that could speak in this direction.
    pub(super) fn strictest_content(
        &self,
        identities: &Identities<'_>,
        direction: Direction,
    ) -> Option<Answer<'_, Content>> {
        self.strictest(identities, direction, |_| true)
    }

    fn strictest(
        &self,
        identities: &Identities<'_>,
        direction: Direction,
        names: impl Fn(&ContentRule) -> bool,
    ) -> Option<Answer<'_, Content>> {
        self.dlp
            .iter()
            .filter(|rule| rule.looks(direction) && names(rule))
            .filter(|rule| any(&rule.servers, identities))
            .filter(|rule| !rule.except.iter().any(|pattern| pattern.matches(identities)))
            .reduce(|best, rule| if rule.action > best.action { rule } else { best })
            .map(|rule| self.answer(rule.action, Cow::Borrowed(&rule.reason)))
    }

    fn answer<'p, V>(&self, verdict: V, reason: Cow<'p, Reason>) -> Answer<'p, V> {
        Answer { mode: self.mode, verdict, reason: Some(reason) }
    }

    fn unnamed_reason(&self, item: Item<'_>) -> Reason {
        let text = match (item, self.unnamed) {
            (Item::Server, Access::Deny) => {
                "only servers that a rule of this policy allows may start; to approve one, a person adds a [[rule]] \
                 with `effect = \"allow\"` and its identity under `servers` to the same policy file"
            }
            (Item::Server, _) => "no rule names this server, so a person has to agree first",
            (Item::Tool(_), Access::Deny) => "no rule allows this tool",
            (Item::Tool(_), _) => "no rule names this tool, so a person has to agree first",
            (Item::Prompt(_), Access::Deny) => "no rule allows this prompt",
            (Item::Prompt(_), _) => "no rule names this prompt, so a person has to agree first",
        };
        Reason {
            rule: Cow::Borrowed("default"),
            text: Cow::Borrowed(text),
            layer: Cow::Borrowed(self.origin.word()),
        }
    }
}

impl AccessRule {
    fn new(rule: &Rule, origin: Origin) -> Self {
        Self {
            effect: rule.effect,
            servers: identities(&rule.servers),
            tools: patterns(&rule.tools),
            prompts: patterns(&rule.prompts),
            reason: reason(&rule.id, &rule.reason, origin),
        }
    }

    /// A rule without tools and prompts is about the server and everything in it.
    fn is_about(&self, item: Item<'_>) -> bool {
        self.is_about_server()
            || match item {
                Item::Server => false,
                Item::Tool(name) => self.tools.iter().any(|tool| tool.matches(name)),
                Item::Prompt(name) => self.prompts.iter().any(|prompt| prompt.matches(name)),
            }
    }

    fn is_about_server(&self) -> bool {
        self.tools.is_empty() && self.prompts.is_empty()
    }

    /// A rule that lets some tools of *named* servers be used lets those servers start, for nothing could be used
    /// otherwise. One that names no servers does not: it would let any server start.
    fn opens_server(&self, identities: &Identities<'_>) -> bool {
        self.effect != Access::Deny
            && !self.is_about_server()
            && self.servers.iter().any(|p| !matches!(p, IdentityPattern::Every) && p.matches(identities))
    }
}

impl ContentRule {
    fn new(rule: &DlpRule, origin: Origin) -> Self {
        Self {
            action: rule.action,
            detect: patterns(&rule.detect),
            direction: rule.direction,
            confidence: rule.confidence,
            servers: identities(&rule.servers),
            except: identities(&rule.except_servers),
            reason: reason(&rule.id, &rule.reason, origin),
        }
    }

    fn looks(&self, direction: Direction) -> bool {
        match self.direction {
            Directions::Both => true,
            Directions::ToServer => direction == Direction::ToServer,
            Directions::ToClient => direction == Direction::ToClient,
        }
    }
}

/// Whether a list of server patterns is about this server; an empty list is about every server.
fn any(servers: &[IdentityPattern], identities: &Identities<'_>) -> bool {
    servers.is_empty() || servers.iter().any(|pattern| pattern.matches(identities))
}

fn identities(patterns: &[String]) -> Vec<IdentityPattern> {
    patterns.iter().map(|pattern| IdentityPattern::new(pattern)).collect()
}

fn patterns(patterns: &[String]) -> Vec<Pattern> {
    patterns.iter().map(|pattern| Pattern::new(pattern)).collect()
}

fn reason(id: &str, text: &str, origin: Origin) -> Reason {
    // A reason becomes part of a sentence: the full stop that people like to write would stand in its middle.
    let text = text.trim().trim_end_matches('.');
    Reason {
        rule: Cow::Owned(id.to_owned()),
        text: Cow::Owned(text.to_owned()),
        layer: Cow::Borrowed(origin.word()),
    }
}

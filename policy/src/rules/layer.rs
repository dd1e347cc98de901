//! One layer, compiled: its answer to one question, before the layers are joined.

use std::borrow::Cow;

use super::access::{AccessRule, Fit, Question};
use super::baseline::CompiledBaseline;
use super::content::ContentRule;
use super::identity::{Identities, IdentityPattern};
use super::index::Index;
use super::item::Item;
use super::limits::CompiledLimit;
use super::passing::{CompiledSuppression, Relief, passes_over};
use super::pattern::Pattern;
use super::version::Meant;
use super::{Layer, Origin};
use crate::detect::Finding;
use crate::document::policy::{Class, Mode};
use crate::verdict::{Access, Content, Reason};
use crate::wire::Direction;

/// What one layer says on one axis, and why.
#[derive(Clone, Debug)]
pub(super) struct Answer<'p, V> {
    pub(super) mode: Mode,
    pub(super) verdict: V,
    pub(super) reason: Option<Cow<'p, Reason>>,
    pub(super) speaker: Speaker,
}

/// Who speaks for a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// A rule that is about the very thing, and holds.
    Rule,
    /// The layer's default, or a rule of which nobody can say whether it holds.
    Default,
}

impl<'p, V> Answer<'p, V> {
    pub(super) fn by_rule(mode: Mode, verdict: V, reason: Cow<'p, Reason>) -> Self {
        Self { mode, verdict, reason: Some(reason), speaker: Speaker::Rule }
    }

    /// Of a layer that has nothing to say.
    pub(super) fn silent(mode: Mode, verdict: V) -> Self {
        Self { mode, verdict, reason: None, speaker: Speaker::Default }
    }
}

/// The rules of one layer with their patterns compiled and their reasons made up.
#[derive(Clone, Debug)]
pub(super) struct CompiledLayer {
    pub(super) origin: Origin,
    pub(super) mode: Mode,
    pub(super) may_relax: Vec<Class>,
    pub(super) limits: Vec<CompiledLimit>,
    pub(super) baselines: Vec<CompiledBaseline>,
    /// Never a project's.
    pub(super) suppressions: Vec<CompiledSuppression>,
    unnamed: Access,
    rules: Vec<AccessRule>,
    index: Index,
    dlp: Vec<ContentRule>,
}

/// The rules that are about one item, as far as the layer's answer needs them.
#[derive(Default)]
struct Speaking<'p> {
    /// The strictest one that holds, and what was wrong with its condition.
    strictest: Option<(&'p AccessRule, Option<Cow<'static, str>>)>,
    /// The laxest one that may turn out to hold.
    possible: Option<&'p AccessRule>,
    /// The first one that would allow, but cannot be evaluated.
    failed: Option<(&'p AccessRule, Cow<'static, str>)>,
}

impl CompiledLayer {
    pub(super) fn new(layer: &Layer) -> Self {
        let document = &layer.document;
        let rules = document.rules.iter().map(|rule| AccessRule::new(rule, layer.origin)).collect::<Vec<_>>();
        Self {
            origin: layer.origin,
            mode: document.mode,
            may_relax: document.may_relax.clone(),
            limits: document.limits.iter().map(|limit| CompiledLimit::new(limit, layer.origin)).collect(),
            baselines: document
                .baselines
                .iter()
                .map(|one| CompiledBaseline::new(one, layer.origin, document.mode))
                .collect(),
            suppressions: document
                .suppressions
                .iter()
                .filter(|_| layer.origin != Origin::Project)
                .map(|one| CompiledSuppression::new(one, layer.origin))
                .collect(),
            unnamed: document.defaults.server,
            index: Index::new(&rules),
            rules,
            dlp: document.dlp.iter().map(|rule| ContentRule::new(rule, layer.origin)).collect(),
        }
    }

    /// The strictest rule that holds; where none does, the layer's default. Ahead of a call it is the laxest answer
    /// that any call could get: the strictest rule that holds for every call; where there is none, the default, or the
    /// laxest of the rules that may turn out to hold, if that is laxer still.
    pub(super) fn access(&self, identities: &Identities<'_>, question: &Question<'_>) -> Answer<'_, Access> {
        let speaking = self.speaking(identities, question);
        // A rule that may turn out to hold may also take the place of what a layer above says: the laxest answer then.
        let speaker = if speaking.possible.is_some() { Speaker::Rule } else { Speaker::Default };
        if let Some((rule, broken)) = speaking.strictest {
            let Some(why) = broken else { return self.answer(rule.effect, Cow::Borrowed(&rule.reason)) };
            let reason = with_note(&rule.reason, "the condition of this rule", &why);
            return Answer { speaker, ..self.answer(rule.effect, Cow::Owned(reason)) };
        }
        let opening = || self.rules.iter().find(|rule| rule.opens_server(identities, question));
        if question.item == Item::Server
            && let Some(rule) = opening()
        {
            return self.answer(Access::Allow, Cow::Borrowed(&rule.reason));
        }
        if let Some(rule) = speaking.possible.filter(|rule| rule.effect < self.unnamed) {
            return self.answer(rule.effect, Cow::Borrowed(&rule.reason));
        }
        if self.unnamed == Access::Allow {
            return Answer { speaker, ..Answer::silent(self.mode, Access::Allow) };
        }
        let reason = self.unnamed_reason(question.item);
        let reason = match speaking.failed {
            None => reason,
            Some((rule, why)) => {
                with_note(&reason, &format!("the condition of `{}`", rule.reason.rule), &why)
            }
        };
        Answer { speaker, ..self.answer(self.unnamed, Cow::Owned(reason)) }
    }

    /// Whether each rule, in file order, holds; `None` for those about something else.
    pub(super) fn fits(
        &self,
        identities: &Identities<'_>,
        question: &Question<'_>,
    ) -> impl Iterator<Item = Option<Fit>> {
        self.rules.iter().map(|rule| rule.names(identities, question).then(|| rule.fit(identities, question)))
    }

    /// Whether some rule or limit tells this server's resources apart.
    pub(super) fn names_resources(&self, identities: &Identities<'_>) -> bool {
        self.rules.iter().any(|rule| rule.names_resources(identities))
            || self.limits.iter().any(|limit| limit.names_resources(identities))
    }

    /// Whether an allow rule names this very tool, without a wildcard.
    pub(super) fn names_tool(&self, identities: &Identities<'_>, name: &str) -> bool {
        self.rules.iter().any(|rule| rule.effect == Access::Allow && rule.names_tool(identities, name))
    }

    /// The strictest DLP rule that names the finding.
    pub(super) fn content(
        &self,
        identities: &Identities<'_>,
        direction: Direction,
        finding: &Finding,
    ) -> Option<Answer<'_, Content>> {
        self.strictest_of(identities, direction, |rule| rule.names(finding))
    }

    /// As [`CompiledLayer::content`], but for what passes.
    pub(super) fn content_but<'p>(
        &'p self,
        identities: &Identities<'_>,
        direction: Direction,
        (finding, relief): (&Finding, Relief<'p>),
    ) -> Option<Answer<'p, Content>> {
        if let Some(suppression) = relief.suppression {
            return Some(self.answer(Content::Pass, Cow::Borrowed(&suppression.reason)));
        }
        let names = |rule: &ContentRule| rule.names(finding) && !passes_over(rule.destinations, relief);
        self.strictest_of(identities, direction, names)
    }

    /// Whether some DLP rule asks about findings of this detector in this direction.
    pub(super) fn asks_about(
        &self,
        identities: &Identities<'_>,
        direction: Direction,
        detector: &str,
    ) -> bool {
        self.strictest_of(identities, direction, |rule| rule.names_detector(detector)).is_some()
    }

    /// Whether no rule keeps a value of this detector from going back to this tool.
    pub(super) fn may_restore(
        &self,
        identities: &Identities<'_>,
        detector: &str,
        tool: Option<&str>,
    ) -> bool {
        let mut redacting = self
            .dlp
            .iter()
            .filter(|rule| rule.looks(identities, Direction::ToClient) && rule.names_detector(detector));
        redacting.all(|rule| rule.may_restore(tool))
    }

    /// The strictest DLP rule that could speak in this direction.
    pub(super) fn strictest_content(
        &self,
        identities: &Identities<'_>,
        direction: Direction,
    ) -> Option<Answer<'_, Content>> {
        self.strictest_of(identities, direction, |_| true)
    }

    fn speaking(&self, identities: &Identities<'_>, question: &Question<'_>) -> Speaking<'_> {
        let mut speaking = Speaking::default();
        let places = self.index.places(identities, question.item);
        for rule in places.into_iter().filter_map(|place| self.rules.get(usize::try_from(place).ok()?)) {
            let broken = match rule.fit(identities, question) {
                Fit::No => continue,
                Fit::Maybe => {
                    if speaking.possible.is_none_or(|laxest| rule.effect < laxest.effect) {
                        speaking.possible = Some(rule);
                    }
                    continue;
                }
                // Whether it holds cannot be found out: what it forbids stays forbidden, what it allows is not allowed.
                Fit::Broken(why) if rule.effect == Access::Allow => {
                    speaking.failed.get_or_insert((rule, why));
                    continue;
                }
                Fit::Broken(why) => Some(why),
                Fit::Yes => None,
            };
            if speaking.strictest.as_ref().is_none_or(|(best, _)| rule.effect > best.effect) {
                speaking.strictest = Some((rule, broken));
            }
        }
        speaking
    }

    fn strictest_of(
        &self,
        identities: &Identities<'_>,
        direction: Direction,
        names: impl Fn(&ContentRule) -> bool,
    ) -> Option<Answer<'_, Content>> {
        self.dlp
            .iter()
            .filter(|rule| names(rule) && rule.looks(identities, direction))
            .reduce(|best, rule| if rule.action > best.action { rule } else { best })
            .map(|rule| self.answer(rule.action, Cow::Borrowed(&rule.reason)))
    }

    fn answer<'p, V>(&self, verdict: V, reason: Cow<'p, Reason>) -> Answer<'p, V> {
        Answer::by_rule(self.mode, verdict, reason)
    }

    fn unnamed_reason(&self, item: Item<'_>) -> Reason {
        let text = match (item, self.unnamed) {
            (Item::Server, Access::Deny) => Cow::Borrowed(
                "only servers that a rule of this policy allows may start; to approve one, a person adds a [[rule]] \
                 with `effect = \"allow\"` and its identity under `servers` to the same policy file",
            ),
            (_, Access::Deny) => Cow::Owned(format!("no rule allows {}", item.words())),
            _ => Cow::Owned(format!("no rule names {}, so a person has to agree first", item.words())),
        };
        Reason { rule: Cow::Borrowed("default"), text, layer: Cow::Borrowed(self.origin.word()) }
    }
}

/// Whether a list of server patterns is about this server; an empty list is about every server.
pub(super) fn meant(servers: &[IdentityPattern], identities: &Identities<'_>) -> Meant {
    if servers.is_empty() {
        return Meant::Yes;
    }
    servers.iter().map(|pattern| pattern.means(identities)).max().unwrap_or(Meant::No)
}

/// Whether it may be about this server: what only forbids holds as well where the server's version is not known.
pub(super) fn any(servers: &[IdentityPattern], identities: &Identities<'_>) -> bool {
    meant(servers, identities) != Meant::No
}

pub(super) fn identities(patterns: &[String]) -> Vec<IdentityPattern> {
    patterns.iter().map(|pattern| IdentityPattern::new(pattern)).collect()
}

pub(super) fn patterns(patterns: &[String]) -> Vec<Pattern> {
    patterns.iter().map(|pattern| Pattern::new(pattern)).collect()
}

pub(super) fn reason(id: &str, text: &str, origin: Origin) -> Reason {
    // A reason becomes part of a sentence: the full stop that people like to write would stand in its middle.
    let text = text.trim().trim_end_matches('.');
    Reason {
        rule: Cow::Owned(id.to_owned()),
        text: Cow::Owned(text.to_owned()),
        layer: Cow::Borrowed(origin.word()),
    }
}

fn with_note(reason: &Reason, what: &str, why: &str) -> Reason {
    let text = format!("{} ({what} cannot be evaluated: {why})", reason.text);
    Reason { text: Cow::Owned(text), ..reason.clone() }
}

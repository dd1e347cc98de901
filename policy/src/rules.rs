//! The composed policy: layers in, verdicts out. The strictest answer wins, within a layer and across layers.

mod access;
mod baseline;
mod calendar;
mod condition;
mod content;
mod defaults;
mod explain;
mod identity;
mod index;
mod item;
mod layer;
mod limits;
mod passing;
mod pattern;
mod times;
mod version;

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::detect::{Finding, KeywordList};
use crate::document::policy::{Class, Mode, PolicyDocument};
use crate::verdict::{Access, Content, Reason};
use crate::wire::Direction;

use access::{Question, Stage};
pub use baseline::{Defined, Expectation};
pub(crate) use calendar::Civil;
pub use condition::Condition;
pub(crate) use condition::Name;
pub use explain::{Explanation, Holds, LayerAnswer, RuleAnswer};
pub(crate) use identity::{Identities, IdentityPattern, package_kind};
pub use item::{Annotations, Arguments, Circumstances, Elicited, Item, UnixTime};
use layer::{Answer, CompiledLayer, Speaker};
use limits::CompiledLimit;
pub use limits::Limits;
pub use passing::{Around, OwnCredentials, Passed, SaidBy, Weighed};
pub(crate) use pattern::Pattern;
pub use times::Times;
pub(crate) use version::{VersionPattern, is_range};

/// Where a layer comes from, furthest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A root-owned file or (later) a signed bundle.
    Organisation,
    /// A file of the organisation's for one group of users, as root-owned as its own.
    Group,
    /// The user's own file.
    User,
    /// `--policy FILE`.
    Flag,
    /// One of the starting policies inside the binary: holds where there is no file at all.
    BuiltIn,
    /// A file in the project that is worked on: whoever wrote the project wrote it, so it can tighten and nothing else.
    Project,
}

impl Origin {
    /// Whether a layer above can grant it to say otherwise. `--policy` and projects are nobody's to trust.
    fn may_be_granted(self) -> bool {
        matches!(self, Self::Group | Self::User)
    }

    /// The word used in events and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Group => "group",
            Self::User => "user",
            Self::Flag => "--policy",
            Self::BuiltIn => "built-in",
            Self::Project => "project",
        }
    }
}

/// One layer: a document and where it came from.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Where from.
    pub origin: Origin,
    /// Path or built-in name, for people.
    pub name: String,
    /// What it says.
    pub document: PolicyDocument,
    /// SHA-256 of its text, hex.
    pub sha256: String,
}

/// One layer's or the whole policy's answer on one axis.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling<V> {
    /// The verdict in force.
    pub verdict: V,
    /// The rule that decided; `None` if only defaults that allow spoke.
    pub reason: Option<Reason>,
    /// Stricter than `verdict`, from a layer in monitor mode: recorded, not enforced.
    pub would_have: Option<(V, Reason)>,
}

/// All layers in force, composed.
#[derive(Clone, Debug)]
pub struct Policy {
    layers: Vec<Layer>,
    compiled: Vec<CompiledLayer>,
}

impl Policy {
    /// Layers in any order. A policy without layers denies everything: use the built-in `default` instead.
    ///
    /// Every layer given is in force. A built-in one belongs here only where there is no file: the caller decides,
    /// and a mistake of his makes the policy stricter, never laxer.
    #[must_use]
    pub fn compose(mut layers: Vec<Layer>) -> Self {
        layers.sort_by_key(|layer| layer.origin);
        let compiled = layers.iter().map(CompiledLayer::new).collect();
        Self { layers, compiled }
    }

    /// The layers, furthest first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Hex SHA-256 over the layers' hashes: names the policy in every event.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for layer in &self.layers {
            hasher.update(layer.origin.word());
            hasher.update(" ");
            hasher.update(&layer.sha256);
            hasher.update("\n");
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What can be said about `item` of the server with these identities (purl, file hash) without knowing a call: the
    /// laxest verdict that any call could get. Lists are filtered by it. See [`Policy::foresee`].
    pub fn access(&self, identities: &[String], item: Item<'_>) -> Ruling<Access> {
        self.foresee(identities, item, &Circumstances::default())
    }

    /// The laxest verdict that a call about `item` could get, with what is known of it so far (who asks, when).
    ///
    /// A rule whose condition asks for what is not known yet may turn out either way: one that denies hides nothing, and
    /// one that allows what would be denied otherwise leaves it visible. Every call is judged by [`Policy::decide`],
    /// whose verdict is never laxer.
    pub fn foresee(
        &self,
        identities: &[String],
        item: Item<'_>,
        known: &Circumstances<'_>,
    ) -> Ruling<Access> {
        self.judge(identities, &Question::new(item, Stage::Ahead, known))
    }

    /// May `item` of the server with these identities be used, by this call and under these circumstances?
    ///
    /// Within a layer the strictest rule that holds decides, and the layer's default where none does. A rule about the
    /// server is about everything in it. Across layers the strictest answer holds. A condition that cannot be evaluated
    /// refuses: a rule that denies or asks holds then, one that allows does not.
    pub fn decide(&self, identities: &[String], item: Item<'_>, call: &Circumstances<'_>) -> Ruling<Access> {
        self.judge(identities, &Question::new(item, Stage::Call, call))
    }

    /// Whether any rule tells resources of this server apart. Where none does, it does not matter how a URI is read.
    #[must_use]
    pub fn names_resources(&self, identities: &[String]) -> bool {
        let identities = Identities::new(identities);
        self.compiled.iter().any(|layer| layer.names_resources(&identities))
    }

    /// Whether any limit counts bytes.
    #[must_use]
    pub fn limits_bytes(&self) -> bool {
        self.compiled.iter().any(|layer| layer.limits.iter().any(CompiledLimit::counts_bytes))
    }

    /// What is done about this finding?
    pub fn content(&self, identities: &[String], direction: Direction, finding: &Finding) -> Ruling<Content> {
        let identities = Identities::new(identities);
        let class = Class::of_detector(finding.class());
        self.join_content(class, |layer| layer.content(&identities, direction, finding))
    }

    /// Whether some DLP rule of some layer asks about findings of this detector in this direction. Without any layer
    /// everything is asked about, for everything is refused.
    #[must_use]
    pub fn asks_about(&self, identities: &[String], direction: Direction, detector: &str) -> bool {
        let identities = Identities::new(identities);
        self.compiled.is_empty()
            || self.compiled.iter().any(|layer| layer.asks_about(&identities, direction, detector))
    }

    /// The strictest action that any DLP rule could take on anything in this direction (what a spent budget gets).
    pub fn strictest_content(&self, identities: &[String], direction: Direction) -> Ruling<Content> {
        let identities = Identities::new(identities);
        self.join_content(None, |layer| layer.strictest_content(&identities, direction))
    }

    /// A built-in block of content. Layers that only monitor stop nothing: if all do, it is only recorded.
    pub fn held(&self, rule: &'static str, text: String) -> Ruling<Content> {
        let reason = Reason { rule: rule.into(), text: text.into(), layer: Origin::BuiltIn.word().into() };
        let mode = if self.enforcing().next().is_some() { Mode::Enforce } else { Mode::Monitor };
        let answer = Answer {
            mode,
            verdict: Content::Block,
            reason: Some(Cow::Owned(reason)),
            speaker: Speaker::Default,
        };
        self.join(Content::Pass, Content::Block, [answer])
    }

    /// Whether a value that was redacted for the client may be put back in a call of this tool of the server that it came
    /// from: every rule that redacts what was found in it and names tools (`restore_to`) has to name this one. `tool` is
    /// `None` for what is no call of a tool.
    #[must_use]
    pub fn may_restore<'d>(
        &self,
        identities: &[String],
        detectors: impl Iterator<Item = &'d str> + Clone,
        tool: Option<&str>,
    ) -> bool {
        let identities = Identities::new(identities);
        let may =
            |detector: &str| self.compiled.iter().all(|layer| layer.may_restore(&identities, detector, tool));
        detectors.into_iter().all(may)
    }

    /// What becomes of a tool that looks like another one of the same server, if no rule names it literally.
    pub fn look_alike(&self, identities: &[String], name: &str) -> Ruling<Access> {
        let identities = Identities::new(identities);
        let text = "its name looks like that of another tool of this server";
        let answer = self.unless_named(&identities, name, ("definition/look-alike", text));
        self.join(Access::Allow, Access::Deny, answer)
    }

    /// Frame limits: the smallest that any layer gives, and of the built-in ones. Only the furthest layer can raise
    /// the built-in ones, nearer ones tighten. A layer in monitor mode lowers none: that would stop something.
    #[must_use]
    pub fn frame_limits(&self, direction: Direction) -> crate::wire::Limits {
        let given = |document: &PolicyDocument| match direction {
            Direction::ToServer => document.frame_bytes_max.0,
            Direction::ToClient => document.frame_bytes_max.1,
        };
        let mut limits = crate::wire::Limits::of(direction);
        let furthest = self.furthest();
        let raising = self.layers.iter().filter(|layer| Some(layer.origin) == furthest);
        let raised = raising.filter_map(|layer| given(&layer.document));
        let ceiling = raised.chain([limits.frame_bytes_max]).max();
        let smallest = self.enforcing().filter_map(given).chain(ceiling).min();
        limits.frame_bytes_max = smallest.unwrap_or(limits.frame_bytes_max);
        limits
    }

    /// Keyword lists of all layers; lists of the same name are joined. Where one layer matches whole words and
    /// another parts of words, both lists stay, under the one name.
    #[must_use]
    pub fn keywords(&self) -> Vec<KeywordList> {
        let mut joined = Vec::<KeywordList>::new();
        for list in self.layers.iter().flat_map(|layer| &layer.document.keywords) {
            match joined.iter_mut().find(|j| j.name == list.name && j.whole_word == list.whole_word) {
                Some(same) => {
                    same.words.extend(list.words.iter().cloned());
                    same.regexes.extend(list.regexes.iter().cloned());
                }
                None => joined.push(list.clone()),
            }
        }
        for list in &mut joined {
            for texts in [&mut list.words, &mut list.regexes] {
                texts.sort_unstable();
                texts.dedup();
            }
        }
        joined
    }

    fn judge(&self, identities: &[String], question: &Question<'_>) -> Ruling<Access> {
        let identities = Identities::new(identities);
        let name_check = match question.item {
            Item::Tool(name) if !tool_name_is_plain(name) => self.odd_tool_name(&identities, name),
            _ => None,
        };
        let answers = self.compiled.iter().map(|layer| layer.access(&identities, question)).collect();
        let answers = self.relaxed(answers, question.item.class());
        self.join(Access::Allow, Access::Deny, answers.chain(name_check))
    }

    /// The answers (one a layer) without those that a nearer layer was granted to replace: it has to speak by a rule.
    fn relaxed<'p, V: Clone>(
        &self,
        answers: Vec<Answer<'p, V>>,
        class: Option<Class>,
    ) -> impl Iterator<Item = Answer<'p, V>> + use<'p, V> {
        let replaced = self.replaced(answers.iter().map(|answer| answer.speaker == Speaker::Rule), class);
        answers.into_iter().zip(replaced).filter(|(_, is_replaced)| !is_replaced).map(|(answer, _)| answer)
    }

    /// Whether each layer's answer is replaced by a nearer one's, given whose answers are those of rules.
    fn replaced(
        &self,
        by_rule: impl DoubleEndedIterator<Item = bool> + ExactSizeIterator,
        class: Option<Class>,
    ) -> Vec<bool> {
        let mut speaks_nearer = false;
        let mut replaced = Vec::with_capacity(self.compiled.len());
        for (layer, by_rule) in self.compiled.iter().zip(by_rule).rev() {
            let grants = class.is_some_and(|class| layer.may_relax.contains(&class));
            replaced.push(grants && speaks_nearer);
            speaks_nearer |= by_rule && layer.mode == Mode::Enforce && layer.origin.may_be_granted();
        }
        replaced.reverse();
        replaced
    }

    /// The layer that nearer ones tighten. A project is never it, even if nothing else is there.
    fn furthest(&self) -> Option<Origin> {
        self.layers.first().map(|layer| layer.origin).filter(|origin| *origin != Origin::Project)
    }

    /// The strictest word of the layers' defaults.
    fn enforcing(&self) -> impl Iterator<Item = &PolicyDocument> {
        self.layers.iter().map(|layer| &layer.document).filter(|document| document.mode == Mode::Enforce)
    }

    /// A tool whose name is not plain may imitate another in what a person or a model sees. It needs an allow rule
    /// that names it literally, in the furthest layer: nearer ones only tighten.
    fn odd_tool_name(&self, identities: &Identities<'_>, name: &str) -> Option<Answer<'static, Access>> {
        let text = "the name of this tool is not 1 to 128 plain letters, digits, `_`, `.` or `-`";
        self.unless_named(identities, name, ("tool-name", text))
    }

    /// A built-in denial of a tool, unless a rule names it.
    fn unless_named(
        &self,
        identities: &Identities<'_>,
        name: &str,
        (rule, text): (&'static str, &'static str),
    ) -> Option<Answer<'static, Access>> {
        let furthest = self.furthest();
        let mut deciding = self.compiled.iter().filter(|layer| Some(layer.origin) == furthest);
        if deciding.any(|layer| layer.names_tool(identities, name)) {
            return None;
        }
        let enforced = self.compiled.iter().any(|layer| layer.mode == Mode::Enforce);
        let mode = if enforced { Mode::Enforce } else { Mode::Monitor };
        let reason = Reason {
            rule: Cow::Borrowed(rule),
            text: Cow::Borrowed(text),
            layer: Cow::Borrowed(Origin::BuiltIn.word()),
        };
        Some(Answer {
            mode,
            verdict: Access::Deny,
            reason: Some(Cow::Owned(reason)),
            speaker: Speaker::Default,
        })
    }

    fn join_content<'p>(
        &'p self,
        class: Option<Class>,
        ask: impl Fn(&'p CompiledLayer) -> Option<Answer<'p, Content>>,
    ) -> Ruling<Content> {
        let mut answers = Vec::with_capacity(self.compiled.len());
        let silent = |layer: &CompiledLayer| Answer::silent(layer.mode, Content::Pass);
        let all = self.compiled.iter().map(|layer| ask(layer).unwrap_or_else(|| silent(layer))).collect();
        for answer in self.relaxed(all, class).filter(|answer| answer.speaker == Speaker::Rule) {
            // To record stops nothing: that much a layer in monitor mode does for real.
            if answer.mode == Mode::Monitor {
                let verdict = answer.verdict.min(Content::Monitor);
                answers.push(Answer { mode: Mode::Enforce, verdict, ..answer.clone() });
            }
            answers.push(answer);
        }
        self.join(Content::Pass, Content::Block, answers)
    }

    /// The strictest answer of the layers that enforce, and beside it the strictest of those that only monitor, if
    /// it is stricter still. Of equal answers the furthest layer's holds, one with a reason before one without.
    fn join<'p, V: Copy + Ord>(
        &self,
        laxest: V,
        strictest: V,
        answers: impl IntoIterator<Item = Answer<'p, V>>,
    ) -> Ruling<V> {
        if self.layers.is_empty() {
            let reason = Reason {
                rule: Cow::Borrowed("no-policy"),
                text: Cow::Borrowed("there is no policy in force"),
                layer: Cow::Borrowed(Origin::BuiltIn.word()),
            };
            return Ruling { verdict: strictest, reason: Some(reason), would_have: None };
        }
        let mut enforced = (laxest, None);
        let mut monitored = (laxest, None);
        for Answer { mode, verdict, reason, .. } in answers {
            let best = match mode {
                Mode::Enforce => &mut enforced,
                Mode::Monitor => &mut monitored,
            };
            if verdict > best.0 || (verdict == best.0 && best.1.is_none()) {
                *best = (verdict, reason);
            }
        }
        let would_have = match monitored {
            (verdict, Some(reason)) if verdict > enforced.0 => Some((verdict, reason.into_owned())),
            _ => None,
        };
        Ruling { verdict: enforced.0, reason: enforced.1.map(Cow::into_owned), would_have }
    }
}

/// Whether a tool's name is what every client shows the same way: 1 to 128 of `A–Z a–z 0–9 _ . -`.
#[must_use]
pub fn tool_name_is_plain(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests;

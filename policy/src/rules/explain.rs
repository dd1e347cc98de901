//! Why a hypothetical call would be decided as it would be: what each layer says, and each rule that is about it.

use std::borrow::Cow;

use super::access::{Fit, Question, Stage};
use super::identity::Identities;
use super::item::{Circumstances, Item};
use super::layer::Speaker;
use super::{Origin, Policy, Ruling};
use crate::document::policy::Mode;
use crate::verdict::{Access, Reason};

/// The whole story of one decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What is decided.
    pub ruling: Ruling<Access>,
    /// What each layer says, furthest first.
    pub layers: Vec<LayerAnswer>,
}

/// What one layer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerAnswer {
    /// Where it comes from.
    pub origin: Origin,
    /// Its file.
    pub name: String,
    /// Whether it acts or watches.
    pub mode: Mode,
    /// Its verdict.
    pub verdict: Access,
    /// Its reason; `None` where nothing in it speaks.
    pub reason: Option<Reason>,
    /// Whether a nearer layer was granted to say otherwise, and did.
    pub is_replaced: bool,
    /// Its rules about this item, in file order.
    pub rules: Vec<RuleAnswer>,
}

/// What one rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleAnswer {
    /// Its id.
    pub id: String,
    /// Line in the layer's file, from 1.
    pub line: usize,
    /// What it would do.
    pub effect: Access,
    /// Whether it does.
    pub holds: Holds,
}

/// Whether a rule that is about an item holds for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// Its condition or its times say no.
    No,
    /// It depends on what is known only once there is a call.
    Open,
    /// Its condition cannot be evaluated.
    Broken(Cow<'static, str>),
}

impl Policy {
    /// As [`Policy::decide`], and why.
    #[must_use]
    pub fn explain(&self, identities: &[String], item: Item<'_>, call: &Circumstances<'_>) -> Explanation {
        let ruling = self.decide(identities, item, call);
        let question = Question::new(item, Stage::Call, call);
        let known = Identities::new(identities);
        let answers = self.compiled.iter().map(|layer| layer.access(&known, &question)).collect::<Vec<_>>();
        let replaced =
            self.replaced(answers.iter().map(|answer| answer.speaker == Speaker::Rule), item.class());
        let layers = self.layers.iter().zip(&self.compiled).zip(answers).zip(replaced);
        let layers = layers.map(|(((layer, compiled), answer), is_replaced)| LayerAnswer {
            origin: layer.origin,
            name: layer.name.clone(),
            mode: answer.mode,
            verdict: answer.verdict,
            reason: answer.reason.map(Cow::into_owned),
            is_replaced,
            rules: compiled
                .fits(&known, &question)
                .zip(&layer.document.rules)
                .filter_map(|(fit, rule)| {
                    let holds = Holds::of(fit?);
                    Some(RuleAnswer { id: rule.id.clone(), line: rule.line, effect: rule.effect, holds })
                })
                .collect(),
        });
        Explanation { ruling, layers: layers.collect() }
    }
}

impl Holds {
    fn of(fit: Fit) -> Self {
        match fit {
            Fit::Yes => Self::Yes,
            Fit::No => Self::No,
            Fit::Maybe => Self::Open,
            Fit::Broken(why) => Self::Broken(why),
        }
    }
}

//! The stages that one text goes through: prefilter → rule on a window → validators → false positives.
//!
//! A text is what a reader of the message sees: the decoded string. Further readings of the same string (JSON within
//! it, base64, percent signs; see `readings`) are texts of their own that enter here, and whose hits are mapped back to
//! the run they came from.

use std::ops::Range;

use super::budget::{Budget, FINDING_STEPS, HIT_STEPS, Spent};
use super::card::{self, CardForm};
use super::checks;
use super::context::NameSet;
use super::custom::{Custom, Scope, Sighting};
use super::engine::Wanted;
use super::false_positive::{Origin, is_mixed, origin};
use super::finding::Confidence;
use super::generic::Generic;
use super::pii::words::{self, ContextWord};
use super::prefilter::Prefilter;
use super::tables::{
    ANCHORS, ASSIGNED, Assignment, CARD, Check, DETECTORS, DetectorIndex, EMAIL, Form, GENERIC, GENERIC_SLOT,
    GenericTrigger, HIDDEN, KINDS, OWN_NAMES, PROSE, RULES, Rule,
};
use super::window::Formed;
use super::{armour, dotted, email, hidden, jwt, phrase, pii, vendor, window};

/// How far before a value its context is looked for.
const CONTEXT_BYTES: usize = 48;

/// The least body of a token by which alone it is judged; of a shorter one too little is seen.
const OWN_BYTES_MIN: usize = 16;

/// One text with what is known about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'t> {
    /// The text.
    pub(super) text: &'t [u8],
    /// The key it stands under, raw; empty if there is none.
    pub(super) key: &'t [u8],
    /// Assignments whose value it may be.
    pub(super) names: &'t NameSet,
}

/// Who found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A built-in detector.
    BuiltIn(DetectorIndex),
    /// One of the organisation's lists or tables.
    List(u16),
    /// A value known beforehand: a canary, or a secret of the server's environment.
    Planted(u16),
}

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) source: Source,
    pub(super) confidence: Confidence,
    pub(super) span: Range<usize>,
}

/// One message under scan: the compiled parts, what is left of the budget, what was found in the text at hand.
#[derive(Debug)]
pub(super) struct Stages<'e> {
    prefilter: &'e Prefilter,
    custom: &'e Custom,
    wanted: &'e Wanted,
    budget: Budget,
    /// Hits in the text at hand.
    pub(super) hits: Vec<Hit>,
    /// Names of assignments that occurred in the text at hand.
    pub(super) names: NameSet,
    /// What the generic detectors found in it.
    generic: Generic,
    /// Values of the organisation's tables near the ends of it.
    pub(super) edges: Vec<Sighting>,
    /// Whether names are looked for in the prose of the texts that come.
    pub(super) prose: Prose,
}

/// Whether names are looked for in prose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prose {
    /// The text is what a reader of the message sees.
    Read,
    /// It was seen in the text that it stands in, or is one that only a decoder sees.
    Skipped,
}

impl<'e> Stages<'e> {
    /// With the budget of a message.
    pub(super) fn new(prefilter: &'e Prefilter, custom: &'e Custom, wanted: &'e Wanted) -> Self {
        let (hits, names, generic) = (Vec::new(), NameSet::default(), Generic::default());
        let (budget, prose) = (Budget::of_a_message(), Prose::Read);
        Self { prefilter, custom, wanted, budget, hits, names, generic, edges: Vec::new(), prose }
    }

    /// A string or key.
    pub(super) fn text(&mut self, subject: &Subject<'_>) -> Result<(), Spent> {
        self.hits.clear();
        self.names = NameSet::default();
        self.budget.spend(subject.text.len())?;
        self.at_keywords(subject)?;
        self.names.extend(&words::own_name(subject.text, OWN_NAMES));
        if !subject.names.is_empty() {
            self.as_value(subject)?;
            self.as_personal_value(subject)?;
        }
        self.generic(subject.text)?;
        self.at_digits(subject)?;
        self.at_forms(subject.text)?;
        self.in_prose(subject.text)?;
        self.at_signs(subject)?;
        self.at_dots(subject.text)?;
        self.hidden(subject.text)?;
        self.custom_data(subject.text)
    }

    /// A number: a card number or a word of a list, nothing else has only digits.
    pub(super) fn number(&mut self, subject: &Subject<'_>) -> Result<(), Spent> {
        self.hits.clear();
        self.budget.spend(subject.text.len())?;
        if card::is_card_number(&CARD, subject.text) {
            let test = card::is_test_number(&CARD, subject.text);
            let form = if test { CardForm::Test } else { CardForm::Plain };
            self.push(card_hit(subject, 0..subject.text.len(), form))?;
        }
        if !subject.names.is_empty() {
            self.as_personal_value(subject)?;
        }
        self.custom_data(subject.text)
    }

    /// Whether a token with a prefix of its own may begin with `head`.
    pub(super) fn may_begin(&self, head: &[u8]) -> bool {
        self.prefilter.hits(head).any(|(hit, keyword)| {
            let is_form = |index: &u16| matches!(RULES[usize::from(*index)], Rule::Form(_));
            hit.start == 0 && head[hit] == *keyword.text.as_bytes() && keyword.rules.iter().any(is_form)
        })
    }

    fn at_keywords(&mut self, subject: &Subject<'_>) -> Result<(), Spent> {
        let mut anchors = [const { None::<Range<usize>> }; ANCHORS];
        let mut armoured_to = 0;
        for (hit, keyword) in self.prefilter.hits(subject.text) {
            self.budget.spend(HIT_STEPS)?;
            let exact = keyword.is_exact || subject.text[hit.clone()] == *keyword.text.as_bytes();
            for rule in keyword.rules.iter().map(|index| &RULES[usize::from(*index)]) {
                let found = match rule {
                    Rule::Form(form) if exact => self.form(form, subject.text, &hit)?,
                    Rule::Form(_) => None,
                    Rule::Assignment(rule) => {
                        self.names.insert(rule.slot);
                        let span = window::assigned(rule.value, subject.text, hit.end);
                        self.assignment(rule, subject.text, span.map(|span| (span, rule.confidence)))?
                    }
                    Rule::Vendor(rule) => {
                        if vendor::is_name(subject.text, &hit) {
                            self.names.insert(rule.slot);
                        }
                        let (span, looked_at) = vendor::value(rule.value, subject.text, &hit);
                        self.budget.spend(looked_at)?;
                        let announced = span.map(|(span, most)| (span, rule.confidence.min(most)));
                        self.assignment(rule, subject.text, announced)?
                    }
                    Rule::Armour { detector, confidence } if exact && hit.start >= armoured_to => {
                        armour::private_key(subject.text, &hit).map(|span| {
                            armoured_to = span.end;
                            built_in(*detector, *confidence, span)
                        })
                    }
                    Rule::Armour { .. } => None,
                    Rule::Phrase(rule) if starts_word(subject.text, hit.start) => {
                        let end = phrase::end(rule.rest, subject.text, hit.end);
                        end.map(|end| built_in(rule.detector, rule.confidence, hit.start..end))
                    }
                    Rule::Phrase(_) => None,
                    Rule::Generic(trigger) => {
                        self.at_generic(*trigger, exact, subject.text, &hit)?;
                        None
                    }
                    Rule::Anchor { slot } => {
                        anchors[usize::from(*slot)] = Some(hit.clone());
                        None
                    }
                    Rule::Context(words) => {
                        self.at_context(words, subject.text, &hit)?;
                        None
                    }
                    Rule::Companion(rule) => {
                        let anchor: &mut Option<Range<usize>> = &mut anchors[usize::from(rule.slot)];
                        let near = |a: &Range<usize>| {
                            hit.start.wrapping_sub(a.end) <= usize::from(rule.within_bytes)
                        };
                        // One finding an anchor: the first companion closes it.
                        anchor
                            .take_if(|a| near(a))
                            .map(|a| built_in(rule.detector, rule.confidence, a.start..hit.end))
                    }
                };
                found.map_or(Ok(()), |hit| self.push(hit))?;
            }
        }
        Ok(())
    }

    fn form(&mut self, form: &Form, text: &[u8], hit: &Range<usize>) -> Result<Option<Hit>, Spent> {
        let Formed { span, own_end } = match window::form(form, text, hit) {
            Ok(formed) => formed,
            Err(looked_at) => return self.budget.spend(looked_at).map(|()| None),
        };
        self.budget.spend(span.len())?;
        let body_start = if form.lead.is_some() { span.start } else { hit.end };
        let (value, body, own) =
            (&text[span.clone()], &text[body_start..span.end], &text[body_start..own_end]);
        // Whoever writes `xxxxxxxx` behind a token does not make it up.
        let own = if own.len() >= OWN_BYTES_MIN { own } else { body };
        let confidence = confidence(form.confidence, form.check, value, (body, own));
        Ok(confidence
            .filter(|_| !is_known(form.detector, value))
            .map(|sure| built_in(form.detector, sure, span)))
    }

    /// The text as the value of a key whose name was recognised.
    fn as_value(&mut self, subject: &Subject<'_>) -> Result<(), Spent> {
        for slot in subject.names.slots() {
            let rule = ASSIGNED.get(usize::from(slot)).and_then(|rule| RULES.get(usize::from(*rule)));
            if let Some(Rule::Assignment(rule) | Rule::Vendor(rule)) = rule {
                let span = window::whole(rule.value, subject.text).map(|span| (span, rule.confidence));
                let found = self.assignment(rule, subject.text, span)?;
                found.map_or(Ok(()), |hit| self.push(hit))?;
            }
        }
        if subject.names.contains(GENERIC_SLOT) {
            self.budget.spend(subject.text.len())?;
            self.generic.whole(subject.key, subject.text);
        }
        Ok(())
    }

    fn at_generic(
        &mut self,
        trigger: GenericTrigger,
        exact: bool,
        text: &[u8],
        hit: &Range<usize>,
    ) -> Result<(), Spent> {
        match trigger {
            GenericTrigger::Name => self.names.insert(GENERIC_SLOT),
            GenericTrigger::Hash if !exact => return Ok(()),
            _ => {}
        }
        let steps = self.generic.hit(trigger, text, hit);
        self.budget.spend(steps)
    }

    /// What the generic detectors found, where no vendor's format says more.
    fn generic(&mut self, text: &[u8]) -> Result<(), Spent> {
        if self.generic.is_empty() {
            return Ok(());
        }
        let secret = |hit: &&Hit| match hit.source {
            Source::BuiltIn(index) => DETECTORS[usize::from(index)].name.starts_with("secret/"),
            Source::List(_) | Source::Planted(_) => false,
        };
        let mut taken: Vec<_> = self.hits.iter().filter(secret).map(|hit| hit.span.clone()).collect();
        taken.sort_by_key(|span| span.start);
        let mut generic = std::mem::take(&mut self.generic);
        for found in generic.conclude(&taken) {
            if GENERIC.iter().any(|detector| is_known(*detector, &text[found.span.clone()])) {
                continue;
            }
            self.push(built_in(GENERIC[found.role as usize], found.confidence, found.span))?;
        }
        Ok(())
    }

    /// Words of context of personal data: what stands behind them is tried, and for a key they are noted.
    fn at_context(&mut self, context: &[ContextWord], text: &[u8], hit: &Range<usize>) -> Result<(), Spent> {
        for word in context {
            let Some(end) = words::end(word, text, hit.start, hit.end) else { continue };
            for kind in word.kinds.iter().map(|kind| &KINDS[usize::from(*kind)]) {
                self.names.insert(kind.slot);
                self.budget.spend(usize::from(kind.reach_bytes))?;
                if let Some(span) = pii::behind(kind, text, end) {
                    self.push(built_in(kind.detector, kind.confidence, span))?;
                }
            }
        }
        Ok(())
    }

    /// The text as the value of a key that is context of personal data.
    fn as_personal_value(&mut self, subject: &Subject<'_>) -> Result<(), Spent> {
        for kind in KINDS.iter().filter(|kind| subject.names.contains(kind.slot)) {
            self.budget.spend(usize::from(kind.reach_bytes))?;
            if let Some(span) = pii::behind(kind, subject.text, 0) {
                self.push(built_in(kind.detector, kind.confidence, span))?;
            }
        }
        Ok(())
    }

    /// Forms of personal data that need no context.
    fn at_forms(&mut self, text: &[u8]) -> Result<(), Spent> {
        let mut pushed = Ok(());
        let steps = pii::alone::scan(text, |hit| {
            pushed = pushed.and_then(|()| self.push(built_in(hit.detector, hit.confidence, hit.span)));
        });
        pushed.and_then(|()| self.budget.spend(steps))
    }

    /// Names of people in prose.
    fn in_prose(&mut self, text: &[u8]) -> Result<(), Spent> {
        if self.prose == Prose::Skipped || !self.wanted.contains(Source::BuiltIn(PROSE)) {
            return Ok(());
        }
        let mut pushed = Ok(());
        let steps = pii::prose::scan(text, |span| {
            pushed = pushed.and_then(|()| self.push(built_in(PROSE, Confidence::Low, span)));
        });
        pushed.and_then(|()| self.budget.spend(steps))
    }

    fn assignment(
        &mut self,
        rule: &Assignment,
        text: &[u8],
        announced: Option<(Range<usize>, Confidence)>,
    ) -> Result<Option<Hit>, Spent> {
        let Some((span, most)) = announced else { return Ok(None) };
        self.budget.spend(span.len())?;
        let value = &text[span.clone()];
        let confidence = confidence(most, rule.check, value, (value, value));
        Ok(confidence
            .filter(|_| !is_known(rule.detector, value))
            .map(|sure| built_in(rule.detector, sure, span)))
    }

    fn at_digits(&mut self, subject: &Subject<'_>) -> Result<(), Spent> {
        let mut pushed = Ok(());
        let steps = card::scan(&CARD, subject.text, |hit| {
            pushed = pushed.and_then(|()| self.push(card_hit(subject, hit.span, hit.form)));
        });
        pushed.and_then(|()| self.budget.spend(steps))
    }

    fn hidden(&mut self, text: &[u8]) -> Result<(), Spent> {
        let mut pushed = Ok(());
        hidden::scan(text, |span, confidence| {
            pushed = pushed.and_then(|()| self.push(built_in(HIDDEN, confidence, span)));
        });
        pushed
    }

    fn at_signs(&mut self, subject: &Subject<'_>) -> Result<(), Spent> {
        for at in memchr::memchr_iter(b'@', subject.text) {
            self.budget.spend(HIT_STEPS)?;
            if let Some(span) = email::address(&EMAIL, subject.text, at) {
                let sure = has_context(EMAIL.detector, subject, span.start);
                let confidence = if sure { Confidence::High } else { Confidence::Medium };
                self.push(built_in(EMAIL.detector, confidence, span))?;
            }
        }
        Ok(())
    }

    fn at_dots(&mut self, text: &[u8]) -> Result<(), Spent> {
        let mut pushed = Ok(());
        dotted::scan(text, |confidence, span| {
            pushed = pushed.and_then(|()| self.push(built_in(dotted::DETECTOR, confidence, span)));
        });
        pushed
    }

    /// A hit costs what its finding will cost, so that the budget bounds the memory of both. One that nobody asks
    /// about becomes no finding.
    fn push(&mut self, hit: Hit) -> Result<(), Spent> {
        if !self.wanted.contains(hit.source) {
            return self.budget.spend(HIT_STEPS);
        }
        self.budget.spend(FINDING_STEPS)?;
        self.hits.push(hit);
        Ok(())
    }

    fn custom_data(&mut self, text: &[u8]) -> Result<(), Spent> {
        let Self { custom, wanted, budget, hits, edges, .. } = self;
        custom.scan(text, Scope { budget, wanted, hits, edges })
    }

    /// Whether two values that stand in different strings are of one row of a table.
    pub(super) fn row_of(&mut self, one: &Sighting, other: &Sighting) -> Result<Option<Confidence>, Spent> {
        self.custom.row_of((one, other), &mut self.budget)
    }
}

fn built_in(detector: DetectorIndex, confidence: Confidence, span: Range<usize>) -> Hit {
    Hit { source: Source::BuiltIn(detector), confidence, span }
}

fn card_hit(subject: &Subject<'_>, span: Range<usize>, form: CardForm) -> Hit {
    let confidence = match form {
        CardForm::Test => Confidence::Low,
        CardForm::Grouped => Confidence::High,
        CardForm::Plain if has_context(CARD.detector, subject, span.start) => Confidence::High,
        CardForm::Plain => Confidence::Medium,
    };
    built_in(CARD.detector, confidence, span)
}

/// Validator and false-positive stage of values with a shape: `own` is what surely belongs to the value. What has the
/// shape but was made up is of low confidence.
fn confidence(
    most: Confidence,
    check: Check,
    value: &[u8],
    (body, own): (&[u8], &[u8]),
) -> Option<Confidence> {
    let origin = match check {
        Check::None => Origin::Drawn,
        Check::Random => origin(own),
        Check::Mixed if !is_mixed(body) => return None,
        Check::Mixed => origin(own),
        Check::Key => checks::origin_of_key(own),
        Check::Jwt if !jwt::is_json_web_token(value) => return None,
        Check::Base32Crc16 if !checks::ends_with_crc16(value) => return None,
        Check::Jwt | Check::Base32Crc16 => Origin::Drawn,
    };
    match origin {
        Origin::Drawn => Some(most),
        Origin::Invented => Some(Confidence::Low),
        Origin::StandIn => None,
    }
}

fn is_known(detector: DetectorIndex, value: &[u8]) -> bool {
    DETECTORS[usize::from(detector)].known.iter().any(|known| known.as_bytes() == value)
}

/// Whether a word of the detector's context stands in the key or shortly before the value.
fn has_context(detector: DetectorIndex, subject: &Subject<'_>, at: usize) -> bool {
    let before = &subject.text[at.saturating_sub(CONTEXT_BYTES)..at];
    let words = DETECTORS[usize::from(detector)].context;
    words.iter().any(|word| holds(subject.key, word.as_bytes()) || holds(before, word.as_bytes()))
}

/// Whether `text` holds `word` (lower case) at the start of a word, in any case.
fn holds(text: &[u8], word: &[u8]) -> bool {
    let mut windows = text.windows(word.len()).enumerate();
    windows.any(|(at, w)| w.eq_ignore_ascii_case(word) && (at == 0 || begins(text[at - 1], text[at])))
}

/// A word begins after what is no letter, and with a capital after a small letter (`cardNumber`).
fn begins(before: u8, first: u8) -> bool {
    !before.is_ascii_alphabetic() || (before.is_ascii_lowercase() && first.is_ascii_uppercase())
}

fn starts_word(text: &[u8], at: usize) -> bool {
    at == 0 || !text[at - 1].is_ascii_alphanumeric() || window::follows_escape(text, at)
}

//! The stages that one text goes through: prefilter → rule on a window → validators → false positives.
//!
//! A text is what a reader of the message sees: the decoded string. Further readings of the same string (JSON within
//! it, base64, percent signs; see `readings`) are texts of their own that enter here, and whose hits are mapped back to
//! the run they came from.

use std::ops::Range;

use super::budget::{Budget, FINDING_STEPS, HIT_STEPS, Spent};
use super::card::{self, CardForm};
use super::context::NameSet;
use super::engine::Wanted;
use super::false_positive::{is_made_up, is_mixed};
use super::finding::Confidence;
use super::keywords::Keywords;
use super::prefilter::Prefilter;
use super::tables::{
    ANCHORS, Assignment, CARD, Check, DETECTORS, DetectorIndex, EMAIL, Form, HIDDEN, RULES, Rule,
};
use super::window::Formed;
use super::{armour, email, hidden, jwt, phrase, window};

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
    /// One of the organisation's lists.
    List(u16),
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
    keywords: Option<&'e Keywords>,
    wanted: &'e Wanted,
    budget: Budget,
    /// Hits in the text at hand.
    pub(super) hits: Vec<Hit>,
    /// Names of assignments that occurred in the text at hand.
    pub(super) names: NameSet,
}

impl<'e> Stages<'e> {
    /// With the budget of a message.
    pub(super) fn new(prefilter: &'e Prefilter, keywords: Option<&'e Keywords>, wanted: &'e Wanted) -> Self {
        let (hits, names) = (Vec::new(), NameSet::default());
        Self { prefilter, keywords, wanted, budget: Budget::of_a_message(), hits, names }
    }

    /// A string or key.
    pub(super) fn text(&mut self, subject: &Subject<'_>) -> Result<(), Spent> {
        self.hits.clear();
        self.names = NameSet::default();
        self.budget.spend(subject.text.len())?;
        self.at_keywords(subject)?;
        if !subject.names.is_empty() {
            self.as_value(subject)?;
        }
        self.at_digits(subject)?;
        self.at_signs(subject)?;
        self.hidden(subject.text)?;
        self.custom_words(subject.text)
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
        self.custom_words(subject.text)
    }

    /// Whether a token with a prefix of its own may begin with `head`.
    pub(super) fn may_begin(&self, head: &[u8]) -> bool {
        self.prefilter.hits(head).any(|(hit, keyword, rules)| {
            let is_form = |index: &u16| matches!(RULES[usize::from(*index)], Rule::Form(_));
            hit.start == 0 && head[hit] == *keyword.as_bytes() && rules.iter().any(is_form)
        })
    }

    fn at_keywords(&mut self, subject: &Subject<'_>) -> Result<(), Spent> {
        let mut anchors = [const { None::<Range<usize>> }; ANCHORS];
        let mut armoured_to = 0;
        for (hit, keyword, rules) in self.prefilter.hits(subject.text) {
            self.budget.spend(HIT_STEPS)?;
            for rule in rules.iter().map(|index| &RULES[usize::from(*index)]) {
                let exact = subject.text[hit.clone()] == *keyword.as_bytes();
                let found = match rule {
                    Rule::Form(form) if exact => self.form(form, subject.text, &hit)?,
                    Rule::Form(_) => None,
                    Rule::Assignment(rule) => {
                        self.names.insert(rule.slot);
                        self.assignment(
                            rule,
                            subject.text,
                            window::assigned(rule.value, subject.text, hit.end),
                        )?
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
                    Rule::Anchor { slot } => {
                        anchors[usize::from(*slot)] = Some(hit.clone());
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
        let Some(Formed { span, own_end }) = window::form(form.body, text, hit) else { return Ok(None) };
        self.budget.spend(span.len())?;
        let (value, body, own) = (&text[span.clone()], &text[hit.end..span.end], &text[hit.end..own_end]);
        // Whoever writes `xxxxxxxx` behind a token does not make it up.
        let own = if own.len() >= OWN_BYTES_MIN { own } else { body };
        Ok((passes(form.check, value, (body, own)) && !is_known(form.detector, value))
            .then(|| built_in(form.detector, form.confidence, span)))
    }

    /// The text as the value of a key whose name was recognised.
    fn as_value(&mut self, subject: &Subject<'_>) -> Result<(), Spent> {
        for rule in RULES {
            if let Rule::Assignment(rule) = rule
                && subject.names.contains(rule.slot)
            {
                let found = self.assignment(rule, subject.text, window::whole(rule.value, subject.text))?;
                found.map_or(Ok(()), |hit| self.push(hit))?;
            }
        }
        Ok(())
    }

    fn assignment(
        &mut self,
        rule: &Assignment,
        text: &[u8],
        span: Option<Range<usize>>,
    ) -> Result<Option<Hit>, Spent> {
        let Some(span) = span else { return Ok(None) };
        self.budget.spend(span.len())?;
        let value = &text[span.clone()];
        Ok((passes(rule.check, value, (value, value)) && !is_known(rule.detector, value))
            .then(|| built_in(rule.detector, rule.confidence, span)))
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

    fn custom_words(&mut self, text: &[u8]) -> Result<(), Spent> {
        let Some(keywords) = self.keywords else { return Ok(()) };
        let (hits, wanted) = (&mut self.hits, self.wanted);
        let wants = |list| wanted.contains(Source::List(list));
        keywords.scan(text, (&mut self.budget, &wants), |span, list| {
            hits.push(Hit { source: Source::List(list), confidence: Confidence::High, span });
        })
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

/// Validator and false-positive stage of values with a shape: `own` is what surely belongs to the value.
fn passes(check: Check, value: &[u8], (body, own): (&[u8], &[u8])) -> bool {
    match check {
        Check::None => true,
        Check::Random => !is_made_up(own),
        Check::Mixed => is_mixed(body) && !is_made_up(own),
        Check::Jwt => jwt::is_json_web_token(value),
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

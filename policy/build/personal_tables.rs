//! The tables of personal data as Rust source.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::personal::Personal;

/// Longest first word that is looked for together with the next one.
const SHORT_MAX: usize = 3;
/// What may stand between two words of context, as `gap` of `pii/words.rs` reads it.
const GAPS: [&str; 7] = ["", " ", "_", "-", ".", "'", ". "];

/// The words after a first word, and whether that may be inside a longer word → the kinds whose context it is.
type Continuations = BTreeMap<(Vec<String>, bool), Vec<usize>>;

/// Where a detector stands in the other tables.
pub(crate) struct Seat<'d> {
    /// Its name without the class.
    pub(crate) short: &'d str,
    /// Its index.
    pub(crate) detector: usize,
    /// Its bit among the names of values.
    pub(crate) slot: usize,
    /// How sure a finding with context is.
    pub(crate) confidence: &'static str,
}

/// A written form that needs no context.
struct FormRow {
    signature: u64,
    classes: Vec<usize>,
    kind: usize,
    confidence: &'static str,
}

/// The tables while detectors are added.
#[derive(Default)]
pub(crate) struct PersonalTables {
    kinds: String,
    count: usize,
    classes: Vec<u128>,
    forms: Vec<FormRow>,
    /// First word → (rest, whether it may be inside a word) → kinds.
    words: BTreeMap<String, Continuations>,
    /// A detector's own short name → its slot: a key that is called so says what its value is.
    own_names: BTreeMap<String, usize>,
    special: String,
}

impl PersonalTables {
    /// Adds a detector.
    pub(crate) fn add(&mut self, seat: &Seat<'_>, personal: &Personal, context: &[String]) {
        let Seat { detector, slot, confidence, .. } = seat;
        let kind = self.count;
        self.count += 1;
        self.special(*detector, personal);
        self.own_names.insert(seat.short.to_owned(), *slot);
        let look = match personal.kind {
            "number" => self.number(personal),
            "person-name" => "Look::Name".to_owned(),
            "date" => "Look::Date".to_owned(),
            "address" => "Look::Address".to_owned(),
            "street" => "Look::Street".to_owned(),
            "street-behind" => "Look::StreetBehind".to_owned(),
            "coordinates" => "Look::Coordinates".to_owned(),
            "phone" => "Look::Phone".to_owned(),
            // Found without context alone.
            _ => "Look::Alone".to_owned(),
        };
        let reach = personal.reach_bytes;
        let _ = writeln!(
            self.kinds,
            "    Kind {{ detector: {detector}, slot: {slot}, confidence: Confidence::{confidence}, reach_bytes: {reach}, look: {look} }},"
        );
        for form in &personal.alone {
            let classes = form.sets.iter().map(|set| self.class(*set)).collect();
            let (signature, confidence) = (form.signature, personal.alone_confidence);
            self.forms.push(FormRow { signature, classes, kind, confidence });
        }
        for (words, inside) in [(context, false), (&personal.inside[..], true)] {
            words.iter().for_each(|word| self.word(word, inside, kind));
        }
    }

    /// What the prefilter looks for, with the length of its first word, and the rule that it starts, as Rust.
    pub(crate) fn rules(&self) -> Vec<(Vec<(String, usize)>, String)> {
        let rule = |(first, rests): (&String, &Continuations)| {
            let mut text = String::from("Rule::Context(&[");
            // The longest first: `tax number` says more than `tax`.
            for ((rest, inside), kinds) in rests.iter().rev() {
                let begin = if *inside { "Inside" } else { "Word" };
                let _ = write!(
                    text,
                    "ContextWord {{ rest: &{rest:?}, begin: Begin::{begin}, kinds: &{kinds:?} }}, "
                );
            }
            (keywords(first, rests), text + "])")
        };
        self.words.iter().map(rule).collect()
    }

    /// The tables as Rust.
    pub(crate) fn rust(mut self) -> String {
        self.forms.sort_by_key(|form| (form.signature, form.kind));
        let mut filter = [0_u64; 64];
        let mut out = self.special;
        let _ = writeln!(out, "pub(super) static KINDS: &[Kind] = &[\n{}];", self.kinds);
        let _ = writeln!(out, "pub(super) static FORMS: &[WrittenForm] = &[");
        for FormRow { signature, classes, kind, confidence } in &self.forms {
            // The form, and all of its beginnings with the separator behind them.
            for shift in (0..7).map(|groups| groups * 9).take_while(|shift| signature >> shift != 0) {
                let bit = ((signature >> shift).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize;
                filter[bit / 64] |= 1 << (bit % 64);
            }
            let _ = writeln!(
                out,
                "    WrittenForm {{ signature: {signature:#x}, classes: &{classes:?}, kind: {kind}, confidence: Confidence::{confidence} }},"
            );
        }
        let _ = writeln!(out, "];\npub(super) static FORM_FILTER: [u64; 64] = {filter:?};");
        let own: Vec<_> = self.own_names.iter().collect();
        let _ = writeln!(out, "pub(super) static OWN_NAMES: &[(&str, u16)] = &{own:?};");
        let classes: Vec<_> = self.classes.iter().map(|set| format!("CharSet({set:#x})")).collect();
        let _ = writeln!(out, "pub(super) static CLASSES: &[CharSet] = &[{}];", classes.join(", "));
        out
    }

    fn number(&mut self, personal: &Personal) -> String {
        let mut shapes = String::new();
        for shape in &personal.shapes {
            let classes: Vec<_> = shape.iter().map(|set| self.class(*set)).collect();
            let _ = write!(shapes, "&{classes:?}, ");
        }
        format!(
            "Look::Number(Number {{ prefixes: &{:?}, shapes: &[{shapes}], checks: &[{}] }})",
            personal.prefixes,
            personal.checks.join(", ")
        )
    }

    fn special(&mut self, detector: usize, personal: &Personal) {
        let name = match personal.kind {
            "iban" => "IBAN",
            "wallet" => "WALLET",
            "ip-address" => "IP",
            "private-ip-address" => "PRIVATE_IP",
            "mac-address" => "MAC",
            "prose-name" => "PROSE",
            "phone" if !personal.calling.is_empty() => "PHONE",
            _ => return,
        };
        let _ = writeln!(self.special, "pub(super) const {name}: DetectorIndex = {detector};");
        if name == "PHONE" {
            let mut calling = personal.calling.clone();
            calling.sort();
            let _ = writeln!(self.special, "pub(super) static CALLING: &[Calling] = &[");
            for (code, min, max) in &calling {
                let _ = writeln!(self.special, "    Calling {{ code: {code:?}, min: {min}, max: {max} }},");
            }
            let _ = writeln!(self.special, "];");
        }
    }

    fn class(&mut self, set: u128) -> usize {
        let known = self.classes.iter().position(|known| *known == set);
        known.unwrap_or_else(|| {
            self.classes.push(set);
            self.classes.len() - 1
        })
    }

    fn word(&mut self, phrase: &str, inside: bool, kind: usize) {
        let mut words = phrase.split(' ').map(str::to_owned);
        let Some(first) = words.next() else { return };
        let rest: Vec<String> = words.collect();
        let kinds = self.words.entry(first).or_default().entry((rest, inside)).or_default();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
}

/// What the prefilter looks for, with the length of the first word. Two or three letters stand at the start of ordinary
/// words everywhere, so the next word is looked for with them, if there always is one.
fn keywords(first: &str, rests: &Continuations) -> Vec<(String, usize)> {
    if first.len() > SHORT_MAX || !first.is_ascii() || rests.keys().any(|(rest, _)| rest.is_empty()) {
        return spellings(first).into_iter().map(|word| (word.clone(), word.len())).collect();
    }
    let next: BTreeSet<String> = rests.keys().flat_map(|(rest, _)| spellings(&rest[0])).collect();
    let joined = |next: &String| GAPS.map(|gap| (format!("{first}{gap}{next}"), first.len()));
    next.iter().flat_map(joined).collect()
}

/// The prefilter folds the case of ASCII only: other letters are listed in each case.
fn spellings(word: &str) -> Vec<String> {
    let mut all = vec![word.to_owned()];
    if !word.is_ascii() {
        let mut chars = word.chars();
        let title = chars.next().map(|c| c.to_uppercase().chain(chars).collect::<String>());
        all.extend(title);
        all.push(word.to_uppercase());
        all.sort();
        all.dedup();
    }
    all
}

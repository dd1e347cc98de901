//! Detectors of personal data: numbers with shapes and check digits, and the words of context of all kinds.

use crate::fields::{Field, Fields, Notes};

/// Keys of these detectors, beside the common ones.
pub(crate) const KEYS: [&str; 8] =
    ["shapes", "prefix", "checks", "alone", "alone_confidence", "reach", "calling", "inside"];
/// Kinds of these detectors.
pub(crate) const KINDS: [&str; 14] = [
    "number",
    "phone",
    "date",
    "person-name",
    "prose-name",
    "address",
    "street",
    "street-behind",
    "coordinates",
    "iban",
    "wallet",
    "ip-address",
    "private-ip-address",
    "mac-address",
];

const SIMPLE: &[(&str, &str)] =
    &[("luhn", "Luhn"), ("verhoeff", "Verhoeff"), ("mod11-2", "Mod11To2"), ("mod11-10", "Mod11And10")];
const OWN: &[&str] = &[
    "au_abn",
    "be_nn",
    "be_vat",
    "de_idnr",
    "de_kvnr",
    "de_svnr",
    "es_cif",
    "es_nie",
    "fr_nif",
    "fr_nir",
    "fr_vat",
    "gb_nino",
    "gb_vat",
    "hk_id",
    "iban",
    "ie_pps",
    "it_cf",
    "kr_brn",
    "lu_nin",
    "mx_curp",
    "nl_vat",
    "nz_ird",
    "pt_cc",
    "sg_nric",
    "tr_tckn",
    "tr_vkn",
    "tw_id",
    "tw_ubn",
    "two_stage",
    "ua_edrpou",
    "unlisted_card",
    "us_ein",
    "us_itin",
    "us_ssn",
    "ve_rif",
    "vin",
];
/// How far behind a word of context a value may begin, if the detector does not say.
const REACH_BYTES: u16 = 64;
/// Most groups of a form that needs no context: so many fit into a signature.
const GROUPS_MAX: usize = 7;

/// One detector of personal data.
#[derive(Debug)]
pub(crate) struct Personal {
    /// How it looks: one of [`KINDS`].
    pub(crate) kind: &'static str,
    /// Compact forms, a set of characters each.
    pub(crate) shapes: Vec<Vec<u128>>,
    /// Letters before it that do not count.
    pub(crate) prefixes: Vec<String>,
    /// Conditions, as Rust.
    pub(crate) checks: Vec<String>,
    /// Written forms that need no context.
    pub(crate) alone: Vec<Written>,
    /// How sure these are.
    pub(crate) alone_confidence: &'static str,
    /// How far a value may be from its context.
    pub(crate) reach_bytes: u16,
    /// Calling codes with the fewest and most digits behind them.
    pub(crate) calling: Vec<(String, u16, u16)>,
    /// Words of context that may end a longer word.
    pub(crate) inside: Vec<String>,
}

/// A written form.
#[derive(Debug)]
pub(crate) struct Written {
    /// Groups and separators as a number, see `detect/pii/alone.rs`.
    pub(crate) signature: u64,
    /// A set of characters for each character that is no separator.
    pub(crate) sets: Vec<u128>,
}

/// Reads the keys of a detector of personal data.
pub(crate) fn read(kind: &str, fields: &Fields<'_>, notes: &mut Notes<'_>) -> Option<Personal> {
    let kind = KINDS.iter().find(|known| **known == kind)?;
    let list = |key: &str, notes: &mut Notes<'_>| fields.get(key).map(|f| f.texts(notes)).unwrap_or_default();
    let shapes: Vec<_> =
        list("shapes", notes).into_iter().filter_map(|(text, at)| shape(text, at, notes)).collect();
    if *kind == "number" && shapes.is_empty() {
        notes.at(fields.start(), "a number has at least one entry in `shapes`");
    }
    let alone: Vec<_> =
        list("alone", notes).into_iter().filter_map(|(text, at)| written(text, at, notes)).collect();
    let checks = fields.get("checks").map(|f| f.list(notes)).unwrap_or_default();
    let words =
        |key: &str, notes: &mut Notes<'_>| list(key, notes).into_iter().map(|(w, _)| w.to_owned()).collect();
    let level = fields.get("alone_confidence").and_then(|f| f.text(notes)).unwrap_or("low");
    let alone_confidence = match level {
        "low" => "Low",
        "medium" => "Medium",
        "high" => "High",
        _ => {
            notes.at(fields.start(), "`alone_confidence` is not low, medium or high");
            "Low"
        }
    };
    Some(Personal {
        kind,
        shapes,
        prefixes: words("prefix", notes),
        checks: checks.into_iter().filter_map(|f| check(f, notes)).collect(),
        alone,
        alone_confidence,
        reach_bytes: fields.get("reach").and_then(|f| f.number(notes)).unwrap_or(REACH_BYTES).min(255),
        calling: list("calling", notes)
            .into_iter()
            .filter_map(|(text, at)| calling(text, at, notes))
            .collect(),
        inside: words("inside", notes),
    })
}

/// `9` is a digit, `A` a capital, `X` either, `[…]` a set, `{n}` repeats; anything else stands for itself.
fn shape(text: &str, at: usize, notes: &mut Notes<'_>) -> Option<Vec<u128>> {
    let mut sets: Vec<u128> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let mut len = first.len_utf8();
        let inner = |close: char| rest.find(close).map(|end| (&rest[1..end], end + 1));
        match first {
            '9' => sets.push(span('0', '9')),
            'A' => sets.push(span('A', 'Z')),
            'X' => sets.push(span('A', 'Z') | span('0', '9')),
            '[' => {
                let (set, read) = inner(']')?;
                sets.push(set_of(set));
                len = read;
            }
            '{' => {
                let (count, read) = inner('}')?;
                let (last, count) = (*sets.last()?, count.parse::<usize>().ok()?);
                sets.extend(std::iter::repeat_n(last, count - 1));
                len = read;
            }
            c if c.is_ascii_graphic() || c == ' ' => sets.push(span(c, c)),
            c => {
                notes.at(at, format!("`{c}` cannot stand in a shape"));
                return None;
            }
        }
        rest = &rest[len..];
    }
    if sets.is_empty() || sets.len() > 48 {
        notes.at(at, "a shape has 1 to 48 characters");
        return None;
    }
    Some(sets)
}

fn set_of(text: &str) -> u128 {
    let chars: Vec<char> = text.chars().collect();
    let (mut set, mut at) = (0, 0);
    while at < chars.len() {
        if chars.get(at + 1) == Some(&'-') && at + 2 < chars.len() {
            set |= span(chars[at], chars[at + 2]);
            at += 3;
        } else {
            set |= span(chars[at], chars[at]);
            at += 1;
        }
    }
    set
}

fn span(from: char, to: char) -> u128 {
    (from as u32..=to as u32).fold(0, |set, c| set | 1 << (c & 127))
}

fn written(text: &str, at: usize, notes: &mut Notes<'_>) -> Option<Written> {
    let (mut signature, mut group, mut groups, mut sets) = (0_u64, 0_u64, 1, Vec::new());
    for set in shape(text, at, notes)? {
        let separator =
            [('-', 1_u64), ('.', 2), (' ', 3), ('/', 4)].iter().find(|(c, _)| set == span(*c, *c));
        match separator {
            Some((_, code)) => {
                signature = signature << 9 | code << 6 | group;
                (group, groups) = (0, groups + 1);
            }
            None => {
                group += 1;
                sets.push(set);
            }
        }
    }
    if groups > GROUPS_MAX {
        notes.at(at, format!("a form has at most {GROUPS_MAX} groups"));
        return None;
    }
    Some(Written { signature: signature << 9 | group, sets })
}

/// A condition as Rust.
fn check(field: Field<'_>, notes: &mut Notes<'_>) -> Option<String> {
    if !field.is_table() {
        let kind = named(field.text(notes)?, field.start, notes)?;
        return Some(format!("NumberCheck {{ only_length: 0, kind: {kind} }}"));
    }
    let known =
        ["name", "weights", "modulus", "table", "at", "from", "sum", "date", "months", "days", "only"];
    let fields = field.table(&known, notes)?;
    let number = |key: &str, default: u16, notes: &mut Notes<'_>| {
        fields.get(key).and_then(|f| f.number(notes)).unwrap_or(default)
    };
    let numbers = |key: &str, notes: &mut Notes<'_>| -> Vec<u16> {
        let list = fields.get(key).map(|f| f.list(notes)).unwrap_or_default();
        list.into_iter().filter_map(|f| f.number(notes)).collect()
    };
    let (from, only) = (number("from", 0, notes), number("only", 0, notes));
    let text = |key: &str, notes: &mut Notes<'_>| {
        fields.get(key).and_then(|f| f.text(notes)).unwrap_or("").to_owned()
    };
    let kind = if let Some(name) = fields.get("name") {
        named(name.text(notes)?, name.start, notes)?
    } else if fields.get("date").is_some() {
        let (mut months, mut days) = (numbers("months", notes), numbers("days", notes));
        for parts in [&mut months, &mut days] {
            if parts.is_empty() {
                parts.push(0);
            }
        }
        let form = text("date", notes);
        format!(
            "CheckKind::Date(DatePart {{ form: {form:?}, from: {from}, months: &{months:?}, days: &{days:?} }})"
        )
    } else {
        let (weights, modulus) = (numbers("weights", notes), number("modulus", 0, notes));
        let (table, at) = (text("table", notes), number("at", 255, notes));
        if weights.is_empty() || modulus < 2 || !(table.is_empty() || table.len() == usize::from(modulus)) {
            notes.at(
                field.start,
                "a weighted sum has `weights`, a `modulus`, and a `table` of as many characters",
            );
        }
        let fold = if text("sum", notes) == "digits" { "Digits" } else { "Products" };
        format!(
            "CheckKind::Weighted(Weighted {{ weights: &{weights:?}, from: {from}, modulus: {modulus}, fold: Fold::{fold}, \
             table: {table:?}, at: {at} }})"
        )
    };
    Some(format!("NumberCheck {{ only_length: {only}, kind: {kind} }}"))
}

fn named(name: &str, at: usize, notes: &mut Notes<'_>) -> Option<String> {
    if let Some((_, variant)) = SIMPLE.iter().find(|(known, _)| *known == name) {
        return Some(format!("CheckKind::{variant}"));
    }
    if OWN.contains(&name) {
        return Some(format!("CheckKind::Own(own::{name})"));
    }
    notes.at(at, format!("unknown check `{name}`"));
    None
}

/// `"49 6-13"`: a calling code, and how many digits may stand behind it.
fn calling(text: &str, at: usize, notes: &mut Notes<'_>) -> Option<(String, u16, u16)> {
    let read = || {
        let (code, lengths) = text.split_once(' ')?;
        let (min, max) = lengths.split_once('-').unwrap_or((lengths, lengths));
        Some((code.to_owned(), min.parse().ok()?, max.parse().ok()?))
    };
    let entry = read();
    if entry.is_none() {
        notes.at(at, format!("`{text}` is not a calling code with lengths, like `49 6-13`"));
    }
    entry
}

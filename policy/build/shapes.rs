//! What a value looks like: named sets of characters, and bodies made of runs and fixed texts.

use crate::fields::{Field, Notes};

/// The named sets of characters, in the notation of a bracket expression.
pub(crate) const SETS: &[(&str, &str)] = &[
    ("digits", "0-9"),
    ("hex", "0-9a-f"),
    ("hex_any", "0-9A-Fa-f"),
    ("alnum", "0-9A-Za-z"),
    ("alnum_upper", "0-9A-Z"),
    ("base32", "2-7A-Z"),
    ("base32_lower", "2-7a-z"),
    ("base36", "0-9a-z"),
    ("base58", "1-9A-HJ-NP-Za-km-z"),
    ("base64", "0-9A-Za-z+/"),
    ("base64_padded", "0-9A-Za-z+/="),
    ("base64url", "0-9A-Za-z_-"),
    ("base64url_padded", "0-9A-Za-z_=-"),
    ("word", "0-9A-Za-z_"),
    ("dotted", "0-9A-Za-z._-"),
    ("dotted_padded", "0-9A-Za-z._=-"),
    ("tilde", "0-9A-Za-z._~-"),
    ("base64_any", "0-9A-Za-z+/_=-"),
    ("percent", "0-9A-Za-z%+/=._-"),
];

/// One part of a token's body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Characters of a set.
    Run {
        /// Index into [`SETS`].
        set: usize,
        /// Fewest.
        min: u16,
        /// Most.
        max: u16,
    },
    /// Exactly this.
    Text(String),
}

/// The members of a set as bits.
pub(crate) fn bits(set: usize) -> u128 {
    let spec: Vec<u8> = SETS[set].1.bytes().collect();
    let (mut bits, mut at) = (0_u128, 0);
    while at < spec.len() {
        let last = if spec.get(at + 1) == Some(&b'-') && at + 2 < spec.len() { at + 2 } else { at };
        for byte in spec[at]..=spec[last] {
            bits |= 1 << byte;
        }
        at = last + 1;
    }
    bits
}

/// `{ set = "alnum", length = 36 }`, `{ set = "alnum", min = 36, max = 251 }` or `{ text = "_" }`.
pub(crate) fn segment(field: Field<'_>, notes: &mut Notes<'_>) -> Option<Segment> {
    let fields = field.table(&["set", "length", "min", "max", "text"], notes)?;
    if let Some(text) = fields.get("text") {
        return Some(Segment::Text(text.text(notes)?.to_owned()));
    }
    let name = fields.need("set", notes)?;
    let wanted = name.text(notes)?;
    let Some(set) = SETS.iter().position(|(name, _)| *name == wanted) else {
        notes.at(name.start, format!("unknown set `{wanted}` (known: {})", names().join(", ")));
        return None;
    };
    let (min, max) = match fields.get("length") {
        Some(length) => {
            let length = length.number(notes)?;
            (length, length)
        }
        None => (fields.need("min", notes)?.number(notes)?, fields.need("max", notes)?.number(notes)?),
    };
    if min > max || max == 0 {
        notes.at(fields.start(), format!("no text is from {min} to {max} characters long"));
    }
    Some(Segment::Run { set, min, max })
}

/// The matcher takes runs greedily and never goes back: a body for which that could go wrong is a mistake.
pub(crate) fn check_body(body: &[Segment], start: usize, notes: &mut Notes<'_>) {
    for pair in body.windows(2) {
        let Segment::Run { set, min, max } = pair[0] else { continue };
        let ambiguous = match &pair[1] {
            Segment::Run { .. } => true,
            Segment::Text(text) => text.bytes().next().is_none_or(|b| b >= 128 || bits(set) >> b & 1 == 1),
        };
        if ambiguous && min != max {
            notes.at(start, "a run of variable length must be followed by a text that cannot belong to it");
        }
    }
}

fn names() -> Vec<&'static str> {
    SETS.iter().map(|(name, _)| *name).collect()
}

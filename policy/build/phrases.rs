//! Word sequences of a detector, and anchors with words near them.

use crate::catalogue::{text_of, triggers};
use crate::fields::{Fields, Notes};

/// An anchor and words of which one must follow.
#[derive(Debug)]
pub(crate) struct Near {
    /// The anchor.
    pub(crate) anchor: String,
    /// Any of these.
    pub(crate) words: Vec<String>,
    /// At most so many bytes after the anchor.
    pub(crate) within_bytes: u16,
}

/// The phrases: a slot is a list of words, and whether any number of them may stand there.
pub(crate) fn phrases(fields: &Fields<'_>, notes: &mut Notes<'_>) -> Vec<Vec<(bool, Vec<String>)>> {
    let Some(list) = fields.get("phrase") else { return Vec::new() };
    let mut phrases = Vec::new();
    for item in list.list(notes) {
        let mut slots = Vec::new();
        for (slot, start) in item.texts(notes) {
            let (many, alternatives) = slot.strip_prefix('*').map_or((false, slot), |rest| (true, rest));
            let words: Vec<String> = alternatives.split('|').map(|w| w.trim().to_owned()).collect();
            // The first slot goes into the prefilter as it stands, so it may be two words that are rarer than one.
            let first = slots.is_empty();
            let plain = |c: char| c.is_ascii_lowercase() || (first && matches!(c, ' ' | '\'' | '’'));
            if words.iter().any(|w| w.is_empty() || !w.chars().all(plain)) {
                notes.at(start, "the words of a phrase are a-z, separated by `|`");
            }
            slots.push((many, words));
        }
        if slots.first().is_none_or(|(many, _)| *many) || slots.len() < 3 {
            notes.at(item.start, "a phrase has at least three slots and starts with one that must be there");
        }
        phrases.push(slots);
    }
    phrases
}

/// Anchors with their companions.
pub(crate) fn near(fields: &Fields<'_>, notes: &mut Notes<'_>) -> Vec<Near> {
    let Some(list) = fields.get("near") else { return Vec::new() };
    let mut all = Vec::new();
    for item in list.list(notes) {
        let Some(table) = item.table(&["anchor", "words", "within_bytes"], notes) else { continue };
        let within = table.need("within_bytes", notes).and_then(|f| f.number(notes));
        all.push(Near {
            anchor: text_of(&table, "anchor", notes),
            words: triggers(&table, "words", notes),
            within_bytes: within.unwrap_or(0),
        });
    }
    all
}

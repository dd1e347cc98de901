//! Numbers in JSON that stands in a string: what replaces one has to be a string of that JSON.

use super::finding::{Finding, Place};
use super::text::decode;
use crate::wire::{Frame, TokenKind, nested};

/// Deepest JSON in JSON that is followed.
const LEVELS_MAX: usize = 8;

/// The quote, escaped as often as needed, that a string begins and ends with where the finding's number stands; `None`
/// where it is no number in a string.
pub(crate) fn quote(frame: &Frame<'_>, finding: &Finding) -> Option<String> {
    let raw = frame.bytes.get(finding.token.start + 1..finding.token.end.checked_sub(1)?)?;
    let is_string = frame.bytes.get(finding.token.start) == Some(&b'"');
    if finding.place != Place::Number || !is_string {
        return None;
    }
    let level = level(raw, finding.raw.start.checked_sub(finding.token.start + 1)?)?;
    Some(format!("{}\"", "\\".repeat((1 << level) - 1)))
}

/// How many JSON texts the number at `at` of a string's raw inside stands in.
fn level(raw: &[u8], at: usize) -> Option<usize> {
    let (mut raw, mut at) = (raw.to_vec(), at);
    for level in 1..=LEVELS_MAX {
        let (mut text, mut before) = (Vec::new(), Vec::new());
        decode(&raw, &mut text);
        decode(raw.get(..at)?, &mut before);
        let mut tape = Vec::new();
        let json = nested::frame(std::str::from_utf8(&text).ok()?, &mut tape)?;
        let holds = |start: u32, end: u32| (start as usize) <= before.len() && before.len() < end as usize;
        let token = json.tape.iter().rev().find(|t| holds(t.start, t.end))?;
        match token.kind {
            TokenKind::Number => return Some(level),
            TokenKind::String => {
                let start = token.start as usize + 1;
                raw = text.get(start..token.end as usize - 1)?.to_vec();
                at = before.len().checked_sub(start)?;
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_of_a_number_is_how_often_its_json_was_written_into_a_string() {
        let json = |text: &str| serde_json::to_string(text).expect("a string is JSON");
        let mut text = r#"{"a": [1, 4539578763621486]}"#.to_owned();
        for expected in 1..=4 {
            let written = json(&text);
            let raw = &written[1..written.len() - 1];
            let at = raw.find("4539").expect("the number is in it");
            assert_eq!(level(raw.as_bytes(), at), Some(expected), "{raw}");
            text = format!("{{\"n\": {written}}}");
        }
        assert_eq!(level(b"4539578763621486", 0), None, "no JSON");
    }
}

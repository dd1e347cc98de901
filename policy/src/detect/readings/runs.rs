//! Long runs of the characters that bytes are written in, and what they say: decoded, or read backwards.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::encoded::{Alphabet, Content, content, is_base32, is_hex, may_say, may_say_from};
use super::marks::first_equal_or_below;
use super::places::{Places, Reading};

/// Shortest run that is looked at: the base64 text of 15 bytes.
const RUN_MIN: usize = 20;
/// Shortest run of hex or base32, whose bytes take more characters.
const LONG_RUN_MIN: usize = 24;
/// A line of so many characters may go on in the next line: what encoders wrap is longer than most words.
const LINE_MIN: usize = 40;
/// Most white space at the start of a wrapped line.
const INDENT_MAX: usize = 32;
/// A prefix read backwards stands within so many bytes.
const PREFIX_MAX: usize = 16;
/// Longest run that is read backwards.
const BACKWARDS_MAX: usize = 8192;

/// Goes through the runs of a text.
#[derive(Debug)]
pub(super) struct Runs<'t> {
    text: &'t [u8],
    at: usize,
    /// The run at hand, read backwards.
    backwards: Option<Reading>,
}

impl<'t> Runs<'t> {
    /// From the start of the text.
    pub(super) fn of(text: &'t [u8]) -> Self {
        Self { text, at: 0, backwards: None }
    }

    /// The next run that says something. `room` is how much text is wanted, `begins` whether a token may begin so,
    /// `known` whether a run need not be read.
    pub(super) fn next(
        &mut self,
        room: usize,
        begins: impl Fn(&[u8]) -> bool,
        known: impl Fn(&Range<usize>) -> bool,
    ) -> Option<Reading> {
        if let Some(backwards) = self.backwards.take() {
            return Some(backwards);
        }
        while let Some(run) = run(self.text, self.at) {
            let whole = wrapped(self.text, &run);
            self.at = whole.end;
            if is_uuid(&self.text[run.clone()]) || known(&whole) {
                continue;
            }
            self.backwards = backwards(self.text, &run, &begins);
            if let Some(decoded) = decoded(self.text, whole, room) {
                return Some(decoded);
            }
            if let Some(backwards) = self.backwards.take() {
                return Some(backwards);
            }
        }
        None
    }
}

/// The next run at or after `from`. Looks at the last byte that a run would have first, so that most bytes of ordinary
/// text are never looked at.
fn run(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut start = from;
    loop {
        let window = text.get(start..)?.first_chunk::<RUN_MIN>()?;
        match last_other(window) {
            Some(at) => start += at + 1,
            None => {
                let end = start + RUN_MIN + leading(&text[start + RUN_MIN..]);
                return Some(start..end);
            }
        }
    }
}

/// The last byte that can be in no run.
#[inline]
fn last_other(window: &[u8; RUN_MIN]) -> Option<usize> {
    // Written out byte by byte when compiled, which `rposition` is not.
    let mut at = RUN_MIN;
    while at > 0 {
        at -= 1;
        if !is_in_run(window[at]) {
            return Some(at);
        }
    }
    None
}

/// How many bytes at the start of the text can be in a run.
fn leading(text: &[u8]) -> usize {
    let all = |eight: &&[u8]| eight.iter().fold(IN_RUN, |all, byte| all & class(*byte)) != 0;
    let eights = 8 * text.chunks_exact(8).take_while(all).count();
    eights + text[eights..].iter().take_while(|byte| is_in_run(**byte)).count()
}

/// Classes of bytes: all that runs are made of, and of these the digits and the capitals.
const IN_RUN: u8 = 1;
const DIGIT: u8 = 1 << 1;
const CAPITAL: u8 = 1 << 2;

/// Letters, digits and the signs of base64 and base64url.
static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' => IN_RUN,
            b'A'..=b'Z' => IN_RUN | CAPITAL,
            b'0'..=b'9' => IN_RUN | DIGIT,
            b'+' | b'/' | b'-' | b'_' => IN_RUN,
            _ => 0,
        };
        byte += 1;
    }
    table
};

#[inline]
fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

#[inline]
fn is_in_run(byte: u8) -> bool {
    class(byte) & IN_RUN != 0
}

/// The first byte of a run that is no letter and no digit in base64 or base64url.
fn sign(run: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        // Only signs are below the digits, but for blanks and padding.
        let at = from + first_equal_or_below(&run[from..], b'_', b'0')?;
        if matches!(run[at], b'+' | b'/' | b'-' | b'_') {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The commonest run of all, which says nothing.
fn is_uuid(run: &[u8]) -> bool {
    let Ok(mut run) = <[u8; 36]>::try_from(run) else { return false };
    for dash in [8, 13, 18, 23] {
        if run[dash] != b'-' {
            return false;
        }
        run[dash] = b'0';
    }
    // All of them without a look between: that is done for many at once.
    run.iter().fold(true, |all, byte| all & byte.is_ascii_hexdigit())
}

/// The run with the lines that it goes on in, and its padding: lines of the same length and a shorter last one.
fn wrapped(text: &[u8], run: &Range<usize>) -> Range<usize> {
    let mut end = run.end;
    while run.len() >= LINE_MIN {
        let rest = &text[end..];
        let lead = rest.iter().take(INDENT_MAX).take_while(|b| b.is_ascii_whitespace()).count();
        if memchr::memchr(b'\n', &rest[..lead]).is_none() {
            break;
        }
        let line = rest[lead..].iter().take(run.len() + 1).take_while(|b| is_in_run(**b)).count();
        if line == 0 || line > run.len() {
            break;
        }
        end += lead + line;
        if line < run.len() {
            break;
        }
    }
    end += text[end..].iter().take(6).take_while(|byte| **byte == b'=').count();
    run.start..end
}

/// What the run says, from the first place on where it says something: what stands before may be the name of a
/// folder, or the first part of a slug.
fn decoded(text: &[u8], run: Range<usize>, room: usize) -> Option<Reading> {
    let mut start = run.start;
    while run.end.saturating_sub(start) >= RUN_MIN {
        let rest = &text[start..run.end];
        let word = &rest[..sign(rest).unwrap_or(rest.len())];
        let (said, part) = say(word, rest, room);
        match said {
            Content::Media => return None,
            Content::Text(text) => {
                return Some(Reading { text, places: Places::Whole(start + part.start..start + part.end) });
            }
            Content::Other => start += word.len() + 1,
        }
    }
    None
}

/// What `rest` says, and which part of it says that; `word` is its start up to the first sign.
fn say(word: &[u8], rest: &[u8], room: usize) -> (Content, Range<usize>) {
    let places = may_say_from(rest);
    if word.len() >= LONG_RUN_MIN {
        let digits = word.strip_prefix(b"0x").unwrap_or(word);
        let may_be_hex = digits.len() >= LONG_RUN_MIN && may_say(Alphabet::Hex, digits);
        // What is hex is nothing else.
        if (may_be_hex || places != 0) && digits.len() >= LONG_RUN_MIN && is_hex(digits) {
            let said = if may_be_hex { content(Alphabet::Hex, digits, room) } else { Content::Other };
            return (said, word.len() - digits.len()..word.len());
        }
        if is_base32(word) && may_say(Alphabet::Base32, word) {
            let said = content(Alphabet::Base32, word, room);
            if said != Content::Other {
                return (said, 0..word.len());
            }
        }
    }
    // Letters that belong to something else may stand before the first group of four.
    (0..4)
        .filter(|offset| places >> offset & 1 == 1)
        .map(|offset| (content(Alphabet::Base64, &rest[offset..], room), offset..rest.len()))
        .find(|(said, part)| *said != Content::Other && (part.start == 0 || *said != Content::Media))
        .unwrap_or((Content::Other, 0..0))
}

/// The run and the dots around it read backwards, if a token may begin where it ends.
fn backwards(text: &[u8], run: &Range<usize>, begins: &impl Fn(&[u8]) -> bool) -> Option<Reading> {
    let goes_on = |byte: &&u8| is_in_run(**byte) || matches!(**byte, b'.' | b'=' | b'~' | b':');
    if !looks_random(&text[run.clone()]) {
        return None;
    }
    let behind = text[run.end..].iter().take(BACKWARDS_MAX).take_while(goes_on).count();
    // Neither the dot of a sentence nor padding begins a token.
    let signs = text[run.end..run.end + behind].iter().rev().take_while(|b| !b.is_ascii_alphanumeric());
    let end = run.end + behind - signs.count();
    let mut head = [0; PREFIX_MAX];
    let seen = head.iter_mut().zip(text[..end].iter().rev()).map(|(to, from)| *to = *from).count();
    if !begins(&head[..seen]) {
        return None;
    }
    let before = text[..run.start].iter().rev().take(BACKWARDS_MAX).take_while(goes_on).count();
    let start = (run.start - before).max(end.saturating_sub(BACKWARDS_MAX));
    let text = text[start..end].iter().rev().copied().collect();
    Some(Reading { text, places: Places::Backwards(start..end) })
}

/// Random letters have digits or capitals among them; the words and paths of ordinary text mostly have neither.
fn looks_random(run: &[u8]) -> bool {
    run.iter().any(|byte| class(*byte) & DIGIT != 0)
        || run.iter().filter(|byte| class(**byte) & CAPITAL != 0).nth(2).is_some()
}

/// Private keys in armour, read backwards.
pub(super) fn backwards_armour(text: &[u8]) -> Option<Reading> {
    const DASHES: &[u8] = b"-----";
    static LABEL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"YEK ETAVIRP"));
    let label = LABEL.find(text)?;
    let lead = label.saturating_sub(16);
    let start = lead + memchr::memmem::rfind(&text[lead..label], DASHES)?;
    let end = label + memchr::memmem::rfind(&text[label..], b"NIGEB-----")? + b"NIGEB-----".len();
    let block = &text[start..end];
    let text = block.is_ascii().then(|| block.iter().rev().copied().collect())?;
    Some(Reading { text, places: Places::Backwards(start..end) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(text: &str) -> Vec<(String, Range<usize>)> {
        let mut runs = Runs::of(text.as_bytes());
        let begins = |head: &[u8]| head.starts_with(b"ghp_");
        let mut found = Vec::new();
        while let Some(reading) = runs.next(1 << 20, begins, |_| false) {
            let all = reading.places.all(reading.text.len());
            found.push((String::from_utf8(reading.text).expect("a reading is UTF-8"), all));
        }
        found
    }

    #[test]
    fn an_encoded_run_is_read_whole_with_its_padding() {
        let run = "aGVsbG8sIHdpZGUgd29ybGQ/Pg==";
        let text = format!("data: {run}, and");
        assert_eq!(readings(&text), [("hello, wide world?>".to_owned(), 6..6 + run.len())]);
        let (path, other) = (format!("a/b-c/{run}"), format!("xy{run}"));
        assert_eq!(readings(&path), [("hello, wide world?>".to_owned(), 6..path.len())]);
        assert_eq!(readings(&other), [("hello, wide world?>".to_owned(), 2..other.len())]);
    }

    #[test]
    fn wrapped_lines_are_one_run() {
        let line = "bGluZSBsaW5lIGxpbmUgbGluZSBsaW5lIGxpbmUgbGluZSBs";
        let text = format!("key: |\n  {line}\n  {line}\n  bGluZQ==\nother: 1");
        let [(read, span)] = &readings(&text)[..] else { panic!("one run") };
        assert!(read.ends_with("line lline") && read.len() == 76, "{read}");
        assert!(text[span.clone()].starts_with("bGlu") && text[span.clone()].ends_with("bGluZQ=="));
    }

    #[test]
    fn a_token_written_backwards_is_read_backwards() {
        let text = "it is lNck85TlT9W5Iqvp.Pv7uTqzyXQDE4yjv0hsy7_phg, really";
        assert_eq!(
            readings(text),
            [("ghp_7ysh0vjy4EDQXyzqTu7vP.pvqI5W9TlT58kcNl".to_owned(), 6..text.len() - 8)]
        );
    }

    #[test]
    fn ordinary_runs_say_nothing() {
        for text in [
            "sha512-4vRQwn2YtWq7gT0cP5hXzJ3kLmN6bA9dGk1sVxZyB8fQpRjEoIiU3lMhCwTtSr5nKaDbXgHuYeJ0z2vPq7W1A==",
            "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
            "src/components/navigation/sidebar/collapsible/index.module.css",
            "getElementsByClassNameAndTagName a_long_name_in_snake_case_with_words",
            "0f8fad5b-d9cb-469f-a165-70867728950e 1145784930174189578",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        ] {
            assert_eq!(readings(text), [], "{text}");
        }
    }
}

//! Tokens of Discord's bots where no name or scheme announces them: the number of the bot in base64, a time and a check
//! sum, with dots between them. They have no prefix, but two dots six characters apart.

use std::ops::Range;

use super::false_positive::{Origin, is_mixed, origin};
use super::finding::Confidence;
use super::tables::{DETECTORS, DetectorIndex};

/// Who finds them.
pub(super) const DETECTOR: DetectorIndex = index_of(b"secret/discord-bot-token");
/// Length of the time.
const TIME_BYTES: usize = 6;
/// Least and most of the number of the bot.
const NUMBER_BYTES: (usize, usize) = (23, 28);
/// Least and most of the check sum.
const SUM_BYTES: (usize, usize) = (27, 38);

/// So many places are looked at together.
const BLOCK: usize = 32;

/// Calls `found` with each token.
pub(super) fn scan(text: &[u8], mut found: impl FnMut(Confidence, Range<usize>)) {
    let Some(second) = text.get(1 + TIME_BYTES..) else { return };
    let is_dot = |pair: (&u8, &u8)| (*pair.0 == b'.') & (*pair.1 == b'.');
    let (blocks, rest) = second.as_chunks::<BLOCK>();
    let mut look = |from: usize, len: usize| {
        for at in (from..from + len).filter(|at| is_dot((&text[*at], &second[*at]))) {
            if let Some((confidence, span)) = around(text, at) {
                found(confidence, span);
            }
        }
    };
    for (block, (first, second)) in text.as_chunks::<BLOCK>().0.iter().zip(blocks).enumerate() {
        // Nearly all dots have no other one there; without a way out the compiler looks at the block in a few steps.
        if first.iter().zip(second).fold(false, |any, pair| any | is_dot(pair)) {
            look(block * BLOCK, BLOCK);
        }
    }
    look(blocks.len() * BLOCK, rest.len());
}

/// The token around the time behind `dot`.
fn around(text: &[u8], dot: usize) -> Option<(Confidence, Range<usize>)> {
    let second = dot + 1 + TIME_BYTES;
    if !text[dot + 1..second].iter().all(is_base64url) {
        return None;
    }
    let before = &text[dot.saturating_sub(NUMBER_BYTES.1 + 1)..dot];
    let number = before.iter().rev().take_while(|b| is_base64url(b)).count();
    let behind = &text[second + 1..text.len().min(second + 2 + SUM_BYTES.1)];
    let sum = behind.iter().take_while(|b| is_base64url(b)).count();
    let span = dot.checked_sub(number)?..second + 1 + sum;
    let token = &text[span.clone()];
    let fits = |length, (least, most)| (least..=most).contains(&length);
    if !fits(number, NUMBER_BYTES)
        || !fits(sum, SUM_BYTES)
        || !matches!(token[0], b'M' | b'N' | b'O')
        || !is_mixed(token)
        || origin(token) != Origin::Drawn
        || !is_number(&token[..number])
    {
        return None;
    }
    Some((Confidence::High, span))
}

/// Whether it is base64 of digits.
fn is_number(base64: &[u8]) -> bool {
    base64.chunks_exact(4).all(|four| {
        let bits = four.iter().fold(0, |bits, b| bits << 6 | sextet(*b));
        [16, 8, 0].iter().all(|shift| matches!(bits >> shift & 0xff, 0x30..=0x39))
    })
}

fn sextet(byte: u8) -> u32 {
    u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        _ => 63,
    })
}

fn is_base64url(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The build makes sure that there is one.
const fn index_of(name: &[u8]) -> DetectorIndex {
    let mut index = 0;
    loop {
        let other = DETECTORS[index as usize].name.as_bytes();
        let mut same = 0;
        while same < name.len() && other.len() == name.len() && other[same] == name[same] {
            same += 1;
        }
        if same == name.len() {
            return index;
        }
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(Confidence, &str)> {
        let mut found = None;
        scan(text.as_bytes(), |confidence, span| found = Some((confidence, &text[span])));
        found
    }

    #[test]
    fn a_number_a_time_and_a_check_sum_are_a_token() {
        let token = "MTg2NzUwMjQyMzE5NTgzNDc3.GvQ8xK.w5x2Bt9Rk6vN1qZ8hC4mJ7Ls0gPdF3yAe";
        assert_eq!(found(&format!("login('{token}')")), Some((Confidence::High, token)));
        for before in 0..2 * BLOCK {
            let text = format!("{}{token} .", " ".repeat(before));
            assert_eq!(found(&text), Some((Confidence::High, token)), "{before}");
        }
        let other = token.replace("MTg2", "Mkx2");
        assert_eq!(found(&other), None, "it begins with no number");
    }

    #[test]
    fn names_with_dots_and_other_lengths_are_none() {
        for text in [
            "MyApplicationContextHolder.config.getTheNameOfTheCurrentUser",
            "MTg2NzUwMjQyMzE5NTgzNDc3.GvQ8xK.w5x2Bt9Rk6vN1qZ8",
            "MTg2NzUwMjQyMzE5NTgzNDc3.GvQ8x.w5x2Bt9Rk6vN1qZ8hC4mJ7Ls0gPdF3yAe",
            "eyJhbGciOiJIUzI1NiIsInR5.eyJzdW.w5x2Bt9Rk6vN1qZ8hC4mJ7Ls0gPdF3yAe",
            "x.",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}

//! JSON numbers: where they end, and whether every reader sees the same value.

use super::refusal::{Fault, Refusal};

/// No integer or fraction without an exponent of at most this length leaves the range of a double (1.8e308).
const ALWAYS_FINITE_BYTES: usize = 300;

/// Reads the number that starts at `start`; returns one past its end.
#[inline]
pub(super) fn scan(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let fault = |at| Err(Fault::new(Refusal::NumberForm, at));
    let mut at = start;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    match bytes.get(at) {
        Some(b'0') => at += 1,
        Some(b'1'..=b'9') => at = digits_end(bytes, at),
        _ => return fault(at),
    }
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits_end(bytes, at + 1);
        if fraction == at + 1 {
            return fault(at);
        }
        at = fraction;
    }
    let mut has_exponent = false;
    if let Some(b'e' | b'E') = bytes.get(at) {
        has_exponent = true;
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits_end(bytes, at + 1 + sign);
        if exponent == at + 1 + sign {
            return fault(at);
        }
        at = exponent;
    }
    // A second digit after a leading zero, `0x10`, `1.2.3`, `1_000`: a number in another language.
    if let Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'_' | b'+' | b'-') = bytes.get(at) {
        return fault(at);
    }
    if (has_exponent || at - start > ALWAYS_FINITE_BYTES) && !fits_a_double(&bytes[start..at]) {
        return Err(Fault::new(Refusal::NumberRange, start));
    }
    Ok(at)
}

/// The value of a plain integer literal within ±(2^53−1), where doubles are exact; `-0`, fractions and exponents
/// are read differently by different peers and give `None`.
pub(super) fn exact_integer(raw: &[u8]) -> Option<i64> {
    const EXACT_MAX: u64 = (1 << 53) - 1;
    const LONGEST: usize = "-9007199254740991".len();
    if raw.len() > LONGEST || raw == b"-0" || !is_integer_literal(raw) {
        return None;
    }
    let value: i64 = std::str::from_utf8(raw).ok()?.parse().ok()?;
    (value.unsigned_abs() <= EXACT_MAX).then_some(value)
}

/// A number that was scanned and has neither a fraction nor an exponent.
pub(super) fn is_integer_literal(raw: &[u8]) -> bool {
    let digits = raw.strip_prefix(b"-").unwrap_or(raw);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[inline]
fn digits_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// All readers find a finite value. Right at the largest double they round differently: serde_json overflows for
/// some literals that others round down, but reads the shortest one, which is how JavaScript and Python print it.
fn fits_a_double(raw: &[u8]) -> bool {
    const LARGEST_DIGITS: &str = "17976931348623157";
    let Some(text) = std::str::from_utf8(raw).ok() else { return false };
    let value = text.parse::<f64>().map_or(f64::INFINITY, f64::abs);
    if value < f64::MAX {
        return true;
    }
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let digits = mantissa.chars().filter(char::is_ascii_digit).skip_while(|digit| *digit == '0');
    value == f64::MAX && digits.eq(LARGEST_DIGITS.chars())
}

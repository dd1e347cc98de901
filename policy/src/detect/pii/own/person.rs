//! Numbers made of letters of a name and a date of birth: Italy, Mexico.

use super::super::check::value;

/// Letters that stand for the months.
const ITALIAN_MONTHS: &[u8] = b"ABCDEHLMPRST";
/// Letters that may stand for digits where two people have one code (D.M. 23 December 1976, article 6).
const ITALIAN_DIGITS: &[u8] = b"LMNPQRSTUV";
/// Values of 0–9 (A–J) and A–Z in odd places.
const ITALIAN_ODD: [u32; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// Codice fiscale of a person: name, date, place, check letter.
pub(in crate::detect) fn it_cf(code: &[u8]) -> bool {
    if code.len() != 16
        || ![0, 1, 2, 3, 4, 5, 8, 11, 15].iter().all(|at: &usize| code[*at].is_ascii_uppercase())
    {
        return false;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        _ => ITALIAN_DIGITS.iter().position(|b| *b == byte).map(|at| at as u32),
    };
    let number = |at: usize| Some(digit(code[at])? * 10 + digit(code[at + 1])?);
    let day = number(9).is_some_and(|day| matches!(day, 1..=31 | 41..=71));
    let digits = number(6).is_some() && number(12).is_some() && digit(code[14]).is_some();
    if !day || !digits || !ITALIAN_MONTHS.contains(&code[8]) {
        return false;
    }
    let sum: u32 = code[..15]
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            let place = if byte.is_ascii_digit() { value(*byte) } else { value(*byte) - 10 };
            if at % 2 == 0 { ITALIAN_ODD[place as usize] } else { place }
        })
        .sum();
    u32::from(code[15] - b'A') == sum % 26
}

/// Codes of the states in a CURP (NE: born abroad).
const MEXICAN_STATES: &[u8] = b"ASBCBSCCCLCMCSCHDFDGGTGRHGJCMCMNMSNTNLOCPLQTQRSPSLSRTCTSTLVZYNZSNE";

/// CURP: the check digit counts the letters with an Ñ between N and O.
pub(in crate::detect) fn mx_curp(code: &[u8]) -> bool {
    let Some((check, head)) = code.split_last() else { return false };
    let sum: u32 = head
        .iter()
        .enumerate()
        .map(|(at, b)| (18 - at.min(18) as u32) * (value(*b) + u32::from(*b >= b'O')))
        .sum();
    let state = code.get(11..13).unwrap_or(&[]);
    let known = MEXICAN_STATES.chunks_exact(2).any(|code| code == state);
    known && code.len() == 18 && u32::from(check.wrapping_sub(b'0')) == (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_italian_code_has_its_letter() {
        // The samples of the tax agency's leaflet and one with a letter in place of a digit.
        assert!(it_cf(b"RSSMRA85T10A562S") && it_cf(b"MRTMTT25D09F205Z"));
        assert!(!it_cf(b"RSSMRA85T10A562T") && !it_cf(b"RSSMRA85T32A562S") && !it_cf(b"RSSMRA85T10A562"));
        let good = *b"RSSMRA85T10A562S";
        for at in [6, 7, 10, 12, 13, 14] {
            for digit in b'0'..=b'9' {
                let mut other = good;
                other[at] = digit;
                assert_eq!(it_cf(&other), digit == good[at], "{at} {digit}");
            }
        }
    }

    #[test]
    fn a_mexican_code_has_its_digit() {
        assert!(mx_curp(b"BOXW310820HNERXN09"));
        assert!(!mx_curp(b"BOXW310820HNERXN08") && !mx_curp(b"BOXW310820HNERXN0"));
    }
}

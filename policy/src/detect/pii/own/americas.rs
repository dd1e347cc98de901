//! United States: the areas and groups that were issued; and the vehicle number of North America.

use super::super::check::value;

/// Prefixes of the Internal Revenue Service that are in use.
const EIN_PREFIXES: &str = "01 02 03 04 05 06 10 11 12 13 14 15 16 20 21 22 23 24 25 26 27 30 31 32 33 34 35 36 37 38 39 40 \
41 42 43 44 45 46 47 48 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 71 72 73 74 75 76 77 80 81 82 83 84 85 \
86 87 88 90 91 92 93 94 95 98 99";

/// Area 000 and 666, group 00 and serial 0000 were never issued, 9xx is for other numbers; two numbers stand in every
/// advertisement (SSA: 078-05-1120, 219-09-9999).
pub(in crate::detect) fn us_ssn(number: &[u8]) -> bool {
    let issued = !matches!(number, [b'0', b'0', b'0', ..] | [b'6', b'6', b'6', ..] | [b'9', ..])
        && number.get(3..5) != Some(b"00")
        && number.get(5..) != Some(b"0000");
    issued && !matches!(number, b"078051120" | b"219099999" | b"123456789" | b"987654321")
}

/// 9xx, and the groups of the Internal Revenue Service.
pub(in crate::detect) fn us_itin(number: &[u8]) -> bool {
    let group = number.get(3..5).map_or(0, |g| value(g[0]) * 10 + value(g[1]));
    number.first() == Some(&b'9') && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// A prefix of a campus or of the internet application.
pub(in crate::detect) fn us_ein(number: &[u8]) -> bool {
    EIN_PREFIXES.as_bytes().chunks(3).any(|prefix| number.starts_with(&prefix[..2]))
}

/// Venezuelan tax number: the letter counts as 4, 8, 12, 16, 20.
pub(in crate::detect) fn ve_rif(number: &[u8]) -> bool {
    let Some((first, digits)) = number.split_first() else { return false };
    let letter = match first {
        b'V' => 4,
        b'E' => 8,
        b'J' => 12,
        b'P' => 16,
        _ => 20,
    };
    let sum: u32 = digits.iter().zip([3, 2, 7, 6, 5, 4, 3, 2]).map(|(b, weight)| value(*b) * weight).sum();
    digits.len() == 9 && digits[8] == b"00987654321"[((letter + sum) % 11) as usize]
}

/// Check digit of 49 CFR 565.15; no I, O or Q.
pub(in crate::detect) fn vin(number: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    if number.len() != WEIGHTS.len() || number.iter().any(|b| b"IOQ".contains(b)) {
        return false;
    }
    let sum: u32 = number.iter().zip(WEIGHTS).map(|(b, weight)| transliterated(*b) * weight).sum();
    let check = if sum % 11 == 10 { b'X' } else { b'0' + (sum % 11) as u8 };
    number[8] == check
}

fn transliterated(byte: u8) -> u32 {
    match byte {
        b'A'..=b'H' => u32::from(byte - b'A') + 1,
        b'J'..=b'R' => u32::from(byte - b'J') + 1,
        b'S'..=b'Z' => u32::from(byte - b'S') + 2,
        _ => value(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_were_never_issued_are_refused() {
        assert!(us_ssn(b"536221234") && us_ssn(b"001010001"));
        for number in ["000121234", "666121234", "900121234", "536001234", "536220000", "078051120"] {
            assert!(!us_ssn(number.as_bytes()), "{number}");
        }
        assert!(us_itin(b"912701234") && us_itin(b"912501234"));
        assert!(!us_itin(b"912661234") && !us_itin(b"912931234") && !us_itin(b"812701234"));
        assert!(us_ein(b"911144442") && us_ein(b"042103594"));
        assert!(!us_ein(b"071144442") && !us_ein(b"891144442"));
    }

    #[test]
    fn a_vehicle_number_has_its_check_digit() {
        // The sample of the regulation's literature, and eleven equal characters' famous one.
        assert!(vin(b"1M8GDM9AXKP042788") && vin(b"11111111111111111"));
        assert!(!vin(b"1M8GDM9A1KP042788") && !vin(b"1M8GDM9AXKP04278") && !vin(b"1M8GDM9AXKPO42788"));
    }
}

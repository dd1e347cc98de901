//! Europe.

use super::super::check::{luhn, mod97, value, verhoeff};

/// Number of the first digits, modulo something.
fn modulo(digits: &[u8], modulus: u32) -> u32 {
    digits.iter().fold(0, |rest, b| (rest * 10 + value(*b)) % modulus)
}

fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(b, weight)| value(*b) * weight).sum()
}

/// Two digits as a number.
fn two(digits: &[u8]) -> u32 {
    value(digits[0]) * 10 + value(digits[1])
}

/// National Insurance number: letters and prefixes that are not given out (HMRC, NIM39110).
pub(in crate::detect) fn gb_nino(number: &[u8]) -> bool {
    let Some(prefix) = number.get(..2) else { return false };
    !b"DFIQUV".contains(&prefix[0])
        && !b"DFIOQUV".contains(&prefix[1])
        && ![&b"BG"[..], b"GB", b"NK", b"KN", b"TN", b"NT"].contains(&prefix)
}

/// United Kingdom VAT number: modulo 97, since 2010 with 55 added; government and health numbers have none.
pub(in crate::detect) fn gb_vat(number: &[u8]) -> bool {
    match number {
        [b'G', b'D', d @ ..] => d.len() == 3 && modulo(d, 1000) < 500,
        [b'H', b'A', d @ ..] => d.len() == 3 && modulo(d, 1000) >= 500,
        _ if number.len() == 9 || number.len() == 12 => {
            let sum = weighted(number, &[8, 7, 6, 5, 4, 3, 2, 10, 1]) % 97;
            sum == 0 || sum == 42
        }
        _ => false,
    }
}

/// French number of a person (INSEE): 97 minus the rest, with Corsica's 2A and 2B as 19 and 18.
pub(in crate::detect) fn fr_nir(number: &[u8]) -> bool {
    let mut digits = [0; 15];
    if number.len() != digits.len() || !b"12378".contains(&number[0]) {
        return false;
    }
    digits.copy_from_slice(number);
    match &number[5..7] {
        b"2A" => digits[5..7].copy_from_slice(b"19"),
        b"2B" => digits[5..7].copy_from_slice(b"18"),
        _ => {}
    }
    let month = two(&digits[3..5]);
    digits.iter().all(u8::is_ascii_digit)
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && 97 - modulo(&digits[..13], 97) == two(&digits[13..])
}

/// French tax number: the first ten digits modulo 511.
pub(in crate::detect) fn fr_nif(number: &[u8]) -> bool {
    let Some((head, key)) = number.split_at_checked(10) else { return false };
    key.len() == 3 && modulo(head, 511) == modulo(key, 1000)
}

/// French VAT number: the key before the SIREN, old style.
pub(in crate::detect) fn fr_vat(number: &[u8]) -> bool {
    let Some((key, siren)) = number.split_at_checked(2) else { return false };
    let numeric = key.iter().chain(siren).all(u8::is_ascii_digit);
    siren.len() == 9 && numeric && luhn(siren) && (12 + 3 * modulo(siren, 97)) % 97 == two(key)
}

/// Belgian national number: 97 minus the rest; from 2000 on with a 2 before it. A bis number adds 20 or 40 to the month.
pub(in crate::detect) fn be_nn(number: &[u8]) -> bool {
    if number.len() != 11 || !number.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let (month, day) = (two(&number[2..4]) % 20, two(&number[4..6]));
    let rest = modulo(&number[..9], 97);
    // 2 000 000 000 leaves 28.
    let later = (rest + 2_000_000_000 % 97) % 97;
    let check = two(&number[9..]);
    two(&number[2..4]) < 60 && month <= 12 && day <= 31 && (97 - rest == check || 97 - later == check)
}

/// Belgian enterprise number.
pub(in crate::detect) fn be_vat(number: &[u8]) -> bool {
    number.len() == 10 && b"01".contains(&number[0]) && 97 - modulo(&number[..8], 97) == two(&number[8..])
}

/// Spanish number of a company: Luhn's digit, or a letter for some kinds.
pub(in crate::detect) fn es_cif(number: &[u8]) -> bool {
    let (Some(first), Some(digits), Some(check)) = (number.first(), number.get(1..8), number.get(8)) else {
        return false;
    };
    let mut with_check = [0; 8];
    with_check[..7].copy_from_slice(digits);
    let Some(digit) = (b'0'..=b'9').find(|d| {
        with_check[7] = *d;
        luhn(&with_check)
    }) else {
        return false;
    };
    let letter = b"JABCDEFGHI"[usize::from(digit - b'0')];
    let digit_fits = *check == digit && !b"KPQS".contains(first);
    let letter_fits = *check == letter && !b"ABEH".contains(first);
    b"ABCDEFGHJKLMNPQRSUVW".contains(first) && number.len() == 9 && (digit_fits || letter_fits)
}

/// Spanish number of a foreigner: X, Y, Z stand for 0, 1, 2.
pub(in crate::detect) fn es_nie(number: &[u8]) -> bool {
    let (Some(first @ b'X'..=b'Z'), Some(digits), Some(check)) =
        (number.first(), number.get(1..8), number.get(8))
    else {
        return false;
    };
    let rest = (u32::from(first - b'X') * 10_000_000 + modulo(digits, u32::MAX)) % 23;
    b"TRWAGMYFPDXBNJZSQVHLCKE"[rest as usize] == *check
}

/// German pension insurance number: the letter is two digits, and the digits of the products are summed.
pub(in crate::detect) fn de_svnr(number: &[u8]) -> bool {
    let Some(digits) = with_letter_as_two(number, 8) else { return false };
    let sum: u32 = digits
        .iter()
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(b, weight)| value(*b) * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    sum % 10 == value(digits[12])
}

/// German health insurance number: the letter is two digits, doubled in turn.
pub(in crate::detect) fn de_kvnr(number: &[u8]) -> bool {
    let Some(letter) = number.first().filter(|b| b.is_ascii_uppercase()) else { return false };
    let Some(rest) = number.get(1..10) else { return false };
    let place = letter - b'A' + 1;
    let (tens, ones) = (b'0' + place / 10, b'0' + place % 10);
    let digits = [tens, ones].into_iter().chain(rest[..8].iter().copied());
    let sum: u32 = digits
        .enumerate()
        .map(|(at, b)| value(b) * (1 + at as u32 % 2))
        .map(|product| product / 10 + product % 10)
        .sum();
    sum % 10 == value(rest[8])
}

/// The number with the letter at `at` as two digits (A = 01).
fn with_letter_as_two(number: &[u8], at: usize) -> Option<[u8; 13]> {
    let letter = *number.get(at)?;
    if number.len() != 12 || !letter.is_ascii_uppercase() {
        return None;
    }
    let place = letter - b'A' + 1;
    let mut digits = [0; 13];
    digits[..at].copy_from_slice(&number[..at]);
    digits[at] = b'0' + place / 10;
    digits[at + 1] = b'0' + place % 10;
    digits[at + 2..].copy_from_slice(&number[at + 1..]);
    Some(digits)
}

/// German tax number of a person: among the first ten digits one stands two or three times, the others at most once.
pub(in crate::detect) fn de_idnr(number: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for byte in number.iter().take(10).filter(|b| b.is_ascii_digit()) {
        counts[usize::from(byte - b'0')] += 1;
    }
    let twice = counts.iter().filter(|c| **c == 2).count();
    let thrice = counts.iter().filter(|c| **c == 3).count();
    number.first() != Some(&b'0') && counts.iter().all(|c| *c <= 3) && twice + thrice == 1
}

/// The digit of Estonia and Lithuania: a second row of weights where the first leaves ten.
pub(in crate::detect) fn two_stage(number: &[u8]) -> bool {
    let Some((check, head)) = number.split_last() else { return false };
    let first = weighted(head, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = weighted(head, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
    let expected = if first < 10 { first } else { second % 10 };
    number.len() == 11 && value(*check) == expected
}

/// Irish personal number: a letter for the rest modulo 23; a second letter counts nine times.
pub(in crate::detect) fn ie_pps(number: &[u8]) -> bool {
    const LETTERS: &[u8] = b"WABCDEFGHIJKLMNOPQRSTUV";
    let (Some(digits), Some(check)) = (number.get(..7), number.get(7)) else { return false };
    let place = |b: &u8| LETTERS.iter().position(|l| l == b).unwrap_or(0) as u32;
    let second = number.get(8).filter(|b| **b != b'W').map_or(0, |b| place(b) * 9);
    let rest = (weighted(digits, &[8, 7, 6, 5, 4, 3, 2]) + second) % 23;
    matches!(number.len(), 8 | 9) && LETTERS[rest as usize] == *check
}

/// Luxembourg: the twelfth digit is Luhn's, the last is Verhoeff's.
pub(in crate::detect) fn lu_nin(number: &[u8]) -> bool {
    let Some((last, head)) = number.split_last() else { return false };
    let mut with_last = [0; 12];
    if head.len() != 12 {
        return false;
    }
    with_last[..11].copy_from_slice(&head[..11]);
    with_last[11] = *last;
    luhn(head) && verhoeff(&with_last)
}

/// Portuguese citizen card: Luhn's rule with letters from A = 10.
pub(in crate::detect) fn pt_cc(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(place, b)| {
            let doubled = value(*b) * (1 + place as u32 % 2);
            if place % 2 == 1 && doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    number.len() == 12 && sum.is_multiple_of(10)
}

/// Dutch VAT number (`123456782B01`): the rule of the citizen number, or modulo 97 with the country before it.
pub(in crate::detect) fn nl_vat(number: &[u8]) -> bool {
    let Some(digits) = number.get(..9) else { return false };
    let mut whole = *b"NL............";
    if number.len() != 12 {
        return false;
    }
    whole[2..].copy_from_slice(number);
    weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2, 10]).is_multiple_of(11) || mod97(&whole) == 1
}

/// Ukrainian company number: weights by the number's size, others where the first leave ten.
pub(in crate::detect) fn ua_edrpou(number: &[u8]) -> bool {
    const LOW: [u32; 7] = [1, 2, 3, 4, 5, 6, 7];
    const MIDDLE: [u32; 7] = [7, 1, 2, 3, 4, 5, 6];
    if number.len() != 8 {
        return false;
    }
    let weights = if (b'3'..=b'5').contains(&number[0]) { MIDDLE } else { LOW };
    let first = weighted(number, &weights) % 11;
    let more = weights.map(|weight| weight + 2);
    let expected = if first < 10 { first } else { weighted(number, &more) % 11 % 10 };
    value(number[7]) == expected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(check: fn(&[u8]) -> bool, good: &[&str], bad: &[&str]) {
        for number in good {
            assert!(check(number.as_bytes()), "{number}");
        }
        for number in bad {
            assert!(!check(number.as_bytes()), "{number}");
        }
    }

    #[test]
    fn western_numbers_hold_and_wrong_ones_do_not() {
        holds(gb_nino, &["AB123456C", "JG103759A"], &["BG123456C", "DA123456C", "AO123456C", "A"]);
        holds(gb_vat, &["980780684", "GD001", "HA500"], &["980780685", "GD500", "HA499", "98078068"]);
        holds(
            fr_nir,
            &["295109912611193", "253072B07300470"],
            &["295109912611199", "295139912611193", "2951099126111"],
        );
        holds(fr_vat, &["40303265045"], &["41303265045", "40303265046", "4030326504"]);
        holds(be_nn, &["85073003328", "17073003384"], &["85073003329", "8507300332", "85733003328"]);
        holds(be_vat, &["0428759497"], &["0428759498", "2428759497"]);
        holds(ie_pps, &["6433435F", "6433435OA"], &["6433435E", "6433435VH", "643343F"]);
        holds(nl_vat, &["004495445B01"], &["123456789B90", "004495445B0"]);
    }

    #[test]
    fn southern_and_german_numbers_hold_and_wrong_ones_do_not() {
        holds(es_cif, &["J99216582", "A58818501"], &["J99216583", "A5881850A", "X99216582"]);
        holds(es_nie, &["X2482300W", "Z8078221M"], &["X2482300A", "A2482300W", "X248230"]);
        holds(pt_cc, &["000000000ZZ4"], &["000000000ZZ5", "00000000ZZ4"]);
        holds(de_svnr, &["15070649C103"], &["15070649C104", "150706490103", "15070649C10"]);
        holds(de_kvnr, &["A123456780"], &["A123456781", "1123456780", "A12345678"]);
        holds(de_idnr, &["36574261809"], &["36554266806", "06574261809", "12345678903"]);
    }

    #[test]
    fn northern_and_eastern_numbers_hold_and_wrong_ones_do_not() {
        holds(two_stage, &["37605030299", "33309240064"], &["37605030298", "3760503029"]);
        holds(lu_nin, &["1893120105732"], &["1893120105733", "189312010573"]);
        holds(ua_edrpou, &["32855961"], &["32855968", "3285596"]);
        holds(fr_nif, &["3023217600053"], &["3023217600054", "302321760005"]);
    }
}

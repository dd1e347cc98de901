//! Asia, Australia, New Zealand.

use super::super::check::value;

fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(b, weight)| value(*b) * weight).sum()
}

/// Australian business number: one less in the first digit, modulo 89.
pub(in crate::detect) fn au_abn(number: &[u8]) -> bool {
    let sum = weighted(number, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    number.len() == 11 && number[0] != b'0' && (sum - 10).is_multiple_of(89)
}

/// New Zealand tax number: a second row of weights where the first leaves ten.
pub(in crate::detect) fn nz_ird(number: &[u8]) -> bool {
    let mut digits = *b"000000000";
    if !matches!(number.len(), 8 | 9) {
        return false;
    }
    digits[9 - number.len()..].copy_from_slice(number);
    let amount = digits.iter().fold(0, |n, b| n * 10 + value(*b));
    let check = |weights: &[u32]| (11 - weighted(&digits[..8], weights) % 11) % 11;
    let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let expected = if first == 10 { check(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    (10_000_000..150_000_000).contains(&amount) && value(digits[8]) == expected
}

/// Singapore: a letter by series; T and G add four, M adds three.
pub(in crate::detect) fn sg_nric(number: &[u8]) -> bool {
    let [series, digits @ .., check] = number else { return false };
    let sum = weighted(digits, &[2, 7, 6, 5, 4, 3, 2]);
    let (letters, added) = match series {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        b'M' => (b"XWUTRQPNJLK", 3),
        _ => return false,
    };
    // The series of 2022 counts its letters from the other end.
    let rest = ((sum + added) % 11) as usize;
    digits.len() == 7 && letters[if *series == b'M' { 10 - rest } else { rest }] == *check
}

/// Hong Kong: letters count from A = 10, a space before a single letter 36.
pub(in crate::detect) fn hk_id(number: &[u8]) -> bool {
    let (letters, rest) = match number.len() {
        8 => ([36, value(number[0])], &number[1..]),
        9 => ([value(number[0]), value(number[1])], &number[2..]),
        _ => return false,
    };
    let sum = letters[0] * 9 + letters[1] * 8 + weighted(&rest[..6], &[7, 6, 5, 4, 3, 2]);
    let check = (11 - sum % 11) % 11;
    rest[6] == if check == 10 { b'A' } else { b'0' + check as u8 }
}

/// South Korean business number: the ninth digit counts five times, with the tens of its product added.
pub(in crate::detect) fn kr_brn(number: &[u8]) -> bool {
    if number.len() != 10 {
        return false;
    }
    let sum = weighted(number, &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + value(number[8]) * 5 / 10;
    (sum + value(number[9])).is_multiple_of(10)
}

/// Taiwan's identity card: the letter is two digits.
pub(in crate::detect) fn tw_id(number: &[u8]) -> bool {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let Some(place) = number.first().and_then(|b| LETTERS.iter().position(|l| l == b)) else { return false };
    let place = place as u32 + 10;
    let sum = place / 10 + place % 10 * 9 + weighted(&number[1..], &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    number.len() == 10 && sum.is_multiple_of(10)
}

/// Taiwan's business number, modulo 5 since 2023; a seven in the seventh place counts as nothing or one.
pub(in crate::detect) fn tw_ubn(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .zip([1, 2, 1, 2, 1, 2, 4, 1])
        .map(|(b, weight)| value(*b) * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    number.len() == 8 && (sum.is_multiple_of(5) || (number[6] == b'7' && (sum + 1).is_multiple_of(5)))
}

/// Turkish citizen: the tenth and eleventh digit.
pub(in crate::detect) fn tr_tckn(number: &[u8]) -> bool {
    if number.len() != 11 || number[0] == b'0' {
        return false;
    }
    let odd = weighted(&number[..9], &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(&number[..9], &[0, 1, 0, 1, 0, 1, 0, 1, 0]);
    let tenth = (odd * 7 + 90 - even) % 10;
    let sum: u32 = number[..10].iter().map(|b| value(*b)).sum();
    value(number[9]) == tenth && value(number[10]) == sum % 10
}

/// Turkish tax number.
pub(in crate::detect) fn tr_vkn(number: &[u8]) -> bool {
    let Some((check, head)) = number.split_last() else { return false };
    let mut sum = 0;
    for (at, byte) in head.iter().enumerate() {
        let place = 9_u32.saturating_sub(at as u32);
        let digit = (value(*byte) + place) % 10;
        if digit != 0 {
            let product = digit * (1 << place) % 9;
            sum += if product == 0 { 9 } else { product };
        }
    }
    number.len() == 10 && value(*check) == (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_hold_and_their_neighbours_do_not() {
        type Check = fn(&[u8]) -> bool;
        // `A` alone is no number, but must not end in a panic either.
        let cases: &[(Check, &str)] = &[
            (au_abn, "83914571673"),
            (nz_ird, "49091850"),
            (sg_nric, "S1234567D"),
            (sg_nric, "G8169811U"),
            (hk_id, "G123456A"),
            (tw_id, "A123456789"),
            (tr_tckn, "17291716060"),
            (tr_vkn, "4540536920"),
            (kr_brn, "1208147521"),
            (tw_ubn, "00501503"),
        ];
        for (check, number) in cases {
            assert!(check(number.as_bytes()), "{number}");
            let last = number.len() - 1;
            let wrong = format!("{}{}", &number[..last], if number.ends_with('7') { '6' } else { '7' });
            assert!(!check(wrong.as_bytes()), "{wrong}");
            assert!(!check(b"A") && !check(b"") && !check(&number.as_bytes()[..last]), "{number}");
        }
    }
}

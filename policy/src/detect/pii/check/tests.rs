//! The families of check digits on published numbers, and on each of these with any one digit changed.

use super::*;

fn weighted(weights: &'static [u16], modulus: u16, table: &'static str) -> Weighted {
    Weighted { weights, from: 0, modulus, fold: Fold::Products, table, at: u8::MAX }
}

/// The number holds, and no number that differs from it in one digit does.
fn catches_every_digit(number: &str, holds: impl Fn(&[u8]) -> bool) {
    assert!(holds(number.as_bytes()), "{number}");
    for at in (0..number.len()).filter(|at| number.as_bytes()[*at].is_ascii_digit()) {
        for digit in b'0'..=b'9' {
            let mut other = number.as_bytes().to_vec();
            other[at] = digit;
            assert_eq!(
                holds(&other),
                digit == number.as_bytes()[at],
                "{number} with {} at {at}",
                char::from(digit)
            );
        }
    }
}

#[test]
fn luhn_catches_every_single_digit() {
    // The sample of ISO/IEC 7812-1.
    catches_every_digit("79927398713", luhn);
    catches_every_digit("490154203237518", luhn);
}

#[test]
fn verhoeff_catches_every_single_digit_and_every_swap() {
    catches_every_digit("2363", verhoeff);
    let number = *b"84736430954837284567892";
    assert!(verhoeff(&number));
    for at in 1..number.len() {
        let mut other = number;
        other.swap(at - 1, at);
        assert_eq!(verhoeff(&other), number[at - 1] == number[at], "{at}");
    }
}

#[test]
fn iso_7064_catches_every_single_digit() {
    // The samples of the standard's literature: MOD 11-2 and MOD 11,10 over 0794.
    catches_every_digit("07940", mod11_2);
    catches_every_digit("07945", mod11_10);
    catches_every_digit("86095742719", mod11_10);
    catches_every_digit("11010519491231002X", mod11_2);
}

#[test]
fn weights_modulo_eleven_catch_every_single_digit() {
    let nhs = weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2], 11, "0-987654321");
    catches_every_digit("9434765919", |number| nhs.holds(number));
    let bsn = weighted(&[9, 8, 7, 6, 5, 4, 3, 2, 10], 11, "");
    catches_every_digit("123456782", |number| bsn.holds(number));
    let cpf = weighted(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2], 11, "00987654321");
    assert!(cpf.holds(b"11144477735") && !cpf.holds(b"11144477736"));
}

#[test]
fn weights_modulo_ten_catch_every_digit_of_an_odd_weight() {
    let routing = weighted(&[3, 7, 1, 3, 7, 1, 3, 7, 1], 10, "");
    catches_every_digit("111000025", |number| routing.holds(number));
    let pesel = weighted(&[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], 10, "");
    catches_every_digit("44051401359", |number| pesel.holds(number));
    let folded = Weighted { fold: Fold::Digits, ..weighted(&[2, 1, 2, 1, 2, 1, 2, 1, 2, 1], 10, "") };
    catches_every_digit("8112289874", |number| folded.holds(number));
}

#[test]
fn letters_of_a_table_are_compared() {
    let dni = weighted(&[14, 6, 19, 18, 11, 8, 10, 1], 23, "TRWAGMYFPDXBNJZSQVHLCKE");
    catches_every_digit("12345678Z", |number| dni.holds(number));
    assert!(!dni.holds(b"12345678") && !dni.holds(b""));
}

#[test]
fn a_date_part_is_a_day_of_a_calendar() {
    let part = DatePart { form: "yymmdd", from: 1, months: &[0, 20], days: &[0, 40] };
    for number in ["1900228", "1002229", "1902228", "1900268", "1902970"] {
        assert!(part.holds(number.as_bytes()), "{number}");
    }
    for number in ["1900230", "1901301", "1900000", "190022", "190O228"] {
        assert!(!part.holds(number.as_bytes()), "{number}");
    }
    let full = DatePart { form: "ddmmyyyy", from: 0, months: &[0], days: &[0] };
    assert!(full.holds(b"29022000") && !full.holds(b"29022001") && !full.holds(b"01011700"));
}

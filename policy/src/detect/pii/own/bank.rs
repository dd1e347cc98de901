//! Bank accounts across countries: IBAN (ISO 13616).

use super::super::super::card;
use super::super::super::tables::CARD;
use super::super::check::mod97;

/// Countries of the IBAN registry and the length of their numbers.
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// The length that the country's numbers have.
pub(in crate::detect::pii) fn iban_length(country: &[u8]) -> Option<usize> {
    let at = IBAN_LENGTHS.binary_search_by(|(known, _)| known.as_slice().cmp(country)).ok()?;
    Some(IBAN_LENGTHS[at].1)
}

/// Country, length, and ISO/IEC 7064 MOD 97-10 with the first four characters moved behind the rest.
pub(in crate::detect) fn iban(number: &[u8]) -> bool {
    let Some((head, rest)) = number.split_at_checked(4) else { return false };
    if iban_length(&head[..2]) != Some(number.len()) || !head[2..].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let mut moved = [0; 34];
    let Some(moved) = moved.get_mut(..number.len()) else { return false };
    moved[..rest.len()].copy_from_slice(rest);
    moved[rest.len()..].copy_from_slice(head);
    mod97(moved) == 1
}

/// A card number outside the issuers' ranges that are known: the detector of payment cards has the others.
pub(in crate::detect) fn unlisted_card(number: &[u8]) -> bool {
    !card::is_card_number(&CARD, number) && !card::is_test_number(&CARD, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_the_registrys_examples_hold() {
        assert!(IBAN_LENGTHS.is_sorted());
        // Examples of the IBAN registry.
        for number in [
            "GB29NWBK60161331926819",
            "DE89370400440532013000",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "CH9300762011623852957",
        ] {
            assert!(iban(number.as_bytes()), "{number}");
        }
    }

    #[test]
    fn any_other_digit_is_refused() {
        let number = *b"DE89370400440532013000";
        for at in 2..number.len() {
            for digit in b'0'..=b'9' {
                let mut other = number;
                other[at] = digit;
                assert_eq!(iban(&other), digit == number[at]);
            }
        }
        assert!(!iban(b"DE8937040044053201300") && !iban(b"ZZ89370400440532013000") && !iban(b"DE"));
    }
}

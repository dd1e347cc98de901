//! Validators of values that have no prefix, or too short a one: letters and digits as a generator deals them, and
//! check sums.

use super::false_positive::{Origin, has_long_run, origin};

/// Of so many characters at least one is a digit: in base 62 one in six is.
const CHARACTERS_PER_DIGIT: usize = 24;
/// A value with more separators than one in so many characters is words, not random.
const CHARACTERS_PER_SEPARATOR: usize = 5;
/// Fewest distinct digits of a value that has only digits.
const DISTINCT_DIGITS_MIN: u32 = 5;

/// Where a value seems to come from that a generator may have dealt: letters and digits, and no chain of words. What no
/// generator would deal stands for something else.
pub(super) fn origin_of_key(value: &[u8]) -> Origin {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = value.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let separators = value.len() - digits - letters;
    if letters == 0 {
        let distinct = value.iter().fold(0_u16, |seen, b| seen | 1 << (b & 15)).count_ones();
        return if distinct >= DISTINCT_DIGITS_MIN { origin(value) } else { Origin::StandIn };
    }
    // Without a digit, capitals and small letters are half and half; in names of code one in five is a capital.
    let capitals = value.iter().filter(|b| b.is_ascii_uppercase()).count();
    let is_random_case = capitals * 4 >= value.len() && (letters - capitals) * 4 >= value.len();
    let is_dealt = digits * CHARACTERS_PER_DIGIT >= value.len() || is_random_case;
    // The letters of hexadecimal numbers make no words, nor do those that count.
    let is_no_word = value.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-') || has_long_run(value);
    if separators * CHARACTERS_PER_SEPARATOR > value.len() || !(is_dealt || is_no_word) {
        return Origin::StandIn;
    }
    if is_dealt { origin(value) } else { origin(value).min(Origin::Invented) }
}

/// Whether the base32 text (RFC 4648, section 6, no padding) ends with the CRC-16/XMODEM of the bytes before, low byte
/// first, as the keys of NATS and Stellar do.
pub(super) fn ends_with_crc16(text: &[u8]) -> bool {
    let (mut crc, mut tail) = (0_u16, [0_u8; 2]);
    let (mut bits, mut count, mut bytes) = (0_u32, 0, 0_usize);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return false,
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            // Two bytes stay behind, for the last two are the sum itself.
            if bytes >= 2 {
                crc = crc16(crc, tail[0]);
            }
            tail = [tail[1], (bits >> count & 0xff) as u8];
            bytes += 1;
        }
    }
    bytes > 2 && crc == u16::from_le_bytes(tail)
}

/// CRC-16/XMODEM: polynomial 0x1021, from the highest bit.
fn crc16(crc: u16, byte: u8) -> u16 {
    (0..8).fold(
        crc ^ u16::from(byte) << 8,
        |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_letters_and_digits() {
        for key in [
            "9f86d081884c7d659a2feaa0c55ad015",
            "q7zt2lxw9vbn4kdr6yhc",
            "yvXpthLIcYpZwRFcPOVePWtt",
            "1208467391850274",
            "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
        ] {
            assert_eq!(origin_of_key(key.as_bytes()), Origin::Drawn, "{key}");
        }
    }

    #[test]
    fn words_are_no_keys() {
        for words in [
            "a-list-of-words-and-1-or-2-no-go",
            "00000000000000001111111111111111",
            "notificationChannelConfigurations",
        ] {
            assert_eq!(origin_of_key(words.as_bytes()), Origin::StandIn, "{words}");
        }
    }

    #[test]
    fn the_check_sum_is_that_of_the_bytes_before() {
        // From the test vectors of SEP-23 (Stellar), an account id: the sum is the same for seeds.
        let id = b"GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ";
        assert!(ends_with_crc16(id));
        let mut other = *id;
        other[9] = b'X';
        assert!(!ends_with_crc16(&other));
        assert!(!ends_with_crc16(b"GA7"));
    }
}

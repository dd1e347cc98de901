//! Ids of our own requests and the short codes of refusals, both derived from the session's seed.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Every id of ours starts with this; a peer that uses it is refused.
pub(super) const OWN_PREFIX: &str = "stockade:";

/// Crockford's base 32: no I, L, O or U, so that a code can be read out.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Lengths of codes in characters. A session gets the next length when one is used up, after a million codes.
const CODE_CHARS: [u32; 3] = [4, 6, 8];

/// Rounds of the permutation that turns a counter into a code; four are enough to be unpredictable, six are cheap.
const ROUNDS: u8 = 6;

/// Mints ids and codes. Nothing is remembered but two counters: a code is a keyed permutation of its number, so no
/// two of a session are equal and none can be guessed from another.
#[derive(Debug)]
pub(super) struct Mint {
    seed: Seed,
    ids: u64,
    codes: u64,
}

/// The session's seed; its `Debug` shows nothing, since codes can be computed from it.
struct Seed([u8; 16]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// The code of a refusal outside of any session: of a start.
#[must_use]
pub fn lone_code(seed: [u8; 16]) -> String {
    Mint::new(seed).code()
}

impl Mint {
    pub(super) fn new(seed: [u8; 16]) -> Self {
        Self { seed: Seed(seed), ids: 0, codes: 0 }
    }

    /// An id of ours: the prefix and 128 bits in hex.
    pub(super) fn id(&mut self) -> String {
        self.ids += 1;
        let digest = self.keyed(b"id", 0, self.ids);
        let mut id = String::with_capacity(OWN_PREFIX.len() + 32);
        id.push_str(OWN_PREFIX);
        for byte in &digest[..16] {
            id.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
            id.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
        id
    }

    /// A code that was not given out before in this session.
    pub(super) fn code(&mut self) -> String {
        let mut number = self.codes;
        self.codes += 1;
        let mut chars = CODE_CHARS[0];
        for next in &CODE_CHARS[1..] {
            let space = 1_u64 << (5 * chars);
            if number < space {
                break;
            }
            number -= space;
            chars = *next;
        }
        self.spell(self.permute(number, 5 * chars), chars)
    }

    /// A Feistel network over `bits` bits (an even number): a bijection, whatever the round function is.
    fn permute(&self, number: u64, bits: u32) -> u64 {
        let half = bits / 2;
        let mask = (1_u64 << half) - 1;
        let (mut left, mut right) = ((number >> half) & mask, number & mask);
        for round in 0..ROUNDS {
            let digest = self.keyed(&[b'c', bits.to_le_bytes()[0]], round, right);
            let mut word = [0; 8];
            word.copy_from_slice(&digest[..8]);
            (left, right) = (right, left ^ (u64::from_le_bytes(word) & mask));
        }
        (left << half) | right
    }

    fn spell(&self, value: u64, chars: u32) -> String {
        let digit = |place: u32| usize::try_from((value >> (5 * place)) & 31).unwrap_or(0);
        (0..chars).rev().map(|place| char::from(ALPHABET[digit(place)])).collect()
    }

    fn keyed(&self, label: &[u8], round: u8, number: u64) -> [u8; 32] {
        // HMAC takes keys of any length (RFC 2104), so this constructor of an infallible operation is the right one.
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&hmac_key(&self.seed.0));
        mac.update(label);
        mac.update(&[round]);
        mac.update(&number.to_le_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// The seed as a block-sized key: HMAC pads short keys with zeros itself (RFC 2104, section 2).
fn hmac_key(seed: &[u8; 16]) -> hmac::digest::Key<Hmac<Sha256>> {
    let mut key = hmac::digest::Key::<Hmac<Sha256>>::default();
    key[..seed.len()].copy_from_slice(seed);
    key
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_of_a_session_never_repeat_and_are_four_characters_of_crockford() {
        let mut mint = Mint::new([7; 16]);
        let codes: Vec<String> = (0..5_000).map(|_| mint.code()).collect();
        assert!(codes.iter().all(|code| code.len() == 4 && code.bytes().all(|b| ALPHABET.contains(&b))));
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    }

    #[test]
    fn the_permutation_behind_the_codes_is_a_bijection() {
        let mint = Mint::new([9; 16]);
        let seen: BTreeSet<u64> = (0..1 << 10).map(|number| mint.permute(number, 10)).collect();
        assert_eq!(seen.len(), 1 << 10);
        assert!(seen.iter().all(|value| *value < 1 << 10));
    }

    #[test]
    fn codes_grow_when_a_length_is_used_up() {
        let mut mint = Mint::new([1; 16]);
        for (number, chars) in [((1 << 20) - 1, 4), (1 << 20, 6), ((1 << 20) + (1 << 30), 8)] {
            mint.codes = number;
            assert_eq!(mint.code().len(), chars, "code number {number}");
        }
    }

    #[test]
    fn codes_and_ids_of_another_seed_are_others() {
        let (mut one, mut two) = (Mint::new([1; 16]), Mint::new([2; 16]));
        assert_ne!((one.code(), one.id()), (two.code(), two.id()));
    }

    #[test]
    fn an_id_of_ours_has_the_prefix_and_128_bits() {
        let mut mint = Mint::new([3; 16]);
        let (first, second) = (mint.id(), mint.id());
        assert_ne!(first, second);
        let digits = first.strip_prefix("stockade:").unwrap();
        assert!(digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{first}");
    }

    #[test]
    fn the_seed_is_not_in_debug_output() {
        assert!(!format!("{:?}", Mint::new([0xab; 16])).contains("171"));
    }
}

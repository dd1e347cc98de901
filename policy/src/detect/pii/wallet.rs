//! Bank accounts and wallets that show by themselves what they are: IBAN, Base58Check, Bech32, EIP-55.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::super::finding::Confidence;
use super::super::tables::{IBAN, WALLET};
use super::alone::Alone;
use super::is_word;
use super::own;

/// Shortest address of a wallet that is looked at.
pub(super) const ADDRESS_MIN: usize = 26;
/// Longest: a Bech32 address has at most 90 characters (BIP 173).
const ADDRESS_MAX: usize = 96;
/// Longest IBAN.
const IBAN_MAX: usize = 34;
const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The IBAN that begins at `start`, compact or in groups.
pub(super) fn iban(text: &[u8], start: usize) -> Option<Alone> {
    let length = own::iban_length(&text[start..start + 2])?;
    let (mut compact, mut len, mut end) = ([0; IBAN_MAX], 0, start);
    while len < length {
        let byte = *text.get(end)?;
        if byte.is_ascii_alphanumeric() {
            compact[len] = byte.to_ascii_uppercase();
            len += 1;
        } else if !matches!(byte, b' ' | b'-' | b'.') || !text.get(end + 1)?.is_ascii_alphanumeric() {
            return None;
        }
        end += 1;
    }
    let cut_off = text.get(end).is_some_and(|b| is_word(*b));
    (!cut_off && own::iban(&compact[..length])).then_some(Alone {
        detector: IBAN,
        confidence: Confidence::High,
        span: start..end,
    })
}

/// The wallet's address that the word is.
pub(super) fn address(text: &[u8], word: &Range<usize>) -> Option<Alone> {
    let value = &text[word.clone()];
    if value.len() > ADDRESS_MAX {
        return None;
    }
    let sure = match value {
        [b'0', b'x', hex @ ..] if hex.len() == 40 => ethereum(hex)?,
        [b'1' | b'3', ..] if base58check(value) => Confidence::High,
        [b'b' | b'B', b'c' | b'C', b'1', ..] | [b'l', b't', b'c', b'1', ..] if bech32(value) => {
            Confidence::High
        }
        [b'D' | b'L' | b'M' | b'X' | b't', ..] if base58check(value) => Confidence::High,
        _ => return None,
    };
    Some(Alone { detector: WALLET, confidence: sure, span: word.clone() })
}

/// Version, hash and four bytes of a double SHA-256.
pub(in crate::detect) fn base58check(address: &[u8]) -> bool {
    if !(ADDRESS_MIN..=36).contains(&address.len()) {
        return false;
    }
    // 58^36 is below 2^216.
    let mut bytes = [0_u8; 27];
    for byte in address {
        let Some(place) = BASE58.iter().position(|b| b == byte) else { return false };
        let mut carry = place as u32;
        for cell in bytes.iter_mut().rev() {
            carry += u32::from(*cell) * 58;
            *cell = carry as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    // One version byte (two for Zcash), twenty of a hash, four to check.
    [25, 26].iter().any(|len| {
        let (zeros, payload) = bytes.split_at(bytes.len() - len);
        let (body, check) = payload.split_at(len - 4);
        zeros.iter().all(|b| *b == 0) && Sha256::digest(Sha256::digest(body))[..4] == *check
    })
}

/// BIP 173 and BIP 350.
fn bech32(address: &[u8]) -> bool {
    let Some(split) = address.iter().rposition(|b| *b == b'1') else { return false };
    let mixed = address.iter().any(u8::is_ascii_lowercase) && address.iter().any(u8::is_ascii_uppercase);
    let (prefix, data) = (&address[..split], &address[split + 1..]);
    if mixed || data.len() < 8 {
        return false;
    }
    let high = prefix.iter().map(|b| b.to_ascii_lowercase() >> 5);
    let low = prefix.iter().map(|b| b.to_ascii_lowercase() & 31);
    let mut check = 1_u32;
    for value in high.chain([0]).chain(low) {
        check = polymod(check, value);
    }
    for byte in data {
        let Some(value) = BECH32.iter().position(|b| *b == byte.to_ascii_lowercase()) else { return false };
        check = polymod(check, value as u8);
    }
    check == 1 || check == 0x2bc8_30a3
}

fn polymod(check: u32, value: u8) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = check >> 25;
    let mut next = (check & 0x1ff_ffff) << 5 ^ u32::from(value);
    for (bit, word) in GENERATOR.iter().enumerate() {
        if top >> bit & 1 == 1 {
            next ^= word;
        }
    }
    next
}

/// How sure forty hex digits are an address: with the mixed case of EIP-55 it is certain, in one case it may be any hash
/// of twenty bytes.
fn ethereum(hex: &[u8]) -> Option<Confidence> {
    if !hex.iter().all(u8::is_ascii_hexdigit) || hex.iter().all(|b| *b == hex[0]) {
        return None;
    }
    let upper = hex.iter().any(u8::is_ascii_uppercase);
    let lower = hex.iter().any(u8::is_ascii_lowercase);
    if !(upper && lower) {
        return None;
    }
    let hash = keccak256(&hex.to_ascii_lowercase());
    let fits = hex.iter().enumerate().all(|(at, byte)| {
        let nibble = hash[at / 2] >> (if at % 2 == 0 { 4 } else { 0 }) & 15;
        byte.is_ascii_digit() || byte.is_ascii_uppercase() == (nibble >= 8)
    });
    fits.then_some(Confidence::High)
}

/// Keccak-256 of at most 135 bytes, one block: the hash that Ethereum uses (before the padding of FIPS 202).
fn keccak256(message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 136];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] ^= 0x01;
    block[135] ^= 0x80;
    let mut state = [0_u64; 25];
    for (lane, bytes) in state.iter_mut().zip(block.chunks_exact(8)) {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        *lane = u64::from_le_bytes(word);
    }
    keccak_f(&mut state);
    let mut out = [0; 32];
    for (bytes, lane) in out.chunks_exact_mut(8).zip(state) {
        bytes.copy_from_slice(&lane.to_le_bytes());
    }
    out
}

/// The permutation of FIPS 202, section 3.3; the round constants come from its shift register (section 3.2.5).
fn keccak_f(state: &mut [u64; 25]) {
    let mut register = 1_u8;
    for _ in 0..24 {
        let column = |x: usize| (0..5).fold(0, |sum, y| sum ^ state[x + 5 * y]);
        let sums = [column(0), column(1), column(2), column(3), column(4)];
        for (at, lane) in state.iter_mut().enumerate() {
            *lane ^= sums[(at + 4) % 5] ^ sums[(at + 1) % 5].rotate_left(1);
        }
        let (mut x, mut y, mut current) = (1, 0, state[1]);
        for step in 0..24_u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            let turned = current.rotate_left((step + 1) * (step + 2) / 2 % 64);
            current = std::mem::replace(&mut state[x + 5 * y], turned);
        }
        for row in state.chunks_exact_mut(5) {
            let old = [row[0], row[1], row[2], row[3], row[4]];
            for (at, lane) in row.iter_mut().enumerate() {
                *lane = old[at] ^ (!old[(at + 1) % 5] & old[(at + 2) % 5]);
            }
        }
        for bit in 0..7 {
            state[0] ^= u64::from(register & 1) << ((1 << bit) - 1);
            register = register << 1 ^ if register >> 7 == 1 { 0x71 } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> bool {
        address(text.as_bytes(), &(0..text.len())).is_some()
    }

    #[test]
    fn published_addresses_hold_and_their_neighbours_do_not() {
        // Samples of the Bitcoin wiki, BIP 173, BIP 350 and EIP-55.
        for address in [
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        ] {
            assert!(found(address), "{address}");
            for at in 4..address.len() {
                let mut other = address.as_bytes().to_vec();
                other[at] = if other[at] == b'7' { b'8' } else { b'7' };
                let other = String::from_utf8(other).expect("ASCII stays ASCII");
                // A digit of an Ethereum address changes its hash, and that its capitals.
                assert!(!found(&other), "{other}");
            }
        }
    }

    #[test]
    fn hashes_and_plain_hex_are_no_wallets() {
        assert!(!found("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"));
        assert!(!found("0x0000000000000000000000000000000000000000"));
        assert!(!found("3f786850e387550fdab836ed7e6dc881de23001b"));
    }

    #[test]
    fn the_hash_is_keccak() {
        let hex = keccak256(b"").iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    }
}

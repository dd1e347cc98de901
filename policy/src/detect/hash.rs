//! Keyed hashes of values, so that equal secrets can be told from events that never hold them (decision 25).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The key under which values are hashed; its `Debug` shows nothing.
#[derive(Clone)]
pub struct HashKey(pub [u8; 32]);

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// HMAC-SHA256 with the key already taken in; cloned for each value, which saves two of the four blocks.
#[derive(Clone)]
pub(super) struct ValueHasher(Hmac<Sha256>);

impl std::fmt::Debug for ValueHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ValueHasher(…)")
    }
}

impl ValueHasher {
    /// A hasher under this key.
    pub(super) fn new(key: &HashKey) -> Self {
        let mut block = [0_u8; 64];
        block[..32].copy_from_slice(&key.0);
        // A key shorter than the block is padded with zeros (RFC 2104, section 2), so this is the same key.
        Self(Hmac::new(&block.into()))
    }

    /// The first eight hex digits.
    pub(super) fn hash(&self, value: &[u8]) -> [u8; 8] {
        let mut mac = self.0.clone();
        mac.update(value);
        let bytes = mac.finalize().into_bytes();
        let mut hex = [0; 8];
        for (at, digit) in hex.iter_mut().enumerate() {
            let nibble = if at % 2 == 0 { bytes[at / 2] >> 4 } else { bytes[at / 2] & 15 };
            *digit = b"0123456789abcdef"[usize::from(nibble)];
        }
        hex
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_hmac_sha256_as_in_rfc_4231() {
        // Test case 2 of RFC 4231 has the key "Jefe"; padded with zeros it is the same key to HMAC.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(&ValueHasher::new(&HashKey(key)).hash(b"what do ya want for nothing?"), b"5bdcc146");
    }

    #[test]
    fn the_key_is_never_shown() {
        let key = HashKey([0x5a; 32]);
        assert_eq!(format!("{key:?} {:?}", ValueHasher::new(&key)), "HashKey(…) ValueHasher(…)");
    }
}

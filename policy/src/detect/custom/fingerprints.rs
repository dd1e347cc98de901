//! A table of keyed hashes of values: what `[exact.NAME]` looks values up in, and its form as a file.
//!
//! Two columns of one row must match, so what is kept is a hash of each *two* values of a row: whoever has the file, key
//! and all, has to guess both together. Of single values there is only a filter, by which one guess in [`CHANCE`] passes.

mod forms;
mod runs;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::finding::Confidence;
use super::fold;
pub(super) use forms::{Form, Forms};
pub(super) use runs::Run;
use runs::TOKENS_MAX;

/// First line of a file of fingerprints, with its version.
const MAGIC: &[u8] = b"stockade fingerprints 2\n";
/// That of files which do not say what forms their values have.
const MAGIC_WITHOUT_FORMS: &[u8] = b"stockade fingerprints 1\n";
/// Longest normal form of a value, in bytes.
pub(super) const VALUE_BYTES_MAX: usize = 128;
/// One value in so many passes the filter though it is in no row.
pub(super) const CHANCE: usize = 64;
/// A value of so many digits may be written in groups.
const GROUPED_DIGITS_MIN: usize = 6;
/// Bits of an entry that tell how sure it is.
const SURE_BITS: u64 = 3;
/// Entries that share an index of the search for them: a line of the processor's cache.
const ENTRIES_PER_BUCKET: usize = 8;
const FIXED_BYTES: usize = MAGIC.len() + 32 + 1 + 4 + 3 + 3 * 8 + 4 + 4 + TAG_BYTES;
const TAG_BYTES: usize = 32;

/// What has to be in a message for a row to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// Two values of one row, near each other.
    Rows,
    /// Any value alone. Whoever has the file can find the values out by trying all that there could be.
    Alone,
}

/// Why a file of fingerprints cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// It begins otherwise.
    #[error("it was not made by `stockade dlp fingerprint`, or by one of another version")]
    Foreign,
    /// It is not as long as it says.
    #[error("it is cut short, or something was added to it")]
    Length,
    /// Its hash is another, or its content cannot be.
    #[error("it is damaged: its content does not match its own hash")]
    Damaged,
}

/// Keyed hashes of the values of a table; holds no value. Equal to another one of the same file.
#[derive(Clone)]
pub struct Fingerprints {
    key: [u8; 32],
    matching: Matching,
    rows: u32,
    /// Most tokens of a value as it stands in a text, of digits, of letters, of both.
    tokens: [u8; 3],
    /// Lengths of values (63 and above are one) of digits, of letters, of both.
    lengths: [u64; 3],
    /// Which forms values have; all, where the file does not say.
    forms: Option<Box<Forms>>,
    filter: Box<[u64]>,
    /// Hashes in ascending order; the lowest bits say how sure a match is.
    entries: Box<[u64]>,
    /// Where the entries with each of the highest bits begin: a binary search would fetch a line of memory for each step.
    buckets: Box<[u32]>,
    tag: [u8; TAG_BYTES],
    hashing: Hashing,
}

/// A value, or two of one row.
pub(super) type Values<'v> = (&'v [u8], Option<&'v [u8]>);

/// What is made of the key.
#[derive(Clone)]
struct Hashing {
    mac: Hmac<Sha256>,
    /// Base of the rolling hash, and its powers.
    powers: Box<[u64]>,
    seed: u64,
}

/// What a table is made of; see `build.rs`.
pub(super) struct Parts {
    pub(super) matching: Matching,
    pub(super) rows: u32,
    /// Normal forms of values that may be looked for.
    pub(super) values: Vec<Vec<u8>>,
    /// Those of two of one row.
    pub(super) forms: Forms,
    /// See [`Fingerprints`].
    pub(super) tokens: [u8; 3],
    pub(super) entries: Vec<u64>,
}

impl Fingerprints {
    /// A table under this key; `entries` are made by [`Fingerprints::entries_of`] under the same one.
    pub(super) fn of(key: [u8; 32], parts: Parts) -> Self {
        let Parts { matching, rows, values, mut forms, tokens, mut entries } = parts;
        entries.sort_unstable();
        // The same hash twice: the surest counts.
        entries.dedup_by(|later, kept| {
            let same = *later & !SURE_BITS == *kept & !SURE_BITS;
            if same {
                *kept = (*kept).max(*later);
            }
            same
        });
        let hashing = Hashing::new(&key);
        let words = (values.len() * CHANCE).div_ceil(64).max(1);
        let (mut lengths, mut filter) = ([0; 3], vec![0_u64; words]);
        for value in &values {
            lengths[shape_of(value)] |= length_bit(value.len());
            forms.add(Form::of(value));
            let bit = place(hashing.rolled(value), words, hashing.seed);
            filter[bit / 64] |= 1 << (bit % 64);
        }
        let mut table = Self {
            key,
            matching,
            rows,
            tokens,
            lengths,
            forms: Some(forms.into()),
            filter: filter.into(),
            buckets: buckets_of(&entries),
            entries: entries.into(),
            tag: [0; TAG_BYTES],
            hashing,
        };
        table.tag = table.hashing.tag(&table.content());
        table
    }

    /// The bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.content();
        bytes.extend(self.tag);
        bytes
    }

    /// A file's bytes → the table.
    ///
    /// # Errors
    /// When it is no such file, or damaged.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, FingerprintError> {
        let with_forms = bytes.strip_prefix(MAGIC);
        let rest = with_forms.or_else(|| bytes.strip_prefix(MAGIC_WITHOUT_FORMS));
        let rest = rest.ok_or(FingerprintError::Foreign)?;
        let (content, tag) =
            bytes.split_last_chunk::<TAG_BYTES>().ok_or(FingerprintError::Length).and_then(|(c, t)| {
                if bytes.len() < FIXED_BYTES { Err(FingerprintError::Length) } else { Ok((c, t)) }
            })?;
        let mut fields = Fields(&rest[..rest.len() - TAG_BYTES]);
        let key = fields.take::<32>()?;
        let [matching] = fields.take::<1>()?;
        let rows = u32::from_le_bytes(fields.take()?);
        let tokens = fields.take::<3>()?;
        let lengths = [fields.long()?, fields.long()?, fields.long()?];
        let forms =
            with_forms.map(|_| Forms::of_words(&fields.longs(Forms::WORDS)?).map(Box::new)).transpose()?;
        let (filter, entries) = (fields.count()?, fields.count()?);
        if fields.0.len() != 8 * (filter + entries) {
            return Err(FingerprintError::Length);
        }
        let hashing = Hashing::new(&key);
        if hashing.tag(content) != *tag {
            return Err(FingerprintError::Damaged);
        }
        let matching = match matching {
            0 => Matching::Rows,
            1 => Matching::Alone,
            _ => return Err(FingerprintError::Damaged),
        };
        let (filter, entries) = (fields.longs(filter)?, fields.longs(entries)?);
        if filter.is_empty() || !entries.is_sorted_by(|a, b| a & !SURE_BITS < b & !SURE_BITS) {
            return Err(FingerprintError::Damaged);
        }
        let buckets = buckets_of(&entries);
        Ok(Self { key, matching, rows, tokens, lengths, forms, filter, entries, buckets, tag: *tag, hashing })
    }

    /// Rows of the table.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Hashes that it holds.
    pub(super) fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// What has to be there for a row to count.
    #[must_use]
    pub fn matching(&self) -> Matching {
        self.matching
    }

    /// Makes the entries of values, or of two of one row, under a key.
    pub(super) fn entries_of(key: &[u8; 32]) -> impl Fn(Values<'_>, Confidence) -> u64 + use<> {
        let hashing = Hashing::new(key);
        move |values, sure| hashing.entry(values) | sure as u64
    }

    /// Whether two values that look so may be of one row.
    pub(super) fn may_be_row(&self, one: Form, other: Form) -> bool {
        self.forms.as_ref().is_none_or(|forms| forms.has_both(one, other))
    }

    /// How sure it is that this value, or these two of one row, are in the table; `None` if they are not.
    pub(super) fn find(&self, one: &[u8], other: Option<&[u8]>) -> Option<Confidence> {
        let wanted = self.hashing.entry((one, other));
        let bucket = bucket_of(wanted, self.buckets.len() - 1);
        let near = &self.entries[self.buckets[bucket] as usize..self.buckets[bucket + 1] as usize];
        let entry = near.get(near.partition_point(|entry| *entry < wanted));
        let entry = entry.filter(|entry| *entry & !SURE_BITS == wanted)?;
        Some(match entry & SURE_BITS {
            0 => Confidence::Low,
            1 => Confidence::Medium,
            _ => Confidence::High,
        })
    }

    /// All but the hash at the end.
    fn content(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + 8 * (self.filter.len() + self.entries.len()));
        bytes.extend(if self.forms.is_some() { MAGIC } else { MAGIC_WITHOUT_FORMS });
        bytes.extend(self.key);
        bytes.push(u8::from(self.matching == Matching::Alone));
        bytes.extend(self.rows.to_le_bytes());
        bytes.extend(self.tokens);
        let forms = self.forms.iter().flat_map(|forms| forms.words());
        bytes.extend(self.lengths.iter().chain(forms).flat_map(|word| word.to_le_bytes()));
        bytes.extend((self.filter.len() as u32).to_le_bytes());
        bytes.extend((self.entries.len() as u32).to_le_bytes());
        bytes.extend(self.filter.iter().chain(&self.entries).flat_map(|word| word.to_le_bytes()));
        bytes
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprints({} rows, {:?})", self.rows, self.matching)
    }
}

impl PartialEq for Fingerprints {
    fn eq(&self, other: &Self) -> bool {
        self.tag == other.tag
    }
}

impl Eq for Fingerprints {}

impl Hashing {
    fn new(key: &[u8; 32]) -> Self {
        let mut block = [0_u8; 64];
        block[..32].copy_from_slice(key);
        // A key shorter than the block is padded with zeros (RFC 2104, section 2).
        let mac = Hmac::new(&block.into());
        let drawn = digest(&mac, &[b"filter"]);
        let word = |at: usize| drawn[at..at + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        // An even base would forget the first bytes.
        let (base, seed) = (word(0) | 1, word(8));
        let power = |power: &u64| Some(power.wrapping_mul(base));
        let powers = std::iter::successors(Some(1), power).take(VALUE_BYTES_MAX + 1).collect();
        Self { mac, powers, seed }
    }

    /// The rolling hash: of the values that it lets pass one in [`CHANCE`] is in no row, so that it gives none away.
    fn rolled(&self, value: &[u8]) -> u64 {
        let base = self.powers[1];
        value.iter().fold(0_u64, |hash, byte| hash.wrapping_mul(base).wrapping_add(u64::from(*byte)))
    }

    fn entry(&self, (one, other): Values<'_>) -> u64 {
        let digest = match other {
            None => digest(&self.mac, &[b"1", one]),
            Some(other) => {
                // In whatever order the two stand.
                let (first, second) = if one <= other { (one, other) } else { (other, one) };
                // A normal form holds no zero byte.
                digest(&self.mac, &[b"2", first, b"\0", second])
            }
        };
        digest[..8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte)) & !SURE_BITS
    }

    fn tag(&self, content: &[u8]) -> [u8; TAG_BYTES] {
        digest(&self.mac, &[b"file", content])
    }
}

fn digest(mac: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = mac.clone();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Which bit of the filter a rolling hash falls on.
fn place(hash: u64, words: usize, seed: u64) -> usize {
    // The finaliser of SplitMix64: the low bits of a rolling hash modulo a power of two say little.
    let mut mixed = hash ^ seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    ((u128::from(mixed) * (words as u128 * 64)) >> 64) as usize
}

/// Which bucket of so many an entry falls into: hashes are spread evenly.
fn bucket_of(entry: u64, buckets: usize) -> usize {
    ((u128::from(entry) * buckets as u128) >> 64) as usize
}

/// For entries in ascending order, where each bucket begins, and where the last one ends.
fn buckets_of(entries: &[u64]) -> Box<[u32]> {
    let buckets = entries.len().div_ceil(ENTRIES_PER_BUCKET).max(1);
    let mut begins = Vec::with_capacity(buckets + 1);
    for (at, entry) in entries.iter().enumerate() {
        let bucket = bucket_of(*entry, buckets);
        if begins.len() <= bucket {
            begins.resize(bucket + 1, at as u32);
        }
    }
    begins.resize(buckets + 1, entries.len() as u32);
    begins.into()
}

/// How many tokens a value may have in a text: as many as it was written with and one more; what has digits enough may be
/// written in groups of them.
pub(super) fn tokens_of(text: &[u8], folded: &[u8]) -> u8 {
    let (mut tokens, mut at) = (1, 0);
    while let Some(start) = fold::token_start(text, at) {
        at = fold::token(text, start, |_| {});
        tokens += 1;
    }
    let digits = folded.iter().filter(|byte| byte.is_ascii_digit()).count();
    let most = if digits >= GROUPED_DIGITS_MIN { TOKENS_MAX } else { tokens.min(TOKENS_MAX) };
    u8::try_from(most).unwrap_or(u8::MAX)
}

/// Index into `lengths`; a value is not empty.
pub(super) fn shape_of(value: &[u8]) -> usize {
    Form::of(value).shape().unwrap_or(0)
}

fn length_bit(len: usize) -> u64 {
    1 << len.min(63)
}

/// What is left of a file's fields.
struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], FingerprintError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(FingerprintError::Length)?;
        self.0 = rest;
        Ok(*head)
    }

    fn long(&mut self) -> Result<u64, FingerprintError> {
        self.take().map(u64::from_le_bytes)
    }

    fn count(&mut self) -> Result<usize, FingerprintError> {
        usize::try_from(u32::from_le_bytes(self.take()?)).map_err(|_| FingerprintError::Length)
    }

    fn longs(&mut self, count: usize) -> Result<Box<[u64]>, FingerprintError> {
        (0..count).map(|_| self.long()).collect()
    }
}

#[cfg(test)]
mod tests;

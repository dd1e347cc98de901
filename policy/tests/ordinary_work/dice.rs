//! Seeded chance: the same seed makes the same messages on every machine.

/// xorshift64* (Vigna, 2016): small, and good enough to choose words.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from `from` to before `to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + (self.next() >> 11) % (to - from)
    }

    pub(crate) fn pick<'l>(&mut self, list: &[&'l str]) -> &'l str {
        let at = self.between(0, list.len() as u64);
        list[usize::try_from(at).expect("a list is short")]
    }

    /// So many characters of a set.
    pub(crate) fn characters(&mut self, set: &str, count: u64) -> String {
        let set: Vec<char> = set.chars().collect();
        let mut one = || set[usize::try_from(self.between(0, set.len() as u64)).expect("a set is short")];
        (0..count).map(|_| one()).collect()
    }

    pub(crate) fn hex(&mut self, count: u64) -> String {
        self.characters("0123456789abcdef", count)
    }

    pub(crate) fn base64(&mut self, count: u64) -> String {
        self.characters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", count)
    }

    pub(crate) fn uuid(&mut self) -> String {
        let mut part = |count| self.hex(count);
        format!("{}-{}-4{}-a{}-{}", part(8), part(4), part(3), part(3), part(12))
    }

    /// RFC 3339, somewhere in 2024 to 2026.
    pub(crate) fn time(&mut self) -> String {
        let (year, month, day) = (self.between(2024, 2027), self.between(1, 13), self.between(1, 29));
        let (hour, minute, second) = (self.between(0, 24), self.between(0, 60), self.between(0, 60));
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", self.between(0, 1000))
    }

    pub(crate) fn version(&mut self) -> String {
        format!("{}.{}.{}", self.between(0, 12), self.between(0, 40), self.between(0, 20))
    }
}

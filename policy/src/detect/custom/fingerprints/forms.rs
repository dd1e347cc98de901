//! What values look like: lengths, and how digits and letters take turns. Most runs of words and numbers in a text look like
//! no value of a table, and are none without a look at a hash.

use super::FingerprintError;

/// How a value looks; two values of one form are told apart by nothing but their characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Form {
    /// Bytes of its normal form,
    pub(super) len: usize,
    /// and digits among them.
    pub(super) digits: usize,
    /// How often a digit stands beside a letter.
    pub(super) turns: usize,
    /// It begins with a digit.
    pub(super) digit_first: bool,
}

impl Form {
    pub(in super::super) fn of(value: &[u8]) -> Self {
        let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
        let turn = |two: &&[u8]| two[0].is_ascii_digit() != two[1].is_ascii_digit();
        let turns = value.windows(2).filter(turn).count();
        Self { len: value.len(), digits, turns, digit_first: value.first().is_some_and(u8::is_ascii_digit) }
    }

    /// 0 for digits alone, 1 for none, 2 for both; `None` of nothing.
    pub(super) fn shape(self) -> Option<usize> {
        match self.digits {
            _ if self.len == 0 => None,
            0 => Some(1),
            digits if digits == self.len => Some(0),
            _ => Some(2),
        }
    }

    /// Its bit in [`Forms`].
    fn bit(self) -> usize {
        let parts = self.len.min(127) | self.digits.min(127) << 7 | self.turns.min(31) << 14;
        let parts = (parts << 1 | usize::from(self.digit_first)) as u64;
        // Spread over the bits (Knuth's multiplicative hash): the parts of a form are small numbers.
        (parts.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - Forms::BITS)) as usize
    }
}

/// The forms of a table's values, in a few thousand bits, and those of two of one row. They say of a value no more than how it
/// looks.
#[derive(Clone, Debug)]
pub(in super::super) struct Forms {
    single: [u64; Self::SINGLE],
    /// For two shapes, lengths of two values together (63 and above are one).
    both: [u64; Self::BOTH],
}

impl Default for Forms {
    fn default() -> Self {
        Self { single: [0; Self::SINGLE], both: [0; Self::BOTH] }
    }
}

impl Forms {
    const BITS: u32 = 13;
    const SINGLE: usize = 1 << (Self::BITS - 6);
    /// Of three shapes each with each.
    const BOTH: usize = 6;
    /// Words in the file.
    pub(super) const WORDS: usize = Self::SINGLE + Self::BOTH;

    pub(super) fn of_words(words: &[u64]) -> Result<Self, FingerprintError> {
        let (single, both) = words.split_first_chunk().ok_or(FingerprintError::Length)?;
        let both = both.try_into().map_err(|_| FingerprintError::Length)?;
        Ok(Self { single: *single, both })
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &u64> {
        self.single.iter().chain(&self.both)
    }

    pub(super) fn add(&mut self, form: Form) {
        let bit = form.bit();
        self.single[bit / 64] |= 1 << (bit % 64);
    }

    /// Whether a value may look so.
    pub(super) fn has(&self, form: Form) -> bool {
        let bit = form.bit();
        self.single[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// Two such values are of one row.
    pub(in super::super) fn add_both(&mut self, one: Form, other: Form) {
        if let Some((shapes, length)) = both(one, other) {
            self.both[shapes] |= length;
        }
    }

    /// Whether two values of one row may look so.
    pub(super) fn has_both(&self, one: Form, other: Form) -> bool {
        both(one, other).is_some_and(|(shapes, length)| self.both[shapes] & length != 0)
    }
}

/// Index and bit of two values of one row.
fn both(one: Form, other: Form) -> Option<(usize, u64)> {
    let (one_shape, other_shape) = (one.shape()?, other.shape()?);
    let (low, high) = (one_shape.min(other_shape), one_shape.max(other_shape));
    Some((low + high * (high + 1) / 2, 1 << (one.len + other.len).min(63)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_length_digits_turns_and_how_it_begins() {
        let form = |len, digits, turns, digit_first| Form { len, digits, turns, digit_first };
        for (value, expected, shape) in [
            ("annasmith", form(9, 0, 0, false), Some(1)),
            ("123456789", form(9, 9, 0, true), Some(0)),
            ("12bergst4", form(9, 3, 2, true), Some(2)),
            ("anna7corp", form(9, 1, 2, false), Some(2)),
            ("ж7", form(3, 1, 1, false), Some(2)),
            ("", form(0, 0, 0, false), None),
        ] {
            let found = Form::of(value.as_bytes());
            assert_eq!((found, found.shape()), (expected, shape), "{value}");
        }
    }

    #[test]
    fn a_set_has_what_was_added_and_little_else() {
        let mut forms = Forms::default();
        let each =
            |digits: usize| (digits..60).map(move |len| Form { len, digits, turns: 2, digit_first: true });
        each(5).for_each(|form| forms.add(form));
        assert!(each(5).all(|form| forms.has(form)));
        let others = (6..60).flat_map(each);
        let (all, passed) =
            others.fold((0, 0), |(all, passed), form| (all + 1, passed + usize::from(forms.has(form))));
        assert!(passed * 50 < all, "{passed} of {all}");
    }

    #[test]
    fn two_values_are_of_one_row_by_shapes_and_length_together_in_whatever_order() {
        let mut forms = Forms::default();
        let [name, number, mixed] = [&b"annasmith"[..], b"123456789", b"anna7corp"].map(Form::of);
        forms.add_both(number, name);
        assert!(forms.has_both(name, number) && forms.has_both(number, name));
        for (one, other) in [(name, name), (number, number), (mixed, name), (number, Form::of(b"anna"))] {
            assert!(!forms.has_both(one, other), "{one:?} {other:?}");
        }
        let words: Vec<u64> = forms.words().copied().collect();
        assert_eq!(words.len(), Forms::WORDS);
        assert!(Forms::of_words(&words).expect("as many words").has_both(name, number));
    }
}

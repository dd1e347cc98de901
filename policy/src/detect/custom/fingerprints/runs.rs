//! Runs of tokens in a text that may be values of a table.

use std::ops::Range;

use super::super::fold;
use super::forms::Form;
use super::{Fingerprints, VALUE_BYTES_MAX, length_bit, place};

/// Most tokens of a value as it stands in a text: an IBAN in groups of four has nine.
pub(super) const TOKENS_MAX: usize = 9;
/// Bytes between two tokens of one value,
const GAP_MAX: usize = 4;
/// and of a number.
pub(super) const NUMBER_GAP_MAX: usize = 2;
/// Tokens that are remembered; a power of two is cheap to go round in.
const REMEMBERED: usize = TOKENS_MAX.next_power_of_two();

/// What may be a value of a table.
pub(in super::super) struct Run {
    pub(in super::super) span: Range<usize>,
    /// Equal values have equal ones.
    pub(in super::super) hash: u64,
    pub(in super::super) form: Form,
}

/// All tokens of a chain up to a place. What a run of tokens is, is the difference of two places.
#[derive(Clone, Copy, Default)]
struct Upto {
    hash: u64,
    len: usize,
    digits: usize,
    turns: usize,
}

/// A token that may begin a run.
#[derive(Clone, Copy, Default)]
struct Begin {
    start: usize,
    /// Bytes between the token before and this one.
    gap: usize,
    digit_first: bool,
    before: Upto,
}

impl Fingerprints {
    /// Calls `each` with every run of tokens that may be a value of the table.
    pub(in super::super) fn each_candidate<E>(
        &self,
        text: &[u8],
        mut each: impl FnMut(Run) -> Result<(), E>,
    ) -> Result<(), E> {
        let (longest, tokens_max) = (self.longest(), self.tokens_max());
        let (mut begins, mut count, mut end) = ([Begin::default(); REMEMBERED], 0, 0);
        let (mut upto, mut last_is_digit) = (Upto::default(), false);
        while let Some(start) = fold::token_start(text, end) {
            let gap = start - end;
            if gap > GAP_MAX {
                count = 0;
            }
            let token = self.token(text, start);
            end = token.end;
            if token.form.len > longest {
                count = 0;
                continue;
            }
            if token.form.len > 0 {
                upto.turns += usize::from(token.form.digit_first != last_is_digit);
                last_is_digit = token.last_is_digit;
            }
            begins[count % REMEMBERED] =
                Begin { start, gap, digit_first: token.form.digit_first, before: upto };
            count += 1;
            upto = upto.then(&token, self.hashing.powers[token.form.len]);
            let mut widest = 0;
            for tokens in 1..=count.min(tokens_max) {
                let begin = &begins[(count - tokens) % REMEMBERED];
                let form = begin.form_upto(&upto);
                if form.len > longest {
                    // What begins before it is longer still.
                    break;
                }
                if self.may_look(form, tokens, widest) {
                    let hash = begin.hash_upto(&upto, self.hashing.powers[form.len]);
                    if self.may_hold(hash) {
                        each(Run { span: begin.start..end, hash, form })?;
                    }
                }
                widest = widest.max(begin.gap);
            }
        }
        Ok(())
    }

    fn token(&self, text: &[u8], start: usize) -> Token {
        let base = self.hashing.powers[1];
        let mut token = Token::default();
        if let Some(end) = fold::ascii_token(text, start, |byte| token.push(byte, base)) {
            token.end = end;
            return token;
        }
        let mut token = Token::default();
        token.end = fold::token(text, start, |byte| token.push(byte, base));
        token
    }

    /// Length of the longest value, as far as is known.
    fn longest(&self) -> usize {
        match self.lengths.iter().fold(0, |all, lengths| all | lengths) {
            0 => 0,
            all if all >> 63 == 1 => VALUE_BYTES_MAX,
            all => all.ilog2() as usize,
        }
    }

    fn tokens_max(&self) -> usize {
        usize::from(self.tokens.into_iter().max().unwrap_or(0)).clamp(1, TOKENS_MAX)
    }

    /// Whether a value may look so; `widest` is the widest gap in the run.
    fn may_look(&self, form: Form, tokens: usize, widest: usize) -> bool {
        let Some(shape) = form.shape() else { return false };
        let is_joined = shape == 0 && widest > NUMBER_GAP_MAX;
        !is_joined
            && tokens <= usize::from(self.tokens[shape])
            && self.lengths[shape] & length_bit(form.len) != 0
            && self.forms.as_ref().is_none_or(|forms| forms.has(form))
    }

    fn may_hold(&self, hash: u64) -> bool {
        let bit = place(hash, self.filter.len(), self.hashing.seed);
        self.filter[bit / 64] >> (bit % 64) & 1 == 1
    }
}

/// One token of a text.
#[derive(Default)]
struct Token {
    end: usize,
    hash: u64,
    form: Form,
    last_is_digit: bool,
}

impl Token {
    #[inline]
    fn push(&mut self, byte: u8, base: u64) {
        self.hash = self.hash.wrapping_mul(base).wrapping_add(u64::from(byte));
        let (is_digit, form) = (byte.is_ascii_digit(), &mut self.form);
        let is_first = form.len == 0;
        form.digit_first |= is_digit & is_first;
        form.turns += usize::from((is_digit != self.last_is_digit) & !is_first);
        form.digits += usize::from(is_digit);
        form.len += 1;
        self.last_is_digit = is_digit;
    }
}

impl Upto {
    fn then(&self, token: &Token, power: u64) -> Self {
        Self {
            hash: self.hash.wrapping_mul(power).wrapping_add(token.hash),
            len: self.len + token.form.len,
            digits: self.digits + token.form.digits,
            turns: self.turns + token.form.turns,
        }
    }
}

impl Begin {
    fn form_upto(&self, upto: &Upto) -> Form {
        Form {
            len: upto.len - self.before.len,
            digits: upto.digits - self.before.digits,
            turns: upto.turns - self.before.turns,
            digit_first: self.digit_first,
        }
    }

    fn hash_upto(&self, upto: &Upto, power: u64) -> u64 {
        upto.hash.wrapping_sub(self.before.hash.wrapping_mul(power))
    }
}

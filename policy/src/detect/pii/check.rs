//! Check digits and date parts, as data: what a number of a kind must fulfil beside its shape.
//!
//! All of them look at the compact form: upper case, without separators and without the country's prefix.

/// One condition.
#[derive(Debug)]
pub(in crate::detect) struct Check {
    /// Only numbers of this length are held to it; 0 for all.
    pub(in crate::detect) only_length: u8,
    /// The condition.
    pub(in crate::detect) kind: CheckKind,
}

/// The conditions there are.
#[derive(Debug)]
pub(in crate::detect) enum CheckKind {
    /// ISO/IEC 7812-1, annex B.
    Luhn,
    /// Verhoeff's dihedral check.
    Verhoeff,
    /// ISO/IEC 7064, MOD 11-2, over all characters.
    Mod11To2,
    /// ISO/IEC 7064, MOD 11,10.
    Mod11And10,
    /// A weighted sum.
    Weighted(Weighted),
    /// A date within the number.
    Date(DatePart),
    /// A rule of its own.
    Own(fn(&[u8]) -> bool),
}

/// A weighted sum modulo something.
#[derive(Debug)]
pub(in crate::detect) struct Weighted {
    /// Weights of the characters from `from` on; letters count from A = 10.
    pub(in crate::detect) weights: &'static [u16],
    /// Index of the first weighted character.
    pub(in crate::detect) from: u8,
    /// The modulus.
    pub(in crate::detect) modulus: u16,
    /// Whether the digits of each product are summed.
    pub(in crate::detect) fold: Fold,
    /// The check character for each remainder (`-`: no number has it); empty if the remainder must be 0.
    pub(in crate::detect) table: &'static str,
    /// Index of the check character; 255 for the last.
    pub(in crate::detect) at: u8,
}

/// What is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Fold {
    /// The products.
    Products,
    /// The digits of the products.
    Digits,
}

/// Where a date stands, and what is added to its parts.
#[derive(Debug)]
pub(in crate::detect) struct DatePart {
    /// Letters y, m, d in the order of the digits.
    pub(in crate::detect) form: &'static str,
    /// Index of the first.
    pub(in crate::detect) from: u8,
    /// What may be added to the month (sex, century).
    pub(in crate::detect) months: &'static [u16],
    /// What may be added to the day.
    pub(in crate::detect) days: &'static [u16],
}

impl Check {
    /// Whether the compact number fulfils it.
    pub(super) fn holds(&self, number: &[u8]) -> bool {
        if self.only_length != 0 && usize::from(self.only_length) != number.len() {
            return true;
        }
        match &self.kind {
            CheckKind::Luhn => luhn(number),
            CheckKind::Verhoeff => verhoeff(number),
            CheckKind::Mod11To2 => mod11_2(number),
            CheckKind::Mod11And10 => mod11_10(number),
            CheckKind::Weighted(rule) => rule.holds(number),
            CheckKind::Date(part) => part.holds(number),
            CheckKind::Own(own) => own(number),
        }
    }
}

impl Weighted {
    fn holds(&self, number: &[u8]) -> bool {
        let Some(weighted) = number.get(usize::from(self.from)..) else { return false };
        if weighted.len() < self.weights.len() {
            return false;
        }
        let mut sum = 0_u32;
        for (byte, weight) in weighted.iter().zip(self.weights) {
            let product = value(*byte) * u32::from(*weight);
            sum += match self.fold {
                Fold::Products => product,
                Fold::Digits => product / 10 + product % 10,
            };
        }
        let rest = (sum % u32::from(self.modulus)) as usize;
        if self.table.is_empty() {
            return rest == 0;
        }
        let check = if self.at == u8::MAX { number.last() } else { number.get(usize::from(self.at)) };
        check.is_some() && self.table.as_bytes().get(rest) == check
    }
}

impl DatePart {
    fn holds(&self, number: &[u8]) -> bool {
        let from = usize::from(self.from);
        let Some(digits) = number.get(from..from + self.form.len()) else { return false };
        let (mut year, mut month, mut day, mut has_day, mut years) = (0, 0, 0, false, 0);
        for (byte, part) in digits.iter().zip(self.form.bytes()) {
            if !byte.is_ascii_digit() {
                return false;
            }
            let digit = u16::from(byte - b'0');
            match part {
                b'y' => {
                    year = year * 10 + digit;
                    years += 1;
                }
                b'm' => month = month * 10 + digit,
                _ => {
                    day = day * 10 + digit;
                    has_day = true;
                }
            }
        }
        let month =
            self.months.iter().filter_map(|add| month.checked_sub(*add)).find(|m| (1..=12).contains(m));
        let Some(month) = month else { return false };
        let last = days_of_month(month, (years == 4).then_some(year));
        let day_fits =
            self.days.iter().filter_map(|add| day.checked_sub(*add)).any(|d| (1..=last).contains(&d));
        (!has_day || day_fits) && (years != 4 || (1850..2100).contains(&year))
    }
}

/// Last day of a month; without a year, February may have 29.
pub(super) fn days_of_month(month: u16, year: Option<u16>) -> u16 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_some_and(|y| y % 4 != 0 || (y % 100 == 0 && y % 400 != 0)) => 28,
        2 => 29,
        _ => 31,
    }
}

/// Value of a digit, or of a letter with A = 10.
pub(super) fn value(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    }
}

/// Luhn's rule over digits.
pub(super) fn luhn(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(place, b)| {
            let digit = value(*b);
            if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10) && number.iter().all(u8::is_ascii_digit)
}

/// Verhoeff, "Error Detecting Decimal Codes", 1969.
pub(super) fn verhoeff(number: &[u8]) -> bool {
    const PERMUTED: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut check = 0_u8;
    for (place, byte) in number.iter().rev().enumerate() {
        if !byte.is_ascii_digit() {
            return false;
        }
        let mut digit = byte - b'0';
        for _ in 0..place % 8 {
            digit = PERMUTED[usize::from(digit)];
        }
        check = dihedral(check, digit);
    }
    check == 0
}

/// The product of two elements of the dihedral group of the pentagon.
fn dihedral(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a - 5 + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

/// The number modulo 97; a letter is two digits.
pub(super) fn mod97(number: &[u8]) -> u32 {
    number.iter().fold(0, |rest, b| {
        let digit = value(*b);
        (rest * if digit < 10 { 10 } else { 100 } + digit) % 97
    })
}

fn mod11_2(number: &[u8]) -> bool {
    let Some((last, head)) = number.split_last() else { return false };
    let rest = head.iter().fold(0, |rest, b| (rest + value(*b)) * 2 % 11);
    let check = (12 - rest) % 11;
    if check == 10 { *last == b'X' } else { value(*last) == check }
}

fn mod11_10(number: &[u8]) -> bool {
    let Some((last, head)) = number.split_last() else { return false };
    let product = head.iter().fold(10, |product, b| {
        let sum = (product + value(*b)) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (product + value(*last)) % 10 == 1
}

#[cfg(test)]
mod tests;

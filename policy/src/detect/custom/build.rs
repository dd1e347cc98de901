//! From the rows of a table to its fingerprints.

use std::collections::{HashMap, HashSet};

use super::super::finding::Confidence;
use super::super::generic;
use super::fingerprints::{Fingerprints, Form, Forms, Matching, Parts, VALUE_BYTES_MAX, shape_of, tokens_of};
use super::fold::fold;

/// A shorter value alone is found by chance.
const ALONE_BYTES_MIN: usize = 6;
/// A shorter value is none, not even beside another one.
const VALUE_BYTES_MIN: usize = 2;
/// Two values that are shorter together say too little.
const BOTH_BYTES_MIN: usize = 8;
/// Two values that more rows share than this, or than one in a thousand, name nobody.
const SHARED_ROWS_MAX: usize = 10;
/// Most entries of a table: 32 MiB of them.
const ENTRIES_MAX: usize = 4 << 20;
/// So much of a column has to be different for its values to tell rows apart.
const TELLING_PERCENT: usize = 90;
/// A value that nobody can guess has so many characters at the least.
const UNGUESSABLE_BYTES_MIN: usize = 20;
/// So many of a column's values have to be beyond guessing.
const UNGUESSABLE_PERCENT: usize = 95;

/// What became of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FingerprintReport {
    /// Rows of the table.
    pub rows: usize,
    /// Hashes that the fingerprints hold.
    pub entries: usize,
    /// Values that were too short or too long.
    pub left_out: usize,
    /// Pairs of values that too many rows share to name one.
    pub shared: usize,
    /// Rows of which nothing is found.
    pub unseen_rows: usize,
    /// For each column, how many values there are and how many different ones.
    pub columns: Vec<(usize, usize)>,
}

/// Why no fingerprints are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintsRefused {
    /// Rows need two columns.
    #[error("two columns of a row have to match, and there is only one")]
    OneColumn,
    /// Whoever has the file could try all values that there could be.
    #[error("its values can be found out by trying: the key lies in the file, and the file on every machine")]
    Guessable,
    /// There is nothing that could be found.
    #[error("no row has values that could be found")]
    Empty,
    /// The file would be too large for every session to hold.
    #[error("it would hold more than {ENTRIES_MAX} hashes")]
    TooLarge,
}

/// Whether the values of a column could be found out by somebody who has their hashes and the key: by trying all that
/// there could be. Only long random values cannot.
#[must_use]
pub fn can_be_guessed<'v>(values: impl Iterator<Item = &'v str>) -> bool {
    let (mut all, mut safe) = (0, 0);
    for value in values.map(|value| value.trim().as_bytes()).filter(|value| !value.is_empty()) {
        all += 1;
        safe += usize::from(generic::is_random_value(value, UNGUESSABLE_BYTES_MIN));
    }
    all == 0 || safe * 100 < all * UNGUESSABLE_PERCENT
}

impl Fingerprints {
    /// The fingerprints of a table's rows, each with the chosen columns alone, under a key that was drawn for it.
    ///
    /// # Errors
    /// When there is nothing to match, or too much.
    pub fn of_rows(
        rows: &[Vec<String>],
        matching: Matching,
        key: [u8; 32],
    ) -> Result<(Self, FingerprintReport), FingerprintsRefused> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        if matching == Matching::Rows && columns < 2 {
            return Err(FingerprintsRefused::OneColumn);
        }
        let mut folded: Vec<Vec<Vec<u8>>> =
            rows.iter().map(|row| row.iter().map(|value| fold(value.as_bytes())).collect()).collect();
        let mut tokens = [0; 3];
        let written = rows.iter().flatten().zip(folded.iter().flatten());
        for (text, value) in written.filter(|(_, value)| !value.is_empty()) {
            let most = &mut tokens[shape_of(value)];
            *most = tokens_of(text.as_bytes(), value).max(*most);
        }
        let mut report = FingerprintReport { rows: rows.len(), ..FingerprintReport::default() };
        report.columns = (0..columns).map(|column| counted(&folded, column)).collect();
        // A row that stands there twice is one row.
        folded.sort_unstable();
        folded.dedup();
        let (values, forms, entries) = match matching {
            Matching::Rows => pairs(&folded, &key, &mut report)?,
            Matching::Alone => alone(&folded, &key, &mut report)?,
        };
        if entries.is_empty() {
            return Err(FingerprintsRefused::Empty);
        }
        let parts = Parts {
            matching,
            rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
            values,
            forms,
            tokens,
            entries,
        };
        let table = Self::of(key, parts);
        report.entries = table.entry_count();
        Ok((table, report))
    }
}

/// Values that may be looked for, forms of two of one row, and hashes.
type Made = (Vec<Vec<u8>>, Forms, Vec<u64>);

fn pairs(
    rows: &[Vec<Vec<u8>>],
    key: &[u8; 32],
    report: &mut FingerprintReport,
) -> Result<Made, FingerprintsRefused> {
    let entry = Fingerprints::entries_of(key);
    let telling: Vec<bool> = report
        .columns
        .iter()
        .map(|(filled, different)| *filled > 0 && different * 100 >= filled * TELLING_PERCENT)
        .collect();
    let mut shared_by = HashMap::<u64, usize>::new();
    for row in rows {
        report.left_out += row.iter().filter(|value| !value.is_empty() && !fits(value)).count();
        for (one, other) in pairs_of(row) {
            *shared_by.entry(entry((&row[one], Some(&row[other])), Confidence::Low)).or_default() += 1;
        }
        if shared_by.len() > ENTRIES_MAX {
            return Err(FingerprintsRefused::TooLarge);
        }
    }
    let most = SHARED_ROWS_MAX.max(rows.len() / 1000);
    report.shared = shared_by.values().filter(|count| **count > most).count();
    let (mut values, mut entries) = (HashSet::new(), Vec::with_capacity(shared_by.len()));
    let mut forms = Forms::default();
    for row in rows {
        let mut seen = false;
        for (one, other) in pairs_of(row) {
            let made = entry((&row[one], Some(&row[other])), Confidence::Low);
            if shared_by.get(&made).is_none_or(|count| *count > most) {
                continue;
            }
            let sure = if telling[one] || telling[other] { Confidence::High } else { Confidence::Medium };
            entries.push(made | sure as u64);
            values.extend([&row[one], &row[other]]);
            forms.add_both(Form::of(&row[one]), Form::of(&row[other]));
            seen = true;
        }
        report.unseen_rows += usize::from(!seen);
    }
    Ok((values.into_iter().cloned().collect(), forms, entries))
}

/// Two columns each whose values count together.
fn pairs_of(row: &[Vec<u8>]) -> impl Iterator<Item = (usize, usize)> {
    let both = |one: &[u8], other: &[u8]| {
        fits(one) && fits(other) && one != other && one.len() + other.len() >= BOTH_BYTES_MIN
    };
    (0..row.len())
        .flat_map(|one| (one + 1..row.len()).map(move |other| (one, other)))
        .filter(move |(one, other)| both(&row[*one], &row[*other]))
}

fn alone(
    rows: &[Vec<Vec<u8>>],
    key: &[u8; 32],
    report: &mut FingerprintReport,
) -> Result<Made, FingerprintsRefused> {
    let entry = Fingerprints::entries_of(key);
    let mut values = HashSet::new();
    for row in rows {
        let (long, short): (Vec<&Vec<u8>>, Vec<&Vec<u8>>) = row
            .iter()
            .filter(|value| !value.is_empty())
            .partition(|value| (ALONE_BYTES_MIN..=VALUE_BYTES_MAX).contains(&value.len()));
        report.left_out += short.len();
        report.unseen_rows += usize::from(long.is_empty());
        values.extend(long);
        if values.len() > ENTRIES_MAX {
            return Err(FingerprintsRefused::TooLarge);
        }
    }
    let mut numbers = HashMap::<usize, usize>::new();
    for value in values.iter().filter(|value| is_number(value)) {
        *numbers.entry(value.len()).or_default() += 1;
    }
    let sure = |value: &[u8]| match numbers.get(&value.len()).filter(|_| is_number(value)) {
        Some(count) => sure_of_number(*count, value.len()),
        None if value.len() < 8 => Confidence::Medium,
        None => Confidence::High,
    };
    let entries = values.iter().map(|value| entry((value, None), sure(value))).collect();
    Ok((values.into_iter().cloned().collect(), Forms::default(), entries))
}

/// How many of all numbers of this length are in the table: any number could be one of them.
fn sure_of_number(count: usize, digits: usize) -> Confidence {
    let all = u32::try_from(digits).ok().and_then(|digits| 10_u64.checked_pow(digits)).unwrap_or(u64::MAX);
    match all / count.max(1) as u64 {
        1000.. => Confidence::High,
        10.. => Confidence::Medium,
        _ => Confidence::Low,
    }
}

fn is_number(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_digit)
}

fn fits(value: &[u8]) -> bool {
    (VALUE_BYTES_MIN..=VALUE_BYTES_MAX).contains(&value.len())
}

/// How many values a column has, and how many different ones.
fn counted(rows: &[Vec<Vec<u8>>], column: usize) -> (usize, usize) {
    let values = || rows.iter().filter_map(|row| row.get(column)).filter(|value| !value.is_empty());
    (values().count(), values().collect::<HashSet<_>>().len())
}

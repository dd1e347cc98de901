use super::*;

const KEY: [u8; 32] = [7; 32];

fn table(rows: &[&[&str]], matching: Matching) -> Fingerprints {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|value| (*value).to_owned()).collect()).collect();
    Fingerprints::of_rows(&rows, matching, KEY).expect("there is something to find").0
}

fn people() -> Fingerprints {
    table(&[&["Anna Lindqvist", "123-45-6789"], &["Bo Ek", "987-65-4320"]], Matching::Rows)
}

fn candidates(table: &Fingerprints, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let end: Result<(), ()> = table.each_candidate(text.as_bytes(), |run| {
        found.push(text[run.span].to_owned());
        Ok(())
    });
    end.expect("nothing stops it");
    found
}

#[test]
fn a_file_reads_as_what_was_written_and_holds_no_value() {
    let table = people();
    let bytes = table.to_bytes();
    let read = Fingerprints::of_bytes(&bytes).expect("it is whole");
    assert!(read == table && read.to_bytes() == bytes);
    for value in ["Anna", "anna", "lindqvist", "annalindqvist", "123456789", "45-6789", "987654320"] {
        let found = bytes.windows(value.len()).any(|window| window.eq_ignore_ascii_case(value.as_bytes()));
        assert!(!found, "{value}");
    }
    assert_eq!(format!("{table:?}"), "Fingerprints(2 rows, Rows)");
}

#[test]
fn every_byte_that_is_missing_changed_or_added_is_noticed() {
    let bytes = people().to_bytes();
    for cut in 0..bytes.len() {
        assert!(Fingerprints::of_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(Fingerprints::of_bytes(&changed).is_err(), "changed at {at}");
    }
    assert_eq!(Fingerprints::of_bytes(&[&bytes[..], b"x"].concat()), Err(FingerprintError::Length));
    assert_eq!(Fingerprints::of_bytes(b"name,ssn\n"), Err(FingerprintError::Foreign));
}

/// Whoever has the file knows the key, so what it says of one value alone must not tell that value from others.
#[test]
fn a_single_value_cannot_be_looked_up() {
    let rows: Vec<Vec<String>> = (0..2000_u32)
        .map(|n| {
            vec![format!("Customer {n:04} Of Town"), format!("{:09}", u64::from(n) * 499_979 % 1_000_000_000)]
        })
        .collect();
    let (table, _) = Fingerprints::of_rows(&rows, Matching::Rows, KEY).expect("rows");
    assert_eq!(table.find(b"000499979", None), None);
    let guesses = (0..100_000_u64).map(|n| format!("{:09}", n * 4_973 + 500_000_000));
    let passed = guesses.filter(|guess| !candidates(&table, guess).is_empty()).count();
    // One in 64 of what is in no row.
    assert!((1_000..2_500).contains(&passed), "{passed}");
}

#[test]
fn values_are_found_as_they_are_written_in_texts() {
    let table = people();
    for text in
        ["123-45-6789", "123456789", "123 45 6789", "ANNA  LINDQVIST", "anna_lindqvist", "annalindqvist"]
    {
        assert!(candidates(&table, &format!("x: {text}.")).contains(&text.to_owned()), "{text}");
    }
    // Cells of a table, lines of a log: what stands so far apart is no number.
    for text in ["123   45   6789", "a123456789", "1234567890", "anna      lindqvist"] {
        let found = candidates(&table, text);
        let whole = |one: &String| matches!(&fold::fold(one.as_bytes())[..], b"123456789" | b"annalindqvist");
        assert!(!found.iter().any(whole), "{text}: {found:?}");
    }
}

/// A file of before forms were kept: the same bytes without them.
fn without_forms(table: &Fingerprints) -> Fingerprints {
    let mut older = table.clone();
    older.forms = None;
    older.tag = older.hashing.tag(&older.content());
    Fingerprints::of_bytes(&older.to_bytes()).expect("version 1 is read")
}

#[test]
fn a_file_of_version_1_finds_the_same() {
    let table = people();
    let older = without_forms(&table);
    assert!(older.to_bytes().starts_with(MAGIC_WITHOUT_FORMS) && table.to_bytes().starts_with(MAGIC));
    assert_eq!(older.find(b"annalindqvist", Some(b"123456789")), Some(Confidence::High));
    let (name, number) = (Form::of(b"annalindqvist"), Form::of(b"123456789"));
    assert!(older.may_be_row(name, name) && older.may_be_row(name, number));
    assert!(!table.may_be_row(name, name) && table.may_be_row(number, name));
    let text = "Anna Lindqvist, 123-45-6789";
    let (all, some) = (candidates(&older, text), candidates(&table, text));
    assert!(some.iter().all(|one| all.contains(one)), "{some:?} of {all:?}");
    assert!(
        some.contains(&"Anna Lindqvist".to_owned()) && some.contains(&"123-45-6789".to_owned()),
        "{some:?}"
    );
}

/// Hashes that are spread evenly, few or many, and what stands before the first and behind the last.
#[test]
fn every_entry_is_found_in_its_bucket() {
    for count in [1, 7, 8, 9, 1_000] {
        let rows: Vec<Vec<String>> =
            (0..count).map(|n| vec![format!("customer {n}"), format!("{:09}", n * 7_919 + 1)]).collect();
        let (table, _) = Fingerprints::of_rows(&rows, Matching::Rows, KEY).expect("rows");
        for row in &rows {
            let [one, other] = [&row[0], &row[1]].map(|value| fold::fold(value.as_bytes()));
            assert!(table.find(&one, Some(&other)).is_some(), "{row:?} of {count}");
            assert!(table.find(&one, Some(&one)).is_none());
        }
    }
}

/// What a rolling search finds is what trying every run of tokens finds.
#[test]
fn the_search_finds_what_a_slow_one_finds() {
    search_is_as_a_slow_one(&people());
    search_is_as_a_slow_one(&without_forms(&people()));
}

fn search_is_as_a_slow_one(table: &Fingerprints) {
    let text = "Mr. Anna Lindqvist (123-45-6789), a b c d e f g h i j k 987 65 4320 Bo Ek, é ÀNNA lindqvist";
    let slowly: Vec<String> = {
        let (mut tokens, mut at) = (Vec::new(), 0);
        while let Some(start) = fold::token_start(text.as_bytes(), at) {
            at = fold::token(text.as_bytes(), start, |_| {});
            tokens.push(start..at);
        }
        let run = |first: usize, last: usize| {
            let joined = (first..last).all(|n| tokens[n + 1].start - tokens[n].end <= runs::NUMBER_GAP_MAX);
            let span = tokens[first].start..tokens[last].end;
            let folded = fold::fold(&text.as_bytes()[span.clone()]);
            let bit = place(table.hashing.rolled(&folded), table.filter.len(), table.hashing.seed);
            let looks_so = table.forms.as_ref().is_none_or(|forms| forms.has(Form::of(&folded)));
            let passes = (joined || shape_of(&folded) > 0)
                && looks_so
                && last - first < usize::from(table.tokens[shape_of(&folded)])
                && table.lengths[shape_of(&folded)] & length_bit(folded.len()) != 0
                && table.filter[bit / 64] >> (bit % 64) & 1 == 1;
            passes.then(|| text[span].to_owned())
        };
        (0..tokens.len())
            .flat_map(|last| {
                (last.saturating_sub(TOKENS_MAX - 1)..=last).rev().map(move |first| (first, last))
            })
            .filter_map(|(first, last)| run(first, last))
            .collect()
    };
    assert_eq!(candidates(table, text), slowly);
    assert!(slowly.contains(&"ÀNNA lindqvist".to_owned()), "{slowly:?}");
}

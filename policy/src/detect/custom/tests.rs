//! What is custom, in engines: found, near, far, in disguise, and never shown.

use std::sync::Arc;

use super::super::{Confidence, Engine, Finding, HashKey, Place, ScanEnd};
use super::*;
use crate::wire::{Direction, Limits, Parser};

fn engine(data: &CustomData) -> Engine {
    Engine::with_custom(data, HashKey([7; 32])).expect("the engine compiles")
}

fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|value| (*value).to_owned()).collect()).collect()
}

fn exact(class: ExactClass, matching: Matching, of: &[&[&str]]) -> CustomData {
    let (table, _) = Fingerprints::of_rows(&rows(of), matching, [3; 32]).expect("something to find");
    let one = ExactData { name: "people".to_owned(), class, table: Arc::new(table) };
    CustomData { exact: vec![one], ..CustomData::default() }
}

fn people() -> Engine {
    let of: &[&[&str]] = &[
        &["Anna Lindqvist", "123-45-6789", "Malmö"],
        &["Bo Ek", "987-65-4320", "Lund"],
        &["José Ångström", "555-01-2345", "Kiruna"],
    ];
    engine(&exact(ExactClass::Pii, Matching::Rows, of))
}

/// Found by custom detectors alone, with the text.
fn found(engine: &Engine, text: &str) -> Vec<(String, String)> {
    let mut findings = Vec::new();
    assert_eq!(engine.scan_text(text, &mut findings), ScanEnd::Complete);
    shown(text, findings)
}

fn shown(text: &str, findings: Vec<Finding>) -> Vec<(String, String)> {
    let custom =
        |f: &Finding| ["exact-", "canary-", "server-env"].iter().any(|name| f.detector.contains(name));
    findings.into_iter().filter(custom).map(|f| (f.detector.into_owned(), text[f.raw].to_owned())).collect()
}

fn in_message(engine: &Engine, line: &str) -> Vec<Finding> {
    let mut parser = Parser::default();
    let limits = Limits::of(Direction::ToClient);
    let frame = parser.parse(line.as_bytes(), Direction::ToClient, &limits).expect("a message");
    let mut findings = Vec::new();
    assert_eq!(engine.scan(&frame, &mut findings), ScanEnd::Complete);
    findings.retain(|f| f.detector.contains("exact-"));
    findings
}

fn pii(values: &[&str]) -> Vec<(String, String)> {
    values.iter().map(|value| ("pii/exact-people".to_owned(), (*value).to_owned())).collect()
}

#[test]
fn two_values_of_one_row_are_found_however_they_are_written() {
    let engine = people();
    assert_eq!(found(&engine, "Anna Lindqvist, 123-45-6789"), pii(&["Anna Lindqvist", "123-45-6789"]));
    assert_eq!(found(&engine, "123456789 is ANNA  LINDQVIST"), pii(&["123456789", "ANNA  LINDQVIST"]));
    assert_eq!(found(&engine, "jose angstrom\n555 01 2345"), pii(&["jose angstrom", "555 01 2345"]));
    let all = found(&engine, "Bo Ek;987654320;Lund\nAnna Lindqvist;123456789;Malmö\n");
    assert_eq!(all, pii(&["Bo Ek", "987654320", "Lund", "Anna Lindqvist", "123456789", "Malmö"]));
}

#[test]
fn one_value_alone_or_two_of_different_rows_are_not_found() {
    let engine = people();
    for text in [
        "Anna Lindqvist",
        "123-45-6789",
        "Anna Lindqvist and Bo Ek",
        "Anna Lindqvist, 987-65-4320",
        "123-45-6789 and 987-65-4320 in Kiruna",
        "Anna Lindqvist, Anna Lindqvist",
        "Lindqvist, 123-45-6789",
    ] {
        assert_eq!(found(&engine, text), [], "{text}");
    }
}

#[test]
fn what_stands_far_apart_does_not_belong_together() {
    let engine = people();
    let apart = |bytes: usize| format!("Anna Lindqvist{} 123-45-6789", " x".repeat(bytes / 2));
    assert_eq!(found(&engine, &apart(500)).len(), 2);
    assert_eq!(found(&engine, &apart(600)).len(), 0);
}

#[test]
fn other_values_between_two_do_not_hide_them() {
    let engine = people();
    let text = format!("Anna Lindqvist {} 123-45-6789", "Bo Ek ".repeat(80));
    let ours = found(&engine, &text);
    assert!(ours.contains(&("pii/exact-people".to_owned(), "123-45-6789".to_owned())), "{ours:?}");
}

#[test]
fn a_row_over_several_strings_keys_and_numbers_of_a_message_is_found() {
    let engine = people();
    let line = r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"who":"ANNA \u004cindqvist","n":[1,2],"ssn":123456789}}}"#;
    let findings = in_message(&engine, line);
    let spans: Vec<(&str, Place)> = findings.iter().map(|f| (&line[f.raw.clone()], f.place)).collect();
    assert_eq!(spans, [(r"ANNA \u004cindqvist", Place::Text), ("123456789", Place::Number)]);
    assert!(findings.iter().all(|f| f.confidence == Confidence::High));
    // Equal values have equal hashes, however they are escaped.
    let plain = in_message(&engine, &line.replace(r"\u004c", "L"));
    assert_eq!(plain[0].hash, findings[0].hash);
    assert_eq!(&line[findings[0].token.clone()], r#""ANNA \u004cindqvist""#);
    let keyed = r#"{"jsonrpc":"2.0","id":1,"result":{"Bo Ek":{"ssn":"987-65-4320"}}}"#;
    let places: Vec<Place> = in_message(&engine, keyed).iter().map(|f| f.place).collect();
    assert_eq!(places, [Place::Key, Place::Text]);
    // Of two rows, and too far apart.
    let other = r#"{"jsonrpc":"2.0","id":1,"result":{"a":"Bo Ek","b":"123-45-6789"}}"#;
    assert_eq!(in_message(&engine, other), []);
    let far = keyed.replace(r#""ssn":"#, &format!(r#""pad":"{}","ssn":"#, "x ".repeat(300)));
    assert_eq!(in_message(&engine, &far), []);
}

#[test]
fn json_in_a_string_and_other_readings_are_searched_too() {
    let engine = people();
    let line =
        r#"{"jsonrpc":"2.0","id":1,"result":{"text":"{\"name\": \"Bo Ek\",\n \"ssn\": \"987-65-4320\"}"}}"#;
    let findings = in_message(&engine, line);
    let spans: Vec<&str> = findings.iter().map(|f| &line[f.raw.clone()]).collect();
    assert_eq!(spans, ["Bo Ek", "987-65-4320"]);
    // "Anna Lindqvist 123-45-6789" in base64: the whole run is covered.
    let text = "see QW5uYSBMaW5kcXZpc3QgMTIzLTQ1LTY3ODk= there";
    let spans: Vec<String> = found(&engine, text).into_iter().map(|(_, span)| span).collect();
    assert_eq!(spans, ["QW5uYSBMaW5kcXZpc3QgMTIzLTQ1LTY3ODk="]);
}

#[test]
fn values_that_count_alone_are_found_alone_and_as_sure_as_chance_allows() {
    let of: &[&[&str]] = &[&["AB-77-91-K3"], &["123-45-6789"], &["1234"]];
    let engine = engine(&exact(ExactClass::Secret, Matching::Alone, of));
    let names = |text| found(&engine, text).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names("ab7791k3"), ["secret/exact-people"]);
    assert_eq!(names("123 45 6789"), ["secret/exact-people"]);
    assert_eq!(names("1234 of them"), Vec::<String>::new(), "too short");
    let numbers: Vec<Vec<String>> = (0..200).map(|n| vec![format!("{:06}", n * 4999)]).collect();
    let (table, report) = Fingerprints::of_rows(&numbers, Matching::Alone, [1; 32]).expect("numbers");
    // Two hundred of a million: one number in five thousand is found by chance.
    assert_eq!((table.find(b"004999", None), report.entries), (Some(Confidence::High), 200));
    let dense: Vec<Vec<String>> = (0..20_000).map(|n| vec![format!("{:06}", n * 49)]).collect();
    let (table, _) = Fingerprints::of_rows(&dense, Matching::Alone, [1; 32]).expect("numbers");
    assert_eq!(table.find(b"000049", None), Some(Confidence::Medium));
}

#[test]
fn what_too_many_rows_share_names_nobody() {
    let mut of = rows(&[&["Anna Lindqvist", "123-45-6789", "Germany"]]);
    of.extend(
        (0..40).map(|n| {
            vec![format!("Person Number{n:03}"), format!("{:09}", n * 7919 + 1), "Germany".to_owned()]
        }),
    );
    of.iter_mut().for_each(|row| row.push("customer".to_owned()));
    let (table, report) = Fingerprints::of_rows(&of, Matching::Rows, [3; 32]).expect("rows");
    assert_eq!(table.find(b"germany", Some(b"customer")), None);
    assert_eq!(table.find(b"annalindqvist", Some(b"germany")), Some(Confidence::High));
    assert_eq!((report.shared, report.rows, report.unseen_rows), (1, 41, 0));
    assert_eq!(report.columns[2], (41, 1));
}

#[test]
fn a_table_of_which_nothing_could_be_found_is_refused() {
    let refused =
        |of: &[&[&str]], matching| Fingerprints::of_rows(&rows(of), matching, [3; 32]).expect_err("nothing");
    assert_eq!(refused(&[&["123-45-6789"]], Matching::Rows), FingerprintsRefused::OneColumn);
    assert_eq!(refused(&[&["F", "US"], &["", "x"]], Matching::Rows), FingerprintsRefused::Empty);
    assert_eq!(refused(&[&["12"]], Matching::Alone), FingerprintsRefused::Empty);
}

#[test]
fn only_long_random_values_cannot_be_guessed() {
    assert!(can_be_guessed(["123-45-6789", "987-65-4320"].into_iter()));
    assert!(can_be_guessed(["anna.lindqvist@corp.example"].into_iter()));
    assert!(can_be_guessed(std::iter::empty()));
    assert!(!can_be_guessed(["qX7vT2mK9wLp4ZdRb8Nf", "Zk3pW9sLqT5vY7xR2mBd"].into_iter()));
}

fn planted() -> CustomData {
    let canary = Canary { name: "vault".to_owned(), values: vec!["trap-4711@corp-files.example".to_owned()] };
    let secret = |name: &str, value: &str| {
        EnvironmentSecret::of_variable(name.as_bytes(), value.as_bytes()).expect("a secret")
    };
    let environment =
        vec![secret("SOME_TOKEN", "qX7vT2mK9wLp4ZdR"), secret("DB_PASSWORD", "winter-in-kiruna")];
    CustomData { canaries: vec![canary], environment, ..CustomData::default() }
}

#[test]
fn canaries_and_the_servers_own_secrets_are_found_as_they_are() {
    let engine = engine(&planted());
    let of = |text: &str| found(&engine, text);
    let canary = |value: &str| vec![("secret/canary-vault".to_owned(), value.to_owned())];
    let own = |value: &str| vec![("secret/server-environment".to_owned(), value.to_owned())];
    assert_eq!(of("cc: trap-4711@corp-files.example;"), canary("trap-4711@corp-files.example"));
    assert_eq!(of("TRAP-4711@CORP-FILES.EXAMPLE"), canary("TRAP-4711@CORP-FILES.EXAMPLE"));
    assert_eq!(of("key=qX7vT2mK9wLp4ZdR&x"), own("qX7vT2mK9wLp4ZdR"));
    assert_eq!(of("it was winter-in-kiruna again"), own("winter-in-kiruna"));
    assert_eq!(of("WINTER-in-kiruna, QX7VT2MK9WLP4ZDR"), []);
    // What only its place would give away is said once: it is known.
    let mut findings = Vec::new();
    let _ = engine.scan_text("password = \"qX7vT2mK9wLp4ZdR\"", &mut findings);
    let names: Vec<&str> = findings.iter().map(|f| &*f.detector).collect();
    assert_eq!(names, ["secret/server-environment"]);
    // In base64.
    assert_eq!(of("d2ludGVyLWluLWtpcnVuYQ== cVg3dlQybUs5d0xwNFpkUg==").len(), 2);
}

#[test]
fn a_value_that_is_two_things_is_reported_as_both() {
    let mut data = planted();
    data.canaries.push(Canary { name: "twin".to_owned(), values: vec!["qX7vT2mK9wLp4ZdR".to_owned()] });
    let names: Vec<String> =
        found(&engine(&data), "qX7vT2mK9wLp4ZdR").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["secret/canary-twin", "secret/server-environment"]);
}

#[test]
fn short_values_and_ordinary_ones_are_no_secrets_of_a_server() {
    let none =
        |name: &str, value: &str| EnvironmentSecret::of_variable(name.as_bytes(), value.as_bytes()).is_none();
    assert!(none("API_TOKEN", "qX7vT2mK9wL"), "eleven characters");
    assert!(none("REGION", "eu-central-1-and-more"));
    assert!(!none("API_TOKEN", "qX7vT2mK9wLp"));
}

#[test]
fn nothing_shows_a_value() {
    let mut data = planted();
    data.exact = exact(ExactClass::Pii, Matching::Rows, &[&["Anna Lindqvist", "123-45-6789"]]).exact;
    let shown = format!("{data:?} {:?}", engine(&data));
    for value in ["trap-4711", "TRAP-4711", "qX7v", "kiruna", "lindqvist", "123456789", "116, 114, 97, 112"] {
        assert!(!shown.contains(value), "{value}");
    }
}

#[test]
fn what_nobody_asks_about_is_not_looked_for_and_names_are_known() {
    let mut data = planted();
    data.keywords = vec![KeywordList {
        name: "k".to_owned(),
        words: vec!["w".to_owned()],
        regexes: Vec::new(),
        whole_word: true,
    }];
    data.exact = exact(ExactClass::Pii, Matching::Rows, &[&["Anna Lindqvist", "123-45-6789"]]).exact;
    let engine = engine(&data);
    for name in ["keyword/k", "secret/canary-vault", "secret/server-environment", "pii/exact-people"] {
        assert!(engine.detectors().iter().any(|one| one == name), "{name}");
    }
    let line =
        r#"{"jsonrpc":"2.0","id":1,"result":"w trap-4711@corp-files.example Anna Lindqvist 123-45-6789"}"#;
    let mut parser = Parser::default();
    let limits = Limits::of(Direction::ToClient);
    let frame = parser.parse(line.as_bytes(), Direction::ToClient, &limits).expect("a message");
    let names = |wanted: &str| {
        let mut findings = Vec::new();
        let wanted = engine.wanted(|name| name == wanted);
        let _ = engine.scan_for(&wanted, &frame, &mut findings);
        findings.into_iter().map(|f| f.detector.into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("keyword/k"), ["keyword/k"]);
    assert_eq!(names("secret/canary-vault"), ["secret/canary-vault"]);
    assert_eq!(names("pii/exact-people"), ["pii/exact-people", "pii/exact-people"]);
}

#[test]
fn stderr_does_not_show_what_is_in_a_table() {
    let masked = people().mask("Anna Lindqvist has 123-45-6789").into_owned();
    assert!(!masked.contains("Lindqvist") && !masked.contains("6789"), "{masked}");
    // A placeholder of ours is no finding.
    assert_eq!(people().mask(&masked), masked);
}

/// Values of the table alone, one behind the other: each is looked up with those near to it, and no more.
#[test]
fn hostile_text_ends_with_its_budget_at_the_latest() {
    let of: Vec<Vec<String>> = (0..300).map(|n| vec![format!("n{n:04}"), format!("m{n:04}")]).collect();
    let (table, _) = Fingerprints::of_rows(&of, Matching::Rows, [3; 32]).expect("rows");
    let one = ExactData { name: "n".to_owned(), class: ExactClass::Pii, table: Arc::new(table) };
    let engine = engine(&CustomData { exact: vec![one], ..CustomData::default() });
    let text: String = (0..200_000).map(|n| format!("n{:04} ", n * 7 % 300)).collect();
    let mut findings = Vec::new();
    assert_eq!(engine.scan_text(&text, &mut findings), ScanEnd::BudgetSpent);
    assert_eq!(findings.len(), 0, "no row is whole");
}

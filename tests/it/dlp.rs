//! `dlp scan`, `dlp detectors`: the detectors by hand.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, World, finish};

const DEADLINE: Duration = Duration::from_secs(60);
const TOKEN: &str = "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";

fn dlp(world: &World, words: &[&str]) -> Finished {
    finish(world.stockade(["dlp"].iter().chain(words).copied()).spawn().expect("it starts"), DEADLINE)
}

fn dlp_on(world: &World, words: &[&str], input: &str) -> Finished {
    let mut command = world.stockade(["dlp"].iter().chain(words).copied());
    let input = std::fs::File::open(world.write("input", input)).expect("it was written");
    finish(command.stdin(Stdio::from(input)).spawn().expect("it starts"), DEADLINE)
}

#[test]
fn what_is_found_is_named_by_line_and_column_and_never_printed() {
    let world = World::new();
    let dirty = world.write("dirty.txt", &format!("é\nuse {TOKEN} and\nask ana.lima@acme-labs.com.br\n"));
    let clean = world.write("clean.txt", "nothing here\n");
    let (dirty, clean) = (dirty.display().to_string(), clean.display().to_string());
    let scan = dlp(&world, &["scan", &clean, &dirty]);
    let out = scan.stdout_text();
    assert_eq!(scan.code(), 1, "{scan:#?}");
    assert!(out.contains(&format!("{dirty}:2:5  high    secret/github-pat")), "{out}");
    assert!(out.contains("40 characters, "), "{out}");
    assert!(out.contains(&format!("{dirty}:3:5  ")) && out.contains("pii/email"), "{out}");
    assert!(out.ends_with("2 findings in 1 of 2 texts\n"), "{out}");
    assert!(!out.contains(&TOKEN[4..]) && !out.contains("ana.lima"), "{out}");
    let scan = dlp(&world, &["scan", &clean]);
    assert_eq!((scan.code(), scan.stdout_text().as_str()), (0, "nothing found in 1 text\n"));
    let scan = dlp(&world, &["scan", "--least", "high", "--json", &dirty]);
    let rows: Value = serde_json::from_slice(&scan.stdout).expect("JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    assert_eq!(
        (&rows[0]["line"], &rows[0]["column"], &rows[0]["characters"]),
        (&json!(2), &json!(5), &json!(40))
    );
}

#[test]
fn the_organisations_words_are_looked_for_too() {
    let world = World::new();
    world.user_policy("version = 1\n[keywords.projects]\nwords = [\"Bluebird\"]\n");
    let scan = dlp_on(&world, &["scan"], "ship bluebird today");
    assert!(
        scan.code() == 1 && scan.stdout_text().contains("stdin:1:6  high    keyword/projects"),
        "{scan:#?}"
    );
    let more = world.write("more.toml", "version = 1\n[keywords.more]\nwords = [\"today\"]\n");
    let scan = dlp_on(&world, &["scan", "--policy", &more.display().to_string()], "ship bluebird today");
    assert!(scan.stdout_text().contains("keyword/more") && scan.stdout_text().contains("keyword/projects"));
}

#[test]
fn regular_expressions_of_the_organisation_are_looked_for_too() {
    let world = World::new();
    world.user_policy("version = 1\n[keywords.staff]\nregexes = ['(?i)\\bemp-[0-9]{6}\\b']\n");
    let scan = dlp_on(&world, &["scan"], "ask EMP-123456, not EMP-1234567");
    let text = scan.stdout_text();
    assert!(scan.code() == 1 && text.contains("stdin:1:5  high    keyword/staff"), "{scan:#?}");
    assert_eq!(text.matches("keyword/staff").count(), 1, "{text}");
}

/// `[[suppress]]` with these lines in it, signed.
fn suppress(id: &str, lines: &str, until: &str) -> String {
    format!(
        "version = 1\n[[suppress]]\nid = \"{id}\"\n{lines}\nauthor = \"Ada Lovelace\"\nreason = \"A made-up key.\"\nuntil = \
         \"{until}\"\n"
    )
}

/// A day in so many days, as `until` takes it.
fn day(days: i64) -> String {
    let day = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
    day.checked_add(jiff::Span::new().days(days)).expect("a day").to_string()
}

#[test]
fn what_somebody_answers_for_is_left_out_and_counted_and_shown_on_request() {
    let world = World::new();
    let text = format!("use {TOKEN} and\nask ana.lima@acme-labs.com.br\n");
    let rows: Value =
        serde_json::from_slice(&dlp_on(&world, &["scan", "--json"], &text).stdout).expect("JSON");
    let hash = rows[0]["hash"].as_str().expect("a hash").to_owned();
    // As `dlp report` writes it: a value of one server and one direction.
    let lines = format!(
        "detect = [\"secret/github-pat\"]\nhash = \"{hash}\"\nservers = [\"pkg:npm/some-server@1.0.0\"]\ndirection = \"to-client\""
    );
    world.user_policy(&suppress("known", &lines, &day(30)));
    let scan = dlp_on(&world, &["scan"], &text);
    let out = scan.stdout_text();
    assert_eq!(scan.code(), 1, "{scan:#?}");
    assert!(!out.contains("github-pat") && out.contains("1 finding in 1 of 1 text\n"), "{out}");
    assert!(
        out.contains("1 suppressed by `known` of Ada Lovelace, until ") && out.contains(": A made-up key."),
        "{out}"
    );
    let scan = dlp_on(&world, &["scan", "--least", "high"], &format!("{TOKEN} {TOKEN}"));
    assert!(
        scan.code() == 0 && scan.stdout_text().starts_with("nothing found in 1 text\n2 suppressed by "),
        "{scan:#?}"
    );
    let scan = dlp_on(&world, &["scan", "--suppressed", "show"], &text);
    let out = scan.stdout_text();
    assert!(
        out.contains("secret/github-pat") && out.contains(&format!("{hash}, suppressed by `known`")),
        "{out}"
    );
    assert!(out.contains("1 finding in 1 of 1 text\n"), "it is no finding all the same: {out}");
    let scan = dlp_on(&world, &["scan", "--suppressed", "show", "--json"], &text);
    let rows: Value = serde_json::from_slice(&scan.stdout).expect("JSON");
    assert_eq!(rows[0]["suppressed"]["author"], "Ada Lovelace");
    assert!(
        rows[1].get("suppressed").is_none() && scan.stderr.contains("1 suppressed by `known`"),
        "{scan:#?}"
    );
    // Measuring is about detectors.
    let case = json!({"id": 1, "text": TOKEN}).to_string();
    assert!(dlp_on(&world, &["scan", "--jsonl"], &case).stdout_text().contains("secret/github-pat"));
}

#[test]
fn a_suppression_of_another_policy_holds_and_one_about_a_place_or_whose_time_is_over_does_not() {
    let world = World::new();
    let with = |lines: &str, until: &str| {
        let file = world.write("other.toml", &suppress("other", lines, until));
        dlp_on(&world, &["scan", "--least", "high", "--policy", &file.display().to_string()], TOKEN)
    };
    let scan = with("detect = [\"secret/github-*\"]", &day(30));
    assert!(
        scan.code() == 0 && scan.stdout_text().contains("1 suppressed by `other` of Ada Lovelace"),
        "{scan:#?}"
    );
    for narrow in [
        "tools = [\"read_*\"]",
        "path = \"/params/*\"",
        "direction = \"to-server\"",
        "servers = [\"pkg:npm/x@1.0.0\"]",
    ] {
        let scan = with(&format!("detect = [\"secret/github-*\"]\n{narrow}"), &day(30));
        assert!(scan.code() == 1 && !scan.stdout_text().contains("suppressed"), "{narrow}: {scan:#?}");
    }
    let scan = with("detect = [\"secret/github-*\"]", "2020-12-31");
    assert!(
        scan.code() == 1 && scan.stderr.contains("note: the suppression `other` of Ada Lovelace ended at"),
        "{scan:#?}"
    );
    let scan = with("detect = [\"secret/gitlab-*\"]", "2020-12-31");
    assert!(
        scan.code() == 1 && !scan.stderr.contains("ended at"),
        "it is not about what was found: {scan:#?}"
    );
}

#[test]
fn json_lines_are_answered_one_by_one_with_places_in_characters() {
    let world = World::new();
    let lines = [json!({"id": 7, "text": format!("é {TOKEN}")}), json!({"id": "b", "text": "clean"})];
    let input = lines.map(|line| line.to_string()).join("\n");
    let scan = dlp_on(&world, &["scan", "--jsonl"], &input);
    assert_eq!(scan.code(), 0, "{scan:#?}");
    let text = scan.stdout_text();
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let found = json!({"detector": "secret/github-pat", "start": 2, "end": 42, "confidence": "high"});
    assert_eq!(answers, [json!({"id": 7, "findings": [found]}), json!({"id": "b", "findings": []})]);
    let scan = dlp_on(&world, &["scan", "--jsonl"], &format!("{input}\n{{\"id\": 1}}\n"));
    assert_eq!((scan.code(), scan.stdout_text().lines().count()), (64, 2), "{scan:#?}");
    assert!(scan.stderr.contains("line 3 of stdin is no case"), "{scan:#?}");
}

#[test]
fn what_is_no_text_is_said_to_be_none() {
    let world = World::new();
    let binary = world.write("binary", &format!("\0{TOKEN}"));
    let scan = dlp(&world, &["scan", &binary.display().to_string()]);
    assert!(scan.code() == 0 && scan.stderr.contains("is no text and was not looked at"), "{scan:#?}");
    let scan = dlp(&world, &["scan", "/"]);
    assert!(scan.code() == 64 && scan.stderr.contains("/ is a directory"), "{scan:#?}");
    let scan = dlp(&world, &["scan", "/no/such"]);
    assert!(scan.code() == 64 && scan.stderr.contains("cannot read /no/such"), "{scan:#?}");
}

#[test]
fn detectors_are_listed_with_their_vendors_and_examples() {
    let world = World::new();
    let all = dlp(&world, &["detectors"]).stdout_text();
    for part in ["secret/github-pat", "GitHub, high", "https://docs.github.com/", "pii/payment-card"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let some = dlp(&world, &["detectors", "secret/git*", "--json"]);
    let rows: Value = serde_json::from_slice(&some.stdout).expect("JSON");
    let rows = rows.as_array().expect("a list");
    assert!(rows.iter().all(|row| row["name"].as_str().is_some_and(|name| name.starts_with("secret/git"))));
    for row in rows {
        let (key, example) =
            (row["key"].as_str().expect("a key"), row["example"].as_str().expect("an example"));
        let text = if key.is_empty() { example.to_owned() } else { json!({ key: example }).to_string() };
        let scan = dlp_on(&world, &["scan"], &text);
        assert!(scan.stdout_text().contains(row["name"].as_str().expect("a name")), "{row}: {scan:#?}");
    }
    let none = dlp(&world, &["detectors", "secret/nobody"]);
    assert!(none.code() == 64 && none.stderr.contains("no detector is called `secret/nobody`"), "{none:#?}");
}

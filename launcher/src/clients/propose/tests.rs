use super::*;
use crate::clients::entry::Scope;
use crate::clients::registry::first_of;

const LAUNCHER: &str = "/usr/bin/stockade";

fn request(way: Way, server: Option<&str>) -> Request {
    Request { way, server: server.map(str::to_owned) }
}

fn to_wrap(server: Option<&str>) -> Request {
    request(Way::Wrap { launcher: LAUNCHER.to_owned() }, server)
}

fn wrap_all(text: &str) -> Proposal {
    propose(first_of("cursor"), text.as_bytes(), &to_wrap(None), &|_| None).unwrap()
}

fn outcomes(proposal: &Proposal) -> Vec<(&str, String)> {
    let outcome = |row: &Row| match &row.outcome {
        Outcome::Left(why) | Outcome::Failed(why) => why.clone(),
        other => format!("{other:?}"),
    };
    let rows = proposal.rows.iter();
    rows.map(|row| (rows_name(row), outcome(row))).collect()
}

fn rows_name(row: &Row) -> &str {
    &row.place.name
}

/// The journal's record of the first entry that `proposal` changed.
fn record(proposal: &Proposal) -> Record {
    let changed = &proposal.changed[0];
    let texts = (changed.before.as_str(), changed.after.as_str());
    Record::new(String::new(), String::new(), std::path::Path::new("/f"), &changed.place, texts)
}

fn unwrap_with(text: &str, record: Option<&Record>) -> Proposal {
    propose(first_of("cursor"), text.as_bytes(), &request(Way::Unwrap, None), &|_| record.cloned()).unwrap()
}

#[test]
fn every_entry_has_a_row_that_says_what_becomes_of_it() {
    let text = r#"{"mcpServers": {
        "local": {"command": "node", "args": ["s.js"]},
        "fetched": {"command": "npx", "args": ["-y", "github:a/p"]},
        "far": {"url": "https://x.example"},
        "done": {"command": "/b/stockade", "args": ["run", "--id", "cursor/old", "--", "c"]},
        "broken": {"command": 1}
    }}"#;
    let proposal = wrap_all(text);
    let rows = outcomes(&proposal);
    assert_eq!(rows[0], ("local", "Wrapped".to_owned()));
    assert_eq!(rows[1].0, "fetched");
    assert!(rows[1].1.starts_with("left as it is: it starts through `npx`"), "{}", rows[1].1);
    assert!(rows[1].1.contains("npm install"), "{}", rows[1].1);
    assert!(rows[1].1.ends_with("`stockade wrap --server fetched` wraps it anyway"), "{}", rows[1].1);
    assert_eq!(rows[2], ("far", "not covered yet: remote server".to_owned()));
    assert_eq!(rows[3], ("done", "Already(Some(\"cursor/old\"))".to_owned()));
    assert_eq!(rows[4], ("broken", "`command` is not a string".to_owned()));
    assert!(matches!(proposal.rows[4].outcome, Outcome::Failed(_)));
    assert_eq!(proposal.changed.len(), 1);
    assert!(proposal.was_wrapped);
}

#[test]
fn a_fetched_server_is_wrapped_when_it_is_named() {
    let text = r#"{"mcpServers": {"a": {"command": "npx", "args": ["github:a/p"]}, "b": {"command": "c"}}}"#;
    let proposal = propose(first_of("cursor"), text.as_bytes(), &to_wrap(Some("a")), &|_| None).unwrap();
    assert_eq!(outcomes(&proposal), [("a", "Wrapped".to_owned())]);
    assert!(proposal.text.contains(r#""--id", "cursor/a", "--", "npx", "github:a/p"]"#), "{}", proposal.text);
    assert!(proposal.text.contains(r#""b": {"command": "c"}"#), "{}", proposal.text);
}

#[test]
fn wrapping_twice_changes_nothing_more() {
    let once = wrap_all(r#"{"mcpServers": {"a": {"command": "c", "args": []}}}"#);
    let twice = wrap_all(&once.text);
    assert_eq!(twice.text, once.text);
    assert!(twice.changed.is_empty());
}

#[test]
fn a_name_that_would_not_arrive_as_it_is_is_refused() {
    for name in ["a\\u0000", "${HOME}"] {
        let proposal = wrap_all(&format!("{{\"mcpServers\": {{\"{name}\": {{\"command\": \"c\"}}}}}}"));
        assert!(matches!(proposal.rows[0].outcome, Outcome::Failed(_)), "{name}");
        assert!(proposal.changed.is_empty());
    }
}

#[test]
fn entries_of_projects_are_wrapped_under_the_same_id() {
    let text = r#"{"projects": {"/p": {"mcpServers": {"a": {"command": "c"}}}}}"#;
    let proposal = propose(first_of("claude-code"), text.as_bytes(), &to_wrap(None), &|_| None).unwrap();
    assert_eq!(proposal.rows[0].place.scope, Scope::Project("/p".to_owned()));
    assert!(proposal.text.contains(r#""--id", "claude-code/a", "--", "c"]"#), "{}", proposal.text);
    let other = propose(first_of("cursor"), text.as_bytes(), &to_wrap(None), &|_| None).unwrap();
    assert!(other.rows.is_empty());
}

#[test]
fn a_malformed_file_is_refused_with_its_place() {
    let problem = propose(first_of("cursor"), b"{\n  \"a\" 1}", &to_wrap(None), &|_| None).unwrap_err();
    assert_eq!(problem, "malformed: line 2, column 7: expected `:`");
}

#[test]
fn the_journal_gives_the_bytes_back() {
    let text = "{\"mcpServers\": {\"a\": {\n \"command\": \"c\" /* no args */ }}}";
    let proposal = wrap_all(text);
    let record = record(&proposal);
    let back = unwrap_with(&proposal.text, Some(&record));
    assert_eq!(back.rows[0].outcome, Outcome::Restored(None));
    assert_eq!(back.text, text);
}

#[test]
fn what_a_person_changed_in_the_entry_meanwhile_is_kept() {
    let text = r#"{"mcpServers": {"a": {"command": "c", "env": {"OLD": "1"}}}}"#;
    let proposal = wrap_all(text);
    let record = record(&proposal);
    let edited = proposal
        .text
        .replace(r#""OLD": "1""#, r#""OLD": "2", "TOKEN": "t""#)
        .replace(r#""run", "#, r#""run", "--profile", "mine", "#);
    let back = unwrap_with(&edited, Some(&record));
    assert_eq!(back.text, r#"{"mcpServers": {"a": {"command": "c", "env": {"OLD": "2", "TOKEN": "t"}}}}"#);
    let [(_, outcome)] = &outcomes(&back)[..] else { panic!() };
    assert!(outcome.contains("other edits made to it since are kept; dropped: --profile mine"), "{outcome}");
}

#[test]
fn arguments_that_a_person_added_or_changed_are_kept() {
    let proposal = wrap_all(r#"{"mcpServers": {"a": {"command": "c", "args": ["x"]}}}"#);
    let record = record(&proposal);
    let edited = proposal.text.replace(r#""c", "x"]"#, r#""d", "x", "y"]"#);
    let back = unwrap_with(&edited, Some(&record));
    assert_eq!(back.text, r#"{"mcpServers": {"a": {"command": "d", "args": ["x", "y"]}}}"#);
}

#[test]
fn a_client_that_rewrote_the_whole_file_does_not_hinder() {
    let proposal = wrap_all(r#"{"mcpServers":{"a":{"command":"c","args":["x"]},"b":{"command":"d"}}}"#);
    let journal: Vec<Record> = (0..2)
        .map(|at| {
            let changed = &proposal.changed[at];
            let texts = (changed.before.as_str(), changed.after.as_str());
            Record::new(String::new(), String::new(), std::path::Path::new("/f"), &changed.place, texts)
        })
        .collect();
    let value: serde_json::Value = serde_json::from_str(&proposal.text).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    let find = |place: &Place| journal.iter().find(|record| record.name == place.name).cloned();
    let back = propose(first_of("cursor"), pretty.as_bytes(), &request(Way::Unwrap, None), &find).unwrap();
    let expected =
        serde_json::json!({"mcpServers": {"a": {"command": "c", "args": ["x"]}, "b": {"command": "d"}}});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&back.text).unwrap(), expected);
}

#[test]
fn without_a_journal_the_entry_itself_says_what_it_was() {
    let proposal =
        wrap_all(r#"{"mcpServers": {"a": {"command": "c", "args": ["x"]}, "b": {"command": "d"}}}"#);
    let back = unwrap_with(&proposal.text, None);
    assert_eq!(
        back.text,
        r#"{"mcpServers": {"a": {"command": "c", "args": ["x"]}, "b": {"command": "d", "args": []}}}"#
    );
    let rows = outcomes(&back);
    assert!(rows[0].1.contains("nothing is in the journal; spacing may differ"), "{}", rows[0].1);
    assert!(rows[1].1.contains("an `args` that was absent is an empty list now"), "{}", rows[1].1);
}

#[test]
fn a_journal_that_tells_another_story_is_not_believed() {
    let proposal = wrap_all(r#"{"mcpServers": {"a": {"command": "c", "args": ["x"]}}}"#);
    let mut record = record(&proposal);
    record.original = r#"{"command": "evil", "args": ["x"]}"#.to_owned();
    let back = unwrap_with(&proposal.text, Some(&record));
    assert_eq!(back.text, r#"{"mcpServers": {"a": {"command": "c", "args": ["x"]}}}"#);
}

#[test]
fn unwrap_leaves_what_wrap_did_not_write() {
    let text = r#"{"mcpServers": {
        "bare": {"command": "c"}, "far": {"url": "u"}, "broken": {"command": 1},
        "hand": {"command": "stockade", "args": ["run", "--", "c"]},
        "halved": {"command": "stockade", "args": ["run", 1]}
    }}"#;
    let back = unwrap_with(text, None);
    assert_eq!(back.text, text);
    let failed: Vec<&str> =
        back.rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed(_))).map(rows_name).collect();
    assert_eq!(failed, ["halved"]);
}

#[test]
fn a_name_is_shown_as_a_shell_takes_it() {
    for (name, shown) in
        [("a-b", "a-b"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("", "''"), ("-x", "'-x'")]
    {
        assert_eq!(shell_word(name), shown);
    }
}

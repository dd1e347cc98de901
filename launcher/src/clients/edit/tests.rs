use super::*;
use crate::clients::registry::named;

const LAUNCHER: &str = "/usr/bin/stockade";

/// Wraps every bare entry, and checks the result as the product does.
pub(super) fn wrapped(text: &str) -> String {
    let document = Document::parse(text.as_bytes(), Format::Json).unwrap();
    let mut splices = Vec::new();
    let mut wanted = BTreeMap::new();
    for entry in
        entry::entries(&document, crate::clients::registry::named("claude-code").unwrap().places[0].layouts)
            .unwrap()
    {
        let Shape::Bare(launch) = &entry.shape else { continue };
        let id = entry::id(named("cursor").unwrap(), &entry.place.name);
        splices.extend(wrap(&document, launch, LAUNCHER, &id, "args"));
        let words = [LAUNCHER, "run", "--id", &id, "--"].into_iter().chain(launch.words());
        wanted.insert(entry.place, words.map(str::to_owned).collect());
    }
    let new = apply(text, splices);
    verify(
        &document,
        &Document::parse(new.as_bytes(), Format::Json).unwrap(),
        crate::clients::registry::named("claude-code").unwrap().places[0].layouts,
        &wanted,
        &BTreeMap::new(),
    )
    .unwrap();
    new
}

/// Unwraps every wrapped entry from what it says itself.
pub(super) fn unwrapped(text: &str, before: ArgsBefore) -> String {
    let document = Document::parse(text.as_bytes(), Format::Json).unwrap();
    let mut splices = Vec::new();
    for entry in
        entry::entries(&document, crate::clients::registry::named("claude-code").unwrap().places[0].layouts)
            .unwrap()
    {
        let Shape::Wrapped(wrapped) = &entry.shape else { continue };
        splices.extend(unwrap(&document, &entry, wrapped, before).unwrap());
    }
    let new = apply(text, splices);
    Document::parse(new.as_bytes(), Format::Json).unwrap();
    new
}

/// `before` becomes `after`, and `before` again with nothing but the entry to go by.
fn check(before: &str, after: &str, args: ArgsBefore) {
    let file = |entry: &str| format!("{{\"mcpServers\": {{\"x\": {entry}}}}}");
    assert_eq!(wrapped(&file(before)), file(after));
    assert_eq!(unwrapped(&file(after), args), file(before));
}

#[test]
fn the_commands_literal_moves_and_ours_takes_its_place() {
    check(
        r#"{"command": "npx", "args": ["-y", "p"], "env": {"A": "b"}}"#,
        r#"{"command": "/usr/bin/stockade", "args": ["run", "--id", "cursor/x", "--", "npx", "-y", "p"], "env": {"A": "b"}}"#,
        ArgsBefore::Present,
    );
}

#[test]
fn each_line_of_a_list_keeps_its_indentation_and_line_end() {
    check(
        "{\r\n\t\"command\": \"c\",\r\n\t\"args\": [\r\n\t\t\"a\",\r\n\t\t\"b\"\r\n\t]\r\n}",
        "{\r\n\t\"command\": \"/usr/bin/stockade\",\r\n\t\"args\": [\r\n\t\t\"run\",\r\n\t\t\"--id\",\r\n\t\t\"cursor/x\",\
         \r\n\t\t\"--\",\r\n\t\t\"c\",\r\n\t\t\"a\",\r\n\t\t\"b\"\r\n\t]\r\n}",
        ArgsBefore::Present,
    );
}

#[test]
fn compact_stays_compact() {
    check(
        r#"{"command":"c","args":["a","b"]}"#,
        r#"{"command":"/usr/bin/stockade","args":["run","--id","cursor/x","--","c","a","b"]}"#,
        ArgsBefore::Present,
    );
    check(
        r#"{"command":"c","args":["a"]}"#,
        r#"{"command":"/usr/bin/stockade","args":["run","--id","cursor/x","--","c","a"]}"#,
        ArgsBefore::Present,
    );
}

#[test]
fn missing_args_are_set_out_like_the_command_and_go_again() {
    for (before, after) in [
        (
            r#"{"command":"c"}"#,
            r#"{"command":"/usr/bin/stockade","args":["run","--id","cursor/x","--","c"]}"#,
        ),
        (
            r#"{ "command" : "c" }"#,
            r#"{ "command" : "/usr/bin/stockade", "args" : ["run", "--id", "cursor/x", "--", "c"] }"#,
        ),
        (
            "{\n\n  // why\n  \"command\": \"c\", // this\n  \"env\": {}\n}",
            "{\n\n  // why\n  \"command\": \"/usr/bin/stockade\",\n  \"args\": [\"run\", \"--id\", \"cursor/x\", \
             \"--\", \"c\"], // this\n  \"env\": {}\n}",
        ),
        (
            "{\"env\": {},\r\n /* a */ \"command\": \"c\" /* b */,}",
            "{\"env\": {},\r\n /* a */ \"command\": \"/usr/bin/stockade\", \"args\": [\"run\", \"--id\", \
             \"cursor/x\", \"--\", \"c\"] /* b */,}",
        ),
    ] {
        check(before, after, ArgsBefore::Absent);
    }
}

#[test]
fn an_empty_list_stays_a_list() {
    for (before, after) in [
        (
            r#"{"command": "c", "args": []}"#,
            r#"{"command": "/usr/bin/stockade", "args": ["run", "--id", "cursor/x", "--", "c"]}"#,
        ),
        (
            "{\"args\": [ // none\n ], \"command\": \"c\"}",
            "{\"args\": [\"run\", \"--id\", \"cursor/x\", \"--\", \"c\" // none\n ], \"command\": \"/usr/bin/stockade\"}",
        ),
    ] {
        check(before, after, ArgsBefore::Present);
    }
}

#[test]
fn comments_and_trailing_commas_in_a_list_stay() {
    check(
        "{\"command\": \"c\", \"args\": [ // first\n    /* a */ \"a\", // b\n    \"b\", ]}",
        "{\"command\": \"/usr/bin/stockade\", \"args\": [ // first\n    /* a */ \"run\",\n    \"--id\",\n    \"cursor/x\",\n    \
         \"--\",\n    \"c\",\n    \"a\", // b\n    \"b\", ]}",
        ArgsBefore::Present,
    );
}

#[test]
fn escapes_of_the_command_survive_the_way_there_and_back() {
    check(
        r#"{"command": "C:\\n\u00f6de\/x.exe", "args": ["\u0061"]}"#,
        r#"{"command": "/usr/bin/stockade", "args": ["run", "--id", "cursor/x", "--", "C:\\n\u00f6de\/x.exe", "\u0061"]}"#,
        ArgsBefore::Present,
    );
}

#[test]
fn odd_names_reach_the_id_as_one_word() {
    for name in ["", " ", "a b", "a/b", "ü🦀", "--id", "--", "\\\"", "\u{2028}", "$(x)", "a\nb", "\u{7f}"]
    {
        let text = serde_json::json!({"mcpServers": {name: {"command": "c", "args": ["--"]}}}).to_string();
        let new = wrapped(&text);
        let value: serde_json::Value = serde_json::from_str(&new).unwrap();
        let args = &value["mcpServers"][name]["args"];
        assert_eq!(*args, serde_json::json!(["run", "--id", format!("cursor/{name}"), "--", "c", "--"]));
        assert_eq!(unwrapped(&new, ArgsBefore::Present), text);
    }
}

#[test]
fn the_marks_of_a_whole_file_stay() {
    let text = "\u{feff}// head\r\n{\r\n\t\"dup\": 1, \"dup\": 2.50e+1, \"half\": \"\\ud83d\",\r\n\t\"mcpServers\": {\r\n\
                \t\t\"x\": {\"command\": \"c\", \"args\": [\"a\"],},\r\n\t},\r\n}\r\n// tail";
    let new = wrapped(text);
    assert_eq!(
        new.replace("\"run\", \"--id\", \"cursor/x\", \"--\", \"c\", ", "").replace(LAUNCHER, "c"),
        text
    );
    assert_eq!(unwrapped(&new, ArgsBefore::Present), text);
}

#[test]
fn a_trailing_comma_that_somebody_added_does_not_stay_alone() {
    let file = |args: &str| {
        format!("{{\"mcpServers\": {{\"x\": {{\"command\": \"/b/stockade\", \"args\": {args}}}}}}}")
    };
    for (args, left) in [
        ("[\"run\",\"--id\",\"c/x\",\"--\",\"c\",]", "[]"),
        ("[ \"run\",\"--id\",\"c/x\",\"--\",\"c\" /* , */ , // ,\n ]", "[  /* , */  // ,\n ]"),
    ] {
        let new = unwrapped(&file(args), ArgsBefore::Present);
        assert_eq!(new, file(left).replace("/b/stockade", "c"));
    }
}

#[test]
fn an_added_list_that_has_comments_around_it_now_stays_as_an_empty_list() {
    let text = "{\"mcpServers\": {\"x\": {\"command\": \"/b/stockade\", // mine\n \"args\": [\"run\",\"--id\",\"c/x\",\"--\",\"c\"]}}}";
    let new = unwrapped(text, ArgsBefore::Absent);
    assert_eq!(new, "{\"mcpServers\": {\"x\": {\"command\": \"c\", // mine\n \"args\": []}}}");
}

#[test]
fn an_added_list_goes_even_if_somebody_put_it_first() {
    let text = r#"{"mcpServers": {"x": {"args": ["run","--id","c/x","--","c"], "command": "/b/stockade"}}}"#;
    assert_eq!(unwrapped(text, ArgsBefore::Absent), r#"{"mcpServers": {"x": {"command": "c"}}}"#);
    let text =
        r#"{"mcpServers": {"x": {"command": "/b/stockade", "args": ["run","--id","c/x","--","c","new"]}}}"#;
    assert_eq!(
        unwrapped(text, ArgsBefore::Absent),
        r#"{"mcpServers": {"x": {"command": "c", "args": ["new"]}}}"#
    );
}

#[test]
fn the_check_sees_every_change_that_was_not_asked_for() {
    let old = r#"{"a": 1, "mcpServers": {"x": {"command": "c", "env": {"T": "t"}}, "y": {"command": "d"}}, "z": 2}"#;
    let place = Place { scope: crate::clients::entry::Scope::User, name: "x".to_owned() };
    let wanted = BTreeMap::from([(place, vec!["e".to_owned()])]);
    let good = old.replace("\"c\"", "\"e\"");
    for (new, expected) in [
        (good.clone(), None),
        (old.to_owned(), Some("would not start what it should")),
        (good.replace("\"t\"", "\"u\""), Some("another member of the entry `x`")),
        (good.replace("\"d\"", "\"f\""), Some("the entry `y` would change")),
        (good.replace("\"a\": 1", "\"a\": 3"), Some("before the entry `x`")),
        (good.replace("\"y\":", "\"y\" :"), Some("before the entry `y`")),
        (good.replace("\"z\": 2", "\"z\": 2 "), Some("behind the last entry")),
        (good.replace(r#", "y": {"command": "d"}"#, ""), Some("the number of entries")),
    ] {
        let (old, new) = (
            Document::parse(old.as_bytes(), Format::Json).unwrap(),
            Document::parse(new.as_bytes(), Format::Json).unwrap(),
        );
        let layouts = named("cursor").unwrap().places[0].layouts;
        let found = verify(&old, &new, layouts, &wanted, &BTreeMap::new());
        match expected {
            None => assert_eq!(found, Ok(()), "{}", new.text()),
            Some(part) => assert!(found.clone().unwrap_err().contains(part), "{}: {found:?}", new.text()),
        }
    }
}

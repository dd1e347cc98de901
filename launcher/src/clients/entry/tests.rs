use super::*;

fn read(text: &str) -> Result<Vec<Entry>, String> {
    let document = Document::parse(text.as_bytes(), crate::clients::registry::Format::Json).unwrap();
    entries(&document, crate::clients::registry::named("claude-code").unwrap().places[0].layouts)
}

fn only(body: &str) -> Shape {
    let mut found = read(&format!("{{\"mcpServers\": {{\"x\": {body}}}}}")).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0).shape
}

fn odd(body: &str) -> String {
    match only(body) {
        Shape::Odd(why) => why,
        other => format!("{other:?}"),
    }
}

#[test]
fn entries_of_the_user_and_of_projects_are_found() {
    let found = read(
        r#"{"projects": {"/a/b": {"mcpServers": {"x": {"command": "c"}}, "history": []}, "/c": {}, "/d": 1},
            "mcpServers": {"x": {"command": "d", "args": ["e"]}, "y": {"url": "https://y.example"}}}"#,
    )
    .unwrap();
    let places: Vec<_> = found.iter().map(|entry| (&entry.place.scope, entry.place.name.as_str())).collect();
    let project = Scope::Project("/a/b".to_owned());
    assert_eq!(places, [(&Scope::User, "x"), (&Scope::User, "y"), (&project, "x")]);
}

#[test]
fn a_file_without_servers_has_none() {
    for text in
        ["", "{}", "// nothing yet\n", "{\"mcpServers\": {}}", "{\"projects\": {}}", "{\"projects\": null}"]
    {
        assert_eq!(read(text).unwrap().len(), 0, "{text}");
    }
}

#[test]
fn a_file_of_another_shape_is_refused_with_the_line() {
    assert_eq!(read("[]").unwrap_err(), "the file does not hold an object");
    assert_eq!(read("{\n\"mcpServers\": []}").unwrap_err(), "`mcpServers` in line 2 is not an object");
    assert_eq!(
        read("{\"mcpServers\": {},\n\n \"mcp\\u0053ervers\": {}}").unwrap_err(),
        "the key `mcpServers` occurs twice (lines 1 and 3), and which of the two counts is not defined"
    );
}

#[test]
fn two_entries_of_one_name_are_both_odd() {
    let found =
        read(r#"{"mcpServers": {"x": {"command": "a"}, "y": {"command": "b"}, "\u0078": {"command": "c"}}}"#);
    let odd: Vec<bool> = found.unwrap().iter().map(|entry| matches!(entry.shape, Shape::Odd(_))).collect();
    assert_eq!(odd, [true, false, true]);
}

#[test]
fn remote_entries_are_known_by_url_or_type() {
    for body in [
        r#"{"url": "https://x.example"}"#,
        r#"{"type": "sse", "serverUrl": "https://x.example"}"#,
        r#"{"type": "http", "headersHelper": "h"}"#,
        r#"{"httpUrl": "https://x.example", "env": {}}"#,
    ] {
        assert!(matches!(only(body), Shape::Remote), "{body}");
    }
}

#[test]
fn what_cannot_be_understood_says_why() {
    for (body, why) in [
        ("1", "it is not an object"),
        ("{}", "it has neither `command` nor `url`"),
        (r#"{"command": ["a"]}"#, "`command` is not a string"),
        (r#"{"command": ""}"#, "`command` is not the name of a program"),
        (r#"{"command": "a\u0000"}"#, "`command` is not the name of a program"),
        (r#"{"command": "\ud800"}"#, "`command` is not a string"),
        (r#"{"command": "a", "args": "b"}"#, "`args` is not an array"),
        (r#"{"command": "a", "args": null}"#, "`args` is not an array"),
        (
            r#"{"command": "a", "args": ["b", 1]}"#,
            "an item of `args` in line 1 is not a string that a program can be given",
        ),
        (
            r#"{"command": "a", "url": "b"}"#,
            "it has both `command` and `url`, and which counts is not defined",
        ),
        (
            r#"{"command": "a", "type": "http"}"#,
            "it has a `command`, but its `type` is that of a remote server",
        ),
        (
            "{\"command\": \"a\",\n\"command\": \"b\"}",
            "the key `command` occurs twice (lines 1 and 2), and which of the two counts is not defined",
        ),
    ] {
        assert_eq!(odd(body), why, "{body}");
    }
}

#[test]
fn an_entry_under_stockade_is_recognised_with_what_a_person_added() {
    let body = r#"{"command": "/opt/stockade", "args": ["run", "--profile", "p", "--id", "cursor/a b", "--", "c", "--", "--id"]}"#;
    let Shape::Wrapped(wrapped) = only(body) else { panic!("not recognised") };
    assert_eq!(wrapped.id.as_deref(), Some("cursor/a b"));
    assert_eq!(wrapped.inner, Some(6));
    assert_eq!(wrapped.flags, ["--profile", "p"]);
    let Shape::Wrapped(by_hand) = only(r#"{"command": "stockade", "args": ["run", "c"]}"#) else { panic!() };
    assert_eq!((by_hand.id, by_hand.inner), (None, None));
}

#[test]
fn another_program_is_not_mistaken_for_stockade() {
    for body in [
        r#"{"command": "stockade", "args": ["inspect", "--", "c"]}"#,
        r#"{"command": "stockade"}"#,
        r#"{"command": "not-stockade", "args": ["run", "--id", "a/b", "--", "c"]}"#,
        r#"{"command": "node", "args": ["stockade", "run", "--"]}"#,
    ] {
        assert!(matches!(only(body), Shape::Bare(_)), "{body}");
    }
}

#[test]
fn an_id_is_the_client_and_the_name() {
    assert_eq!(id(crate::clients::registry::named("claude-code").unwrap(), "a/b c"), "claude-code/a/b c");
}

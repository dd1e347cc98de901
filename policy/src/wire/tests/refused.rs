//! What a refusal says: where, under which id it can be answered, and whether it was a call.

use std::collections::HashSet;

use super::*;

fn refused(line: impl AsRef<[u8]>) -> Refused {
    parse(line, Direction::ToServer).unwrap_err()
}

fn id(refused: Refused) -> Option<String> {
    refused.id.map(|id| String::from_utf8(id).unwrap())
}

fn oversize(prefix: &str) -> Refused {
    oversize_ends(prefix, "")
}

fn oversize_ends(prefix: &str, suffix: &str) -> Refused {
    let ends = LineEnds { prefix: prefix.as_bytes(), suffix: suffix.as_bytes() };
    Parser::refuse_oversize(ends, Direction::ToServer)
}

#[test]
fn every_code_is_unique_kebab_case_and_every_text_fits_after_refused() {
    let codes: HashSet<&str> = Refusal::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), Refusal::ALL.len());
    let texts: HashSet<String> = Refusal::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), Refusal::ALL.len());
    for reason in Refusal::ALL {
        assert!(reason.code().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        assert!(!reason.to_string().ends_with('.'));
    }
}

#[test]
fn the_offset_is_where_the_mistake_stands_in_the_line_as_it_came() {
    let line = call(r#"{"a":1,"a":2}"#);
    assert_eq!(refused(&line).offset, line.rfind("\"a\"").unwrap());
    let line = call("{\"\u{2028}\u{85}\":\"\u{2029}\",\"a\":1,\"a\":2}");
    assert_eq!(refused(&line).offset, line.rfind("\"a\"").unwrap());
    let line = [b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xff\xe2\x80\xa8\"} x".as_slice()].concat();
    let refused = parse(&line, Direction::ToClient).unwrap_err();
    assert_eq!((refused.reason, refused.offset), (Refusal::TrailingGarbage, line.len() - 1));
    let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xe2\x80\xa8\",\"x\":\"\\\xe2\x80\xa9\"}";
    let refused = parse(line, Direction::ToClient).unwrap_err();
    assert_eq!((refused.reason, refused.offset), (Refusal::Syntax, line.len() - 5));
}

#[test]
fn the_id_is_read_before_and_after_the_mistake() {
    assert_eq!(id(refused(r#"{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":NaN}}"#)), Some("7".into()));
    assert_eq!(id(refused(r#"{"params":{"x":NaN,"y":[01]},"method":"a","id":"z"}"#)), Some("\"z\"".into()));
    assert_eq!(id(refused("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\r\"id\":7}")), Some("7".into()));
    assert_eq!(id(refused(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\",\"id\":7}")), Some("7".into()));
    assert_eq!(id(refused(r#"{"id":1.0,"jsonrpc":"2.0","method":"a"}"#)), Some("1.0".into()));
    assert_eq!(id(refused(r#"{"a":"x\"","b":"\\","id":5,"method":"a"}"#)), Some("5".into()));
    assert_eq!(id(refused(r#"{"\u0069d":5,"jsonrpc":"2.0","method":" "}"#)), Some("5".into()));
}

#[test]
fn an_id_that_is_not_the_messages_own_is_not_taken() {
    for line in [
        r#"{"params":{"id":1},"method":"a"}"#,
        r#"{"method":"\"id\":1","params":[{"id":2}]}"#,
        r#"{"method":"a","params":{"a":"}","id":1}}"#,
        r#"{"method":"a","params":{"a":"\\","id":1}}"#,
        r#"{"method":"a","result":"id","id"}"#,
        r#"[{"id":1,"method":"a"}]"#,
        r#"Listening {"id":1}"#,
        r#"{"ID":1,"method":"a"}"#,
        r#"{"method":"a" {"id":1}}"#,
        r#"{"method":"a"} {"id":1}"#,
    ] {
        assert_eq!(id(refused(line)), None, "{line}");
    }
}

#[test]
fn of_two_ids_none_is_answered() {
    for line in [
        r#"{"id":1,"id":2,"method":"a"}"#,
        r#"{"id":1,"method":"a","i\u0064":1}"#,
        r#"{"id":1,"id":null,"method":"a"}"#,
        r#"{"id":{},"id":1,"method":"a"}"#,
    ] {
        assert_eq!(id(refused(line)), None, "{line}");
        assert_eq!(id(oversize(line)), None, "{line}");
    }
}

#[test]
fn an_id_that_a_client_could_not_read_back_is_not_echoed() {
    let long_text = format!("\"{}\"", "a".repeat(1023));
    let long_number = "1".repeat(33);
    for id_text in [
        "null",
        "true",
        "{}",
        "[1]",
        "01",
        "NaN",
        "1e400",
        r#""\ud800""#,
        r#""\x""#,
        "\"\t\"",
        &long_text,
        &long_number,
    ] {
        let line = format!(r#"{{"id":{id_text},"jsonrpc":"1.0","method":"a"}}"#);
        assert_eq!(id(refused(&line)), None, "{line}");
    }
    let longest = format!("\"{}\"", "a".repeat(1022));
    let line = format!(r#"{{"id":{longest},"jsonrpc":"1.0","method":"a"}}"#);
    assert_eq!(id(refused(line)), Some(longest));
}

#[test]
fn a_separator_in_an_echoed_id_is_escaped() {
    let line = "{\"id\":\"a\u{2028}b\",\"jsonrpc\":\"1.0\",\"method\":\"a\"}";
    assert_eq!(id(refused(line)), Some("\"a\\u2028b\"".into()));
}

#[test]
fn a_method_makes_it_a_call() {
    assert!(refused(r#"{"id":1,"method":7}"#).is_call);
    assert!(refused(r#"{"id":1,"m\u0065thod":"a"}"#).is_call);
    assert!(!refused(r#"{"id":1,"result":{"method":"a"},"error":"method"}"#).is_call);
    assert!(!refused("Listening on 3000").is_call);
}

#[test]
fn of_an_oversize_line_the_prefix_tells_the_id() {
    let tail = "x".repeat(1000);
    let prefix = format!(r#"{{"jsonrpc":"2.0","id":"q","method":"a","params":{{"a":"{tail}"#);
    let found = oversize(&prefix);
    assert_eq!((found.reason, found.offset), (Refusal::Oversize, prefix.len()));
    assert!(found.is_call);
    assert_eq!(id(found), Some("\"q\"".into()));
    let found = oversize(&format!(r#"{{"result":{{"id":1,"method":"x","t":["{{\"id\":2"],"u":"{tail}"#));
    assert!(!found.is_call);
    assert_eq!(id(found), None);
    let found = oversize(&format!(r#"{{"params":{{"id":1}},"method":"a","id":3,"x":"{tail}"#));
    assert!(found.is_call);
    assert_eq!(id(found), Some("3".into()));
}

#[test]
fn an_id_cut_by_the_end_of_the_prefix_is_not_guessed() {
    for prefix in [r#"{"id":12"#, r#"{"id":"ab"#, r#"{"id":"ab\"#, r#"{"id":"#, r#"{"id"#, r#"{"#, ""] {
        let found = oversize(prefix);
        assert_eq!(id(found), None, "{prefix}");
    }
    assert_eq!(id(oversize(r#"{"id":12,"#)), Some("12".into()));
    assert!(oversize(r#"{"method":"to"#).is_call);
}

#[test]
fn a_prefix_cut_inside_a_character_is_no_obstacle() {
    let line = r#"{"id":4,"method":"a","params":{"t":"é"#;
    let ends = LineEnds { prefix: &line.as_bytes()[..line.len() - 1], suffix: b"" };
    let found = Parser::refuse_oversize(ends, Direction::ToClient);
    assert_eq!(id(found), Some("4".into()));
}

#[test]
fn of_an_oversize_line_the_suffix_tells_an_id_that_stands_last() {
    let call = r#"{"method":"tools/call","params":{"name":"write","text":"aaaa"#;
    for (suffix, expected) in [
        (r#"aa"},"jsonrpc":"2.0","id":7}"#, "7"),
        (r#"aa"},"id":7}"#, "7"),
        (r#"aa"}, "id": "x-1", "jsonrpc": "2.0" }"#, "\"x-1\""),
        ("aa\"},\"id\":-3}\r", "-3"),
        (r#","id":7}"#, "7"),
    ] {
        let found = oversize_ends(call, suffix);
        assert!(found.is_call);
        assert_eq!(id(found), Some(expected.into()), "{suffix}");
    }
    let found = oversize_ends(r#"{"params":{"text":"aaaa"#, r#"aa"},"method":"tools/call","id":7}"#);
    assert!(found.is_call, "the method stands last as well");
    assert_eq!(id(found), Some("7".into()));
    let found = oversize_ends(r#"{"result":{"content":"aaaa"#, r#"aa"},"jsonrpc":"2.0","id":7}"#);
    assert!(!found.is_call);
    assert_eq!(id(found), Some("7".into()));
}

#[test]
fn what_is_not_surely_the_last_member_of_the_message_gives_no_id() {
    let call = r#"{"method":"tools/call","params":{"text":"aaaa"#;
    for suffix in [
        // In params, in a string, or in a text whose start is not seen.
        r#"aa","id":7}}"#,
        r#"aa,\"id\":7}"#,
        r#"aa,\"id\":7}"}}"#,
        r#"aa,\"id":7}"#,
        r#""id":7}"#,
        r#"id":7}"#,
        r#"aa"},{"id":7}"#,
        r#"aa"},"x\"id":7}"#,
        // Other members behind it, another name, or not the whole of it.
        r#"aa"},"id":7,"x":1}"#,
        r#"aa"},"id":7,"params":{}}"#,
        r#"aa"},"ID":7}"#,
        r#"aa"},"i\u0064":7}"#,
        r#"aa"},"id":7"#,
        r#"aa"},"id":7}]"#,
        r#"aa"},"id":07}"#,
        r#"aa"},"id":1.5}"#,
        r#"aa"},"id":null}"#,
        r#"aa"},"id":"a\"b"}"#,
        r#"aa"},"id":1,"id":2}"#,
        "",
    ] {
        assert_eq!(id(oversize_ends(call, suffix)), None, "{suffix}");
    }
    let ended = r#"{"method":"a"} {"params":"aaaa"#;
    assert_eq!(id(oversize_ends(ended, r#"aa","id":7}"#)), None, "the first message has ended");
    assert_eq!(id(oversize_ends(r#"[{"method":"a","params":"aaaa"#, r#"aa","id":7}"#)), None);
    let neither = r#"{"jsonrpc":"2.0","params":{"text":"aaaa"#;
    assert_eq!(id(oversize_ends(neither, r#"aa"},"id":7}"#)), None, "a call or an answer?");
}

#[test]
fn two_ends_that_disagree_about_the_id_give_none() {
    let call = |id: &str| format!(r#"{{"method":"a","id":{id},"params":{{"text":"aaaa"#);
    assert_eq!(id(oversize_ends(&call("1"), r#"aa"},"id":7}"#)), None);
    assert_eq!(id(oversize_ends(&call("null"), r#"aa"},"id":7}"#)), None);
    assert_eq!(id(oversize_ends(&call("1,\"id\":7"), r#"aa"},"id":7}"#)), None);
    assert_eq!(id(oversize_ends(&call("7"), r#"aa"},"id":7}"#)), Some("7".into()));
    assert_eq!(id(oversize_ends(&call("7"), r#"aa"}}"#)), Some("7".into()));
}

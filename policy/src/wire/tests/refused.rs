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
    Parser::refuse_oversize(prefix.as_bytes(), Direction::ToServer)
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
    let found = Parser::refuse_oversize(&line.as_bytes()[..line.len() - 1], Direction::ToClient);
    assert_eq!(id(found), Some("4".into()));
}

//! What is repaired, and that the decision sees the repaired text.

use super::*;
use crate::wire::Repairs;

fn repairs(line: impl AsRef<[u8]>, direction: Direction) -> Repairs {
    Parser::default().parse(line.as_ref(), direction, &Limits::of(direction)).unwrap().repairs
}

fn text(inside: &[u8]) -> Vec<u8> {
    [b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"t\":\"".as_slice(), inside, b"\"}}"].concat()
}

fn text_after(inside: &[u8], direction: Direction) -> String {
    let forwarded = parse(text(inside), direction).unwrap();
    let read: serde_json::Value = serde_json::from_str(&forwarded).unwrap();
    read["result"]["t"].as_str().unwrap().to_owned()
}

#[test]
fn separators_become_escapes_in_both_directions() {
    let line = text("a\u{2028}b\u{2029}c\u{85}d é\u{e1}\u{2014}😀".as_bytes());
    for direction in BOTH {
        let expected = String::from_utf8(text(br"a\u2028b\u2029c\u0085d ")).unwrap();
        let forwarded = parse(&line, direction).unwrap();
        assert!(forwarded.starts_with(expected.trim_end_matches("\"}}")), "{forwarded}");
        assert!(forwarded.contains("é\u{e1}\u{2014}😀"));
        assert_eq!(repairs(&line, direction), Repairs { separators: 3, ..Repairs::default() });
    }
}

#[test]
fn a_clean_line_is_forwarded_as_the_slice_it_came_in() {
    let line = text("é\u{2014}😀\u{a0}".as_bytes());
    let mut parser = Parser::default();
    let frame = parser.parse(&line, Direction::ToServer, &Limits::of(Direction::ToServer)).unwrap();
    assert!(std::ptr::eq(frame.bytes, line.as_slice()));
    assert_eq!(frame.repairs.total(), 0);
}

#[test]
fn a_separator_behind_a_backslash_does_not_become_an_escaped_backslash() {
    for separator in ["\u{2028}", "\u{2029}", "\u{85}"] {
        refused_both_ways(text(format!("\\{separator}").as_bytes()), Refusal::Syntax);
        refused_both_ways(text(format!("\\\\\\{separator}").as_bytes()), Refusal::Syntax);
        for direction in BOTH {
            assert_eq!(
                text_after(format!("\\\\{separator}").as_bytes(), direction),
                format!("\\{separator}")
            );
        }
    }
}

#[test]
fn a_separator_in_an_id_or_a_method_is_seen_by_the_decision() {
    refused_both_ways("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\u{85}\"}", Refusal::MethodForm);
    let line = "{\"jsonrpc\":\"2.0\",\"id\":\"\u{2028}\",\"result\":{}}";
    let mut parser = Parser::default();
    let frame = parser.parse(line.as_bytes(), Direction::ToServer, &Limits::of(Direction::ToServer)).unwrap();
    let crate::wire::Shape::Response { id, .. } = frame.shape else { panic!("{frame:?}") };
    assert_eq!(id.raw, br#""\u2028""#);
    assert_eq!(id.key(), crate::wire::IdKey::Text("\u{2028}".into()));
}

#[test]
fn a_raw_and_an_escaped_separator_make_the_same_key() {
    refused_both_ways(call("{\"\u{2028}\":1,\"\\u2028\":2}"), Refusal::DuplicateKey);
}

#[test]
fn invalid_utf8_is_replaced_to_the_client_and_refused_to_the_server() {
    for (inside, replaced, count) in [
        (b"caf\xe9".as_slice(), "caf\u{fffd}", 1),
        (b"\xc0\xaf", "\u{fffd}\u{fffd}", 2),
        (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}", 3),
        (b"\xf0\x9f\x98", "\u{fffd}", 1),
        (b"\xf5\xe2\x80\xa8x", "\u{fffd}\u{2028}x", 1),
    ] {
        assert_eq!(refusal(text(inside), Direction::ToServer), Some(Refusal::NotUtf8));
        assert_eq!(text_after(inside, Direction::ToClient), replaced);
        assert_eq!(repairs(text(inside), Direction::ToClient).utf8, count);
    }
}

#[test]
fn replacing_never_makes_a_key_that_was_there_before() {
    let line = [b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"\xe9\":1,\"\xe8\":2}}".as_slice()].concat();
    assert_eq!(refusal(line, Direction::ToClient), Some(Refusal::DuplicateKey));
    let line = r#"{"jsonrpc":"2.0","id":1,"result":{"\ud800":1,"\udfff":2}}"#;
    assert_eq!(refusal(line, Direction::ToClient), Some(Refusal::DuplicateKey));
}

#[test]
fn a_lone_surrogate_is_replaced_to_the_client_and_refused_to_the_server() {
    for (inside, replaced, count) in [
        (r"\ud83d", "\u{fffd}", 1),
        (r"\ude00x", "\u{fffd}x", 1),
        (r"\ud83d\ud83d\ude00", "\u{fffd}😀", 1),
        (r"\ud83d\u0041", "\u{fffd}A", 1),
        (r"\ud83d\\ude00", "\u{fffd}\\ude00", 1),
        (r"\uDE00\uD83D", "\u{fffd}\u{fffd}", 2),
        (r"\\ud83d\ud83d", "\\ud83d\u{fffd}", 1),
        (r#"\ud83d\""#, "\u{fffd}\"", 1),
    ] {
        let line = text(inside.as_bytes());
        assert_eq!(refusal(&line, Direction::ToServer), Some(Refusal::LoneSurrogate), "{inside}");
        assert_eq!(text_after(inside.as_bytes(), Direction::ToClient), replaced);
        assert_eq!(parse(&line, Direction::ToClient).unwrap().len(), line.len());
        assert_eq!(repairs(&line, Direction::ToClient).surrogates, count);
    }
}

#[test]
fn an_escaped_backslash_before_u_is_no_surrogate() {
    for direction in BOTH {
        assert_eq!(text_after(br"\\ud83d", direction), "\\ud83d");
        assert_eq!(repairs(text(br"\\ud83d"), direction), Repairs::default());
    }
}

#[test]
fn all_repairs_can_meet_in_one_line() {
    let line = text(b"\xe2\x80\xa8\\ud83d\xff\r".strip_suffix(b"\r").unwrap());
    let line = [line.as_slice(), b"\r"].concat();
    assert_eq!(repairs(&line, Direction::ToClient), Repairs { separators: 1, surrogates: 1, utf8: 1 });
    let forwarded = parse(&line, Direction::ToClient).unwrap();
    assert!(forwarded.ends_with("\\u2028\\ufffd\u{fffd}\"}}\r"), "{forwarded}");
}

#[test]
fn a_separator_outside_of_strings_is_refused() {
    refused_both_ways("{\"jsonrpc\":\"2.0\",\u{2028}\"id\":1,\"result\":{}}", Refusal::Syntax);
    refused_both_ways("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\u{85}", Refusal::TrailingGarbage);
}

#[test]
fn buffers_of_a_large_frame_are_given_back() {
    let mut parser = Parser::default();
    let members: Vec<String> = (0..60_000).map(|i| format!(r#""\u006b{i}":"{}""#, "\u{2028}")).collect();
    let line = call(&format!("{{{}}}", members.join(",")));
    let frame = parser.parse(line.as_bytes(), Direction::ToServer, &Limits::of(Direction::ToServer)).unwrap();
    assert_eq!(frame.repairs.separators, 60_000);
    assert!(parser.held_bytes() > 4 << 20, "{}", parser.held_bytes());
    parser.shrink();
    assert!(parser.held_bytes() < 1 << 20, "{}", parser.held_bytes());
    let line = call("{}");
    assert!(parser.parse(line.as_bytes(), Direction::ToServer, &Limits::of(Direction::ToServer)).is_ok());
    let kept = parser.held_bytes();
    parser.shrink();
    assert_eq!(parser.held_bytes(), kept);
}

#[test]
fn keys_of_closed_objects_take_no_memory() {
    let mut parser = Parser::default();
    let mut held_bytes = |objects: usize| {
        let objects = vec![r#"{"\u006bey-one":[],"\u006bey-two":[]}"#; objects].join(",");
        let line = call(&format!(r#"{{"v":[{objects}]}}"#));
        parser.parse(line.as_bytes(), Direction::ToServer, &Limits::of(Direction::ToServer)).unwrap();
        parser.held_key_bytes()
    };
    assert_eq!(held_bytes(10), held_bytes(10_000));
}

//! Reading a frame.

use super::*;
use crate::wire::{Frame, Id, IdKey, Node, NodeKind, TokenKind};

fn with_frame<T>(line: &str, look: impl FnOnce(&Frame<'_>) -> T) -> T {
    let mut parser = Parser::default();
    look(&parser.parse(line.as_bytes(), Direction::ToClient, &Limits::of(Direction::ToClient)).unwrap())
}

fn result(value: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{value}}}"#)
}

#[test]
fn members_are_found_by_their_decoded_key() {
    with_frame(&call(r#"{"p\u0061th":"a\nb","n":-1.50,"t":true,"z":null,"f":false}"#), |frame| {
        let arguments = frame.get(frame.body().unwrap(), "arguments").unwrap();
        let get = |key| frame.get(arguments, key).unwrap();
        assert_eq!(frame.text(get("path")).unwrap(), "a\nb");
        assert_eq!(frame.text(get("n")), None);
        assert_eq!(&frame.bytes[frame.span(get("n"))], b"-1.50");
        assert_eq!(frame.boolean(get("t")), Some(true));
        assert_eq!(frame.boolean(get("f")), Some(false));
        assert_eq!(frame.boolean(get("z")), None);
        assert_eq!(frame.get(arguments, "p"), None);
        assert_eq!(frame.get(get("path"), "x"), None);
        let kinds = ["path", "n", "t", "z"].map(|key| frame.kind(get(key)));
        assert_eq!(kinds, [NodeKind::String, NodeKind::Number, NodeKind::Bool, NodeKind::Null]);
        assert_eq!(
            (frame.kind(arguments), frame.span(frame.root())),
            (NodeKind::Object, 0..frame.bytes.len())
        );
    });
}

#[test]
fn members_and_elements_come_in_order_and_step_over_what_is_inside() {
    let value = r#"{"a":[[1,2,3,4,5,6,7,8,9,10],{"x":{"y":[]}},"s"],"b":{},"\u0063":"d"}"#;
    with_frame(&result(value), |frame| {
        let body = frame.body().unwrap();
        let members: Vec<_> =
            frame.members(body).map(|(key, token, node)| (key, token.kind, frame.kind(node))).collect();
        assert_eq!(
            members,
            [
                ("a".into(), TokenKind::Key, NodeKind::Array),
                ("b".into(), TokenKind::Key, NodeKind::Object),
                ("c".into(), TokenKind::Key, NodeKind::String),
            ]
        );
        let array = frame.get(body, "a").unwrap();
        let elements: Vec<_> = frame.elements(array).map(|node| frame.kind(node)).collect();
        assert_eq!(elements, [NodeKind::Array, NodeKind::Object, NodeKind::String]);
        assert_eq!(frame.elements(body).count(), 0);
        assert_eq!(frame.members(array).count(), 0);
        let inner = frame.elements(array).nth(1).unwrap();
        let kinds: Vec<_> = frame.tokens_within(inner).iter().map(|token| token.kind).collect();
        use TokenKind::{Array, Key, Object};
        assert_eq!(kinds, [Object, Key, Object, Key, Array]);
    });
}

#[test]
fn short_numbers_and_words_deep_in_arrays_are_left_out_and_nothing_else() {
    let value = r#"{"p":[1,{"q":[1,-12345,123456,1234567,true,null,"s",[2],{"n":1}]}]}"#;
    with_frame(&result(value), |frame| {
        let texts: Vec<_> = frame
            .tape
            .iter()
            .filter(|token| token.depth > 2 && !matches!(token.kind, TokenKind::Object | TokenKind::Array))
            .map(|token| frame.token_text(token).into_owned())
            .collect();
        assert_eq!(texts, ["1", "q", "1234567", "s", "n", "1"]);
    });
}

#[test]
fn tokens_know_place_depth_and_escapes() {
    let line = result(r#"{"k\n":["v"]}"#);
    with_frame(&line, |frame| {
        let tokens: Vec<_> = frame.tape.iter().skip(6).collect();
        let raw: Vec<_> = tokens.iter().map(|t| &line[t.start as usize..t.end as usize]).collect();
        assert_eq!(raw, [r#"{"k\n":["v"]}"#, r#""k\n""#, r#"["v"]"#, r#""v""#]);
        assert_eq!(tokens.iter().map(|t| t.depth).collect::<Vec<_>>(), [1, 2, 2, 3]);
        assert_eq!(tokens.iter().map(|t| t.escaped).collect::<Vec<_>>(), [false, true, false, false]);
    });
}

#[test]
fn a_pointer_names_the_value_that_holds_a_byte() {
    let line = result(r#"{"a/b":{"~c":["x",[0,1,2,"secret"],-7,{"é\u0064":"y"}]},"e":[[[9,8,[true,12]]]]}"#);
    with_frame(&line, |frame| {
        let at = |text: &str| frame.pointer(line.find(text).unwrap() + text.len() / 2);
        assert_eq!(at("secret"), "/result/a~1b/~0c/1/3");
        assert_eq!(at("\"x\""), "/result/a~1b/~0c/0");
        assert_eq!(at("\"y\""), "/result/a~1b/~0c/3/éd");
        assert_eq!(at("-7"), "/result/a~1b/~0c/2");
        assert_eq!(at("12"), "/result/e/0/0/2/1");
        assert_eq!(at("true"), "/result/e/0/0/2/0");
        assert_eq!(frame.pointer(0), "");
        assert_eq!(at("\"a/b\""), "/result");
        assert_eq!(frame.pointer(line.len() + 5), "");
        for offset in 0..line.len() {
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(read.pointer(&frame.pointer(offset)).is_some(), "{offset}");
        }
    });
}

#[test]
fn offsets_hold_at_the_end_of_the_largest_frame() {
    let filler = "x".repeat((32 << 20) - 100);
    let line = result(&format!(r#"["{filler}",7654321,"end"]"#));
    with_frame(&line, |frame| {
        let last: Vec<_> = frame.elements(frame.body().unwrap()).collect();
        assert_eq!(&frame.bytes[frame.span(last[1])], b"7654321");
        assert_eq!(frame.text(last[2]).unwrap(), "end");
        assert_eq!(frame.pointer(line.rfind("end").unwrap()), "/result/2");
    });
}

#[test]
fn ids_are_told_apart_by_type_and_compared_decoded() {
    let key = |raw: &str| Id { raw: raw.as_bytes() }.key();
    assert_eq!(key("1"), IdKey::Number(1));
    assert_eq!(key("-9007199254740991"), IdKey::Number(-9_007_199_254_740_991));
    assert_eq!(key("\"1\""), IdKey::Text("1".into()));
    assert_eq!(key(r#""\u0061""#), key("\"a\""));
    assert_ne!(key("1"), key("\"1\""));
    for odd in ["", "\"", "1.0", "null", "\"\\"] {
        assert!(matches!(key(odd), IdKey::Text(_)));
    }
}

#[test]
fn a_node_of_another_frame_reads_as_nothing() {
    with_frame(&result("{}"), |frame| {
        let far = Node(1000);
        assert_eq!((frame.kind(far), frame.text(far), frame.get(far, "a")), (NodeKind::Null, None, None));
        assert_eq!((frame.span(far), frame.tokens_within(far).len()), (0..0, 0));
        assert_eq!((frame.members(far).count(), frame.elements(far).count()), (0, 0));
    });
}

#[test]
fn debug_shows_no_content() {
    with_frame(&call(r#"{"token":"ghp_SECRET"}"#), |frame| {
        let shown = format!("{frame:?}");
        assert!(!shown.contains("SECRET") && !shown.contains("token"), "{shown}");
    });
}

use super::*;

fn refusal(text: &[u8]) -> String {
    Document::parse(text, Format::Json)
        .err()
        .map_or_else(|| "accepted".to_owned(), |malformed| malformed.to_string())
}

#[test]
fn what_json_allows_is_accepted() {
    for text in [
        "",
        " \r\n\t",
        "\u{feff}",
        "{}",
        "[]",
        "null",
        "-0.5e+10",
        "\"\\u00e9\\ud83d\"",
        "[[],[{}],{\"a\":[]}]",
        "{\"a\":1,\"a\":2}",
        "0",
        "1E5",
        "\"\u{7f}\u{2028}\"",
    ] {
        assert_eq!(refusal(text.as_bytes()), "accepted", "{text:?}");
    }
}

#[test]
fn what_editors_allow_in_configs_is_accepted() {
    for text in [
        "\u{feff}// head\n{ /* a */ \"a\" /* b */ : /* c */ [1, 2, /* d */ ], // e\r\n } // f",
        "{\"a\": 1,}",
        "[1,]",
        "/**/{}",
        "// only a comment",
        "/***/[/*]*/]",
    ] {
        assert_eq!(refusal(text.as_bytes()), "accepted", "{text:?}");
    }
}

#[test]
fn a_malformed_text_is_refused_with_its_place() {
    for (text, place) in [
        (&b"{\n  \"a\": 1\n  \"b\": 2\n}"[..], "line 3, column 3: expected `,` or `}`"),
        (b"{\"a\": [1 2]}", "line 1, column 10: expected `,` or `]`"),
        (b"{\"a\": 1", "line 1, column 8: the document ends inside of an object or array"),
        (b"{", "line 1, column 2: the document ends inside of an object"),
        (b"{\"a\":\r\n\"b}", "line 2, column 4: the document ends inside of a string"),
        (
            b"{\"a\": \"x\ny\"}",
            "line 1, column 9: a string holds a bare control character (a missing quote?)",
        ),
        ("{\"ä\": tru}".as_bytes(), "line 1, column 7: expected a value"),
        ("\u{feff}{a: 1}".as_bytes(), "line 1, column 2: expected a key in double quotes"),
        (b"{} {}", "line 1, column 4: something follows the end of the document"),
        (b"[,]", "line 1, column 2: expected a value"),
        (b"[1,,]", "line 1, column 4: expected a value"),
        (b"{,}", "line 1, column 2: expected a key in double quotes"),
        (b"[01]", "line 1, column 3: expected `,` or `]`"),
        (b"[1.]", "line 1, column 4: expected a digit"),
        (b"[-]", "line 1, column 3: expected a digit"),
        (b"['a']", "line 1, column 2: expected a value"),
        (b"[\"\\x41\"]", "line 1, column 3: unknown escape in a string"),
        (b"[\"\\u12g4\"]", "line 1, column 3: `\\u` needs four hexadecimal digits"),
        (b"/* {}", "line 1, column 1: this comment does not end"),
        (b"[1}", "line 1, column 3: expected `,` or `]`"),
        (b"{\"a\" 1}", "line 1, column 6: expected `:`"),
        (b"[\"\xff\"]", "line 1, column 3: this byte is not UTF-8"),
        (b"\xff\xfe{\0}\0", "line 1, column 1: this is UTF-16, not UTF-8"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "line 1, column 1: expected a value"),
        (b"{}\0", "line 1, column 3: something follows the end of the document"),
    ] {
        assert_eq!(refusal(text), place, "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn depth_has_no_end_and_costs_no_stack() {
    let deep = [vec![b'['; 1_000_000], vec![b']'; 1_000_000]].concat();
    assert_eq!(refusal(&deep), "accepted");
    let unclosed = vec![b'['; 1_000_000];
    assert!(refusal(&unclosed).contains("the document ends"));
}

#[test]
fn members_and_items_are_found_between_comments() {
    let text = "\u{feff}{ /* x: { */ \"\\u0061\" : [ 1 , /* , */ \"]\" , { } , ] , \"b\":{\"c\":null},\"\\ud800\":1, }";
    let document = Document::parse(text.as_bytes(), Format::Json).unwrap();
    let members = document.members(&document.root().unwrap()).unwrap();
    let seen: Vec<_> = members.iter().map(|m| (m.name.as_deref(), document.raw(&m.value))).collect();
    assert_eq!(
        seen,
        [(Some("a"), "[ 1 , /* , */ \"]\" , { } , ]"), (Some("b"), "{\"c\":null}"), (None, "1"),]
    );
    let items = document.items(&members[0].value).unwrap();
    let raw: Vec<_> = items.iter().map(|item| document.raw(item)).collect();
    assert_eq!(raw, ["1", "\"]\"", "{ }"]);
    assert!(document.items(&members[1].value).is_none());
    assert!(document.members(&members[0].value).is_none());
}

#[test]
fn every_cut_of_a_document_is_refused_or_blank() {
    let text = "{\"a\": [1, {\"b\": \"c\\n\"}, true], /* d */ \"e\": -1.5e3}";
    for end in 1..text.len() {
        assert_ne!(refusal(&text.as_bytes()[..end]), "accepted", "{}", &text[..end]);
    }
}

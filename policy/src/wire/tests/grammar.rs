//! JSON, as strict as its strictest reader.

use super::*;

/// `value` as an argument.
fn argument(value: &str) -> String {
    call(&format!(r#"{{"v":{value}}}"#))
}

#[test]
fn every_kind_of_json_value_passes_unchanged() {
    for value in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1.5e-7",
        "1E+5",
        "12345678901234567890123",
        "0.1000000000000000055511151231257827",
        r#""""#,
        r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#,
        "\"\u{7f}é😀\"",
        "[]",
        "{}",
        "[ [ ] , { } ]",
        r#"{"a":[{"b":[1,"2",null]}],"":0}"#,
    ] {
        forwarded_both_ways(argument(value));
    }
}

#[test]
fn numbers_of_other_languages_are_refused() {
    for value in [
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "01",
        "-01",
        "00",
        "1.",
        "1.e5",
        ".5",
        "+1",
        "0x10",
        "0X1",
        "1e",
        "1e+",
        "1E-",
        "1_000",
        "1.2.3",
        "1-2",
        "1f",
        "--1",
    ] {
        refused_both_ways(argument(value), Refusal::NumberForm);
    }
}

#[test]
fn a_number_that_overflows_a_double_is_refused() {
    let digits = "1".repeat(310);
    let rounds_down = "1.7976931348623158e308";
    // serde_json overflows here, unless it is built to read each number back as it was (`float_roundtrip`).
    assert_eq!(rounds_down.parse::<f64>(), Ok(f64::MAX));
    for value in ["1e400", "-1e309", "1e99999999999999999999", "1.8e308", rounds_down, &digits] {
        refused_both_ways(argument(value), Refusal::NumberRange);
    }
}

#[test]
fn a_number_at_the_edge_of_a_double_passes() {
    let digits = "1".repeat(309);
    let tiny = format!("0.{}1", "0".repeat(5000));
    for value in ["1.7976931348623157e308", "-1.7976931348623157E+308", "1e-400", "0e999999", &digits, &tiny]
    {
        forwarded_both_ways(argument(value));
    }
}

#[test]
fn a_mistake_of_syntax_is_refused() {
    for value in [
        "",
        ",",
        "tru",
        "nul",
        "True",
        "Nope",
        "undefined",
        "'a'",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{\"a\":1]",
        "{\"a\" 1}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{,}",
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        r#""\U0041""#,
        "/*c*/1",
        "1//c",
    ] {
        refused_both_ways(argument(value), Refusal::Syntax);
    }
}

#[test]
fn a_line_cut_anywhere_is_refused() {
    let line = call(r#"{"a":[1,"b\u0041",{"c":true}]}"#);
    for end in 1..line.len() {
        assert!(parse(&line[..end], Direction::ToServer).is_err(), "{}", &line[..end]);
        assert!(parse(&line[..end], Direction::ToClient).is_err(), "{}", &line[..end]);
    }
}

#[test]
fn a_duplicate_key_is_refused_at_any_depth() {
    for arguments in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"\u0061":1,"\u0061":2}"#,
        r#"{"\n":1,"\u000a":2}"#,
        r#"{"":1,"":2}"#,
        r#"{"x":[[{"a":1,"b":{"a":1},"a":2}]]}"#,
        r#"{"😀":1,"\ud83d\ude00":2}"#,
    ] {
        refused_both_ways(call(arguments), Refusal::DuplicateKey);
    }
}

#[test]
fn the_same_key_in_different_objects_is_no_duplicate() {
    forwarded_both_ways(call(r#"{"a":{"a":{"a":1},"b":{"a":2}},"A":0,"b":[{"a":1},{"a":1}]}"#));
}

#[test]
fn a_duplicate_is_found_among_thousands_of_keys_wherever_it_stands() {
    for count in [15, 16, 17, 18, 3000] {
        let keys: Vec<String> =
            (0..count).map(|i| if i % 3 == 0 { format!("\\u006b{i}") } else { format!("k{i}") }).collect();
        let object = |keys: &[String]| {
            let members: Vec<String> = keys.iter().map(|key| format!(r#""{key}":{{"k1":0}}"#)).collect();
            call(&format!("{{{}}}", members.join(",")))
        };
        forwarded_both_ways(object(&keys));
        for twice in [0, 1, count / 2, count - 1] {
            for at in [0, count / 2, count] {
                let mut doubled = keys.clone();
                doubled.insert(at, format!("k{twice}"));
                refused_both_ways(object(&doubled), Refusal::DuplicateKey);
            }
        }
    }
}

#[test]
fn a_raw_control_character_in_a_string_is_refused() {
    for control in (0u8..0x20).filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        let line = argument(&format!("\"{}{}\"", "x".repeat(100), char::from(control)));
        refused_both_ways(line, Refusal::ControlCharacter);
    }
}

#[test]
fn a_raw_control_character_outside_of_strings_is_refused_unless_it_is_a_tab() {
    for control in (0u8..0x20).filter(|byte| !matches!(byte, b'\n' | b'\r' | b'\t')) {
        refused_both_ways(argument(&format!("{}1", char::from(control))), Refusal::Syntax);
    }
    forwarded_both_ways(argument("\t1 "));
}

#[test]
fn a_carriage_return_inside_the_line_is_refused_wherever_it_stands() {
    let line = call(r#"{"a":"b"}"#);
    for at in 0..line.len() {
        let mut with_cr = line.clone();
        with_cr.insert(at, '\r');
        refused_both_ways(with_cr, Refusal::BareCr);
    }
    refused_both_ways(format!("{line}\r\r"), Refusal::BareCr);
    refused_both_ways(format!("{line}\r "), Refusal::BareCr);
}

#[test]
fn one_carriage_return_at_the_end_stays_in_the_frame() {
    forwarded_both_ways(format!("{}\r", call("{}")));
    forwarded_both_ways(format!(" \t{}\t \r", call("{}")));
}

#[test]
fn a_line_feed_inside_the_line_is_refused() {
    let line = call(r#"{"a":"b"}"#);
    for at in 0..=line.len() {
        let mut with_lf = line.clone();
        with_lf.insert(at, '\n');
        refused_both_ways(with_lf, Refusal::LineFeed);
    }
}

#[test]
fn a_blank_line_is_empty() {
    for line in ["", " ", "\t  ", "\r", "  \r"] {
        refused_both_ways(line, Refusal::Empty);
    }
}

#[test]
fn a_line_that_is_no_object_says_so() {
    for line in [
        "Listening on port 3000",
        "[INFO] started",
        "[12:00] started",
        "[1,2]",
        "42",
        "null",
        "\"text\"",
        "\u{a0}{}",
        "}",
    ] {
        refused_both_ways(line, Refusal::NotAnObject);
    }
}

#[test]
fn a_batch_is_refused_empty_and_nested_too() {
    for line in ["[]", "[ ]", "[[]]", "[[{\"id\":1}]]", "[{\"jsonrpc\":\"2.0\"}]", " [ {"] {
        refused_both_ways(line, Refusal::Batch);
    }
}

#[test]
fn something_behind_the_message_is_refused() {
    for tail in ["{}", " x", "\0", ",", "}", "]", " \u{b}", "\u{feff}"] {
        refused_both_ways(format!("{}{tail}", call("{}")), Refusal::TrailingGarbage);
    }
}

#[test]
fn a_byte_order_mark_is_refused() {
    refused_both_ways(format!("\u{feff}{}", call("{}")), Refusal::Bom);
}

#[test]
fn nesting_passes_up_to_the_limit_and_not_beyond() {
    // Envelope, params and arguments are three levels themselves.
    for (direction, levels) in [(Direction::ToServer, 64), (Direction::ToClient, 127)] {
        let nested = |levels: usize| {
            let inner = levels - 3;
            call(&format!(r#"{{"v":{}{}}}"#, "[".repeat(inner), "]".repeat(inner)))
        };
        let deepest = parse(nested(levels), direction).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&deepest).is_ok());
        assert_eq!(refusal(nested(levels + 1), direction), Some(Refusal::TooDeep));
    }
    let too_deep_for_serde = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert!(serde_json::from_str::<serde_json::Value>(&too_deep_for_serde).is_err());
}

#[test]
fn values_are_counted_up_to_the_limit() {
    let limits = Limits { values_max: 9, ..Limits::of(Direction::ToServer) };
    let mut parser = Parser::default();
    let mut reason = |arguments: &str| {
        let line = call(arguments);
        parser.parse(line.as_bytes(), Direction::ToServer, &limits).err().map(|refused| refused.reason)
    };
    assert_eq!(reason(r#"{"a":1,"b":2}"#), None);
    assert_eq!(reason(r#"{"a":1,"b":2,"c":3}"#), Some(Refusal::TooManyValues));
    assert_eq!(reason(r#"{"a":[1,2,3,4,5,6,7,8,9,10,true,null]}"#), None);
    assert_eq!(reason(r#"{"a":["1","2"]}"#), Some(Refusal::TooManyValues));
}

#[test]
fn a_line_over_the_limit_is_refused_also_if_escapes_made_it_so() {
    let limits = Limits { frame_bytes_max: 200, ..Limits::of(Direction::ToServer) };
    let mut parser = Parser::default();
    let mut reason = |text: &str| {
        let line = argument(&format!("\"{text}\""));
        parser.parse(line.as_bytes(), Direction::ToServer, &limits).err().map(|refused| refused.reason)
    };
    assert_eq!(reason(&"x".repeat(100)), None);
    assert_eq!(reason(&"x".repeat(200)), Some(Refusal::Oversize));
    assert_eq!(reason(&"\u{2028}".repeat(15)), None);
    assert_eq!(reason(&"\u{2028}".repeat(30)), Some(Refusal::Oversize));
}

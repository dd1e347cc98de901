//! The envelope has exactly one shape, and nothing in it looks like something else.

use super::*;
use crate::wire::{Outcome, Shape};

fn message(members: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0",{members}}}"#)
}

fn with_id(id: &str) -> String {
    message(&format!(r#""id":{id},"method":"ping""#))
}

#[test]
fn the_four_shapes_are_told_apart() {
    let mut parser = Parser::default();
    let mut shape = |members: &str| {
        let line = message(members);
        let frame =
            parser.parse(line.as_bytes(), Direction::ToServer, &Limits::of(Direction::ToServer)).unwrap();
        match frame.shape {
            Shape::Request { id, method, params } => format!("{:?} {method} {}", id.key(), params.is_some()),
            Shape::Notification { method, params } => format!("{method} {}", params.is_some()),
            Shape::Response { id, outcome: Outcome::Result(_) } => format!("result {:?}", id.key()),
            Shape::Response { id, outcome: Outcome::Error(_) } => format!("error {:?}", id.key()),
        }
    };
    assert_eq!(shape(r#""id":7,"method":"tools\/list""#), "Number(7) tools/list false");
    assert_eq!(shape(r#""id":"\u0061","method":"x","params":{}"#), r#"Text("a") x true"#);
    assert_eq!(shape(r#""method":"notifications/x","params":null"#), "notifications/x false");
    assert_eq!(shape(r#""id":-1,"result":null"#), "result Number(-1)");
    assert_eq!(shape(r#""id":"1","error":{"code":-32000}"#), r#"error Text("1")"#);
}

#[test]
fn more_than_one_shape_or_none_is_refused() {
    for members in [
        r#""id":1"#,
        r#""id":1,"params":{}"#,
        r#""id":1,"method":"ping","result":{}"#,
        r#""id":1,"method":"ping","error":{}"#,
        r#""id":1,"method":"ping","error":null"#,
        r#""id":1,"result":{},"error":null"#,
        r#""id":1,"result":null,"error":{"code":1}"#,
        r#""id":1,"result":{},"params":{}"#,
        r#""id":1,"error":{"code":1},"params":null"#,
    ] {
        refused_both_ways(message(members), Refusal::Shape);
    }
}

#[test]
fn any_version_but_the_string_two_is_refused() {
    for line in [
        r#"{"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":null,"id":1,"method":"ping"}"#,
        r#"{"level":"info","msg":"started"}"#,
    ] {
        let to_client = refusal(line, Direction::ToClient);
        assert_eq!(to_client, Some(Refusal::JsonrpcVersion), "{line}");
    }
    forwarded_both_ways(r#"{"jsonrpc":"\u0032.0","id":1,"method":"ping"}"#);
}

#[test]
fn an_id_is_a_short_string_or_an_integer_that_every_reader_keeps() {
    let longest = format!("\"{}\"", "é".repeat(128));
    for id in ["0", "1", "-1", "9007199254740991", "-9007199254740991", r#""""#, r#""1""#, &longest] {
        forwarded_both_ways(with_id(id));
    }
    let too_long = format!("\"{}\"", "é".repeat(129));
    for id in [
        "null",
        "true",
        "{}",
        "[1]",
        "1.0",
        "1e2",
        "1E0",
        "-0",
        "9007199254740992",
        "-9007199254740992",
        "18446744073709551616",
        &too_long,
    ] {
        refused_both_ways(with_id(id), Refusal::IdForm);
        refused_both_ways(message(&format!(r#""id":{id},"result":{{}}"#)), Refusal::IdForm);
    }
}

#[test]
fn the_length_of_an_id_is_that_of_its_decoded_text() {
    forwarded_both_ways(with_id(&format!("\"{}\"", "\\u0061".repeat(256))));
    refused_both_ways(with_id(&format!("\"{}\"", "\\u0061".repeat(257))), Refusal::IdForm);
}

#[test]
fn our_own_prefix_is_refused_in_requests_and_passes_in_answers() {
    refused_both_ways(with_id(r#""stockade:1""#), Refusal::IdReserved);
    refused_both_ways(with_id(r#""\u0073tockade:""#), Refusal::IdReserved);
    forwarded_both_ways(with_id(r#""stockade""#));
    forwarded_both_ways(message(r#""id":"stockade:1","result":{}"#));
    forwarded_both_ways(message(r#""id":"stockade:1","error":{"code":1,"message":"x"}"#));
}

#[test]
fn a_notification_has_no_id_and_everything_else_has_one() {
    refused_both_ways(message(r#""id":1,"method":"notifications/x""#), Refusal::NotificationWithId);
    refused_both_ways(message(r#""id":null,"method":"notifications/x""#), Refusal::NotificationWithId);
    refused_both_ways(message(r#""method":"tools/call""#), Refusal::CallWithoutId);
    refused_both_ways(message(r#""method":"Notifications/vendor""#), Refusal::CallWithoutId);
    refused_both_ways(message(r#""result":{}"#), Refusal::ResponseWithoutId);
    refused_both_ways(message(r#""error":{"code":1}"#), Refusal::ResponseWithoutId);
}

#[test]
fn a_key_that_folds_to_one_of_the_envelope_is_refused() {
    for key in [
        "Id",
        "ID",
        "METHOD",
        "Method",
        "JSONRPC",
        "param\u{17f}",
        "re\u{17f}ult",
        "\u{131}d",
        "Error",
        "\\u0049d",
        "param\\u017f",
    ] {
        refused_both_ways(message(&format!(r#""id":1,"method":"ping","{key}":0"#)), Refusal::EnvelopeKey);
    }
}

#[test]
fn an_unknown_key_of_the_envelope_passes_to_the_client_alone() {
    let line = message(r#""id":1,"result":{},"x_vendor":{"a":1}"#);
    assert_eq!(refusal(&line, Direction::ToServer), Some(Refusal::EnvelopeKey));
    assert_eq!(parse(&line, Direction::ToClient), Ok(line));
}

#[test]
fn a_key_of_params_that_folds_to_a_known_one_is_refused() {
    for key in [
        "Name",
        "NAME",
        "Arguments",
        "URI",
        "_Meta",
        "Cursor",
        "Ref",
        "requestid",
        "RequestID",
        "progresstoken",
        "progre\u{df}Token",
        "taskid",
        "ta\u{17f}k",
        "tas\u{212a}",
        "inputresponses",
        "requeststate",
        "Messages",
        "LEVEL",
        "ar\\u0047ument",
    ] {
        let line = message(&format!(r#""id":1,"method":"ping","params":{{"{key}":0}}"#));
        refused_both_ways(line, Refusal::ParamsKey);
    }
}

#[test]
fn known_keys_of_params_pass_and_so_do_lookalikes_deeper_down() {
    let known: Vec<String> =
        crate::wire::names::PARAMS.iter().map(|key| format!(r#""{key}":{{}}"#)).collect();
    forwarded_both_ways(message(&format!(r#""id":1,"method":"ping","params":{{{}}}"#, known.join(","))));
    forwarded_both_ways(call(r#"{"Name":1,"NAME":2,"URI":3,"__proto__":4,"constructor":5}"#));
    forwarded_both_ways(message(r#""id":1,"result":{"Name":1}"#));
}

#[test]
fn proto_is_refused_in_the_envelope_and_in_params() {
    refused_both_ways(message(r#""id":1,"method":"ping","__proto__":{}"#), Refusal::ProtoKey);
    refused_both_ways(message(r#""id":1,"method":"ping","params":{"__proto__":{}}"#), Refusal::ProtoKey);
    refused_both_ways(message(r#""id":1,"method":"ping","params":{"\u005f_proto__":{}}"#), Refusal::ProtoKey);
    refused_both_ways(message(r#""id":1,"result":{},"__proto__":{}"#), Refusal::ProtoKey);
}

#[test]
fn a_method_that_only_looks_like_a_known_one_is_refused() {
    for method in [
        "1",
        "null",
        "{}",
        r#""""#,
        r#""Tools/call""#,
        r#""TOOLS/CALL""#,
        r#""toolſ/call""#,
        r#""tas\u212as/get""#,
        r#""logging/setlevel""#,
        r#"" tools/call""#,
        r#""tools/call ""#,
        r#""tools/call\u00a0""#,
        r#""\ufefftools/call""#,
        r#""tools/call\n""#,
        r#""tools\u0000/call""#,
        r#""vendor\u007f/thing""#,
        r#""\u2028x""#,
    ] {
        refused_both_ways(message(&format!(r#""id":1,"method":{method}"#)), Refusal::MethodForm);
    }
}

#[test]
fn every_known_method_and_any_other_name_pass() {
    for method in crate::wire::methods::ALL.into_iter().flatten().chain(&["vendor/Thing", "é", "tools call"])
    {
        let id = if method.starts_with("notifications/") { "" } else { r#""id":1,"# };
        forwarded_both_ways(message(&format!(r#"{id}"method":"{method}""#)));
    }
}

#[test]
fn params_are_an_object_or_null() {
    for params in ["1", "true", r#""x""#, "[]", "[{}]"] {
        refused_both_ways(
            message(&format!(r#""id":1,"method":"ping","params":{params}"#)),
            Refusal::ParamsForm,
        );
    }
    forwarded_both_ways(message(r#""id":1,"method":"ping","params":null"#));
}

#[test]
fn an_error_is_an_object_and_to_the_server_its_code_is_an_integer() {
    for error in ["null", "1", r#""x""#, "[]", "true"] {
        refused_both_ways(message(&format!(r#""id":1,"error":{error}"#)), Refusal::ErrorForm);
    }
    for error in [r#"{"code":"x"}"#, r#"{"code":1.0}"#, r#"{"code":1e3}"#, r#"{"code":null}"#, "{}"] {
        let line = message(&format!(r#""id":1,"error":{error}"#));
        assert_eq!(refusal(&line, Direction::ToServer), Some(Refusal::ErrorForm), "{line}");
        assert_eq!(parse(&line, Direction::ToClient), Ok(line));
    }
    forwarded_both_ways(message(r#""id":1,"error":{"message":"x","code":-32603}"#));
}

#[test]
fn what_only_looks_like_a_part_of_a_reference_is_refused() {
    for reference in [
        r#"{"type":"ref/prompt","Name":"a"}"#,
        r#"{"type":"ref/prompt","name":"a","NAME":"b"}"#,
        r#"{"Type":"ref/prompt","type":"ref/resource","uri":"x:y"}"#,
        r#"{"type":"ref/resource","URI":"x:y"}"#,
        r#"{"type":"ref/resource","ur\u0131":"x:y"}"#,
        r#"{"type":"Ref/prompt","name":"a"}"#,
        r#"{"type":"ref/PROMPT","name":"a"}"#,
        r#"{"type":"ref/re\u017fource","uri":"x:y"}"#,
    ] {
        let params = format!(r#"{{"ref":{reference}}}"#);
        refused_both_ways(
            message(&format!(r#""id":1,"method":"completion/complete","params":{params}"#)),
            Refusal::ParamsKey,
        );
    }
    let proto = r#""id":1,"method":"completion/complete","params":{"ref":{"__proto__":{}}}"#;
    refused_both_ways(message(proto), Refusal::ProtoKey);
    for reference in [
        r#"{"type":"ref/prompt","name":"a","title":"T"}"#,
        r#"{"type":"ref/resource","uri":"x:y"}"#,
        r#"{"type":"ref/vendor"}"#,
        r#""ref/prompt""#,
        "null",
    ] {
        let params = format!(r#"{{"ref":{reference},"argument":{{"Name":1}}}}"#);
        forwarded_both_ways(message(&format!(r#""id":1,"method":"completion/complete","params":{params}"#)));
    }
}

//! What becomes of each hostile or odd line of `tests/cases/wire.toml`, in both directions.

use serde_json::Value as Json;
use stockade_policy::wire::{Direction, Frame, Limits, Parser, Refused};
use toml::de::{DeTable, DeValue};

const CASES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases/wire.toml"));

const DIRECTIONS: [(Direction, &str); 2] =
    [(Direction::ToServer, "to_server"), (Direction::ToClient, "to_client")];

struct Case {
    name: String,
    line: Vec<u8>,
    answer_id: Option<String>,
    verdicts: [String; 2],
    why: String,
}

#[test]
fn all_102_lines_are_there_and_say_why() {
    let cases = cases();
    assert_eq!(cases.len(), 102);
    for case in &cases {
        assert!(case.why.ends_with('.') && case.why.len() > 20, "{}: {}", case.name, case.why);
        assert_eq!(cases.iter().filter(|other| other.name == case.name).count(), 1, "{}", case.name);
    }
}

#[test]
fn each_line_meets_its_verdict_in_both_directions() {
    let mut wrong = Vec::new();
    for case in cases() {
        for ((direction, word), expected) in DIRECTIONS.iter().zip(&case.verdicts) {
            let found = with_frame(&case.line, *direction, |parsed| match parsed {
                Ok(frame) if frame.repairs.total() > 0 => "repair",
                Ok(_) => "forward",
                Err(refused) => refused.reason.code(),
            });
            if found != expected {
                wrong.push(format!("{} {word}: {found}, not {expected}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_forwarded_is_the_line_unless_repaired_and_can_be_read() {
    for_each_parse(|case, direction, parsed| {
        let Ok(frame) = parsed else { return };
        let read: Json = serde_json::from_slice(frame.bytes)
            .unwrap_or_else(|error| panic!("{} {direction:?}: {error}", case.name));
        assert_eq!(read["jsonrpc"], "2.0", "{}", case.name);
        if frame.repairs.total() == 0 {
            assert_eq!(frame.bytes, case.line, "{}", case.name);
        } else {
            assert_ne!(frame.bytes, case.line, "{}", case.name);
        }
    });
}

#[test]
fn a_refusal_carries_the_id_that_can_be_read_and_no_other() {
    for_each_parse(|case, direction, parsed| {
        let Err(refused) = parsed else { return };
        let id = refused.id.map(|id| String::from_utf8(id).unwrap());
        assert_eq!(id, case.answer_id, "{} {direction:?}", case.name);
        assert!(refused.offset <= case.line.len(), "{}", case.name);
    });
}

#[test]
fn a_refused_line_knows_whether_it_was_a_call() {
    let not_calls = [
        "batch2",
        "batch_empty",
        "batch_nested",
        "single_quotes",
        "case_only_METHOD",
        "result_and_error",
        "result_null_error",
        "error_null_id",
        "error_no_id",
        "error_code_string",
        "error_code_float",
    ];
    for_each_parse(|case, _, parsed| {
        let Err(refused) = parsed else { return };
        assert_eq!(refused.is_call, !not_calls.contains(&case.name.as_str()), "{}", case.name);
    });
}

fn for_each_parse(mut check: impl FnMut(&Case, Direction, Result<Frame<'_>, Refused>)) {
    for case in cases() {
        for (direction, _) in DIRECTIONS {
            with_frame(&case.line, direction, |parsed| check(&case, direction, parsed));
        }
    }
}

fn with_frame<T>(line: &[u8], direction: Direction, look: impl FnOnce(Result<Frame<'_>, Refused>) -> T) -> T {
    look(Parser::default().parse(line, direction, &Limits::of(direction)))
}

fn cases() -> Vec<Case> {
    let document = DeTable::parse(CASES).unwrap();
    let cases = document.get_ref().get("case").and_then(|cases| cases.get_ref().as_array()).unwrap();
    cases.iter().map(|case| read_case(case.get_ref().as_table().unwrap())).collect()
}

fn read_case(case: &DeTable<'_>) -> Case {
    let text = |key: &str| text(case, key);
    let line = match (text("line"), text("hex"), case.get("runs")) {
        (Some(line), None, None) => line.into_bytes(),
        (None, Some(hex), None) => {
            let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
            digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
        }
        (None, None, Some(runs)) => {
            let runs = runs.get_ref().as_array().unwrap();
            runs.iter().flat_map(|run| read_run(run.get_ref().as_table().unwrap())).collect()
        }
        _ => panic!("{case:?} needs one of `line`, `hex` and `runs`"),
    };
    Case {
        name: text("name").unwrap(),
        line,
        answer_id: text("answer_id"),
        verdicts: DIRECTIONS.map(|(_, word)| text(word).unwrap()),
        why: text("why").unwrap(),
    }
}

fn read_run(run: &DeTable<'_>) -> Vec<u8> {
    let times = run.get("times").map_or(1, |times| match times.get_ref() {
        DeValue::Integer(times) => times.as_str().parse().unwrap(),
        other => panic!("`times` is {other:?}"),
    });
    text(run, "text").unwrap().repeat(times).into_bytes()
}

fn text(table: &DeTable<'_>, key: &str) -> Option<String> {
    table.get(key).and_then(|value| value.get_ref().as_str()).map(str::to_owned)
}

//! Every line of `cases/wire.toml`, pushed through the real binary in both directions: what the table says is what
//! happens, and whatever was forwarded reads the same to serde_json, to Node, to Python and to rmcp.

mod typed;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use toml::de::DeTable;

use crate::support::{
    World, drive, driver, fixture_command, node, python, raw_driver, stockade_bin, tests_dir,
};

/// Lines that the grammar passes and that are then refused as calls, by the rule with this id.
const JUDGED_LATER: [(&str, &str); 9] = [
    ("homoglyph_tool", "tool-name"),
    ("tool_trailing_space", "tool-name"),
    ("tool_nul", "tool-name"),
    ("surrogate_pair_tool", "tool-name"),
    ("u2028_in_string", "tool-name"),
    ("raw_del_x7f", "tool-name"),
    ("name_number", "method/params"),
    ("arguments_array", "method/params"),
    ("arguments_string", "method/params"),
];

struct Case {
    name: String,
    line: Vec<u8>,
    to_server: String,
    to_client: String,
    answer_id: Option<Value>,
}

impl Case {
    /// Whether it answers something: then there has to be something to answer.
    fn is_answer(&self) -> bool {
        let text = String::from_utf8_lossy(&self.line);
        !text.contains("\"method\":") || text.contains("\"resultType\"")
    }

    fn verdict(&self, direction: &str) -> &str {
        if direction == "to_server" { &self.to_server } else { &self.to_client }
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex digits")).collect()
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

fn text<'t>(table: &'t DeTable<'_>, key: &str) -> Option<&'t str> {
    table.get(key)?.get_ref().as_str()
}

fn line_of(case: &DeTable<'_>) -> Vec<u8> {
    match (text(case, "line"), text(case, "hex"), case.get("runs")) {
        (Some(line), None, None) => line.as_bytes().to_vec(),
        (None, Some(hex), None) => bytes_of(hex),
        (None, None, Some(runs)) => {
            let runs = runs.get_ref().as_array().expect("a list of runs").iter();
            let long = runs.map(|run| {
                let run = run.get_ref().as_table().expect("a run");
                let times = run.get("times").and_then(|times| times.get_ref().as_integer());
                let times = times.map_or(1, |times| times.as_str().parse().expect("a number"));
                text(run, "text").expect("a text").repeat(times)
            });
            long.collect::<String>().into_bytes()
        }
        _ => panic!("a case has one of `line`, `hex`, `runs`: {case:?}"),
    }
}

fn cases() -> Vec<Case> {
    let file = tests_dir().join("cases/wire.toml");
    let source = std::fs::read_to_string(&file).expect("the table can be read");
    let table = DeTable::parse(&source).expect("the table is TOML").into_inner();
    let cases = table.get("case").and_then(|cases| cases.get_ref().as_array()).expect("a list of cases");
    let case = |case: &DeTable<'_>| {
        let word = |key: &str| text(case, key).unwrap_or_else(|| panic!("no {key}: {case:?}")).to_owned();
        let answer_id =
            text(case, "answer_id").map(|id| serde_json::from_str(id).expect("`answer_id` is JSON"));
        Case {
            name: word("name"),
            line: line_of(case),
            to_server: word("to_server"),
            to_client: word("to_client"),
            answer_id,
        }
    };
    cases.iter().map(|value| case(value.get_ref().as_table().expect("a table"))).collect()
}

/// Pushes all lines through `stockade run`.
fn push(world: &World, cases: &[Case]) -> Value {
    let list: Vec<Value> = cases
        .iter()
        .map(|case| json!({"name": case.name, "line": hex_of(&case.line), "is_answer": case.is_answer()}))
        .collect();
    let list = world.write("cases.json", &json!(list).to_string());
    let directory = world.root().join("lines");
    std::fs::create_dir(&directory).expect("a directory");
    let words = [list.into_os_string(), directory.clone().into_os_string(), "--".into()];
    let run = [stockade_bin().into_os_string(), "run".into(), "--grant-write".into(), directory.into()];
    let words = words.into_iter().chain(run).chain(["--".into()]).chain(fixture_command("scripted.py", &[]));
    drive(world, raw_driver("oracle.py"), words, Duration::from_secs(300))
}

/// The lines that came out at the other end.
fn forwarded(outcome: &Value) -> Vec<Vec<u8>> {
    let lines = outcome["forwarded"].as_array().expect("a list").iter();
    lines.map(|line| bytes_of(line.as_str().expect("hex"))).collect()
}

/// Whether this message is a refusal of ours, under this rule.
fn is_refusal(message: &Value, rule: &str) -> bool {
    let data = &message["error"]["data"];
    let decision = &message["result"]["_meta"]["dev.stockade/decision"];
    data["rule"] == rule || decision["rule"] == rule
}

/// One refusal under `id` and nothing else.
fn is_refused_once(messages: &[Value], id: &Value, rule: &str) -> bool {
    // As numbers, -0 and 0 are the same id.
    let same = |other: &Value| other == id || other.is_number() && other.as_f64() == id.as_f64();
    matches!(messages, [message] if same(&message["id"]) && is_refusal(message, rule))
}

/// What is wrong with what happened to a case in a direction; `None` if nothing is.
///
/// `forwarded` is what reached the receiver, `answered` what the sender was told.
fn objection(case: &Case, direction: &str, outcome: &Value) -> Option<String> {
    let verdict = case.verdict(direction);
    let passed = forwarded(outcome);
    let answered = outcome["answered"].as_array().expect("a list").as_slice();
    let later = JUDGED_LATER.iter().find(|(name, _)| *name == case.name && direction == "to_server");
    let (holds, expected) = match (verdict, later) {
        (_, Some((_, rule))) => {
            (passed.is_empty() && is_refused_once(answered, &json!(1), rule), format!("refused by {rule}"))
        }
        ("forward", _) => {
            // The CR before a LF may go with it or be taken off: it is white space to all readers.
            let whole = passed.len() == 1 && passed[0].trim_ascii_end() == case.line.trim_ascii_end();
            (whole, "forwarded as it came".to_owned())
        }
        ("repair", _) => (passed.len() == 1 && passed[0] != case.line, "forwarded after a repair".to_owned()),
        _ => (is_stopped(case, direction, &passed, answered), format!("refused as {verdict}")),
    };
    (!holds).then(|| {
        let texts: Vec<_> = passed.iter().map(|line| String::from_utf8_lossy(line)).collect();
        format!("{} {direction}: not {expected}: passed {texts:?}, answered {answered:?}", case.name)
    })
}

/// Whether a line that the grammar refuses went no further, and whoever waits was told.
fn is_stopped(case: &Case, direction: &str, passed: &[Vec<u8>], answered: &[Value]) -> bool {
    let verdict = case.verdict(direction);
    let rule = format!("wire/{verdict}");
    let passed: Vec<Value> =
        passed.iter().map(|line| serde_json::from_slice(line).unwrap_or(Value::Null)).collect();
    match &case.answer_id {
        // An answer is not answered; whoever waits for it is told in its place that it was refused.
        Some(id) if case.is_answer() => answered.is_empty() && is_refused_once(&passed, id, &rule),
        // What is no object is taken for a server's chatter on stdout, even if there is an id in it.
        Some(_) if direction == "to_client" && verdict == "not-an-object" => passed.is_empty(),
        Some(id) => passed.is_empty() && is_refused_once(answered, id, &rule),
        None => passed.is_empty() || case.is_answer() && is_refused_once(&passed, &json!(1), &rule),
    }
}

#[test]
fn every_line_of_the_table_fares_as_the_table_says_and_reads_the_same_to_all() {
    let world = World::new();
    let cases = cases();
    assert!(cases.len() >= 102, "the table has all lines: {}", cases.len());
    let outcomes = push(&world, &cases);
    let mut objections = Vec::new();
    let mut lines = BTreeMap::new();
    let mut sent = Vec::new();
    for case in &cases {
        for direction in ["to_server", "to_client"] {
            let outcome = &outcomes[&case.name][direction];
            objections.extend(objection(case, direction, outcome));
            sent.extend(forwarded(outcome).into_iter().map(|line| (&*case.name, direction, line)));
            lines.extend(
                forwarded(outcome).into_iter().map(|line| (line, format!("{} {direction}", case.name))),
            );
        }
    }
    assert!(lines.len() > 30, "something was forwarded at all: {}", lines.len());
    objections.extend(differing_readings(&world, &lines));
    objections.extend(typed::differing(&sent));
    let shown: Vec<String> = objections.iter().map(|what| what.chars().take(600).collect()).collect();
    assert!(shown.is_empty(), "{} objections:\n{}", shown.len(), shown.join("\n"));
}

/// Lines that serde_json, Node and Python do not read alike.
fn differing_readings(world: &World, lines: &BTreeMap<Vec<u8>, String>) -> Vec<String> {
    let file: Vec<String> = lines.keys().map(|line| hex_of(line)).collect();
    let file = world.write("forwarded.hex", &file.join("\n"));
    let readings = |program: std::path::PathBuf, script: &str| {
        let mut command = Command::new(program);
        command.arg(driver(script));
        drive(world, command, [&file], Duration::from_secs(60))
    };
    let (node, python) = (readings(node(), "readings.mjs"), readings(python(), "readings.py"));
    let mut differing = Vec::new();
    for (n, (line, name)) in lines.iter().enumerate() {
        let ours = serde_json::from_slice(line).map_or(Value::Null, |value| Value::String(canonical(&value)));
        if ours.is_null() || ours != node[n] || ours != python[n] {
            differing.push(format!("{name}: serde_json {ours}, Node {}, Python {}", node[n], python[n]));
        }
    }
    differing
}

/// As in `drivers/readings.py`.
fn canonical(value: &Value) -> String {
    let text = |text: &str| {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        format!("\"{}\"", hex_of(&units))
    };
    match value {
        Value::Null | Value::Bool(_) => value.to_string(),
        Value::Number(number) => hex_of(&number.as_f64().expect("a double").to_be_bytes()),
        Value::String(string) => text(string),
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(key, member)| (text(key), canonical(member))).collect();
            members.sort();
            let members: Vec<_> = members.iter().map(|(key, member)| format!("{key}:{member}")).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

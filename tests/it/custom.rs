//! Custom data: tables as fingerprints, canaries, and the secrets of a server's environment, by hand and in sessions.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, World, converse, finish, fixture_command};

const DEADLINE: Duration = Duration::from_secs(300);
const CUSTOMERS: &str = "name,ssn,city\nAnna Lindqvist,123-45-6789,Malmö\n\"Ek, Bo\",987-65-4320,Lund\n";
const EXACT: &str = "version = 1\n[exact.customers]\nfile = \"customers.fingerprints\"\n";
const BLOCK: &str = "[[dlp]]\nid = \"kept-in\"\naction = \"block\"\ndetect = ";

fn stockade(world: &World, words: &[&str]) -> Finished {
    finish(world.stockade(words.iter().copied()).spawn().expect("it starts"), DEADLINE)
}

/// The fingerprints of the customers beside the user's policy.
fn fingerprints(world: &World, policy: &str) {
    let table = world.write("customers.csv", CUSTOMERS).display().to_string();
    world.user_policy(policy);
    let out = world.root().join("config/stockade/customers.fingerprints").display().to_string();
    let made = stockade(world, &["dlp", "fingerprint", &table, "--out", &out]);
    assert_eq!(made.code(), 0, "{made:#?}");
}

fn scan(world: &World, text: &str) -> (i32, String) {
    let file = world.write("text", text).display().to_string();
    let scan = stockade(world, &["dlp", "scan", &file]);
    (scan.code(), scan.stdout_text() + &scan.stderr)
}

/// What came of these calls of the tool that runs programs.
fn session(world: &World, flags: &[&str], calls: &[(&str, Value)]) -> Value {
    let mut steps = vec![json!({ "handshake": true })];
    for (id, (tool, arguments)) in (1..).zip(calls) {
        let params = json!({ "name": tool, "arguments": arguments });
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        steps.extend([json!({ "send": message }), json!({ "await": id, "within": 60 })]);
    }
    converse(world, flags, &fixture_command("learner.py", &[]), steps)
}

fn events(world: &World) -> String {
    stockade(world, &["log", "--json"]).stdout_text()
}

/// The findings of the record: detector, direction and server of each.
fn found(world: &World) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for line in events(world).lines() {
        let event: Value = serde_json::from_str(line).expect("an event");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for finding in event["what"]["findings"].as_array().into_iter().flatten() {
            let direction = text(&event["what"]["direction"]);
            found.push((text(&finding["detector"]), direction, text(&event["who"]["server"])));
        }
    }
    found
}

fn printf(text: &str) -> (&'static str, Value) {
    ("run", json!({ "words": ["/usr/bin/printf", "%s", text] }))
}

#[test]
fn a_table_is_found_by_two_columns_of_a_row_and_its_file_holds_no_value() {
    let world = World::new();
    fingerprints(&world, EXACT);
    let file = world.root().join("config/stockade/customers.fingerprints");
    let bytes = std::fs::read(&file).expect("it was made");
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    for part in ["anna", "lindqvist", "123", "6789", "malm", "lund", "ssn", "name"] {
        assert!(part.len() < 4 || !text.contains(part), "{part}");
    }
    assert_eq!(std::fs::metadata(&file).expect("facts").permissions().mode() & 0o777, 0o600);
    let (code, out) = scan(&world, "ANNA  lindqvist has 123 45 6789\n");
    assert!(code == 1 && out.matches("pii/exact-customers").count() == 2, "{out}");
    for clean in ["Anna Lindqvist was here\n", "Anna Lindqvist, not 987-65-4320\n", "Anna in Lund\n"] {
        let (_, out) = scan(&world, clean);
        assert!(!out.contains("exact-"), "{clean}: {out}");
    }
    let shown = stockade(&world, &["policy", "show"]).stdout_text();
    assert!(shown.contains("pii/exact-customers  customers.fingerprints  user "), "{shown}");
}

#[test]
fn one_column_that_can_be_guessed_needs_to_be_accepted() {
    let world = World::new();
    let table = world.write("customers.csv", CUSTOMERS).display().to_string();
    let out = world.root().join("ssn.fingerprints").display().to_string();
    let words = ["dlp", "fingerprint", &*table, "--columns", "SSN", "--name", "ssn", "--out", &*out];
    let refused = stockade(&world, &words);
    assert_eq!(refused.code(), 64, "{refused:#?}");
    for part in
        ["can be found out by trying", "nine-digit numbers", "--columns name,number", "--accept-reversible"]
    {
        assert!(refused.stderr.contains(part), "{part}: {refused:#?}");
    }
    assert!(!Path::new(&out).exists());
    let made = stockade(&world, &[&words[..], &["--accept-reversible"]].concat());
    assert!(made.code() == 0 && made.stderr.contains("warning: the values can be found out"), "{made:#?}");
    world.user_policy(&format!("version = 1\n[exact.ssn]\nfile = \"{out}\"\nclass = \"secret\"\n"));
    let (code, out) = scan(&world, "call 123456789 back\n");
    assert!(code == 1 && out.contains("secret/exact-ssn"), "{out}");
    let nobody = stockade(&world, &["dlp", "fingerprint", &table, "--columns", "name,salary"]);
    assert!(nobody.code() == 64 && nobody.stderr.contains("no column `salary`"), "{nobody:#?}");
    assert!(nobody.stderr.contains("`name`, `ssn`, `city`"), "{nobody:#?}");
}

#[test]
fn a_table_that_is_no_table_is_told_by_its_line_and_not_by_its_values() {
    let world = World::new();
    let table =
        world.write("bad.csv", "name,ssn\nAnna Lindqvist,123-45-6789\nBo,1,2\n").display().to_string();
    let bad = stockade(&world, &["dlp", "fingerprint", &table]);
    assert!(bad.code() == 64 && bad.stderr.contains("line: 3"), "{bad:#?}");
    assert!(!bad.stderr.contains("Lindqvist") && !bad.stderr.contains("123-45"), "{bad:#?}");
}

#[test]
fn fingerprints_that_others_can_write_or_that_are_damaged_stop_the_start() {
    let world = World::new();
    fingerprints(&world, EXACT);
    let file = world.root().join("config/stockade/customers.fingerprints");
    let start = |expected: &str| {
        let words: Vec<std::ffi::OsString> =
            ["run", "--"].into_iter().map(Into::into).chain(fixture_command("learner.py", &[])).collect();
        let run = finish(world.stockade(words).spawn().expect("it starts"), DEADLINE);
        assert!(run.code() == 125 && run.stderr.contains(expected), "{expected}: {run:#?}");
        assert!(run.stderr.contains("policy.toml:2"), "{run:#?}");
    };
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o620)).expect("its mode");
    start("does not trust");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("its mode");
    let bytes = std::fs::read(&file).expect("it is there");
    std::fs::write(&file, &bytes[..bytes.len() - 1]).expect("it is cut");
    start("cut short");
    std::fs::remove_file(&file).expect("it goes");
    start("cannot read");
}

#[test]
fn a_row_that_a_server_answers_or_is_sent_is_blocked_and_one_value_passes() {
    let world = World::new();
    fingerprints(&world, &format!("{EXACT}{BLOCK}[\"pii/exact-customers\"]\n"));
    let outcome = session(
        &world,
        &[],
        &[
            printf("Anna Lindqvist, Malm, 1"),
            (
                "run",
                json!({ "words": ["/usr/bin/printf", "%s-%s-%s is ANNA%s", "123", "45", "6789", " LINDQVIST"] }),
            ),
            (
                "run",
                json!({ "words": ["/usr/bin/printf", "%s", "Bo"], "note": { "who": "Ek, Bo", "n": 987_654_320 } }),
            ),
        ],
    );
    let answer = |id: &str| outcome["answers"][id][0].to_string();
    assert!(answer("1").contains("Anna Lindqvist, Malm"), "{outcome:#}");
    assert!(!answer("2").contains("LINDQVIST") && answer("2").contains("kept-in"), "{outcome:#}");
    assert!(answer("3").contains("kept-in"), "{outcome:#}");
    let found = found(&world);
    let of =
        |direction: &str| found.iter().filter(|f| f.0 == "pii/exact-customers" && f.1 == direction).count();
    assert_eq!((of("to-client"), of("to-server")), (2, 2), "{found:?}");
    let log = events(&world);
    assert!(!log.contains("LINDQVIST") && !log.contains("6789") && !log.contains("987654320"), "{log}");
}

#[test]
fn fingerprints_that_are_replaced_hold_from_the_next_message_on() {
    let world = World::new();
    fingerprints(&world, &format!("{EXACT}{BLOCK}[\"pii/exact-customers\"]\n"));
    let file = world.root().join("config/stockade/customers.fingerprints").display().to_string();
    let others = world.write("others.csv", "name,ssn\nCarl Berg,555-01-2345\n").display().to_string();
    let made = world.root().join("others.fingerprints").display().to_string();
    assert_eq!(stockade(&world, &["dlp", "fingerprint", &others, "--out", &made]).code(), 0);
    let call = |id: u32, words: &[&str]| {
        let arguments = json!({ "words": words });
        let params = json!({ "name": "run", "arguments": arguments });
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        [json!({ "send": message }), json!({ "await": id, "within": 60 })]
    };
    let berg = ["/usr/bin/printf", "%s%s %s", "Carl", " Berg", "555012345"];
    let mut steps = vec![json!({ "handshake": true })];
    steps.extend(call(1, &berg));
    steps.push(json!({ "rename": made, "to": file }));
    steps.extend(call(2, &berg));
    let outcome = converse(&world, &[], &fixture_command("learner.py", &[]), steps);
    assert!(outcome["answers"]["1"][0].to_string().contains("Carl Berg"), "{outcome:#}");
    assert!(outcome["answers"]["2"][0].to_string().contains("kept-in"), "{outcome:#}");
}

#[test]
fn a_secret_that_the_server_was_started_with_is_known_in_both_directions() {
    let world = World::new();
    let secret = "winter-in-kiruna-42";
    let flags = [&*format!("--env=DEPLOY_PASSWORD={secret}"), "--env=REGION=eu-central-1-and-on"];
    // Without any policy it is put on record.
    let calls = [
        ("run", json!({ "words": ["/usr/bin/printenv", "DEPLOY_PASSWORD"] })),
        ("run", json!({ "words": ["/usr/bin/printenv", "REGION"] })),
        printf(&format!("x{secret}x")),
    ];
    let outcome = session(&world, &flags, &calls);
    assert!(outcome["answers"]["1"][0].to_string().contains(secret), "{outcome:#}");
    let of = |found: &[(String, String, String)], direction: &str| {
        found.iter().filter(|f| f.0 == "secret/server-environment" && f.1 == direction).count()
    };
    let all = found(&world);
    assert_eq!((of(&all, "to-client"), of(&all, "to-server")), (2, 1), "{all:?}");
    assert!(!events(&world).contains(secret), "the value is not on record");
    world.user_policy(&format!("version = 1\n{BLOCK}[\"secret/server-environment\"]\n"));
    let outcome = session(&world, &flags, &calls);
    for id in ["1", "3"] {
        let answer = outcome["answers"][id][0].to_string();
        assert!(answer.contains("kept-in") && !answer.contains(secret), "{outcome:#}");
    }
    assert!(outcome["answers"]["2"][0].to_string().contains("eu-central-1"), "{outcome:#}");
}

#[test]
fn a_canary_that_moves_is_told_by_its_name_direction_and_server() {
    let world = World::new();
    world.write("config/stockade/traps.txt", "# planted in May\nledger-trap-0815\n");
    world.user_policy(
        "version = 1\n[canary.vault]\nvalues = [\"trap-4711@corp-files.example\"]\n[canary.ledger]\nfile = \"traps.txt\"\n\
         [[dlp]]\nid = \"traps\"\naction = \"monitor\"\ndetect = [\"secret/canary-*\"]\n",
    );
    let half = ["/usr/bin/printf", "%s%s", "ledger-trap", "-0815"];
    let outcome =
        session(&world, &[], &[("run", json!({ "words": half })), printf("trap-4711@corp-files.example")]);
    assert!(outcome["answers"]["1"][0].to_string().contains("ledger-trap-0815"), "{outcome:#}");
    let found = found(&world);
    let traps: Vec<(&str, &str)> = found.iter().map(|f| (&*f.0, &*f.1)).collect();
    let vault = "secret/canary-vault";
    assert_eq!(traps, [("secret/canary-ledger", "to-client"), (vault, "to-server"), (vault, "to-client")]);
    assert!(found.iter().all(|f| f.2.contains("learner")), "{found:?}");
    assert!(!events(&world).contains("ledger-trap-0815"));
    let (code, out) = scan(&world, "cc TRAP-4711@CORP-FILES.EXAMPLE\n");
    assert!(code == 1 && out.contains("secret/canary-vault"), "{out}");
}

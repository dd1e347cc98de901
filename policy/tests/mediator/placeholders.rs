//! Placeholders that come back: the server gets its own values, and nobody else does.

use serde_json::{Value, json};
use stockade_policy::mediator::{Peer, RecordKind, Without};
use stockade_policy::verdict::Content;

use crate::session::{Outcome, Random, Session, call_with, notification, request, result, text_result};

const POLICY: &str = r#"
version = 1

[[rule]]
id = "no-vault"
effect = "deny"
tools = ["write"]
when = 'args.text.contains("Umbrella")'
reason = "nothing is written about this customer"

[[rule]]
id = "ask-deploy"
effect = "ask"
tools = ["deploy"]
reason = "a deployment is seen by customers"

[[dlp]]
id = "hide-customers"
detect = ["keyword/customers"]
action = "redact"
reason = "names of customers are replaced"

[[dlp]]
id = "hide-secrets"
detect = ["secret/*", "pii/payment-card", "pii/email"]
direction = "to-client"
confidence = "medium"
action = "redact"

[[dlp]]
id = "hide-partners"
detect = ["keyword/partners"]
direction = "to-client"
action = "redact"
restore_to = ["save_*"]

[keywords.customers]
words = ["Umbrella", "Hooli", "Initech"]

[keywords.partners]
words = ["Globex"]
"#;

/// Sixteen digits that are a card number, made up.
const CARD: &str = "4539578763621486";

fn token() -> String {
    ["ghp_", "k3Jd92mXq7LwPz4R", "t8VbNc5YfHs1GaQe6UoT"].concat()
}

fn text(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// What the client gets to read of a text that the server sends.
fn reads(session: &mut Session, id: u32, content: &str) -> String {
    assert!(session.client(call_with(id, "read", "x")).untouched);
    let outcome = session.server(text_result(id, &text(content)));
    let line: Value = serde_json::from_str(outcome.forwarded.as_deref().expect("an answer")).unwrap();
    line["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

/// What becomes of a text that the client sends to a tool.
fn sends(session: &mut Session, id: u32, tool: &str, content: &str) -> Outcome {
    session.client(call_with(id, tool, &text(content)))
}

/// The text as the server gets it.
fn sent(outcome: &Outcome) -> String {
    let line: Value =
        serde_json::from_str(outcome.forwarded.as_deref().unwrap_or_else(|| panic!("{outcome:?}"))).unwrap();
    line["params"]["arguments"]["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_value_goes_back_to_the_server_that_it_came_from() {
    let mut session = Session::with(POLICY);
    let file = format!("A=1\nGITHUB_TOKEN={}\nC=\"x\"\n", token());
    let shown = reads(&mut session, 1, &file);
    assert!(shown.contains("GITHUB_TOKEN=[REDACTED:") && !shown.contains(&token()), "{shown}");
    let outcome = sends(&mut session, 2, "save_file", &shown.replace("A=1", "A=2"));
    assert_eq!(sent(&outcome), file.replace("A=1", "A=2"));
    let record = outcome.record(RecordKind::Call);
    assert_eq!((record.restored, record.rewritten, record.verdict.content), (1, true, Content::Pass));
    assert!(!format!("{:?} {:?}", outcome.records, session.mediator).contains(&token()));
}

#[test]
fn no_other_server_gets_it_and_not_the_same_one_in_another_session() {
    let mut session = Session::with(POLICY);
    let shown = reads(&mut session, 1, &format!("GITHUB_TOKEN={}", token()));
    let mut other = Session::with(POLICY);
    let outcome = sends(&mut other, 1, "save_file", &shown);
    assert_eq!(outcome.answer()["result"]["isError"], true);
    assert_eq!(outcome.rule(), "placeholder/foreign");
    let said = outcome.answer()["result"]["content"][0]["text"].as_str().unwrap();
    assert!(said.contains("read it again from this server"), "{said}");
    assert_eq!(reads(&mut other, 2, &format!("GITHUB_TOKEN={}", token())), shown);
    assert_eq!(sent(&sends(&mut other, 3, "save_file", &shown)), format!("GITHUB_TOKEN={}", token()));
}

#[test]
fn the_decision_sees_what_the_server_will_see() {
    let mut session = Session::with(POLICY);
    let shown = reads(&mut session, 1, "Umbrella");
    let outcome = sends(&mut session, 2, "write", &format!("about {shown}"));
    assert_eq!(outcome.rule(), "no-vault");
    assert!(outcome.forwarded.is_none());
    assert_eq!(sent(&sends(&mut session, 3, "save_file", &format!("about {shown}"))), "about Umbrella");
}

#[test]
fn what_the_client_itself_says_is_redacted_beside_what_is_put_back() {
    let mut session = Session::with(POLICY);
    let shown = reads(&mut session, 1, "Umbrella");
    let outcome = sends(&mut session, 2, "save_file", &format!("{shown} and Hooli and Umbrella"));
    let sent = sent(&outcome);
    assert!(sent.starts_with("Umbrella and [REDACTED:customers:"), "{sent}");
    assert!(!sent.contains("Hooli") && sent.matches("Umbrella").count() == 1, "{sent}");
    // The server may have written it down: it comes back as it is, and may go there again.
    let read = reads(&mut session, 3, "[REDACTED:customers:00c0ffee]");
    assert_eq!(read, "[REDACTED:customers:00c0ffee]");
    assert!(sends(&mut session, 4, "save_file", &read).untouched);
}

#[test]
fn a_text_and_a_value_under_one_placeholder_are_not_told_apart() {
    let mut session = Session::with(POLICY);
    let shown = reads(&mut session, 1, "Umbrella");
    reads(&mut session, 2, &format!("as it stands: {shown}"));
    let outcome = sends(&mut session, 3, "save_file", &shown);
    assert_eq!((outcome.rule(), outcome.forwarded.as_deref()), ("placeholder/ambiguous", None));
}

#[test]
fn each_encoding_of_a_value_comes_back_as_itself() {
    let mut session = Session::with(POLICY);
    let encoded = "Z2hwX2szSmQ5Mm1YcTdMd1B6NFJ0OFZiTmM1WWZIczFHYVFlNlVvVA==";
    let file = format!("plain: {}\nencoded: {encoded}\nagain: {}\n", token(), token());
    let shown = reads(&mut session, 1, &file);
    assert!(!shown.contains(&token()) && !shown.contains("Z2hwX2sz"), "{shown}");
    assert_eq!(sent(&sends(&mut session, 2, "save_file", &shown)), file);
}

#[test]
fn escapes_and_the_numbers_of_json_in_a_string_come_back_letter_for_letter() {
    let mut session = Session::with(POLICY);
    let key = format!(
        "-----BEGIN {0}-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n-----END {0}-----",
        ["PRIVATE", "KEY"].join(" ")
    );
    let files = [
        json!({"card": 4_539_578_763_621_486_u64, "name": "a\"b"}).to_string(),
        json!({"card": CARD, "list": [1, "x\ty"]}).to_string(),
        json!({"key": key}).to_string(),
        format!("{key}\n\u{2028}\r\né😀 {CARD}"),
    ];
    for (number, file) in files.iter().enumerate() {
        let id = 2 * u32::try_from(number).unwrap() + 1;
        let shown = reads(&mut session, id, file);
        assert!(shown.contains("[REDACTED:"), "{shown}");
        assert_eq!(&sent(&sends(&mut session, id + 1, "save_file", &shown)), file);
    }
}

#[test]
fn however_a_client_escapes_a_placeholder_it_is_known() {
    let mut session = Session::with(POLICY);
    let shown = reads(&mut session, 1, "Umbrella");
    let escaped = shown.replace('R', "\\u0052").replace('[', "\\u005b");
    assert_eq!(sent(&session.client(call_with(2, "save_file", &escaped))), "Umbrella");
}

#[test]
fn what_is_left_of_a_placeholder_goes_nowhere() {
    let mut session = Session::with(POLICY);
    let shown = reads(&mut session, 1, "Umbrella");
    let in_url = shown.replace('[', "%5B").replace(':', "%3A").replace(']', "%5D");
    for (id, broken) in
        [shown[..shown.len() - 1].to_owned(), shown.replace("customers:", "customers: "), in_url]
            .into_iter()
            .enumerate()
    {
        let outcome = sends(&mut session, u32::try_from(id).unwrap() + 2, "save_file", &broken);
        assert!(outcome.forwarded.is_none(), "{broken}");
        assert_eq!((outcome.rule(), outcome.forwarded.as_deref()), ("placeholder/damaged", None), "{broken}");
    }
    for other in ["[REDACTED]", "[REDACTED:by-somebody-else:01234567]"] {
        assert!(sends(&mut session, 9, "save_file", other).untouched, "{other}");
        assert!(session.server(text_result(9, "x")).untouched);
    }
}

#[test]
fn values_are_put_back_in_data_alone() {
    let mut session = Session::with(POLICY);
    let shown = reads(&mut session, 1, "Umbrella");
    let lines = [
        request(2, "resources/read", &json!({"uri": format!("file:///{shown}")}).to_string()),
        request(3, "tools/call", &json!({"name": shown, "arguments": {}}).to_string()),
        request(4, "tools/call", &json!({"name": "save_file", "arguments": {&shown: 1}}).to_string()),
        request(5, "tools/call", &json!({"name": "save_file", "_meta": {"x": shown}}).to_string()),
        notification("notifications/cancelled", &json!({"requestId": 1, "reason": shown}).to_string()),
        notification("notifications/progress", &json!({"progressToken": 1, "message": shown}).to_string()),
    ];
    for line in lines {
        let outcome = session.client(&line);
        assert!(outcome.forwarded.is_none() && outcome.to_server.is_empty(), "{line}: {outcome:?}");
    }
    let prompt = json!({"name": "letter", "arguments": {"to": shown}}).to_string();
    let outcome = session.client(request(6, "prompts/get", &prompt));
    assert!(outcome.forwarded.as_deref().unwrap().contains(r#""to":"Umbrella""#), "{outcome:?}");
}

#[test]
fn an_answer_of_the_client_to_the_server_gets_its_values_too() {
    let mut session = Session::with(POLICY);
    let asks =
        json!({"messages": [{"role": "user", "content": {"type": "text", "text": "who is Umbrella?"}}],
        "maxTokens": 9})
        .to_string();
    let asked = session.server(request(70, "sampling/createMessage", &asks)).forwarded.unwrap();
    let from = asked.find("[REDACTED:").expect("a placeholder");
    let shown = &asked[from..=from + asked[from..].find(']').unwrap()];
    let answer = json!({"role": "assistant", "model": "m", "stopReason": "endTurn",
        "content": {"type": "text", "text": format!("{shown} is a customer")}});
    let outcome = session.client(result(70, &answer.to_string()));
    assert!(outcome.forwarded.as_deref().unwrap().contains("Umbrella is a customer"), "{outcome:?}");
}

#[test]
fn a_rule_names_the_tools_that_its_values_go_back_to() {
    let mut session = Session::with(POLICY);
    let shown = reads(&mut session, 1, "Globex");
    let outcome = sends(&mut session, 2, "post_to_the_web", &shown);
    assert_eq!((outcome.rule(), outcome.forwarded.as_deref()), ("placeholder/tool", None));
    assert_eq!(sent(&sends(&mut session, 3, "save_file", &shown)), "Globex");
    let prompt = json!({"name": "letter", "arguments": {"to": shown}}).to_string();
    assert_eq!(session.client(request(4, "prompts/get", &prompt)).rule(), "placeholder/tool");
}

#[test]
fn people_and_records_are_shown_the_placeholder_and_not_the_value() {
    let mut session = Session::with(POLICY);
    // An address is nothing that a record masks by itself.
    let address = ["anna.schmidt", "firma-beispiel.de"].join("@");
    let shown = reads(&mut session, 1, &format!("write to {address}"));
    assert!(!shown.contains("anna"), "{shown}");
    let outcome = sends(&mut session, 2, "deploy", &shown);
    let petition = outcome.record(RecordKind::Call).petition.as_ref().expect("a question");
    let arguments = petition.arguments.as_deref().unwrap();
    assert!(arguments.contains("[REDACTED:email:") && !arguments.contains("anna"), "{arguments}");
    assert_eq!(sent(&sends(&mut session, 3, "save_file", &shown)), format!("write to {address}"));
    let failed = result(3, r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#);
    let outcome = session.server(failed);
    let arguments = outcome.record(RecordKind::Answer).arguments.as_deref().unwrap();
    assert!(arguments.contains("[REDACTED:email:") && !arguments.contains("anna"), "{arguments}");
}

#[test]
fn a_policy_that_only_monitors_stops_no_placeholder_and_says_so() {
    let mut session = Session::with(&POLICY.replacen("version = 1", "version = 1\nmode = \"monitor\"", 1));
    let outcome = sends(&mut session, 1, "save_file", "[REDACTED:customers:00c0ffee]");
    assert!(outcome.untouched);
    let record = outcome.record(RecordKind::Call);
    assert_eq!(record.verdict.would_have.as_ref().unwrap().rule, "placeholder/foreign");
    let mut session = Session::with(POLICY);
    session.mediator.dangerously_without(Without::Dlp);
    assert!(sends(&mut session, 1, "save_file", "[REDACTED:customers:00c0ffee]").untouched);
}

#[test]
fn a_line_that_would_become_too_long_goes_no_further() {
    let policy = POLICY.replacen("version = 1", "version = 1\n[limits]\nframe_to_server = \"4 KiB\"", 1);
    let mut session = Session::with(&policy);
    let long = format!("{}{}", token(), "x".repeat(3000));
    let shown = reads(&mut session, 1, &long);
    let many = format!("{}{}", shown.replace('x', ""), "y".repeat(3980 - shown.replace('x', "").len()));
    let outcome = sends(&mut session, 2, "save_file", &many);
    assert!(outcome.forwarded.is_none() || sent(&outcome).len() < 4096, "{outcome:?}");
}

#[test]
fn hostile_literals_only_keep_the_servers_own_values_from_coming_back() {
    let mut session = Session::with(POLICY);
    let shown = reads(&mut session, 1, "Umbrella");
    let many: String = (0..9000).map(|number| format!("[REDACTED:customers:{number:08x}]")).collect();
    reads(&mut session, 2, &many);
    assert_eq!(sends(&mut session, 3, "save_file", &shown).rule(), "placeholder/foreign");
    assert_eq!(session.mediator.pending(Peer::Client), 0);
}

#[test]
fn texts_of_all_kinds_survive_a_thousand_edits() {
    let mut random = Random(7);
    let mut session = Session::with(POLICY);
    let token = token();
    let parts = [
        "Umbrella",
        "Hooli",
        "Globex",
        &token,
        CARD,
        "\n",
        "\"",
        "\\",
        "é",
        "😀",
        "\u{2028}",
        " = ",
        "x: ",
        "[",
        "]",
        "{",
        "}",
        "[REDACTED:",
        "\t",
        "\r\n",
        "password=",
        "line",
    ];
    let mut redacted = 0;
    for round in 0..1000 {
        let count = 1 + random.below(30);
        let file: String =
            (0..count).map(|_| parts[usize::try_from(random.below(parts.len() as u64)).unwrap()]).collect();
        let shown = reads(&mut session, 2 * round + 1, &file);
        redacted += usize::from(shown != file);
        let edited = format!("{shown}\nnew line");
        let outcome = sends(&mut session, 2 * round + 2, "save_file", &edited);
        assert!(outcome.forwarded.is_some(), "{file:?} was shown as {shown:?}: {}", outcome.rule());
        assert_eq!(sent(&outcome), format!("{file}\nnew line"), "{shown}");
    }
    assert!(redacted > 300, "{redacted}");
}

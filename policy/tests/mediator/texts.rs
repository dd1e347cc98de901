//! What models and people get to read.

use crate::session::{HIDDEN, Session, call, call_with, modern_call, request, result, text_result};

/// Every line of ours that some hostile or mistaken message brings about.
fn all_texts() -> Vec<String> {
    let mut session = Session::with(&format!(
        "{}\n[[rule]]\nid = \"quiet\"\neffect = \"deny\"\ntools = [\"quiet\"]\nreason = \"no\"\n",
        crate::session::POLICY
    ));
    let mut texts = Vec::new();
    let mut id = 100;
    let mut next = || {
        id += 1;
        id
    };
    for line in [
        call(next(), "merge_x"),
        call(next(), "deploy"),
        call(next(), "quiet"),
        modern_call(next(), "merge_x"),
        call_with(next(), "send", "Nightfall"),
        request(next(), "tools/call", r#"{"name":"send","arguments":{"Umbrella":1}}"#),
        request(next(), "prompts/get", r#"{"name":"merge-a"}"#),
        request(next(), "tools/call", "{}"),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#.to_owned(),
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#.to_owned(),
    ] {
        texts.extend(session.client(line).to_client);
    }
    for answer in ["Nightfall", HIDDEN] {
        let id = next();
        session.calls(id, "read");
        texts.extend(session.server(text_result(id, answer)).to_client);
    }
    let id = next();
    session.asks(id, "tools/list");
    session.server(result(id, r#"{"tools":[{"name":"merge_x"}]}"#));
    texts.extend(session.client(call(next(), "merge_x")).to_client);
    let id = next();
    session.calls(id, "read");
    texts.extend(session.server_ends("exit status 1", "tail").to_client);
    texts.extend(session.client(call(next(), "read")).to_client);
    texts.into_iter().map(|line| line.to_string()).collect()
}

#[test]
fn no_text_for_a_model_holds_a_command() {
    let texts = all_texts();
    assert_eq!(texts.len(), 15, "{texts:#?}");
    for text in texts {
        assert!(!text.contains("stockade "), "{text}");
        for word in ["approve ", "--", "sudo", "unwrap", "pause"] {
            assert!(!text.contains(word), "{word:?} in {text}");
        }
    }
}

#[test]
fn no_text_repeats_a_finding() {
    for text in all_texts() {
        assert!(
            !text.contains("Nightfall") && !text.contains("Umbrella") && !text.contains(HIDDEN),
            "{text}"
        );
    }
}

#[test]
fn codes_differ_from_one_refusal_to_the_next() {
    let mut session = Session::new();
    let mut codes: Vec<String> =
        (0..500).map(|id| session.client(call(id, "merge_x")).records[0].code.clone().unwrap()).collect();
    assert!(codes.iter().all(|code| code.len() >= 4));
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 500);
}

#[test]
fn codes_of_a_client_without_mcp_knowledge_stand_outside_of_the_reserved_range() {
    for text in all_texts() {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let Some(code) = value["error"]["code"].as_i64() else { continue };
        let ours = !(-32_768..=-32_000).contains(&code);
        assert!(ours || matches!(code, -32_700 | -32_600 | -32_601 | -32_602), "{text}");
    }
}

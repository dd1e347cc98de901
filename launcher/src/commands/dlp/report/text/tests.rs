use serde_json::json;
use stockade_policy::document::policy::PolicyDocument;

use super::*;
use crate::telemetry::StoredEvent;

const ABOUT: About<'_> = About { since: "7d", server: None, place: "/x/events" };

fn tally(findings: &[(&str, &str, &str)]) -> Tally {
    let now = "2026-11-23T12:00:00Z".parse().expect("a moment");
    let mut tally = Tally::new("2026-11-16T12:00:00Z".parse().expect("a moment"), now);
    for (detector, hash, at) in findings {
        let finding = json!({
            "detector": detector, "confidence": "high", "length_class": 3, "hash": hash, "at": at, "action": "block",
        });
        let value = json!({
            "kind": "call", "who": { "server": "files\u{1b}[2J", "identity": ["pkg:npm/%40scope/files@1.2.3"] },
            "what": {
                "content": "block", "direction": "to-server", "method": "tools/call", "item": "write_file",
                "findings": [finding], "findings_total": 1,
            },
        });
        let event = StoredEvent { line: String::new(), value };
        tally.add(&event, "2026-11-20T12:00:00Z".parse().expect("a moment"));
    }
    tally
}

fn pasted(text: &str) -> String {
    text.lines()
        .skip_while(|line| !line.contains("[[suppress]]"))
        .take_while(|line| line.starts_with("    "))
        .fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn no_line_is_wider_than_the_screen_but_for_what_is_pasted() {
    let long = "/params/arguments/some/very/long/place/in/a/message/that/nobody/would/want/to/read/to/its/end/0/text";
    let tally = tally(&[("secret/github-pat", "3fa9c1d2", long), ("secret/github-pat", "00000000", long)]);
    for width in [40, 80, 120] {
        let text = text(&tally, &[], &ABOUT, Screen::plain(width));
        for line in text.lines().filter(|line| !line.starts_with(INDENT)) {
            assert!(columns(line) <= width, "{width}: {line}");
        }
        assert!(!text.contains('\u{1b}'));
    }
}

#[test]
fn what_is_pasted_is_refused_until_somebody_signs_it() {
    let place = "/params/arguments/content";
    let one = [("secret/github-pat", "3fa9c1d2", place)];
    let several = [one[0], ("secret/github-pat", "77aa0b12", place)];
    for (findings, narrow) in
        [(&one[..], "hash = \"3fa9c1d2\""), (&several[..], "path = \"/params/arguments/content\"")]
    {
        let text = text(&tally(findings), &[], &ABOUT, Screen::plain(80));
        let pasted = pasted(&text);
        assert!(
            pasted.contains(narrow) && pasted.contains("servers = [\"pkg:npm/@scope/files\"]"),
            "{pasted}"
        );
        assert!(pasted.contains("until = \"2027-02-21\""), "{pasted}");
        let told =
            PolicyDocument::parse("p", &format!("version = 1\n{pasted}")).expect_err("nobody signed it");
        assert!(told.to_string().contains("`author` is empty"), "{told}");
        let signed =
            pasted.replace("author = \"\"", "author = \"A\"").replace("reason = \"\"", "reason = \"r\"");
        let document = PolicyDocument::parse("p", &format!("version = 1\n{signed}"));
        assert_eq!(document.unwrap_or_else(|mistakes| panic!("{mistakes}")).suppressions.len(), 1);
    }
}

#[test]
fn an_empty_log_and_one_without_findings_say_so() {
    let none = text(&tally(&[]), &[], &ABOUT, Screen::plain(80));
    assert_eq!(none, "no messages are on record for the last 7d in /x/events\n");
    let mut clean = tally(&[]);
    clean.messages = 1_204;
    clean.servers.insert("files".to_owned());
    let text = text(&clean, &[], &ABOUT, Screen::plain(80));
    assert!(text.contains("1,204 messages of 1 server in the last 7d"), "{text}");
    assert!(text.contains("found            nothing") && text.contains("interruptions    none"), "{text}");
    assert!(!text.contains("[[suppress]]"), "{text}");
}

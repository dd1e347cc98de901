//! The engine on plain text and on frames: places, contexts, hostile texts, memory.

use super::*;
use crate::wire::{Direction, Limits, Parser};

const GITHUB: &str = concat!("ghp_", "7ysh0vjy4EDQXyzqTu7vPvqI5W9TlT58kcNl");
const AWS_SECRET: &str = concat!("yRkNo2YGMliJDHj/", "SDK2/LgWCaAYcY8xV/1SPOfO");
const CARD: &str = "4539578763621486";

fn engine() -> Engine {
    let list = |name: &str, word: &str, whole_word| KeywordList {
        name: name.to_owned(),
        words: vec![word.to_owned()],
        regexes: Vec::new(),
        whole_word,
    };
    let lists = [list("projects", "Nightfall", true), list("nasty", "REDACTED", false)];
    Engine::new(&lists, HashKey([7; 32])).expect("the engine compiles")
}

/// Detector, confidence, place and raw text of each finding in a call with these arguments.
fn found(arguments: &str) -> Vec<(String, Confidence, Place, String)> {
    let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{arguments}}}"#);
    let mut parser = Parser::default();
    let limits = Limits::of(Direction::ToServer);
    let frame = parser.parse(line.as_bytes(), Direction::ToServer, &limits).expect("the line is well formed");
    let mut findings = Vec::new();
    assert_eq!(engine().scan(&frame, &mut findings), ScanEnd::Complete);
    let text = |f: &Finding| {
        assert!(f.token.start <= f.raw.start && f.raw.end <= f.token.end);
        line[f.raw.clone()].to_owned()
    };
    findings.iter().map(|f| (f.detector.to_string(), f.confidence, f.place, text(f))).collect()
}

fn one(
    detector: &str,
    confidence: Confidence,
    place: Place,
    text: &str,
) -> Vec<(String, Confidence, Place, String)> {
    vec![(detector.to_owned(), confidence, place, text.to_owned())]
}

#[test]
fn values_keys_and_numbers_are_looked_at() {
    let github = "secret/github-pat";
    assert_eq!(
        found(&format!(r#"{{"a":["{GITHUB}"]}}"#)),
        one(github, Confidence::High, Place::Text, GITHUB)
    );
    assert_eq!(found(&format!(r#"{{"{GITHUB}":1}}"#)), one(github, Confidence::High, Place::Key, GITHUB));
    let number = one("pii/payment-card", Confidence::Medium, Place::Number, CARD);
    assert_eq!(found(&format!(r#"{{"n":{CARD}}}"#)), number);
    assert_eq!(found(&format!(r#"{{"a":{{"b":[[[{CARD}]]]}}}}"#)), number);
}

#[test]
fn the_key_of_an_object_names_the_vendor_of_what_is_in_it() {
    let key = "7c0e93ba-5248-4fe1-9734-0a9cb58e27f4";
    let finds = |json: String| found(&json).iter().any(|(detector, ..)| detector == "secret/deepai-key");
    assert!(finds(format!(r#"{{"deepai":{{"key":"{key}"}}}}"#)));
    assert!(finds(format!(r#"{{"deepai":{{"url":"x","limits":{{"a":1}},"api_key":"{key}"}}}}"#)));
    assert!(finds(format!(r#"{{"deepai":{{"keys":["a","{key}"]}}}}"#)));
    assert!(!finds(format!(r#"{{"deepai":{{"request_id":"{key}"}}}}"#)), "another word");
    assert!(!finds(format!(r#"{{"deepai":{{"limits":{{"key":"{key}"}}}}}}"#)), "deeper");
    assert!(!finds(format!(r#"{{"deepai":{{"url":"x"}},"key":"{key}"}}"#)), "behind the object");
    assert!(!finds(format!(r#"{{"deepai":{{"url":"x"}},"other":{{"key":"{key}"}}}}"#)), "another object");
}

#[test]
fn a_token_with_made_up_characters_behind_it_is_still_a_token() {
    let random = "9fT2xQv7LmZ4kR8sWb3Y";
    let tail = random.chars().cycle().take(80).collect::<String>();
    for prefix in [
        concat!("gl", "pat-"),
        concat!("np", "m_"),
        concat!("sk_", "live_"),
        concat!("xo", "xb-12345678901-12345678901-"),
    ] {
        for length in 16..=80 {
            let token = format!("{prefix}{}", &tail[..length]);
            let is_found = |text: &str| !found(&format!(r#"{{"a":"{text}"}}"#)).is_empty();
            if is_found(&token) && is_found(&format!("{token}9fT2xQv7")) {
                assert!(is_found(&format!("{token}xxxxxxxx")), "{prefix} {length}");
                assert!(is_found(&format!("{token}EXAMPLE1")), "{prefix} {length}");
            }
        }
        assert_eq!(found(&format!(r#"{{"a":"{prefix}{}"}}"#, "x".repeat(40))), [], "{prefix}");
    }
    assert!(!found(&format!(r#"{{"a":"{}{random}9fT2xxxxxxxx"}}"#, concat!("sk_", "live_"))).is_empty());
}

#[test]
fn an_escaped_finding_is_reported_with_its_raw_bytes() {
    let escaped = GITHUB.replacen('g', "\\u0067", 1);
    let arguments = format!(r#"{{"a":"é\ud83d\ude00\n{escaped}\n{GITHUB}"}}"#);
    let places: Vec<_> = found(&arguments).into_iter().map(|(.., text)| text).collect();
    assert_eq!(places, [escaped.as_str(), GITHUB]);
}

#[test]
fn the_key_is_context_for_its_value() {
    let secret = one("secret/aws-secret-access-key", Confidence::High, Place::Text, AWS_SECRET);
    for arguments in [
        format!(r#"{{"aws_secret_access_key":"{AWS_SECRET}"}}"#),
        format!(r#"{{"AwsSecretKey":["{AWS_SECRET}"]}}"#),
        format!(r#"{{"env":[{{"name":"AWS_SECRET_ACCESS_KEY","value":"{AWS_SECRET}"}}]}}"#),
        format!(r#"{{"x":{{"name":"AWS_SECRET_ACCESS_KEY","meta":{{"a":1}},"value":"{AWS_SECRET}"}}}}"#),
    ] {
        assert_eq!(found(&arguments), secret, "{arguments}");
    }
    for arguments in [
        format!(r#"{{"digest":"{AWS_SECRET}"}}"#),
        format!(r#"{{"aws_secret_access_key":"","other":"{AWS_SECRET}"}}"#),
        format!(r#"{{"aws_secret_access_key":{{"hint":"{AWS_SECRET}"}}}}"#),
        format!(r#"[{{"name":"AWS_SECRET_ACCESS_KEY"}},{{"value":"{AWS_SECRET}"}}]"#),
    ] {
        assert_eq!(found(&format!(r#"{{"a":{arguments}}}"#)), [], "{arguments}");
    }
}

#[test]
fn context_makes_a_card_and_an_address_certain() {
    let confidence = |arguments: &str| found(arguments).first().map(|f| f.1);
    assert_eq!(confidence(&format!(r#"{{"cardNumber":{CARD}}}"#)), Some(Confidence::High));
    assert_eq!(confidence(&format!(r#"{{"a":"my VISA is {CARD}"}}"#)), Some(Confidence::High));
    assert_eq!(confidence(&format!(r#"{{"discarded":"{CARD}"}}"#)), Some(Confidence::Medium));
    assert_eq!(
        confidence(r#"{"a":"4111 1111 1111 1111"}"#),
        Some(Confidence::Low),
        "a documented test number"
    );
    assert_eq!(confidence(r#"{"user_email":"a@acme.io"}"#), Some(Confidence::High));
    assert_eq!(confidence(r#"{"a":"a@acme.io"}"#), Some(Confidence::Medium));
}

#[test]
fn placeholders_are_never_found_again() {
    let engine = engine();
    let mut findings = Vec::new();
    let text = format!("{GITHUB} Nightfall {CARD} a@acme.io {AWS_SECRET}");
    assert_eq!(engine.scan_text(&text, &mut findings), ScanEnd::Complete);
    assert_eq!(findings.len(), 4);
    let placeholders: Vec<_> = findings.iter().map(Finding::placeholder).collect();
    for glue in ["", " ", "@", "-", "_", "a", "4"] {
        let text = placeholders.join(glue);
        let mut again = Vec::new();
        assert_eq!(engine.scan_text(&text, &mut again), ScanEnd::Complete);
        assert_eq!(again, [], "{text}");
    }
    // The list `nasty` holds the very word; only in a placeholder of ours is it left alone.
    let mut again = Vec::new();
    assert_eq!(engine.scan_text("[REDACTED:something:01234567]", &mut again), ScanEnd::Complete);
    assert_eq!(again.len(), 1);
}

#[test]
fn masking_hides_secrets_and_words_but_not_addresses() {
    let engine = engine();
    assert!(matches!(engine.mask("nothing here"), std::borrow::Cow::Borrowed("nothing here")));
    let masked = engine.mask("a@acme.io opened Nightfall with é");
    assert!(
        masked.starts_with("a@acme.io opened [REDACTED:projects:") && masked.ends_with("] with é"),
        "{masked}"
    );
    let masked =
        engine.mask("https://u:ghp_7ysh0vjy4EDQXyzqTu7vPvqI5W9TlT58kcNl@acme.io 4539 5787 6362 1486");
    assert!(!masked.contains("7ysh0v") && !masked.contains("4539"), "{masked}");
}

#[test]
fn a_finding_ends_behind_a_character_however_far_its_rule_looks() {
    // These rules look 256, 512 and 2,048 bytes far, and what they find may end there, within a character of three bytes.
    let letters = |n: u32| char::from_u32(0x1100 + (n * n * 7 + n * 3) % 97).expect("a letter of Hangul");
    let long: String = (0..1000).map(letters).collect();
    for before in
        ["curl -u bob:Kx9q7LzT4w", "db.acme.io:5432:shop:bob:Kx9q7LzT4w", "Cookie: session=Kx9q7LzT4w"]
    {
        let mut looked_far = 0;
        for shift in 0..3 {
            let text = format!("{before}{}{long}", "w".repeat(shift));
            let mut findings = Vec::new();
            assert_eq!(engine().scan_text(&text, &mut findings), ScanEnd::Complete);
            let is_whole = |at| text.is_char_boundary(at);
            assert!(
                findings.iter().all(|f| is_whole(f.raw.start) && is_whole(f.raw.end)),
                "{before}: {findings:?}"
            );
            looked_far += findings.iter().filter(|finding| finding.raw.len() > 200).count();
            let _ = engine().mask(&text);
        }
        assert!(looked_far >= 3, "{before}");
    }
}

#[test]
fn masking_hides_what_is_surely_personal_but_not_where_a_message_went() {
    let masked = engine()
        .mask("e-mail ana@acme.io from 81.23.189.44, DE89370400440532013000, Mr. Baumgarten")
        .into_owned();
    assert!(masked.starts_with("e-mail ana@acme.io from 81.23.189.44, [REDACTED:iban:"), "{masked}");
    assert!(masked.ends_with("], Mr. Baumgarten"), "{masked}");
}

#[test]
fn of_personal_data_in_one_place_the_surest_is_named() {
    let found = |text: &str| {
        let mut findings = Vec::new();
        assert_eq!(engine().scan_text(text, &mut findings), ScanEnd::Complete);
        findings.iter().map(|f| (f.detector.to_string(), text[f.raw.clone()].to_owned())).collect::<Vec<_>>()
    };
    let is = |text: &str, expected: &[(&str, &str)]| {
        let found = found(text);
        let found: Vec<_> =
            found.iter().map(|(detector, value)| (detector.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    };
    // A name behind a word that says so is surer than one that only looks like it.
    is("full name: Annika Quillfeather", &[("pii/person-name", "Annika Quillfeather")]);
    // The longer one of two that are as sure.
    is("Full name: Dr. Lena Okafor", &[("pii/person-name", "Dr. Lena Okafor")]);
    // What reaches further than the surer one stays: nothing else covers it.
    is(
        "address: 12 Oak Hill, IBAN GB29 NWBK 6016 1331 9268 19",
        &[
            ("pii/address", "12 Oak Hill, IBAN GB29 NWBK 6016 1331 9268 19"),
            ("pii/iban", "GB29 NWBK 6016 1331 9268 19"),
        ],
    );
    // What does not overlap stays.
    is(
        "IBAN DE89370400440532013000 of Mr. Baumgarten",
        &[("pii/iban", "DE89370400440532013000"), ("pii/name-in-prose", "Baumgarten")],
    );
}

#[test]
fn equal_values_have_equal_hashes_under_one_key_only() {
    let hash = |key: u8, text: &str| {
        let engine = Engine::new(&[], HashKey([key; 32])).expect("the engine compiles");
        let mut findings = Vec::new();
        assert_eq!(engine.scan_text(text, &mut findings), ScanEnd::Complete);
        findings[0].hash
    };
    assert_eq!(hash(1, GITHUB), hash(1, &format!("x {GITHUB}")));
    assert_ne!(hash(1, GITHUB), hash(2, GITHUB));
}

#[test]
fn detectors_are_listed_with_the_lists() {
    let names = engine().detectors();
    assert!(names.is_sorted());
    assert!(names.iter().any(|n| n == "keyword/projects") && names.iter().any(|n| n == "secret/jwt"));
}

#[test]
fn the_built_in_engine_is_small() {
    let engine = Engine::new(&[], HashKey([0; 32])).expect("the engine compiles");
    assert!(engine.memory_bytes() < 1 << 20, "{} bytes", engine.memory_bytes());
}

/// 10 MiB of each prefix of trouble, and 32 MiB of honest text, end within the budget: the work is linear.
#[test]
fn hostile_texts_are_looked_at_to_their_end() {
    let engine = Engine::new(&[], HashKey([0; 32])).expect("the engine compiles");
    let fill = |unit: &str, bytes: usize| unit.repeat(bytes / unit.len());
    for unit in [
        "ghp_",
        "ghp_a",
        "eyJ-",
        "eyJ.",
        "eyJhbGciOiJub25lIn0.",
        "glpat-",
        "glpat-a.",
        "sk-ant-api03-",
        "xoxb-123456789-",
        "7",
        "4111 ",
        "4539-5787-",
        "4 ",
        "@",
        "a@a",
        "a.@",
        "a@a.b/",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "secret_access_key",
        "aws_secret= ",
        "<IMPORTANT>",
        ".env",
        "not tell the ",
        "ignore all ",
        "\u{1b}",
        "\u{1b}]",
        "\u{1b}[0",
        "\u{2066}",
        "\u{200b}a",
        "🏴",
        "datadog ",
        "datadog_api_key=",
        "datadog key='a'b'c",
        "fm2_=",
        "fm2_",
        "AccountKey=",
        "a-us",
        "123456789:AA",
        "[REDACTED:",
        "password=\"",
        "token: ",
        "api_key",
        "key = x",
        "secret(\"",
        "://a:",
        "://@",
        "Cookie: a=b;",
        "Bearer ",
        "curl -u a:",
        "identified by",
        ":5432:",
        "$2b$",
        "%3D",
        "\\n",
    ] {
        // Of some of these every repetition is a finding, and so many are more than a message may have.
        let all_findings =
            ["\u{1b}", "\u{1b}]", "\u{1b}[0", "\u{2066}", "eyJhbGciOiJub25lIn0.", "curl -u a:"]
                .contains(&unit);
        let size = if all_findings { 400_000 } else { 10 << 20 };
        let mut findings = Vec::new();
        assert_eq!(engine.scan_text(&fill(unit, size), &mut findings), ScanEnd::Complete, "{unit:?}");
    }
    let honest = "The quick brown fox, 2024-05-06 12:00:01, id 8123; päron & ananas cost 12.50 each.\n";
    let mut findings = Vec::new();
    assert_eq!(engine.scan_text(&fill(honest, 32 << 20), &mut findings), ScanEnd::Complete);
    assert_eq!(findings, []);
}

#[test]
fn too_many_findings_spend_the_budget_and_keep_what_was_found() {
    let engine = Engine::new(&[], HashKey([0; 32])).expect("the engine compiles");
    let mut findings = Vec::new();
    assert_eq!(engine.scan_text(&"a@b.io ".repeat(1_000_000), &mut findings), ScanEnd::BudgetSpent);
    assert!((400_000..600_000).contains(&findings.len()), "{}", findings.len());
    assert!(engine.mask(&"\u{202e}".repeat(1_000_000)).starts_with("[not shown"));
}

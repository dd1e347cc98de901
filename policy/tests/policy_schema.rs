//! The schema of policies is what the reader knows, and tables of tests are read as strictly as policies.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use stockade_policy::document::policy::{About, PolicyCases, PolicyDocument, schema};
use stockade_policy::verdict::Access;

fn keys(table: &Value) -> BTreeSet<String> {
    table["properties"].as_object().expect("a table").keys().cloned().collect()
}

#[test]
fn the_schema_knows_the_keys_that_the_reader_knows() {
    let schema = schema();
    let of = |name: &str| &schema["properties"][name];
    let tables = [
        ("zzz = 1", keys(&schema)),
        ("[defaults]\nzzz = 1", keys(of("defaults"))),
        ("[limits]\nzzz = 1", keys(of("limits"))),
        ("[[rule]]\nzzz = 1", keys(&of("rule")["items"])),
        ("[[limit]]\nzzz = 1", keys(&of("limit")["items"])),
        ("[[baseline]]\nzzz = 1", keys(&of("baseline")["items"])),
        ("[[suppress]]\nzzz = 1", keys(&of("suppress")["items"])),
        ("[[dlp]]\nzzz = 1", keys(&of("dlp")["items"])),
        ("[[dlp]]\nexcept = { zzz = 1 }", keys(&of("dlp")["items"]["properties"]["except"])),
        ("[keywords.x]\nzzz = 1", keys(&of("keywords")["additionalProperties"])),
        ("[exact.x]\nzzz = 1", keys(&of("exact")["additionalProperties"])),
        ("[canary.x]\nzzz = 1", keys(&of("canary")["additionalProperties"])),
    ];
    for (text, keys) in tables {
        let told = PolicyDocument::parse("p", text).expect_err("an unknown key").mistakes;
        let known =
            told.iter().find(|mistake| mistake.what.ends_with("has no key `zzz`")).expect("it is told");
        let (_, list) =
            known.remedy.as_deref().and_then(|r| r.rsplit_once(" knows ")).expect("it lists the keys");
        let words = list.split('`').skip(1).step_by(2);
        assert_eq!(words.map(str::to_owned).collect::<BTreeSet<_>>(), keys, "{text}");
    }
}

/// Every word that the schema offers is one that the reader takes, and a word that it does not offer is not.
#[test]
fn the_schema_offers_the_words_that_the_reader_takes() {
    let schema = schema();
    let mut tried = 0;
    let head = |table: &str| match table {
        "rule" => "[[rule]]\nid = \"a\"\nreason = \"r\"\n",
        "limit" => "[[limit]]\nid = \"a\"\nreason = \"r\"\ntools = [\"*\"]\ncalls = 1\nper = \"1m\"\n",
        "dlp" => "[[dlp]]\nid = \"a\"\ndetect = [\"*\"]\n",
        _ => "[defaults]\n",
    };
    for table in ["rule", "limit", "dlp", "defaults"] {
        let of = &schema["properties"][table];
        let members = if of["items"].is_object() { &of["items"] } else { of };
        for (key, form) in members["properties"].as_object().expect("keys") {
            let is_list = form["type"] == "array";
            let words = if is_list { &form["items"]["enum"] } else { &form["enum"] };
            let words = words.as_array().into_iter().flatten().map(|word| word.as_str().expect("a word"));
            for word in words.chain(["zzz"]) {
                let value = if is_list { format!("[\"{word}\"]") } else { format!("\"{word}\"") };
                let effect = match (table, key.as_str()) {
                    ("rule", "effect") | ("dlp", "action") => "",
                    ("rule", _) => "effect = \"deny\"\n",
                    ("dlp", _) => "action = \"block\"\n",
                    _ => "",
                };
                let text = format!("version = 1\n{}{effect}{key} = {value}\n", head(table));
                let is_free = form["enum"].is_null() && form["items"]["enum"].is_null();
                let is_known = PolicyDocument::parse("p", &text).is_ok();
                assert!(is_free || is_known == (word != "zzz"), "{text}");
                tried += 1;
            }
        }
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn the_schema_in_the_repository_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/policy.json");
    let committed = std::fs::read_to_string(&path).expect("docs/schema/policy.json");
    let current = format!("{:#}\n", schema());
    assert_eq!(committed, current, "write it anew: `stockade policy schema > docs/schema/policy.json`");
}

#[test]
fn a_table_of_tests_is_read() {
    let text = r#"version = 1
policies = ["policy.toml"]
[[test]]
name = "merges are denied"
server = ["pkg:npm/a@1"]
tool = "merge"
args = '{"base": "main"}'
user = "ada"
groups = []
at = "2026-11-23T05:30Z"
expect = "deny"
rule = "no-merge"
[[test]]
name = "it starts"
expect = "allow"
"#;
    let table = PolicyCases::parse("t", text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!((table.policies.len(), table.cases.len()), (1, 2));
    let [merge, start] = &table.cases[..] else { panic!("two") };
    assert_eq!((&merge.about, merge.expect, merge.line), (&About::Tool("merge".to_owned()), Access::Deny, 3));
    assert_eq!((merge.groups.as_deref(), start.groups.as_deref()), (Some(&[][..]), None));
    assert_eq!(merge.at.map(|at| at.0), Some(1_795_411_800_000));
    assert_eq!((&start.about, start.expect, start.rule.as_deref()), (&About::Server, Access::Allow, None));
}

#[test]
fn a_table_of_tests_with_mistakes_is_refused_with_all_of_them() {
    let text = "version = 1\n[[test]]\nname = \"a\"\ntool = \"x\"\nprompt = \"y\"\nexpect = \"block\"\nat = \"soon\"\n\
                colour = 1\n[[test]]\nfeature = \"samplng\"\nexpect = \"allow\"\n";
    let told = PolicyCases::parse("t", text).expect_err("mistakes").mistakes;
    let told = told.iter().map(|m| format!("{}:{}", m.line, m.what)).collect::<Vec<_>>();
    for expected in [
        "2:a test is about one thing",
        "6:`expect` cannot be `block`",
        "7:`at` cannot be `soon`",
        "8:[[test]] has no key `colour`",
        "9:[[test]] has no `name`",
        "10:`feature` cannot be `samplng`",
    ] {
        assert!(told.iter().any(|told| told.starts_with(expected)), "{expected}: {told:#?}");
    }
    assert!(PolicyCases::parse("t", "version = 1").is_err(), "a table without tests shows nothing");
}

#[test]
fn a_baseline_with_mistakes_is_refused_with_all_of_them() {
    let text = "version = 1\n[[baseline]]\nid = \"new-tools\"\nreason = \"r\"\nserver = \"abc\"\n[baseline.tools]\nread = 1\n\
                write = \"sha256:ABC\"\n\"\" = \"\"\n[[baseline]]\nid = \"b\"\nservers = [\"npm/x\"]\nreason = \"r\"\nfile = \"x\"\n";
    let told = PolicyDocument::parse("p", text).expect_err("mistakes").mistakes;
    let told = told.iter().map(|m| format!("{}:{}", m.line, m.what)).collect::<Vec<_>>();
    for expected in [
        "3:`new-tools` is the id of a built-in decision",
        "2:[[baseline]] has no `servers`",
        "5:`server` cannot be `abc`",
        "7:`read` must be a string",
        "8:`write` cannot be `sha256:ABC`",
        "9:a tool without a name",
        "12:`npm/x` is no identity",
        "10:[[baseline]] has neither `server` nor `tools`",
        "14:",
    ] {
        assert!(told.iter().any(|told| told.starts_with(expected)), "{expected}: {told:#?}");
    }
    let hash = "a".repeat(64);
    let text = format!(
        "version = 1\n[[baseline]]\nid = \"b\"\nservers = [\"pkg:npm/x\"]\nreason = \"r\"\n[baseline.tools]\nread = \"sha256:{hash}\"\n"
    );
    let document = PolicyDocument::parse("p", &text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let [one] = &document.baselines[..] else { panic!("one") };
    assert_eq!(
        (one.line, one.server.as_ref(), one.tools.as_ref().map(|tools| &tools["read"])),
        (2, None, Some(&hash))
    );
}

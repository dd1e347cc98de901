//! TOML, YAML and the other shapes of entries: configs as people have them, and random ones. Wrapping and unwrapping gives the same bytes.

use super::property::Dice;
use super::*;
use crate::clients::journal::Record;
use crate::clients::propose::{Outcome, Proposal, Request, Way, propose};
use crate::clients::registry::first_of;

const LAUNCHER: &str = "/usr/bin/stockade";
const ROUNDS: u64 = 1_000;

type Journal = BTreeMap<Place, Record>;

fn request(way: Way) -> Request {
    Request { way, server: None }
}

fn wrapped(client: &str, text: &str) -> (Proposal, Journal) {
    let way = Way::Wrap { launcher: LAUNCHER.to_owned() };
    let proposal = propose(first_of(client), text.as_bytes(), &request(way), &|_| None);
    let proposal = proposal.unwrap_or_else(|why| panic!("{why}\n{text}"));
    let records = proposal.changed.iter().map(|changed| {
        let texts = (changed.before.as_str(), changed.after.as_str());
        let file = std::path::Path::new("/f");
        (changed.place.clone(), Record::new(String::new(), String::new(), file, &changed.place, texts))
    });
    let records = records.collect();
    (proposal, records)
}

fn unwrapped(client: &str, text: &str, journal: &Journal) -> String {
    let back = propose(first_of(client), text.as_bytes(), &request(Way::Unwrap), &|place| {
        journal.get(place).cloned()
    });
    back.unwrap_or_else(|why| panic!("{why}\n{text}")).text
}

/// Names and command lines of all entries that have one.
fn starts(client: &str, text: &str) -> Vec<(String, Vec<String>)> {
    let (_, place) = first_of(client);
    let document =
        Document::parse(text.as_bytes(), place.format.unwrap()).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let entries = entry::entries(&document, place.layouts).unwrap();
    let words = |entry: Entry| {
        let words = launch_of(&entry.shape)?.words().into_iter().map(str::to_owned).collect();
        Some((entry.place.name, words))
    };
    entries.into_iter().filter_map(words).collect()
}

/// Wraps and unwraps; the text in between.
fn there_and_back(client: &str, text: &str, servers: &[&str]) -> String {
    let before = starts(client, text);
    let (proposal, journal) = wrapped(client, text);
    let done: Vec<&str> = journal.keys().map(|place| place.name.as_str()).collect();
    let mut wanted = servers.to_vec();
    wanted.sort_unstable();
    assert_eq!(done, wanted, "{client}: {:?}\n{text}", proposal.rows);
    for (name, words) in starts(client, &proposal.text) {
        let own = &before.iter().find(|(known, _)| *known == name).unwrap().1;
        let id = format!("{client}/{name}");
        let head = [LAUNCHER, "run", "--id", &id, "--"];
        if servers.contains(&name.as_str()) {
            assert_eq!(words, [head.map(str::to_owned).to_vec(), own.clone()].concat(), "{}", proposal.text);
        } else {
            assert_eq!(words, *own);
        }
    }
    assert_eq!(unwrapped(client, &proposal.text, &journal), text, "with the journal");
    let alone = unwrapped(client, &proposal.text, &Journal::new());
    assert_eq!(starts(client, &alone), before, "without a journal\n{}\n{alone}", proposal.text);
    proposal.text
}

const CODEX: &str = "# é\nmodel = \"o\"\n\n[mcp_servers.a]   # mine\ncommand = 'npx' # runner\nargs = [\n  \"-y\", # yes\n  \"x\",\n]\n\n[mcp_servers.a.env]\nT = \"v\"\n\n[mcp_servers.\"b c\"]\ncommand=\"x\"\nenv = { A = \"1\" }\n\n[mcp_servers]\nd = { command = \"node\", args = [] }\ne = {command=\"node\"}\n\n[mcp_servers.far]\nurl = \"https://example.org/mcp\"\n\n[projects.\"/x\"]\ntrust_level = \"trusted\"\n";
const GOOSE: &str = "# é\nextensions:\n  developer:\n    type: builtin\n    name: developer\n  git:\n    type: stdio\n    cmd: uvx  # runner\n    args:\n    - mcp-server-git\n    - '--repository'   # where\n    - /r\n    envs: {A: \"1\"}\n  bare:\n      type: stdio\n      cmd: server\n  flow: {type: stdio, cmd: \"node\", args: [s.js, 'b c']}\n  far:\n    type: streamable_http\n    uri: https://example.org/mcp\nGOOSE_MODEL: x\n";
const CONTINUE: &str = "name: mine\nmcpServers:\n  - name: a\n    command: npx\n    args: [ \"-y\", x ]\n  - command: node\n    name: b\n    args:\n      - s.js\n  - name: c\n    command: server\nmodels: []\n";
const OPENCODE: &str = "{\n  // mine\n  \"mcp\": {\n    \"timeout\": 5,\n    \"a\": { \"type\": \"local\", \"command\": [\"npx\", \"-y\", \"x\"], \"environment\": {\"T\": \"v\"} },\n    \"b\": {\n      \"command\": [\n        \"node\",\n        \"s.js\", // one\n      ],\n    },\n    \"far\": { \"type\": \"remote\", \"url\": \"https://example.org\" },\n  },\n}\n";

#[test]
fn configs_as_people_have_them_come_back_byte_for_byte() {
    for (client, text, servers) in [
        ("codex", CODEX, &["a", "b c", "d", "e"][..]),
        ("goose", GOOSE, &["git", "bare", "flow"]),
        ("continue", CONTINUE, &["a", "b", "c"]),
        ("opencode", OPENCODE, &["a", "b"]),
        (
            "vscode",
            "{\"inputs\": [], \"servers\": {\"a\": {\"type\": \"stdio\", \"command\": \"n\"}}}",
            &["a"],
        ),
        (
            "zed",
            "{\"theme\": \"x\", // é\n\t\"context_servers\": {\"a\": {\"command\": \"n\", \"args\": []}, \"ext\": {\"settings\": {}}}}",
            &["a"],
        ),
        ("amp", "{\"amp.mcpServers\": {\"a\": {\"command\": \"n\", \"args\": [\"b\"]}}}", &["a"]),
        (
            "mistral-vibe",
            "[[mcp_servers]]\nname = \"a\"\ncommand = \"n\"\nargs = [\"b\"]\n\n[[mcp_servers]]\nname = \"b\"\ncommand = \"m\"\n",
            &["a", "b"],
        ),
    ] {
        for dress in [text.to_owned(), text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
            there_and_back(client, &dress, servers);
        }
    }
}

#[test]
fn what_is_not_the_entry_stays_to_the_byte() {
    let text = there_and_back("codex", CODEX, &["a", "b c", "d", "e"]);
    for kept in [
        "# é\nmodel = \"o\"\n\n[mcp_servers.a]   # mine\n",
        " # runner\n",
        " # yes\n",
        "[projects.\"/x\"]\ntrust_level",
    ] {
        assert!(text.contains(kept), "{kept}\n{text}");
    }
    assert!(text.contains("args = [\n  \"run\",\n  \"--id\",\n"), "set out as the file is: {text}");
    let text = there_and_back("goose", GOOSE, &["git", "bare", "flow"]);
    assert!(text.contains("    - \"run\"\n    - \"--id\"\n"), "{text}");
    assert!(text.contains("      cmd: \"/usr/bin/stockade\"\n") && text.contains("# runner"), "{text}");
}

#[test]
fn what_cannot_be_changed_for_sure_is_left_with_a_reason() {
    for (client, text, why) in [
        ("goose", "extensions:\n  a: &x\n    cmd: n\n", "not an object"),
        ("goose", "extensions:\n  a:\n    cmd: &x n\n  b:\n    cmd: *x\n", "not a string in one piece"),
        (
            "goose",
            "base: &b {args: [x]}\nextensions:\n  a:\n    <<: *b\n    cmd: n\n",
            "takes over another mapping",
        ),
        ("goose", "extensions:\n  a:\n    cmd: >-\n      n\n      m\n", "not a string in one piece"),
        ("goose", "extensions:\n  a:\n    cmd: !!str n\n", "not a string in one piece"),
        ("goose", "extensions:\n  a:\n    cmd: n\n    args: [1]\n", "not a string"),
        ("codex", "mcp_servers.a.command = \"n\"\n", "nothing can be put before"),
        ("codex", "[mcp_servers.a]\ncommand = 1\n", "not a string"),
        ("opencode", "{\"mcp\":{\"a\":{\"command\":[]}}}", "is empty"),
        ("opencode", "{\"mcp\":{\"a\":{\"command\":\"n\"}}}", "not an array"),
    ] {
        let (proposal, _) = wrapped(client, text);
        let [row, ..] = &proposal.rows[..] else { panic!("no entry in {text}") };
        assert!(matches!(&row.outcome, Outcome::Failed(reason) if reason.contains(why)), "{text}: {row:?}");
        assert!(proposal.rows.iter().any(|row| matches!(row.outcome, Outcome::Failed(_))));
        if proposal.rows.len() == 1 {
            assert_eq!(proposal.text, text);
        }
    }
}

#[test]
fn a_file_that_its_client_could_not_read_is_left_alone_with_the_place() {
    for (client, text, place) in [
        ("codex", "a = 1\na = 2\n", "line 2"),
        ("codex", "[mcp_servers.a]\ncommand = \n", "line 2"),
        ("goose", "extensions:\n  a: [\n", "line"),
        ("goose", "a: 1\n---\nb: 2\n", "a second document"),
        ("goose", "extensions:\n\ta: 1\n", "line 2"),
    ] {
        let way = Way::Wrap { launcher: LAUNCHER.to_owned() };
        let why = propose(first_of(client), text.as_bytes(), &request(way), &|_| None).unwrap_err();
        assert!(why.starts_with("malformed: ") && why.contains(place), "{why}");
    }
    assert!(wrapped("goose", "").0.rows.is_empty() && wrapped("codex", "").0.rows.is_empty());
    let twice = "extensions:\n  a:\n    cmd: n\n  a:\n    cmd: m\n";
    let way = Way::Wrap { launcher: LAUNCHER.to_owned() };
    let result = propose(first_of("goose"), twice.as_bytes(), &request(way), &|_| None);
    assert!(
        result.is_err() || result.is_ok_and(|one| one.text == twice),
        "which of the two counts is not defined"
    );
}

/// A random config of Codex.
fn toml(dice: &mut Dice) -> String {
    let end = dice.one(&["\n", "\r\n"]);
    let mut text = dice.one(&["", "\u{feff}", "# é\n"]).replace('\n', end);
    for number in 0..1 + dice.below(4) {
        let eq = dice.one(&["=", " = ", "  =\t"]);
        let comment = dice.one(&["", " # c", "  # [x] \"y"]);
        let program = dice.one(&["\"npx\"", "'C:\\x y'", "\"a\\u00e9\\\"b\""]);
        let args = match dice.below(5) {
            0 => String::new(),
            1 => format!("args{eq}[]{end}"),
            2 => format!("args{eq}[ \"-y\", 'b', ]{comment}{end}"),
            3 => format!("args{eq}[{end}\t\"-y\", # one{end}\t\"b\"{end}]{end}"),
            _ => format!("args{eq}[\"on\",\"1\"]{end}"),
        };
        match dice.below(3) {
            0 => {
                let inline = args.trim_end().lines().next().unwrap_or("").to_owned();
                let inline = if inline.contains('#') || inline.ends_with('[') { String::new() } else { inline };
                let more = if inline.is_empty() { String::new() } else { format!(", {inline}") };
                text.push_str(&format!("[mcp_servers]{end}").repeat(usize::from(!text.contains("[mcp_servers]"))));
                let line = format!("s{number}{eq}{{ command = {program}{more} }}{comment}{end}");
                let at = text.find("[mcp_servers]").unwrap() + "[mcp_servers]".len() + end.len();
                text.insert_str(at, &line);
            }
            1 => text.push_str(&format!("{end}[mcp_servers.s{number}]{comment}{end}{args}command{eq}{program}{end}[mcp_servers.s{number}.env]{end}T{eq}\"v\"{end}")),
            _ => text.push_str(&format!("  [ mcp_servers . \"s{number}\" ]{end}  command{eq}{program}{comment}{end}{args}enabled{eq}true{end}")),
        }
    }
    text.push_str(dice.one(&["", "[other]\nz = 1\n", "# end"]).replace('\n', end).as_str());
    text
}

/// A random config of Goose.
fn yaml(dice: &mut Dice) -> String {
    let end = dice.one(&["\n", "\r\n"]);
    let mut text = dice.one(&["", "\u{feff}", "# é\n", "a: [1, {b: c}]\n"]).replace('\n', end);
    text.push_str(&format!("extensions:{end}"));
    for number in 0..1 + dice.below(4) {
        let indent = " ".repeat(4 + dice.below(4));
        let comment = dice.one(&["", " # c", "   # - x: y"]);
        let program = dice.one(&["npx", "'C:\\x y'", "\"a\\u00e9\\\"b\"", "two words"]);
        let dash = format!("{indent}{}-", " ".repeat(dice.below(3)));
        let args = match dice.below(5) {
            0 => String::new(),
            1 => format!("{indent}args: []{end}"),
            2 => format!("{indent}args: [ -y, 'b', \"c d\" ]{comment}{end}"),
            3 => format!("{indent}args:{comment}{end}{dash} -y{end}{dash}   'b'{comment}{end}"),
            _ => format!("{indent}args:{end}{dash} \"on\"{end}"),
        };
        match dice.below(3) {
            0 => text.push_str(&format!("  s{number}: {{cmd: {program}, enabled: true}}{comment}{end}").replace("two words", "two")),
            1 => text.push_str(&format!("  s{number}:{comment}{end}{args}{indent}cmd: {program}{end}{indent}envs:{end}{indent}  T: v{end}")),
            _ => text.push_str(&format!("  \"s{number}\":{end}{indent}cmd:   {program}{comment}{end}{args}{indent}enabled: true{end}")),
        }
    }
    text.push_str(dice.one(&["", "other: 1\n", "# end"]).replace('\n', end).as_str());
    text
}

#[test]
fn random_documents_of_toml_and_yaml_come_back_byte_for_byte_and_keep_what_others_wrote() {
    let mut entries = 0;
    for seed in 1..ROUNDS {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        dice.below(2);
        for (client, text, addition) in [
            ("codex", toml(&mut dice), "\n[added]\nby = \"another\"\n"),
            ("goose", yaml(&mut dice), "\nadded: another\n"),
        ] {
            let before = starts(client, &text);
            let (proposal, journal) = wrapped(client, &text);
            let failed = proposal.rows.iter().find(|row| matches!(row.outcome, Outcome::Failed(_)));
            assert!(failed.is_none(), "seed {seed}: {failed:?}\n{text}");
            entries += journal.len();
            assert_eq!(unwrapped(client, &proposal.text, &journal), text, "seed {seed}");
            // Somebody adds a table meanwhile.
            let edited = format!("{}{addition}", proposal.text);
            assert_eq!(unwrapped(client, &edited, &journal), format!("{text}{addition}"), "seed {seed}");
            let alone = unwrapped(client, &proposal.text, &Journal::new());
            assert_eq!(starts(client, &alone), before, "seed {seed}\n{text}\n{}\n{alone}", proposal.text);
        }
    }
    assert!(entries > 2_000, "the documents are too poor: {entries}");
}

#[test]
fn what_stands_before_a_command_without_args_does_not_matter() {
    for (client, text) in [
        ("codex", "[mcp_servers.a]\n# the runner,\ncommand = \"node\"\n"),
        ("codex", "[mcp_servers.a]\ntag = \"x\" # {\ncommand = \"node\"\n"),
        ("goose", "extensions:\n  a:\n    note: one,\n    cmd: node\n"),
        ("goose", "extensions:\n  a: # {\n    cmd: node\n"),
        ("goose", "extensions:\n  a: {enabled: true,\n    cmd: node}\n"),
        ("goose", "extensions:\n  a:\n    cmd: node\n    args:\n    -\t'b'\n    -\r\n      c\n"),
    ] {
        there_and_back(client, text, &["a"]);
    }
}

#[test]
fn what_yaml_and_toml_forbid_in_a_name_is_written_as_an_escape() {
    for (client, text) in [
        ("codex", "[mcp_servers.\"a\\u0080b\\u2028c\\u007f\"]\ncommand = \"n\"\nargs = [\"x\"]\n"),
        ("goose", "extensions:\n  \"a\\x80b\\u2028c\\x7f\":\n    cmd: n\n    args: [x]\n"),
    ] {
        let new = there_and_back(client, text, &["a\u{80}b\u{2028}c\u{7f}"]);
        assert!(new.contains("a\\u0080b\\u2028c\\u007f") && new.is_ascii(), "{new}");
    }
}

#[test]
fn a_large_file_is_read_in_seconds() {
    for (client, head, line) in [
        ("codex", "[mcp_servers.a]\ncommand = \"n\"\n[x]\n", "key = \"value of some length\"\n"),
        ("goose", "extensions:\n  a:\n    cmd: n\nx:\n", "  - value of some length\n"),
    ] {
        let lines: String = (0..60_000).map(|number| line.replace("key", &format!("key{number}"))).collect();
        let text = format!("{head}{lines}");
        let (proposal, journal) = wrapped(client, &text);
        assert_eq!(journal.len(), 1);
        assert_eq!(unwrapped(client, &proposal.text, &journal), text);
    }
}

//! `tests/cases/redaction/*.toml`: a line as it comes, the line as it goes on, or that it is blocked.

use std::fs;
use std::path::Path;

use stockade_policy::detect::{Confidence, Engine, Finding, HashKey, KeywordList, ScanEnd};
use stockade_policy::redact::{NotRedactable, redact};
use stockade_policy::wire::{Direction, Limits, Parser};
use toml::de::DeTable;

/// Breaks up made-up secrets in the case files, so that scanners of repositories do not take them for leaked ones.
const NOTHING: char = '¦';

struct Case {
    name: String,
    input: String,
    /// Absent: blocked, for this reason.
    output: Result<String, NotRedactable>,
}

fn engine() -> Engine {
    let list = |name: &str, words: &[&str], whole_word| KeywordList {
        name: name.to_owned(),
        words: words.iter().map(|w| (*w).to_owned()).collect(),
        regexes: Vec::new(),
        whole_word,
    };
    let lists = [
        list("projects", &["Nightfall", "Ärger"], true),
        list("parts", &["blue", "bluebird", "redacted"], false),
    ];
    Engine::new(&lists, HashKey([9; 32])).expect("the engine compiles")
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/redaction");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the folder is there").map(|e| e.expect("an entry").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("the file can be read");
        let table = DeTable::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for (name, case) in table.get_ref() {
            let field = |key: &str| {
                let value = case.get_ref().get(key).and_then(|v| v.get_ref().as_str());
                value.map(|v| v.replace(NOTHING, ""))
            };
            let output = match (field("output"), field("blocked").as_deref()) {
                (Some(output), None) => Ok(output),
                (None, Some("key")) => Err(NotRedactable::Key),
                (None, Some("number")) => Err(NotRedactable::Number),
                (None, Some("not clean")) => Err(NotRedactable::NotClean),
                (output, blocked) => panic!("{}: {name:?}: {output:?} {blocked:?}", file.display()),
            };
            let input = field("input").unwrap_or_else(|| panic!("{}: {name:?} has no input", file.display()));
            cases.push(Case { name: name.get_ref().to_string(), input, output });
        }
    }
    cases
}

/// What a policy would have redacted: everything that is at least of medium confidence.
fn redacted(engine: &Engine, line: &str, direction: Direction) -> Result<String, NotRedactable> {
    let mut parser = Parser::default();
    let frame = parser
        .parse(line.as_bytes(), direction, &Limits::of(direction))
        .unwrap_or_else(|e| panic!("{line} is refused: {e:?}"));
    let mut findings = Vec::new();
    assert_eq!(engine.scan(&frame, &mut findings), ScanEnd::Complete);
    assert!(findings.is_sorted_by_key(|f: &Finding| f.raw.start), "findings come in order of their place");
    let wanted: Vec<_> = findings.iter().filter(|f| f.confidence >= Confidence::Medium).collect();
    let bytes = redact(&frame, &wanted, engine, |_| false)?.bytes;
    Ok(String::from_utf8(bytes).expect("a redacted line is UTF-8"))
}

/// Whether `line` is `pattern`, in which `*` stands for the eight hex digits of a hash.
fn fits(pattern: &str, line: &str) -> bool {
    let mut rest = line;
    let mut parts = pattern.split(":*]");
    let first = parts.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    for part in parts {
        let Some((hash, after)) = rest.strip_prefix(':').and_then(|r| r.split_at_checked(8)) else {
            return false;
        };
        let hex = hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let Some(after) = after.strip_prefix(']').and_then(|r| r.strip_prefix(part)).filter(|_| hex) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}

#[test]
fn every_case_is_redacted_as_it_says() {
    let (engine, cases) = (engine(), cases());
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        for direction in [Direction::ToServer, Direction::ToClient] {
            let actual = redacted(&engine, &case.input, direction);
            let right = match (&case.output, &actual) {
                (Ok(pattern), Ok(line)) => fits(pattern, line),
                (expected, actual) => *expected == *actual,
            };
            if !right {
                wrong.push(format!("{} ({direction:?}):\n  {:?}\n  {actual:?}", case.name, case.output));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn redacting_twice_changes_nothing_more() {
    let (engine, cases) = (engine(), cases());
    for case in cases {
        if let Ok(line) = redacted(&engine, &case.input, Direction::ToServer) {
            assert_eq!(redacted(&engine, &line, Direction::ToServer).as_ref(), Ok(&line), "{}", case.name);
        }
    }
}

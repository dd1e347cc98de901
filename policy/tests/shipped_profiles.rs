//! The profiles that ship, and the schema for editors: each proves its grants, and is what the schema says.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use stockade_policy::document::profile::{Profile, Source, parse_all, schema};

const HEAD: &str = "name = \"p\"\ndescription = \"d\"\n";

/// Of a base too, if it has examples; `linux` has none: its paths are those of many distributions, and nobody could say which
/// of them a host has.
#[test]
fn every_grant_that_ships_is_needed_by_an_example_or_optional() {
    let (profiles, _) = parse_all(&shipped(), &|_| None);
    let base = |name: &str| profiles.iter().find(|profile| profile.name == name).cloned();
    let is_meant = |source: &Source| source.file.contains("/servers/") || source.text.contains("\n[test]");
    let mut seen = 0;
    let mut unneeded = Vec::new();
    for source in shipped().iter().filter(|source| is_meant(source)) {
        let grants = Profile::unneeded(&source.file, &source.text, &base).expect("in order");
        unneeded.extend(grants.iter().map(|grant| format!("{}: no example needs {grant}", source.file)));
        seen += 1;
    }
    assert!(unneeded.is_empty(), "{unneeded:#?}");
    assert!(seen > 10, "{seen}");
}

/// Keys of each table of the schema, by the title that messages give the table.
fn keys_of_schema() -> Vec<(String, String, BTreeSet<String>)> {
    let schema = schema();
    let keys = |table: &Value| -> BTreeSet<String> {
        table["properties"].as_object().expect("a table").keys().cloned().collect()
    };
    let mut found = vec![("the file".to_owned(), "zzz = 1".to_owned(), keys(&schema))];
    for (name, table) in schema["properties"].as_object().expect("keys") {
        if table["properties"].is_object() {
            found.push((format!("[{name}]"), format!("[{name}]\nzzz = 1"), keys(table)));
        }
        if table["items"]["properties"].is_object() {
            found.push((format!("[[{name}]]"), format!("[[{name}]]\nzzz = 1"), keys(&table["items"])));
        }
        for (key, list) in table["properties"].as_object().into_iter().flatten() {
            if list["items"]["properties"].is_object() {
                let text = format!("[{name}]\n{key} = [{{ zzz = 1 }}]");
                found.push((format!("a grant in `{key}`"), text, keys(&list["items"])));
            }
        }
    }
    found
}

#[test]
fn the_schema_knows_the_keys_that_the_reader_knows() {
    let tables = keys_of_schema();
    assert!(tables.len() >= 15, "{}", tables.len());
    for (title, lines, keys) in tables {
        let text = if title == "the file" { lines.clone() } else { format!("{HEAD}{lines}") };
        let told = Profile::parse("p", &text, &|_| None).expect_err("an unknown key").mistakes;
        let known =
            told.iter().find(|mistake| mistake.what.ends_with("has no key `zzz`")).expect("it is told");
        let (_, list) =
            known.remedy.as_deref().and_then(|r| r.rsplit_once(" knows ")).expect("it lists the keys");
        let words = list.split('`').skip(1).step_by(2);
        assert_eq!(words.map(str::to_owned).collect::<BTreeSet<_>>(), keys, "{title}");
    }
}

#[test]
fn the_schema_in_the_repository_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/profile.json");
    let committed = std::fs::read_to_string(&path).expect("docs/schema/profile.json");
    let current = format!("{:#}\n", schema());
    assert_eq!(committed, current, "write it anew: `stockade profile schema > docs/schema/profile.json`");
}

#[test]
fn every_profile_that_ships_is_valid_by_the_schema_and_wrong_ones_are_not() {
    let schema = schema();
    for source in shipped() {
        let table = toml::de::DeTable::parse(&source.text).expect("TOML");
        let value = as_json(&toml::de::DeValue::Table(table.into_inner()));
        assert_eq!(invalid(&schema, &value, ""), Vec::<String>::new(), "{}", source.file);
    }
    for (wrong, at) in [
        (serde_json::json!({"name": "p"}), ""),
        (serde_json::json!({"name": "p", "description": "d", "colour": 1}), ""),
        (serde_json::json!({"name": "a b", "description": "d"}), "/name"),
        (
            serde_json::json!({"name": "p", "description": "d", "net": {"allow": [{"host": "a"}]}}),
            "/net/allow/0",
        ),
        (serde_json::json!({"name": "p", "description": "d", "require": {"fs": "most"}}), "/require/fs"),
        (serde_json::json!({"name": "p", "description": "d", "limits": {"memory": "1GB"}}), "/limits/memory"),
        (
            serde_json::json!({"name": "p", "description": "d", "limits": {"output": "1MiB"}}),
            "/limits/output",
        ),
        (serde_json::json!({"name": "p", "description": "d", "fs": {"read": ["/usr"]}}), "/fs/read/0"),
        (
            serde_json::json!({"name": "p", "description": "d", "login": [{"path": "/x", "reason": "r"}]}),
            "/login/0/path",
        ),
    ] {
        assert_eq!(invalid(&schema, &wrong, ""), [at], "{wrong}");
    }
}

#[test]
fn every_profile_that_ships_proves_what_it_allows_and_refuses() {
    let (_, mistakes) = parse_all(&shipped(), &|_| None);
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    for source in shipped().iter().filter(|source| source.file.contains("/servers/")) {
        for key in ["\n[test]", "\nrefuses = ", "\nnot_reads = "] {
            assert!(source.text.contains(key), "{} has no {}", source.file, key.trim());
        }
    }
}

fn as_json(value: &toml::de::DeValue<'_>) -> Value {
    use toml::de::DeValue;
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => Value::from(number.as_str().parse::<u64>().expect("a small number")),
        DeValue::Boolean(value) => Value::from(*value),
        DeValue::Array(items) => items.iter().map(|item| as_json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let member =
                |(key, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
                    (key.get_ref().to_string(), as_json(value.get_ref()))
                };
            Value::Object(table.iter().map(member).collect())
        }
        DeValue::Float(_) | DeValue::Datetime(_) => panic!("no profile holds one"),
    }
}

fn shipped() -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["base", "servers"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles").join(folder);
        for entry in std::fs::read_dir(folder).expect("the folder of profiles") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a profile");
            sources.push(Source { file: path.display().to_string(), text });
        }
    }
    sources
}

/// Places where a value is not what the schema says: as much of draft 7 as our schema uses, patterns by the few forms
/// that it has. What it uses beyond that is found, so that it cannot pass unchecked.
fn invalid(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    const KNOWN: [&str; 14] = [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "minItems",
        "minLength",
        "pattern",
        "minimum",
        "maximum",
        "description",
        "title",
        "$schema",
    ];
    let rules = schema.as_object().expect("a schema");
    assert!(rules.keys().all(|key| KNOWN.contains(&key.as_str())), "unknown to this test: {rules:?}");
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => vec![one.as_str().expect("a type")],
    };
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        _ => "other",
    };
    let mut wrong = Vec::new();
    let fits = match value {
        _ if !types.contains(&kind) => false,
        Value::Object(members) => {
            for (key, value) in members {
                match (&schema["properties"][key], &schema["additionalProperties"]) {
                    (known @ Value::Object(_), _) | (Value::Null, known @ Value::Object(_)) => {
                        wrong.extend(invalid(known, value, &format!("{at}/{key}")));
                    }
                    _ => wrong.push(at.to_owned()),
                }
            }
            let required = schema["required"].as_array().into_iter().flatten();
            required.filter_map(Value::as_str).all(|key| members.contains_key(key))
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                wrong.extend(invalid(&schema["items"], item, &format!("{at}/{n}")));
            }
            items.len() as u64 >= schema["minItems"].as_u64().unwrap_or(0)
        }
        Value::String(text) => {
            let long_enough = text.len() as u64 >= schema["minLength"].as_u64().unwrap_or(0);
            let listed = schema["enum"].as_array().is_none_or(|words| words.contains(value));
            long_enough && listed && schema["pattern"].as_str().is_none_or(|pattern| fits(pattern, text))
        }
        Value::Number(number) => {
            let number = number.as_u64().expect("a whole number");
            number >= schema["minimum"].as_u64().unwrap_or(0)
                && number <= schema["maximum"].as_u64().unwrap_or(u64::MAX)
        }
        _ => true,
    };
    if !fits {
        wrong.push(at.to_owned());
    }
    wrong
}

/// The patterns of the schema.
fn fits(pattern: &str, text: &str) -> bool {
    let only = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    match pattern {
        "^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$" => {
            only(text, "_.-") && !text.starts_with('.') && text.len() <= 64
        }
        "^[0-9]+ *(B|KiB|MiB|GiB)$" => {
            let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
            unit.len() < text.len() && ["B", "KiB", "MiB", "GiB"].contains(&unit.trim_start())
        }
        "^[0-9]+ *(B|KiB|MiB|GiB)/s$" => {
            text.strip_suffix("/s").is_some_and(|size| fits("^[0-9]+ *(B|KiB|MiB|GiB)$", size))
        }
        r"^\$\{home\}/" => text.starts_with("${home}/"),
        r"^\$\{(state|cache)\}/" => ["${state}/", "${cache}/"].iter().any(|base| text.starts_with(base)),
        "^[A-Za-z_][A-Za-z0-9_]*$" => only(text, "_") && !text.starts_with(|c: char| c.is_ascii_digit()),
        path if path.starts_with(r"^(/|\$\{(home|") => {
            let variable = text.strip_prefix("${").and_then(|rest| rest.split_once('}'));
            let known = |name: &str| {
                let of_a_kind = ["args.", "env."].iter().any(|kind| name.starts_with(kind));
                path.contains(&name.replace('.', r"\.")) || path.contains(r"|env\.") && of_a_kind
            };
            text.starts_with('/')
                || variable
                    .is_some_and(|(name, rest)| known(name) && (rest.is_empty() || rest.starts_with('/')))
        }
        host if host.starts_with(r"^(\*|") => {
            match text.split_once("${").map(|(_, rest)| rest.split_once('}')) {
                Some(Some((variable, _))) => {
                    host.contains("(env|args)")
                        && (variable.starts_with("env.") || variable.starts_with("args."))
                }
                Some(None) => false,
                None => only(text, "*._-:/") && !text.is_empty(),
            }
        }
        other => panic!("a pattern that this test does not know: {other}"),
    }
}

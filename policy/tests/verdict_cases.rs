//! The tables of `tests/cases/verdicts`: policy text by layer, a question, the verdict and the rule that decides.

use std::borrow::Cow;
use std::path::Path;

use stockade_policy::detect::{Confidence, Finding, Place};
use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::rules::{
    Arguments, Circumstances, Elicited, Item, Layer, Origin, Policy, Ruling, UnixTime,
};
use stockade_policy::wire::Direction;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const KEYS: &[&str] =
    &["name", "starting", "policy", "server", "ask", "verdict", "rule", "layer", "would_have"];

struct Case<'t> {
    file: &'t str,
    table: &'t DeTable<'t>,
}

/// What a ruling looks like in a table: words only, so that both axes read alike.
#[derive(Debug, PartialEq)]
struct Outcome {
    verdict: String,
    rule: Option<String>,
    layer: Option<String>,
    would_have: Option<String>,
}

#[test]
fn every_case_of_the_verdict_tables_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/verdicts");
    let mut files = std::fs::read_dir(&folder)
        .expect("the folder of verdict tables")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect::<Vec<_>>();
    files.sort();
    let mut cases = 0;
    let mut wrong = Vec::new();
    for path in files {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect("a readable table");
        let document = DeTable::parse(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        let list =
            document.get_ref().get("case").and_then(|v| v.get_ref().as_array()).expect("[[case]] tables");
        for table in list.iter().filter_map(|v| v.get_ref().as_table()) {
            cases += 1;
            let case = Case { file: &file, table };
            let (expected, actual) = (case.expected(), case.actual());
            if expected != actual {
                wrong.push(format!("{}\n  expected {expected:?}\n  actual   {actual:?}", case.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= 40, "only {cases} cases were read");
}

impl<'t> Case<'t> {
    fn text(&self, key: &str) -> Option<&'t str> {
        self.table.get(key).map(|v| self.str_of(key, v))
    }

    fn str_of(&self, key: &str, value: &'t Spanned<DeValue<'t>>) -> &'t str {
        value.get_ref().as_str().unwrap_or_else(|| panic!("{}: `{key}` is no string", self.file))
    }

    fn name(&self) -> &'t str {
        self.text("name").expect("every case has a name")
    }

    fn expected(&self) -> Outcome {
        for key in self.table.keys() {
            assert!(KEYS.contains(&key.get_ref().as_ref()), "{}: unknown key `{key}`", self.name());
        }
        let owned = |key| self.text(key).map(str::to_owned);
        Outcome {
            verdict: owned("verdict").expect("every case has a verdict"),
            rule: owned("rule"),
            layer: owned("layer"),
            would_have: owned("would_have"),
        }
    }

    fn policy(&self) -> Policy {
        let mut layers = Vec::new();
        if let Some(name) = self.text("starting") {
            let path =
                Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../profiles/policies/{name}.toml"));
            let text = std::fs::read_to_string(path).expect("a starting policy");
            layers.push(self.layer(Origin::BuiltIn, &text));
        }
        let texts = self.table.get("policy").and_then(|v| v.get_ref().as_table());
        assert!(texts.is_some() || !layers.is_empty(), "{}: no policy", self.name());
        for (origin, text) in texts.into_iter().flatten() {
            let origin = match origin.get_ref().as_ref() {
                "organisation" => Origin::Organisation,
                "group" => Origin::Group,
                "user" => Origin::User,
                "project" => Origin::Project,
                "flag" => Origin::Flag,
                "built-in" => Origin::BuiltIn,
                other => panic!("{}: there is no layer `{other}`", self.name()),
            };
            layers.push(self.layer(origin, self.str_of("policy", text)));
        }
        Policy::compose(layers)
    }

    fn layer(&self, origin: Origin, text: &str) -> Layer {
        let document = PolicyDocument::parse(origin.word(), text)
            .unwrap_or_else(|mistakes| panic!("{}:\n{mistakes}", self.name()));
        Layer { origin, name: origin.word().to_owned(), document, sha256: String::new() }
    }

    fn actual(&self) -> Outcome {
        let policy = self.policy();
        let servers = self.table.get("server").and_then(|v| v.get_ref().as_array());
        let servers = servers.map_or_else(Vec::new, |list| {
            list.iter().map(|v| self.str_of("server", v).to_owned()).collect::<Vec<_>>()
        });
        let ask = self.table.get("ask").and_then(|v| v.get_ref().as_table()).expect("`ask` is a table");
        let word = |key: &str| ask.get(key).map(|v| self.str_of(key, v));
        // Without `args` (or with `user` alone) it is asked what could be said before there is a call.
        let known = Circumstances {
            arguments: word("args").map_or(Arguments::Unknown, Arguments::Json),
            user: word("user"),
            now: word("now").map(|ms| UnixTime(ms.parse().expect("milliseconds"))),
            ..Circumstances::default()
        };
        let access = |item| {
            let ruling = match word("args") {
                Some(_) => policy.decide(&servers, item, &known),
                None => policy.foresee(&servers, item, &known),
            };
            outcome(ruling, |v| v.word())
        };
        if let Some(name) = word("tool") {
            return access(Item::Tool(name));
        }
        if let Some(name) = word("prompt") {
            return access(Item::Prompt(name));
        }
        if let Some(uri) = word("resource") {
            return access(Item::Resource(uri));
        }
        if let Some(template) = word("template") {
            return access(Item::Template(template));
        }
        if let Some(detector) = word("finding") {
            let finding = finding(detector, word("confidence").unwrap_or("high"));
            return outcome(policy.content(&servers, direction(word("direction")), &finding), |v| v.word());
        }
        match word("about") {
            Some("server") => access(Item::Server),
            Some("sampling") => access(Item::Sampling),
            Some("roots") => access(Item::Roots),
            Some("elicitation by form") => access(Item::Elicitation(Elicited::Form)),
            Some("elicitation by URL") => access(Item::Elicitation(Elicited::Url { origin: word("origin") })),
            Some("grants-by-flag") => outcome(policy.grants_by_flag(), |v| v.word()),
            Some("spent budget") => {
                outcome(policy.strictest_content(&servers, direction(word("direction"))), |v| v.word())
            }
            other => panic!("{}: nothing is known about {other:?}", self.name()),
        }
    }
}

fn outcome<V: Copy>(ruling: Ruling<V>, word: impl Fn(V) -> &'static str) -> Outcome {
    Outcome {
        verdict: word(ruling.verdict).to_owned(),
        rule: ruling.reason.as_ref().map(|reason| reason.rule.clone().into_owned()),
        layer: ruling.reason.map(|reason| reason.layer.into_owned()),
        would_have: ruling
            .would_have
            .map(|(verdict, reason)| format!("{} by {}", word(verdict), reason.rule)),
    }
}

fn direction(word: Option<&str>) -> Direction {
    match word {
        Some("to-server") => Direction::ToServer,
        Some("to-client") => Direction::ToClient,
        other => panic!("there is no direction {other:?}"),
    }
}

fn finding(detector: &str, confidence: &str) -> Finding {
    let confidence = match confidence {
        "low" => Confidence::Low,
        "medium" => Confidence::Medium,
        "high" => Confidence::High,
        other => panic!("there is no confidence `{other}`"),
    };
    Finding {
        detector: Cow::Owned(detector.to_owned()),
        confidence,
        place: Place::Text,
        raw: 1..2,
        token: 0..3,
        length_class: 0,
        hash: *b"00000000",
    }
}

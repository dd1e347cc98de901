//! The tables of `tests/cases/egress`: grants, then steps, each with what comes of it.
//!
//! A step is one of
//! `{ name = "…" }`, `{ service = "…" }`: a DNS question; `resolve` or `refused`
//! `{ target = "host:port" }`: what an SRV record names; `granted` or `refused`
//! `{ resolved = "…", at = ["…"] }`, `{ unresolved = "…" }`: the addresses that are told, or `refused`
//! `{ connect = "address:port" }`: `NAME at ADDRESS:PORT, CLASS, grant N`, or `refused`
//! `{ sent = BYTES, grant = N }`, `{ asked = "…" }`: `within` or `beyond`
//! `{ classes = "address" }`: the classes, or `nowhere`
//! `{ opens = "host", hosts = ["…"] }`: `yes` or `no`
//! with `then = "…"`; a refusal may also be held against `what`, `why` (a part of it) and `fragment` ("" for none).

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use stockade_policy::document::profile::{AddressClass, NetGrant, Profile};
use stockade_policy::egress::{Judge, NameRuling, Refusal, Spent};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

type Value<'t> = Spanned<DeValue<'t>>;

const CASE_KEYS: &[&str] = &["name", "grants", "own", "upload", "steps"];
const GRANT_KEYS: &[&str] = &["host", "port", "addresses", "upload"];
const STEP_KEYS: &[&str] = &[
    "name",
    "service",
    "target",
    "resolved",
    "at",
    "unresolved",
    "connect",
    "sent",
    "grant",
    "asked",
    "classes",
    "opens",
    "hosts",
    "then",
    "what",
    "why",
    "fragment",
];

/// What came of a step, in words.
struct Outcome {
    words: String,
    refusal: Option<Refusal>,
}

#[test]
fn every_case_of_the_egress_tables_comes_out_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/egress");
    let mut files = std::fs::read_dir(&folder)
        .expect("the folder of egress tables")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect::<Vec<_>>();
    files.sort();
    let (mut cases, mut steps) = (0, 0);
    let mut wrong = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a readable table");
        let document = DeTable::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for case in list(document.get_ref(), "case") {
            cases += 1;
            let case = case.get_ref().as_table().expect("[[case]] tables");
            let name = text_of(case, "name").expect("every case has a name");
            known(name, case, CASE_KEYS);
            let mut judge = judge(name, case);
            let here = list(case, "steps");
            assert!(!here.is_empty(), "{name}: nothing is tried");
            for (number, step) in here.iter().enumerate() {
                steps += 1;
                let step = step.get_ref().as_table().expect("a step is a table");
                known(name, step, STEP_KEYS);
                let outcome = take(&mut judge, name, step);
                wrong.extend(objections(step, &outcome).map(|o| format!("{name}, step {}: {o}", number + 1)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {steps} steps are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= 120, "only {cases} cases were read");
}

fn judge(case_name: &str, case: &DeTable<'_>) -> Judge {
    let grants = list(case, "grants").iter().map(|grant| {
        let grant = grant.get_ref().as_table().expect("a grant is a table");
        known(case_name, grant, GRANT_KEYS);
        NetGrant {
            host: text_of(grant, "host").expect("a grant has a host").to_owned().into(),
            port: u16::try_from(number(grant, "port").expect("a grant has a port")).expect("a port"),
            addresses: texts(grant, "addresses").iter().map(|word| class(word)).collect(),
            upload_bytes: number(grant, "upload"),
            reason: "a test".into(),
        }
    });
    let own = texts(case, "own").iter().map(|text| address(text)).collect();
    Judge::new(grants.collect(), own, number(case, "upload"))
}

fn take(judge: &mut Judge, case_name: &str, step: &DeTable<'_>) -> Outcome {
    let told = |told: Result<Vec<IpAddr>, Refusal>| match told {
        Ok(told) => Outcome::plain(told.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")),
        Err(refusal) => Outcome::refused(refusal),
    };
    let ruled = |ruling| match ruling {
        NameRuling::Resolve => Outcome::plain("resolve"),
        NameRuling::Refused(refusal) => Outcome::refused(refusal),
    };
    let spent = |spent| match spent {
        Spent::Within => Outcome::plain("within"),
        Spent::Beyond(refusal) => Outcome { words: "beyond".to_owned(), refusal: Some(refusal) },
    };
    if let Some(name) = text_of(step, "name") {
        ruled(judge.name(name))
    } else if let Some(name) = text_of(step, "service") {
        ruled(judge.service(name))
    } else if let Some(target) = text_of(step, "target") {
        let (host, port) = target.rsplit_once(':').expect("host:port");
        match judge.target(host, port.parse().expect("a port")) {
            Ok(()) => Outcome::plain("granted"),
            Err(refusal) => Outcome::refused(refusal),
        }
    } else if let Some(name) = text_of(step, "resolved") {
        let at = texts(step, "at").iter().map(|text| address(text)).collect::<Vec<_>>();
        told(judge.resolved(name, &at))
    } else if let Some(name) = text_of(step, "unresolved") {
        told(judge.unresolved(name))
    } else if let Some(to) = text_of(step, "connect") {
        let to: SocketAddr = to.parse().expect("an address with a port");
        match judge.connection(to) {
            Ok(to) => Outcome::plain(format!(
                "{} at {}, {}, grant {}",
                to.name.as_deref().unwrap_or("-"),
                to.to,
                to.class.word(),
                to.grant
            )),
            Err(refusal) => Outcome::refused(refusal),
        }
    } else if let Some(bytes) = number(step, "sent") {
        let grant = number(step, "grant").expect("`sent` says under which grant");
        spent(judge.sent(usize::try_from(grant).expect("an index"), bytes))
    } else if let Some(name) = text_of(step, "asked") {
        spent(judge.asked(name))
    } else if let Some(text) = text_of(step, "classes") {
        let classes = judge.classes(address(text));
        let words = classes.iter().map(|class| class.word()).collect::<Vec<_>>();
        Outcome::plain(if words.is_empty() { "nowhere".to_owned() } else { words.join(", ") })
    } else if let Some(host) = text_of(step, "opens") {
        Outcome::plain(if Judge::opens(&texts(step, "hosts"), host) { "yes" } else { "no" })
    } else {
        panic!("{case_name}: a step that tries nothing")
    }
}

impl Outcome {
    fn plain(words: impl Into<String>) -> Self {
        Self { words: words.into(), refusal: None }
    }

    fn refused(refusal: Refusal) -> Self {
        Self { words: "refused".to_owned(), refusal: Some(refusal) }
    }
}

fn objections(step: &DeTable<'_>, outcome: &Outcome) -> impl Iterator<Item = String> {
    let mut objections = Vec::new();
    let expected = text_of(step, "then").expect("a step says what comes of it");
    if expected != outcome.words {
        objections.push(format!("expected `{expected}`, got `{}` {:?}", outcome.words, outcome.refusal));
    }
    let refusal = outcome.refusal.as_ref();
    if let Some(what) = text_of(step, "what")
        && refusal.is_none_or(|refusal| refusal.what != what)
    {
        objections.push(format!("expected a refusal of `{what}`, got {refusal:?}"));
    }
    if let Some(why) = text_of(step, "why")
        && refusal.is_none_or(|refusal| !refusal.why.contains(why))
    {
        objections.push(format!("expected a refusal because of `{why}`, got {refusal:?}"));
    }
    let own = refusal.map(|refusal| refusal.fragment.as_deref().unwrap_or_default());
    if let Some(fragment) = text_of(step, "fragment")
        && own != Some(fragment)
    {
        objections.push(format!("expected the fragment `{fragment}`, got {own:?}"));
    }
    if let Some(fragment) = own {
        let profile = format!("name = \"pasted\"\ndescription = \"A test.\"\n{fragment}\n");
        if let Err(mistakes) = Profile::parse("pasted.toml", &profile, &|_| None) {
            objections.push(format!("no profile can hold `{fragment}`: {mistakes}"));
        }
    }
    objections.into_iter()
}

fn known(case_name: &str, table: &DeTable<'_>, keys: &[&str]) {
    for key in table.keys() {
        assert!(keys.contains(&key.get_ref().as_ref()), "{case_name}: unknown key `{key}`");
    }
}

fn list<'t>(table: &'t DeTable<'t>, key: &str) -> &'t [Value<'t>] {
    table.get(key).map_or(&[], |v| v.get_ref().as_array().unwrap_or_else(|| panic!("`{key}` is no list")))
}

fn texts<'t>(table: &'t DeTable<'t>, key: &str) -> Vec<&'t str> {
    list(table, key).iter().map(|v| v.get_ref().as_str().expect("a list of strings")).collect()
}

fn text_of<'t>(table: &'t DeTable<'t>, key: &str) -> Option<&'t str> {
    table.get(key).map(|v| v.get_ref().as_str().unwrap_or_else(|| panic!("`{key}` is no string")))
}

fn number(table: &DeTable<'_>, key: &str) -> Option<u64> {
    let number = table.get(key)?.get_ref().as_integer().unwrap_or_else(|| panic!("`{key}` is no number"));
    Some(number.as_str().parse().expect("a whole number"))
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no address"))
}

fn class(word: &str) -> AddressClass {
    let classes = [
        AddressClass::Public,
        AddressClass::Loopback,
        AddressClass::Private,
        AddressClass::LinkLocal,
        AddressClass::Metadata,
    ];
    classes.into_iter().find(|class| class.word() == word).unwrap_or_else(|| panic!("no class `{word}`"))
}

//! What holds of every policy: nearer layers only tighten, a call is never laxer than what was foreseen, and rules are
//! found wherever they stand.

use std::borrow::Cow;

use stockade_policy::detect::{Confidence, Finding, Place};
use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::rules::{Arguments, Circumstances, Elicited, Item, Layer, Origin, Policy, UnixTime};
use stockade_policy::verdict::{Access, Content};
use stockade_policy::wire::Direction;

const SERVERS: [&str; 3] = ["pkg:npm/a@1.0.0", "pkg:pypi/b_c@2", "file:sha256:00"];
const NOW: u64 = 1_795_411_800_000;

/// The same numbers on every run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn rule(&mut self, id: usize, effects: &[&str]) -> String {
        let effect = self.one(effects);
        let about = self.one(&[
            "",
            "tools = [\"read\"]",
            "tools = [\"read\", \"write\"]",
            "tools = [\"w*\"]",
            "tools = [\"*\"]",
            "prompts = [\"read\"]",
            "resources = [\"file:///a/*\"]",
            "templates = [\"file:///*\"]",
            "features = [\"sampling\", \"roots\"]",
            "features = [\"elicitation-url\"]\norigins = [\"https://a.example\"]",
        ]);
        let servers = self.one(&[
            "",
            "servers = [\"*\"]",
            "servers = [\"pkg:npm/a\"]",
            "servers = [\"pkg:npm/a@2.*\", \"pkg:pypi/b-c\"]",
            "servers = [\"pkg:pypi/*\"]",
        ]);
        let on_tools = about.starts_with("tools");
        let when = match self.below(4) {
            0 if on_tools => "when = \"args.n == 1\"",
            1 if on_tools => "when = \"has(args.m) && args.m\"",
            2 => "when = \"user == 'ada'\"",
            _ => "",
        };
        let times =
            self.one(&["", "", "until = \"2026-11-22\"", "until = \"2027-01-01\"", "days = [\"mon\"]"]);
        format!(
            "[[rule]]\nid = \"r{id}\"\neffect = \"{effect}\"\nreason = \"r\"\n{about}\n{servers}\n{when}\n{times}\n"
        )
    }

    fn dlp(&mut self, id: usize) -> String {
        let detect = self.one(&["*", "secret/*", "pii/email"]);
        let action = self.one(&["monitor", "redact", "block"]);
        let direction = self.one(&["to-server", "to-client", "both"]);
        format!(
            "[[dlp]]\nid = \"d{id}\"\ndetect = [\"{detect}\"]\naction = \"{action}\"\ndirection = \"{direction}\"\n"
        )
    }

    fn document(&mut self, may_relax: &str) -> String {
        let mode = self.one(&["enforce", "enforce", "monitor"]);
        let server = self.one(&["allow", "allow", "ask", "deny"]);
        let mut text =
            format!("version = 1\nmode = \"{mode}\"\n{may_relax}\n[defaults]\nserver = \"{server}\"\n");
        for id in 0..self.below(5) {
            text += &self.rule(id, &["allow", "ask", "deny"]);
        }
        for id in 0..self.below(3) {
            text += &self.dlp(id);
        }
        text
    }
}

fn layer(origin: Origin, text: &str) -> Layer {
    let document = PolicyDocument::parse("p", text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
    Layer { origin, name: String::new(), document, sha256: String::new() }
}

fn items() -> Vec<Item<'static>> {
    let url = |origin| Item::Elicitation(Elicited::Url { origin });
    let mut items = vec![Item::Server, Item::Sampling, Item::Roots, Item::Elicitation(Elicited::Form)];
    items.extend(["read", "write", "other"].map(Item::Tool));
    items.extend(["read", "other"].map(Item::Prompt));
    items.extend(["file:///a/x", "file:///b"].map(Item::Resource));
    items.push(Item::Template("file:///a/{x}"));
    items.extend([url(Some("https://a.example")), url(Some("https://b.example"))]);
    items
}

fn calls() -> Vec<Circumstances<'static>> {
    let call = |arguments, user, now| Circumstances { arguments, user, now, ..Circumstances::default() };
    vec![
        call(Arguments::Json("{\"n\": 1}"), Some("ada"), Some(UnixTime(NOW))),
        call(Arguments::Json("{\"n\": 2, \"m\": true}"), Some("bob"), Some(UnixTime(NOW))),
        call(Arguments::Json("{\"m\": 1e999}"), None, Some(UnixTime(NOW))),
        call(Arguments::None, Some("ada"), None),
    ]
}

fn identities(dice: &mut Dice) -> Vec<String> {
    (0..dice.below(3)).map(|_| dice.one(&SERVERS).to_owned()).collect()
}

fn accesses(policy: &Policy, identities: &[String]) -> Vec<Access> {
    let calls = calls();
    let of = |item| {
        let decided = calls.iter().map(move |call| (item, Some(call)));
        decided.chain([(item, None)])
    };
    let questions = items().into_iter().flat_map(of);
    let verdict = |(item, call): (Item<'_>, Option<&Circumstances<'_>>)| match call {
        Some(call) => policy.decide(identities, item, call).verdict,
        None => policy.access(identities, item).verdict,
    };
    questions.map(verdict).collect()
}

fn contents(policy: &Policy, identities: &[String]) -> Vec<Content> {
    let finding = |detector: &str| Finding {
        detector: Cow::Owned(detector.to_owned()),
        confidence: Confidence::High,
        place: Place::Text,
        raw: 1..2,
        token: 0..3,
        length_class: 0,
        hash: *b"00000000",
    };
    let ways = [Direction::ToServer, Direction::ToClient];
    let of = |way| {
        ["secret/jwt", "pii/email"]
            .map(|detector| policy.content(identities, way, &finding(detector)).verdict)
    };
    ways.into_iter().flat_map(of).collect()
}

#[test]
fn a_nearer_layer_never_widens() {
    let mut dice = Dice(1);
    let mut tightened = 0;
    for round in 0..2_000 {
        let far = layer(Origin::Organisation, &dice.document(""));
        let origin = [Origin::Group, Origin::User, Origin::Flag, Origin::Project][round % 4];
        let near = layer(origin, &dice.document(""));
        let identities = identities(&mut dice);
        let alone = Policy::compose(vec![far.clone()]);
        let both = Policy::compose(vec![far, near]);
        let (before, after) = (accesses(&alone, &identities), accesses(&both, &identities));
        assert!(before.iter().zip(&after).all(|(before, after)| before <= after), "{:#?}", both.layers());
        tightened += before.iter().zip(&after).filter(|(before, after)| before < after).count();
        let (before, after) = (contents(&alone, &identities), contents(&both, &identities));
        assert!(before.iter().zip(&after).all(|(before, after)| before <= after), "{:#?}", both.layers());
    }
    assert!(tightened > 10_000, "the layers say too little: {tightened}");
}

#[test]
fn a_project_and_a_flag_never_widen_whatever_was_granted() {
    let mut dice = Dice(2);
    let grants =
        "may_relax = [\"servers\", \"tools\", \"prompts\", \"resources\", \"features\", \"secret\", \"pii\"]";
    for round in 0..1_000 {
        let far = [Origin::Organisation, Origin::User].map(|origin| layer(origin, &dice.document(grants)));
        let near = layer([Origin::Project, Origin::Flag][round % 2], &dice.document(grants));
        let identities = identities(&mut dice);
        let alone = Policy::compose(far.to_vec());
        let both = Policy::compose(far.into_iter().chain([near]).collect());
        let (before, after) = (accesses(&alone, &identities), accesses(&both, &identities));
        assert!(before.iter().zip(&after).all(|(before, after)| before <= after), "{:#?}", both.layers());
        let (before, after) = (contents(&alone, &identities), contents(&both, &identities));
        assert!(before.iter().zip(&after).all(|(before, after)| before <= after), "{:#?}", both.layers());
    }
}

#[test]
fn a_grant_widens_at_all() {
    // The positive control of the two above: with `may_relax` the same dice do find wider verdicts.
    let mut dice = Dice(3);
    let mut widened = 0;
    for _ in 0..500 {
        let far = layer(Origin::Organisation, &dice.document("may_relax = [\"tools\", \"servers\"]"));
        let near = layer(Origin::User, &dice.document(""));
        let identities = identities(&mut dice);
        let before = accesses(&Policy::compose(vec![far.clone()]), &identities);
        let after = accesses(&Policy::compose(vec![far, near]), &identities);
        widened += before.iter().zip(&after).filter(|(before, after)| before > after).count();
    }
    assert!(widened > 100, "{widened}");
}

#[test]
fn a_call_is_never_laxer_than_what_was_foreseen() {
    let mut dice = Dice(4);
    for round in 0..2_000 {
        let grants = ["", "may_relax = [\"tools\", \"features\"]"][round % 2];
        let layers = vec![
            layer(Origin::Organisation, &dice.document(grants)),
            layer(Origin::User, &dice.document("")),
        ];
        let policy = Policy::compose(layers);
        let identities = identities(&mut dice);
        for item in items() {
            let foreseen = policy.access(&identities, item).verdict;
            for call in calls() {
                let decided = policy.decide(&identities, item, &call).verdict;
                assert!(foreseen <= decided, "{item:?} {call:?} {:#?}", policy.layers());
                // What is known already makes what is foreseen stricter, never laxer than nothing, never stricter than the call.
                let known = Circumstances { arguments: Arguments::Unknown, ..call };
                let partly = policy.foresee(&identities, item, &known).verdict;
                assert!(foreseen <= partly && partly <= decided, "{item:?} {call:?} {:#?}", policy.layers());
            }
        }
    }
}

#[test]
fn a_rule_is_found_among_many_as_it_is_alone() {
    let mut dice = Dice(5);
    for _ in 0..200 {
        let rules: Vec<String> = (0..40).map(|id| dice.rule(id, &["ask", "deny"])).collect();
        let together = layer(Origin::User, &format!("version = 1\n{}", rules.concat()));
        let apart = rules.iter().map(|rule| layer(Origin::User, &format!("version = 1\n{rule}"))).collect();
        let identities = identities(&mut dice);
        let (together, apart) = (Policy::compose(vec![together]), Policy::compose(apart));
        assert_eq!(accesses(&together, &identities), accesses(&apart, &identities));
    }
}

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::LazyLock;

use super::*;
use crate::detect::{Confidence, Place};
use crate::document::policy::PolicyDocument;
use crate::rules::Layer;

/// 2026-11-23.
const NOW: UnixTime = UnixTime(1_795_392_000_000);
const BLOCK: &str = "[[dlp]]\nid = \"no-secrets\"\ndetect = [\"secret/*\"]\naction = \"block\"\n";
const SERVER: &str = "pkg:npm/a@1.0.0";

fn policy(layers: &[(Origin, &str)]) -> Policy {
    let layer = |(origin, text): &(Origin, &str)| Layer {
        origin: *origin,
        name: origin.word().to_owned(),
        document: PolicyDocument::parse("p", &format!("version = 1\n{text}"))
            .unwrap_or_else(|mistakes| panic!("{mistakes}")),
        sha256: String::new(),
    };
    Policy::compose(layers.iter().map(layer).collect())
}

fn suppress(more: &str) -> String {
    suppress_until("2026-12-31", more)
}

fn suppress_until(until: &str, more: &str) -> String {
    let more = if more.contains("detect") || more.contains("hash") {
        more.to_owned()
    } else {
        format!("detect = [\"secret/github-pat\"]\n{more}")
    };
    format!("[[suppress]]\nid = \"known\"\nauthor = \"A\"\nreason = \"r\"\nuntil = \"{until}\"\n{more}\n")
}

fn finding(detector: &'static str) -> Finding {
    Finding {
        detector: Cow::Borrowed(detector),
        confidence: Confidence::High,
        place: Place::Text,
        raw: 10..20,
        token: 9..21,
        length_class: 3,
        hash: *b"3fa9c1d2",
    }
}

/// What becomes of a GitHub token on its way to the server, called by `read_file`, in `/params/arguments/text`.
fn weigh(
    layers: &[(Origin, &str)],
    own: &OwnCredentials,
    change: impl Fn(&mut Around<'_>),
) -> (Content, Option<Passed>) {
    let identities = [SERVER.to_owned()];
    let path = || Some("/params/arguments/text".to_owned());
    let mut around = Around {
        identities: &identities,
        direction: Direction::ToServer,
        tool: Some("read_file"),
        now: Some(NOW),
        own,
        path: &path,
    };
    change(&mut around);
    let weighed = policy(layers).weigh(&finding("secret/github-pat"), &around);
    (weighed.ruling.verdict, weighed.passed)
}

fn own(said_by: SaidBy) -> OwnCredentials {
    OwnCredentials::new(&["secret/github-*"], said_by)
}

fn suppressed(layers: &[(Origin, &str)]) -> bool {
    suppressed_if(layers, |_| ())
}

fn suppressed_if(layers: &[(Origin, &str)], change: impl Fn(&mut Around<'_>)) -> bool {
    match weigh(layers, &OwnCredentials::default(), change) {
        (Content::Pass, Some(Passed::Suppressed(id))) => id == "known",
        (Content::Block, None) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_credential_passes_to_the_server_whose_job_it_is_and_not_back() {
    let layers = [(Origin::Organisation, BLOCK), (Origin::User, BLOCK), (Origin::Project, BLOCK)];
    let own = own(SaidBy::Trusted);
    assert_eq!(weigh(&layers, &own, |_| ()), (Content::Pass, Some(Passed::Own)));
    let to_client = |around: &mut Around<'_>| around.direction = Direction::ToClient;
    assert_eq!(weigh(&layers, &own, to_client), (Content::Block, None));
    let other = OwnCredentials::new(&["secret/gitlab-*"], SaidBy::Trusted);
    assert_eq!(weigh(&layers, &other, |_| ()), (Content::Block, None));
}

#[test]
fn a_rule_that_ignores_destinations_finds_it_all_the_same() {
    let strict = format!("{BLOCK}destinations = \"ignore\"\n");
    let milder =
        "[[dlp]]\nid = \"note\"\ndetect = [\"secret/*\"]\naction = \"monitor\"\ndestinations = \"ignore\"\n";
    let own = own(SaidBy::Trusted);
    assert_eq!(weigh(&[(Origin::Organisation, &strict)], &own, |_| ()), (Content::Block, None));
    let both = format!("{BLOCK}{milder}");
    assert_eq!(weigh(&[(Origin::Organisation, &both)], &own, |_| ()), (Content::Monitor, Some(Passed::Own)));
}

#[test]
fn the_users_own_profile_is_believed_by_the_layers_above_only_where_they_let_it() {
    let own = own(SaidBy::User);
    let granting = format!("may_relax = [\"secret\"]\n{BLOCK}");
    assert_eq!(weigh(&[(Origin::Organisation, BLOCK)], &own, |_| ()), (Content::Block, None));
    assert_eq!(weigh(&[(Origin::Organisation, &granting)], &own, |_| ()), (Content::Pass, Some(Passed::Own)));
    assert_eq!(weigh(&[(Origin::User, BLOCK)], &own, |_| ()), (Content::Pass, Some(Passed::Own)));
}

#[test]
fn a_suppression_silences_its_own_file_and_those_above_only_where_they_let_it() {
    let (known, granting) = (suppress(""), format!("may_relax = [\"secret\"]\n{BLOCK}"));
    let own_file = format!("{BLOCK}{known}");
    assert!(suppressed(&[(Origin::Organisation, &own_file)]));
    assert!(suppressed(&[(Origin::User, &own_file)]));
    assert!(!suppressed(&[(Origin::Organisation, BLOCK), (Origin::User, &known)]));
    assert!(suppressed(&[(Origin::Organisation, &granting), (Origin::User, &known)]));
    assert!(suppressed(&[(Origin::Organisation, &granting), (Origin::Group, &known)]));
    assert!(!suppressed(&[(Origin::Organisation, &own_file), (Origin::User, BLOCK)]), "nearer files tighten");
    let of_others = format!("may_relax = [\"pii\", \"tools\"]\n{BLOCK}");
    assert!(!suppressed(&[(Origin::Organisation, &of_others), (Origin::User, &known)]));
    let between = [(Origin::Organisation, &*granting), (Origin::Group, BLOCK), (Origin::User, &*known)];
    assert!(!suppressed(&between));
    let watching = format!("mode = \"monitor\"\n{known}");
    assert!(!suppressed(&[(Origin::Organisation, &granting), (Origin::User, &watching)]));
}

#[test]
fn a_project_suppresses_nothing_and_a_flag_nothing_but_its_own() {
    let (known, granting) = (suppress(""), format!("may_relax = [\"secret\"]\n{BLOCK}"));
    let own_file = format!("{BLOCK}{known}");
    assert!(!suppressed(&[(Origin::User, &granting), (Origin::Project, &known)]));
    assert!(!suppressed(&[(Origin::Project, &own_file)]));
    assert!(!suppressed(&[(Origin::User, &granting), (Origin::Flag, &known)]));
    assert!(suppressed(&[(Origin::Flag, &own_file)]));
}

#[test]
fn it_holds_until_its_end_for_no_more_than_a_year_and_not_without_a_clock() {
    let until = |day: &str| format!("{BLOCK}{}", suppress_until(day, ""));
    assert!(suppressed(&[(Origin::User, &until("2026-11-23"))]));
    assert!(!suppressed(&[(Origin::User, &until("2026-11-22"))]));
    assert!(suppressed(&[(Origin::User, &until("2027-11-23"))]));
    assert!(!suppressed(&[(Origin::User, &until("2027-12-31"))]));
    let no_clock = |around: &mut Around<'_>| around.now = None;
    assert!(!suppressed_if(&[(Origin::User, &until("2026-12-31"))], no_clock));
}

#[test]
fn everything_that_it_names_has_to_fit() {
    for (names, fits) in [
        ("hash = \"3fa9c1d2\"", true),
        ("hash = \"3fa9c1d3\"", false),
        ("hash = \"3fa9c1d2\"\ndetect = [\"secret/gitlab-*\"]", false),
        ("detect = [\"secret/gitlab-*\", \"secret/github-*\"]", true),
        ("path = \"/params/arguments/*\"", true),
        ("path = \"/params/arguments\"", false),
        ("tools = [\"read_*\"]", true),
        ("tools = [\"write_*\"]", false),
        ("servers = [\"pkg:npm/a\"]", true),
        ("servers = [\"pkg:npm/a@>=2\"]", false),
        ("servers = [\"pkg:npm/b\"]", false),
        ("direction = \"to-server\"", true),
        ("direction = \"to-client\"", false),
    ] {
        let file = format!("{BLOCK}{}", suppress(names));
        assert_eq!(suppressed(&[(Origin::User, &file)]), fits, "{names}");
    }
    let file = format!("{BLOCK}{}", suppress("tools = [\"*\"]"));
    assert!(!suppressed_if(&[(Origin::User, &file)], |around| around.tool = None));
    let versions = format!("{BLOCK}{}", suppress("servers = [\"pkg:npm/a@1.*\"]"));
    static UNVERSIONED: LazyLock<[String; 1]> = LazyLock::new(|| ["pkg:npm/a".to_owned()]);
    assert!(!suppressed_if(&[(Origin::User, &versions)], |around| around.identities = &*UNVERSIONED));
}

#[test]
fn places_are_asked_for_only_where_everything_else_fits() {
    let asked = Cell::new(0);
    let path = || {
        asked.set(asked.get() + 1);
        None
    };
    let identities = [SERVER.to_owned()];
    let own = OwnCredentials::default();
    let (direction, tool, now) = (Direction::ToServer, Some("read_file"), Some(NOW));
    let around = Around { identities: &identities, direction, tool, now, own: &own, path: &path };
    let weigh = |names: &str| {
        let file = format!("{BLOCK}{}", suppress(names));
        policy(&[(Origin::User, &file)]).weigh(&finding("secret/github-pat"), &around).ruling.verdict
    };
    assert_eq!(weigh("tools = [\"write_*\"]\npath = \"/params/*\""), Content::Block);
    assert_eq!(asked.get(), 0);
    assert_eq!(weigh("path = \"*\""), Content::Block, "a place that nobody knows fits nothing");
    assert_eq!(asked.get(), 1);
}

#[test]
fn what_made_the_difference_is_named_and_a_layer_that_watches_is_silenced_too() {
    let granting = format!("may_relax = [\"secret\"]\n{BLOCK}");
    let group = suppress("").replace("known", "of-the-group");
    let group = format!("may_relax = [\"secret\"]\n{BLOCK}{group}");
    let layers = [(Origin::Organisation, BLOCK), (Origin::Group, &*group)];
    assert_eq!(weigh(&layers, &OwnCredentials::default(), |_| ()), (Content::Block, None));
    let user = suppress("");
    let layers = [(Origin::Organisation, &*granting), (Origin::Group, &*group), (Origin::User, &*user)];
    let by = |id: &str| (Content::Pass, Some(Passed::Suppressed(id.to_owned())));
    assert_eq!(weigh(&layers, &OwnCredentials::default(), |_| ()), by("of-the-group"));
    let watching = format!("mode = \"monitor\"\n{BLOCK}{user}");
    assert_eq!(weigh(&[(Origin::Organisation, &watching)], &OwnCredentials::default(), |_| ()), by("known"));
}

#[test]
fn a_value_in_no_message_is_answered_for_by_its_hash_or_its_detector_alone() {
    let narrow =
        ["servers = [\"pkg:npm/a\"]", "tools = [\"t\"]", "path = \"/params\"", "direction = \"to-client\""];
    let ids = |layers: &[(Origin, &str)]| -> Vec<u64> {
        let until = |one: &policy::Suppression| one.until.0;
        policy(layers).suppressions_of(&finding("secret/github-pat")).map(until).collect()
    };
    let speaks = |more: &str| ids(&[(Origin::User, &suppress(more))]).len() == 1;
    assert!(speaks("") && speaks("hash = \"3fa9c1d2\""));
    assert!(!speaks("hash = \"00000000\"") && !speaks("detect = [\"secret/gitlab-*\"]"));
    for place in narrow {
        assert!(!speaks(place), "{place}");
        assert!(speaks(&format!("hash = \"3fa9c1d2\"\n{place}")), "{place}");
    }
    // The nearest file's first, whatever their time; a project's never.
    let (old, new) = (suppress_until("2020-12-31", ""), suppress(""));
    let both = ids(&[(Origin::Organisation, &old), (Origin::User, &new), (Origin::Project, &new)]);
    assert!(both.len() == 2 && both[0] > both[1], "{both:?}");
}

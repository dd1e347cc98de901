//! Limits over time: what is counted, what is not, and that nothing grows.

use super::*;
use crate::document::policy::PolicyDocument;
use crate::rules::Layer;

const MERGE: &[Item<'static>] = &[Item::Tool("merge")];

fn policy(layers: &[(Origin, &str)]) -> Policy {
    let layer = |(origin, text): &(Origin, &str)| {
        let text = format!("version = 1\n{text}");
        let document = PolicyDocument::parse("p", &text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        Layer { origin: *origin, name: "p".to_owned(), document, sha256: String::new() }
    };
    Policy::compose(layers.iter().map(layer).collect())
}

fn limit(lines: &str) -> String {
    format!("[[limit]]\nid = \"few\"\ntools = [\"merge*\"]\nreason = \"Not so fast.\"\n{lines}\n")
}

fn three_a_minute() -> Policy {
    policy(&[(Origin::User, &limit("calls = 3\nper = \"1m\""))])
}

#[test]
fn in_no_stretch_of_its_time_are_there_more_calls_than_a_limit_allows() {
    let policy = three_a_minute();
    let mut limits = Limits::default();
    let mut allowed = Vec::new();
    let mut now_ms = 0;
    for step in 0..3_000_u64 {
        now_ms += step * 7_919 % 4_001;
        if limits.charge(&policy, (&[], MERGE), 10, now_ms).verdict == Access::Allow {
            allowed.push(now_ms);
        }
    }
    assert!(allowed.windows(4).all(|four| four[3] - four[0] >= 60_000), "{allowed:?}");
    // And it is not much stricter than that: there is room for nearly three a minute.
    let minutes = usize::try_from(now_ms / 60_000).expect("a few");
    assert!(allowed.len() > minutes * 3 * 9 / 10, "{} calls in {minutes} minutes", allowed.len());
}

#[test]
fn the_reason_says_what_the_limit_is_and_whose() {
    let policy = three_a_minute();
    let mut limits = Limits::default();
    for _ in 0..3 {
        assert_eq!(limits.charge(&policy, (&[], MERGE), 0, 0).verdict, Access::Allow);
    }
    let ruling = limits.charge(&policy, (&[], MERGE), 0, 0);
    let reason = ruling.reason.expect("a reason");
    assert_eq!((ruling.verdict, &*reason.rule), (Access::Deny, "few"));
    assert_eq!(reason.text, "Not so fast (at most 3 calls in 1m)");
}

#[test]
fn calls_that_are_refused_use_up_nothing_and_other_tools_are_not_counted() {
    let policy = three_a_minute();
    let mut limits = Limits::default();
    for second in 0..200 {
        let _ = limits.charge(&policy, (&[], &[Item::Tool("read")]), 0, second * 1_000);
        assert_eq!(
            limits.charge(&policy, (&[], &[Item::Prompt("merge")]), 0, second * 1_000).verdict,
            Access::Allow
        );
    }
    let charge = |limits: &mut Limits, now_ms| limits.charge(&policy, (&[], MERGE), 0, now_ms).verdict;
    for _ in 0..3 {
        assert_eq!(charge(&mut limits, 200_000), Access::Allow);
    }
    for second in 201..260 {
        assert_eq!(charge(&mut limits, second * 1_000), Access::Deny);
    }
    assert_eq!(charge(&mut limits, 261_000), Access::Allow);
}

#[test]
fn bytes_are_those_of_requests_and_answers() {
    let policy = policy(&[(Origin::User, &limit("bytes = \"1KiB\"\nper = \"1h\""))]);
    let mut limits = Limits::default();
    let charge = |limits: &mut Limits, bytes| limits.charge(&policy, (&[], MERGE), bytes, 5).verdict;
    assert_eq!(charge(&mut limits, 1_025), Access::Deny);
    assert_eq!(charge(&mut limits, 1_000), Access::Allow);
    assert_eq!(charge(&mut limits, 24), Access::Allow);
    assert_eq!(charge(&mut limits, 1), Access::Deny);
    let mut limits = Limits::default();
    assert_eq!(charge(&mut limits, 10), Access::Allow);
    limits.answered(&policy, (&[], MERGE), 2_000, 5);
    assert_eq!(charge(&mut limits, 0), Access::Deny);
}

#[test]
fn prompts_and_resources_are_counted_by_every_reading_of_their_names() {
    let text = "[[limit]]\nid = \"few\"\nprompts = [\"review\"]\nresources = [\"file:///srv/*\"]\n\
                calls = 2\nper = \"1m\"\nreason = \"few\"\n";
    let policy = policy(&[(Origin::User, text)]);
    let mut limits = Limits::default();
    let mut charge = |readings: &[Item<'_>]| limits.charge(&policy, (&[], readings), 0, 5).verdict;
    assert_eq!(charge(&[Item::Tool("review")]), Access::Allow, "no limit is about tools");
    assert_eq!(charge(&[Item::Prompt("review")]), Access::Allow);
    assert_eq!(charge(&[Item::Resource("x:"), Item::Resource("file:///srv/a")]), Access::Allow);
    assert_eq!(charge(&[Item::Resource("file:///srv/b")]), Access::Deny, "all that it names counts together");
    assert_eq!(charge(&[Item::Prompt("review")]), Access::Deny);
    assert_eq!(charge(&[Item::Resource("file:///home/b")]), Access::Allow);
}

#[test]
fn every_limit_has_to_have_room_and_layers_only_add_limits() {
    let far = limit("calls = 3\nper = \"1m\"");
    let near = limit("calls = 1\nper = \"1m\"\neffect = \"ask\"");
    let policy = policy(&[(Origin::Organisation, &far), (Origin::User, &near)]);
    let mut limits = Limits::default();
    assert_eq!(limits.charge(&policy, (&[], MERGE), 0, 0).verdict, Access::Allow);
    assert_eq!(limits.charge(&policy, (&[], MERGE), 0, 0).verdict, Access::Ask);
}

#[test]
fn a_layer_that_only_watches_says_what_it_would_do_and_goes_on_counting() {
    let watching = format!("mode = \"monitor\"\n{}", limit("calls = 1\nper = \"1m\""));
    let policy = policy(&[(Origin::User, &watching)]);
    let mut limits = Limits::default();
    assert_eq!(limits.charge(&policy, (&[], MERGE), 0, 0).would_have, None);
    for _ in 0..5 {
        let ruling = limits.charge(&policy, (&[], MERGE), 0, 0);
        assert_eq!(ruling.verdict, Access::Allow);
        assert_eq!(ruling.would_have.expect("a verdict").0, Access::Deny);
    }
}

#[test]
fn a_new_policy_with_the_same_limit_forgets_nothing() {
    let mut limits = Limits::default();
    for _ in 0..3 {
        assert_eq!(limits.charge(&three_a_minute(), (&[], MERGE), 0, 0).verdict, Access::Allow);
    }
    let wider = policy(&[(Origin::User, &limit("calls = 4\nper = \"1m\""))]);
    assert_eq!(limits.charge(&wider, (&[], MERGE), 0, 0).verdict, Access::Allow);
    assert_eq!(limits.charge(&wider, (&[], MERGE), 0, 0).verdict, Access::Deny);
}

#[test]
fn a_million_calls_leave_no_more_behind_than_a_few() {
    let policy = policy(&[(Origin::User, &limit("calls = 1000000000\nper = \"1h\""))]);
    let mut limits = Limits::default();
    for call in 0..1_000_000 {
        let _ = limits.charge(&policy, (&[], MERGE), 1, call * 100);
    }
    assert!(limits.used.values().all(|used| used.parts.len() <= 62));
}

#[test]
fn a_clock_that_goes_back_gives_no_calls_away() {
    let policy = three_a_minute();
    let mut limits = Limits::default();
    let at =
        [100_000, 50_000, 0, 0, 99_000].map(|now_ms| limits.charge(&policy, (&[], MERGE), 0, now_ms).verdict);
    assert_eq!(at, [Access::Allow, Access::Allow, Access::Allow, Access::Deny, Access::Deny]);
}

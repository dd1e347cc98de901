use std::collections::BTreeSet;

use super::*;
use crate::definitions::pin::State;
use crate::identity::sha256_hex;

fn saw(name: &str, text: &str, standing: Standing) -> Sighting {
    Sighting {
        said: Said::Tool(name.to_owned()),
        sha256: sha256_hex(text.as_bytes()),
        text: Some(text.to_owned()),
        standing,
        baseline: None,
    }
}

fn sightings<const N: usize>(seen: [Sighting; N], listed: Option<&[&str]>) -> Sightings {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let mut sightings = Sightings::default();
    sightings.seen = seen.into();
    sightings.listed = listed.map(names);
    sightings
}

fn state(pins: &ServerPins, name: &str) -> State {
    pins.tools[name].state()
}

/// A server whose tool `a` was pinned at first sight.
fn pinned() -> ServerPins {
    let mut pins = ServerPins::new("pkg:npm/a", "day 1");
    let seen = sightings([saw("a", "one", Standing::Approved)], Some(&["a"]));
    assert_eq!(apply(&mut pins, &seen, Others::FirstUse, "day 1"), ["a"]);
    pins
}

#[test]
fn the_first_look_goes_over_all_pages_and_what_comes_then_is_new() {
    let mut pins = ServerPins::new("pkg:npm/a", "day 1");
    let first = sightings([saw("a", "one", Standing::Approved)], None);
    assert_eq!(apply(&mut pins, &first, Others::FirstUse, "day 1"), ["a"]);
    assert_eq!(pins.pins(Others::FirstUse).others, Others::FirstUse);
    let last = sightings([saw("b", "two", Standing::Approved)], Some(&["a", "b"]));
    assert_eq!(apply(&mut pins, &last, Others::FirstUse, "day 1"), ["b"]);
    let known = pins.pins(Others::FirstUse);
    assert_eq!((known.others, known.tools.len()), (Others::New, 2));
    let later = sightings([saw("c", "three", Standing::New)], Some(&["a", "c"]));
    assert_eq!(apply(&mut pins, &later, Others::FirstUse, "day 2"), [] as [&str; 0]);
    assert_eq!((state(&pins, "a"), state(&pins, "c")), (State::Approved, State::New));
    assert_eq!(["a", "b", "c"].map(|name| pins.tools[name].offered), [true, false, true]);
    // Nobody takes an answer without an end for one in which something is missing.
    apply(&mut pins, &sightings([saw("a", "one", Standing::Approved)], None), Others::New, "day 3");
    assert!(pins.tools["c"].offered);
}

#[test]
fn a_change_waits_beside_what_holds_until_it_is_taken_back() {
    let mut pins = pinned();
    apply(&mut pins, &sightings([saw("a", "evil", Standing::Changed)], None), Others::New, "day 2");
    let entry = &pins.tools["a"];
    assert_eq!(entry.approved.as_ref().unwrap().definition.text.as_deref(), Some("one"));
    let waiting = entry.waiting.as_ref().unwrap();
    assert_eq!((waiting.definition.text.as_deref(), &*waiting.since), (Some("evil"), "day 2"));
    let before = pins.clone();
    apply(&mut pins, &sightings([saw("a", "evil", Standing::Changed)], None), Others::New, "day 3");
    assert_eq!(pins, before, "the same again is nothing new, and no reason to write");
    assert!(pins.pins(Others::New).waiting.contains("a"));
    apply(&mut pins, &sightings([saw("a", "one", Standing::Approved)], None), Others::New, "day 4");
    assert_eq!(state(&pins, "a"), State::Approved);
}

#[test]
fn of_two_first_sights_the_first_one_holds() {
    // Another session saw the same server first, and saw something else.
    let mut pins = ServerPins::new("pkg:npm/a", "day 1");
    apply(&mut pins, &sightings([saw("a", "one", Standing::Approved)], None), Others::FirstUse, "day 1");
    let second = sightings([saw("a", "two", Standing::Approved)], Some(&["a"]));
    assert_eq!(apply(&mut pins, &second, Others::FirstUse, "day 1"), [] as [&str; 0]);
    assert_eq!(state(&pins, "a"), State::Changed);
    // And one that begins when others have seen the whole list pins nothing.
    let late = sightings([saw("b", "x", Standing::Approved)], None);
    assert_eq!(apply(&mut pins, &late, Others::FirstUse, "day 1"), [] as [&str; 0]);
    assert_eq!(state(&pins, "b"), State::New);
}

#[test]
fn what_a_baseline_is_against_is_not_pinned_at_first_sight() {
    let mut pins = ServerPins::new("pkg:npm/a", "day 1");
    let seen = [saw("a", "one", Standing::Changed), saw("b", "two", Standing::New)];
    assert_eq!(apply(&mut pins, &sightings(seen, None), Others::FirstUse, "day 1"), [] as [&str; 0]);
    assert!(pins.tools.values().all(|entry| entry.approved.is_none() && entry.waiting.is_some()));
    // What it vouches for takes the place of what this machine knew.
    let vouched = Sighting { baseline: Some("b-1".to_owned()), ..saw("a", "three", Standing::Approved) };
    apply(&mut pins, &sightings([vouched], None), Others::New, "day 2");
    let approved = pins.tools["a"].approved.as_ref().unwrap();
    assert_eq!((approved.how, &*approved.by), (How::Baseline, "b-1"));
    assert_eq!(state(&pins, "a"), State::Approved);
}

#[test]
fn a_server_cannot_fill_the_disk() {
    let mut pins = pinned();
    let big = "x".repeat(60 << 10);
    for n in 0..TOOLS_MAX + 100 {
        let text = format!("{n}{big}");
        apply(&mut pins, &sightings([saw(&n.to_string(), &text, Standing::New)], None), Others::New, "day 2");
    }
    assert_eq!(pins.tools.len(), TOOLS_MAX);
    let kept: usize = pins.entries().flat_map(Entry::definitions).map(Definition::text_bytes).sum();
    assert!(kept <= TEXT_BYTES_MAX && kept > TEXT_BYTES_MAX - (64 << 10), "{kept}");
    apply(&mut pins, &sightings([saw("a", "evil", Standing::Changed)], None), Others::New, "day 3");
    assert_eq!(state(&pins, "a"), State::Changed, "a known one is seen all the same");
}

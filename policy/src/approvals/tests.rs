use super::*;

const TOOL: (Direction, &str) = (Direction::ToServer, "tools/call");
const HOUR_MS: u64 = 3_600_000;

fn moment(ms: u64) -> Moment {
    Moment { unix_ms: 1_000_000_000 + ms as i64, boot: "boot-1".to_owned(), boot_ms: 5_000 + ms }
}

fn identities() -> Vec<String> {
    vec!["pkg:npm/a@1.0.0".to_owned(), "file:sha256:aa".to_owned()]
}

fn approvals() -> Approvals {
    let mut approvals = Approvals::new("session-1".to_owned(), HashKey([7; 32]));
    approvals.set_now(moment(0));
    approvals
}

fn deploy(to: &str) -> Vec<u8> {
    format!(r#"{{"name":"deploy","arguments":{{"to":"{to}"}},"_meta":{{"progressToken":1}}}}"#).into_bytes()
}

fn asked(to: &str) -> Asked {
    approvals().marks(TOOL, Some("deploy"), &deploy(to))
}

fn approval(scope: Scope, term: Term) -> Approval {
    let asked = asked("staging");
    Approval {
        id: "A1".to_owned(),
        by: "ada".to_owned(),
        identities: identities(),
        scope,
        mark: if scope == Scope::Call { asked.call } else { asked.item },
        term,
        session: "session-1".to_owned(),
        given: moment(0),
        for_ms: HOUR_MS,
    }
}

fn covers(approval: &Approval, asked: &Asked, now: &Moment) -> Result<(), Miss> {
    approval.covers(Asker { identities: &identities(), session: "session-1" }, asked, now)
}

#[test]
fn the_very_call_is_covered_and_other_arguments_are_not() {
    let call = approval(Scope::Call, Term::Session);
    assert_eq!(covers(&call, &asked("staging"), &moment(1)), Ok(()));
    assert_eq!(covers(&call, &asked("production"), &moment(1)), Err(Miss::Arguments));
    let item = approval(Scope::Item, Term::Session);
    assert_eq!(covers(&item, &asked("production"), &moment(1)), Ok(()), "a tool has any arguments");
}

#[test]
fn a_retry_that_is_written_otherwise_is_the_same_call() {
    let approvals = approvals();
    let again = br#"{ "_meta":{"progressToken":2}, "arguments":{"to":"stag\u0069ng"}, "name":"deploy" }"#;
    assert_eq!(approvals.marks(TOOL, Some("deploy"), again), asked("staging"));
    // What else stands in it is part of the call: answers to a server's questions among it.
    let more = br#"{"name":"deploy","arguments":{"to":"staging"},"inputResponses":{"sure":true}}"#;
    assert_ne!(approvals.marks(TOOL, Some("deploy"), more).call, asked("staging").call);
}

#[test]
fn a_mark_is_of_direction_method_name_and_key() {
    let approvals = approvals();
    let params = deploy("staging");
    let mark = |at, name| approvals.marks(at, Some(name), &params);
    let here = mark(TOOL, "deploy");
    for other in [
        mark((Direction::ToClient, "tools/call"), "deploy"),
        mark((Direction::ToServer, "prompts/get"), "deploy"),
        mark(TOOL, "deploy2"),
        Approvals::new(String::new(), HashKey([8; 32])).marks(TOOL, Some("deploy"), &params),
    ] {
        assert!(other.call != here.call && other.item != here.item, "{other:?}");
    }
    assert_ne!(here.call, here.item);
    assert_eq!(here.call.len(), MARK_DIGITS);
    assert!(!format!("{here:?}").contains("staging"));
}

#[test]
fn another_server_is_not_covered_and_neither_is_another_version() {
    let item = approval(Scope::Item, Term::Time);
    let asked = asked("staging");
    let with = |identities: &[&str]| {
        let identities: Vec<String> = identities.iter().map(|one| (*one).to_owned()).collect();
        item.covers(Asker { identities: &identities, session: "session-2" }, &asked, &moment(1))
    };
    assert_eq!(with(&["file:sha256:aa", "pkg:npm/a@1.0.0"]), Ok(()), "the order says nothing");
    for others in [
        &["pkg:npm/a@1.0.0", "file:sha256:bb"][..],
        &["pkg:npm/a@1.0.0"],
        &["pkg:npm/a@1.0.0", "file:sha256:aa", "pkg:npm/b@1"],
        &[],
    ] {
        assert_eq!(with(others), Err(Miss::Server), "{others:?}");
    }
    let nobody = Approval { identities: Vec::new(), ..item };
    let outcome = nobody.covers(Asker { identities: &[], session: "session-1" }, &asked, &moment(1));
    assert_eq!(outcome, Err(Miss::Server));
}

#[test]
fn once_and_session_hold_in_the_session_that_asked() {
    let asked = asked("staging");
    for (term, elsewhere) in
        [(Term::Once, Err(Miss::Session)), (Term::Session, Err(Miss::Session)), (Term::Time, Ok(()))]
    {
        let one = approval(Scope::Call, term);
        assert_eq!(covers(&one, &asked, &moment(1)), Ok(()));
        let asker = Asker { identities: &identities(), session: "session-2" };
        assert_eq!(one.covers(asker, &asked, &moment(1)), elsewhere, "{term:?}");
    }
}

#[test]
fn every_approval_ends_whatever_the_clock_is_set_to() {
    let one = approval(Scope::Call, Term::Time);
    let set =
        |passed_ms: u64, clock_ms: i64| Moment { unix_ms: moment(0).unix_ms + clock_ms, ..moment(passed_ms) };
    let hour = HOUR_MS as i64;
    for (now, outcome) in [
        (set(HOUR_MS - 1, hour - 1), Ok(())),
        (set(HOUR_MS, hour), Err(Miss::Ended)),
        // Set back to just after it was given, long after its end: the other clock tells.
        (set(HOUR_MS * 50, 1), Err(Miss::Ended)),
        (set(HOUR_MS / 2, -1), Err(Miss::ClockSetBack)),
        // Set forward: it ends early.
        (set(1, hour), Err(Miss::Ended)),
        (Moment { boot: "boot-2".to_owned(), ..set(1, 1) }, Err(Miss::Boot)),
        // Another one's memory of this boot.
        (Moment { boot_ms: 0, ..set(1, 1) }, Err(Miss::ClockSetBack)),
    ] {
        assert_eq!(covers(&one, &asked("staging"), &now), outcome, "{now:?}");
    }
}

#[test]
fn what_is_approved_once_passes_once() {
    let mut approvals = approvals();
    let asked = asked("staging");
    assert_eq!(approvals.find(&identities(), &asked), None, "nothing was approved yet");
    approvals.replace(vec![approval(Scope::Call, Term::Once)]);
    assert!(approvals.find(&identities(), &asked).is_some());
    assert!(approvals.find(&identities(), &asked).is_some(), "to look does not use it up");
    approvals.spend("A1");
    assert_eq!(approvals.find(&identities(), &asked), None);
    // The file is read again after every change of it, and the used one still stands in it.
    approvals.replace(vec![approval(Scope::Call, Term::Once)]);
    assert_eq!(approvals.find(&identities(), &asked), None);
    approvals.replace(vec![approval(Scope::Call, Term::Session)]);
    approvals.spend("A2");
    assert_eq!(approvals.find(&identities(), &asked), None, "a used id is not given to another one");
}

#[test]
fn one_that_ends_with_its_use_is_kept_for_when_it_is_needed() {
    let mut approvals = approvals();
    let once = approval(Scope::Call, Term::Once);
    let wide = Approval { id: "A2".to_owned(), ..approval(Scope::Item, Term::Time) };
    approvals.replace(vec![once, wide]);
    assert_eq!(approvals.find(&identities(), &asked("staging")).map(|one| one.id.as_str()), Some("A2"));
}

#[test]
fn a_policy_can_switch_them_off_and_without_a_clock_none_counts() {
    let mut approvals = approvals();
    approvals.replace(vec![approval(Scope::Item, Term::Time)]);
    approvals.set_switch(Switch::Off);
    assert_eq!(approvals.find(&identities(), &asked("staging")), None);
    approvals.set_switch(Switch::On);
    assert!(approvals.find(&identities(), &asked("staging")).is_some());
    let mut silent = Approvals::new("session-1".to_owned(), HashKey([7; 32]));
    silent.replace(vec![approval(Scope::Item, Term::Time)]);
    assert_eq!(silent.find(&identities(), &asked("staging")), None);
}

#[test]
fn a_person_reads_what_the_server_would() {
    let params = br#"{"name":"x","arguments":{"b":"\u0065vil","a":[1, 2]}}"#;
    assert_eq!(readable(params).unwrap(), r#"{"a":[1,2],"b":"evil"}"#);
    assert_eq!(readable(br#"{"name":"x"}"#), None);
}

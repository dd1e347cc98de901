//! What a rule asks about, and what happens when a person has approved it.

use stockade_policy::approvals::{Approval, Moment, Scope, Switch, Term};
use stockade_policy::mediator::{Petition, RecordKind};
use stockade_policy::verdict::{Access, Content};

use crate::session::{HIDDEN, MODERN_META, Outcome, Session, call, call_with, request, result};

fn now() -> Moment {
    Moment { unix_ms: 1_000_000, boot: "boot".to_owned(), boot_ms: 10_000 }
}

fn petition(outcome: &Outcome) -> &Petition {
    outcome.record(RecordKind::Call).petition.as_ref().expect("a rule asks about it")
}

/// An approval of what this refusal was about.
fn approval(outcome: &Outcome, scope: Scope, term: Term) -> Approval {
    let asked = &petition(outcome).asked;
    Approval {
        id: "A1".to_owned(),
        by: "ada".to_owned(),
        identities: vec!["pkg:npm/example-server@1.0.0".to_owned()],
        scope,
        mark: if scope == Scope::Call { asked.call.clone() } else { asked.item.clone() },
        term,
        session: String::new(),
        given: now(),
        for_ms: 60_000,
    }
}

/// A session in which the call was refused, and approved since.
fn approved(text: &str, scope: Scope, term: Term) -> Session {
    let mut session = Session::new();
    let refused = session.client(call_with(1, "deploy", text));
    let approval = approval(&refused, scope, term);
    session.mediator.approvals().replace(vec![approval]);
    session.mediator.approvals().set_now(now());
    session
}

#[test]
fn a_refused_question_is_on_record_with_marks_and_masked_arguments() {
    let mut session = Session::new();
    let outcome = session.client(call_with(1, "deploy", "to staging, for Nightfall"));
    let Petition { asked, approval, arguments } = petition(&outcome);
    assert_eq!((asked.call.len(), asked.item.len(), approval), (32, 32, &None));
    let arguments = arguments.as_deref().unwrap();
    assert!(arguments.contains("to staging") && !arguments.contains("Nightfall"), "{arguments}");
    assert_eq!(session.client(call(2, "read")).record(RecordKind::Call).petition, None);
    assert_eq!(session.client(call(3, "merge_x")).record(RecordKind::Call).petition, None);
}

#[test]
fn an_approved_call_passes_byte_for_byte_and_its_record_names_the_approval() {
    let mut session = approved("x", Scope::Call, Term::Session);
    let outcome = session.client(call_with(2, "deploy", "x"));
    assert!(outcome.untouched, "{outcome:?}");
    let record = outcome.record(RecordKind::Call);
    assert_eq!(petition(&outcome).approval.as_deref(), Some("A1"));
    assert_eq!((record.verdict.access, record.code.as_deref()), (Access::Allow, None));
    let reason = record.verdict.reason.as_ref().unwrap();
    assert_eq!((&*reason.rule, &*reason.text), ("ask-deploy", "ada approved it (approval A1)"));
    // Its answer reaches the client like any other.
    assert!(session.server(result(2, "{}")).untouched);
}

#[test]
fn changed_arguments_are_asked_about_anew() {
    let mut session = approved("staging", Scope::Call, Term::Session);
    let outcome = session.client(call_with(2, "deploy", "production"));
    assert_eq!(outcome.record(RecordKind::Call).verdict.word(), "ask");
    assert!(outcome.forwarded.is_none());
}

#[test]
fn once_is_once_and_a_blocked_call_does_not_use_it_up() {
    let mut session = approved("Nightfall", Scope::Item, Term::Once);
    let blocked = session.client(call_with(2, "deploy", "Nightfall"));
    let verdict = &blocked.record(RecordKind::Call).verdict;
    assert_eq!((verdict.access, verdict.content), (Access::Allow, Content::Block));
    assert!(blocked.forwarded.is_none(), "what is blocked stays blocked");
    assert!(session.client(call_with(3, "deploy", "x")).untouched);
    assert_eq!(session.client(call_with(4, "deploy", "x")).record(RecordKind::Call).verdict.word(), "ask");
}

#[test]
fn what_is_redacted_is_redacted_in_an_approved_call() {
    let mut session = approved("for Umbrella", Scope::Call, Term::Session);
    let outcome = session.client(call_with(2, "deploy", "for Umbrella"));
    let forwarded = outcome.forwarded.as_deref().unwrap();
    assert!(!forwarded.contains("Umbrella") && forwarded.contains("for "), "{forwarded}");
    assert_eq!(petition(&outcome).approval.as_deref(), Some("A1"));
}

#[test]
fn an_approval_never_lifts_a_deny() {
    let mut session = approved("x", Scope::Item, Term::Time);
    // The same marks could not be approved, for nobody is asked; so the rule changes after the approval.
    let (denying, engine) = crate::session::judges(
        "version = 1\n[[rule]]\nid = \"no\"\neffect = \"deny\"\ntools = [\"deploy\"]\nreason = \"no\"\n",
    );
    assert!(session.client(call_with(2, "deploy", "x")).untouched, "the control");
    session.mediator.set_policy(denying, engine);
    assert_eq!(session.client(call_with(3, "deploy", "x")).record(RecordKind::Call).verdict.word(), "deny");
}

#[test]
fn a_tool_whose_definition_was_hidden_is_not_to_be_had_by_approval() {
    let mut session = approved("x", Scope::Item, Term::Time);
    session.asks(2, "tools/list");
    session.server(result(2, &format!(r#"{{"tools":[{{"name":"deploy","description":"{HIDDEN}"}}]}}"#)));
    let outcome = session.client(call_with(3, "deploy", "x"));
    assert_eq!(outcome.record(RecordKind::Call).verdict.access, Access::Deny);
    assert!(outcome.forwarded.is_none());
}

#[test]
fn a_policy_that_switches_approvals_off_is_obeyed() {
    let mut session = approved("x", Scope::Item, Term::Time);
    session.mediator.approvals().set_switch(Switch::Off);
    assert_eq!(session.client(call_with(2, "deploy", "x")).record(RecordKind::Call).verdict.word(), "ask");
}

#[test]
fn a_revoked_approval_counts_no_more() {
    let mut session = approved("x", Scope::Item, Term::Time);
    assert!(session.client(call_with(2, "deploy", "x")).untouched);
    session.mediator.approvals().replace(Vec::new());
    assert_eq!(session.client(call_with(3, "deploy", "x")).record(RecordKind::Call).verdict.word(), "ask");
}

#[test]
fn a_refusals_record_holds_what_the_peer_was_told() {
    let mut session = Session::new();
    for line in [
        call(1, "deploy"),
        call(2, "merge_x"),
        r#"{"jsonrpc":"2.0","id":3,"method":"a","method":"b"}"#.to_owned(),
    ] {
        let outcome = session.client(line);
        let answer = outcome.answer();
        let said = answer.pointer("/result/content/0/text").or(answer.pointer("/error/message")).unwrap();
        assert_eq!(outcome.records[0].told.as_deref(), said.as_str(), "{outcome:?}");
    }
    session.calls(4, "read");
    let withheld = session.server(result(4, r#"{"content":[{"type":"text","text":"Nightfall"}]}"#));
    assert!(withheld.records[0].told.as_deref().unwrap().contains("withheld"), "{withheld:?}");
    session.calls(5, "read");
    assert_eq!(session.server(result(5, "{}")).records[0].told, None);
}

#[test]
fn a_later_round_of_an_approved_call_is_not_asked_about_again() {
    let deploy = |id: u32, text: &str, added: &str| {
        let arguments = format!(r#"{{"name":"deploy","arguments":{{"to":"{text}"}},{added}{MODERN_META}}}"#);
        request(id, "tools/call", &arguments)
    };
    let mut session = Session::new();
    let refused = session.client(deploy(1, "staging", ""));
    session.mediator.approvals().replace(vec![approval(&refused, Scope::Call, Term::Once)]);
    session.mediator.approvals().set_now(now());
    assert!(session.client(deploy(2, "staging", "")).untouched);
    let asks = r#"{"resultType":"input_required","requestState":"s","inputRequests":{"q":{"method":"elicitation/create"}}}"#;
    assert!(session.server(result(2, asks)).untouched);
    let state = r#""requestState":"s","#;
    let outcome = session.client(deploy(3, "production", state));
    assert_eq!(outcome.record(RecordKind::Call).verdict.access, Access::Ask, "other arguments, another call");
    assert!(session.client(deploy(4, "staging", state)).untouched);
    assert_eq!(session.client(deploy(5, "staging", state)).rule(), "round/unknown", "once");
    assert_eq!(session.client(deploy(6, "staging", "")).record(RecordKind::Call).verdict.access, Access::Ask);
}

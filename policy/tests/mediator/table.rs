//! The table of pending requests, tried against a model that only knows what each peer is owed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stockade_policy::mediator::{PENDING_MAX, Peer, RecordKind};

use crate::session::{Outcome, Random, Session, call, notification, request, result, text_result};

/// What one peer is owed: ids that it asked under and that were neither answered nor cancelled.
#[derive(Default)]
struct Owed {
    waiting: BTreeSet<u64>,
    answered: BTreeMap<u64, usize>,
}

impl Owed {
    fn asked(&mut self, id: u64) {
        self.waiting.insert(id);
    }

    /// An answer arrived.
    fn got(&mut self, id: u64, step: &str) {
        assert!(self.waiting.remove(&id), "an answer under {id}, which nobody waits for, after {step}");
        *self.answered.entry(id).or_default() += 1;
    }
}

struct Model {
    session: Session,
    client: Owed,
    server: Owed,
}

impl Model {
    fn play(&mut self, from: Peer, line: &str) {
        let asked: Option<u64> = serde_json::from_str::<Value>(line).ok().and_then(|message| {
            message.get("method")?;
            message["id"].as_u64()
        });
        if let Some(id) = asked {
            // Under an id that is waiting nothing new is owed.
            self.owed(from).asked(id);
        }
        let outcome = self.session.line(from, line.as_bytes());
        if outcome.forwarded.is_some()
            && let Ok(message) = serde_json::from_str::<Value>(line)
            && message["method"] == "notifications/cancelled"
        {
            let id = message["params"]["requestId"].as_u64().unwrap();
            assert!(
                self.owed(from).waiting.remove(&id),
                "a cancellation of {id}, which does not wait, went on"
            );
        }
        self.deliver(from, outcome, line);
    }

    fn deliver(&mut self, from: Peer, outcome: Outcome, step: &str) {
        let Outcome { forwarded, to_client, to_server, .. } = outcome;
        for answer in to_client {
            self.client.got(answer["id"].as_u64().unwrap(), step);
        }
        for answer in to_server {
            self.server.got(answer["id"].as_u64().unwrap(), step);
        }
        let forwarded = forwarded.and_then(|line| serde_json::from_str::<Value>(&line).ok());
        if let Some(message) = forwarded.filter(|message| message.get("method").is_none()) {
            self.owed(from.other()).got(message["id"].as_u64().unwrap(), step);
        }
    }

    fn owed(&mut self, peer: Peer) -> &mut Owed {
        match peer {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        }
    }

    fn step(&mut self, random: &mut Random) {
        let from = if random.below(3) == 0 { Peer::Server } else { Peer::Client };
        self.step_of(from, random);
    }

    fn step_of(&mut self, from: Peer, random: &mut Random) {
        let id = random.below(12) as u32;
        let line = match random.below(13) {
            0 | 1 if from == Peer::Client => call(id, "read"),
            2 if from == Peer::Client => call(id, "merge_x"),
            3 if from == Peer::Client => request(id, "tools/list", "{}"),
            0..=2 => request(id, "elicitation/create", r#"{"message":"?"}"#),
            3 => request(id, "sampling/createMessage", r#"{"systemPrompt":"Nightfall"}"#),
            4..=6 => text_result(id, "fine"),
            7 => text_result(id, "Nightfall"),
            8 => text_result(id, "Umbrella"),
            9 => result(id, r#"{"a":1,"a":2}"#),
            10 => notification("notifications/cancelled", &format!(r#"{{"requestId":{id}}}"#)),
            11 => format!(r#"{{"id":{id},"jsonrpc":"2.0","error":{{"code":1,"message":"no"}}}}"#),
            _ => result(id, r#"{"tools":[{"name":"merge_x"},{"name":"b"}]}"#),
        };
        self.play(from, &line);
    }
}

#[test]
fn whatever_the_peers_do_every_request_is_answered_exactly_once() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let mut model = Model { session: Session::new(), client: Owed::default(), server: Owed::default() };
        for _ in 0..400 {
            model.step(&mut random);
        }
        assert_eq!(model.session.mediator.pending(Peer::Client), model.client.waiting.len(), "seed {seed}");
        assert_eq!(model.session.mediator.pending(Peer::Server), model.server.waiting.len(), "seed {seed}");
        assert!(
            model.client.answered.values().sum::<usize>() > 20,
            "the walk answers something, seed {seed}"
        );
        if seed % 2 == 0 {
            let outcome = model.session.server_ends("exit status 0", "");
            model.deliver(Peer::Server, outcome, "server_ended");
            // Nobody is there to be told.
            model.server.waiting.clear();
        } else {
            let outcome = model.session.client_ends("SIGTERM");
            model.deliver(Peer::Client, outcome, "client_ended");
        }
        for _ in 0..50 {
            // A server that ended says nothing more; a client that is going may.
            if seed % 2 == 0 { model.step_of(Peer::Client, &mut random) } else { model.step(&mut random) }
        }
        assert!(model.client.waiting.is_empty(), "seed {seed}: {:?}", model.client.waiting);
    }
}

#[test]
fn a_hundred_thousand_abandoned_ids_leave_the_table_at_its_cap() {
    let mut session = Session::new();
    let mut given_up = Vec::new();
    for id in 0..100_000 {
        let outcome = session.client(call(id, "read"));
        assert!(outcome.untouched);
        for answer in &outcome.to_client {
            assert_eq!(answer["error"]["code"], 1429);
            given_up.push(answer["id"].as_u64().unwrap() as u32);
        }
    }
    assert_eq!(session.mediator.pending(Peer::Client), PENDING_MAX);
    assert!(given_up.iter().copied().eq(0..100_000 - PENDING_MAX as u32), "the oldest first, each once");
    let outcome = session.server(text_result(0, "late"));
    assert_eq!(outcome.rule(), "session/unknown-id");
    assert!(session.server(text_result(99_999, "in time")).untouched);
    assert_eq!(session.server_ends("exit status 0", "").to_client.len(), PENDING_MAX - 1);
}

#[test]
fn a_server_that_never_hears_back_is_answered_for_its_oldest_request() {
    let mut session = Session::new();
    for id in 0..PENDING_MAX as u32 {
        assert!(session.server(request(id, "ping", "{}")).to_server.is_empty());
    }
    let outcome = session.server(request(1_000_000, "ping", "{}"));
    assert_eq!(
        (&outcome.to_server[0]["id"], &outcome.to_server[0]["error"]["code"]),
        (&0.into(), &1429.into())
    );
    assert_eq!(outcome.record(RecordKind::Synthesised).method.as_deref(), Some("ping"));
}

#[test]
fn a_subscription_may_stay_open_for_ever() {
    let mut session = Session::new();
    session.asks(0, "subscriptions/listen");
    for id in 1..=PENDING_MAX as u32 + 10 {
        session.client(call(id, "read"));
    }
    assert!(session.server(result(0, "{}")).untouched);
}

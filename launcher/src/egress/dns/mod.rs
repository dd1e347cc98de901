//! The name server of a jail: answers for granted names what the outside says and the judge lets through, for all
//! others that they do not exist.

mod other;
mod outside;
mod reply;
mod search;
mod upstream;
mod wire;

use std::net::IpAddr;
use std::sync::Mutex;

use stockade_policy::egress::{Judge, LOCAL, NameRuling, Refusal, Spent};

use outside::{Failure, Resolve};
use wire::{Kind, Question};

pub use other::other_protocol;
pub use outside::Outside;
pub use search::SearchList;

/// What became of a question, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsOutcome {
    /// A granted name: these addresses were told, or its services or texts.
    Resolved {
        /// The name.
        name: String,
        /// Addresses, of both families.
        told: Vec<IpAddr>,
    },
    /// The name is not granted, or leads where it may not. Of a service, what stands in the answer may be the rest.
    Refused(Refusal),
    /// A granted name that nothing could be found out about.
    Failed {
        /// The name.
        name: String,
        /// Why.
        why: String,
    },
    /// Nothing worth a record: no question, a question of a kind that is always empty, the machine's own name.
    Nothing,
}

type Answered = (Vec<u8>, DnsOutcome);

/// Answers a question that came in a datagram. An empty answer: nothing is to be sent.
pub async fn answer(query: &[u8], judge: &Mutex<Judge>, outside: &impl Resolve) -> Answered {
    match wire::parse(query) {
        Ok(question) => question_answered(&question, judge, outside).await,
        Err(malformed) => (malformed.answer(), DnsOutcome::Nothing),
    }
}

/// Answers a question that came over a connection (without its length), where an answer may be long.
pub async fn answer_on_stream(query: &[u8], judge: &Mutex<Judge>, outside: &impl Resolve) -> Answered {
    match wire::parse(query) {
        Ok(question) => question_answered(&question.on_stream(), judge, outside).await,
        Err(malformed) => (malformed.answer(), DnsOutcome::Nothing),
    }
}

async fn question_answered(question: &Question, judge: &Mutex<Judge>, outside: &impl Resolve) -> Answered {
    match question.kind {
        Kind::A | Kind::Aaaa => match Judge::known(&question.name) {
            // RFC 6761, section 6.3. Where that leads is decided when something is connected to.
            Some(local) => (wire::answer_addresses(question, &local), DnsOutcome::Nothing),
            None => match addresses(question, judge, outside).await {
                told @ (_, DnsOutcome::Resolved { .. }) => told,
                // Programs look their machine's name up to find themselves, and many end where that fails. What listens there
                // is closed as ever.
                _ if outside.is_own(&question.name) => {
                    (wire::answer_addresses(question, &LOCAL), DnsOutcome::Nothing)
                }
                other => other,
            },
        },
        Kind::Srv => services(question, judge, outside).await,
        Kind::Txt => texts(question, judge, outside).await,
        // The name of an address is nobody's business: the question would tell which address.
        Kind::Ptr => (wire::nxdomain(question), DnsOutcome::Nothing),
        // What HTTPS and SVCB say (other names, ports, addresses) would lead past the judge; without them clients go
        // by the addresses (RFC 9460, section 3).
        Kind::Https | Kind::Svcb | Kind::Other(_) => match ask(judge, |judge| judge.name(&question.name)) {
            Some(NameRuling::Resolve) => (wire::no_data(question), DnsOutcome::Nothing),
            Some(NameRuling::Refused(refusal)) => unknown(question, refusal),
            None => broken(question),
        },
    }
}

async fn addresses(question: &Question, judge: &Mutex<Judge>, outside: &impl Resolve) -> Answered {
    let name = question.name.to_ascii_lowercase();
    if let Err(answered) = may_leave(question, judge, &name, Judge::name) {
        return answered;
    }
    let told = match outside.addresses(&name).await {
        Ok(found) => ask(judge, |judge| judge.resolved(&name, &found)),
        Err(failure) if !outside.is_proxied(&name) => return failed(question, name, &failure),
        Err(failure) => match ask(judge, |judge| judge.unresolved(&name)) {
            Some(Ok(told)) if told.is_empty() => return failed(question, name, &failure),
            told => told,
        },
    };
    match told {
        Some(Ok(told)) => (wire::answer_addresses(question, &told), DnsOutcome::Resolved { name, told }),
        Some(Err(refusal)) => unknown(question, refusal),
        None => broken(question),
    }
}

async fn services(question: &Question, judge: &Mutex<Judge>, outside: &impl Resolve) -> Answered {
    let name = question.name.to_ascii_lowercase();
    if let Err(answered) = may_leave(question, judge, &name, Judge::service) {
        return answered;
    }
    let found = match outside.services(&name).await {
        Ok(found) => found,
        Err(failure) => return failed(question, name, &failure),
    };
    let mut refusal = None;
    let mut granted = Vec::new();
    // Without a target: RFC 2782's way to say that there is no such service.
    for service in found.into_iter().filter(|service| !service.target.is_empty()) {
        match ask(judge, |judge| judge.target(&service.target, service.port)) {
            Some(Ok(())) => granted.push(service),
            Some(Err(refused)) => refusal = refusal.or(Some(refused)),
            None => return broken(question),
        }
    }
    let outcome = match refusal {
        Some(refusal) => DnsOutcome::Refused(refusal),
        None => DnsOutcome::Resolved { name, told: Vec::new() },
    };
    (wire::answer_services(question, &granted), outcome)
}

async fn texts(question: &Question, judge: &Mutex<Judge>, outside: &impl Resolve) -> Answered {
    let name = question.name.to_ascii_lowercase();
    if let Err(answered) = may_leave(question, judge, &name, Judge::service) {
        return answered;
    }
    match outside.texts(&name).await {
        Ok(found) => (wire::answer_texts(question, &found), DnsOutcome::Resolved { name, told: Vec::new() }),
        Err(failure) => failed(question, name, &failure),
    }
}

/// Whether the question may leave the machine; if not, its answer.
fn may_leave(
    question: &Question,
    judge: &Mutex<Judge>,
    name: &str,
    rule: impl Fn(&mut Judge, &str) -> NameRuling,
) -> Result<(), Answered> {
    let ruled = ask(judge, |judge| match rule(judge, name) {
        NameRuling::Refused(refusal) => Err(unknown(question, refusal)),
        NameRuling::Resolve => match judge.asked(name) {
            Spent::Within => Ok(()),
            Spent::Beyond(refusal) => Err((wire::refused(question), DnsOutcome::Refused(refusal))),
        },
    });
    ruled.unwrap_or_else(|| Err(broken(question)))
}

/// Asks the judge; `None` if it panicked before and so allows nothing any more.
fn ask<T>(judge: &Mutex<Judge>, question: impl FnOnce(&mut Judge) -> T) -> Option<T> {
    judge.lock().ok().map(|mut judge| question(&mut judge))
}

fn unknown(question: &Question, refusal: Refusal) -> Answered {
    (wire::nxdomain(question), DnsOutcome::Refused(refusal))
}

fn failed(question: &Question, name: String, failure: &Failure) -> Answered {
    let answer = match failure {
        Failure::NoSuchName => wire::nxdomain(question),
        _ => wire::servfail(question),
    };
    (answer, DnsOutcome::Failed { name, why: failure.to_string() })
}

fn broken(question: &Question) -> Answered {
    let why = "Stockade's judge of connections failed".to_owned();
    (wire::servfail(question), DnsOutcome::Failed { name: question.name.clone(), why })
}

#[cfg(test)]
mod tests;

//! Questions and what comes of them, with a made-up outside; no packet leaves the machine.

mod answers;
mod messages;
mod mutations;
mod servers;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use stockade_policy::document::profile::{AddressClass, NetGrant};
use stockade_policy::egress::Judge;

use super::outside::{Failure, Resolve};
use super::wire::{Reader, Service};

/// An outside of a few names, which remembers what it was asked.
#[derive(Default)]
struct Made {
    addresses: BTreeMap<String, Vec<IpAddr>>,
    services: BTreeMap<String, Vec<Service>>,
    texts: BTreeMap<String, Vec<Vec<u8>>>,
    /// Given for every other name.
    any: Option<IpAddr>,
    has_proxy: bool,
    asked: RefCell<Vec<String>>,
}

impl Made {
    fn with(mut self, name: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|a| a.parse().expect("an address")).collect();
        self.addresses.insert(name.to_owned(), addresses);
        self
    }

    fn look<T: Clone>(&self, name: &str, table: &BTreeMap<String, T>) -> Result<T, Failure> {
        self.asked.borrow_mut().push(name.to_owned());
        table.get(name).cloned().ok_or(Failure::NoSuchName)
    }
}

impl Resolve for Made {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        let found = self.look(name, &self.addresses);
        found.or_else(|failure| self.any.map(|any| vec![any]).ok_or(failure))
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, Failure> {
        self.look(name, &self.services)
    }

    async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>, Failure> {
        self.look(name, &self.texts)
    }

    fn is_proxied(&self, _: &str) -> bool {
        self.has_proxy
    }

    fn is_own(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case("workstation")
    }
}

fn judge(grants: &[(&'static str, u16)]) -> Mutex<Judge> {
    let grants = grants.iter().map(|(host, port)| NetGrant {
        host: (*host).into(),
        port: *port,
        addresses: vec![AddressClass::Public].into(),
        upload_bytes: None,
        reason: "a test".into(),
    });
    Mutex::new(Judge::new(grants.collect(), Vec::new(), None))
}

/// A question as libc writes it.
fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// The same with an OPT record that announces a size.
fn question_with_edns(name: &str, kind: u16, size: u16) -> Vec<u8> {
    let mut bytes = question(name, kind);
    bytes[11] = 1;
    bytes.extend([0, 0, 41]);
    bytes.extend(size.to_be_bytes());
    // The DO bit and a cookie: things that are not ours to answer.
    bytes.extend([0, 0, 0x80, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    bytes
}

/// An answer, read by other code than that which wrote it.
#[derive(Debug, PartialEq)]
struct Seen {
    id: u16,
    code: u8,
    is_truncated: bool,
    name: String,
    /// Type, TTL, data.
    records: Vec<(u16, u32, Vec<u8>)>,
    edns_size: Option<u16>,
}

fn seen(answer: &[u8]) -> Seen {
    let mut r = Reader::new(answer);
    let counts = [(); 6].map(|()| r.u16().expect("a header"));
    let [id, flags, questions, answers, authorities, additionals] = counts;
    assert_eq!(flags & 0xf840, 0x8000, "a response, opcode 0, no reserved bit");
    assert_eq!((questions, authorities), (1, 0));
    let name = r.plain_name().expect("the question's name");
    r.take(4).expect("its type and class");
    let mut record = || {
        let owner = r.name().expect("a name");
        let (kind, class) = (r.u16().expect("a type"), r.u16().expect("a class"));
        let ttl = u32::from_be_bytes(r.take(4).expect("a TTL").try_into().expect("4 bytes"));
        let length = r.u16().expect("a length");
        (owner, kind, class, ttl, r.take(length.into()).expect("data").to_vec())
    };
    let records = (0..answers).map(|_| record()).collect::<Vec<_>>();
    assert!(records.iter().all(|(owner, _, class, ..)| *owner == name && *class == 1));
    let opt = (0..additionals).map(|_| record()).collect::<Vec<_>>();
    assert!(opt.iter().all(|(owner, kind, _, ttl, data)| {
        owner.is_empty() && *kind == 41 && *ttl == 0 && data.is_empty()
    }));
    assert_eq!(r.at, answer.len(), "nothing stands behind the last record");
    Seen {
        id,
        code: (flags & 15) as u8,
        is_truncated: flags & 0x0200 != 0,
        name,
        records: records.into_iter().map(|(_, kind, _, ttl, data)| (kind, ttl, data)).collect(),
        edns_size: opt.first().map(|(_, _, size, ..)| *size),
    }
}

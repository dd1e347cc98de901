//! What the broker puts on record, bounded whatever the server does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Instant;

use stockade_policy::document::profile::AddressClass;
use stockade_policy::egress::{Destination, Refusal};
use stockade_sandbox::Program;

use super::limiter::Limiter;
use crate::telemetry::{
    BrowserPage, CallsInFlight, NetConnect, NetDnsFailed, NetFirstSeen, NetInbound, NetRefused, NetSummary,
    NetworkEvent,
};

/// Destinations told apart in one session; later ones are no first ones.
const SEEN_MAX: usize = 8_192;

/// Refused names kept, to know again what resolvers make of them.
const NAMES_MAX: usize = 1_024;

/// Whoever writes the events of a session.
pub trait EventSink {
    /// Puts an event on record.
    fn record(&self, event: &NetworkEvent);
    /// The calls in flight.
    fn calls(&self) -> CallsInFlight;
    /// A text that the server chose, masked.
    fn masked(&self, text: &str) -> String;
    /// Tells the user, without waiting.
    fn tell(&self, line: String);
}

/// Makes events, and counts.
pub(super) struct Ledger {
    sink: Rc<dyn EventSink>,
    refusals: RefCell<Limiter>,
    destinations: RefCell<BTreeSet<(String, u16)>>,
    /// Names that were refused.
    names: RefCell<BTreeSet<String>>,
    summary: RefCell<NetSummary>,
}

/// A connection that is on record when this is dropped.
pub(super) struct Connection {
    ledger: Rc<Ledger>,
    began: Instant,
    to: Destination,
    program: Option<String>,
    during: CallsInFlight,
    up: Cell<u64>,
    down: Cell<u64>,
    way: Cell<&'static str>,
    ended: RefCell<String>,
}

/// Where a name was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Connection,
    Name,
}

impl Ledger {
    pub(super) fn new(sink: Rc<dyn EventSink>) -> Self {
        Self {
            sink,
            refusals: RefCell::default(),
            destinations: RefCell::default(),
            names: RefCell::default(),
            summary: RefCell::default(),
        }
    }

    /// A connection begins.
    pub(super) fn connection(self: &Rc<Self>, to: &Destination, program: Option<&Program>) -> Connection {
        let during = self.sink.calls();
        self.summary.borrow_mut().connections += 1;
        let key = (host_of(to), to.to.port());
        let mut destinations = self.destinations.borrow_mut();
        if destinations.len() < SEEN_MAX && destinations.insert(key) {
            self.summary.borrow_mut().destinations += 1;
            self.sink.record(&NetworkEvent::FirstSeen(NetFirstSeen {
                host: self.sink.masked(&host_of(to)),
                port: to.to.port(),
                class: class_word(to.class),
                during: during.clone(),
            }));
        }
        drop(destinations);
        Connection {
            ledger: Rc::clone(self),
            began: Instant::now(),
            to: to.clone(),
            program: self.program(program),
            during,
            up: Cell::new(0),
            down: Cell::new(0),
            way: Cell::new("none"),
            ended: RefCell::new("session ended".to_owned()),
        }
    }

    /// A connection was refused.
    pub(super) fn refused(&self, refusal: &Refusal, program: Option<&Program>) {
        self.summary.borrow_mut().refused += 1;
        self.refusal(Asked::Connection, refusal, program);
    }

    /// A name was not looked up that a resolver made of another one: counted alone.
    pub(super) fn dns_made_up(&self) {
        self.summary.borrow_mut().dns_refused += 1;
    }

    /// Whether this name stands on record as refused.
    pub(super) fn has_refused(&self, name: &str) -> bool {
        self.names.borrow().contains(name)
    }

    /// A name was not looked up.
    pub(super) fn dns_refused(&self, refusal: &Refusal) {
        self.summary.borrow_mut().dns_refused += 1;
        let mut names = self.names.borrow_mut();
        if names.len() < NAMES_MAX {
            names.insert(refusal.what.clone());
        }
        drop(names);
        self.refusal(Asked::Name, refusal, None);
    }

    /// A datagram that is no question to a name server came out of a UDP socket, which was closed for it.
    pub(super) fn no_question(&self, protocol: &str) {
        let why = "UDP carries name lookups alone, so that its socket was closed; programs that can fall back to TCP".to_owned();
        self.refused(&Refusal { what: format!("UDP ({protocol})"), why, fragment: None }, None);
    }

    /// Tells the user what is wrong outside of the jail.
    pub(super) fn warn(&self, what: &str) {
        if self.admit(&format!("warning {what}")).is_some() {
            self.sink.tell(format!("stockade: {what}\n"));
        }
    }

    /// A granted name could not be looked up.
    pub(super) fn dns_failed(&self, name: &str, why: String) {
        let Some(suppressed) = self.admit(&format!("failed {name} {why}")) else { return };
        self.sink.record(&NetworkEvent::DnsFailed(NetDnsFailed {
            name: self.sink.masked(name),
            why,
            suppressed,
            during: self.sink.calls(),
        }));
    }

    /// A connection from the host to the server has ended.
    pub(super) fn inbound(&self, event: NetInbound) {
        self.sink.record(&NetworkEvent::Inbound(event));
    }

    /// The calls in flight.
    pub(super) fn calls(&self) -> CallsInFlight {
        self.sink.calls()
    }

    /// A page that was asked for during these calls was, or was not, opened in the browser.
    pub(super) fn browser(
        &self,
        outcome: &'static str,
        page: &str,
        why: Option<&Refusal>,
        during: CallsInFlight,
    ) {
        let page = self.sink.masked(page);
        if why.is_some() && self.admit(&format!("browser {outcome} {page}")).is_none() {
            return;
        }
        if let Some(refusal) = why {
            self.sink.tell(told("a page was not opened", &page, refusal));
        }
        self.sink.record(&NetworkEvent::Browser(BrowserPage {
            verdict: if outcome == "refused" { "deny" } else { "allow" },
            outcome,
            page,
            why: why.map(|refusal| refusal.why.clone()),
            fragment: why.and_then(|refusal| refusal.fragment.clone()),
            during,
        }));
    }

    /// The end of the session: what single events left out. `lost` is what never arrived here.
    pub(super) fn close(&self, lost: u64) {
        let mut summary = self.summary.borrow().clone();
        summary.suppressed = self.refusals.borrow().suppressed();
        summary.lost = lost;
        if summary != NetSummary::default() {
            self.sink.record(&NetworkEvent::Summary(summary));
        }
    }

    fn refusal(&self, asked: Asked, refusal: &Refusal, program: Option<&Program>) {
        let kind = match asked {
            Asked::Connection => "connection",
            Asked::Name => "name",
        };
        let Some(suppressed) = self.admit(&format!("{kind} {} {}", refusal.what, refusal.why)) else {
            return;
        };
        let what = self.sink.masked(&refusal.what);
        self.sink.tell(told(&format!("the server was refused a {kind}"), &what, refusal));
        let event = NetRefused {
            verdict: "deny",
            what,
            why: refusal.why.clone(),
            fragment: refusal.fragment.clone(),
            program: self.program(program),
            suppressed,
            during: self.sink.calls(),
        };
        self.sink.record(&match asked {
            Asked::Connection => NetworkEvent::Refused(event),
            Asked::Name => NetworkEvent::DnsRefused(event),
        });
    }

    fn admit(&self, key: &str) -> Option<u64> {
        self.refusals.borrow_mut().admit(key, Instant::now())
    }

    fn program(&self, program: Option<&Program>) -> Option<String> {
        let path = program?.path.as_ref()?;
        Some(self.sink.masked(&path.to_string_lossy()))
    }
}

impl Connection {
    /// It leads outside by this way.
    pub(super) fn leads(&self, way: &'static str) {
        self.way.set(way);
    }

    pub(super) fn add_up(&self, bytes: u64) {
        self.up.set(self.up.get().saturating_add(bytes));
    }

    pub(super) fn add_down(&self, bytes: u64) {
        self.down.set(self.down.get().saturating_add(bytes));
    }

    /// It ends, and why.
    pub(super) fn ends(self, why: impl Into<String>) {
        *self.ended.borrow_mut() = why.into();
    }

    /// It was made without us between: nothing more will be known of it.
    pub(super) fn unobserved(self) {
        self.way.set("unobserved");
        self.ends("unobserved");
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let ledger = &self.ledger;
        let observed = self.way.get() != "unobserved";
        let mut summary = ledger.summary.borrow_mut();
        summary.bytes_up = summary.bytes_up.saturating_add(self.up.get());
        summary.bytes_down = summary.bytes_down.saturating_add(self.down.get());
        drop(summary);
        let elapsed_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        ledger.sink.record(&NetworkEvent::Connect(NetConnect {
            verdict: "allow",
            host: ledger.sink.masked(&host_of(&self.to)),
            port: self.to.to.port(),
            address: self.to.to.ip().to_string(),
            class: class_word(self.to.class),
            way: self.way.get(),
            program: self.program.clone(),
            bytes_up: observed.then(|| self.up.get()),
            bytes_down: observed.then(|| self.down.get()),
            duration_ms: observed.then_some(elapsed_ms),
            ended: self.ended.take(),
            during: std::mem::take(&mut self.during),
        }));
    }
}

fn host_of(to: &Destination) -> String {
    to.name.clone().unwrap_or_else(|| to.to.ip().to_string())
}

fn class_word(class: AddressClass) -> &'static str {
    match class {
        AddressClass::Public => "public",
        AddressClass::Loopback => "loopback",
        AddressClass::Private => "private",
        AddressClass::LinkLocal => "link-local",
        AddressClass::Metadata => "metadata",
    }
}

/// What the user reads on stderr.
fn told(what: &str, target: &str, refusal: &Refusal) -> String {
    let mut line = format!("stockade: {what}: {target}: {}\n", refusal.why);
    if let Some(fragment) = &refusal.fragment {
        line.push_str("stockade: to allow it, add to a profile:\n");
        line.extend(fragment.lines().map(|part| format!("stockade:   {part}\n")));
    }
    line
}

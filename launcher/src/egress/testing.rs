//! What the tests of this folder share: a sink that keeps events, a server on loopback, a broker without a jail.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stockade_policy::document::profile::{AddressClass, NetGrant};
use stockade_sandbox::{Gatekeeper, Program, Way, Wish};

use super::room::Room;
use super::{Broker, Egress, EventSink, Gate, Inbound, Served, Settings, Shared, Shim};
use crate::telemetry::{CallLine, CallsInFlight, NetworkEvent};

/// Keeps what is recorded.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) events: RefCell<Vec<Value>>,
    pub(super) told: RefCell<String>,
}

impl Kept {
    /// All events of a kind.
    pub(super) fn of(&self, kind: &str) -> Vec<Value> {
        self.events.borrow().iter().filter(|event| event["kind"] == kind).cloned().collect()
    }

    /// The only event of a kind.
    #[track_caller]
    pub(super) fn one(&self, kind: &str) -> Value {
        let mut all = self.of(kind);
        assert_eq!(all.len(), 1, "{kind}: {:#?}", self.events.borrow());
        all.remove(0)
    }

    /// Waits for an event of a kind.
    pub(super) async fn until(&self, kind: &str) -> Value {
        for _ in 0..2_000 {
            if let Some(event) = self.of(kind).into_iter().next() {
                return event;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no {kind}: {:#?}", self.events.borrow());
    }
}

impl EventSink for Kept {
    fn record(&self, event: &NetworkEvent) {
        let (kind, mut what) = match event {
            NetworkEvent::FirstSeen(what) => ("net.first_seen", json!(what)),
            NetworkEvent::Connect(what) => ("net.connect", json!(what)),
            NetworkEvent::Refused(what) => ("net.refused", json!(what)),
            NetworkEvent::DnsRefused(what) => ("net.dns_refused", json!(what)),
            NetworkEvent::DnsFailed(what) => ("net.dns_failed", json!(what)),
            NetworkEvent::Inbound(what) => ("net.inbound", json!(what)),
            NetworkEvent::Summary(what) => ("net.summary", json!(what)),
            NetworkEvent::Browser(what) => ("browser", json!(what)),
        };
        what["kind"] = kind.into();
        self.events.borrow_mut().push(what);
    }

    fn calls(&self) -> CallsInFlight {
        let call = CallLine { id: "7".into(), method: "tools/call".into(), item: Some("fetch".into()) };
        CallsInFlight { calls: vec![call], ambiguous: 1 }
    }

    fn masked(&self, text: &str) -> String {
        text.replace("s3cret", "[masked]")
    }

    fn tell(&self, line: String) {
        self.told.borrow_mut().push_str(&line);
    }
}

/// A grant; loopback addresses are named as such.
pub(super) fn grant(host: &str, port: u16) -> NetGrant {
    let addresses = vec![AddressClass::Public, AddressClass::Loopback];
    NetGrant {
        host: host.to_owned().into(),
        port,
        addresses: addresses.into(),
        upload_bytes: None,
        reason: "a test".into(),
    }
}

/// A broker without a jail: the test is the supervisor.
pub(super) struct Stage {
    pub(super) broker: Broker,
    pub(super) gate: Arc<Gate>,
    pub(super) kept: Rc<Kept>,
    pub(super) shared: Arc<Shared>,
}

impl Stage {
    pub(super) fn new(settings: Settings, env: &[(&str, &str)]) -> Self {
        Self::with_shim(settings, env, None)
    }

    /// With room for little.
    pub(super) fn narrow(settings: Settings, room: Room) -> Self {
        Self::of(Egress::with_room(settings, &BTreeMap::new(), room).unwrap(), None)
    }

    pub(super) fn with_shim(settings: Settings, env: &[(&str, &str)], shim: Option<Shim>) -> Self {
        let env: BTreeMap<_, _> = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self::of(Egress::new(settings, &env).unwrap(), shim)
    }

    fn of(egress: Egress, shim: Option<Shim>) -> Self {
        let (gate, shared) = (egress.gate(), Arc::clone(&egress.shared));
        let kept = Rc::new(Kept::default());
        let served = Served { egress, doors: None, inbound: Inbound::default(), shim };
        let broker = Broker::start(served, Rc::clone(&kept) as Rc<dyn EventSink>).unwrap();
        Self { broker, gate, kept, shared }
    }

    /// Does what the supervisor does for a program that connects, on a thread of its own.
    pub(super) async fn connect(&self, to: SocketAddr) -> Result<TcpStream, i32> {
        let gate = Arc::clone(&self.gate);
        blocking(move || supervised(&gate, to)).await
    }
}

/// A wish of some program.
pub(super) fn wish(to: SocketAddr) -> Wish {
    Wish { to, program: Program { pid: 1, path: Some("/usr/bin/prog".into()) } }
}

/// As the supervisor carries a connection out.
pub(super) fn supervised(gate: &Gate, to: SocketAddr) -> Result<TcpStream, i32> {
    use nix::sys::socket as sys;
    match gate.connect(&wish(to)) {
        Way::Refused(errno) => Err(errno),
        Way::Direct(leads) if leads.is_ipv4() != to.ip().to_canonical().is_ipv4() => {
            Err(nix::errno::Errno::EAFNOSUPPORT as i32)
        }
        Way::Direct(leads) => Ok(TcpStream::connect(leads).unwrap()),
        Way::Relay(relay) => {
            let family = if relay.is_ipv6() { sys::AddressFamily::Inet6 } else { sys::AddressFamily::Inet };
            let flags = sys::SockFlag::SOCK_CLOEXEC;
            let socket = sys::socket(family, sys::SockType::Stream, flags, None).unwrap();
            let raw = std::os::fd::AsRawFd::as_raw_fd(&socket);
            sys::bind(raw, &sys::SockaddrStorage::from(SocketAddr::new(relay.ip(), 0))).unwrap();
            let from = std::net::TcpListener::from(socket.try_clone().unwrap()).local_addr().unwrap();
            gate.relayed(from, &wish(to));
            sys::connect(raw, &sys::SockaddrStorage::from(relay)).unwrap();
            let stream = TcpStream::from(socket);
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            Ok(stream)
        }
    }
}

/// Runs blocking work beside the runtime of the test.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Runs a test on a runtime like that of a session.
pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

/// A server on loopback that gives every connection to `serve`, on a thread.
pub(super) fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Sends back what it gets, and then how much that was.
pub(super) fn echo(mut stream: TcpStream) {
    let mut chunk = vec![0; 65536];
    let mut total = 0;
    while let Ok(length @ 1..) = stream.read(&mut chunk) {
        total += length;
        if stream.write_all(&chunk[..length]).is_err() {
            return;
        }
    }
    let _ = stream.write_all(format!("|{total}").as_bytes());
}

//! Serves the doors of one jail until its session ends.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use stockade_policy::egress::{Destination, Refusal, Spent};
use stockade_sandbox::{OpenDoors, Program};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

use super::carry::{Buffers, Cut, Ended, Tally, carry, reset};
use super::dial::dial;
use super::gate::{Report, Work};
use super::inbound::Inbound;
use super::ledger::{Connection, EventSink, Ledger};
use super::room::{Held, Turn, Turns};
use super::{Egress, Gate, Served, Shared, dns, inbound, names, shim};

/// After accepting failed (out of descriptors, mostly).
pub(super) const PAUSE: Duration = Duration::from_millis(50);
/// How long what the gate has to say may lie there. Waking us costs the program that connects as much as half of its
/// connection, and is only needed once in this time.
const GATHER: Duration = Duration::from_millis(10);

/// The running broker. Ends with [`Broker::end`]; dropping it leaves its tasks to their `LocalSet`.
pub struct Broker {
    pub(super) inner: Rc<Inner>,
}

/// What all tasks share.
pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    pub(super) gate: Arc<Gate>,
    pub(super) ledger: Rc<Ledger>,
    pub(super) buffers: Buffers,
    pub(super) outside: dns::Outside,
    /// What resolvers append to names.
    pub(super) searched: RefCell<dns::SearchList>,
    /// DNS questions that wait for an answer.
    pub(super) questions: Cell<usize>,
    /// Who is carried, and who waits for that.
    pub(super) turns: Turns,
    /// What the gate has to say. Borrowed for one look at a time.
    reports: RefCell<Receiver<Report>>,
    tasks: RefCell<JoinSet<()>>,
}

/// Puts on record what the gate has decided and the broker has not come to yet. Does nothing once the broker is gone.
#[derive(Debug)]
pub struct CatchUp(Weak<Inner>);

impl CatchUp {
    /// To be called before anything else becomes of the calls in flight.
    pub fn catch_up(&self) {
        if let Some(inner) = self.0.upgrade() {
            inner.catch_up();
        }
    }
}

/// The ways in which a connection comes to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// Accepted inside, where every address is local: its local address is where it was meant to go.
    Inside,
    /// Accepted on our own loopback: the gate knows what it was announced for.
    Announced,
}

/// What is spoken on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// Anything: it is carried outside.
    Anything,
    /// DNS, to us.
    Dns,
}

impl Broker {
    /// Starts serving. Has to be called inside a `LocalSet` of a current-thread runtime.
    ///
    /// # Errors
    /// When a socket cannot be polled.
    pub fn start(served: Served, sink: Rc<dyn EventSink>) -> io::Result<Self> {
        let Served { egress: Egress { shared, gate, arrivals, room }, doors, inbound, shim } = served;
        let names = Arc::clone(&shared);
        let outside = dns::Outside::new().proxied(move |name| names.proxies.serves(name));
        let inner = Rc::new(Inner {
            shared,
            gate,
            ledger: Rc::new(Ledger::new(sink)),
            buffers: Buffers::default(),
            outside,
            searched: RefCell::new(dns::SearchList::of_host()),
            questions: Cell::new(0),
            turns: Turns::new(room),
            reports: RefCell::new(arrivals.reports),
            tasks: RefCell::default(),
        });
        inner.spawn(Rc::clone(&inner).work(arrivals.work));
        inner.spawn(Rc::clone(&inner).reports());
        if let Some(shim) = shim {
            shim::serve(&inner, shim)?;
        }
        if let Some(doors) = doors {
            inner.open(doors, inbound)?;
        }
        Ok(Self { inner })
    }

    /// For whoever knows when a call ends.
    pub fn catching_up(&self) -> CatchUp {
        CatchUp(Rc::downgrade(&self.inner))
    }

    /// Cuts what is open, and puts the rest on record.
    pub async fn end(self) {
        let mut tasks = self.inner.tasks.take();
        tasks.shutdown().await;
        self.inner.catch_up();
        self.inner.ledger.close(self.inner.gate.lost());
    }
}

impl Inner {
    /// Runs a task that ends with the broker at the latest.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        while tasks.try_join_next().is_some() {}
        tasks.spawn_local(task);
    }

    /// Tasks that have not ended.
    #[cfg(test)]
    pub(super) fn tasks_left(&self) -> usize {
        let mut tasks = self.tasks.borrow_mut();
        while tasks.try_join_next().is_some() {}
        tasks.len()
    }

    fn open(self: &Rc<Self>, doors: OpenDoors, inbound: Inbound) -> io::Result<()> {
        let OpenDoors { tcp, dns_udp, dns_tcp, inward } = doors;
        self.listen(tcp, Door::Inside, Speaks::Anything)?;
        self.listen(dns_tcp, Door::Inside, Speaks::Dns)?;
        for socket in dns_udp {
            socket.set_nonblocking(true)?;
            self.spawn(names::serve_udp(Rc::clone(self), UdpSocket::from_std(socket)?));
        }
        inbound::serve(self, inbound, inward)
    }

    fn listen(
        self: &Rc<Self>,
        listeners: Vec<std::net::TcpListener>,
        door: Door,
        speaks: Speaks,
    ) -> io::Result<()> {
        for listener in listeners {
            listener.set_nonblocking(true)?;
            self.spawn(Rc::clone(self).accept(TcpListener::from_std(listener)?, door, speaks));
        }
        Ok(())
    }

    async fn accept(self: Rc<Self>, listener: TcpListener, door: Door, speaks: Speaks) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => self.arrived(stream, from, door, speaks),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn arrived(self: &Rc<Self>, stream: TcpStream, from: SocketAddr, door: Door, speaks: Speaks) {
        let wanted = match door {
            Door::Inside => stream.local_addr().ok().map(|to| (canonical(to), None)),
            Door::Announced => self.gate.announced(canonical(from)).map(|wish| (wish.to, Some(wish.program))),
        };
        let Some((to, program)) = wanted else {
            // A stranger on loopback, or a connection that was broken off before we saw it.
            return reset(&stream);
        };
        let turn = self.turns.next();
        let serving = Rc::clone(self);
        if speaks == Speaks::Dns {
            return self.spawn(async move {
                match serving.turns.come(turn).await {
                    Ok(_turn) => names::serve_tcp(&serving, stream).await,
                    Err(why) => serving.no_room(&stream, to, why, None),
                }
            });
        }
        // Judged and recorded before anything is waited for: the call that it was for may be answered soon.
        match self.shared.connection(to) {
            Ok(destination) => {
                let record = self.ledger.connection(&destination, program.as_ref());
                self.spawn(serving.connection(stream, Led { to, destination, record, program, turn }));
            }
            Err(refusal) => {
                self.ledger.refused(&refusal, program.as_ref());
                reset(&stream);
            }
        }
    }

    fn no_room(&self, stream: &TcpStream, to: SocketAddr, why: String, program: Option<&Program>) {
        self.ledger.refused(&Refusal { what: to.to_string(), why, fragment: None }, program);
        reset(stream);
    }

    /// One connection of the server, from its arrival to its end.
    async fn connection(self: Rc<Self>, inside: TcpStream, led: Led) {
        let Led { to, destination, record, program, turn } = led;
        let _turn = match self.turns.come(turn).await {
            Ok(turn) => turn,
            Err(why) => {
                record.ends(why.clone());
                return self.no_room(&inside, to, why, program.as_ref());
            }
        };
        let outside = match dial(&destination, &self.shared.proxies).await {
            Ok(outside) => outside,
            Err(error) => {
                if error.is_of_the_proxy() {
                    self.ledger.warn(&error.to_string());
                }
                record.ends(error.to_string());
                return reset(&inside);
            }
        };
        record.leads(outside.way);
        // Only for speed: small messages are not held back.
        let _ = inside.set_nodelay(true);
        let account =
            Account { inner: &self, record, grant: destination.grant, program, over: Cell::new(false) };
        let ended = carry(inside, outside.stream, &outside.early, &account, &self.buffers).await;
        account.record.ends(match ended {
            Ended::Closed => "closed",
            Ended::Reset => "reset",
            Ended::Cut => "over budget",
            Ended::Stale => "half closed and silent",
        });
    }

    /// What the gate hands over to be served.
    async fn work(self: Rc<Self>, mut arriving: Receiver<Work>) {
        while let Some(work) = arriving.recv().await {
            // A socket that cannot be polled is closed, which is the end of what it was for.
            let _ = match work {
                Work::Listeners { tcp, dns } => self
                    .listen(tcp, Door::Announced, Speaks::Anything)
                    .and_then(|()| self.listen(dns, Door::Announced, Speaks::Dns)),
                Work::Resolver(end, held) => self.resolver(end, held),
            };
        }
    }

    /// Of tokio's types the datagram socket fits a packet socket.
    fn resolver(self: &Rc<Self>, end: OwnedFd, held: Held) -> io::Result<()> {
        let socket = std::os::unix::net::UnixDatagram::from(end);
        socket.set_nonblocking(true)?;
        let socket = UnixDatagram::from_std(socket)?;
        let serving = Rc::clone(self);
        self.spawn(async move {
            names::serve_packets(serving, socket).await;
            drop(held);
        });
        Ok(())
    }

    /// What the gate has to say.
    async fn reports(self: Rc<Self>) {
        while let Some(report) = poll_fn(|context| self.reports.borrow_mut().poll_recv(context)).await {
            self.report(report);
            // Nobody waits for what comes meanwhile, so that it wakes nobody.
            tokio::time::sleep(GATHER).await;
            self.catch_up();
        }
    }

    /// What it has said already.
    fn catch_up(&self) {
        loop {
            let next = self.reports.borrow_mut().try_recv();
            match next {
                Ok(report) => self.report(report),
                Err(_) => return,
            }
        }
    }

    fn report(&self, report: Report) {
        match report {
            Report::Refused(refusal, program) => self.ledger.refused(&refusal, Some(&program)),
            Report::Direct(destination, program) => {
                self.ledger.connection(&destination, Some(&program)).unobserved();
            }
        }
    }
}

/// A connection that was allowed.
struct Led {
    to: SocketAddr,
    destination: Destination,
    record: Connection,
    program: Option<Program>,
    turn: Turn,
}

/// Counts the bytes of one connection, and holds them against its budgets.
struct Account<'c> {
    inner: &'c Inner,
    record: Connection,
    grant: usize,
    program: Option<Program>,
    over: Cell<bool>,
}

impl Tally for Account<'_> {
    fn up(&self, bytes: usize) -> Result<(), Cut> {
        match self.inner.shared.sent(self.grant, bytes as u64) {
            Spent::Within => {
                self.record.add_up(bytes as u64);
                Ok(())
            }
            Spent::Beyond(refusal) => {
                if !self.over.replace(true) {
                    self.inner.ledger.refused(&refusal, self.program.as_ref());
                }
                Err(Cut)
            }
        }
    }

    fn down(&self, bytes: usize) {
        self.record.add_down(bytes as u64);
    }
}

/// One more of something, for as long as this lives.
pub(super) struct Counted<'c>(&'c Cell<usize>);

impl<'c> Counted<'c> {
    pub(super) fn in_(counter: &'c Cell<usize>) -> Self {
        counter.set(counter.get() + 1);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// IPv4 as IPv4, also where it came through an IPv6 socket.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;

//! Serves the doors of one jail until its session ends.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use stockade_policy::egress::{Refusal, Spent};
use stockade_sandbox::{OpenDoors, Program};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

use super::carry::{Buffers, Cut, Ended, Tally, carry, reset};
use super::dial::dial;
use super::gate::{Report, Work};
use super::inbound::Inbound;
use super::ledger::{Connection, EventSink, Ledger};
use super::{Egress, Gate, Served, Shared, dns, inbound, names, shim};

/// Connections at one time, both ways: each holds two descriptors, of which a process often has 1,024.
const CONNECTIONS_MAX: usize = 384;
/// After accepting failed (out of descriptors, mostly).
pub(super) const PAUSE: Duration = Duration::from_millis(50);

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
    /// DNS questions that wait for an answer.
    pub(super) questions: Cell<usize>,
    /// DNS over TCP and connections from the host; the ledger counts the others.
    pub(super) served: Cell<usize>,
    tasks: RefCell<JoinSet<()>>,
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
        let Served { egress: Egress { shared, gate, arrivals }, doors, inbound, shim } = served;
        let names = Arc::clone(&shared);
        let outside = dns::Outside::new().proxied(move |name| names.proxies.serves(name));
        let inner = Rc::new(Inner {
            shared,
            gate,
            ledger: Rc::new(Ledger::new(sink)),
            buffers: Buffers::default(),
            outside,
            questions: Cell::new(0),
            served: Cell::new(0),
            tasks: RefCell::default(),
        });
        inner.spawn(Rc::clone(&inner).work(arrivals.work));
        inner.spawn(Rc::clone(&inner).reports(arrivals.reports));
        if let Some(shim) = shim {
            shim::serve(&inner, shim)?;
        }
        if let Some(doors) = doors {
            inner.open(doors, inbound)?;
        }
        Ok(Self { inner })
    }

    /// Cuts what is open, and puts the rest on record.
    pub async fn end(self) {
        let mut tasks = self.inner.tasks.take();
        tasks.shutdown().await;
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
        if self.is_full() {
            let why = format!("{CONNECTIONS_MAX} connections are open already");
            self.ledger.refused(&Refusal { what: to.to_string(), why, fragment: None }, program.as_ref());
            return reset(&stream);
        }
        match speaks {
            Speaks::Anything => self.spawn(Rc::clone(self).connection(stream, to, program)),
            Speaks::Dns => self.spawn(names::serve_tcp(Rc::clone(self), stream)),
        }
    }

    /// No further connection is served.
    pub(super) fn is_full(&self) -> bool {
        self.ledger.open() + self.served.get() >= CONNECTIONS_MAX
    }

    /// One connection of the server, from its wish to its end.
    async fn connection(self: Rc<Self>, inside: TcpStream, to: SocketAddr, program: Option<Program>) {
        let destination = match self.shared.connection(to) {
            Ok(destination) => destination,
            Err(refusal) => {
                self.ledger.refused(&refusal, program.as_ref());
                return reset(&inside);
            }
        };
        let record = self.ledger.connection(&destination, program.as_ref());
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
                Work::Resolver(end) => self.resolver(end),
            };
        }
    }

    /// Of tokio's types the datagram socket fits a packet socket.
    fn resolver(self: &Rc<Self>, end: OwnedFd) -> io::Result<()> {
        let socket = std::os::unix::net::UnixDatagram::from(end);
        socket.set_nonblocking(true)?;
        let socket = UnixDatagram::from_std(socket)?;
        self.spawn(names::serve_packets(Rc::clone(self), socket));
        Ok(())
    }

    /// What the gate has to say.
    async fn reports(self: Rc<Self>, mut arriving: Receiver<Report>) {
        while let Some(report) = arriving.recv().await {
            match report {
                Report::Refused(refusal, program) => self.ledger.refused(&refusal, Some(&program)),
                Report::Direct(destination, program) => {
                    self.ledger.connection(&destination, Some(&program)).unobserved();
                }
            }
        }
    }
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

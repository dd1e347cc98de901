//! The ear of the ledger: stands between the fence and whoever decides about connections.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use stockade_sandbox::{Denial, Gatekeeper, Opened, Program, Way, Wish};

use super::ledger::Ledger;

/// Leaves every decision to another gatekeeper, and keeps what was refused.
#[derive(Debug)]
pub struct Watch {
    inner: Arc<dyn Gatekeeper>,
    ledger: Arc<Ledger>,
}

impl Watch {
    /// Puts the ledger before `inner`.
    pub fn new(inner: Arc<dyn Gatekeeper>, ledger: Arc<Ledger>) -> Self {
        Self { inner, ledger }
    }
}

impl Gatekeeper for Watch {
    fn connect(&self, wish: &Wish) -> Way {
        self.inner.connect(wish)
    }

    fn relayed(&self, from: SocketAddr, wish: &Wish) {
        self.inner.relayed(from, wish);
    }

    fn resolver_room(&self, program: &Program) -> Result<(), i32> {
        self.inner.resolver_room(program)
    }

    fn resolver(&self, end: OwnedFd) {
        self.inner.resolver(end);
    }

    fn denied(&self, denial: Denial) {
        self.ledger.denied(denial);
    }

    fn opened(&self, opened: Opened) {
        self.ledger.opened(opened);
    }
}

//! The ear of the ledger, and of whoever else wants to hear what is opened: stands between the fence and whoever decides
//! about connections.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use stockade_sandbox::{Denial, Gatekeeper, Opened, Program, Way, Wish};

use super::ledger::Ledger;

/// Hears what is opened and executed, on the supervisor's thread: it returns at once.
pub trait Ear: Debug + Send + Sync {
    /// A file was opened or executed.
    fn opened(&self, opened: &Opened);
}

/// Leaves every decision to another gatekeeper, and keeps what was refused.
#[derive(Debug)]
pub struct Watch {
    inner: Arc<dyn Gatekeeper>,
    ledger: Arc<Ledger>,
    ear: Option<Arc<dyn Ear>>,
}

impl Watch {
    /// Puts the ledger before `inner`, and the ear before the ledger.
    pub fn new(inner: Arc<dyn Gatekeeper>, ledger: Arc<Ledger>, ear: Option<Arc<dyn Ear>>) -> Self {
        Self { inner, ledger, ear }
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
        if let Some(ear) = &self.ear {
            ear.opened(&opened);
        }
        self.ledger.opened(opened);
    }
}

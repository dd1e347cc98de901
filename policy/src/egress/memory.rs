//! Which addresses the server was told, and for which name. Bounded, and nothing told ever comes to mean something else.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::class::is_within;
use super::grants::Rights;

/// Addresses with the name they were told for. The one that was not used for longest is forgotten first.
const NAMED_MAX: usize = 4_096;
/// Real addresses that were ever told, with the rights of whom they were told for: past this, addresses that were
/// not told yet get a synthetic one.
const TOLD_MAX: usize = 65_536;

/// 198.18.0.0/15, RFC 2544. 198.18.0.1 is an address of the jail itself.
const POOL: (Ipv4Addr, u8) = (Ipv4Addr::new(198, 18, 0, 0), 15);
const POOL_FIRST: u32 = 2;
const POOL_END: u32 = 1 << 17;

/// What an address that the server was told stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told {
    pub(super) name: Arc<str>,
    /// Where it really leads; `None` if only a proxy can find out.
    pub(super) real: Option<IpAddr>,
}

/// What is known of an address.
#[derive(Debug)]
pub(super) enum Recalled {
    /// It was told for this name.
    Told(Told),
    /// It was told, but for which name is forgotten.
    Forgotten,
    /// It was not told.
    Unknown,
}

#[derive(Debug)]
struct Named {
    told: Told,
    used: u64,
}

/// The memory of one session.
#[derive(Debug)]
pub(super) struct Memory {
    /// Kinds of rights seen; as many as there are ways in which grants can combine.
    rights: Vec<Rights>,
    /// Every real address that was told → whose rights it stands for. Never forgotten.
    spoken_for: BTreeMap<IpAddr, usize>,
    named: BTreeMap<IpAddr, Named>,
    by_use: BTreeMap<u64, IpAddr>,
    synthetic: BTreeMap<Told, Ipv4Addr>,
    next_synthetic: u32,
    clock: u64,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            rights: Vec::new(),
            spoken_for: BTreeMap::new(),
            named: BTreeMap::new(),
            by_use: BTreeMap::new(),
            synthetic: BTreeMap::new(),
            next_synthetic: POOL_FIRST,
            clock: 0,
        }
    }

    /// The address to tell for a name that really is at `real`; `None` when the synthetic ones are used up. `taken` are
    /// those that mean something already.
    pub(super) fn tell(
        &mut self,
        told: Told,
        rights: Rights,
        taken: &dyn Fn(IpAddr) -> bool,
    ) -> Option<IpAddr> {
        if let Some(real) = told.real
            && !is_synthetic(real)
        {
            let rights = self.intern(rights);
            let room = self.spoken_for.len() < TOLD_MAX;
            match self.spoken_for.get(&real) {
                Some(own) if *own == rights => return Some(self.remember(real, told)),
                None if room => {
                    self.spoken_for.insert(real, rights);
                    return Some(self.remember(real, told));
                }
                _ => {}
            }
        }
        let synthetic = match self.synthetic.get(&told) {
            Some(synthetic) => *synthetic,
            None => self.allocate(taken)?,
        };
        self.synthetic.insert(told.clone(), synthetic);
        Some(self.remember(synthetic.into(), told))
    }

    pub(super) fn recall(&mut self, address: IpAddr) -> Recalled {
        match self.named.get(&address) {
            Some(named) => {
                let told = named.told.clone();
                self.remember(address, told.clone());
                Recalled::Told(told)
            }
            None if self.spoken_for.contains_key(&address) || self.was_synthetic(address) => {
                Recalled::Forgotten
            }
            None => Recalled::Unknown,
        }
    }

    fn intern(&mut self, rights: Rights) -> usize {
        self.rights.iter().position(|own| *own == rights).unwrap_or_else(|| {
            self.rights.push(rights);
            self.rights.len() - 1
        })
    }

    fn remember(&mut self, address: IpAddr, told: Told) -> IpAddr {
        self.clock += 1;
        if let Some(old) = self.named.insert(address, Named { told, used: self.clock }) {
            self.by_use.remove(&old.used);
        }
        self.by_use.insert(self.clock, address);
        if self.named.len() > NAMED_MAX
            && let Some((_, oldest)) = self.by_use.pop_first()
            && let Some(old) = self.named.remove(&oldest)
        {
            self.synthetic.remove(&old.told);
        }
        address
    }

    /// The next synthetic address. None is ever used twice; none ends like the address of a network or a broadcast,
    /// which some programs refuse.
    fn allocate(&mut self, taken: &dyn Fn(IpAddr) -> bool) -> Option<Ipv4Addr> {
        while self.next_synthetic < POOL_END {
            let candidate = Ipv4Addr::from_bits(POOL.0.to_bits() + self.next_synthetic);
            self.next_synthetic += 1;
            if !matches!(candidate.octets()[3], 0 | 255) && !taken(candidate.into()) {
                return Some(candidate);
            }
        }
        None
    }

    fn was_synthetic(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) if is_synthetic(address) => {
                (POOL_FIRST..self.next_synthetic).contains(&(v4.to_bits() - POOL.0.to_bits()))
            }
            _ => false,
        }
    }
}

/// Whether an address is of the range that synthetic ones are taken from.
pub(super) fn is_synthetic(address: IpAddr) -> bool {
    is_within(address, POOL.0.into(), POOL.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::class::Classes;

    fn rights(port: u16) -> Rights {
        vec![(port, Classes::default(), None)]
    }

    fn told(name: &str, real: u32) -> Told {
        Told { name: name.into(), real: Some(Ipv4Addr::from_bits(0x0800_0000 + real).into()) }
    }

    fn tell(memory: &mut Memory, told: &Told, port: u16) -> IpAddr {
        memory.tell(told.clone(), rights(port), &|_| false).expect("an address")
    }

    #[test]
    fn the_name_unused_for_longest_is_forgotten_and_its_address_still_means_no_other() {
        let mut memory = Memory::new();
        let first = tell(&mut memory, &told("first", 0), 443);
        let second = tell(&mut memory, &told("second", 1), 443);
        for n in 2..=NAMED_MAX as u32 {
            assert!(matches!(memory.recall(first), Recalled::Told(t) if &*t.name == "first"));
            tell(&mut memory, &told("other", n), 443);
        }
        assert!(matches!(memory.recall(first), Recalled::Told(_)), "it was in use all the time");
        assert!(matches!(memory.recall(second), Recalled::Forgotten));
        // A name that may do something else does not get the forgotten address.
        assert!(is_synthetic(tell(&mut memory, &told("stranger", 1), 80)));
        assert!(matches!(memory.recall(second), Recalled::Forgotten));
        // One that may do the same does.
        assert_eq!(tell(&mut memory, &told("second", 1), 443), second);
        assert!(memory.named.len() <= NAMED_MAX && memory.by_use.len() == memory.named.len());
    }

    #[test]
    fn a_forgotten_synthetic_address_is_never_told_again() {
        let mut memory = Memory::new();
        tell(&mut memory, &told("first", 0), 443);
        let synthetic = tell(&mut memory, &told("second", 0), 80);
        for n in 1..=NAMED_MAX as u32 {
            tell(&mut memory, &told("other", n), 443);
        }
        assert!(matches!(memory.recall(synthetic), Recalled::Forgotten));
        let again = tell(&mut memory, &told("second", 0), 80);
        assert!(is_synthetic(again) && again != synthetic, "{again}");
        assert!(matches!(memory.recall(synthetic), Recalled::Forgotten));
        assert!(memory.synthetic.len() <= NAMED_MAX);
    }

    #[test]
    fn with_too_many_addresses_to_remember_new_ones_are_synthetic_and_in_the_end_there_are_none() {
        let mut memory = Memory::new();
        for n in 0..TOLD_MAX as u32 {
            assert!(!is_synthetic(tell(&mut memory, &told("a", n), 443)));
        }
        assert!(is_synthetic(tell(&mut memory, &told("a", TOLD_MAX as u32), 443)));
        assert!(!is_synthetic(tell(&mut memory, &told("b", 7), 443)), "one of the old ones");
        let mut seen = std::collections::BTreeSet::new();
        for n in 0.. {
            let told = Told { name: format!("n{n}").into(), real: None };
            let Some(address) = memory.tell(told, rights(443), &|_| false) else {
                break;
            };
            assert!(is_synthetic(address) && seen.insert(address), "{address} was told twice");
        }
        assert!(seen.len() > 130_000 && !seen.contains(&IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1))));
        assert_eq!((memory.spoken_for.len(), memory.named.len()), (TOLD_MAX, NAMED_MAX));
    }
}

//! What an address is to this machine: every special block, and every v4 address that hides in a v6 one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::document::profile::AddressClass;

/// The classes of one address: several where one address is carried in another. A grant has to name them all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Classes(u8);

/// A block of addresses of one class; `None` where no TCP connection can lead.
struct Block<A> {
    base: A,
    prefix: u8,
    class: Option<AddressClass>,
}

/// The block that an address stands in, of its own family.
pub(super) struct Native {
    pub(super) prefix: u8,
    pub(super) class: Option<AddressClass>,
}

const ALL: [AddressClass; 5] = [
    AddressClass::Public,
    AddressClass::Loopback,
    AddressClass::Private,
    AddressClass::LinkLocal,
    AddressClass::Metadata,
];

const PUBLIC: Option<AddressClass> = Some(AddressClass::Public);
const LOOPBACK: Option<AddressClass> = Some(AddressClass::Loopback);
const PRIVATE: Option<AddressClass> = Some(AddressClass::Private);
const LINK_LOCAL: Option<AddressClass> = Some(AddressClass::LinkLocal);
const METADATA: Option<AddressClass> = Some(AddressClass::Metadata);
const NOWHERE: Option<AddressClass> = None;

/// The longest prefix counts. IANA's registry of special-purpose addresses (RFC 6890), read strictly: what it does not
/// call globally reachable is private. But for the documentation blocks of RFC 5737: nothing of anybody's own stands there,
/// and closed networks put the gateway there through which public names are reached.
const V4: &[Block<Ipv4Addr>] = &[
    v4([0, 0, 0, 0], 0, PUBLIC),
    v4([0, 0, 0, 0], 8, PRIVATE),
    v4([0, 0, 0, 0], 32, LOOPBACK), // Linux connects it to 127.0.0.1
    v4([10, 0, 0, 0], 8, PRIVATE),
    v4([100, 64, 0, 0], 10, PRIVATE), // RFC 6598, between a provider and its customers
    v4([127, 0, 0, 0], 8, LOOPBACK),
    v4([169, 254, 0, 0], 16, LINK_LOCAL),
    v4([172, 16, 0, 0], 12, PRIVATE),
    v4([192, 0, 0, 0], 24, PRIVATE),   // RFC 6890, IETF protocols
    v4([192, 88, 99, 0], 24, PRIVATE), // RFC 7526, relays of 6to4, withdrawn
    v4([192, 168, 0, 0], 16, PRIVATE),
    v4([198, 18, 0, 0], 15, PRIVATE), // RFC 2544, benchmarks; our synthetic addresses
    v4([224, 0, 0, 0], 4, NOWHERE),   // multicast
    v4([240, 0, 0, 0], 4, PRIVATE),   // reserved, but Linux routes it
    v4([255, 255, 255, 255], 32, NOWHERE),
    v4([100, 100, 100, 200], 32, METADATA), // Alibaba
    v4([168, 63, 129, 16], 32, METADATA),   // Azure's wire server
    v4([169, 254, 0, 23], 32, METADATA),    // Tencent
    v4([169, 254, 42, 42], 32, METADATA),   // Scaleway
    v4([169, 254, 169, 254], 32, METADATA), // AWS, Azure, Google, Oracle, OpenStack, DigitalOcean …
    v4([169, 254, 170, 2], 32, METADATA),   // tasks of AWS ECS
    v4([169, 254, 170, 23], 32, METADATA),  // pods of AWS EKS
    v4([192, 0, 0, 192], 32, METADATA),     // Oracle, classic
];

/// Of IPv6 only 2000::/3 is given out for the internet (RFC 4291): the rest is private unless it says something else.
const V6: &[Block<Ipv6Addr>] = &[
    v6([0, 0, 0, 0, 0, 0, 0, 0], 0, PRIVATE),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, LOOPBACK), // Linux connects it to ::1
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, LOOPBACK),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, PUBLIC), // RFC 6052: what is carried counts
    v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, PUBLIC),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, PRIVATE), // RFC 2928, IETF protocols; Teredo, which nobody serves any more
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, PRIVATE), // RFC 3849, documentation
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, PRIVATE), // RFC 9637, documentation
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, PRIVATE),  // RFC 4193
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, LINK_LOCAL),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, PRIVATE), // RFC 3879, site-local
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, NOWHERE),  // multicast
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32, METADATA), // AWS
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128, METADATA), // Scaleway
    v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128, METADATA), // Oracle
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128, METADATA), // Google
    v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128, METADATA), // OpenStack
];

const fn v4(base: [u8; 4], prefix: u8, class: Option<AddressClass>) -> Block<Ipv4Addr> {
    let [a, b, c, d] = base;
    Block { base: Ipv4Addr::new(a, b, c, d), prefix, class }
}

const fn v6(base: [u16; 8], prefix: u8, class: Option<AddressClass>) -> Block<Ipv6Addr> {
    let [a, b, c, d, e, f, g, h] = base;
    Block { base: Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix, class }
}

impl Classes {
    pub(super) fn of(classes: &[AddressClass]) -> Self {
        Self(classes.iter().fold(0, |bits, class| bits | bit(*class)))
    }

    pub(super) fn contains(self, class: AddressClass) -> bool {
        self.0 & bit(class) != 0
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, class: AddressClass) -> Self {
        Self(self.0 & !bit(class))
    }

    pub(super) fn allow(self, needed: Self) -> bool {
        needed.0 != 0 && needed.0 & !self.0 == 0
    }

    /// In the order of [`AddressClass`]: the worst comes last.
    pub(super) fn iter(self) -> impl Iterator<Item = AddressClass> {
        ALL.into_iter().filter(move |class| self.contains(*class))
    }

    pub(super) fn worst(self) -> AddressClass {
        self.iter().last().unwrap_or(AddressClass::Metadata)
    }
}

fn bit(class: AddressClass) -> u8 {
    match class {
        AddressClass::Public => 1,
        AddressClass::Loopback => 2,
        AddressClass::Private => 4,
        AddressClass::LinkLocal => 8,
        AddressClass::Metadata => 16,
    }
}

/// One spelling for one place: `::ffff:10.0.0.5` is 10.0.0.5, and the unspecified address is the loopback one, which
/// is where Linux connects it.
pub(super) fn canonical(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// The classes of an address and of all that it carries; `None` where no connection can lead.
pub(super) fn classes(address: IpAddr, own: &[IpAddr]) -> Option<Classes> {
    let address = address.to_canonical();
    let mut classes = Classes::of(&[native(address).class?]);
    if own.contains(&address) && !classes.contains(AddressClass::Metadata) {
        classes = Classes::of(&[AddressClass::Loopback]);
    }
    if let IpAddr::V6(v6) = address {
        for v4 in carried(v6) {
            classes = classes.with(self::classes(v4.into(), own)?);
        }
    }
    let special = classes.without(AddressClass::Public);
    Some(if special == Classes::default() { classes } else { special })
}

/// The block of the tables that an address stands in.
pub(super) fn native(address: IpAddr) -> Native {
    let found = match address {
        IpAddr::V4(v4) => {
            let blocks = V4.iter().filter(|block| is_within(v4.into(), block.base.into(), block.prefix));
            blocks.max_by_key(|block| block.prefix).map(|block| (block.prefix, block.class))
        }
        IpAddr::V6(v6) => {
            let blocks = V6.iter().filter(|block| is_within(v6.into(), block.base.into(), block.prefix));
            blocks.max_by_key(|block| block.prefix).map(|block| (block.prefix, block.class))
        }
    };
    // Each table begins with a block of all addresses.
    let (prefix, class) = found.unwrap_or((0, NOWHERE));
    Native { prefix, class }
}

pub(super) fn is_within(address: IpAddr, base: IpAddr, prefix: u8) -> bool {
    match (address, base) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(32 - u32::from(prefix.min(32))).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(128 - u32::from(prefix.min(128))).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// The v4 addresses that a v6 address carries, and to which a translator or tunnel on the way would lead.
pub(super) fn carried(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let last = join(g, h);
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0] if g != 0 || h > 1 => vec![last], // v4-compatible, RFC 4291
        [0, 0, 0, 0, 0xffff, 0] => vec![last],               // v4-translated, RFC 2765
        [0x64, 0xff9b, 0, 0, 0, 0] => vec![last],            // NAT64, RFC 6052
        [0x64, 0xff9b, 1, ..] => local_nat64(address),       // NAT64 of one's own, RFC 8215
        [0x2002, ..] => vec![join(b, c)],                    // 6to4, RFC 3056
        [0x2001, 0, ..] => vec![join(c, d), join(!g, !h)],   // Teredo, RFC 4380: server and client
        [.., 0 | 0x200, 0x5efe] => vec![last],               // ISATAP, RFC 5214, under any prefix
        _ => Vec::new(),
    }
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

/// 64:ff9b:1::/48 may be used with prefixes of 48, 56, 64 or 96 bits; which one is the operator's choice, so all count.
fn local_nat64(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let o = address.octets();
    let [_, _, _, _, _, _, o6, o7, _, o9, o10, o11, o12, o13, o14, o15] = o;
    let read = [[o6, o7, o9, o10], [o7, o9, o10, o11], [o9, o10, o11, o12], [o12, o13, o14, o15]];
    // The shorter readings of a longer prefix begin with its zeros.
    read.into_iter().filter(|read| read[0] != 0).map(Ipv4Addr::from).collect()
}

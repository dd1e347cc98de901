//! What the `host` of a grant can say, and how names are spelled.

use std::net::{IpAddr, Ipv6Addr};

use super::class::is_within;

/// The host of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// `api.example.org`
    Name(String),
    /// `*.example.org`: below it, not itself.
    Below(String),
    /// `*`: every name.
    Every,
    /// `10.0.0.5`, `10.0.0.0/8`
    Network(Network),
    /// What is none of these grants nothing.
    Nothing,
}

/// A network of addresses; a single one has the full prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Pattern {
    pub(super) fn parse(host: &str) -> Self {
        if host == "*" {
            return Self::Every;
        }
        if let Some(network) = Network::parse(host) {
            return Self::Network(network);
        }
        match host.strip_prefix("*.") {
            Some(suffix) => canonical_name(suffix).map_or(Self::Nothing, Self::Below),
            None => canonical_name(host).map_or(Self::Nothing, Self::Name),
        }
    }

    /// How closely it names this name (canonical): `None` if it does not. `*` says nothing of the names that are this
    /// machine.
    pub(super) fn names(&self, name: &str) -> Option<usize> {
        match self {
            Self::Name(own) => (own == name).then_some(usize::MAX),
            Self::Below(suffix) => is_below(name, suffix).then_some(suffix.len()),
            Self::Every => (!is_local(name)).then_some(0),
            Self::Network(_) | Self::Nothing => None,
        }
    }

    /// Whether all names that it stands for are this machine: such a grant is one of 127.0.0.1 and ::1 as well, since
    /// most libraries never ask for these names.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Name(name) | Self::Below(name) => is_local(name),
            Self::Every | Self::Network(_) | Self::Nothing => false,
        }
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => {
                // `+8` and `08` are numbers to `parse`, not to people.
                let plain = prefix == "0" || prefix.starts_with(|c: char| matches!(c, '1'..='9'));
                (address, Some(prefix.parse::<u8>().ok().filter(|_| plain)?))
            }
            None => (text, None),
        };
        let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
        let base = match bare {
            Some(v6) => IpAddr::V6(v6.parse::<Ipv6Addr>().ok()?),
            None => address.parse::<IpAddr>().ok()?,
        };
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        if prefix > bits {
            return None;
        }
        // `::ffff:10.0.0.0/104` is 10.0.0.0/8.
        match base.to_canonical() {
            IpAddr::V4(v4) if base.is_ipv6() && prefix >= 96 => {
                Some(Self { base: v4.into(), prefix: prefix - 96 })
            }
            _ => Some(Self { base, prefix }),
        }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        is_within(address, self.base, self.prefix)
    }

    pub(super) fn is_single(&self) -> bool {
        self.prefix == if self.base.is_ipv4() { 32 } else { 128 }
    }

    pub(super) fn prefix(&self) -> u8 {
        self.prefix
    }
}

/// A name in its one spelling: lower case, no last dot, labels of letters, digits, `-` and `_` as in RFC 1123 and
/// RFC 2782. `None` for what is no name, and for what some resolvers take for an address (`0x7f.1`, `2130706433`).
pub(super) fn canonical_name(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(label) || ends_in_number(name) {
        return None;
    }
    Some(name.to_ascii_lowercase())
}

/// Whether `inet_aton` may read it as an address: its last label is a number, as in the URL standard.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    last.bytes().all(|b| b.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `localhost` and what is below it: this machine, never asked outside (RFC 6761, section 6.3).
pub(super) fn is_local(name: &str) -> bool {
    name == "localhost" || is_below(name, "localhost")
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('.')).is_some_and(|rest| !rest.is_empty())
}

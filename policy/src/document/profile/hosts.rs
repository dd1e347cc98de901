//! Hosts as profiles write them: names, `*.suffix`, `*`, addresses, networks, variables. One spelling for each, so that what is
//! compared as text is equal when it means the same.

use std::net::IpAddr;

use super::given::GivenHost;
use super::{AddressClass, NetGrant};
use crate::document::reader::shown;
use crate::egress::Judge;

/// What a host may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// Every name.
    Every,
    /// Every name below this one: `*.example.org` holds `example.org`.
    Below(String),
    /// One name.
    Name(String),
    /// An address, or those that begin like one.
    Network {
        /// Its first address.
        first: IpAddr,
        /// How many bits count.
        bits: u8,
    },
    /// What a variable names in a session.
    Given(GivenHost),
}

/// What is wrong with a host: what, and what to write instead.
pub(super) type Wrong = (String, String);

impl Host {
    /// Reads a host.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        if text == "*" {
            return Ok(Self::Every);
        }
        if let Some(given) = GivenHost::parse(text) {
            return given.map(Self::Given);
        }
        if let Some(suffix) = text.strip_prefix("*.") {
            return name(suffix, text).map(Self::Below);
        }
        if let Some((address, bits)) = text.split_once('/')
            && let Ok(address) = address.parse::<IpAddr>()
        {
            return network(text, address, bits);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return literal(text, address);
        }
        name(text, text).map(Self::Name)
    }

    /// The one spelling.
    pub(super) fn spelling(&self) -> String {
        match self {
            Self::Every => "*".to_owned(),
            Self::Below(suffix) => format!("*.{suffix}"),
            Self::Name(name) => name.clone(),
            Self::Network { first, bits } if *bits == width(*first) => first.to_string(),
            Self::Network { first, bits } => format!("{first}/{bits}"),
            Self::Given(given) => given.spelling(),
        }
    }

    /// Whether this is one address.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        match self {
            Self::Network { first, bits } if *bits == width(*first) => Some(*first),
            _ => None,
        }
    }

    /// The classes that it has by itself: those of an address, of the first one of a network, and of the names that
    /// never leave the machine (RFC 6761, section 6.3). Other names may lead anywhere.
    pub(super) fn classes(&self) -> Vec<AddressClass> {
        match self {
            Self::Network { first, .. } => Judge::new(Vec::new(), Vec::new(), None).classes(*first),
            Self::Name(name) if Judge::known(name).is_some() => vec![AddressClass::Loopback],
            Self::Every | Self::Below(_) | Self::Name(_) | Self::Given(_) => Vec::new(),
        }
    }

    /// Whether this is one address at which a cloud gives out a machine's credentials.
    pub(super) fn is_metadata(&self) -> bool {
        self.literal().is_some() && self.classes().contains(&AddressClass::Metadata)
    }
}

impl NetGrant {
    /// `HOST:PORT`, as `remove` names it.
    #[must_use]
    pub fn spelling(&self) -> String {
        // An IPv6 address has colons; so has a variable with a default, which needs no brackets.
        let Self { host, port, .. } = self;
        let is_address = host.contains(':') && !host.contains("${");
        if is_address { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// `HOST:PORT` as a person names it on a command line: a name stands for its public addresses, `localhost` and an
    /// address for themselves. Addresses that give out a machine's credentials cannot be named so.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn named(text: &str, reason: &str) -> Result<Self, (String, String)> {
        let (host, port) = host_and_port(text)?;
        if matches!(host, Host::Given(_)) {
            return Err((
                format!("`{}` is a variable", shown(text)),
                "name the host itself; a profile can take it from the environment".to_owned(),
            ));
        }
        let mut classes = host.classes();
        if classes.contains(&AddressClass::Metadata) {
            return Err((
                format!("`{}` gives out this machine's credentials", shown(text)),
                "a profile can grant it, with `addresses = [\"metadata\"]` and a reason".to_owned(),
            ));
        }
        if classes.is_empty() {
            classes.push(AddressClass::Public);
        }
        Ok(Self {
            host: host.spelling().into(),
            port,
            addresses: classes.into(),
            upload_bytes: None,
            reason: reason.to_owned().into(),
        })
    }
}

/// `api.example.org:443`, `[::1]:80`
pub(super) fn host_and_port(text: &str) -> Result<(Host, u16), Wrong> {
    let wrong = || {
        (
            format!("`{}` is no host and port", shown(text)),
            "write `api.example.org:443`, or `[::1]:8080` for an IPv6 address".to_owned(),
        )
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
        Some(Some(inside)) if inside.contains(':') => inside,
        Some(_) => return Err(wrong()),
        None if host.contains(':') && !host.contains("${") => return Err(wrong()),
        None => host,
    };
    Ok((Host::parse(host)?, port))
}

/// A name as it is looked up (RFC 1035, section 2.3.4, RFC 1123, section 2.1; `_` as in RFC 2782). `whole` is what was written.
fn name(text: &str, whole: &str) -> Result<String, Wrong> {
    let whole = shown(whole);
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let (what, remedy) = if text.contains("://") {
        (format!("`{whole}` is a URL"), "write its host alone".to_owned())
    } else if text.contains(['[', ']']) || text.matches(':').count() > 1 {
        (format!("`{whole}` is no address"), "write an IPv6 address without brackets or zone".to_owned())
    } else if text.contains(':') {
        (format!("`{whole}` has a port"), "the port stands in `port`".to_owned())
    } else if !text.is_ascii() {
        (format!("`{whole}` is not ASCII"), "write the name as it is looked up: `xn--…`".to_owned())
    } else if text.bytes().any(|b| b.is_ascii_uppercase()) {
        (format!("`{whole}` has capital letters"), format!("write `{}`", shown(&text.to_ascii_lowercase())))
    } else if let Some(without) = text.strip_suffix('.') {
        (format!("`{whole}` ends in a dot"), format!("write `{}`", shown(without)))
    } else if text.contains('*') {
        let remedy = "`*.example.org` is every name below, `*` every name".to_owned();
        (format!("the `*` in `{whole}` stands in a wrong place"), remedy)
    } else if text.rsplit('.').next().is_some_and(like_a_number) {
        // What resolvers take for an address (inet_aton(3): `127.1`, `0x7f.1`, `2130706433`) is none here.
        (format!("`{whole}` is no address"), "write all four numbers of an IPv4 address".to_owned())
    } else if text.len() > 253 || !text.split('.').all(label) {
        (format!("`{whole}` is no name of a host"), "write it as in `api.example.org`".to_owned())
    } else {
        return Ok(text.to_owned());
    };
    Err((what, remedy))
}

fn like_a_number(label: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(label) || label.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn literal(text: &str, address: IpAddr) -> Result<Host, Wrong> {
    if address.to_canonical() != address {
        let remedy = format!("write `{}`", address.to_canonical());
        return Err((format!("`{}` is an IPv4 address in IPv6 form", shown(text)), remedy));
    }
    Ok(Host::Network { first: address, bits: width(address) })
}

fn network(text: &str, address: IpAddr, bits: &str) -> Result<Host, Wrong> {
    let Some(bits) = bits.parse::<u8>().ok().filter(|bits| *bits <= width(address)) else {
        let remedy = format!("the number behind `/` lies between 0 and {}", width(address));
        return Err((format!("`{}` is no network", shown(text)), remedy));
    };
    literal(text, address)?;
    let first = masked(address, bits);
    if first != address {
        let remedy = format!("write `{first}/{bits}` for the network, `{address}` for the address");
        return Err((format!("`{}` is an address inside of a network", shown(text)), remedy));
    }
    Ok(Host::Network { first, bits })
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first address of the network.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

//! Which proxy of the launcher's own environment a connection goes through, and which it goes around.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;

use stockade_policy::document::profile::AddressClass;
use stockade_policy::egress::Destination;

/// The first of these that is set holds; as in curl, the lower-case form comes first.
const PROXY_VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const AROUND_VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The proxy settings of the environment.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    proxy: Option<Result<Proxy, Unusable>>,
    around: Vec<Around>,
}

/// A proxy that speaks HTTP CONNECT (RFC 9110, 9.3.6).
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// Value of `Proxy-Authorization`; never shown.
    pub(super) authorization: Option<String>,
}

/// A proxy variable that cannot be followed. What was to go through it goes nowhere: a connection around it would break
/// the rule that the variable is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variable} names a proxy that cannot be used: {why}; unset it for stockade or name an http:// proxy"
)]
pub(super) struct Unusable {
    variable: &'static str,
    why: String,
}

/// How to reach a destination.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'p> {
    Direct,
    Through(&'p Proxy),
    Nowhere(&'p Unusable),
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Around {
    what: AroundWhat,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum AroundWhat {
    /// `*`
    Everything,
    /// `10.0.0.0/8`, `10.1.2.3`, `::1`
    Network(IpAddr, u8),
    /// `example.org` (itself and below it).
    Name(String),
    /// `.example.org` (below it).
    Below(String),
}

impl Proxies {
    /// Reads the variables.
    pub(super) fn of(env: &BTreeMap<OsString, OsString>) -> Self {
        let value = |name: &str| {
            let text = env.get(OsString::from(name).as_os_str())?.to_string_lossy().trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let proxy = PROXY_VARIABLES.into_iter().find_map(|name| Some(parse_proxy(name, &value(name)?)));
        let around = AROUND_VARIABLES.into_iter().find_map(value).unwrap_or_else(String::new);
        let entries = around.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
        Self { proxy, around: entries.filter_map(parse_around).collect() }
    }

    /// Whether a proxy looks this name up, on whatever port.
    pub(super) fn serves(&self, name: &str) -> bool {
        let around = |entry: &Around| entry.port.is_none() && entry.covers_name(name);
        matches!(self.proxy, Some(Ok(_))) && name != "localhost" && !self.around.iter().any(around)
    }

    /// How to reach a destination. This machine is never reached by way of another.
    pub(super) fn route(&self, to: &Destination) -> Route<'_> {
        let local = to.class == AddressClass::Loopback || to.name.as_deref() == Some("localhost");
        match &self.proxy {
            None => Route::Direct,
            Some(_) if local || self.around.iter().any(|entry| entry.covers(to)) => Route::Direct,
            Some(Ok(proxy)) => Route::Through(proxy),
            Some(Err(unusable)) => Route::Nowhere(unusable),
        }
    }
}

/// Without its credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl Around {
    /// As in Go's `httpproxy`: a name is compared with names, a network with addresses that were asked for as such.
    fn covers(&self, to: &Destination) -> bool {
        if self.port.is_some_and(|port| port != to.to.port()) {
            return false;
        }
        match (&self.what, &to.name) {
            (_, Some(name)) => self.covers_name(name),
            (AroundWhat::Everything, None) => true,
            (AroundWhat::Network(network, bits), None) => within(to.to.ip(), *network, *bits),
            (AroundWhat::Name(_) | AroundWhat::Below(_), None) => false,
        }
    }

    fn covers_name(&self, asked: &str) -> bool {
        match &self.what {
            AroundWhat::Everything => true,
            AroundWhat::Network(..) => false,
            AroundWhat::Name(name) => asked == name || is_below(asked, name),
            AroundWhat::Below(name) => is_below(asked, name),
        }
    }
}

fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
}

fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let shift = 32_u32.saturating_sub(bits.into());
            a.to_bits().checked_shr(shift).unwrap_or(0) == b.to_bits().checked_shr(shift).unwrap_or(0)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let shift = 128_u32.saturating_sub(bits.into());
            a.to_bits().checked_shr(shift).unwrap_or(0) == b.to_bits().checked_shr(shift).unwrap_or(0)
        }
        _ => false,
    }
}

/// `http://user:password@host:port/`, or without scheme.
fn parse_proxy(variable: &'static str, text: &str) -> Result<Proxy, Unusable> {
    let unusable = |why: &str| Unusable { variable, why: why.to_owned() };
    let rest = match text.split_once("://") {
        None => text,
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        // The scheme alone is shown: what follows may hold a password.
        Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) && scheme.len() <= 16 => {
            return Err(unusable(&format!("{scheme}:// proxies are not supported")));
        }
        Some(_) => return Err(unusable("it is no URL")),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let (userinfo, host_port) = match authority.rsplit_once('@') {
        Some((userinfo, host_port)) => (Some(userinfo), host_port),
        None => (None, authority),
    };
    let (host, port) = split_port(host_port).ok_or_else(|| unusable("its port is no number"))?;
    if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c)) {
        return Err(unusable("it names no host"));
    }
    let authorization = match userinfo.filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => {
            let (user, password) = text.split_once(':').unwrap_or((text, ""));
            let plain = [percent_decoded(user), percent_decoded(password)]
                .into_iter()
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| unusable("its user or password is not well percent-encoded"))?;
            Some(format!("Basic {}", base64(&plain.join(&b':'))))
        }
    };
    Ok(Proxy { host: host.to_ascii_lowercase(), port: port.unwrap_or(80), authorization })
}

fn parse_around(text: &str) -> Option<Around> {
    let text = text.to_ascii_lowercase();
    if let Some((address, bits)) = text.split_once('/') {
        let network: IpAddr = address.parse().ok()?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = bits.parse().ok().filter(|bits| *bits <= most)?;
        return Some(Around { what: AroundWhat::Network(network, bits), port: None });
    }
    let (host, port) = match text.parse::<IpAddr>() {
        Ok(_) => (text.as_str(), None),
        Err(_) => split_port(&text)?,
    };
    let what = match (host, host.parse::<IpAddr>()) {
        ("*", _) => AroundWhat::Everything,
        (_, Ok(address)) => AroundWhat::Network(address, if address.is_ipv4() { 32 } else { 128 }),
        (host, Err(_)) => match host.strip_prefix("*.").or_else(|| host.strip_prefix('.')) {
            Some(parent) => AroundWhat::Below(parent.to_owned()),
            None => AroundWhat::Name(host.to_owned()),
        },
    };
    Some(Around { what, port })
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`; `None` where the port is no number.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    match port {
        None | Some("") => Some((host, None)),
        Some(port) => Some((host, Some(port.parse().ok()?))),
    }
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(out)
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word =
            group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let six = word >> (18 - 6 * place) & 63;
            let letter = ALPHABET.get(six as usize).copied().unwrap_or(b'=');
            out.push(if place > group.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

#[cfg(test)]
mod tests;

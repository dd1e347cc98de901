//! The words of a refusal, and the lines of a profile that would allow what was refused.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use super::Refusal;
use super::class::Classes;
use crate::document::profile::{AddressClass, NetGrant};

/// The port that is proposed when a name was refused before its port was known.
const PORT_GUESSED: u16 = 443;
/// Characters of a name that a refusal repeats: longer ones are no host names anyway.
const SHOWN_MAX: usize = 253;

/// The name (as it was asked) is none that can be granted.
pub(super) fn no_name(asked: &str) -> Refusal {
    let what = asked.chars().take(SHOWN_MAX).flat_map(char::escape_default).collect();
    let why =
        "it is not the name of a host: letters, digits, `-` and `_` between dots, not ending in a number";
    Refusal { what, why: why.to_owned(), fragment: None }
}

pub(super) fn ungranted_name(name: &str) -> Refusal {
    let why = "no grant of the profile names it".to_owned();
    let fragment = fragment(&[Line { host: name, port: PORT_GUESSED, more: String::new() }]);
    Refusal { what: name.to_owned(), why, fragment: Some(fragment) }
}

/// The name is granted, the address that it leads to is not of a class that its grants name.
pub(super) fn misleading(name: &str, ports: &[u16], to: IpAddr, classes: Option<Classes>) -> Refusal {
    let what = match ports {
        [port] => format!("{name}:{port}"),
        _ => name.to_owned(),
    };
    let Some(classes) = classes else {
        return Refusal {
            what,
            why: format!("it leads to {to}, where no connection can go"),
            fragment: None,
        };
    };
    let why = format!(
        "it leads to {to}, {}, and no grant of the name says `addresses = {}`",
        article(classes.worst()),
        words(classes)
    );
    let more = format!("addresses = {}, ", words(classes));
    let lines: Vec<_> =
        ports.iter().map(|port| Line { host: name, port: *port, more: more.clone() }).collect();
    let is_metadata = classes.contains(AddressClass::Metadata);
    Refusal { what, why, fragment: (!is_metadata).then(|| fragment(&lines)) }
}

/// The name is granted, but with other ports.
pub(super) fn other_port(name: &str, port: u16, classes: Classes) -> Refusal {
    let more = match classes == Classes::of(&[AddressClass::Public]) {
        true => String::new(),
        false => format!("addresses = {}, ", words(classes)),
    };
    let is_metadata = classes.contains(AddressClass::Metadata);
    let fragment = fragment(&[Line { host: name, port, more }]);
    Refusal {
        what: format!("{name}:{port}"),
        why: "the name is granted with other ports alone".to_owned(),
        fragment: (!is_metadata).then_some(fragment),
    }
}

/// An address that no granted name led to.
pub(super) fn ungranted_address(to: SocketAddr, classes: Option<Classes>) -> Refusal {
    let what = to.to_string();
    let Some(classes) = classes else {
        return Refusal { what, why: "no connection can go there".to_owned(), fragment: None };
    };
    let why =
        format!("no granted name led to it, and it is not granted itself ({})", article(classes.worst()));
    let host = to.ip().to_string();
    let fragment = fragment(&[Line { host: &host, port: to.port(), more: String::new() }]);
    let is_metadata = classes.contains(AddressClass::Metadata);
    Refusal { what, why, fragment: (!is_metadata).then_some(fragment) }
}

pub(super) fn port_zero(to: SocketAddr) -> Refusal {
    Refusal { what: to.to_string(), why: "port 0 is no port".to_owned(), fragment: None }
}

pub(super) fn forgotten(to: SocketAddr) -> Refusal {
    let why = "the name that this address was given for is forgotten: it has to be looked up again";
    Refusal { what: to.to_string(), why: why.to_owned(), fragment: None }
}

pub(super) fn used_up(name: &str) -> Refusal {
    let why = "the synthetic addresses of this session (198.18.0.0/15) are used up";
    Refusal { what: name.to_owned(), why: why.to_owned(), fragment: None }
}

pub(super) fn no_service(name: &str) -> Refusal {
    let why = "only `_service._tcp` or `_service._udp`, with a service of at most 15 letters, may stand before a granted name";
    Refusal { what: name.to_owned(), why: why.to_owned(), fragment: None }
}

pub(super) fn grant_spent(grant: &NetGrant, budget_bytes: u64) -> Refusal {
    let host = grant.host.as_ref();
    let classes = Classes::of(&grant.addresses);
    let mut more = String::new();
    if classes != Classes::of(&[AddressClass::Public]) && classes != Classes::default() {
        more = format!("addresses = {}, ", words(classes));
    }
    let _ = write!(more, "upload = \"{}\", ", doubled(budget_bytes)); // to a String, which cannot fail
    let fragment = fragment(&[Line { host, port: grant.port, more }]);
    Refusal {
        what: format!("{host}:{}", grant.port),
        why: format!("{budget_bytes} bytes may be sent there in one session, and they are spent"),
        fragment: Some(fragment),
    }
}

pub(super) fn session_spent(budget_bytes: u64) -> Refusal {
    Refusal {
        what: "all connections together".to_owned(),
        why: format!("{budget_bytes} bytes may be sent in one session, and they are spent"),
        fragment: Some(format!("[limits]\nupload = \"{}\"", doubled(budget_bytes))),
    }
}

pub(super) fn no_such_grant(grant: usize) -> Refusal {
    let why = "bytes were counted for a grant that does not exist".to_owned();
    Refusal { what: format!("grant {grant}"), why, fragment: None }
}

/// One grant to be proposed; `more` are further keys, each with its comma and a space.
struct Line<'a> {
    host: &'a str,
    port: u16,
    more: String,
}

fn fragment(lines: &[Line<'_>]) -> String {
    let grants: Vec<_> = lines
        .iter()
        .map(|Line { host, port, more }| {
            format!("{{ host = \"{host}\", port = {port}, {more}reason = \"…\" }}")
        })
        .collect();
    format!("[net]\nallow = [{}]", grants.join(", "))
}

/// `["private"]`
fn words(classes: Classes) -> String {
    let words: Vec<_> = classes.iter().map(|class| format!("\"{}\"", class.word())).collect();
    format!("[{}]", words.join(", "))
}

fn article(class: AddressClass) -> &'static str {
    match class {
        AddressClass::Public => "a public address",
        AddressClass::Loopback => "this machine",
        AddressClass::Private => "a private address",
        AddressClass::LinkLocal => "a link-local address",
        AddressClass::Metadata => "where a cloud gives out this machine's credentials",
    }
}

/// Twice a budget, in whole MiB.
fn doubled(budget_bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    format!("{}MiB", budget_bytes.saturating_mul(2).div_ceil(MIB).max(1))
}

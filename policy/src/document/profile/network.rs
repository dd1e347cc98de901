//! `[net]` and `[unix]`.

use super::fold::Own;
use super::hosts::Host;
use super::marks::{Mark, Need};
use super::parse::{BYTES, grants, listed, marked};
use super::{AddressClass, ListenGrant, NetGrant, OpenGrant};
use crate::document::reader::{Reader, Section, Text, shown};
use crate::document::suggest::{did_you_mean, one_of};
use crate::document::tree::Node;

/// `[net]`
pub(super) fn net(r: &mut Reader<'_>, top: &mut Section<'_>, own: &mut Own<'_>) {
    let Some(mut net) = top.table(r, "net") else {
        return;
    };
    let granted = listed(r, &mut net, "allow", "host = \"…\", port = 443, reason = \"…\"", allow);
    own.net_allow = marked(granted, &mut own.marks, NetGrant::spelling);
    let granted = listed(r, &mut net, "listen", "port = 8080, reason = \"…\"", listen);
    own.net_listen = marked(granted, &mut own.marks, |grant: &ListenGrant| format!(":{}", grant.port));
    let granted = listed(r, &mut net, "open", "host = \"…\", reason = \"…\"", open);
    own.net_open = marked(granted, &mut own.marks, |grant: &OpenGrant| grant.host.to_string());
    net.close(r, &["dns"]);
}

/// `[unix]`
pub(super) fn unix(r: &mut Reader<'_>, top: &mut Section<'_>, own: &mut Own<'_>) {
    let Some(mut unix) = top.table(r, "unix") else {
        return;
    };
    own.unix_allow = grants(r, &mut unix, "allow", &mut own.marks);
    own.unix_private = unix.boolean(r, "private");
    unix.close(r, &["listen", "abstract"]);
}

fn allow(r: &mut Reader<'_>, node: &Node) -> Option<(NetGrant, Need)> {
    let mut s = Section::of("a grant in `allow`", node, r)?;
    let host = s.required(r, "host", "name where it may connect to").and_then(|text| host(r, text));
    let port = port(r, &mut s, 1);
    let addresses = addresses(r, &mut s, host.as_ref().map(|(host, at)| (host, *at)));
    let upload_bytes = s.size(r, "upload", BYTES);
    let reason = s.required(r, "reason", "say why this kind of server needs it");
    let need = Mark::read(r, &mut s);
    s.close(r, &["when", "methods", "paths"]);
    let grant = NetGrant {
        host: host?.0.spelling().into(),
        port: port?,
        addresses: addresses?.into(),
        upload_bytes,
        reason: reason?.text.to_owned().into(),
    };
    Some((grant, need))
}

fn listen(r: &mut Reader<'_>, node: &Node) -> Option<(ListenGrant, Need)> {
    let mut s = Section::of("a grant in `listen`", node, r)?;
    let port = port(r, &mut s, 0);
    let reason = s.required(r, "reason", "say why this kind of server needs it");
    let need = Mark::read(r, &mut s);
    s.close(r, &["when"]);
    Some((ListenGrant { port: port?, reason: reason?.text.to_owned().into() }, need))
}

fn open(r: &mut Reader<'_>, node: &Node) -> Option<(OpenGrant, Need)> {
    let mut s = Section::of("a grant in `open`", node, r)?;
    let host = s.required(r, "host", "name the host of the pages").and_then(|text| host(r, text));
    let reason = s.required(r, "reason", "say why this kind of server needs it");
    let need = Mark::read(r, &mut s);
    s.close(r, &["when"]);
    let (host, at) = host?;
    let wrong = match host {
        Host::Network { .. } => "is an address",
        Host::Given(_) => "is a variable",
        Host::Every | Host::Below(_) | Host::Name(_) => {
            let grant = OpenGrant { host: host.spelling().into(), reason: reason?.text.to_owned().into() };
            return Some((grant, need));
        }
    };
    let remedy = "pages are opened by name: write the host's".to_owned();
    r.wrong(at, format!("`{}` {wrong}", host.spelling()), Some(remedy));
    None
}

fn host(r: &mut Reader<'_>, text: Text<'_>) -> Option<(Host, usize)> {
    match Host::parse(text.text) {
        Ok(host) => Some((host, text.at)),
        Err((what, remedy)) => {
            r.wrong(text.at, what, Some(remedy));
            None
        }
    }
}

/// `lowest` is 0 where that has a meaning.
fn port(r: &mut Reader<'_>, s: &mut Section<'_>, lowest: u64) -> Option<u16> {
    if s.value("port").is_none() {
        s.lacks(r, "port", "name one port: a grant is for a host and a port");
        return None;
    }
    s.number(r, "port", lowest..=65535).and_then(|port| u16::try_from(port).ok())
}

/// The classes granted; public addresses where nothing is said (an address then still means itself, see
/// [`Judge`](crate::egress::Judge)). Nothing but its own address and the word opens where a cloud gives out credentials.
fn addresses(
    r: &mut Reader<'_>,
    s: &mut Section<'_>,
    host: Option<(&Host, usize)>,
) -> Option<Vec<AddressClass>> {
    let at = s.value("addresses").map(|node| node.at);
    let mut classes = Vec::new();
    let mut right = true;
    for text in s.names(r, "addresses") {
        let words = AddressClass::WORDS.map(|(word, _)| word);
        match AddressClass::WORDS.iter().find(|(word, _)| *word == text.text) {
            Some((_, class)) if classes.contains(class) => {}
            Some((_, class)) => classes.push(*class),
            None => {
                let remedy =
                    did_you_mean(text.text, words).unwrap_or_else(|| format!("use {}", one_of(words)));
                r.wrong(text.at, format!("`addresses` cannot hold `{}`", shown(text.text)), Some(remedy));
                right = false;
            }
        }
    }
    if at.is_none() {
        classes.push(AddressClass::Public);
    }
    let (host, host_at) = host.filter(|_| right)?;
    match (classes.contains(&AddressClass::Metadata), host.is_metadata()) {
        (true, false) => {
            let what = format!("`metadata` is granted to `{}`, which is no such address", host.spelling());
            let remedy = "name the one address, such as `169.254.169.254`: whoever reaches it has the \
                          machine's credentials";
            r.wrong(at.unwrap_or(host_at), what, Some(remedy.to_owned()));
            None
        }
        (false, true) => {
            let what = format!("`{}` gives out this machine's credentials", host.spelling());
            let remedy = "write `addresses = [\"metadata\"]` if that is meant";
            r.wrong(host_at, what, Some(remedy.to_owned()));
            None
        }
        (true, true) | (false, false) => Some(classes),
    }
}

//! Addresses of machines: IPv4 and IPv6 addresses, public or of a private network, and MAC addresses. They are personal data only together with
//! other things, so they are never more than low.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::super::finding::Confidence;
use super::super::tables::{DetectorIndex, IP, MAC, PRIVATE_IP};
use super::alone::Alone;
use super::bytes::{COLONED, class};
use super::is_word;

/// Longest text of an address: IPv6 with an IPv4 tail.
const ADDRESS_MAX: usize = 45;

/// The address that the group belongs to. Up to `coloned_to` there is none with colons.
pub(super) fn address(text: &[u8], group: &Range<usize>, coloned_to: &mut usize) -> Option<Alone> {
    match text.get(group.end) {
        Some(b'.') => dotted(text, group).map(|(detector, span)| low(detector, span)),
        Some(b':') => coloned(text, group, coloned_to),
        Some(b'-') if group.len() == 2 => coloned(text, group, coloned_to),
        _ => None,
    }
}

fn low(detector: DetectorIndex, span: Range<usize>) -> Alone {
    Alone { detector, confidence: Confidence::Low, span }
}

/// Four numbers with dots, in no version, and not of a range for documents or for the machine itself.
fn dotted(text: &[u8], group: &Range<usize>) -> Option<(DetectorIndex, Range<usize>)> {
    if group.len() > 3
        || !text[group.clone()].iter().all(u8::is_ascii_digit)
        || group.start.checked_sub(1).is_some_and(|at| b".-:/@=~^<>".contains(&text[at]) && is_part(text, at))
        || !has_four_numbers(&text[group.end..])
    {
        return None;
    }
    let len = text[group.start..].iter().take(16).take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let mut end = group.start + len;
    if text[end - 1] == b'.' {
        end -= 1;
    }
    let address: Ipv4Addr = std::str::from_utf8(&text[group.start..end]).ok()?.parse().ok()?;
    let goes_on = text.get(end).is_some_and(|b| is_word(*b) || b"-_+/".contains(b));
    let detector = match address {
        _ if is_public(address) => IP,
        _ if is_host_of_private_network(address) => PRIVATE_IP,
        _ => return None,
    };
    (!goes_on && !follows_version(text, group.start)).then_some((detector, group.start..end))
}

/// Whether three more numbers follow the first one: most have one dot or two, `12.5` and `1.2.3`.
fn has_four_numbers(mut rest: &[u8]) -> bool {
    (0..3).all(|_| {
        let Some((b'.', behind)) = rest.split_first() else { return false };
        let digits = behind.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        rest = &behind[digits..];
        digits > 0
    })
}

/// Whether the sign at `at` joins the number to something before it.
fn is_part(text: &[u8], at: usize) -> bool {
    !matches!(text[at], b'/' | b'@' | b'=' | b':')
        || at.checked_sub(1).is_some_and(|b| text[b].is_ascii_digit())
}

fn is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    // Versions have small numbers and zeros.
    let small = a < 20 && b < 20 && c < 20 && d < 20;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || shared
        || small
        || a == 0
        || a >= 224
        || (d == 0 && c == 0)
        || (a == b && b == c))
}

/// RFC 1918: a machine in a private network, not the network itself.
fn is_host_of_private_network(address: Ipv4Addr) -> bool {
    let [_, _, c, d] = address.octets();
    address.is_private() && (c, d) != (0, 0) && d != 255
}

/// Whether a word like `version` stands shortly before.
fn follows_version(text: &[u8], start: usize) -> bool {
    let before = text[start.saturating_sub(24)..start].to_ascii_lowercase();
    [&b"vers"[..], b"release", b"chrome", b"build", b"upgrade"]
        .iter()
        .any(|w| memchr::memmem::find(&before, w).is_some())
}

/// IPv6 or MAC, from the group back to its first colon.
///
/// It is the same for all groups between whose letters and digits only colons and dashes stand: where one of them belongs to no
/// address, the others are not looked at, up to `coloned_to`.
fn coloned(text: &[u8], group: &Range<usize>, coloned_to: &mut usize) -> Option<Alone> {
    if group.start < *coloned_to {
        return None;
    }
    let part = |b: &&u8| class(**b) & COLONED != 0;
    let back = text[..group.start].iter().rev().take(ADDRESS_MAX).take_while(part).count();
    let start = group.start - back;
    let len = text[start..].iter().take(ADDRESS_MAX + 1).take_while(part).count();
    let end = start + len;
    let touches = |at: usize| text.get(at).is_some_and(|b| is_word(*b) || b"_:-".contains(b));
    let dotted = text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(u8::is_ascii_digit);
    let cut_off = (start > 0 && (touches(start - 1) || text[start - 1] == b'.')) || touches(end) || dotted;
    let detector = if cut_off { None } else { machine(&text[start..end]) };
    if detector.is_none() {
        *coloned_to = end;
    }
    detector.map(|detector| low(detector, start..end))
}

/// What kind of address the digits and colons are.
fn machine(value: &[u8]) -> Option<DetectorIndex> {
    if value.len() == 17 {
        return is_mac(value).then_some(MAC);
    }
    let written = value.iter().filter(|b| **b == b':').count() == 7;
    if !written && !value.windows(2).any(|pair| pair == b"::") {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(value).ok()?.parse().ok()?;
    if address.is_unique_local() {
        return (address.segments()[7] != 0).then_some(PRIVATE_IP);
    }
    is_global(address, value).then_some(IP)
}

/// All eight groups written, or of the block that is routed (RFC 4291), without what documents use.
fn is_global(address: Ipv6Addr, value: &[u8]) -> bool {
    let segments = address.segments();
    let documented = segments[0] == 0x2001 && segments[1] == 0xdb8;
    let written = memchr::memmem::find(value, b"::").is_none();
    let routed = segments[0] & 0xe000 == 0x2000;
    let zeros = segments.iter().filter(|s| **s == 0).count();
    !documented && (routed || written) && zeros < 7
}

/// Six pairs with one separator, not all alike.
fn is_mac(value: &[u8]) -> bool {
    let separator = value[2];
    let shaped = value.iter().enumerate().all(|(at, b)| {
        if at % 3 == 2 { *b == separator && !b.is_ascii_hexdigit() } else { b.is_ascii_hexdigit() }
    });
    let pairs = value.chunks(3).map(|pair| &pair[..2]);
    shaped && pairs.clone().any(|pair| Some(pair) != value.chunks(3).next().map(|p| &p[..2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let start = text.find(|c: char| c.is_ascii_digit()).expect("there is a digit");
        let lead = text[..start].bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
        let len = text[start..].bytes().take_while(u8::is_ascii_alphanumeric).count();
        address(text.as_bytes(), &(start - lead..start + len), &mut 0).map(|hit| &text[hit.span])
    }

    #[test]
    fn public_addresses_are_found() {
        for (text, address) in [
            ("from 81.23.189.44, again", "81.23.189.44"),
            ("http://81.23.189.44:8080/", "81.23.189.44"),
            ("[2a02:8109:b6c0::1c3f]", "2a02:8109:b6c0::1c3f"),
            ("6348:3d2c:e5d4:de1b:9e8f:ebd9:7ad4:d51b.", "6348:3d2c:e5d4:de1b:9e8f:ebd9:7ad4:d51b"),
            ("66:ad:2a:2c:f0:a1", "66:ad:2a:2c:f0:a1"),
            ("AA-1B-CC-DD-EE-FF", "AA-1B-CC-DD-EE-FF"),
        ] {
            assert_eq!(found(text).map(|f| f.trim_end_matches('.')), Some(address), "{text}");
        }
    }

    #[test]
    fn machines_in_private_networks_are_told_apart() {
        for text in ["10.1.2.3", "192.168.1.17, again", "172.20.4.9", "fd12:3456:789a::1c"] {
            let len = text.bytes().take_while(u8::is_ascii_alphanumeric).count();
            let detector = address(text.as_bytes(), &(0..len), &mut 0).map(|hit| hit.detector);
            assert_eq!(detector, Some(PRIVATE_IP), "{text}");
        }
    }

    #[test]
    fn versions_times_and_networks_are_not() {
        for text in [
            "10.0.0.0",
            "10.0.0.0/8",
            "192.168.1.255",
            "172.32.0.0",
            "fd00::",
            "127.0.0.1",
            "1.2.3.4",
            "8.0.0.0",
            "version 81.23.189.44",
            "81.23.189.44-1",
            "v81.23.189.44",
            "12:30:45",
            "2001:db8::1",
            "::1",
            "00:00:00:00:00:00",
            "2024-05-06-07-08-09",
            "203.0.113.9",
            "a::b1",
            "1.1.1.1.1",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}

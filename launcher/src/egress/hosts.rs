//! hosts(5): names that a program may look up without asking anybody. Where the jail shows the host's own file, libc reads
//! that and connects to an address that no answer of ours has named.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use stockade_policy::egress::{Judge, NameRuling};

/// Where it stands.
pub(super) const FILE: &str = "/etc/hosts";
/// Longer files list what is to be blocked, at addresses that lead nowhere.
const BYTES_MAX: u64 = 1 << 20;
const NAMES_MAX: usize = 4_096;

/// Tells the judge where granted names lead by this file, as though the server had asked for them. Nothing that no grant
/// allows is opened: the classes of the addresses are judged as for any answer.
pub(super) fn tell(judge: &mut Judge, file: &Path) {
    // Without one nobody reads it.
    let short = std::fs::metadata(file).is_ok_and(|facts| facts.len() <= BYTES_MAX);
    let Some(text) = short.then(|| std::fs::read_to_string(file).ok()).flatten() else { return };
    for (name, addresses) in named(&text) {
        if matches!(judge.name(&name), NameRuling::Resolve) {
            // A refusal is that of an address whose class is not granted: it stays unnamed.
            let _ = judge.resolved(&name, &addresses);
        }
    }
}

/// Names with their addresses, but for those of this machine itself.
fn named(text: &str) -> BTreeMap<String, Vec<IpAddr>> {
    let mut found: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        if address.is_unspecified() || address.is_loopback() {
            continue;
        }
        for name in words {
            if found.len() < NAMES_MAX || found.contains_key(name) {
                found.entry(name.to_owned()).or_default().push(address);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_as_libc_reads_it() {
        let text = "127.0.0.1 localhost\n0.0.0.0 ads.example\n# 192.0.2.9 no.example\n\
                    192.0.2.1 a.example A.Example # 192.0.2.2 b.example\n2001:db8::1\ta.example\nnonsense c.example\n";
        let found = named(text);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["A.Example", "a.example"]);
        assert_eq!(
            found["a.example"],
            ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().expect("one"))
        );
    }

    #[test]
    fn a_long_file_costs_no_more_than_its_first_names() {
        let text: String = (0..10_000).map(|n| format!("192.0.2.1 h{n}.example\n")).collect();
        assert_eq!(named(&text).len(), NAMES_MAX);
    }
}

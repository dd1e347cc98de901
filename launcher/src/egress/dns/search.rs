//! Names that a resolver makes of others: resolv.conf(5) has it try `api.example.org.corp.example` beside `api.example.org`,
//! which nobody grants and which says nothing about the program.

use std::path::Path;

/// resolv.conf(5): so many are used by every resolver.
const DOMAINS_MAX: usize = 32;

/// The domains that resolvers append to names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchList(Vec<String>);

impl SearchList {
    /// As the host is set up: the jail sees the same file. Without one nothing is appended.
    #[must_use]
    pub fn of_host() -> Self {
        std::fs::read_to_string(Path::new("/etc/resolv.conf"))
            .map_or_else(|_| Self::default(), |text| Self::read(&text))
    }

    /// `search` and `domain` exclude each other, and the last one counts.
    pub fn read(text: &str) -> Self {
        let mut domains = Vec::new();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let most = match words.next() {
                Some("search") => DOMAINS_MAX,
                Some("domain") => 1,
                _ => continue,
            };
            domains = words.take(most).map(|word| word.trim_matches('.').to_ascii_lowercase()).collect();
        }
        domains.retain(|domain| !domain.is_empty());
        Self(domains)
    }

    /// The names that this one may have been made of.
    pub fn made_of<'n>(&self, name: &'n str) -> impl Iterator<Item = &'n str> {
        self.0.iter().filter_map(move |domain| name.strip_suffix(domain.as_str())?.strip_suffix('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_list_counts_and_names_are_taken_apart_at_a_dot() {
        let list = SearchList::read(
            "domain old.example\n# search no.example\nsearch Corp.Example. lan\noptions ndots:5\n",
        );
        let of = |name| list.made_of(name).collect::<Vec<_>>();
        assert_eq!(of("api.example.org.corp.example"), ["api.example.org"]);
        assert_eq!(of("db.lan"), ["db"]);
        for other in ["api.example.org", "xcorp.example", "corp.example", "lan", "a.old.example"] {
            assert!(of(other).is_empty(), "{other}");
        }
        assert_eq!(
            SearchList::read("search a.example\ndomain b.example c.example"),
            SearchList(vec!["b.example".to_owned()])
        );
        assert_eq!(SearchList::read("nameserver 10.0.0.1"), SearchList::default());
    }
}

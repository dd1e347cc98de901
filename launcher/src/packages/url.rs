//! PURE: addresses of registries, as far as a fetch has to understand them.

/// Where an address leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Lower case; an IPv6 address without its brackets.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
}

impl Address {
    /// Host and port of an http or https address.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let usual = match scheme.to_ascii_lowercase().as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                (host, rest.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port.filter(|port| !port.is_empty()) {
            Some(port) => port.parse().ok().filter(|port| *port != 0)?,
            None => usual,
        };
        let is_host =
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:".contains(&b));
        is_host.then(|| Self { host: host.to_ascii_lowercase(), port })
    }
}

/// The address for people and records: without user, password and query.
pub(crate) fn without_credentials(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{authority}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_read_as_clients_read_them() {
        let at = |url: &str| Address::parse(url).map(|a| (a.host, a.port));
        let is = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(at("https://Registry.Example.org/"), is("registry.example.org", 443));
        assert_eq!(at("http://127.0.0.1:4873/x/"), is("127.0.0.1", 4873));
        assert_eq!(at("https://u:p@[::1]:8443"), is("::1", 8443));
        assert_eq!(at("https://user:p%40ss@host/simple"), is("host", 443));
        for wrong in ["ftp://x/", "https:///x", "https://a b/", "//x/", "https://x:0/", "https://x:99999/"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_credential_is_left_in_an_address_that_is_shown() {
        assert_eq!(without_credentials("https://u:p@h:1/simple/?token=x#y"), "https://h:1/simple/");
        assert_eq!(without_credentials("https://tok@h"), "https://h");
    }
}

//! The address of a web page, read so strictly that every browser reads it as we do.

/// A page that may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// As it came: what the browser is given.
    pub(super) address: String,
    /// Lower case.
    pub(super) host: String,
    /// Without query and fragment: what may stand on record.
    pub(super) shown: String,
}

/// Characters that RFC 3986 allows nowhere unescaped, and browsers repair each in its own way (`\` into `/`, for one).
const MEANS_MANY_THINGS: &[u8] = b"\"<>\\^`{|}";
/// Longest name (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// Longest that is shown.
const SHOWN_BYTES_MAX: usize = 512;

impl Page {
    /// # Errors
    /// Why it is not opened, without a word of it.
    pub(super) fn parse(address: &str) -> Result<Self, &'static str> {
        if !address.bytes().all(|byte| byte.is_ascii_graphic() && !MEANS_MANY_THINGS.contains(&byte)) {
            return Err("its address holds characters that have to be percent-encoded");
        }
        let (scheme, rest) = address.split_once("://").ok_or("it is no web address")?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "https" && scheme != "http" {
            return Err("only http and https addresses are opened");
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, below) = rest.split_at(end);
        if authority.contains('@') {
            return Err("its address names a user, which makes one host look like another");
        }
        let (host, port) =
            authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err("its port is no number");
        }
        let host = host.to_ascii_lowercase();
        let is_name = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if host.len() > HOST_BYTES_MAX || !host.split('.').all(is_name) {
            return Err("its host is no plain name");
        }
        let path = below.split(['?', '#']).next().unwrap_or("");
        let mut shown = format!("{scheme}://{authority}{path}");
        shown.truncate(SHOWN_BYTES_MAX);
        Ok(Self { address: format!("{scheme}://{rest}"), host, shown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_path_are_shown_and_the_query_never() {
        let page = Page::parse("HTTPS://Login.Example.org:443/o/authorize?state=s3cret#also").unwrap();
        assert_eq!(page.host, "login.example.org");
        assert_eq!(page.shown, "https://Login.Example.org:443/o/authorize");
        assert_eq!(page.address, "https://Login.Example.org:443/o/authorize?state=s3cret#also");
        assert_eq!(Page::parse("http://a.example?token=1").unwrap().shown, "http://a.example");
    }

    #[test]
    fn what_browsers_could_read_in_another_way_is_refused() {
        let addresses = [
            "https://granted.example\\@evil.example/",
            "https://granted.example@evil.example/",
            "https://user:password@granted.example/",
            "https://granted.example\u{ff0f}.evil.example/",
            "https://gränted.example/",
            "https://granted.example /",
            "https://granted.example\t.evil.example/",
            "https:/granted.example/",
            "https:granted.example/",
            "https:///granted.example/",
            "https://granted%2eexample/",
            "https://[::1]/",
            "https://granted..example/",
            "https://granted.example:99999/",
            "https://granted.example:80:90/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "javascript://granted.example/%0aalert(1)",
            "-https://granted.example/",
            "",
        ];
        for address in addresses {
            assert!(Page::parse(address).is_err(), "{address}");
        }
    }
}

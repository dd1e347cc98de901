//! Hosts that only a session knows: `${env.GITLAB_API_URL:-gitlab.com}`, `api.${env.DD_SITE:-datadoghq.com}`, `${args.urls}`.
//!
//! What a variable holds may be written by whoever writes a client's config, and may carry a password. So it can name
//! hosts and ports and nothing wider (no `*`, no network), leads only where the grant's classes of addresses allow, and
//! never appears in a message.

use super::hosts::{Host, Wrong};
use super::variables::is_argument;
use super::{AddressClass, NetGrant};
use crate::document::reader::shown;

/// A host with one variable in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GivenHost {
    before: String,
    source: HostSource,
    default: Option<String>,
    after: String,
}

/// Where a host comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostSource {
    /// A variable of the server's environment.
    Environment(String),
    /// One of its arguments, counted from 1.
    Argument(usize),
    /// Every URL among its arguments.
    Urls,
}

/// What a grant means in one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Grants whose hosts are known.
    pub grants: Vec<NetGrant>,
    /// What was named and is not granted, without what the variable held.
    pub refused: Vec<String>,
}

impl NetGrant {
    /// Where the host of this grant comes from, if the profile does not say it itself.
    #[must_use]
    pub fn source(&self) -> Option<HostSource> {
        GivenHost::parse(&self.host)?.ok().map(|given| given.source)
    }

    /// The grants that this one stands for where its variable holds these values; itself if it has none. A value is a
    /// name, `HOST:PORT`, or a URL, which may name several hosts (`mongodb://a,b:27018/x`). A port in it holds, then the
    /// one that its scheme implies (`https`, `postgres` …), then the grant's.
    #[must_use]
    pub fn given(&self, values: &[String]) -> Given {
        let Some(Ok(host)) = GivenHost::parse(&self.host) else {
            return Given { grants: vec![self.clone()], refused: Vec::new() };
        };
        let mut given = Given::default();
        let values = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty());
        let mut values = values.peekable();
        if values.peek().is_none()
            && let Some(default) = &host.default
        {
            given.grants.push(self.with(format!("{}{default}{}", host.before, host.after), self.port));
        }
        for endpoint in values.flat_map(endpoints) {
            match endpoint.map_err(str::to_owned).and_then(|endpoint| host.granted(self, &endpoint)) {
                Ok(grant) if given.grants.contains(&grant) => {}
                Ok(grant) => given.grants.push(grant),
                Err(why) => given.refused.push(format!("{}: not granted, {why}", host.source.words())),
            }
        }
        given
    }

    fn with(&self, host: String, port: u16) -> Self {
        Self { host: host.into(), port, ..self.clone() }
    }
}

impl HostSource {
    /// As a person calls it.
    fn words(&self) -> String {
        match self {
            Self::Environment(name) => format!("the host that {name} names"),
            Self::Argument(number) => format!("the host that argument {number} names"),
            Self::Urls => "a host of a URL on the command line".to_owned(),
        }
    }
}

impl GivenHost {
    /// Reads a host that has a variable in it; `None` if it has none.
    pub(super) fn parse(text: &str) -> Option<Result<Self, Wrong>> {
        let (before, rest) = text.split_once("${")?;
        let Some((variable, after)) = rest.split_once('}') else {
            return Some(Err((format!("`{}` has a `${{` without its `}}`", shown(text)), remedy())));
        };
        Some(Self::of(text, before, variable, after))
    }

    fn of(text: &str, before: &str, variable: &str, after: &str) -> Result<Self, Wrong> {
        let wrong = |what: &str| Err((format!("`{}` {what}", shown(text)), remedy()));
        if after.contains("${") {
            return wrong("has two variables");
        }
        let (name, default) = match variable.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (variable, None),
        };
        let argument = || name.strip_prefix("args.").and_then(|number| number.parse().ok());
        let source = match name.strip_prefix("env.") {
            Some(name) if super::parse::is_variable(name) => HostSource::Environment(name.to_owned()),
            None if name == "args.urls" => HostSource::Urls,
            None if is_argument(name) => HostSource::Argument(argument().unwrap_or(1)),
            _ => return wrong("has a variable that names no host"),
        };
        let joins = |c: char| matches!(c, '.' | '-');
        let apart =
            (before.is_empty() || before.ends_with(joins)) && (after.is_empty() || after.starts_with(joins));
        // With a word in the variable's place the whole has to be one name: no `*`, no second dot, nothing odd.
        let sample = match default {
            Some(default) => format!("{before}{default}{after}"),
            None => format!("{before}x{after}"),
        };
        let host = Host::parse(&sample)?;
        if !apart || !matches!(host, Host::Name(_)) || host.spelling() != sample {
            return wrong("is no name whatever its variable holds");
        }
        if source == HostSource::Urls && !(before.is_empty() && after.is_empty() && default.is_none()) {
            return wrong("adds to URLs, which are whole by themselves");
        }
        Ok(Self {
            before: before.to_owned(),
            source,
            default: default.map(str::to_owned),
            after: after.to_owned(),
        })
    }

    /// The one spelling.
    pub(super) fn spelling(&self) -> String {
        let Self { before, source, default, after } = self;
        let name = match source {
            HostSource::Environment(name) => format!("env.{name}"),
            HostSource::Argument(number) => format!("args.{number}"),
            HostSource::Urls => "args.urls".to_owned(),
        };
        let default = default.as_ref().map(|default| format!(":-{default}")).unwrap_or_default();
        format!("{before}${{{name}{default}}}{after}")
    }

    /// The grant for one host that the variable names, or why there is none.
    fn granted(&self, grant: &NetGrant, endpoint: &Endpoint) -> Result<NetGrant, String> {
        let name = format!("{}{}{}", self.before, endpoint.host.to_ascii_lowercase(), self.after);
        let host = match Host::parse(&name) {
            Ok(host @ Host::Name(_)) => host,
            Ok(host) if host.literal().is_some() => host,
            _ => return Err("it is no plain name or address".to_owned()),
        };
        let classes = host.classes();
        if classes.contains(&AddressClass::Metadata) {
            return Err("it is where a cloud gives out this machine's credentials".to_owned());
        }
        match classes.iter().find(|class| !grant.addresses.contains(class)) {
            Some(class) => Err(format!("it is a {} address, which the profile does not allow", class.word())),
            None => Ok(grant.with(host.spelling(), endpoint.port.unwrap_or(grant.port))),
        }
    }
}

fn remedy() -> String {
    "write `${env.NAME}`, `${env.NAME:-default.example.org}`, `${args.1}` or `${args.urls}`, with at most fixed labels \
     around it: `api.${env.SITE}`"
        .to_owned()
}

/// One host of a value.
#[derive(Debug, PartialEq, Eq)]
struct Endpoint {
    host: String,
    port: Option<u16>,
}

/// The hosts that a value names (RFC 3986, section 3.2; several, as libpq and MongoDB write them). What may be a
/// password is passed over: it ends at the last `@` before the path.
fn endpoints(value: &str) -> Vec<Result<Endpoint, &'static str>> {
    let (scheme, rest) = value.split_once("://").map_or((None, value), |(scheme, rest)| (Some(scheme), rest));
    let implied = match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("http" | "ws") => Some(80),
        Some("https" | "wss") => Some(443),
        Some("postgres" | "postgresql") => Some(5432),
        Some("mysql" | "mariadb") => Some(3306),
        Some("sqlserver" | "mssql") => Some(1433),
        Some("mongodb") => Some(27017),
        Some("redis" | "rediss") => Some(6379),
        _ => None,
    };
    let authority = rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end]);
    // `sqlite:///file`, and a database on a socket: no host is meant.
    if scheme.is_some() && authority.is_empty() {
        return Vec::new();
    }
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    hosts.split(',').map(|host| endpoint(host, implied)).collect()
}

fn endpoint(text: &str, implied: Option<u16>) -> Result<Endpoint, &'static str> {
    let number =
        |port: &str| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or("its port is no number");
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, port))) => {
            (host, Some(number(port.strip_prefix(':').ok_or("it is no plain name or address")?)?))
        }
        Some(None) => return Err("it is no plain name or address"),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(number(port)?)),
            None => (text, None),
        },
    };
    Ok(Endpoint { host: host.to_owned(), port: port.or(implied) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(host: &str, addresses: &[AddressClass]) -> NetGrant {
        NetGrant {
            host: host.to_owned().into(),
            port: 5000,
            addresses: addresses.to_vec().into(),
            upload_bytes: Some(7),
            reason: "r".into(),
        }
    }

    fn given(host: &str, value: &str) -> (Vec<String>, usize) {
        let given = grant(host, &[AddressClass::Public]).given(&[value.to_owned()]);
        (given.grants.iter().map(|g| format!("{} {}", g.host, g.port)).collect(), given.refused.len())
    }

    #[test]
    fn a_value_names_hosts_as_urls_and_plain_names_do() {
        for (value, hosts) in [
            ("gitlab.example.com", "gitlab.example.com 5000"),
            (" Gitlab.Example.com:8443 ", "gitlab.example.com 8443"),
            ("https://gitlab.example.com/api/v4", "gitlab.example.com 443"),
            ("HTTP://gitlab.example.com", "gitlab.example.com 80"),
            ("https://gitlab.example.com:8443/x@y", "gitlab.example.com 8443"),
            ("postgres://u:p%40s@db.example.com/x?host=evil.example", "db.example.com 5432"),
            ("oracle://db.example.com/x", "db.example.com 5000"),
            ("sqlite:///home/u/x.db", ""),
            ("https://", ""),
            ("postgres://u:p@ss@db.example.com:5433/x", "db.example.com 5433"),
            ("mongodb://u:p@a.example.com,b.example.com:27018/x", "a.example.com 27017,b.example.com 27018"),
            ("https://1.1.1.1", "1.1.1.1 443"),
            ("http://[2606:4700::1111]:81/", "2606:4700::1111 81"),
            ("", ""),
        ] {
            assert_eq!(
                given("${env.URL}", value),
                (hosts.split(',').filter(|h| !h.is_empty()).map(str::to_owned).collect(), 0),
                "{value}"
            );
        }
    }

    #[test]
    fn a_value_never_names_more_than_a_host_and_what_it_holds_is_never_told() {
        for value in [
            "*",
            "*.example.com",
            "https://*/",
            "10.0.0.0/8@x",
            "a b",
            "https://:443",
            "a.example:0",
            "a.example:99999",
            "postgres://user:pa/ss@db.example",
            "0x7f.1",
            "2130706433",
            "[::1",
            "[::1]x",
            "a..b",
            "${env.X}",
            "http://a@[fe80::1%25eth0]/",
        ] {
            let (grants, refused) = given("${env.URL}", value);
            // `pa/ss` cuts the URL off before its host: `user` with a port that is none.
            assert_eq!((grants, refused), (vec![], 1), "{value}");
            let told =
                grant("${env.URL}", &[AddressClass::Public]).given(&[value.to_owned()]).refused.concat();
            assert!(told.starts_with("the host that URL names: not granted, "), "{told}");
            assert!(value.len() < 4 || !told.contains(value), "{told}");
        }
    }

    #[test]
    fn a_value_leads_only_where_the_classes_of_the_grant_allow() {
        use AddressClass::{LinkLocal, Loopback, Private, Public};
        for (value, classes, granted) in [
            ("http://127.0.0.1:8080", &[Public][..], false),
            ("http://localhost:8080", &[Public, Private], false),
            ("http://localhost:8080", &[Public, Loopback], true),
            ("http://10.0.0.7", &[Public], false),
            ("http://10.0.0.7", &[Public, Private], true),
            ("http://[::ffff:10.0.0.7]", &[Public], false),
            ("http://169.254.169.254/latest", &[Public, Private, Loopback, LinkLocal], false),
            ("http://[fd00:ec2::254]/", &[Public, Private, Loopback, LinkLocal], false),
            ("http://wiki.internal", &[Private], true),
        ] {
            let given = grant("${env.URL}", classes).given(&[value.to_owned()]);
            assert_eq!(given.grants.len() == 1, granted, "{value}: {given:?}");
            assert_eq!(given.refused.is_empty(), granted, "{value}");
        }
    }

    #[test]
    fn labels_around_a_variable_hold_whatever_it_says() {
        let snowflake = "${env.ACCOUNT}.snowflakecomputing.com";
        assert_eq!(given(snowflake, "AB-12").0, ["ab-12.snowflakecomputing.com 5000"]);
        for evil in ["evil.com/", "evil.com#", "evil.com?", "a@evil.com", "evil.com,b"] {
            for host in given(snowflake, evil).0 {
                assert!(host.ends_with(".snowflakecomputing.com 5000"), "{host}");
            }
        }
        let site = "api.${env.DD_SITE:-datadoghq.com}";
        assert_eq!(given(site, "datadoghq.eu").0, ["api.datadoghq.eu 5000"]);
        assert_eq!(given(site, " ").0, ["api.datadoghq.com 5000"]);
        assert_eq!(given(site, "10.0.0.1"), (vec![], 1));
        let named = grant("api.example.org", &[]);
        assert_eq!(named.given(&["x".to_owned()]).grants, std::slice::from_ref(&named));
        assert_eq!(
            (named.source(), grant(site, &[]).source()),
            (None, Some(HostSource::Environment("DD_SITE".into())))
        );
    }
}

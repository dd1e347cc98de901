//! What the user has configured for pip or uv, each for itself: uv does not read pip's files. The files of a project are not
//! among the sources: they belong to whoever wrote the project.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::super::url::{Address, without_credentials};
use super::npmrc::at_home;
use super::{Reach, Sealed, ini, own_file, public};
use crate::error::{Failure, Kind};
use crate::host::Facts;

/// Whose configuration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// `uv.toml`, `UV_*`
    Uv,
    /// `pip.conf`, `PIP_*`
    Pip,
}

/// Settings of pip or uv.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Python {
    speaks: Speaks,
    /// Addresses as they are configured, with credentials.
    index: Option<String>,
    extra: Vec<String>,
    trusted: Vec<String>,
    cert: Option<PathBuf>,
    proxy: Option<String>,
    netrc: Vec<(String, String)>,
    system_certificates: bool,
}

// Addresses may hold credentials.
impl std::fmt::Debug for Python {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Python").field("index", &without_credentials(&self.index())).finish_non_exhaustive()
    }
}

impl Python {
    /// Reads the system's file, the user's and the environment; the later wins.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub(crate) fn read(facts: &Facts, speaks: Speaks, registry: Option<&str>) -> Result<Self, Failure> {
        let mut own = Self {
            speaks,
            index: None,
            extra: Vec::new(),
            trusted: Vec::new(),
            cert: None,
            proxy: None,
            netrc: Vec::new(),
            system_certificates: false,
        };
        match speaks {
            Speaks::Pip => own.pip(facts)?,
            Speaks::Uv => own.uv(facts)?,
        }
        if let Some(registry) = registry {
            own.index = Some(registry.to_owned());
        }
        own.netrc = netrc(facts, &own.hosts()?)?;
        Ok(own)
    }

    /// The first index, with credentials.
    pub(crate) fn index(&self) -> String {
        self.index.clone().unwrap_or_else(|| public::PYPI.to_owned())
    }

    fn pip(&mut self, facts: &Facts) -> Result<(), Failure> {
        let config = match facts.var("XDG_CONFIG_HOME") {
            Some(dir) => PathBuf::from(dir),
            None => facts.home.join(".config"),
        };
        let mut files = vec![
            PathBuf::from("/etc/xdg/pip/pip.conf"),
            PathBuf::from("/etc/pip.conf"),
            facts.home.join(".pip/pip.conf"),
            config.join("pip/pip.conf"),
        ];
        match facts.var("PIP_CONFIG_FILE") {
            // pip's own way to say that it shall read no file.
            Some(file) if file == "/dev/null" => files.clear(),
            Some(file) => files.push(PathBuf::from(file)),
            None => {}
        }
        for file in files {
            let Some(text) = own_file(&file)? else { continue };
            let mut sections = ini::parse(&text);
            for section in ["global", "install"] {
                for (key, value) in sections.remove(section).into_iter().flatten() {
                    self.set_pip(&key.to_ascii_lowercase().replace('_', "-"), &value, facts);
                }
            }
        }
        for (name, value) in &facts.env {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
            if let Some(key) = name.strip_prefix("PIP_").filter(|_| !value.is_empty()) {
                self.set_pip(&key.to_ascii_lowercase().replace('_', "-"), value, facts);
            }
        }
        Ok(())
    }

    fn set_pip(&mut self, key: &str, value: &str, facts: &Facts) {
        let list = || value.split_whitespace().map(str::to_owned).collect();
        match key {
            "index-url" => self.index = Some(value.trim().to_owned()),
            "extra-index-url" => self.extra = list(),
            "trusted-host" => self.trusted = list(),
            "cert" => self.cert = Some(at_home(Path::new(value.trim()), facts)),
            "proxy" => self.proxy = Some(value.trim().to_owned()),
            _ => {}
        }
    }

    fn uv(&mut self, facts: &Facts) -> Result<(), Failure> {
        let user = match (facts.var("UV_CONFIG_FILE"), facts.var("XDG_CONFIG_HOME")) {
            (Some(file), _) => PathBuf::from(file),
            (None, Some(dir)) => PathBuf::from(dir).join("uv/uv.toml"),
            (None, None) => facts.home.join(".config/uv/uv.toml"),
        };
        for file in [PathBuf::from("/etc/uv/uv.toml"), user] {
            let Some(text) = own_file(&file)? else { continue };
            let table = DeTable::parse(&text).map_err(|error| {
                Failure::new(Kind::Config, format!("{} is no TOML", file.display()))
                    .cause(error.message().to_owned())
                    .hint("uv reads it too: mend it")
            })?;
            self.uv_table(table.get_ref(), facts);
            if let Some(pip) = table.get_ref().get("pip").and_then(|pip| pip.get_ref().as_table()) {
                self.uv_table(pip, facts);
            }
        }
        let var = |names: &[&str]| {
            let text = names.iter().find_map(|name| facts.var(name))?.to_str()?.trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let words = |text: String| -> Vec<String> {
            let named = |word: &str| match word.split_once('=') {
                Some((name, url)) if url.contains("://") => with_login(name, url, facts),
                _ => word.to_owned(),
            };
            text.split_whitespace().map(named).collect()
        };
        if let Some(index) = var(&["UV_DEFAULT_INDEX", "UV_INDEX_URL"]) {
            self.index = words(index).into_iter().next();
        }
        if let Some(extra) = var(&["UV_INDEX", "UV_EXTRA_INDEX_URL"]) {
            self.extra = words(extra);
        }
        if let Some(hosts) = var(&["UV_INSECURE_HOST"]) {
            self.trusted = hosts.split_whitespace().map(str::to_owned).collect();
        }
        self.system_certificates |= var(&["UV_NATIVE_TLS", "UV_SYSTEM_CERTS"])
            .is_some_and(|word| ["1", "true", "yes", "on"].contains(&word.to_ascii_lowercase().as_str()));
        Ok(())
    }

    fn uv_table(&mut self, table: &DeTable<'_>, facts: &Facts) {
        let text = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str()).map(str::to_owned);
        let list = |key: &str| -> Option<Vec<String>> {
            let array = table.get(key)?.get_ref().as_array()?;
            Some(array.iter().filter_map(|one| one.get_ref().as_str()).map(str::to_owned).collect())
        };
        if let Some(index) = text("index-url") {
            self.index = Some(index);
        }
        if let Some(extra) = list("extra-index-url") {
            self.extra = extra;
        }
        if let Some(hosts) = list("allow-insecure-host") {
            self.trusted = hosts;
        }
        for key in ["native-tls", "system-certs"] {
            self.system_certificates |=
                matches!(table.get(key).map(|v| v.get_ref()), Some(DeValue::Boolean(true)));
        }
        let indexes = table.get("index").and_then(|value| value.get_ref().as_array());
        for index in indexes.into_iter().flatten().filter_map(|one| one.get_ref().as_table()) {
            let field = |key: &str| index.get(key).map(|value| value.get_ref());
            let Some(url) = field("url").and_then(|url| url.as_str()) else { continue };
            let url = field("name")
                .and_then(|name| name.as_str())
                .map_or_else(|| url.to_owned(), |name| with_login(name, url, facts));
            if matches!(field("default"), Some(DeValue::Boolean(true))) {
                self.index = Some(url);
            } else {
                self.extra.push(url);
            }
        }
    }

    fn hosts(&self) -> Result<Vec<Reach>, Failure> {
        let mut hosts = Vec::new();
        for url in self.extra.iter().chain([&self.index()]) {
            let Some(Address { host, port }) = Address::parse(url) else {
                let what = "the configuration names a package index that is no http or https address";
                return Err(Failure::new(Kind::Config, what)
                    .cause(format!("`{}`", without_credentials(url)))
                    .hint("`pip config list` and uv.toml show it"));
            };
            let files = public::FILE_HOSTS.iter().find(|(index, _)| *index == host);
            hosts.extend(files.map(|(_, files)| Reach { host: (*files).to_owned(), port }));
            hosts.push(Reach { host, port });
        }
        hosts.sort();
        hosts.dedup();
        Ok(hosts)
    }

    /// What a fetch may connect to, its variables and its files. `dir` is where these will lie.
    ///
    /// # Errors
    /// When an index's address is none, or a file that is named cannot be read.
    pub(crate) fn sealed(&self, dir: &Path) -> Result<Sealed, Failure> {
        let mut sealed = Sealed { reach: self.hosts()?, proxy: self.proxy.clone(), ..Sealed::default() };
        let at = |name: &str| dir.join(name).display().to_string();
        for url in self.extra.iter().chain(&self.index) {
            sealed.secrets.extend(login(url));
        }
        if let Some(cert) = &self.cert {
            sealed.add_copy("ca.pem", cert)?;
        }
        if !self.netrc.is_empty() {
            let lines: String =
                self.netrc.iter().map(|(host, rest)| format!("machine {host} {rest}\n")).collect();
            sealed.files.push(("netrc".to_owned(), lines.into_bytes()));
            sealed.env.push(("NETRC".to_owned(), at("netrc")));
        }
        match self.speaks {
            Speaks::Uv => self.sealed_uv(&mut sealed),
            Speaks::Pip => {
                let mut text = format!("[global]\nindex-url = {}\n", self.index());
                let mut list = |key: &str, values: &[String]| {
                    if !values.is_empty() {
                        text.push_str(&format!("{key} =\n    {}\n", values.join("\n    ")));
                    }
                };
                list("extra-index-url", &self.extra);
                list("trusted-host", &self.trusted);
                // One value on its own line: pip takes a list's first line break for a part of the path.
                if self.cert.is_some() {
                    text.push_str(&format!("cert = {}\n", at("ca.pem")));
                }
                sealed.files.push(("pip.conf".to_owned(), text.into_bytes()));
                sealed.env.push(("PIP_CONFIG_FILE".to_owned(), at("pip.conf")));
            }
        }
        Ok(sealed)
    }

    fn sealed_uv(&self, sealed: &mut Sealed) {
        let mut set = |name: &str, value: String| sealed.env.push((name.to_owned(), value));
        set("UV_DEFAULT_INDEX", self.index());
        if !self.extra.is_empty() {
            set("UV_INDEX", self.extra.join(" "));
        }
        if !self.trusted.is_empty() {
            set("UV_INSECURE_HOST", self.trusted.join(" "));
        }
        if self.system_certificates {
            set("UV_NATIVE_TLS", "1".to_owned());
        }
    }
}

/// The address with the login that uv takes from `UV_INDEX_NAME_USERNAME` and `UV_INDEX_NAME_PASSWORD`.
fn with_login(name: &str, url: &str, facts: &Facts) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let var = |what: &str| {
        facts.var(&format!("UV_INDEX_{name}_{what}")).map(|value| value.to_string_lossy().into_owned())
    };
    let (Some((scheme, rest)), None) = (url.split_once("://"), login(url)) else { return url.to_owned() };
    match (var("USERNAME"), var("PASSWORD")) {
        (None, None) => url.to_owned(),
        (user, password) => {
            let part = |text: Option<String>| text.map_or_else(String::new, |text| percent_encoded(&text));
            format!("{scheme}://{}:{}@{rest}", part(user), part(password))
        }
    }
}

/// RFC 3986, section 2: everything but unreserved characters.
fn percent_encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// `user:password` of an address.
fn login(url: &str) -> Option<String> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    Some(authority.rsplit_once('@')?.0.to_owned())
}

/// The entries of `~/.netrc` for these hosts, which pip and uv use where an address has no login.
fn netrc(facts: &Facts, hosts: &[Reach]) -> Result<Vec<(String, String)>, Failure> {
    let path = facts.var("NETRC").map_or_else(|| facts.home.join(".netrc"), PathBuf::from);
    let Some(text) = own_file(&path)? else { return Ok(Vec::new()) };
    let mut words = text.split_whitespace().peekable();
    let mut entries: Vec<(String, String)> = Vec::new();
    let mut current: Option<usize> = None;
    while let Some(word) = words.next() {
        match word {
            "machine" => {
                let host = words.next().unwrap_or("");
                current = hosts.iter().any(|reach| reach.host == host).then(|| {
                    entries.push((host.to_owned(), String::new()));
                    entries.len() - 1
                });
            }
            "default" => current = None,
            "login" | "password" | "account" => {
                let value = words.next().unwrap_or("");
                if let Some((_, rest)) = current.and_then(|at| entries.get_mut(at)) {
                    rest.push_str(&format!("{word} {value} "));
                }
            }
            _ => {}
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;

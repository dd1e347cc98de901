//! What the user has configured for npm, and the part of it that a fetch needs. The file of a project is not among its
//! sources: it belongs to whoever wrote the project.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::super::url::Address;
use super::ini;
use super::{Reach, Sealed, own_file, public};
use crate::error::{Failure, Kind};
use crate::host::Facts;

/// Settings that are passed on as they are: they say how to ask and what may be chosen, never where to write or what to run.
const PASSED: [&str; 15] = [
    "before",
    "min-release-age",
    "strict-ssl",
    "replace-registry-host",
    "fetch-retries",
    "fetch-retry-factor",
    "fetch-retry-mintimeout",
    "fetch-retry-maxtimeout",
    "fetch-timeout",
    "maxsockets",
    "tag",
    "legacy-peer-deps",
    "strict-peer-deps",
    "prefer-dedupe",
    "user-agent",
];

/// Keys below a registry's address that say who we are.
const CREDENTIALS: [&str; 4] = ["_authToken", "_auth", "username", "_password"];
/// The same, as names of files.
const CREDENTIAL_FILES: [&str; 2] = ["certfile", "keyfile"];

/// npm's settings, joined.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Npm {
    values: BTreeMap<String, String>,
    /// Several values of one key: `ca[]`.
    authorities: Vec<String>,
}

// Tokens are among the values.
impl std::fmt::Debug for Npm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Npm").field("registry", &self.registry()).finish_non_exhaustive()
    }
}

impl Npm {
    /// Reads the built-in, global and user file and the environment; the later wins. `npm` is npm's own directory,
    /// `prefix` that of its Node.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub(crate) fn read(facts: &Facts, npm: Option<&Path>, prefix: Option<&Path>) -> Result<Self, Failure> {
        let env = environment(facts);
        let mut own = Self { values: BTreeMap::new(), authorities: Vec::new() };
        let named = |key: &str| env.get(key).map(PathBuf::from);
        let global = named("globalconfig").or_else(|| prefix.map(|prefix| prefix.join("etc/npmrc")));
        let user = named("userconfig").unwrap_or_else(|| facts.home.join(".npmrc"));
        for path in npm.map(|npm| npm.join("npmrc")).into_iter().chain(global).chain([user]) {
            let Some(text) = own_file(&path)? else { continue };
            own.add(&text, facts);
        }
        own.values.extend(env);
        Ok(own)
    }

    fn add(&mut self, text: &str, facts: &Facts) {
        let sections = ini::parse(text);
        for (key, value) in sections.get("").into_iter().flatten() {
            let (key, value) = (filled_in(key, facts), filled_in(value, facts));
            if key == "ca[]" {
                self.authorities.push(value);
            } else {
                self.values.insert(key, value);
            }
        }
    }

    /// The registry of packages without a scope, or with one that has none of its own.
    pub(crate) fn registry(&self) -> String {
        let configured = self.values.get("registry").map(String::as_str).filter(|text| !text.is_empty());
        with_slash(configured.unwrap_or(public::NPM))
    }

    /// The registry that a package comes from.
    pub(crate) fn registry_of(&self, name: &str) -> String {
        let scope = name.split_once('/').map(|(scope, _)| scope).filter(|scope| scope.starts_with('@'));
        let own = scope.and_then(|scope| self.values.get(&format!("{scope}:registry")));
        own.map_or_else(|| self.registry(), |url| with_slash(url))
    }

    /// As the words of a command line say it.
    pub(crate) fn with_registry(mut self, registry: Option<&str>) -> Self {
        if let Some(registry) = registry {
            self.values.insert("registry".to_owned(), registry.to_owned());
        }
        self
    }

    /// Every registry that a tree may come from.
    fn registries(&self) -> Vec<String> {
        let scoped = self.values.iter().filter(|(key, _)| key.starts_with('@') && key.ends_with(":registry"));
        let mut all: Vec<String> = scoped.map(|(_, url)| with_slash(url)).collect();
        all.push(self.registry());
        all.sort();
        all.dedup();
        all
    }

    /// What a fetch may connect to, and the files that it is given: `npmrc`, certificates. `dir` is where these will lie.
    ///
    /// # Errors
    /// When a registry's address is none, or a file that is named cannot be read.
    pub(crate) fn sealed(&self, dir: &Path) -> Result<Sealed, Failure> {
        let mut sealed = Sealed::default();
        let mut text = String::new();
        let mut line = |key: &str, value: &str| {
            // A line break in a value would begin a setting of its own.
            let quoted = serde_json::Value::from(value).to_string();
            let plain = !value.contains(['\n', '\r', ';', '#', '"']) && value.trim() == value;
            text.push_str(&format!("{key}={}\n", if plain { value } else { &quoted }));
        };
        line("registry", &self.registry());
        for registry in self.registries() {
            let address = Address::parse(&registry).ok_or_else(|| {
                Failure::new(
                    Kind::Config,
                    "npm's configuration names a registry that is no http or https address",
                )
                .cause(format!("`{}`", super::super::url::without_credentials(&registry)))
                .hint("`npm config get registry` shows it")
            })?;
            sealed.reach.push(Reach { host: address.host, port: address.port });
        }
        for (key, value) in &self.values {
            let scoped = key.starts_with('@') && key.ends_with(":registry");
            if scoped || PASSED.contains(&key.as_str()) {
                line(key, value);
            } else if let Some((address, what)) = key.rsplit_once(':').filter(|(a, _)| a.starts_with("//")) {
                if !self.registries().iter().any(|registry| is_of(registry, address)) {
                    continue;
                }
                if CREDENTIALS.contains(&what) {
                    line(key, value);
                    sealed.secrets.push(value.clone());
                } else if CREDENTIAL_FILES.contains(&what) {
                    let name = format!("{what}-{}", sealed.files.len());
                    sealed.add_copy(&name, Path::new(value))?;
                    line(key, &dir.join(name).display().to_string());
                }
            }
        }
        if let Some(path) = self.values.get("cafile").filter(|path| !path.is_empty() && *path != "null") {
            sealed.add_copy("ca.pem", Path::new(path))?;
            line("cafile", &dir.join("ca.pem").display().to_string());
        }
        for authority in self.authorities.iter().chain(self.values.get("ca").filter(|ca| *ca != "null")) {
            line("ca[]", authority);
        }
        sealed.files.push(("npmrc".to_owned(), text.into_bytes()));
        let value = |keys: &[&str]| keys.iter().find_map(|key| self.values.get(*key)).cloned();
        sealed.proxy =
            value(&["https-proxy", "proxy"]).filter(|url| !["", "null", "false"].contains(&url.as_str()));
        sealed.no_proxy = value(&["noproxy"]);
        Ok(sealed)
    }
}

/// `npm_config_*` in any case; `_` stands for `-`, but not in the key of a registry.
fn environment(facts: &Facts) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (name, value) in &facts.env {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        let prefix = name.get(..11).filter(|prefix| prefix.eq_ignore_ascii_case("npm_config_"));
        let Some(key) = prefix.and_then(|_| name.get(11..)).filter(|key| !key.is_empty()) else { continue };
        // npm passes over empty ones.
        if value.is_empty() || key.starts_with('_') {
            continue;
        }
        let is_registry = key.starts_with("//") || key.starts_with('@');
        let key = if is_registry { key.to_owned() } else { key.to_ascii_lowercase().replace('_', "-") };
        values.insert(key, value.to_owned());
    }
    values
}

/// `${NAME}` and `${NAME?}`, as npm fills them in; what is not set stays as it stands, or is empty with `?`.
fn filled_in(text: &str, facts: &Facts) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let Some(end) = rest[at..].find('}') else { break };
        out.push_str(&rest[..at]);
        let name = &rest[at + 2..at + end];
        match facts.var(name.trim_end_matches('?')).map(|value| value.to_string_lossy()) {
            Some(value) => out.push_str(&value),
            None if name.ends_with('?') => {}
            None => out.push_str(&rest[at..=at + end]),
        }
        rest = &rest[at + end + 1..];
    }
    out.push_str(rest);
    out
}

fn with_slash(url: &str) -> String {
    if url.ends_with('/') { url.to_owned() } else { format!("{url}/") }
}

/// Whether `//host/path/` is about this registry, as npm looks it up: its own path, or one above it.
fn is_of(registry: &str, address: &str) -> bool {
    let Some((_, registry)) = registry.split_once(':') else { return false };
    registry.as_bytes().starts_with(with_slash(address).as_bytes())
}

/// A path of the configuration, which may begin with `~`.
pub(super) fn at_home(path: &Path, facts: &Facts) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(below) if path.as_os_str().as_bytes().starts_with(b"~") => facts.home.join(below),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;

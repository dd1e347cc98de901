//! What is asked for, independent of who asks: the key of a pin.

use serde::{Deserialize, Serialize};

use super::url;
use crate::error::{Failure, Kind};
use crate::identity::invocation::{Ecosystem, PackageRun, Spec};
use crate::identity::sha256_hex;

/// One package as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// As its registry writes it.
    pub(crate) name: String,
    /// Version, range or tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// The words, for whoever installs it: they may hold extras.
    pub(crate) typed: String,
}

/// Everything that decides what is fetched, but the user's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Everything that is installed together; the first is the server.
    pub(crate) wanted: Vec<Wanted>,
    /// A registry that the words name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) registry: Option<String>,
    /// A Python that the words ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) python: Option<String>,
}

impl Asked {
    /// What a command line asks for.
    ///
    /// # Errors
    /// When a package is not one of a registry.
    pub(crate) fn of(run: &PackageRun) -> Result<Self, Failure> {
        let wanted =
            run.specs.iter().map(|spec| wanted(spec, run.ecosystem)).collect::<Result<Vec<_>, _>>()?;
        if wanted.is_empty() {
            return Err(Failure::new(Kind::Usage, "the command line names no package to start")
                .hint("name it behind the runner: `npx PACKAGE`, `uvx PACKAGE`"));
        }
        Ok(Self { wanted, registry: run.registry.clone(), python: run.python.clone() })
    }

    /// The server's package.
    pub(crate) fn name(&self) -> &str {
        self.wanted.first().map_or("", |one| &one.name)
    }

    /// Name of the pin's file: readable, and different wherever anything differs.
    pub(crate) fn key(&self, ecosystem: Ecosystem, registry: &str, python: Option<&str>) -> String {
        let mut text = format!(
            "{}\n{}\n{}\n",
            word(ecosystem),
            url::without_credentials(registry),
            python.unwrap_or("")
        );
        for one in &self.wanted {
            text.push_str(&format!("{}\n{}\n", one.name, one.typed));
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let readable: String = self.name().trim_start_matches('@').chars().map(plain).take(60).collect();
        let hash: String = sha256_hex(text.as_bytes()).chars().take(12).collect();
        format!("{}-{readable}-{hash}", word(ecosystem))
    }
}

/// `npm`, `pypi`: as package URLs have it.
pub(crate) fn word(ecosystem: Ecosystem) -> &'static str {
    match ecosystem {
        Ecosystem::Npm => "npm",
        Ecosystem::Pypi => "pypi",
    }
}

fn wanted(spec: &Spec, ecosystem: Ecosystem) -> Result<Wanted, Failure> {
    let foreign = || {
        Failure::new(
            Kind::Usage,
            format!("`{}` is no package of a registry", url::without_credentials(&spec.typed)),
        )
        .cause("what comes from a URL, a repository or a directory has no version that could be pinned")
        .hint("install it yourself and name its program as the server's command")
    };
    let name = spec.name.clone().ok_or_else(foreign)?;
    // An alias (`npm:other@1`), a path, an address.
    let odd = |version: &str| match ecosystem {
        Ecosystem::Npm => version.contains([':', '/']),
        Ecosystem::Pypi => version.contains([':', '/', '@']),
    };
    let named = !name.is_empty()
        && !name.starts_with(['-', '.', '/'])
        && !name.contains("..")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "@/._-~".contains(c));
    if !named || spec.version.as_deref().is_some_and(odd) || spec.typed.contains(['\n', '\r']) {
        return Err(foreign());
    }
    Ok(Wanted { name, version: spec.version.clone(), typed: spec.typed.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::invocation::Runner;

    fn run(name: Option<&str>, version: Option<&str>) -> PackageRun {
        PackageRun {
            runner: Runner::Npx,
            ecosystem: Ecosystem::Npm,
            specs: vec![Spec {
                name: name.map(str::to_owned),
                version: version.map(str::to_owned),
                typed: format!("{}@{}", name.unwrap_or("x"), version.unwrap_or("")),
            }],
            entry: None,
            python: None,
            registry: None,
            arguments: Vec::new(),
        }
    }

    #[test]
    fn a_pin_is_of_one_request_at_one_registry() {
        let asked = |version| Asked::of(&run(Some("@a/b"), version)).unwrap();
        let key = |asked: &Asked, registry: &str| asked.key(Ecosystem::Npm, registry, None);
        let one = key(&asked(Some("1")), "https://r/");
        assert!(one.starts_with("npm-a_b-"), "{one}");
        assert_eq!(one, key(&asked(Some("1")), "https://u:p@r/"), "credentials change nothing");
        assert_ne!(one, key(&asked(Some("2")), "https://r/"));
        assert_ne!(one, key(&asked(Some("1")), "https://other/"));
    }

    #[test]
    fn what_is_no_package_of_a_registry_is_refused() {
        for (name, version) in [
            (None, None),
            (Some("x"), Some("npm:other@1")),
            (Some("x"), Some("git+ssh://h/r")),
            (Some("x"), Some("file:../x")),
            (Some("../x"), None),
            (Some("-g"), None),
        ] {
            let failure = Asked::of(&run(name, version)).unwrap_err();
            assert!(failure.to_string().contains("no package of a registry"), "{failure}");
        }
    }
}

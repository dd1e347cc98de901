//! Where a request's packages come from: tool, registry, interpreter, and so the key of its pin.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::config::{Npm, Python, Sealed};
use super::npm;
use super::pypi;
use super::request::{Asked, word};
use super::url;
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::identity::invocation::Ecosystem;

/// Everything about where packages come from.
#[derive(Debug)]
pub(crate) struct Source {
    /// What is asked for.
    pub(crate) asked: Asked,
    /// Name of its pin.
    pub(crate) key: String,
    /// Registry of the first package, without credentials.
    pub(crate) registry: String,
    /// How it is had.
    pub(crate) by: By,
}

/// Who fetches.
#[derive(Debug)]
pub(crate) enum By {
    /// npm
    Npm {
        /// The program, if there is one.
        tool: Option<npm::Tool>,
        /// Its settings.
        config: Npm,
    },
    /// uv or pip
    Python {
        /// The programs.
        tool: pypi::Tool,
        /// Their settings.
        config: Python,
    },
}

impl Source {
    /// Looks at the machine. `runner` is the word that the runner was called by, if it was.
    ///
    /// # Errors
    /// When the user's configuration cannot be read, or there is no Python.
    pub(crate) fn of(
        ecosystem: Ecosystem,
        asked: Asked,
        runner: Option<&OsStr>,
        facts: &Facts,
    ) -> Result<Self, Failure> {
        match ecosystem {
            Ecosystem::Npm => {
                let tool = npm::tool(runner, facts);
                let at = |pick: fn(&npm::Tool) -> &Option<PathBuf>| {
                    tool.as_ref().and_then(|tool| pick(tool).as_deref())
                };
                let config = Npm::read(facts, at(|tool| &tool.own), at(|tool| &tool.prefix))?;
                let config = config.with_registry(asked.registry.as_deref());
                let registry = url::without_credentials(&config.registry_of(asked.name()));
                let key = asked.key(ecosystem, &registry, None);
                Ok(Self { asked, key, registry, by: By::Npm { tool, config } })
            }
            Ecosystem::Pypi => {
                let tool = pypi::Tool::of(runner, asked.python.as_deref(), facts)?;
                let config = Python::read(facts, tool.speaks(), asked.registry.as_deref())?;
                let registry = url::without_credentials(&config.index());
                let key = asked.key(ecosystem, &registry, Some(&tool.python.version));
                Ok(Self { asked, key, registry, by: By::Python { tool, config } })
            }
        }
    }

    /// Which kind of registry.
    pub(crate) fn ecosystem(&self) -> &'static str {
        word(match self.by {
            By::Npm { .. } => Ecosystem::Npm,
            By::Python { .. } => Ecosystem::Pypi,
        })
    }

    /// What a tree is built for, beyond its lock file: the interpreter that a virtual environment links to.
    pub(crate) fn built_for(&self) -> String {
        match &self.by {
            By::Npm { .. } => String::new(),
            By::Python { tool, .. } => tool.python.program.display().to_string(),
        }
    }

    /// The part of the user's configuration that a fetch gets.
    ///
    /// # Errors
    /// When a file that it names cannot be read.
    pub(crate) fn sealed(&self, dir: &std::path::Path) -> Result<Sealed, Failure> {
        match &self.by {
            By::Npm { config, .. } => config.sealed(dir),
            By::Python { config, .. } => config.sealed(dir),
        }
    }

    /// npm, which has to be there for a fetch.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn npm(tool: Option<&npm::Tool>) -> Result<&npm::Tool, Failure> {
        tool.ok_or_else(|| {
            Failure::new(Kind::NotFound, "cannot fetch the package: there is no npm")
                .cause("neither beside the runner nor in PATH")
                .hint("install npm: it fetches for `bunx`, `pnpm dlx` and `yarn dlx` too, because its lock file names the hash of every package")
        })
    }
}

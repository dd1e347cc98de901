//! The table of trials, as `profiles/trials.toml` says it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Failure, Kind};
use crate::host;

/// What is known here of the servers that people really run.
const BUILT_IN: &str = include_str!("../../../profiles/trials.toml");

/// Servers, and what is asked of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Those that start.
    #[serde(default, rename = "server")]
    pub servers: Vec<Row>,
    /// Those that don't, or not without an account.
    #[serde(default)]
    pub absent: Vec<Absent>,
}

/// One server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its profile.
    pub name: String,
    /// Package URL with the version.
    pub package: String,
    /// Downloads a month, where the registry says.
    pub downloads: Option<u64>,
    /// How it is started.
    pub command: Vec<String>,
    /// Its own arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// What the client's entry sets.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Set for the bare run alone, as its profile does for the other.
    #[serde(default)]
    pub bare_env: BTreeMap<String, String>,
    /// Made in the working directory.
    #[serde(default)]
    pub files: Vec<TextFile>,
    /// Made in the home directory.
    #[serde(default)]
    pub home: Vec<TextFile>,
    /// Lines for a shell, run in the working directory once the files are there.
    #[serde(default)]
    pub prepare: Vec<String>,
    /// Programs without which it can't be tried.
    #[serde(default)]
    pub needs: Vec<String>,
    /// How many tools it lists.
    pub tools: usize,
    /// What answers in the place of hosts.
    #[serde(default)]
    pub fakes: Vec<Fake>,
    /// In this order, in one session.
    pub calls: Vec<Call>,
}

/// A file with what stands in it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TextFile {
    /// Relative.
    pub path: String,
    /// What stands in it.
    pub text: String,
}

/// What answers in the place of a host.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fake {
    /// The host.
    pub host: String,
    /// The port: TLS at 443 and 8443.
    pub port: u16,
    /// What the path begins with.
    pub path: Option<String>,
    /// Status of the answer, 200 if nothing is said.
    pub status: Option<u16>,
    /// Its type, `application/json` if nothing is said.
    #[serde(rename = "type")]
    pub media_type: Option<String>,
    /// What it answers.
    #[serde(default)]
    pub body: String,
    /// It is an MCP server over HTTP.
    #[serde(default)]
    pub mcp: bool,
    /// It is no web server: it answers this to whatever comes.
    pub tcp: Option<String>,
}

/// One call of a tool.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Its name.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
    /// How it has to end.
    pub error: Expected,
    /// What the answer has to hold.
    #[serde(default)]
    pub contains: Vec<String>,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// With a result.
    None,
    /// With a result that says it is an error.
    Tool,
    /// With an error of JSON-RPC.
    Protocol,
}

impl Expected {
    /// As people say it.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "a result",
            Self::Tool => "an error of the tool",
            Self::Protocol => "an error of the protocol",
        }
    }
}

/// A server that can't be tried.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    /// Its profile.
    pub name: String,
    /// Package URL.
    pub package: String,
    /// Why.
    pub reason: String,
}

impl Table {
    /// The one in this program, or that of a file.
    ///
    /// # Errors
    /// When the file can't be read or holds a mistake; the message names its line.
    pub fn load(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(file) = file else { return Self::parse(BUILT_IN, "the table in this program") };
        Self::parse(&host::read_text(file)?, &file.display().to_string())
    }

    fn parse(text: &str, name: &str) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| {
            Failure::new(Kind::Config, format!("{name} is no table of trials"))
                .cause(error.to_string())
                .hint("docs/profiles.md says what a table of trials holds")
        })
    }
}

impl Row {
    /// The version that is tried.
    pub fn version(&self) -> &str {
        let name = self.package.split('?').next().unwrap_or(&self.package);
        name.rsplit_once('@').map_or("", |(_, version)| version)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_built_in_table_is_in_order_and_asks_three_things_of_each_server() {
        let table = Table::load(None).expect("parses");
        let names: BTreeSet<_> = table.servers.iter().map(|row| &row.name).collect();
        assert_eq!(names.len(), table.servers.len(), "a name comes once");
        for row in &table.servers {
            assert!(row.calls.len() >= 3, "{}", row.name);
            assert!(!row.version().is_empty(), "{}", row.name);
            assert!(row.fakes.iter().all(|fake| fake.tcp.is_none() || fake.body.is_empty()), "{}", row.name);
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let error = Table::parse("[[server]]\nname = \"x\"\nsurprise = 1\n", "t.toml").expect_err("refused");
        assert!(error.to_string().contains("t.toml"), "{error}");
    }
}

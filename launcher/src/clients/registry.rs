//! What is known of each client, as data; the operating system is a value, so every table can be tested anywhere.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::clients::{claude_code, claude_desktop, cursor};

/// Operating systems on which the clients keep their configs in different places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Os {
    /// Linux and whatever follows its conventions.
    Linux,
    /// macOS.
    Mac,
    /// Windows.
    Windows,
}

/// Where a path starts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Base {
    /// The user's home directory.
    Home,
    /// The directory that this variable names, if it names an absolute one.
    Variable(&'static str),
}

/// One place where a client may keep its config.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// On this system.
    pub os: Os,
    /// Where the path starts.
    pub base: Base,
    /// The rest, with `/` between the parts.
    pub below: &'static str,
}

/// Which entries of a file are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scopes {
    /// `mcpServers` at the top.
    User,
    /// That, and `projects.PATH.mcpServers`.
    UserAndProjects,
}

/// Language of a config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(dead_code, reason = "the next change reads it")]
pub(crate) enum Format {
    /// JSON, with or without comments and trailing commas.
    Json,
    /// TOML 1.0.
    Toml,
    /// YAML 1.2.
    Yaml,
}

/// How an entry gives the command line of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A program and an array of its arguments.
    Words,
    /// One array: the program and its arguments.
    Line,
    /// An object of its own, with `path` and `args`.
    Nested,
}

/// Where the entries stand in a file, and the names of their members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Keys from the root. `*` is any key, and what it is called is the project's directory.
    pub at: &'static [&'static str],
    /// Are the entries items of an array, each with its `name`?
    pub list: bool,
    /// How the command line is given.
    pub form: Form,
    /// Name of the member with the program, or with the whole command line.
    pub command: &'static str,
    /// Name of the member with the arguments.
    pub args: &'static str,
    /// Name of the member with the environment.
    pub env: &'static str,
}

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its name in ids and flags.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Candidates, best first.
    pub places: &'static [Place],
    /// Which entries of its file are looked at.
    pub scopes: Scopes,
    /// How a change of the file reaches the running client.
    pub reload: &'static str,
}

/// A path of a client, and the directory that links on it must not leave.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    /// Whose.
    pub client: &'static Client,
    /// The file.
    pub path: PathBuf,
    /// Home, or what the relocating variable names.
    pub root: PathBuf,
}

/// All clients that this version knows.
pub(crate) const CLIENTS: [&Client; 3] = [&claude_desktop::CLIENT, &claude_code::CLIENT, &cursor::CLIENT];

impl Os {
    /// The system that this binary runs on.
    pub(crate) fn current() -> Self {
        match std::env::consts::OS {
            "macos" => Self::Mac,
            "windows" => Self::Windows,
            _ => Self::Linux,
        }
    }
}

impl Client {
    /// Where its config may be, best first.
    pub(crate) fn candidates(
        &'static self,
        os: Os,
        home: &Path,
        env: &BTreeMap<OsString, OsString>,
    ) -> Vec<Location> {
        let location = |place: &Place| {
            let root = match place.base {
                Base::Home => home.to_owned(),
                Base::Variable(name) => {
                    env.get(&OsString::from(name)).map(PathBuf::from).filter(|path| path.is_absolute())?
                }
            };
            let path = place.below.split('/').fold(root.clone(), |path, part| path.join(part));
            Some(Location { client: self, path, root })
        };
        let mut found: Vec<Location> = Vec::new();
        for location in self.places.iter().filter(|place| place.os == os).filter_map(location) {
            if found.iter().all(|known| known.path != location.path) {
                found.push(location);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(client: &'static Client, os: Os, env: &[(&str, &str)]) -> Vec<String> {
        let env = env.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        let found = client.candidates(os, Path::new("/h"), &env);
        found.into_iter().map(|location| location.path.display().to_string()).collect()
    }

    #[test]
    fn every_client_has_a_place_on_every_system() {
        let env = [("APPDATA", "/h/AppData/Roaming")];
        for (client, linux, macos, windows) in [
            (
                &claude_desktop::CLIENT,
                "/h/.config/Claude/claude_desktop_config.json",
                "/h/Library/Application Support/Claude/claude_desktop_config.json",
                "/h/AppData/Roaming/Claude/claude_desktop_config.json",
            ),
            (&claude_code::CLIENT, "/h/.claude.json", "/h/.claude.json", "/h/.claude.json"),
            (&cursor::CLIENT, "/h/.cursor/mcp.json", "/h/.cursor/mcp.json", "/h/.cursor/mcp.json"),
        ] {
            assert_eq!(paths(client, Os::Linux, &env), [linux]);
            assert_eq!(paths(client, Os::Mac, &env), [macos]);
            assert_eq!(paths(client, Os::Windows, &env)[0], windows);
        }
    }

    #[test]
    fn a_relocating_variable_comes_first_if_it_is_absolute() {
        let moved = [("CLAUDE_CONFIG_DIR", "/x")];
        assert_eq!(paths(&claude_code::CLIENT, Os::Linux, &moved), ["/x/.claude.json", "/h/.claude.json"]);
        assert_eq!(
            paths(&claude_code::CLIENT, Os::Linux, &[("CLAUDE_CONFIG_DIR", "x")]),
            ["/h/.claude.json"]
        );
        let same = [("XDG_CONFIG_HOME", "/h/.config")];
        assert_eq!(paths(&claude_desktop::CLIENT, Os::Linux, &same).len(), 1);
    }

    #[test]
    fn ids_are_one_path_part() {
        for client in CLIENTS {
            assert!(client.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", client.id);
        }
    }
}

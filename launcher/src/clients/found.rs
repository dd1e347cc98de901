//! A server by its name in the clients' configs: how it is started, and with which variables.

use std::path::Path;

use crate::clients::entry::{self, Entry, Scope, Shape};
use crate::clients::registry::{CLIENTS, Reach, World};
use crate::clients::spans::Document;
use crate::clients::store;
use crate::error::{Failure, Kind};
use crate::host::Facts;

/// How a client would start a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// `CLIENT/NAME`
    pub id: String,
    /// The server's own command line, without Stockade.
    pub words: Vec<String>,
    /// Its `env` block.
    pub env: Vec<(String, String)>,
}

/// The server that is called so: `CLIENT/NAME`, or a name that one client alone has. A project's entry counts only for
/// that project's directory.
///
/// # Errors
/// When there is none, or more than one, or it is not started by a command.
pub(crate) fn find(name: &str, facts: &Facts) -> Result<Found, Failure> {
    let (mut found, mut known, mut unfit) = (Vec::new(), Vec::new(), Vec::new());
    for client in &CLIENTS {
        let files = client.files(Reach::User, World::of(facts));
        let writable = files.iter().filter(|location| location.place.is_writable());
        for location in writable {
            let Some(original) = store::read(location).ok().flatten() else { continue };
            let Some(format) = location.place.format else { continue };
            let Ok(document) = Document::parse(&original.bytes, format) else { continue };
            for entry in entry::entries(&document, location.place.layouts).unwrap_or_default() {
                let id = entry::id(client, &entry.place.name);
                if !reaches(&entry.place.scope, &facts.cwd) || (id != name && entry.place.name != name) {
                    known.push(id);
                    continue;
                }
                match words(&entry) {
                    Ok(words) => found.push(Found { id, words, env: env(&document, &entry) }),
                    Err(why) => unfit.push(format!("{id} {why}")),
                }
            }
        }
    }
    let hint = if known.is_empty() {
        "no client's config names a server; name its command behind `--`".to_owned()
    } else {
        format!("there are: {}; or name its command behind `--`", known.join(", "))
    };
    match found.len() {
        1 => found.pop().ok_or_else(|| Failure::new(Kind::Software, "the server found is gone")),
        0 if unfit.is_empty() => {
            Err(Failure::new(Kind::Usage, format!("no client's config has a server `{name}`")).hint(hint))
        }
        0 => Err(Failure::new(Kind::Usage, format!("`{name}` cannot be started")).cause(unfit.join("; "))),
        _ => {
            let ids: Vec<String> = found.into_iter().map(|one| one.id).collect();
            Err(Failure::new(Kind::Usage, format!("more than one server is called `{name}`"))
                .hint(format!("name one of {}, or its command behind `--`", ids.join(", "))))
        }
    }
}

fn reaches(scope: &Scope, cwd: &Path) -> bool {
    match scope {
        Scope::User => true,
        Scope::Project(path) => cwd.starts_with(path),
    }
}

fn words(entry: &Entry) -> Result<Vec<String>, String> {
    let launch = match &entry.shape {
        Shape::Bare(launch) => return Ok(launch.words().into_iter().map(str::to_owned).collect()),
        Shape::Wrapped(wrapped) => wrapped,
        Shape::Remote => return Err("is a remote server, which no command starts".to_owned()),
        Shape::Odd(why) => return Err(format!("cannot be understood: {why}")),
    };
    if launch.is_short {
        return Err("says `run ID` alone; `stockade run ID` starts it".to_owned());
    }
    let at = launch.inner.ok_or("was written by hand and names no command behind `--`")?;
    let args = launch.launch.args.as_ref().map(|args| args.words.as_slice()).unwrap_or_default();
    Ok(args.get(at..).unwrap_or_default().to_vec())
}

fn env(document: &Document<'_>, entry: &Entry) -> Vec<(String, String)> {
    let members = entry::variables(document, entry).unwrap_or_default();
    members.into_iter().filter_map(|member| Some((member.name?, document.string(&member.value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(home: &Path) -> Facts {
        Facts {
            home: home.to_owned(),
            cwd: home.to_owned(),
            env: std::collections::BTreeMap::new(),
            ..Facts::gather().unwrap()
        }
    }

    #[test]
    fn a_wrapped_and_a_bare_entry_give_the_same_command() {
        let dir = tempfile::tempdir().unwrap();
        let home = std::fs::canonicalize(dir.path()).unwrap();
        std::fs::create_dir(home.join(".cursor")).unwrap();
        let config = r#"{"mcpServers":{
            "bare": {"command":"node","args":["s.js"],"env":{"TOKEN":"t"}},
            "held": {"command":"/x/stockade","args":["run","--id","cursor/held","--","node","s.js"]},
            "far": {"url":"https://example.org/mcp"}}}"#;
        std::fs::write(home.join(".cursor/mcp.json"), config).unwrap();
        let facts = facts(&home);
        let bare = find("bare", &facts).unwrap();
        assert_eq!(bare.words, ["node", "s.js"]);
        assert_eq!(bare.env, [("TOKEN".to_owned(), "t".to_owned())]);
        assert_eq!(find("cursor/held", &facts).unwrap().words, bare.words);
        assert!(find("far", &facts).unwrap_err().causes[0].contains("remote"));
        assert!(find("none", &facts).unwrap_err().hints[0].contains("cursor/bare"));
    }

    #[test]
    fn a_name_in_two_clients_has_to_be_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let home = std::fs::canonicalize(dir.path()).unwrap();
        std::fs::create_dir(home.join(".cursor")).unwrap();
        let config = r#"{"mcpServers":{"x":{"command":"true"}}}"#;
        std::fs::write(home.join(".cursor/mcp.json"), config).unwrap();
        std::fs::write(home.join(".claude.json"), config).unwrap();
        let refused = find("x", &facts(&home)).unwrap_err();
        assert!(
            refused.hints[0].contains("cursor/x") && refused.hints[0].contains("claude-code/x"),
            "{refused:?}"
        );
        assert_eq!(find("cursor/x", &facts(&home)).unwrap().words, ["true"]);
    }
}

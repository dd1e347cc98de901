//! The variables of the entries of a user's clients: which of them hold a secret in plain text, which refer to one, and how one is replaced.

use std::path::PathBuf;

use stockade_policy::detect::EnvironmentSecret;

use crate::clients::change::ATTEMPTS_MAX;
use crate::clients::edit::{self, Splice};
use crate::clients::entry::{self, Entry, Place, Shape};
use crate::clients::journal::Journal;
use crate::clients::registry::{Client, Format, Location, Reach, World};
use crate::clients::spans::{Document, Member, Span};
use crate::clients::store::{self, FileProblem};
use crate::secrets::Reference;

/// A variable in the `env` of an entry.
#[derive(Clone)]
pub(crate) struct Variable {
    /// The file.
    pub location: Location,
    /// That file, all links followed.
    pub path: PathBuf,
    /// Its language.
    pub format: Format,
    /// The entry.
    pub place: Place,
    /// `CLIENT/NAME`
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// That value as it is written.
    pub text: String,
    /// The server's own command line; empty if it is not known.
    pub words: Vec<String>,
    /// Whether the entry starts its server through Stockade.
    pub is_wrapped: bool,
}

impl Variable {
    /// What it refers to.
    pub(crate) fn reference(&self) -> Option<Reference> {
        Reference::parse(&self.value)
    }

    /// Whether its value is a secret that stands there for everybody to read.
    pub(crate) fn is_plain_secret(&self) -> bool {
        let openings = self.location.client.expands.unwrap_or_default().iter().chain(&["${"]);
        let is_expanded = openings.into_iter().any(|opening| self.value.contains(*opening));
        let is_secret =
            || EnvironmentSecret::of_variable(self.name.as_bytes(), self.value.as_bytes()).is_some();
        !is_expanded && self.reference().is_none() && is_secret()
    }
}

/// The files of these clients that are the user's and may be written; one that two of them read is the first one's.
pub(crate) fn user_files(chosen: &[&'static Client], world: World<'_>) -> Vec<Location> {
    let mut files: Vec<Location> = Vec::new();
    for location in chosen.iter().flat_map(|client| client.files(Reach::User, world)) {
        if files.iter().all(|known| known.path != location.path) {
            files.push(location);
        }
    }
    files
}

/// All variables of the entries in these files. What cannot be read has none.
pub(crate) fn variables(files: &[Location], journal: &Journal) -> Vec<Variable> {
    files
        .iter()
        .filter(|location| location.place.is_writable())
        .flat_map(|file| in_file(file, journal))
        .collect()
}

fn in_file(location: &Location, journal: &Journal) -> Vec<Variable> {
    let known = || {
        let original = store::read(location).ok()??;
        let format = location.place.format?;
        let document = Document::parse(&original.bytes, format).ok()?;
        let entries = entry::entries(&document, location.place.layouts).ok()?;
        let of_entry = |entry: &Entry| {
            let (words, is_wrapped) =
                command(entry, || journal.find(&original.path, &entry.place).map(|r| r.words));
            let members = entry::variables(&document, entry).unwrap_or_default().into_iter();
            let one = |member: Member| {
                Some(Variable {
                    location: location.clone(),
                    path: original.path.clone(),
                    format,
                    place: entry.place.clone(),
                    id: entry::id(location.client, &entry.place.name),
                    name: member.name?,
                    value: document.string(&member.value)?,
                    text: document.raw(&member.value).to_owned(),
                    words: words.clone(),
                    is_wrapped,
                })
            };
            members.filter_map(one).collect::<Vec<Variable>>()
        };
        Some(entries.iter().flat_map(of_entry).collect())
    };
    known().unwrap_or_default()
}

/// The server's own command line, and whether Stockade starts it.
fn command(entry: &Entry, recorded: impl FnOnce() -> Option<Vec<String>>) -> (Vec<String>, bool) {
    let texts = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect::<Vec<String>>();
    match &entry.shape {
        Shape::Bare(launch) => (texts(launch.words()), false),
        Shape::Wrapped(wrapped) if wrapped.is_short => (recorded().unwrap_or_default(), true),
        Shape::Wrapped(wrapped) => {
            let words = texts(wrapped.launch.words());
            (wrapped.inner.map_or_else(Vec::new, |inner| words[1 + inner..].to_vec()), true)
        }
        Shape::Remote | Shape::Odd(_) => (Vec::new(), false),
    }
}

/// Writes another text in place of a variable's value, into the file and into what the journal keeps of it.
///
/// # Errors
/// Why it was not done, in words; the file has not changed then.
pub(crate) fn put(variable: &Variable, text: &str, journal: &Journal) -> Result<(), String> {
    let location = &variable.location;
    for _ in 0..ATTEMPTS_MAX {
        let gone = || "its entry was changed meanwhile; nothing was done".to_owned();
        let original = store::read(location).map_err(|problem| problem.to_string())?.ok_or_else(gone)?;
        let old = Document::parse(&original.bytes, variable.format)
            .map_err(|error| format!("malformed: {error}"))?;
        let span = value_of(&old, variable).filter(|span| old.raw(span) == variable.text).ok_or_else(gone)?;
        let new = edit::apply(old.text(), vec![Splice { span: span.clone(), with: text.to_owned() }]);
        verify(&old, &new, variable, (&span, text))?;
        match store::replace(location, &original, new.as_bytes()) {
            Ok(()) => {
                let texts = (variable.text.as_str(), text);
                let retold = journal.retell(&original.path, &variable.place, texts);
                return retold.map_err(|error| {
                    format!("the file was changed, but not what the journal keeps of it: {error}")
                });
            }
            Err(FileProblem::Changed) => {}
            Err(problem) => return Err(problem.to_string()),
        }
    }
    Err(FileProblem::Changed.to_string())
}

fn value_of(document: &Document<'_>, variable: &Variable) -> Option<Span> {
    let entries = entry::entries(document, variable.location.place.layouts).ok()?;
    let entry = entries.iter().find(|entry| entry.place == variable.place)?;
    let members = entry::variables(document, entry)?;
    let mut named = members.into_iter().filter(|member| member.name.as_deref() == Some(&variable.name));
    let only = named.next()?;
    // Which of two counts is not defined.
    named.next().is_none().then_some(only.value)
}

/// That this value and nothing else is another one.
fn verify(
    old: &Document<'_>,
    new: &str,
    variable: &Variable,
    (span, text): (&Span, &str),
) -> Result<(), String> {
    let stopped = |why: &str| format!("the edit was given up, because {why}; please report this");
    let new =
        Document::parse(new.as_bytes(), variable.format).map_err(|error| stopped(&error.to_string()))?;
    let value = value_of(&new, variable).ok_or_else(|| stopped("the entry would be gone"))?;
    if new.raw(&value) != text || new.string(&value).is_none() {
        return Err(stopped("the value would not be what it should"));
    }
    if new.leaves(Some(&value)) != old.leaves(Some(span)) {
        return Err(stopped("another value would change"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::registry::{Os, named};

    fn of(client: &str, path: &str, text: &str) -> (tempfile::TempDir, Vec<Variable>) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        let env = std::collections::BTreeMap::new();
        let world = World { os: Os::Linux, home: dir.path(), env: &env, project: None };
        let found = variables(&user_files(&[named(client).unwrap()], world), &Journal::peek(dir.path()));
        (dir, found)
    }

    #[test]
    fn secrets_in_plain_text_are_told_from_settings_references_and_what_the_client_expands() {
        let (_dir, found) = of(
            "cursor",
            ".cursor/mcp.json",
            r#"{"mcpServers": {"a": {"command": "c", "env": {
                "GITHUB_TOKEN": "ghp_R8dkWqLz3vTnYb2XcJm7PfHsA1eUo4", "LOG_LEVEL": "debug",
                "API_TOKEN": "${env:API_TOKEN}", "OTHER_TOKEN": "stockade-secret:cursor/a/OTHER_TOKEN", "N": 3}}}}"#,
        );
        let plain: Vec<&str> =
            found.iter().filter(|v| v.is_plain_secret()).map(|v| v.name.as_str()).collect();
        assert_eq!(plain, ["GITHUB_TOKEN"]);
        assert_eq!(found.len(), 4, "a number is no value that a program is given as text");
        assert!(found.iter().any(|variable| variable.reference().is_some()));
    }

    #[test]
    fn a_value_is_put_there_and_back_byte_for_byte_in_every_language() {
        let yaml = "extensions:\n  a:\n    type: stdio\n    cmd: npx # runs\n    args: [-y, p]\n    envs:\n      T: ghp_x1 # mine\n    enabled: true\n";
        for (client, path, text, token) in [
            (
                "cursor",
                ".cursor/mcp.json",
                "{\r\n\t\"mcpServers\": {\"a\": {\"command\": \"c\", \"env\": {\"T\" : \"gh\\u0070_x1\" /* mine */,}}}}",
                "\"gh\\u0070_x1\"",
            ),
            (
                "codex",
                ".codex/config.toml",
                "[mcp_servers.a]\ncommand = \"c\"\n[mcp_servers.a.env]\nT = 'ghp_x1' # mine\n",
                "'ghp_x1'",
            ),
            ("goose", ".config/goose/config.yaml", yaml, "ghp_x1"),
        ] {
            let (dir, found) = of(client, path, text);
            let journal = Journal::open(dir.path()).unwrap();
            let [one] = found.as_slice() else { panic!("{client}: {}", found.len()) };
            assert_eq!((one.value.as_str(), one.text.as_str()), ("ghp_x1", token));
            put(one, "\"stockade-secret:x/a/T\"", &journal).unwrap();
            let changed = std::fs::read_to_string(dir.path().join(path)).unwrap();
            assert_eq!(changed, text.replace(token, "\"stockade-secret:x/a/T\""));
            let again = put(one, "\"y\"", &journal).unwrap_err();
            assert!(again.contains("changed meanwhile"), "{again}");
            let moved = Variable { text: "\"stockade-secret:x/a/T\"".to_owned(), ..one.clone() };
            put(&moved, token, &journal).unwrap();
            assert_eq!(std::fs::read_to_string(dir.path().join(path)).unwrap(), text);
        }
    }
}

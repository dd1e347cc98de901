//! Secrets of clients' entries that lie in the system's keychain: the entry holds a reference, and only a start puts the value in its place.
//!
//! A secret belongs to one variable of one server (what runs, whatever its version): an entry that names another program gets nothing.

mod keychain;
mod store;

use std::ffi::OsString;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clients::{Format, quoted};
use crate::error::{Failure, Kind};
pub(crate) use keychain::{KeychainError, step};
use keychain::{Op, ask};

/// How a reference begins. No client expands anything in it.
const PREFIX: &str = "stockade-secret:";
const NAME_BYTES_MAX: usize = 256;
/// Version of [`Item`].
const VERSION: u32 = 1;

/// What stands in an entry in place of a secret: `stockade-secret:claude-code/github/GITHUB_TOKEN`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reference(String);

/// What the keychain holds under the name of a reference.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    version: u32,
    /// The variable that it is for.
    pub variable: String,
    /// The server that it is for, as [`crate::plan::lasting_identity`] knows it.
    pub server: String,
    /// The secret.
    pub value: String,
    /// How it stood in its file, to be put back byte for byte, and in which language.
    text: Option<(String, String)>,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item({} of {})", self.variable, self.server)
    }
}

impl Reference {
    /// A value that is a reference and nothing else.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let name = value.strip_prefix(PREFIX)?;
        let is_plain = name.bytes().all(|byte| is_plain(byte) || byte == b'/' || byte == b'~');
        (is_plain && !name.is_empty() && name.len() <= NAME_BYTES_MAX).then(|| Self(name.to_owned()))
    }

    /// The one for a variable of the entry `CLIENT/NAME`; the first is number 1.
    pub(crate) fn new(id: &str, variable: &str, number: usize) -> Self {
        let plain = |text: &str| -> String {
            let part: String = text.chars().take(80).collect();
            part.bytes().map(|byte| if is_plain(byte) { char::from(byte) } else { '_' }).collect()
        };
        let (client, name) = id.split_once('/').unwrap_or(("", id));
        let suffix = if number == 1 { String::new() } else { format!("~{number}") };
        Self(format!("{}/{}/{}{suffix}", plain(client), plain(name), plain(variable)))
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl Item {
    /// A secret of a variable of a server.
    pub(crate) fn new(variable: &str, server: &str, value: &str) -> Self {
        let (variable, server, value) = (variable.to_owned(), server.to_owned(), value.to_owned());
        Self { version: VERSION, variable, server, value, text: None }
    }

    /// The same secret, for another variable or server.
    #[must_use]
    pub(crate) fn given_to(self, variable: &str, server: &str) -> Self {
        Self { variable: variable.to_owned(), server: server.to_owned(), ..self }
    }

    /// With its text in a file of this language.
    #[must_use]
    pub(crate) fn written(self, text: &str, format: Format) -> Self {
        Self { text: Some((format!("{format:?}"), text.to_owned())), ..self }
    }

    /// Its text for a file of this language.
    fn text(&self, format: Format) -> String {
        match &self.text {
            Some((language, text)) if *language == format!("{format:?}") => text.clone(),
            _ => quoted(&self.value),
        }
    }
}

/// What lies under these references; `None` where nothing does.
///
/// # Errors
/// When the keychain cannot be asked.
pub(crate) fn get(references: &[Reference]) -> Result<Vec<Option<Item>>, KeychainError> {
    if references.is_empty() {
        return Ok(Vec::new());
    }
    let names = references.iter().map(|reference| reference.0.clone()).collect();
    let items = ask(&Op::Get { names })?;
    // What somebody else has put there under our name is none of ours.
    Ok(items.into_iter().map(|item| serde_json::from_str(&item?).ok()).collect())
}

/// Keeps an item under a reference, in place of what lies there.
///
/// # Errors
/// When the keychain cannot be asked, or does not give back what it was given.
pub(crate) fn set(reference: &Reference, item: &Item) -> Result<(), KeychainError> {
    let text = serde_json::to_string(item).map_err(|error| KeychainError::Refused(error.to_string()))?;
    ask(&Op::Set { name: reference.0.clone(), item: text })?;
    match get(std::slice::from_ref(reference))?.pop().flatten() {
        Some(kept) if kept == *item => Ok(()),
        _ => Err(KeychainError::Refused("it does not give back what it was given".to_owned())),
    }
}

/// Whether the keychain takes something and gives it back.
///
/// # Errors
/// Why not.
pub(crate) fn try_out() -> Result<(), KeychainError> {
    let reference = Reference::new("stockade/test", &uuid::Uuid::new_v4().to_string(), 1);
    set(&reference, &Item::new("test", "test", "test"))?;
    delete(&reference)
}

/// Removes what lies under a reference; nothing there is no error.
///
/// # Errors
/// When the keychain cannot be asked.
pub(crate) fn delete(reference: &Reference) -> Result<(), KeychainError> {
    ask(&Op::Delete { name: reference.0.clone() }).map(|_| ())
}

/// The text of a secret in a file of this language; or why there is none, in words.
///
/// # Errors
/// When the keychain cannot be asked, or has none.
pub(crate) fn text_of(reference: &Reference, format: Format) -> Result<String, String> {
    let found =
        get(std::slice::from_ref(reference)).map_err(|error| format!("{error}; {}", error.remedy()))?;
    match found.into_iter().next().flatten() {
        Some(item) => Ok(item.text(format)),
        None => Err(format!("the keychain has no {reference}; write the value into the entry by hand")),
    }
}

/// Puts the values in place of the references among the variables of a server that is about to start; names of those variables.
///
/// # Errors
/// When the keychain cannot be asked, has none, or has it for another server or variable: then nothing starts.
pub(crate) fn fill(env: &mut [(OsString, OsString)], server: &str) -> Result<Vec<String>, Failure> {
    let refers = |(name, value): &(OsString, OsString)| {
        Some((name.to_str()?.to_owned(), Reference::parse(value.to_str()?)?))
    };
    let found: Vec<(String, Reference)> = env.iter().filter_map(refers).collect();
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let references: Vec<Reference> = found.iter().map(|(_, reference)| reference.clone()).collect();
    let names: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
    let not =
        || Failure::new(Kind::Config, format!("the server was not started without its {}", names.join(", ")));
    let items = get(&references).map_err(|error| not().because(&error).hint(error.remedy()))?;
    for ((name, reference), item) in found.iter().zip(items) {
        let id = id_of(reference);
        let item = item.ok_or_else(|| {
            not()
                .cause(format!("the keychain of this user has no {reference}"))
                .hint(format!("`stockade secrets set {id} {name}` asks for the value and keeps it there"))
        })?;
        if item.variable != *name || item.server != server {
            return Err(Failure::new(
                Kind::Permission,
                format!("the server does not get the secret of its {name}"),
            )
            .cause(format!(
                "{reference} was kept for the variable {} of {}, and what starts here is {server}",
                item.variable, item.server
            ))
            .hint(format!(
                "if it is to have it, `stockade secrets allow {id}` says so; else write another value"
            )));
        }
        if let Some((_, value)) = env.iter_mut().find(|(own, _)| own == name.as_str()) {
            *value = OsString::from(item.value);
        }
    }
    Ok(names)
}

/// `CLIENT/NAME` of the entry that a reference was made for.
fn id_of(reference: &Reference) -> &str {
    reference.0.rsplit_once('/').map_or(reference.0.as_str(), |(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_it_is_written_and_nothing_else_is_one() {
        for (id, variable, number, text) in [
            ("claude-code/github", "GITHUB_TOKEN", 1, "stockade-secret:claude-code/github/GITHUB_TOKEN"),
            ("cursor/a b/ü", "T", 2, "stockade-secret:cursor/a_b___/T~2"),
            ("cursor/${x}\"", "T", 1, "stockade-secret:cursor/__x__/T"),
        ] {
            let reference = Reference::new(id, variable, number);
            assert_eq!(reference.to_string(), text);
            assert_eq!(Reference::parse(text), Some(reference));
        }
        for other in [
            "",
            "stockade-secret:",
            "stockade-secret:a b",
            "Bearer stockade-secret:a/b/C",
            "stockade-secret:a/b/C\n",
        ] {
            assert_eq!(Reference::parse(other), None, "{other}");
        }
        assert_eq!(Reference::parse(&format!("{PREFIX}{}", "a".repeat(NAME_BYTES_MAX + 1))), None);
    }

    #[test]
    fn a_secret_comes_back_as_it_was_written_in_its_language_and_is_never_shown() {
        let item = Item::new("T", "pkg:npm/x", "tok\"en").written("'tok\"en'", Format::Toml);
        assert_eq!(item.text(Format::Toml), "'tok\"en'");
        assert_eq!(item.text(Format::Json), r#""tok\"en""#);
        assert!(!format!("{item:?}").contains("tok"));
    }

    #[test]
    fn variables_without_a_reference_ask_nobody() {
        let mut env = vec![(OsString::from("A"), OsString::from("b"))];
        assert_eq!(fill(&mut env, "x").unwrap(), [""; 0]);
    }
}

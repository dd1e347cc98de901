//! `profiles/clients/ID.toml`, a file a client, as constant tables. A mistake in any of them ends the build.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use stockade_policy::document::profile::Source;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    id: String,
    name: String,
    reload: String,
    hot_reload: Option<bool>,
    asks_again: Option<bool>,
    #[serde(default)]
    locks: bool,
    expands: Option<Vec<String>>,
    sources: Vec<String>,
    #[serde(default)]
    new: New,
    place: Vec<Place>,
}

/// What an entry that we write ourselves has to have beside its command.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    /// Under which keys, if there are several; else under those of the place.
    #[serde(default)]
    at: Vec<String>,
    /// Whether it says its own name once more.
    #[serde(default)]
    name: bool,
    #[serde(default)]
    members: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    os: Vec<Os>,
    scope: Reach,
    confidence: Confidence,
    paths: Vec<String>,
    format: Format,
    #[serde(default)]
    why: String,
    #[serde(default)]
    servers: Vec<Layout>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    at: Vec<String>,
    #[serde(default)]
    list: bool,
    #[serde(default)]
    form: Form,
    #[serde(default = "command")]
    command: String,
    #[serde(default = "args")]
    args: String,
    #[serde(default = "env")]
    env: String,
}

// The names of the variants are those of the launcher's own types.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Os {
    Linux,
    #[serde(rename = "macos")]
    Mac,
    Windows,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Reach {
    User,
    Project,
    Managed,
    Plugin,
    Extension,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Confidence {
    High,
    Medium,
    Low,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Toml,
    Yaml,
    None,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    Words,
    Line,
}

fn command() -> String {
    "command".to_owned()
}

fn args() -> String {
    "args".to_owned()
}

fn env() -> String {
    "env".to_owned()
}

/// The tables as Rust source.
pub(crate) fn tables(sources: &[Source]) -> Result<String, Vec<String>> {
    let (mut clients, mut mistakes) = (Vec::new(), Vec::new());
    for source in sources {
        match toml::from_str::<Client>(&source.text) {
            Ok(client) => {
                let found = self::mistakes(&client, Path::new(&source.file));
                mistakes.extend(found.into_iter().map(|what| format!("{}: {what}", source.file)));
                clients.push(client);
            }
            Err(error) => {
                let line = error
                    .span()
                    .map_or(0, |span| 1 + source.text.get(..span.start).unwrap_or("").matches('\n').count());
                mistakes.push(format!("{}:{line}: {}", source.file, error.message()));
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut out = String::from("/// All clients that this version knows.\n");
    // Writing to a String cannot fail.
    let _ = writeln!(out, "pub(crate) static CLIENTS: [Client; {}] = [", clients.len());
    for client in &clients {
        let _ = write_client(&mut out, client);
    }
    out.push_str("];\n");
    Ok(out)
}

fn mistakes(client: &Client, file: &Path) -> Vec<String> {
    let mut found = Vec::new();
    if file.file_stem().is_none_or(|stem| stem != client.id.as_str()) {
        found.push(format!("`id` is `{}`, which is not the file's name", client.id));
    }
    if !client.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        found.push("`id` has to be of a-z, 0-9 and `-`".to_owned());
    }
    let has = |place: &Place| place.servers.iter().any(|layout| layout.at == client.new.at);
    if !client.new.at.is_empty() && !client.place.iter().any(has) {
        found.push("`new.at` is no `at` of a place".to_owned());
    }
    if client.new.members.values().any(|value| literal(value).is_none()) {
        found.push(
            "a member of `new.members` is neither a string, a truth value nor a list of strings".to_owned(),
        );
    }
    if client.sources.is_empty() {
        found.push("`sources` is empty: say where this is documented".to_owned());
    }
    for place in &client.place {
        let at = place.paths.first().map_or("", String::as_str);
        for path in place.paths.iter().filter(|path| !starts_somewhere(path)) {
            found.push(format!(
                "`{path}` starts neither with `~/`, `$VAR/`, `<project>/`, `/` nor a drive, or has a `\\`"
            ));
        }
        match place.format {
            Format::None if place.why.is_empty() || !place.servers.is_empty() => {
                found.push(format!("{at}: what is no file needs a `why`, and has no servers in it"));
            }
            Format::Json | Format::Toml | Format::Yaml
                if place.servers.is_empty() || place.paths.is_empty() =>
            {
                found.push(format!("{at}: it has no `[[place.servers]]` or no `paths`"));
            }
            _ => {}
        }
        if place.confidence == Confidence::Low && place.why.is_empty() {
            found.push(format!("{at}: low confidence needs a `why`"));
        }
        if place.os.is_empty() {
            found.push(format!("{at}: `os` is empty"));
        }
    }
    found
}

fn starts_somewhere(path: &str) -> bool {
    let start = path.starts_with("~/")
        || path.starts_with('$')
        || path.starts_with("<project>/")
        || path.starts_with('/')
        || path.get(1..3) == Some(":/");
    start && !path.contains('\\')
}

/// As JSON, TOML and YAML write it alike.
fn literal(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(format!("{text:?}")),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<String>> =
                items.iter().map(|item| item.as_str().map(|text| format!("{text:?}"))).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        _ => None,
    }
}

fn write_client(out: &mut String, client: &Client) -> std::fmt::Result {
    let Client { id, name, reload, hot_reload, asks_again, locks, expands, new, .. } = client;
    writeln!(out, "    Client {{ id: {id:?}, name: {name:?}, reload: {reload:?},")?;
    writeln!(out, "        hot_reload: {hot_reload:?}, asks_again: {asks_again:?},")?;
    writeln!(out, "        locks: {locks},")?;
    let members: Vec<(&String, Option<String>)> =
        new.members.iter().map(|(name, value)| (name, literal(value))).collect();
    let members: Vec<(&String, String)> =
        members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    writeln!(out, "        new: New {{ at: &{:?}, name: {:?}, members: &{members:?} }},", new.at, new.name)?;
    match expands {
        Some(openings) => writeln!(out, "        expands: Some(&{openings:?}), places: &[")?,
        None => writeln!(out, "        expands: None, places: &[")?,
    }
    for place in &client.place {
        let os: Vec<String> = place.os.iter().map(|os| format!("Os::{os:?}")).collect();
        writeln!(out, "        Place {{ os: &[{}], reach: Reach::{:?},", os.join(", "), place.scope)?;
        writeln!(
            out,
            "            confidence: Confidence::{:?}, paths: &{:?},",
            place.confidence, place.paths
        )?;
        match place.format {
            Format::None => writeln!(out, "            format: None, why: {:?}, layouts: &[", place.why)?,
            format => {
                writeln!(
                    out,
                    "            format: Some(Format::{format:?}), why: {:?}, layouts: &[",
                    place.why
                )?;
            }
        }
        for Layout { at, list, form, command, args, env } in &place.servers {
            writeln!(out, "            Layout {{ at: &{at:?}, list: {list}, form: Form::{form:?},")?;
            writeln!(out, "                command: {command:?}, args: {args:?}, env: {env:?} }},")?;
        }
        writeln!(out, "        ] }},")?;
    }
    writeln!(out, "    ] }},")
}

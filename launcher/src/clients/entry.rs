//! The server entries of a client's config: where each stands, and how it starts its server.

use std::collections::BTreeMap;

use crate::clients::registry::{Client, Scopes};
use crate::clients::spans::{Document, Member, Span};

/// Keys under which the clients name a remote server.
const REMOTE_KEYS: [&str; 4] = ["url", "serverUrl", "httpUrl", "uri"];
/// Values of `type` that name a remote transport.
const REMOTE_TYPES: [&str; 5] = ["http", "streamable-http", "streamableHttp", "sse", "ws"];

/// For whom an entry holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// `mcpServers` at the top: everywhere.
    User,
    /// `projects.PATH.mcpServers`: in one project directory.
    Project(String),
}

/// Where an entry stands: its pointer, in effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// For whom it holds.
    pub scope: Scope,
    /// Its key.
    pub name: String,
}

/// One server entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Where it stands.
    pub place: Place,
    /// Its value, `{` to `}`.
    pub span: Span,
    /// How it starts its server.
    pub shape: Shape,
}

/// How an entry starts its server.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A command of its own.
    Bare(Launch),
    /// `stockade run … -- COMMAND`.
    Wrapped(Wrapped),
    /// It connects to a server elsewhere.
    Remote,
    /// It cannot be understood, and why.
    Odd(String),
}

/// `command` and `args` of an entry.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The member `"command": …`.
    pub command: Member,
    /// The command's text.
    pub program: String,
    /// `args`, if there is such a member.
    pub args: Option<Args>,
}

/// The member `"args": […]`.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    /// The member.
    pub member: Member,
    /// The items.
    pub items: Vec<Span>,
    /// Their texts.
    pub words: Vec<String>,
}

/// An entry that starts its server through Stockade.
#[derive(Clone, Debug)]
pub(crate) struct Wrapped {
    /// The entry as it stands.
    pub launch: Launch,
    /// `--id`.
    pub id: Option<String>,
    /// Which item of `args` is the server's own command; `None` without a `--` (written by hand).
    pub inner: Option<usize>,
    /// The words between `run` and `--` that `wrap` did not write.
    pub flags: Vec<String>,
}

impl Launch {
    /// The command line.
    pub(crate) fn words(&self) -> Vec<&str> {
        let args = self.args.iter().flat_map(|args| args.words.iter().map(String::as_str));
        std::iter::once(self.program.as_str()).chain(args).collect()
    }
}

/// The id of an entry: `CLIENT/NAME`.
pub(crate) fn id(client: &Client, name: &str) -> String {
    format!("{}/{name}", client.id)
}

/// All entries, in the order of the file.
///
/// # Errors
/// When the document is not the object of objects that it should be, or a key on the way occurs twice (clients do not
/// agree which of the two counts). In words, fit after "left alone:".
pub(crate) fn entries(document: &Document<'_>, scopes: Scopes) -> Result<Vec<Entry>, String> {
    let Some(root) = document.root() else { return Ok(Vec::new()) };
    let top = document.members(&root).ok_or("the file does not hold an object")?;
    let mut found = servers(document, &top, &Scope::User)?;
    if scopes == Scopes::UserAndProjects
        && let Some(projects) = single(document, &top, "projects")?
    {
        for project in document.members(&projects.value).unwrap_or_default() {
            let (Some(path), Some(members)) = (project.name, document.members(&project.value)) else {
                continue;
            };
            found.extend(servers(document, &members, &Scope::Project(path))?);
        }
    }
    refuse_repeated(&mut found);
    Ok(found)
}

/// Names of the variables in the entry's `env`.
pub(crate) fn env_names(document: &Document<'_>, entry: &Entry) -> Option<Vec<String>> {
    let members = document.members(&entry.span)?;
    let Some(env) = single(document, &members, "env").ok()? else { return Some(Vec::new()) };
    document.members(&env.value)?.into_iter().map(|member| member.name).collect()
}

/// Two entries of one name, or one project twice: nobody can say which counts.
fn refuse_repeated(found: &mut [Entry]) {
    let mut count: BTreeMap<Place, usize> = BTreeMap::new();
    for entry in found.iter() {
        *count.entry(entry.place.clone()).or_default() += 1;
    }
    for entry in found.iter_mut().filter(|entry| count.get(&entry.place).is_some_and(|times| *times > 1)) {
        entry.shape =
            Shape::Odd("its name occurs twice, and which of the two counts is not defined".to_owned());
    }
}

fn servers(document: &Document<'_>, members: &[Member], scope: &Scope) -> Result<Vec<Entry>, String> {
    let Some(servers) = single(document, members, "mcpServers")? else { return Ok(Vec::new()) };
    let servers = document.members(&servers.value).ok_or_else(|| {
        format!("`mcpServers` in line {} is not an object", document.line(servers.value.start))
    })?;
    let entry = |member: Member| Entry {
        shape: match &member.name {
            Some(_) => shape(document, &member.value).unwrap_or_else(Shape::Odd),
            None => Shape::Odd("its name holds half a character (a lone surrogate)".to_owned()),
        },
        place: Place {
            scope: scope.clone(),
            name: member.name.unwrap_or_else(|| document.raw(&member.key).to_owned()),
        },
        span: member.value,
    };
    Ok(servers.into_iter().map(entry).collect())
}

/// How the entry at `span` starts its server.
///
/// # Errors
/// Why it cannot be understood.
pub(crate) fn shape(document: &Document<'_>, span: &Span) -> Result<Shape, String> {
    let members = document.members(span).ok_or("it is not an object")?;
    let has = |key: &str| members.iter().any(|member| member.name.as_deref() == Some(key));
    let transport = single(document, &members, "type")?.and_then(|member| document.string(&member.value));
    let remote_type = transport.as_deref().is_some_and(|name| REMOTE_TYPES.contains(&name));
    let remote_key = REMOTE_KEYS.into_iter().find(|key| has(key));
    let command = match (single(document, &members, "command")?, remote_key) {
        (None, Some(_)) => return Ok(Shape::Remote),
        (None, None) if remote_type => return Ok(Shape::Remote),
        (None, None) => return Err("it has neither `command` nor `url`".to_owned()),
        (Some(_), Some(key)) => {
            return Err(format!("it has both `command` and `{key}`, and which counts is not defined"));
        }
        (Some(_), None) if remote_type => {
            return Err("it has a `command`, but its `type` is that of a remote server".to_owned());
        }
        (Some(command), None) => command,
    };
    let program = document.string(&command.value).ok_or("`command` is not a string")?;
    if program.is_empty() || program.contains('\0') {
        return Err("`command` is not the name of a program".to_owned());
    }
    let args = match single(document, &members, "args")? {
        Some(member) => Some(args(document, member)?),
        None => None,
    };
    let launch = Launch { command, program, args };
    Ok(wrapped(&launch).map_or(Shape::Bare(launch), Shape::Wrapped))
}

fn args(document: &Document<'_>, member: Member) -> Result<Args, String> {
    let items = document.items(&member.value).ok_or("`args` is not an array")?;
    let words: Result<Vec<String>, String> = items
        .iter()
        .map(|item| {
            let word = document.string(item).filter(|word| !word.contains('\0'));
            word.ok_or_else(|| {
                let line = document.line(item.start);
                format!("an item of `args` in line {line} is not a string that a program can be given")
            })
        })
        .collect();
    Ok(Args { words: words?, member, items })
}

/// Recognises `…/stockade run …`, with `--id` and `--` or without.
fn wrapped(launch: &Launch) -> Option<Wrapped> {
    let file = launch.program.rsplit(['/', '\\']).next()?;
    let words = &launch.args.as_ref()?.words;
    if !matches!(file, "stockade" | "stockade.exe") || words.first()? != "run" {
        return None;
    }
    let dashes = words.iter().position(|word| word == "--");
    let ours = &words[1..dashes.unwrap_or(1)];
    let mut id = None;
    let mut flags = Vec::new();
    let mut rest = ours.iter();
    while let Some(word) = rest.next() {
        match word.strip_prefix("--id") {
            Some("") if id.is_none() => id = rest.next().cloned(),
            Some(value) if value.starts_with('=') && id.is_none() => id = Some(value[1..].to_owned()),
            _ => flags.push(word.clone()),
        }
    }
    let inner = dashes.map(|at| at + 1).filter(|at| *at < words.len());
    Some(Wrapped { launch: launch.clone(), id, inner, flags })
}

/// The member of this name; more than one is an error.
fn single(document: &Document<'_>, members: &[Member], key: &str) -> Result<Option<Member>, String> {
    let mut named = members.iter().filter(|member| member.name.as_deref() == Some(key));
    let first = named.next();
    match (first, named.next()) {
        (Some(first), Some(second)) => Err(format!(
            "the key `{key}` occurs twice (lines {} and {}), and which of the two counts is not defined",
            document.line(first.key.start),
            document.line(second.key.start)
        )),
        _ => Ok(first.cloned()),
    }
}

#[cfg(test)]
mod tests;

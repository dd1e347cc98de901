//! The server entries of a client's config: where each stands, and how it starts its server.

use std::collections::BTreeMap;

use crate::clients::registry::{self, Client, Form, Format, Layout};
use crate::clients::spans::{Document, Member, Span};

/// Keys under which the clients name a remote server.
const REMOTE_KEYS: [&str; 5] = ["url", "serverUrl", "httpUrl", "uri", "baseUrl"];
/// Values of `type` that name a remote transport.
const REMOTE_TYPES: [&str; 5] = ["http", "streamable-http", "streamableHttp", "sse", "ws"];

/// Kinds of extensions that a client runs within itself (Goose): they are no servers of somebody else's.
const BUILT_IN_TYPES: [&str; 4] = ["builtin", "platform", "frontend", "inline_python"];

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
    /// The names of its members.
    pub layout: Layout,
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

/// `command` and `args` of an entry. Where one array holds the whole command line, `command` is its first item and `args` the others.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// How the two are given.
    pub form: Form,
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
    /// Whether it is `run ID` and nothing more, with the command in the journal.
    pub is_short: bool,
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

/// All entries of these layouts, in the order of the file for each.
///
/// # Errors
/// When the document is not the object of objects that it should be, or a key on the way occurs twice (clients do not
/// agree which of the two counts). In words, fit after "left alone:".
pub(crate) fn entries(document: &Document<'_>, layouts: &[Layout]) -> Result<Vec<Entry>, String> {
    let Some(root) = document.root() else { return Ok(Vec::new()) };
    if document.members(&root).is_none() {
        return Err("the file does not hold an object".to_owned());
    }
    let mut found = Vec::new();
    for layout in layouts {
        let mut below = Vec::new();
        walk(document, (&root, layout.at), &Scope::User, layout, &mut below)?;
        // What is the way to other entries is none itself.
        let way = |entry: &Entry| {
            let deeper = layouts.iter().filter_map(|other| other.at.strip_prefix(layout.at)?.first());
            deeper.into_iter().any(|key| *key == entry.place.name)
        };
        found.extend(below.into_iter().filter(|entry| !way(entry)));
    }
    refuse_repeated(&mut found);
    Ok(found)
}

/// Follows the keys of a layout down to the servers.
fn walk(
    document: &Document<'_>,
    (span, at): (&Span, &[&str]),
    scope: &Scope,
    layout: &Layout,
    found: &mut Vec<Entry>,
) -> Result<(), String> {
    let Some((key, rest)) = at.split_first() else {
        found.extend(servers(document, span, scope, layout)?);
        return Ok(());
    };
    let Some(members) = document.members(span) else { return Ok(()) };
    if *key != "*" {
        let Some(member) = single(document, &members, key)? else { return Ok(()) };
        if rest.is_empty() && !holds_servers(document, &member.value, layout) {
            let line = document.line(member.value.start);
            let kind = if layout.list { "array" } else { "object" };
            return Err(format!("`{key}` in line {line} is not an {kind}"));
        }
        return walk(document, (&member.value, rest), scope, layout, found);
    }
    for project in members {
        let Some(path) = project.name else { continue };
        walk(document, (&project.value, rest), &Scope::Project(path), layout, found)?;
    }
    Ok(())
}

fn holds_servers(document: &Document<'_>, span: &Span, layout: &Layout) -> bool {
    match layout.list {
        true => document.items(span).is_some(),
        false => document.members(span).is_some(),
    }
}

/// Names of the variables in the entry's `env`.
pub(crate) fn env_names(document: &Document<'_>, entry: &Entry) -> Option<Vec<String>> {
    variables(document, entry)?.into_iter().map(|member| member.name).collect()
}

/// The members of the entry's `env`; `None` if that is no object, or stands there twice.
pub(crate) fn variables(document: &Document<'_>, entry: &Entry) -> Option<Vec<Member>> {
    let members = document.members(&entry.span)?;
    let Some(env) = single(document, &members, entry.layout.env).ok()? else { return Some(Vec::new()) };
    document.members(&env.value)
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

fn servers(
    document: &Document<'_>,
    span: &Span,
    scope: &Scope,
    layout: &Layout,
) -> Result<Vec<Entry>, String> {
    let new = |name: Option<String>, key: &str, span: Span| Entry {
        shape: match &name {
            Some(_) => shape(document, &span, layout).unwrap_or_else(Shape::Odd),
            None => Shape::Odd("it has no name that can be told (half a character, or none)".to_owned()),
        },
        place: Place { scope: scope.clone(), name: name.unwrap_or_else(|| key.to_owned()) },
        span,
        layout: *layout,
    };
    if layout.list {
        let items = document.items(span).unwrap_or_default().into_iter().enumerate();
        let entries = items.filter(|(_, item)| !is_built_in(document, item)).map(|(number, item)| {
            let members = document.members(&item).unwrap_or_default();
            let name = single(document, &members, "name").ok().flatten();
            new(name.and_then(|name| document.string(&name.value)), &format!("#{number}"), item)
        });
        return Ok(entries.collect());
    }
    let members = document.members(span).unwrap_or_default().into_iter();
    // Beside the servers stand settings of all of them (`timeout` of opencode).
    let is_one = |member: &Member| {
        let is_setting = layout.form == Form::Line && document.members(&member.value).is_none();
        !is_setting && !is_built_in(document, &member.value)
    };
    Ok(members
        .filter(is_one)
        .map(|member| new(member.name, document.raw(&member.key), member.value))
        .collect())
}

fn is_built_in(document: &Document<'_>, span: &Span) -> bool {
    let members = document.members(span).unwrap_or_default();
    let kind = members.iter().find(|member| member.name.as_deref() == Some("type"));
    let kind = kind.and_then(|member| document.string(&member.value));
    kind.is_some_and(|kind| BUILT_IN_TYPES.contains(&kind.as_str()))
}

/// How the entry at `span` starts its server.
///
/// # Errors
/// Why it cannot be understood.
pub(crate) fn shape(document: &Document<'_>, span: &Span, layout: &Layout) -> Result<Shape, String> {
    let members = document.members(span).ok_or("it is not an object")?;
    let has = |key: &str| members.iter().any(|member| member.name.as_deref() == Some(key));
    if document.format() == Format::Yaml && has("<<") {
        return Err(
            "it takes over another mapping (`<<`), so what is changed here may change elsewhere".to_owned()
        );
    }
    let transport = single(document, &members, "type")?.and_then(|member| document.string(&member.value));
    let remote_type = transport.as_deref().is_some_and(|name| REMOTE_TYPES.contains(&name));
    let remote_key = REMOTE_KEYS.into_iter().find(|key| has(key));
    let name = layout.command;
    let command = match (single(document, &members, name)?, remote_key) {
        (None, Some(_)) => return Ok(Shape::Remote),
        (None, None) if remote_type => return Ok(Shape::Remote),
        (None, None) => return Err(format!("it has neither `{name}` nor `url`")),
        (Some(_), Some(key)) => {
            return Err(format!("it has both `{name}` and `{key}`, and which counts is not defined"));
        }
        (Some(_), None) if remote_type => {
            return Err(format!("it has a `{name}`, but its `type` is that of a remote server"));
        }
        (Some(command), None) => command,
    };
    let launch = match layout.form {
        Form::Words => words(document, &members, command, layout)?,
        Form::Line => line(document, command, layout)?,
    };
    if launch.program.is_empty() || launch.program.contains('\0') {
        return Err(format!("`{name}` is not the name of a program"));
    }
    Ok(wrapped(&launch).map_or(Shape::Bare(launch), Shape::Wrapped))
}

/// A program, and its arguments beside it.
fn words(
    document: &Document<'_>,
    members: &[Member],
    command: Member,
    layout: &Layout,
) -> Result<Launch, String> {
    let program = document
        .string(&command.value)
        .ok_or_else(|| format!("`{}` is not a string{}", layout.command, one_piece(document)))?;
    let args = match single(document, members, layout.args)? {
        Some(member) => Some(args(document, member, layout.args)?),
        None => None,
    };
    if args.is_none() && !document.is_flow_at(&command) && !document.begins_its_line(&command) {
        return Err(format!(
            "it has no `{}`, and nothing can be put before its `{}`",
            layout.args, layout.command
        ));
    }
    Ok(Launch { form: Form::Words, command, program, args })
}

/// A string over several lines, or one that another place takes up, is none that can be moved.
fn one_piece(document: &Document<'_>) -> &'static str {
    if document.format() == Format::Yaml { " in one piece" } else { "" }
}

/// One array with all of it.
fn line(document: &Document<'_>, member: Member, layout: &Layout) -> Result<Launch, String> {
    let Args { member, mut items, mut words } = args(document, member, layout.command)?;
    if items.is_empty() {
        return Err(format!("`{}` is empty", layout.command));
    }
    let (first, program) = (items.remove(0), words.remove(0));
    let command = Member { key: member.key.clone(), name: member.name.clone(), value: first };
    Ok(Launch { form: Form::Line, command, program, args: Some(Args { member, items, words }) })
}

fn args(document: &Document<'_>, member: Member, name: &str) -> Result<Args, String> {
    let items = document.items(&member.value).ok_or_else(|| format!("`{name}` is not an array"))?;
    let words: Result<Vec<String>, String> = items
        .iter()
        .map(|item| {
            let word = document.string(item).filter(|word| !word.contains('\0'));
            word.ok_or_else(|| {
                let line = document.line(item.start);
                format!("an item of `{name}` in line {line} is not a string that a program can be given")
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
    if let [_, id] = words.as_slice()
        && is_id(id)
    {
        let (id, flags) = (Some(id.clone()), Vec::new());
        return Some(Wrapped { launch: launch.clone(), id, inner: None, is_short: true, flags });
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
    Some(Wrapped { launch: launch.clone(), id, inner, is_short: false, flags })
}

/// Whether a word is `CLIENT/NAME` of a client that this version knows.
pub(crate) fn is_id(word: &str) -> bool {
    word.split_once('/').is_some_and(|(client, name)| !name.is_empty() && registry::named(client).is_some())
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

//! PURE: a client's file + what is asked for → the new file, and a row for every entry that says what becomes of it.

use std::collections::BTreeMap;

use crate::clients::edit::{self, ArgsBefore, Splice};
use crate::clients::entry::{self, Entry, Launch, Place, Shape, Wrapped};
use crate::clients::fetchers;
use crate::clients::journal::Record;
use crate::clients::registry::{self, Client, Format};
use crate::clients::spans::{Document, Member};
use crate::secrets::Reference;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Which way.
    pub way: Way,
    /// Only entries of this name.
    pub server: Option<String>,
}

/// Which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Put Stockade in front; the path that clients are to start.
    Wrap {
        /// That path.
        launcher: String,
    },
    /// The same in the short form: `run ID` alone, and the command in the journal.
    Shorten {
        /// The path that clients are to start.
        launcher: String,
    },
    /// As the agent does: like `Wrap`, but what a person has unwrapped stays so.
    Keep {
        /// The path that clients are to start.
        launcher: String,
    },
    /// Take it out again.
    Unwrap,
}

impl Way {
    /// Whether entries are put under Stockade.
    pub(crate) fn is_wrap(&self) -> bool {
        !matches!(self, Self::Unwrap)
    }
}

/// What becomes of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Which entry.
    pub place: Place,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What becomes of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is wrapped now.
    Wrapped,
    /// It was before, under this id.
    Already(Option<String>),
    /// It is as it was before it was wrapped; a remark, where that needs one.
    Restored(Option<String>),
    /// It stays as it is, and a wrapped entry of the same name in the user's own file goes before it.
    Shadowed,
    /// It is left as it is, and why.
    Left(String),
    /// It cannot be changed, and why.
    Failed(String),
}

/// An entry that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Which entry.
    pub place: Place,
    /// Its text before.
    pub before: String,
    /// Its text afterwards.
    pub after: String,
}

/// The new file.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// A row for every entry asked for.
    pub rows: Vec<Row>,
    /// The new text.
    pub text: String,
    /// The entries that change.
    pub changed: Vec<Changed>,
    /// The command lines of those that are wrapped now, without us.
    pub wrapped: Vec<(Place, Vec<String>)>,
    /// Is any entry of the file wrapped before the change?
    pub was_wrapped: bool,
}

/// The change of one entry: the splices, and the command line that must come of them.
type Edit = (Outcome, Vec<Splice>, Vec<String>);

/// What the journal has of an entry.
type Recall<'a> = &'a dyn Fn(&Place) -> Option<Record>;

/// The text of a secret that an entry refers to, as it is to stand in a file of this language; or why it is not to be had.
type Secret<'a> = &'a dyn Fn(&Reference, Format) -> Result<String, String>;

/// What is known beside the file itself.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// By the journal.
    pub journal: Recall<'a>,
    /// Whether an entry is to be left as it is.
    pub is_spared: &'a dyn Fn(&Place) -> bool,
    /// By the keychain.
    pub secret: Secret<'a>,
}

/// Computes the change of a whole file.
///
/// # Errors
/// When the file is malformed, not what it should be, or would not come out as intended; in words.
pub(crate) fn propose(
    (client, place): (&'static Client, &'static registry::Place),
    bytes: &[u8],
    request: &Request,
    journal: Recall<'_>,
) -> Result<Proposal, String> {
    let secret: Secret<'_> = &|_, _| Err("there is no keychain".to_owned());
    propose_knowing((client, place), bytes, request, Known { journal, is_spared: &|_| false, secret })
}

/// The same, with more knowledge.
///
/// # Errors
/// As [`propose`].
pub(crate) fn propose_knowing(
    (client, place): (&'static Client, &'static registry::Place),
    bytes: &[u8],
    request: &Request,
    known: Known<'_>,
) -> Result<Proposal, String> {
    let format = place.format.ok_or("it is no file with entries")?;
    let document = Document::parse(bytes, format).map_err(|malformed| format!("malformed: {malformed}"))?;
    let entries = entry::entries(&document, place.layouts)?;
    let mut rows = Vec::new();
    let mut splices = Vec::new();
    let mut wanted = BTreeMap::new();
    let mut secrets = BTreeMap::new();
    let asked = |entry: &&Entry| request.server.as_ref().is_none_or(|name| *name == entry.place.name);
    for entry in entries.iter().filter(asked) {
        let edit = match &request.way {
            Way::Wrap { .. } | Way::Shorten { .. } | Way::Keep { .. } if (known.is_spared)(&entry.place) => {
                Err(Outcome::Left("unwrapped by its user; `stockade wrap` wraps it again".to_owned()))
            }
            Way::Wrap { launcher } | Way::Shorten { launcher } | Way::Keep { launcher } => {
                wrap(client, &document, entry, request, launcher)
            }
            Way::Unwrap => unwrap(&document, entry, (known.journal)(&entry.place))
                .and_then(|edit| with_secrets((&document, entry), edit, known.secret, &mut secrets)),
        };
        let outcome = edit.map_or_else(
            |outcome| outcome,
            |(outcome, ours, words)| {
                splices.extend(ours);
                wanted.insert(entry.place.clone(), words);
                outcome
            },
        );
        rows.push(Row { place: entry.place.clone(), outcome });
    }
    let text = edit::apply(document.text(), splices);
    let changed = check(place, &document, &text, (&wanted, &secrets))?;
    let was_wrapped = entries.iter().any(|entry| matches!(&entry.shape, Shape::Wrapped(_)));
    let own_words = |entry: &Entry| match &entry.shape {
        Shape::Bare(launch) if wanted.contains_key(&entry.place) => {
            let words = launch.words().into_iter().map(str::to_owned).collect();
            Some((entry.place.clone(), words))
        }
        _ => None,
    };
    let wrapped = entries.iter().filter_map(own_words).collect();
    Ok(Proposal { rows, text, changed, wrapped, was_wrapped })
}

/// Parses the new text and compares it with the old one; what changes, as it stands in both.
fn check(
    place: &registry::Place,
    old: &Document<'_>,
    text: &str,
    (wanted, secrets): (&BTreeMap<Place, Vec<String>>, &BTreeMap<String, String>),
) -> Result<Vec<Changed>, String> {
    let stopped = |why: String| format!("the edit was given up, because {why}; please report this");
    let new =
        Document::parse(text.as_bytes(), old.format()).map_err(|malformed| stopped(malformed.to_string()))?;
    edit::verify(old, &new, place.layouts, wanted, secrets).map_err(stopped)?;
    let texts = |document: &Document<'_>| -> Result<BTreeMap<Place, String>, String> {
        let entries = entry::entries(document, place.layouts)?.into_iter();
        Ok(entries.map(|entry| (entry.place, document.raw(&entry.span).to_owned())).collect())
    };
    let (before, after) = (texts(old)?, texts(&new)?);
    let changed = wanted.keys().filter_map(|place| {
        let (before, after) = (before.get(place)?.clone(), after.get(place)?.clone());
        Some(Changed { place: place.clone(), before, after })
    });
    Ok(changed.collect())
}

fn wrap(
    client: &Client,
    document: &Document<'_>,
    entry: &Entry,
    request: &Request,
    launcher: &str,
) -> Result<Edit, Outcome> {
    let name = &entry.place.name;
    let launch = match &entry.shape {
        Shape::Bare(launch) => launch,
        Shape::Wrapped(wrapped) => return Err(Outcome::Already(wrapped.id.clone())),
        Shape::Remote => return Err(Outcome::Left("not covered yet: remote server".to_owned())),
        Shape::Odd(why) => return Err(Outcome::Failed(why.clone())),
    };
    if name.contains('\0') {
        return Err(Outcome::Failed("its name holds a NUL, which no program can be given".to_owned()));
    }
    // Most clients expand `${…}` in arguments, so the id would not arrive as it is written.
    let openings = client.expands.unwrap_or_default().iter().chain(&["${"]);
    if let Some(opening) = openings.into_iter().find(|opening| name.contains(**opening)) {
        return Err(Outcome::Failed(format!("its name holds `{opening}`, which the client would expand")));
    }
    let words = launch.words();
    if request.server.is_none()
        && let Some(fetcher) = fetchers::fetcher(&words)
    {
        return Err(Outcome::Left(format!(
            "left as it is: it starts through `{}`, which fetches what is no package of a registry or needs what no jail has; {}; \
             `stockade wrap --server {}` wraps it anyway",
            fetcher.name,
            fetcher.remedy,
            shell_word(name)
        )));
    }
    let id = entry::id(client, name);
    if matches!(request.way, Way::Shorten { .. }) {
        let splices = edit::shorten(document, launch, launcher, &id, entry.layout.args);
        let wanted = [launcher, "run", &id].map(str::to_owned).to_vec();
        return Ok((Outcome::Wrapped, splices, wanted));
    }
    let splices = edit::wrap(document, launch, launcher, &id, entry.layout.args);
    let head = [launcher, "run", "--id", &id, "--"];
    let wanted = head.into_iter().chain(words).map(str::to_owned).collect();
    Ok((Outcome::Wrapped, splices, wanted))
}

fn unwrap(document: &Document<'_>, entry: &Entry, record: Option<Record>) -> Result<Edit, Outcome> {
    let wrapped = match &entry.shape {
        Shape::Wrapped(wrapped) => wrapped,
        Shape::Bare(_) | Shape::Remote => return Err(Outcome::Left("not wrapped".to_owned())),
        Shape::Odd(why) => return Err(odd(document, entry, why)),
    };
    if record.as_ref().is_some_and(|record| record.shadow_of.is_some()) {
        return Err(Outcome::Left(
            "it stands there for a project's entry; the project's line says more".to_owned(),
        ));
    }
    if wrapped.is_short {
        return unwrap_short(document, entry, wrapped, record);
    }
    let (Some(_), Some(inner)) = (&wrapped.id, wrapped.inner) else {
        return Err(Outcome::Left(
            "left as it is: `wrap` did not write it (no `--id` or no `--`)".to_owned(),
        ));
    };
    let words = wrapped.launch.words();
    let wanted: Vec<String> = words[1 + inner..].iter().map(|word| (*word).to_owned()).collect();
    let current = document.raw(&entry.span);
    if let Some(record) = record.as_ref().filter(|record| record.written == current)
        && starts((document, entry), &record.original, &wanted)
    {
        let splice = Splice { span: entry.span.clone(), with: record.original.clone() };
        return Ok((Outcome::Restored(None), vec![splice], wanted));
    }
    let before = record
        .as_ref()
        .map_or(ArgsBefore::Present, |record| args_before((document, entry), &record.original));
    let splices = edit::unwrap(document, entry, wrapped, before)
        .ok_or_else(|| Outcome::Failed("its `args` are not what `wrap` writes".to_owned()))?;
    Ok((Outcome::Restored(Some(remark(wrapped, record.is_some(), wanted.len()))), splices, wanted))
}

/// Without Stockade nobody would resolve what the entry refers to: its secrets come back with it.
fn with_secrets(
    (document, entry): (&Document<'_>, &Entry),
    (outcome, mut splices, words): Edit,
    secret: Secret<'_>,
    secrets: &mut BTreeMap<String, String>,
) -> Result<Edit, Outcome> {
    for Member { name, value, .. } in entry::variables(document, entry).unwrap_or_default() {
        let refers = document.string(&value).and_then(|value| Reference::parse(&value));
        let Some(reference) = refers else { continue };
        let literal = secret(&reference, document.format()).map_err(|why| {
            let name = name.unwrap_or_default();
            Outcome::Failed(format!(
                "its {name} lies in the keychain, and without Stockade it would start without: {why}"
            ))
        })?;
        let token = document.raw(&value);
        match splices.iter_mut().find(|splice| splice.span == entry.span) {
            Some(whole) => whole.with = whole.with.replace(token, &literal),
            None => splices.push(Splice { span: value, with: literal.clone() }),
        }
        secrets.insert(token.to_owned(), literal);
    }
    Ok((outcome, splices, words))
}

/// `run ID`: what the entry was stands in the journal alone.
fn unwrap_short(
    document: &Document<'_>,
    entry: &Entry,
    wrapped: &Wrapped,
    record: Option<Record>,
) -> Result<Edit, Outcome> {
    let nothing = "its own command stands in the journal alone, and there is no record of it: write the command by hand";
    let record = record.ok_or_else(|| Outcome::Failed(nothing.to_owned()))?;
    let launch = launch_in((document, entry), &record.original);
    let launch = launch.ok_or_else(|| Outcome::Failed(nothing.to_owned()))?;
    let wanted: Vec<String> = launch.words().into_iter().map(str::to_owned).collect();
    if record.written == document.raw(&entry.span) {
        let splice = Splice { span: entry.span.clone(), with: record.original };
        return Ok((Outcome::Restored(None), vec![splice], wanted));
    }
    let splices = edit::lengthen(document, wrapped, &wanted)
        .ok_or_else(|| Outcome::Failed("its `args` are not what `wrap` writes".to_owned()))?;
    let remark = "other edits made to it since are kept; its arguments stand in one line";
    Ok((Outcome::Restored(Some(remark.to_owned())), splices, wanted))
}

/// An entry that makes no sense: whether that keeps ours in place can be told only by the name in it.
fn odd(document: &Document<'_>, entry: &Entry, why: &str) -> Outcome {
    if document.raw(&entry.span).contains("stockade") {
        Outcome::Failed(format!("it names stockade, but {why}"))
    } else {
        Outcome::Left(format!("not wrapped ({why})"))
    }
}

fn remark(wrapped: &Wrapped, in_journal: bool, words: usize) -> String {
    let mut remark = match (in_journal, words) {
        (true, _) => "other edits made to it since are kept".to_owned(),
        (false, 1) => {
            "rebuilt from the entry alone, nothing is in the journal; an `args` that was absent is an \
                       empty list now"
                .to_owned()
        }
        (false, _) => {
            "rebuilt from the entry alone, nothing is in the journal; spacing may differ".to_owned()
        }
    };
    if !wrapped.flags.is_empty() {
        remark.push_str(&format!("; dropped: {}", wrapped.flags.join(" ")));
    }
    remark
}

/// How this text starts a server, if it stood where the entry stands.
fn launch_in((document, entry): (&Document<'_>, &Entry), text: &str) -> Option<Launch> {
    let text = document.alone(text, &entry.span);
    let alone = Document::parse(text.as_bytes(), document.format()).ok()?;
    match entry::shape(&alone, &alone.alone_at()?, &entry.layout).ok()? {
        Shape::Bare(launch) => Some(launch),
        Shape::Wrapped(_) | Shape::Remote | Shape::Odd(_) => None,
    }
}

/// Does this text of the entry start exactly this command line?
fn starts(at: (&Document<'_>, &Entry), text: &str, wanted: &[String]) -> bool {
    launch_in(at, text).is_some_and(|launch| launch.words() == wanted)
}

fn args_before(at: (&Document<'_>, &Entry), original: &str) -> ArgsBefore {
    match launch_in(at, original) {
        Some(launch) if launch.args.is_none() => ArgsBefore::Absent,
        _ => ArgsBefore::Present,
    }
}

/// A name as it can be typed into a shell.
fn shell_word(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./@:+".contains(&byte);
    if !name.is_empty() && !name.starts_with('-') && name.bytes().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests;

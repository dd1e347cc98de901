//! Claude Code's local scope: `projects.PATH.mcpServers` in the user's own file goes before the `.mcp.json` of that project. A wrapped entry of the
//! same name there contains the project's server, and the file under version control stays as it is.
//!
//! Claude Code starts a project's server only after its user approved it, and one of the local scope at once. So only what was
//! approved is shadowed: otherwise a clone would start what nobody has looked at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::clients::change::{ATTEMPTS_MAX, FileReport, Mode};
use crate::clients::edit::{self, Splice};
use crate::clients::entry::{self, Entry, Place, Scope, Shape};
use crate::clients::insert;
use crate::clients::journal::{Journal, Record};
use crate::clients::propose::{self, Outcome, Request, Row, Way};
use crate::clients::registry::{Location, Reach, World, named};
use crate::clients::spans::{Document, Span, quoted};
use crate::clients::store::{self, FileProblem};
use crate::clients::take_out;
use crate::host;

const CLIENT: &str = "claude-code";

/// Whether this client has a nearer scope.
pub(crate) fn is_possible(location: &Location) -> bool {
    location.client.id == CLIENT
}

/// What its user said of a project's servers.
#[derive(Debug, Default)]
struct Approved {
    all: bool,
    enabled: Vec<String>,
    disabled: Vec<String>,
}

impl Approved {
    /// By the client's own file, its user's settings, and the project's local ones if that is trusted.
    fn of(user: &Document<'_>, project: &Path, directory: &Path) -> Self {
        let mut approved = Self::default();
        let key = project.display().to_string();
        let own = value_at(user, &["projects", &key]);
        approved.take(&own);
        approved.take(&settings(&directory.join("settings.json")));
        // Whoever wrote the project may have written this, too.
        if own["hasTrustDialogAccepted"] == true {
            approved.take(&settings(&project.join(".claude/settings.local.json")));
        }
        approved
    }

    fn take(&mut self, said: &Value) {
        let names = |key: &str| {
            let names = said[key].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<String>>()
        };
        self.all |= said["enableAllProjectMcpServers"] == true;
        self.enabled.extend(names("enabledMcpjsonServers"));
        self.disabled.extend(names("disabledMcpjsonServers"));
    }

    fn has(&self, name: &str) -> bool {
        let is_in = |names: &[String]| names.iter().any(|one| one == name);
        !is_in(&self.disabled) && (self.all || is_in(&self.enabled))
    }
}

fn settings(path: &Path) -> Value {
    std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn value_at(document: &Document<'_>, keys: &[&str]) -> Value {
    let value = || {
        let mut here = document.root()?;
        for key in keys {
            let members = document.members(&here)?;
            here = members.into_iter().find(|member| member.name.as_deref() == Some(*key))?.value;
        }
        serde_json::from_str(document.raw(&here)).ok()
    };
    value().unwrap_or_default()
}

/// A wrapped entry for each server of a project's file that is bare and approved; those that stand there for servers that are gone go.
pub(crate) fn shadow(
    location: &Location,
    request: &Request,
    (mode, journal): (Mode, Option<&Journal>),
    world: World<'_>,
) -> FileReport {
    let report = |rows: Vec<Row>, problem: Option<String>| FileReport {
        location: location.clone(),
        rows,
        problem,
        reported_only: None,
        wrapped: Vec::new(),
        texts: None,
    };
    match shadowed(location, request, (mode, journal), world) {
        Ok(rows) => report(rows, None),
        Err(why) => report(Vec::new(), Some(why)),
    }
}

/// The user's own file, in which shadows stand.
fn home_of(world: World<'_>) -> Result<Location, String> {
    let files = named(CLIENT).map(|client| client.files(Reach::User, world)).unwrap_or_default();
    let has_projects = |file: &Location| file.place.layouts.iter().any(|layout| layout.at.contains(&"*"));
    let home = files.into_iter().find(|file| file.place.is_writable() && has_projects(file));
    home.ok_or_else(|| "its client has no file of its own here; start it once".to_owned())
}

fn shadowed(
    location: &Location,
    request: &Request,
    (mode, journal): (Mode, Option<&Journal>),
    world: World<'_>,
) -> Result<Vec<Row>, String> {
    let home = home_of(world)?;
    let project = store::read(location).map_err(|problem| problem.to_string())?;
    let bytes = project.map(|project| project.bytes).unwrap_or_default();
    let entries = wrapped_entries(location, &bytes, request)?;
    for _ in 0..ATTEMPTS_MAX {
        let original = store::read(&home).map_err(|problem| problem.to_string())?;
        let Some(original) = original else { return Err("its client's own file is gone".to_owned()) };
        let mut edit = Edit {
            path: &original.path,
            project: location,
            text: String::from_utf8_lossy(&original.bytes).into_owned(),
            home: &home,
            journal,
            keeps: matches!(request.way, Way::Keep { .. }),
            records: Vec::new(),
            gone: Vec::new(),
        };
        let directory = settings_directory(&original.path);
        let approved = Approved::of(&edit.document()?, &location.root, &directory);
        let rows = edit.carry_out(&entries, &approved, request)?;
        if mode == Mode::Show || edit.text.as_bytes() == original.bytes {
            return Ok(rows);
        }
        match edit.write(&original) {
            Ok(()) => return Ok(rows),
            Err(WriteError::Changed) => {}
            Err(WriteError::Other(why)) => return Err(why),
        }
    }
    Err(FileProblem::Changed.to_string())
}

/// Where the settings of the client's user are.
fn settings_directory(file: &Path) -> PathBuf {
    let directory = file.parent().unwrap_or(Path::new("/"));
    let below = directory.join(".claude");
    if below.is_dir() { below } else { directory.to_owned() }
}

/// The text that shadows an entry with its command line; or what else becomes of it.
type Wanted = Result<(String, Vec<String>), Outcome>;

/// What should stand in the nearer scope, by name.
fn wrapped_entries(
    location: &Location,
    bytes: &[u8],
    request: &Request,
) -> Result<BTreeMap<String, Wanted>, String> {
    let format = location.place.format.ok_or("it is no file with entries")?;
    let document = Document::parse(bytes, format).map_err(|malformed| format!("malformed: {malformed}"))?;
    let all = entry::entries(&document, location.place.layouts)?;
    let asked =
        all.iter().filter(|entry| request.server.as_ref().is_none_or(|name| *name == entry.place.name));
    Ok(asked
        .map(|entry| (entry.place.name.clone(), wrapped_text(location, &document, entry, request)))
        .collect())
}

fn wrapped_text(location: &Location, document: &Document<'_>, entry: &Entry, request: &Request) -> Wanted {
    let name = &entry.place.name;
    let raw = document.raw(&entry.span);
    // The client reads strict JSON from its own file.
    if matches!(entry.shape, Shape::Bare(_)) && serde_json::from_str::<Value>(raw).is_err() {
        return Err(Outcome::Failed(
            "it holds comments or trailing commas, which its client's own file must not".to_owned(),
        ));
    }
    let alone = format!("{{\"mcpServers\": {{{}: {raw}}}}}", quoted(name));
    let whose = (location.client, location.place);
    let proposal = propose::propose(whose, alone.as_bytes(), request, &|_| None).map_err(Outcome::Failed)?;
    match (proposal.changed.into_iter().next(), proposal.rows.into_iter().next()) {
        (Some(changed), _) => {
            let words = proposal.wrapped.into_iter().next().map(|(_, words)| words);
            Ok((changed.after, words.unwrap_or_default()))
        }
        (None, Some(row)) => Err(row.outcome),
        (None, None) => Err(Outcome::Failed("its name occurs twice".to_owned())),
    }
}

enum WriteError {
    Changed,
    Other(String),
}

/// The user's file on its way.
struct Edit<'a> {
    path: &'a Path,
    project: &'a Location,
    home: &'a Location,
    text: String,
    journal: Option<&'a Journal>,
    /// What a person took out stays out.
    keeps: bool,
    records: Vec<(Place, Record)>,
    gone: Vec<Place>,
}

impl Edit<'_> {
    fn root(&self) -> String {
        self.project.root.display().to_string()
    }

    fn find(&self, place: &Place) -> Option<Record> {
        let record = self.journal?.find(self.path, place);
        record.filter(|record| record.shadow_of.is_some())
    }

    /// What stands at this place now.
    fn standing(&self, place: &Place) -> Result<Option<Span>, String> {
        let entries = entry::entries(&self.document()?, self.home.place.layouts)?;
        Ok(entries.into_iter().find(|entry| entry.place == *place).map(|entry| entry.span))
    }

    /// Places what is approved, and takes out what is not, or is gone.
    fn carry_out(
        &mut self,
        entries: &BTreeMap<String, Wanted>,
        approved: &Approved,
        request: &Request,
    ) -> Result<Vec<Row>, String> {
        let row =
            |name: &str, outcome| Row { place: Place { scope: Scope::User, name: name.to_owned() }, outcome };
        let mut rows = Vec::new();
        for (name, entry) in entries {
            let outcome = match entry {
                Ok(entry) if approved.has(name) => self.place(name, entry).unwrap_or_else(Outcome::Failed),
                Ok(_) => Outcome::Left(
                    "not shadowed: Claude Code has not asked its user about it yet, or the answer was no"
                        .to_owned(),
                ),
                Err(outcome) => outcome.clone(),
            };
            rows.push(row(name, outcome));
        }
        let lifted = self.lift(&|record| {
            let is_asked = request.server.as_ref().is_none_or(|name| *name == record.name);
            let stays = matches!(entries.get(&record.name), Some(Ok(_))) && approved.has(&record.name);
            is_asked && !stays
        })?;
        let gone = "its entry in your local scope was taken out".to_owned();
        rows.extend(lifted.iter().map(|name| row(name, Outcome::Restored(Some(gone.clone())))));
        Ok(rows)
    }

    fn document(&self) -> Result<Document<'_>, String> {
        let format = self.home.place.format.ok_or("it is no file with entries")?;
        Document::parse(self.text.as_bytes(), format)
            .map_err(|malformed| format!("its client's own file is malformed: {malformed}"))
    }

    /// Puts the entry there, if it may.
    fn place(&mut self, name: &str, (text, words): &(String, Vec<String>)) -> Result<Outcome, String> {
        let root = self.root();
        let at = Place { scope: Scope::Project(root.clone()), name: name.to_owned() };
        let (record, standing) = (self.find(&at), self.standing(&at)?);
        let left = |why: &str| Ok(Outcome::Left(why.to_owned()));
        let id = entry::id(self.project.client, name);
        let changed = match (standing, &record) {
            (Some(span), Some(record)) if self.text.get(span.clone()) == Some(&record.written) => {
                if record.written == *text {
                    return Ok(Outcome::Already(Some(format!("{id}, in your local scope"))));
                }
                edit::apply(&self.text, vec![Splice { span, with: text.clone() }])
            }
            (Some(_), Some(_)) => {
                return left("its entry in your local scope was edited since; that goes before it");
            }
            (Some(_), None) => return left("an entry of yours of the same name goes before it"),
            (None, Some(_)) if self.keeps => {
                return left("its entry was taken out of your local scope; `stockade wrap` puts it back");
            }
            (None, _) => {
                insert::insert_member(&self.document()?, &["projects", &root, "mcpServers"], name, text)?
            }
        };
        let record = Record::new(host::now().to_string(), id, self.path, &at, ("", text));
        let record = record.with_words(words.clone()).with_search_path(host::search_path());
        self.records.push((at, record.shadowing(&self.project.path)));
        self.text = changed;
        Ok(Outcome::Shadowed)
    }

    /// Takes out what stands there for this project's file, is as we wrote it, and is chosen.
    fn lift(&mut self, is_chosen: &dyn Fn(&Record) -> bool) -> Result<Vec<String>, String> {
        let mut lifted = Vec::new();
        let Some(journal) = self.journal else { return Ok(lifted) };
        let (file, of) = (self.path.display().to_string(), self.project.path.display().to_string());
        let ours = |record: &Record| record.file == file && record.shadow_of.as_ref() == Some(&of);
        for record in journal.records().filter(|record| ours(record) && is_chosen(record)) {
            let Some(root) = &record.project else { continue };
            let at = Place { scope: Scope::Project(root.clone()), name: record.name.clone() };
            let document = self.document()?;
            let entries = entry::entries(&document, self.home.place.layouts)?;
            let entry = entries.iter().find(|entry| entry.place == at);
            let entry = entry.filter(|entry| document.raw(&entry.span) == record.written);
            let text =
                entry.map(|entry| take_out::take_out(self.home.place, &document, entry)).transpose()?;
            if let Some(text) = text {
                self.text = text;
                lifted.push(record.name);
            }
            self.gone.push(at);
        }
        Ok(lifted)
    }

    fn write(self, original: &store::Original) -> Result<(), WriteError> {
        let other = |error: String| WriteError::Other(format!("it was not changed: {error}"));
        let journal = self.journal.ok_or_else(|| other("there is no journal".to_owned()))?;
        let keep = || -> Result<(), crate::clients::journal::JournalError> {
            if !journal.backup_path(self.path).exists() {
                journal.back_up(self.path, &original.bytes)?;
            }
            for (place, record) in &self.records {
                journal.keep(self.path, place, record)?;
            }
            journal.settle()
        };
        keep().map_err(|error| other(error.to_string()))?;
        match store::replace(self.home, original, self.text.as_bytes()) {
            Ok(()) => {
                for place in &self.gone {
                    journal.forget(self.path, place);
                }
                Ok(())
            }
            Err(FileProblem::Changed) => Err(WriteError::Changed),
            Err(problem) => Err(WriteError::Other(problem.to_string())),
        }
    }
}

/// What stands in the nearer scope for files of projects, taken out again: the project and the name of each.
pub(crate) fn lift_all(
    server: Option<&str>,
    (mode, journal): (Mode, &Journal),
    world: World<'_>,
) -> Result<Vec<(PathBuf, String)>, String> {
    let chosen = |record: &Record| server.is_none_or(|name| name == record.name);
    let shadows: Vec<Record> =
        journal.records().filter(|record| record.shadow_of.is_some() && chosen(record)).collect();
    if shadows.is_empty() {
        return Ok(Vec::new());
    }
    let home = home_of(world)?;
    let mut lifted = Vec::new();
    for record in &shadows {
        let file = record.shadow_of.as_deref().map(PathBuf::from).unwrap_or_default();
        let Some(location) = home.client.in_project(&file, world.os) else { continue };
        lifted.push((file, record.name.clone()));
        if mode == Mode::Write {
            lift_one(&home, &location, record, journal)?;
        }
    }
    Ok(lifted)
}

fn lift_one(home: &Location, location: &Location, record: &Record, journal: &Journal) -> Result<(), String> {
    for _ in 0..ATTEMPTS_MAX {
        let Some(original) = store::read(home).map_err(|problem| problem.to_string())? else { return Ok(()) };
        let mut edit = Edit {
            path: &original.path,
            project: location,
            home,
            text: String::from_utf8_lossy(&original.bytes).into_owned(),
            journal: Some(journal),
            keeps: false,
            records: Vec::new(),
            gone: Vec::new(),
        };
        edit.lift(&|other| other.name == record.name)?;
        match edit.write(&original) {
            Ok(()) => return Ok(()),
            Err(WriteError::Changed) => {}
            Err(WriteError::Other(why)) => return Err(why),
        }
    }
    Err(FileProblem::Changed.to_string())
}

//! `stockade wrap` and `stockade unwrap`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::screen::{columns, harmless, pad};
use stockade_policy::document::policy::ProjectFiles;

use crate::cli::{ProjectFilesArg, WrapArgs};
use crate::clients::{
    self, CLIENTS, Client, FileReport, Journal, Mode, Outcome, Reach, Request, Row, Scope, Way, World,
};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::policies;
use crate::secrets::Reference;

/// Names are padded up to this width.
const NAME_WIDTH_MAX: usize = 40;

/// Puts Stockade in front of the servers in the clients' configs.
pub(crate) fn wrap(args: WrapArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let launcher = clients::own_path(&facts)?;
    let way = if args.short { Way::Shorten { launcher } } else { Way::Wrap { launcher } };
    carry_out(&args, &facts, way)
}

/// Takes Stockade out of them again.
pub(crate) fn unwrap(args: WrapArgs) -> Result<Exit, Failure> {
    if args.short {
        return Err(Failure::new(Kind::Usage, "`--short` is for `wrap`: both forms are unwrapped alike"));
    }
    let facts = Facts::gather()?;
    if let Some((client, evidence)) = clients::client_above(&host::above(), &facts.env) {
        return Err(Failure::new(
            Kind::Permission,
            "Stockade is taken out by a person, and not below an AI client",
        )
        .cause(format!("{client} stands above this command: {evidence}"))
        .hint(format!("open a terminal of your own, outside of {client}, and run it there")));
    }
    let before = references(&facts);
    let exit = carry_out(&args, &facts, Way::Unwrap)?;
    if !args.dry_run {
        super::secrets::drop_unused(&before, &references(&facts));
    }
    Ok(exit)
}

/// What the entries of all clients refer to.
fn references(facts: &Facts) -> Vec<Reference> {
    let all: Vec<&'static Client> = CLIENTS.iter().collect();
    let files = clients::user_files(&all, World::of(facts));
    let variables = clients::variables(&files, &Journal::peek(&facts.state_dir));
    variables.iter().filter_map(clients::Variable::reference).collect()
}

fn carry_out(args: &WrapArgs, facts: &Facts, way: Way) -> Result<Exit, Failure> {
    let chosen = chosen(args.client.as_deref())?;
    let world = World::of(facts);
    let present = clients::user_files(&chosen, world);
    if present.is_empty() {
        say("No client config was found. Looked for:");
        for location in chosen.iter().flat_map(|client| client.candidates(Reach::User, world)) {
            say(&format!("  {}: {}", location.client.name, location.path.display()));
        }
        return Ok(Exit::Ok);
    }
    let mode = if args.dry_run { Mode::Show } else { Mode::Write };
    let request = Request { way, server: args.server.clone() };
    let journal = journal(facts, &request, mode)?;
    if let (Way::Unwrap, Some(journal)) = (&request.way, &journal) {
        lift(args, (mode, journal), world)?;
    }
    let mut reports: Vec<FileReport> = present
        .iter()
        .filter_map(|location| clients::change(location, &request, mode, journal.as_ref()))
        .collect();
    reports.extend(of_projects(args, &request, (mode, journal.as_ref()), facts)?);
    print(&reports, &request, mode).map_err(|error| {
        Failure::new(Kind::Software, "cannot write the report")
            .because(&error)
            .hint("the changes themselves are made")
    })?;
    Ok(conclude(&reports, &request, mode, facts))
}

/// What stands in a nearer scope for a project's entry goes before anything is unwrapped.
fn lift(args: &WrapArgs, (mode, journal): (Mode, &Journal), world: World<'_>) -> Result<(), Failure> {
    let is_asked = args.client.as_deref().is_none_or(|client| client == "claude-code");
    if !is_asked {
        return Ok(());
    }
    let lifted = clients::lift_all(args.server.as_deref(), (mode, journal), world).map_err(|why| {
        Failure::new(Kind::Config, "the entries that go before those of projects were not taken out")
            .cause(why)
    })?;
    for (file, name) in lifted {
        let would = if mode == Mode::Show { "would be " } else { "" };
        let file = harmless(&file.display().to_string());
        say(&format!(
            "{}: the entry of yours that goes before it {would}taken out ({file})",
            harmless(&name)
        ));
    }
    Ok(())
}

/// What becomes of the files of the project in this directory; with `unwrap`, of all that were ever rewritten.
fn of_projects(
    args: &WrapArgs,
    request: &Request,
    how: (Mode, Option<&Journal>),
    facts: &Facts,
) -> Result<Vec<FileReport>, Failure> {
    let world = World::of(facts).with_project(&facts.cwd);
    let is_asked =
        |location: &clients::Location| args.client.as_deref().is_none_or(|id| id == location.client.id);
    if request.way == Way::Unwrap {
        let peek = Journal::peek(&facts.state_dir);
        let files = clients::wrapped_project_files(world, how.1.unwrap_or(&peek)).into_iter();
        let reports = files.filter(is_asked).filter_map(|file| clients::change(&file, request, how.0, how.1));
        // A project's file that nobody wrapped is not worth a word.
        return Ok(reports
            .filter(|report| report.changed() > 0 || report.rows.iter().any(is_failed))
            .collect());
    }
    let way = match args.project_files {
        Some(ProjectFilesArg::Report) => ProjectFiles::Report,
        Some(ProjectFilesArg::Shadow) => ProjectFiles::Shadow,
        Some(ProjectFilesArg::Rewrite) => ProjectFiles::Rewrite,
        None => policies::load(facts, None)?.project_files(),
    };
    let files = clients::project_files(world).into_iter().filter(is_asked);
    Ok(files.filter_map(|file| clients::change_project_file(&file, (way, request), how, world)).collect())
}

fn is_failed(row: &Row) -> bool {
    matches!(row.outcome, Outcome::Failed(_))
}

/// The clients asked for.
pub(super) fn chosen(id: Option<&str>) -> Result<Vec<&'static Client>, Failure> {
    let chosen: Vec<_> = CLIENTS.iter().filter(|client| id.is_none_or(|id| client.id == id)).collect();
    match (chosen.is_empty(), id) {
        (true, Some(id)) => {
            let known: Vec<&str> = CLIENTS.iter().map(|client| client.id).collect();
            Err(Failure::new(Kind::Usage, format!("no client is named `{}`", harmless(id)))
                .hint(format!("known clients: {}", known.join(", "))))
        }
        _ => Ok(chosen),
    }
}

/// Wrapping needs the journal; taking back must work without.
fn journal(facts: &Facts, request: &Request, mode: Mode) -> Result<Option<Journal>, Failure> {
    if mode == Mode::Show {
        return Ok(Some(Journal::peek(&facts.state_dir)));
    }
    match (Journal::open(&facts.state_dir), &request.way) {
        (Ok(journal), _) => Ok(Some(journal)),
        (Err(error), Way::Wrap { .. } | Way::Shorten { .. } | Way::Keep { .. }) => {
            Err(Failure::new(Kind::Config, "nothing was wrapped: there is no journal")
                .because(&error)
                .hint(format!("make {} writable, or set XDG_STATE_HOME", facts.state_dir.display())))
        }
        (Err(error), Way::Unwrap) => {
            say(&format!("warning: unwrapping without the journal: {error}"));
            Ok(Some(Journal::peek(&facts.state_dir)))
        }
    }
}

/// The table on stdout; with `--dry-run` the diff is the data, and the table goes to stderr.
fn print(reports: &[FileReport], request: &Request, mode: Mode) -> io::Result<()> {
    let mut data = Vec::new();
    for report in reports {
        let table = table(report, request, mode);
        match mode {
            Mode::Write => data.extend(table.into_bytes()),
            Mode::Show => {
                say(table.trim_end());
                data.extend(diff(report).into_bytes());
            }
        }
    }
    if mode == Mode::Show && !data.is_empty() {
        say("The diff shows lines of the files as they are, tokens included. Nothing was written.");
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(&data)?;
    stdout.flush()
}

fn table(report: &FileReport, request: &Request, mode: Mode) -> String {
    let path = report.location.path.display().to_string();
    let mut table = format!("{} ({})\n", report.location.client.name, harmless(&path));
    if let Some(problem) = &report.problem {
        table.push_str(&format!("  left alone: {}\n", harmless(problem)));
    } else if let Some(why) = &report.reported_only {
        table.push_str(&format!("  not written: {}\n", harmless(why)));
    } else if report.rows.is_empty() {
        let none = if request.server.is_some() { "no server of that name" } else { "no servers" };
        table.push_str(&format!("  {none}\n"));
    }
    let names: Vec<String> = report.rows.iter().map(name).collect();
    let width = names.iter().map(|name| columns(name)).max().unwrap_or(0).min(NAME_WIDTH_MAX);
    for (name, row) in names.iter().zip(&report.rows) {
        table.push_str(&format!("  {}  {}\n", pad(name, width), harmless(&outcome(&row.outcome, mode))));
    }
    table
}

fn name(row: &Row) -> String {
    match &row.place.scope {
        Scope::User => harmless(&row.place.name),
        Scope::Project(path) => harmless(&format!("{} [{path}]", row.place.name)),
    }
}

fn outcome(outcome: &Outcome, mode: Mode) -> String {
    let done = |done: &str, planned: &str| match mode {
        Mode::Write => done.to_owned(),
        Mode::Show => planned.to_owned(),
    };
    match outcome {
        Outcome::Wrapped => done("wrapped", "would be wrapped"),
        Outcome::Shadowed => done(
            "an entry in your local scope, wrapped, goes before it",
            "an entry in your local scope, wrapped, would go before it",
        ),
        Outcome::Already(Some(id)) => format!("already wrapped, as {id}"),
        Outcome::Already(None) => "already started through stockade".to_owned(),
        Outcome::Restored(None) => done("restored, byte for byte", "would be restored, byte for byte"),
        Outcome::Restored(Some(remark)) => {
            format!("{} ({remark})", done("restored", "would be restored"))
        }
        Outcome::Left(why) => why.clone(),
        Outcome::Failed(why) => format!("error: {why}"),
    }
}

fn diff(report: &FileReport) -> String {
    let Some((before, after)) = report.texts.as_ref().filter(|(before, after)| before != after) else {
        return String::new();
    };
    let path = report.location.path.display().to_string();
    let diff = similar::TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(3).header(&path, &path).to_string()
}

/// What a person has to know now, on stderr; and the exit code.
fn conclude(reports: &[FileReport], request: &Request, mode: Mode, facts: &Facts) -> Exit {
    if mode == Mode::Write {
        forecast(reports, request, facts);
    }
    let verb = if request.way == Way::Unwrap { "restored" } else { "wrapped" };
    if let Some(server) = &request.server
        && reports.iter().all(|report| report.rows.is_empty() && report.problem.is_none())
    {
        Failure::new(Kind::Config, format!("nothing was {verb}: no server is named `{}`", harmless(server)))
            .hint("`stockade wrap --dry-run` lists the servers of every client")
            .report();
        return Exit::NotInOrder;
    }
    let failed: Vec<&FileReport> = reports.iter().filter(|report| report.has_failed()).collect();
    if failed.is_empty() {
        return Exit::Ok;
    }
    let names: Vec<&str> = failed.iter().map(|report| report.location.client.name).collect();
    Failure::new(Kind::Config, format!("not everything could be {verb}: {}", names.join(", ")))
        .hint("the list says what stands in the way; what it calls an error was left as it was")
        .report();
    Exit::NotInOrder
}

fn forecast(reports: &[FileReport], request: &Request, facts: &Facts) {
    let changed: Vec<&FileReport> = reports.iter().filter(|report| report.changed() > 0).collect();
    for report in &changed {
        say(&told(report.location.client, report.changed(), &request.way));
    }
    match (&request.way, changed.is_empty()) {
        (_, true) => {}
        (Way::Unwrap, false) => say("Running servers stay under Stockade until their client restarts them."),
        (Way::Wrap { .. } | Way::Shorten { .. } | Way::Keep { .. }, false) => {
            say_what_stays_bare(&changed);
            say_what_is_readable(&changed, facts);
            say(
                "If a server stops working: `stockade bisect CLIENT/NAME` says which part of the jail it is and what \
                 mends it; `stockade unwrap --server NAME` puts it back.",
            );
            say(&format!("The files as they were: {}", facts.state_dir.join("journal/*.backup").display()));
        }
    }
}

/// What this client will do about so many changed entries.
pub(super) fn told(client: &Client, changed: usize, way: &Way) -> String {
    let servers = if changed == 1 { "1 server".to_owned() } else { format!("{changed} servers") };
    let mut told = format!("{}: {}.", client.name, client.reload);
    if client.asks_again == Some(true) && *way != Way::Unwrap {
        told.push_str(&format!(" It may ask about {servers}, once."));
    }
    if client.hot_reload == Some(true) {
        told.push_str(&format!(" If it runs, it takes up {servers} by itself."));
    }
    told
}

/// Tokens in these files, which everybody reads who reads the file.
fn say_what_is_readable(changed: &[&FileReport], facts: &Facts) {
    let files: Vec<clients::Location> = changed.iter().map(|report| report.location.clone()).collect();
    let variables = clients::variables(&files, &Journal::peek(&facts.state_dir));
    let tokens = variables.iter().filter(|variable| variable.is_plain_secret()).count();
    if tokens > 0 {
        let stand = if tokens == 1 { "1 token stands" } else { "tokens stand" };
        let count = if tokens == 1 { String::new() } else { format!("{tokens} ") };
        say(&format!(
            "{count}{stand} in these files in plain text: `stockade secrets move` offers to keep them in the system's keychain."
        ));
    }
}

/// Servers that run already, by client: those stay as they are until that client starts them anew.
fn say_what_stays_bare(changed: &[&FileReport]) {
    let all = clients::everything();
    let mut by_client: BTreeMap<(String, u32), Vec<String>> = BTreeMap::new();
    for report in changed {
        for (place, words) in &report.wrapped {
            for one in clients::bare(words, &all) {
                let server = format!("{} (pid {})", harmless(&place.name), one.pid);
                by_client.entry((one.client, one.client_pid)).or_default().push(server);
            }
        }
    }
    for ((client, pid), mut servers) in by_client {
        servers.sort();
        servers.dedup();
        say(&format!(
            "Running servers stay bare until {} restarts (pid {pid}): {}.",
            harmless(&client),
            servers.join(", ")
        ));
    }
    say("Servers that a client has started already stay bare until it starts them anew.");
}

/// A closed stderr is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

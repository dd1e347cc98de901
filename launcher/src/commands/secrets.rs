//! `stockade secrets …`: tokens of clients' entries, moved into the system's keychain and back by a person at a terminal.

use std::ffi::OsString;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::approve::print;
use super::screen::{Screen, columns, harmless, pad};
use super::terminal::Terminal;
use crate::cli::SecretsCommand;
use crate::clients::{self, CLIENTS, Client, Journal, Variable, World};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::secrets::{self, Item, KeychainError, Reference};
use crate::telemetry::{About, write_alone};
use crate::{identity, plan, policies};

/// As many entries of one client may be called alike.
const NUMBERS_MAX: usize = 64;

/// `secret.moved`, `secret.restored`, `secret.set`, `secret.allowed`: what a person at a terminal decided.
#[derive(Debug, Serialize)]
struct SecretEvent {
    /// The variable.
    variable: String,
    /// What the entry says in its place.
    reference: String,
    /// The file.
    file: String,
}

/// Carries out one of them.
pub(super) fn secrets(command: &SecretsCommand) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    match command {
        SecretsCommand::List { json } => list(&facts, *json),
        SecretsCommand::Move { server } => move_all(server.as_deref(), &facts),
        SecretsCommand::Restore { server } => restore(server, &facts),
        SecretsCommand::Set { server, variable } => set(server, variable, &facts),
        SecretsCommand::Allow { server } => allow(server, &facts),
        SecretsCommand::Forget { reference } => forget(reference, &facts),
    }
}

/// What all entries of the user's clients say.
fn all(facts: &Facts) -> Vec<Variable> {
    let clients: Vec<&'static Client> = CLIENTS.iter().collect();
    let files = clients::user_files(&clients, World::of(facts));
    clients::variables(&files, &Journal::peek(&facts.state_dir))
}

/// Those of the server that is called so.
fn of_server(name: &str, facts: &Facts) -> Result<Vec<Variable>, Failure> {
    let mut found = all(facts);
    found.retain(|variable| variable.id == name || variable.place.name == name);
    let mut ids: Vec<String> = found.iter().map(|variable| variable.id.clone()).collect();
    ids.dedup();
    match ids.as_slice() {
        [] => Err(Failure::new(
            Kind::Usage,
            format!("no server `{}` has variables in a config of yours", harmless(name)),
        )
        .hint("`stockade secrets list` shows those that hold a token; `stockade status` lists all servers")),
        [_] => Ok(found),
        _ => Err(Failure::new(Kind::Usage, format!("more than one server is called `{}`", harmless(name)))
            .hint(format!("name one of {}", harmless(&ids.join(", "))))),
    }
}

fn unusable(error: &KeychainError) -> Failure {
    Failure::new(Kind::Config, "nothing was changed").because(error).hint(error.remedy())
}

fn list(facts: &Facts, as_json: bool) -> Result<Exit, Failure> {
    let mut shown = all(facts);
    shown.retain(|variable| variable.reference().is_some() || variable.is_plain_secret());
    let references: Vec<Reference> = shown.iter().filter_map(Variable::reference).collect();
    let kept = secrets::get(&references);
    let mut is_kept = kept.as_ref().map(|items| items.iter().map(Option::is_some)).ok();
    let mut state = |variable: &Variable| {
        if variable.reference().is_none() {
            return "plain";
        }
        match is_kept.as_mut().map(Iterator::next) {
            Some(Some(true)) => "keychain",
            Some(_) => "missing",
            None => "unknown",
        }
    };
    let states: Vec<&'static str> = shown.iter().map(&mut state).collect();
    if as_json {
        let row = |(variable, state): (&Variable, &&str)| {
            json!({
                "id": variable.id, "variable": variable.name, "file": variable.path.display().to_string(), "state": state,
                "wrapped": variable.is_wrapped, "reference": variable.reference().map(|reference| reference.to_string()),
            })
        };
        return print(&format!("{:#}\n", shown.iter().zip(&states).map(row).collect::<Value>()));
    }
    let screen = Screen::of_stdout();
    let label = |variable: &Variable| harmless(&format!("{} {}", variable.id, variable.name));
    let wide =
        shown.iter().map(|variable| columns(&label(variable))).max().unwrap_or(0).min(screen.width / 2);
    let mut out = String::new();
    for (variable, state) in shown.iter().zip(&states) {
        let words = match *state {
            "plain" if variable.is_wrapped => {
                "in plain text: `stockade secrets move` keeps it in the keychain"
            }
            "plain" => "in plain text; the server is not wrapped, so nobody would resolve a reference",
            "keychain" => "in the keychain",
            "missing" => {
                "NOT in the keychain: the server does not start; `stockade secrets set` keeps a value there"
            }
            _ => "said to be in the keychain, which cannot be asked",
        };
        out.push_str(&format!("{}  {words}\n", pad(&label(variable), wide)));
    }
    if let Err(error) = kept {
        let _ = writeln!(io::stderr(), "warning: {error}; {}", error.remedy());
    }
    if out.is_empty() {
        out.push_str("no entry of a client's config holds a token, or refers to one\n");
    }
    print(&out)
}

fn move_all(server: Option<&str>, facts: &Facts) -> Result<Exit, Failure> {
    let mut found = match server {
        Some(name) => of_server(name, facts)?,
        None => all(facts),
    };
    found.retain(Variable::is_plain_secret);
    if found.is_empty() {
        print("no token stands there in plain text\n")?;
        return Ok(Exit::Ok);
    }
    let mut terminal = Terminal::open()?;
    // Better told before the first question than after it.
    secrets::try_out().map_err(|error| unusable(&error))?;
    let journal = journal(facts)?;
    let (mut moved, mut failed) = (0, 0);
    for variable in &found {
        let label = format!("{} {}", variable.id, variable.name);
        if !variable.is_wrapped {
            print(&format!(
                "{}: left there: the server is not wrapped (`stockade wrap`)\n",
                harmless(&label)
            ))?;
            continue;
        }
        terminal.show(&format!(
            "{}\n  in {}\n",
            harmless(&label),
            harmless(&variable.path.display().to_string())
        ))?;
        if !terminal.agrees("Move it into the keychain, with a reference in its place?")? {
            continue;
        }
        match moved_one(variable, &journal, facts) {
            Ok(reference) => {
                moved += 1;
                print(&format!("{}: moved; the file says {reference}\n", harmless(&label)))?;
            }
            Err(failure) => {
                failed += 1;
                failure.report();
            }
        }
    }
    if moved > 0 {
        print(
            "a client that runs may have read the file before: restart it. The old text may stand in backups and histories; a \
               token that others could read is best renewed\n",
        )?;
    }
    match (moved, failed) {
        (0, 0) => Err(unchanged()),
        (_, 0) => Ok(Exit::Ok),
        _ => Ok(Exit::NotInOrder),
    }
}

/// First the keychain, then the file: what is cut off between them has lost nothing.
fn moved_one(variable: &Variable, journal: &Journal, facts: &Facts) -> Result<Reference, Failure> {
    let server = server_of(variable, facts)?;
    let item = Item::new(&variable.name, &server, &variable.value).written(&variable.text, variable.format);
    let reference = free_reference(variable, &item).map_err(|error| unusable(&error))?;
    secrets::set(&reference, &item).map_err(|error| unusable(&error))?;
    if let Err(why) = clients::put(variable, &clients::quoted(&reference.to_string()), journal) {
        let _ = secrets::delete(&reference);
        return Err(
            Failure::new(Kind::Config, format!("{} {} was not moved", variable.id, variable.name)).cause(why)
        );
    }
    record("secret.moved", variable, &reference, (&server, facts))?;
    Ok(reference)
}

/// A name under which nothing lies, or this very secret: entries of two projects may be called alike.
fn free_reference(variable: &Variable, item: &Item) -> Result<Reference, KeychainError> {
    for number in 1..=NUMBERS_MAX {
        let reference = Reference::new(&variable.id, &variable.name, number);
        match secrets::get(std::slice::from_ref(&reference))?.pop().flatten() {
            Some(other) if other != *item => {}
            _ => return Ok(reference),
        }
    }
    Err(KeychainError::Refused(format!("{NUMBERS_MAX} secrets of this name lie in it already")))
}

fn restore(server: &str, facts: &Facts) -> Result<Exit, Failure> {
    let found = referring(server, facts)?;
    let mut terminal = Terminal::open()?;
    for (variable, _) in &found {
        let path = variable.path.display().to_string();
        terminal.show(&format!(
            "{} {}\n  in {}\n",
            harmless(&variable.id),
            harmless(&variable.name),
            harmless(&path)
        ))?;
    }
    if !terminal.agrees("Write the values back into the file, for everybody to read who reads it?")? {
        return Err(unchanged());
    }
    let journal = journal(facts)?;
    for (variable, reference) in &found {
        let not = |why: String| {
            Failure::new(Kind::Config, format!("{} was not restored", variable.name)).cause(why)
        };
        let text = secrets::text_of(reference, variable.format).map_err(not)?;
        clients::put(variable, &text, &journal).map_err(not)?;
        record("secret.restored", variable, reference, ("", facts))?;
        print(&format!(
            "{} {}: stands in the file again\n",
            harmless(&variable.id),
            harmless(&variable.name)
        ))?;
    }
    let gone: Vec<Reference> = found.into_iter().map(|(_, reference)| reference).collect();
    drop_unused(&gone, &all(facts).iter().filter_map(Variable::reference).collect::<Vec<_>>());
    Ok(Exit::Ok)
}

fn set(server: &str, name: &str, facts: &Facts) -> Result<Exit, Failure> {
    let mut found = of_server(server, facts)?;
    found.retain(|variable| variable.name == name);
    let [variable] = found.as_slice() else {
        let what =
            format!("the entry of {} has {} variables {}", harmless(server), found.len(), harmless(name));
        return Err(Failure::new(Kind::Usage, what)
            .hint(format!("write `\"{}\": \"\"` into its `env` once, and run this again", harmless(name))));
    };
    if !variable.is_wrapped {
        return Err(Failure::new(
            Kind::Usage,
            "the server is not wrapped, so nobody would resolve a reference",
        )
        .hint("`stockade wrap` first"));
    }
    let known = server_of(variable, facts)?;
    let mut terminal = Terminal::open()?;
    let value = terminal.secret(&format!("{} of {} (not shown)", harmless(name), harmless(&variable.id)))?;
    if value.is_empty() {
        return Err(unchanged());
    }
    let item = Item::new(name, &known, &value);
    let reference = match variable.reference() {
        Some(reference) => reference,
        None => free_reference(variable, &item).map_err(|error| unusable(&error))?,
    };
    secrets::set(&reference, &item).map_err(|error| unusable(&error))?;
    if variable.reference().is_none() {
        let written = clients::put(variable, &clients::quoted(&reference.to_string()), &journal(facts)?);
        written.map_err(|why| Failure::new(Kind::Config, "the entry was not changed").cause(why))?;
    }
    record("secret.set", variable, &reference, (&known, facts))?;
    print(&format!(
        "{} {}: kept; a server that runs has it when it is started anew\n",
        harmless(&variable.id),
        harmless(name)
    ))
}

fn allow(server: &str, facts: &Facts) -> Result<Exit, Failure> {
    let found = referring(server, facts)?;
    let references: Vec<Reference> = found.iter().map(|(_, reference)| reference.clone()).collect();
    let items = secrets::get(&references).map_err(|error| unusable(&error))?;
    let mut terminal = Terminal::open()?;
    let mut done = 0;
    for ((variable, reference), item) in found.iter().zip(items) {
        let now = server_of(variable, facts)?;
        let Some(item) = item.filter(|item| item.server != now || item.variable != variable.name) else {
            continue;
        };
        terminal.show(&format!(
            "{} {}\n  was kept for {} of {}\n  would be given to {}: {}\n",
            harmless(&variable.id),
            harmless(&variable.name),
            harmless(&item.variable),
            harmless(&item.server),
            harmless(&now),
            harmless(&variable.words.join(" "))
        ))?;
        if !terminal.agrees("Let it have the value from now on?")? {
            return Err(unchanged());
        }
        let item = item.given_to(&variable.name, &now);
        secrets::set(reference, &item).map_err(|error| unusable(&error))?;
        record("secret.allowed", variable, reference, (&now, facts))?;
        done += 1;
    }
    print(if done == 0 {
        "there was nothing to allow: its values are kept for what it starts\n"
    } else {
        "allowed\n"
    })
}

fn forget(text: &str, facts: &Facts) -> Result<Exit, Failure> {
    let Some(reference) = Reference::parse(text) else {
        return Err(Failure::new(Kind::Usage, "this is no reference")
            .hint("write stockade-secret:CLIENT/NAME/VARIABLE"));
    };
    if let Some(user) = all(facts).iter().find(|variable| variable.reference().as_ref() == Some(&reference)) {
        return Err(Failure::new(Kind::Usage, format!("the entry {} refers to it", harmless(&user.id)))
            .hint(format!(
                "`stockade secrets restore {}` writes it back into the file",
                harmless(&user.id)
            )));
    }
    let mut terminal = Terminal::open()?;
    if !terminal.agrees(&format!("Remove {reference} from the keychain?"))? {
        return Err(unchanged());
    }
    secrets::delete(&reference).map_err(|error| unusable(&error))?;
    print("removed\n")
}

/// The variables of a server that refer to the keychain.
fn referring(server: &str, facts: &Facts) -> Result<Vec<(Variable, Reference)>, Failure> {
    let found = of_server(server, facts)?.into_iter();
    let found: Vec<_> = found.filter_map(|variable| variable.reference().map(|it| (variable, it))).collect();
    if found.is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            format!("no variable of {} refers to the keychain", harmless(server)),
        )
        .hint("`stockade secrets list` shows those that do"));
    }
    Ok(found)
}

/// Removes what was referred to before and is not any more. That it cannot be is told: it is no reason to fail.
pub(super) fn drop_unused(before: &[Reference], now: &[Reference]) {
    for reference in before.iter().filter(|reference| !now.contains(reference)) {
        if let Err(error) = secrets::delete(reference) {
            let _ = writeln!(io::stderr(), "warning: {reference} is still in the keychain: {error}");
        }
    }
}

/// What the entry starts, as its secrets are bound to it.
fn server_of(variable: &Variable, facts: &Facts) -> Result<String, Failure> {
    let command: Vec<OsString> = variable.words.iter().map(OsString::from).collect();
    let resolved = identity::resolve(&command, facts).map_err(|failure| {
        Failure::new(
            Kind::Config,
            format!("cannot tell what {} starts, so nothing can be kept for it", harmless(&variable.id)),
        )
        .cause(failure.what)
        .hint("a secret is kept for one program; run this where that is found (PATH)")
    })?;
    Ok(plan::lasting_identity(&resolved))
}

fn record(
    kind: &'static str,
    variable: &Variable,
    reference: &Reference,
    (identity, facts): (&str, &Facts),
) -> Result<(), Failure> {
    let policy = policies::load(facts, None)?;
    let about = About {
        client: Some(variable.location.client.id.to_owned()),
        server: variable.place.name.clone(),
        identity: Some(identity.to_owned()).filter(|identity| !identity.is_empty()).into_iter().collect(),
        profile: String::new(),
    };
    let (name, file) = (variable.name.clone(), variable.path.display().to_string());
    write_alone(
        about,
        (&policy, facts),
        (kind, &SecretEvent { variable: name, reference: reference.to_string(), file }),
    )
}

fn journal(facts: &Facts) -> Result<Journal, Failure> {
    Journal::open(&facts.state_dir).map_err(|error| {
        Failure::new(Kind::Config, "nothing was changed: there is no journal")
            .because(&error)
            .hint(format!("make {} writable, or set XDG_STATE_HOME", facts.state_dir.display()))
    })
}

fn unchanged() -> Failure {
    Failure::new(Kind::Permission, "nothing was changed").cause("the answer was not `y`")
}

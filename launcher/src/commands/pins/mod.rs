//! `stockade pins …`: what packages are pinned to, and what servers said of their tools when somebody last agreed.

mod packages;
mod tools;

use std::io::{self, Write};

use serde_json::Value;

use super::screen::Screen;
use super::terminal::Terminal;
use crate::cli::{PinKind, PinsCommand};
use crate::definitions::{self, Found, Person};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::packages::{self as trees, Kept};
use crate::policies;

/// Carries out one of them.
pub(super) fn pins(command: PinsCommand) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    match command {
        PinsCommand::List { json } => list(&facts, json),
        PinsCommand::Show { name, json } => show(&Chosen::of(&name, None, &facts)?, json, &facts),
        PinsCommand::Diff { name, json } => diff(name.as_deref(), json, &facts),
        PinsCommand::Check { name } => {
            let kept = trees::check(&trees::show(&name, &facts)?.key, &facts)?;
            print(&format!("{}: {}\n", kept.pin.purl(), kept.pin.state()))?;
            Ok(if kept.pin.waiting.is_some() { Exit::NotInOrder } else { Exit::Ok })
        }
        PinsCommand::Approve { name, tools, kind } => {
            let kind = if tools.is_empty() { kind } else { Some(PinKind::Tools) };
            approve(&Chosen::of(&name, kind, &facts)?, &tools, &facts)
        }
        PinsCommand::Export { name } => export(&Chosen::of(&name, Some(PinKind::Tools), &facts)?),
        PinsCommand::Forget { name, kind } => forget(&name, kind, &facts),
        PinsCommand::Prune => {
            let removed = trees::prune(&facts)?;
            print(&format!("{} removed\n", counted(removed.len(), "tree")))
        }
    }
}

/// What a name means.
#[derive(Debug, Default)]
struct Chosen {
    package: Option<Kept>,
    tools: Option<Found>,
}

impl Chosen {
    /// # Errors
    /// When it means nothing, or several of a kind.
    fn of(name: &str, kind: Option<PinKind>, facts: &Facts) -> Result<Self, Failure> {
        let package = if kind == Some(PinKind::Tools) { None } else { trees::find(name, facts)? };
        let tools = if kind == Some(PinKind::Package) { None } else { definitions::find(name, facts)? };
        if package.is_none() && tools.is_none() {
            return Err(Failure::new(Kind::Usage, format!("nothing called `{}` is pinned", visible(name)))
                .hint("`stockade pins list` shows what is"));
        }
        Ok(Self { package, tools })
    }
}

fn list(facts: &Facts, as_json: bool) -> Result<Exit, Failure> {
    let (pins, damaged_pins) = trees::list(facts)?;
    let (servers, damaged_servers) = definitions::list(facts)?;
    let policy = policies::load(facts, None)?;
    if as_json {
        let rows = pins.iter().map(packages::summary);
        let rows: Vec<Value> = rows.chain(servers.iter().map(|one| tools::summary(one, &policy))).collect();
        print_json(&Value::from(rows))?;
    } else if pins.is_empty() && servers.is_empty() && damaged_pins.is_empty() && damaged_servers.is_empty() {
        print("nothing is pinned yet: the first start of a server does it\n")?;
    } else {
        let screen = Screen::of_stdout();
        let parts = [
            ("Packages", packages::list_text(&pins, screen)),
            ("Definitions of tools", tools::list_text(&servers, &policy, screen)),
        ];
        let parts = parts.iter().filter(|(_, text)| !text.is_empty());
        print(&parts.map(|(title, text)| format!("{title}\n{text}")).collect::<Vec<_>>().join("\n"))?;
    }
    let mut exit = Exit::Ok;
    for (key, failure) in damaged_pins.iter().chain(&damaged_servers) {
        exit = Exit::NotInOrder;
        // To a closed stderr nothing can be said.
        let _ = writeln!(io::stderr(), "{key}: {failure}");
    }
    Ok(exit)
}

fn show(chosen: &Chosen, as_json: bool, facts: &Facts) -> Result<Exit, Failure> {
    let policy = policies::load(facts, None)?;
    let screen = Screen::of_stdout();
    if as_json {
        let values = chosen.package.iter().map(packages::whole);
        return print_one_or_all(
            values.chain(chosen.tools.iter().map(|found| tools::whole(found, &policy))).collect(),
        );
    }
    let texts = chosen.package.iter().map(|kept| packages::text(kept, screen));
    let texts = texts.chain(chosen.tools.iter().map(|found| tools::text(found, &policy, screen)));
    print(&texts.collect::<Vec<_>>().join("\n"))
}

fn diff(name: Option<&str>, as_json: bool, facts: &Facts) -> Result<Exit, Failure> {
    let policy = policies::load(facts, None)?;
    let (pins, servers) = match name {
        Some(name) => {
            let chosen = Chosen::of(name, None, facts)?;
            (Vec::from_iter(chosen.package), Vec::from_iter(chosen.tools))
        }
        None => {
            let (pins, _) = trees::list(facts)?;
            let (servers, _) = definitions::list(facts)?;
            let waits = |found: &Found| !definitions::pending(&found.pins, &[], &policy).is_empty();
            let pins = pins.into_iter().filter(|kept| kept.pin.waiting.is_some());
            (pins.collect(), servers.into_iter().filter(waits).collect())
        }
    };
    if as_json {
        let values = pins.iter().map(packages::diff_json);
        let values = values.chain(servers.iter().map(|found| tools::diff_json(found, &policy))).collect();
        return if name.is_some() { print_one_or_all(values) } else { print_json(&Value::from(values)) };
    }
    let screen = Screen::of_stdout();
    let texts = pins.iter().map(|kept| packages::diff_text(kept, screen));
    let texts = texts.chain(servers.iter().map(|found| tools::diff_text(found, &[], &policy, screen)));
    let text = texts.collect::<Vec<_>>().join("\n");
    print(if text.is_empty() { "everything is as it was approved\n" } else { &text })
}

fn approve(chosen: &Chosen, only: &[String], facts: &Facts) -> Result<Exit, Failure> {
    let policy = policies::load(facts, None)?;
    let tools_wait =
        chosen.tools.as_ref().filter(|found| !definitions::pending(&found.pins, only, &policy).is_empty());
    // Of two of one name, the one that waits is meant.
    let is_meant = |kept: &&Kept| kept.pin.waiting.is_some() || chosen.tools.is_none();
    let package = chosen.package.as_ref().filter(is_meant);
    let mut said = String::new();
    if let Some(kept) = package {
        said.push_str(&packages::approve(kept, facts)?);
    }
    match (tools_wait, &chosen.tools, package) {
        (Some(found), ..) => said.push_str(&tools::approve(found, only, &policy, facts)?),
        (None, Some(found), None) => {
            return Err(Failure::new(
                Kind::Usage,
                format!("nothing waits for {}", visible(found.pins.names.first().unwrap_or(&found.key))),
            )
            .hint("`stockade pins show` shows what is approved"));
        }
        (None, ..) => {}
    }
    print(&said)
}

fn export(chosen: &Chosen) -> Result<Exit, Failure> {
    let today = host::now().strftime("%Y-%m-%d").to_string();
    let text = chosen.tools.as_ref().and_then(|found| definitions::export(&found.pins, &today));
    match text {
        Some(text) => print(&text),
        None => Err(Failure::new(Kind::Usage, "nothing of this server is approved")
            .hint("`stockade pins approve` does that")),
    }
}

fn forget(name: &str, kind: Option<PinKind>, facts: &Facts) -> Result<Exit, Failure> {
    // Of a pin that cannot be read, the name is the key.
    let is_damaged = |all: &[(String, Failure)]| all.iter().any(|(key, _)| key == name);
    let damaged_package = kind != Some(PinKind::Tools) && is_damaged(&trees::list(facts)?.1);
    let damaged_tools = kind != Some(PinKind::Package) && is_damaged(&definitions::list(facts)?.1);
    let (package, tools) = if damaged_package || damaged_tools {
        (damaged_package.then(|| name.to_owned()), damaged_tools.then(|| name.to_owned()))
    } else {
        let chosen = Chosen::of(name, kind, facts)?;
        (chosen.package.map(|kept| kept.key), chosen.tools.map(|found| found.key))
    };
    let name = visible(name);
    match (package, tools) {
        (Some(_), Some(_)) => Err(Failure::new(Kind::Usage, format!("`{name}` has pins of both kinds"))
            .hint("say which: `--kind package` or `--kind tools`")),
        (Some(key), None) => {
            ask("", &format!("The next start will pin whatever the registry offers then. Forget {name}?"))?;
            trees::forget(&key, facts)?;
            print(&format!("{name} is forgotten\n"))
        }
        (None, Some(key)) => {
            let question =
                format!("Whatever this server says of its tools next will be pinned. Forget {name}?");
            let person = ask("", &question)?;
            definitions::forget(&key, &person, facts)?;
            print(&format!("what {name} said of its tools is forgotten\n"))
        }
        (None, None) => Ok(Exit::Ok),
    }
}

/// Only a person at a terminal widens what runs, where what is asked about is shown as well.
///
/// # Errors
/// When there is no terminal of a person's own, or the answer is no.
fn ask(about: &str, question: &str) -> Result<Person, Failure> {
    let mut terminal = Terminal::open()?;
    terminal.show(about)?;
    if terminal.agrees(question)? {
        return Ok(Person { terminal: terminal.name() });
    }
    Err(Failure::new(Kind::Permission, "nothing was changed").cause("the answer was not `y`"))
}

/// A stranger's text on one line with everything visible that would not be, or that a terminal would obey.
fn visible(text: &str) -> String {
    tools::visible(text)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn print_one_or_all(mut values: Vec<Value>) -> Result<Exit, Failure> {
    match (values.pop(), values.is_empty()) {
        (Some(one), true) => print_json(&one),
        (Some(last), false) => {
            values.push(last);
            print_json(&Value::from(values))
        }
        (None, _) => Ok(Exit::Ok),
    }
}

/// JSON in plain characters: on a terminal nothing of it is obeyed.
fn print_json(value: &Value) -> Result<Exit, Failure> {
    let mut out = String::new();
    for c in format!("{value:#}\n").chars() {
        if c == '\n' || matches!(c, ' '..='~') {
            out.push(c);
        } else {
            // Beyond ASCII, and DEL: only inside of strings.
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    print(&out)
}

fn print(text: &str) -> Result<Exit, Failure> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))?;
    Ok(Exit::Ok)
}

//! `stockade pins …`: what packages are pinned to.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::screen::{Ink, Screen, columns, harmless, labelled, pad};
use super::terminal::Terminal;
use crate::cli::PinsCommand;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::packages::{self, Kept, Line};

/// Carries out one of them.
pub(super) fn pins(command: PinsCommand) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    match command {
        PinsCommand::List { json } => list(&facts, json),
        PinsCommand::Show { name, json } => {
            let kept = packages::show(&name, &facts)?;
            print(&if json { format!("{:#}\n", whole(&kept)) } else { text(&kept, Screen::of_stdout()) })
        }
        PinsCommand::Diff { name, json } => diff(&packages::show(&name, &facts)?, json),
        PinsCommand::Check { name } => {
            let kept = packages::check(&packages::show(&name, &facts)?.key, &facts)?;
            print(&format!("{}: {}\n", kept.pin.purl(), kept.pin.state()))?;
            Ok(if kept.pin.waiting.is_some() { Exit::NotInOrder } else { Exit::Ok })
        }
        PinsCommand::Approve { name } => approve(&name, &facts),
        PinsCommand::Forget { name } => {
            let kept = named_or_damaged(&name, &facts)?;
            ask("", &format!("The next start will pin whatever the registry offers then. Forget {name}?"))?;
            packages::forget(&kept, &facts)?;
            print(&format!("{name} is forgotten\n"))
        }
        PinsCommand::Prune => {
            let removed = packages::prune(&facts)?;
            print(&format!("{} removed\n", counted(removed.len(), "tree")))
        }
    }
}

fn list(facts: &Facts, as_json: bool) -> Result<Exit, Failure> {
    let (pins, damaged) = packages::list(facts)?;
    if as_json {
        let rows: Vec<Value> = pins.iter().map(summary).collect();
        print(&format!("{:#}\n", Value::from(rows)))?;
    } else if pins.is_empty() && damaged.is_empty() {
        print("nothing is pinned yet: the first start of a server through npx or uvx does it\n")?;
    } else {
        let screen = Screen::of_stdout();
        let wide = pins.iter().map(|kept| columns(&kept.pin.purl())).max().unwrap_or(0).min(screen.width / 2);
        let mut out = String::new();
        for kept in &pins {
            let state = kept.pin.state();
            let ink = match state {
                "pinned" => Ink::Good,
                "update available" => Ink::Warn,
                _ => Ink::Bad,
            };
            let purl = harmless(&kept.pin.purl());
            let size = counted(kept.pin.tree.packages.len(), "package");
            out.push_str(&format!(
                "{}  {}, {size}, since {}\n",
                pad(&purl, wide),
                screen.ink(ink, state),
                kept.pin.accepted_at
            ));
        }
        print(&out)?;
    }
    for (key, failure) in &damaged {
        // To a closed stderr nothing can be said.
        let _ = writeln!(io::stderr(), "{key}: {failure}");
    }
    Ok(if damaged.is_empty() { Exit::Ok } else { Exit::NotInOrder })
}

fn summary(kept: &Kept) -> Value {
    let pin = &kept.pin;
    json!({
        "key": kept.key, "package": pin.asked.name(), "purl": pin.purl(), "asked": pin.asked, "registry": pin.registry,
        "python": pin.python, "state": pin.state(), "version": pin.tree.version, "packages": pin.tree.packages.len(),
        "lock_sha256": pin.tree.lock_sha256, "first_seen": pin.first_seen, "accepted": pin.accepted,
        "accepted_at": pin.accepted_at, "checked": pin.checked, "scripts": pin.tree.scripts,
    })
}

fn whole(kept: &Kept) -> Value {
    let mut value = summary(kept);
    value["packages"] = json!(kept.pin.tree.packages);
    value["waiting"] = json!(kept.pin.waiting);
    value
}

fn text(kept: &Kept, screen: Screen) -> String {
    let pin = &kept.pin;
    let mut out = format!("{}\n", screen.ink(Ink::Strong, &harmless(&pin.purl())));
    let typed: Vec<&str> = pin.asked.wanted.iter().map(|one| one.typed.as_str()).collect();
    let mut line = |label: &str, value: &str| {
        out.push_str(&labelled(&format!("  {label}"), 16, &harmless(value), screen.width));
    };
    line("asked for", &typed.join(" "));
    line("registry", &pin.registry);
    line("state", pin.state());
    line("first used", &pin.first_seen);
    line("in force", &format!("{}, {}", pin.accepted_at, pin.accepted.words()));
    line("last checked", pin.checked.as_deref().unwrap_or("never"));
    line("install scripts", if pin.tree.scripts { "ran" } else { "did not run" });
    line("lock", &format!("sha256:{}", pin.tree.lock_sha256));
    line("pin", &kept.key);
    out.push_str(&format!("\n{}\n", counted(pin.tree.packages.len(), "package")));
    for one in &pin.tree.packages {
        let hash = one.integrity.first().map_or("", String::as_str);
        let more = one.integrity.len().saturating_sub(1);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        out.push_str(&format!(
            "  {}@{}  {}{more}\n",
            harmless(&one.name),
            harmless(&one.version),
            harmless(hash)
        ));
    }
    out
}

fn diff(kept: &Kept, as_json: bool) -> Result<Exit, Failure> {
    let lines = packages::diff(&kept.pin);
    if as_json {
        let line =
            |line: &Line| json!({ "what": line.what, "name": line.name, "old": line.old, "new": line.new });
        let lines: Vec<Value> = lines.iter().map(line).collect();
        return print(&format!(
            "{:#}\n",
            json!({ "package": kept.pin.asked.name(), "state": kept.pin.state(), "lines": lines })
        ));
    }
    print(&diff_text(kept, &lines, Screen::of_stdout()))
}

fn diff_text(kept: &Kept, lines: &[Line], screen: Screen) -> String {
    let mut out = format!("{}: {}\n", harmless(&kept.pin.purl()), kept.pin.state());
    for line in lines {
        let (name, of) =
            (harmless(&line.name), |text: &Option<String>| harmless(text.as_deref().unwrap_or("")));
        let (ink, text) = match line.what {
            "added" => (Ink::Warn, format!("+ {name} {}", of(&line.new))),
            "removed" => (Ink::Warn, format!("- {name} {}", of(&line.old))),
            "content" => {
                (Ink::Bad, format!("! {name} has other content: {} → {}", of(&line.old), of(&line.new)))
            }
            _ => (Ink::Warn, format!("~ {name} {} → {}", of(&line.old), of(&line.new))),
        };
        out.push_str(&format!("  {}\n", screen.ink(ink, &text)));
    }
    out
}

fn approve(name: &str, facts: &Facts) -> Result<Exit, Failure> {
    let kept = packages::show(name, facts)?;
    let lines = packages::diff(&kept.pin);
    if !lines.is_empty() {
        let question = format!("Run this from the next start of {} on?", kept.pin.asked.name());
        ask(&diff_text(&kept, &lines, Screen::of_stderr()), &question)?;
    }
    let kept = packages::approve(&kept.key, facts)?;
    print(&format!("{} is pinned, {}\n", kept.pin.purl(), counted(kept.pin.tree.packages.len(), "package")))
}

/// The key of a pin; of one that cannot be read, the name is the key.
fn named_or_damaged(name: &str, facts: &Facts) -> Result<String, Failure> {
    let (_, damaged) = packages::list(facts)?;
    if damaged.iter().any(|(key, _)| key == name) {
        return Ok(name.to_owned());
    }
    Ok(packages::show(name, facts)?.key)
}

/// Only a person at a terminal widens what runs, where what is asked about is shown as well.
///
/// # Errors
/// When there is no terminal of a person's own, or the answer is no.
fn ask(about: &str, question: &str) -> Result<(), Failure> {
    let mut terminal = Terminal::open()?;
    terminal.show(about)?;
    if terminal.agrees(question)? {
        return Ok(());
    }
    Err(Failure::new(Kind::Permission, "nothing was changed").cause("the answer was not `y`"))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn print(text: &str) -> Result<Exit, Failure> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))?;
    Ok(Exit::Ok)
}

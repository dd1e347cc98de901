//! `stockade doctor`: what this host can enforce, each line with its consequence and its remedy.

mod host_checks;
mod place_checks;
mod prove;

use std::io::Write;

use serde_json::{Value, json};
use stockade_sandbox::BackendChoice;

use crate::backend_memory::BackendMemory;
use crate::cli::DoctorArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;

use super::screen::{Ink, Screen, labelled, pad};

pub(super) use prove::part;

/// How good a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// As it should be.
    Full,
    /// Something is missing.
    Partial,
    /// Not there at all, or not usable.
    Missing,
    /// A statement, neither good nor bad.
    Note,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) name: String,
    /// How good it is.
    pub(super) state: State,
    /// What was found.
    pub(super) found: String,
    /// What that means for a session.
    pub(super) means: Option<String>,
    /// What to do about it.
    pub(super) remedy: Option<String>,
}

impl Check {
    /// A line without consequence.
    pub(super) fn new(name: impl Into<String>, state: State, found: impl Into<String>) -> Self {
        Self { name: name.into(), state, found: found.into(), means: None, remedy: None }
    }

    /// Adds what it means.
    pub(super) fn means(mut self, means: impl Into<String>) -> Self {
        self.means = Some(means.into());
        self
    }

    /// Adds what to do.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "state": word(self.state),
            "found": self.found,
            "means": self.means,
            "remedy": self.remedy,
        })
    }
}

/// Looks at everything and says it.
pub(super) fn doctor(args: DoctorArgs) -> Result<Exit, Failure> {
    if args.prove {
        let prove::Told { text, exit } = prove::proved(&args)?;
        print(&text)?;
        return Ok(exit);
    }
    let facts = Facts::gather()?;
    let report = stockade_sandbox::probe(BackendChoice::Auto).map_err(|error| {
        let failure = Failure::from(error);
        Failure { what: "this host could not be looked at".to_owned(), ..failure }
    })?;
    // The host was asked itself: what starts remember of it is brought up to date, where there are any records at all.
    if facts.state_dir.is_dir() {
        BackendMemory::open(&facts.state_dir).replace(&report.knowledge);
    }
    let sections = [
        ("Kernel", host_checks::kernel(&report, &host_checks::Settings::read())),
        ("What a jail enforces here", host_checks::guarantees(&report)),
        ("Places", place_checks::all(&facts)),
    ];
    let in_order = sections.iter().flat_map(|(_, checks)| checks).all(|check| is_in_order(check.state));
    let text = if args.json {
        format!("{:#}\n", as_json(&sections, report.enforcement.backend.word(), in_order))
    } else {
        as_text(&sections, in_order, Screen::of_stdout())
    };
    print(&text)?;
    Ok(if in_order { Exit::Ok } else { Exit::NotInOrder })
}

fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the report").because(&error))
}

fn is_in_order(state: State) -> bool {
    matches!(state, State::Full | State::Note)
}

type Section = (&'static str, Vec<Check>);

fn as_json(sections: &[Section], backend: &str, in_order: bool) -> Value {
    let checks: Vec<Value> = sections
        .iter()
        .flat_map(|(section, checks)| {
            checks.iter().map(move |check| {
                let mut line = check.json();
                line["section"] = json!(section);
                line
            })
        })
        .collect();
    json!({ "ok": in_order, "backend": backend, "checks": checks })
}

fn as_text(sections: &[Section], in_order: bool, screen: Screen) -> String {
    let mut text = String::new();
    for (title, checks) in sections {
        text.push_str(&format!("{}\n", screen.ink(Ink::Strong, title)));
        let widest = checks.iter().map(|check| super::screen::columns(&check.name)).max().unwrap_or(0);
        for check in checks {
            write_check(&mut text, screen, check, widest);
        }
        text.push('\n');
    }
    let gaps =
        sections.iter().flat_map(|(_, checks)| checks).filter(|check| !is_in_order(check.state)).count();
    text.push_str(&if in_order {
        format!("{}\n", screen.ink(Ink::Good, "Every guarantee can be had in full."))
    } else {
        let plural = if gaps == 1 { "line needs" } else { "lines need" };
        format!(
            "{}\n",
            screen.ink(Ink::Warn, &format!("{gaps} {plural} attention; a session reports the same gaps."))
        )
    });
    text
}

fn write_check(text: &mut String, screen: Screen, check: &Check, widest: usize) {
    let ink = match check.state {
        State::Full => Ink::Good,
        State::Partial => Ink::Warn,
        State::Missing => Ink::Bad,
        State::Note => Ink::Faint,
    };
    let word = pad(word(check.state), 8);
    let label = format!("  {}  {word}", pad(&check.name, widest));
    let indent = widest + 12;
    let shown = labelled(&label, indent, &check.found, screen.width);
    text.push_str(&shown.replacen(&word, &screen.ink(ink, &word), 1));
    for (name, line) in [("means", &check.means), ("remedy", &check.remedy)] {
        if let Some(line) = line {
            let body = labelled(&format!("{name}:"), 8, line, screen.width.saturating_sub(indent));
            for line in body.lines() {
                text.push_str(&format!("{}{line}\n", " ".repeat(indent)));
            }
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Full => "full",
        State::Partial => "partial",
        State::Missing => "missing",
        State::Note => "note",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::screen::columns;

    #[test]
    fn one_gap_is_enough_to_be_out_of_order_and_a_statement_is_not() {
        for (state, in_order) in
            [(State::Full, true), (State::Note, true), (State::Partial, false), (State::Missing, false)]
        {
            assert_eq!(is_in_order(state), in_order);
        }
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let check = Check::new("user namespaces", State::Missing, "they cannot be made ".repeat(8))
            .means("the weaker backend carries the jail ".repeat(4))
            .remedy("sysctl -w kernel.unprivileged_userns_clone=1 ".repeat(4));
        let sections = [("Kernel", vec![check])];
        for width in [60, 80, 120] {
            for line in as_text(&sections, false, Screen::plain(width)).lines() {
                assert!(columns(line) <= width, "{width}: {line}");
            }
        }
    }
}

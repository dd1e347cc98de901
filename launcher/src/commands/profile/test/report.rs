//! The table of `profile test`.

use serde_json::{Value, json};

use super::order::{Canaries, Tried};
use crate::cli::ProfileTestPrint;
use crate::commands::screen::{Ink, Screen, columns, harmless, labelled};
use crate::trials::{Absent, Difference, Row, differences};

/// What came of all of them.
pub(super) struct Report<'t> {
    /// One a server that was asked for.
    pub(super) lines: Vec<Line<'t>>,
    /// Those that can't be tried.
    pub(super) absent: Vec<&'t Absent>,
    /// The one profile that all had.
    pub(super) profile: Option<&'t str>,
}

/// What came of one.
pub(super) struct Line<'t> {
    /// The server.
    pub(super) row: &'t Row,
    /// What came of it.
    pub(super) verdict: Verdict,
}

/// How contained compares with bare.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The same tools and answers; and how the canaries fared.
    Same(Canaries),
    /// It gave away what no profile may.
    Leaks(Vec<String>),
    /// Not the same, with the end of what the server wrote to stderr.
    Differs(Vec<Difference>, String),
    /// It does not do bare what the table says, so there is nothing to compare with.
    NotBare(Vec<Difference>, String),
    /// It could not be had from its registry.
    NotFetched(String),
    /// The trial itself failed.
    NotTried(String),
    /// This machine lacks something that it needs.
    Skipped(String),
}

impl Verdict {
    /// Compares.
    pub(super) fn of(row: &Row, tried: Tried) -> Self {
        let Some(contained) = tried.contained else {
            return Self::NotBare(differences(row, &tried.bare, None), tried.bare.stderr);
        };
        if let Canaries::Got(got) = &tried.canaries
            && !got.is_empty()
        {
            return Self::Leaks(got.iter().cloned().collect());
        }
        let found = differences(row, &contained, Some(&tried.bare));
        if found.is_empty() { Self::Same(tried.canaries) } else { Self::Differs(found, contained.stderr) }
    }

    /// In a word or two.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Same(_) => "same",
            Self::Leaks(_) => "leaks",
            Self::Differs(..) => "differs",
            Self::NotBare(..) => "fails bare",
            Self::NotFetched(_) => "not fetched",
            Self::NotTried(_) => "not tried",
            Self::Skipped(_) => "skipped",
        }
    }

    fn ink(&self) -> Ink {
        match self {
            Self::Same(_) => Ink::Good,
            Self::Differs(..) | Self::Leaks(_) => Ink::Bad,
            _ => Ink::Warn,
        }
    }

    /// Why, a line each.
    fn reasons(&self) -> Vec<String> {
        match self {
            Self::Same(_) => Vec::new(),
            Self::Leaks(got) => vec![format!("a program in its jail got: {}", got.join(", "))],
            Self::Differs(found, _) | Self::NotBare(found, _) => {
                found.iter().map(ToString::to_string).collect()
            }
            Self::NotFetched(why) | Self::NotTried(why) | Self::Skipped(why) => {
                why.lines().map(str::to_owned).collect()
            }
        }
    }

    /// How the canaries fared, in words.
    fn canaries(&self) -> String {
        match self {
            Self::Same(Canaries::Got(_)) => "none lost".to_owned(),
            Self::Same(Canaries::NotTried(why)) => format!("not tried: {why}"),
            Self::Leaks(got) => format!("lost: {}", got.join(", ")),
            _ => String::new(),
        }
    }

    fn stderr(&self) -> &str {
        match self {
            Self::Differs(_, stderr) | Self::NotBare(_, stderr) => stderr,
            _ => "",
        }
    }
}

impl Report<'_> {
    /// Whether everything that works bare works contained. What could not be tried proves nothing, and counts as wrong
    /// unless this machine lacks something for it.
    pub(super) fn is_fine(&self) -> bool {
        self.lines.iter().all(|line| matches!(line.verdict, Verdict::Same(_) | Verdict::Skipped(_)))
    }

    /// As it was asked for.
    pub(super) fn print(&self, how: ProfileTestPrint) -> String {
        match (how.json, how.markdown) {
            (true, _) => format!("{:#}\n", self.json()),
            (false, true) => self.markdown(),
            (false, false) => self.text(Screen::of_stdout()),
        }
    }

    /// `55 of 57 servers do contained what they do bare: 98 % of their npm downloads`
    fn sum(&self) -> String {
        let works_bare = |line: &&Line<'_>| {
            matches!(line.verdict, Verdict::Same(_) | Verdict::Leaks(_) | Verdict::Differs(..))
        };
        let bare: Vec<_> = self.lines.iter().filter(works_bare).collect();
        let same = || bare.iter().filter(|line| matches!(line.verdict, Verdict::Same(_)));
        let downloads: u64 = bare.iter().filter_map(|line| line.row.downloads).sum();
        let of_same: u64 = same().filter_map(|line| line.row.downloads).sum();
        let count = same().count();
        let weight = match (of_same * 1000).checked_div(downloads) {
            Some(thousandths) => {
                format!(" ({}.{} % of their npm downloads)", thousandths / 10, thousandths % 10)
            }
            None => String::new(),
        };
        format!("{count} of {} that work bare do the same contained{weight}", bare.len())
    }

    fn json(&self) -> Value {
        let servers = self.lines.iter().map(|Line { row, verdict }| {
            json!({
                "name": row.name,
                "package": row.package,
                "downloads": row.downloads,
                "profile": self.profile.unwrap_or(&row.name),
                "tools": row.tools,
                "calls": row.calls.len(),
                "verdict": verdict.word(),
                "reasons": verdict.reasons(),
                "canaries": verdict.canaries(),
                "stderr": verdict.stderr(),
            })
        });
        let absent = self
            .absent
            .iter()
            .map(|absent| json!({ "name": absent.name, "package": absent.package, "reason": absent.reason }));
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "summary": self.sum(),
            "servers": servers.collect::<Vec<_>>(),
            "absent": absent.collect::<Vec<_>>(),
        })
    }

    fn text(&self, screen: Screen) -> String {
        let widest = self.lines.iter().map(|line| columns(&line.row.name)).max().unwrap_or(0);
        let mut text = String::new();
        for Line { row, verdict } in &self.lines {
            let word = screen.ink(verdict.ink(), &format!("{:<12}", verdict.word()));
            let name = harmless(&row.name);
            let gap = " ".repeat(widest.saturating_sub(columns(&name)));
            let asked = format!("{} tools, {} calls", row.tools, row.calls.len());
            text.push_str(&format!("{name}{gap}  {word} {asked:<20} {}\n", harmless(row.version())));
            if let Verdict::Same(Canaries::NotTried(why)) = verdict {
                let why = format!("canaries not tried: {}", harmless(why));
                text.push_str(&labelled("", widest + 2, &why, screen.width));
            }
            for reason in verdict.reasons() {
                text.push_str(&labelled("", widest + 2, &harmless(&reason), screen.width));
            }
            for line in verdict.stderr().lines().rev().take(STDERR_LINES).collect::<Vec<_>>().iter().rev() {
                text.push_str(&labelled(
                    "",
                    widest + 2,
                    &format!("stderr: {}", harmless(line)),
                    screen.width,
                ));
            }
        }
        text.push_str(&format!("\n{}\n", self.sum()));
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "| Server | Version | Tools | Calls | Contained | Canaries |\n|---|---|---|---|---|---|\n{}",
            self.lines.iter().map(|line| line.markdown()).collect::<String>()
        );
        for absent in &self.absent {
            let Absent { name, package, reason } = absent;
            let version = package.split('?').next().and_then(|name| name.rsplit_once('@'));
            let version = version.map_or("", |(_, version)| version);
            text.push_str(&format!("| {name} | {version} | | | not tried: {} | |\n", cell(reason)));
        }
        text.push_str(&format!("\n{}.\n", self.sum()));
        text
    }
}

/// Lines of stderr shown to a person; JSON has all that was kept.
const STDERR_LINES: usize = 6;

impl Line<'_> {
    fn markdown(&self) -> String {
        let Self { row, verdict } = self;
        let mut said = verdict.word().to_owned();
        if let Some(reason) = verdict.reasons().first() {
            said.push_str(&format!(": {}", cell(reason)));
        }
        format!(
            "| {} | {} | {} | {} | {said} | {} |\n",
            row.name,
            row.version(),
            row.tools,
            row.calls.len(),
            cell(&verdict.canaries())
        )
    }
}

fn cell(text: &str) -> String {
    harmless(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trials::Table;

    fn same() -> Verdict {
        Verdict::Same(Canaries::Got(std::collections::BTreeSet::new()))
    }

    #[test]
    fn what_could_not_be_tried_is_not_counted_as_working() {
        let table = Table::load(None).expect("parses");
        let line = |n: usize, verdict| Line { row: &table.servers[n], verdict };
        let report = |verdicts: Vec<Verdict>| {
            let lines = verdicts.into_iter().enumerate().map(|(n, verdict)| line(n, verdict)).collect();
            Report { lines, absent: table.absent.iter().collect(), profile: None }
        };
        assert!(report(vec![same(), Verdict::Skipped("no chromium".into())]).is_fine());
        for bad in [
            Verdict::Leaks(vec![".env".into()]),
            Verdict::Differs(Vec::new(), String::new()),
            Verdict::NotBare(Vec::new(), String::new()),
            Verdict::NotFetched("e".into()),
            Verdict::NotTried("e".into()),
        ] {
            assert!(!report(vec![same(), bad]).is_fine());
        }
        let differs = report(vec![same(), Verdict::Differs(Vec::new(), String::new())]);
        assert!(differs.sum().starts_with("1 of 2 that work bare"), "{}", differs.sum());
        let text = differs.text(Screen::plain(80));
        assert!(text.contains("same") && text.contains("differs"), "{text}");
        assert!(differs.markdown().contains("not tried: "));
    }
}

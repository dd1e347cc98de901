//! Denials of a jail for people: what was tried, what it means, and lines for a profile. Shared by `jail`, `inspect`
//! and `log --denied`.

use serde_json::{Value, json};
use stockade_sandbox::{Backend, Observe, Supervisor};

use super::screen::{Ink, Screen, harmless, labelled};
use crate::denials::{Entry, Remedy, merged, proposals};
use crate::error::{Failure, Kind};
use crate::host::Facts;
use crate::plan::ClosedPlaces;
use crate::telemetry::Reader;

/// What could be seen of denials at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// What was refused by filter, supervisor and broker, and what was opened.
    Opens(Backend),
    /// The former alone.
    Refusals,
    /// Nothing: there is no supervisor.
    Nothing,
}

impl Sight {
    /// What can be seen in a jail.
    pub(super) fn of(backend: Backend, observe: Observe, supervisor: Option<&Supervisor>) -> Self {
        match (supervisor, observe) {
            (None, _) => Self::Nothing,
            (Some(_), Observe::Files) => Self::Opens(backend),
            (Some(_), Observe::Refused) => Self::Refusals,
        }
    }

    /// What is not seen, which nobody may take for not denied.
    pub(super) fn blind_spot(self) -> &'static str {
        match self {
            Self::Opens(Backend::Namespaces) => {
                "Seen: every file that was opened or executed. Not seen: stat, rename, unlink, mkdir, chmod and the like by \
                 path, and what /proc leads to. In the private view of `namespaces` what is not granted is not there, so a \
                 program that looks before it opens is not seen to open it: with --backend notify it is."
            }
            Self::Opens(_) => {
                "Seen: every file that was opened or executed. Not seen: stat, rename, unlink, mkdir, chmod and the like \
                 by path, and what /proc leads to; Landlock refuses without telling anybody."
            }
            Self::Refusals => {
                "Files that the jail denied are not seen in such a run: Landlock refuses without telling anybody. With \
                 --observe, what is opened or executed is seen."
            }
            Self::Nothing => {
                "Nothing of what the jail denied can be seen: there is no supervisor in this backend, or none on this host. \
                 --backend notify has one, and namespaces where the kernel lets it."
            }
        }
    }
}

/// What one session was denied, oldest first.
pub(super) fn of_session(facts: &Facts, session: &str, closed: &ClosedPlaces) -> Result<Vec<Entry>, Failure> {
    let events = Reader::of_session(&facts.state_dir, session).poll().map_err(|error| {
        Failure::new(Kind::Software, "cannot read what was denied in this session").because(&error)
    })?;
    Ok(merged(events.iter().filter_map(|event| Entry::of_stored(event, closed))))
}

/// How many of them are listed.
pub(super) fn count(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| !entry.is_noise()).count()
}

/// What is said of those that are not; `None` if all are.
pub(super) fn not_listed(entries: &[Entry]) -> Option<String> {
    let times: u64 = entries.iter().filter(|entry| entry.is_noise()).map(|entry| entry.count).sum();
    (times > 0).then(|| {
        format!(
            "Not listed: {times} attempt{} to reach nscd, a cache of names. glibc makes them in every program and does without, so \
             they say nothing about this one and need no grant. `stockade log` has them.",
            if times == 1 { "" } else { "s" }
        )
    })
}

/// As lines, and then as lines for a profile; each line no wider than the screen, but those for a profile, which are to
/// be pasted.
pub(super) fn text(entries: &[Entry], profile: &str, closed: &ClosedPlaces, screen: Screen) -> String {
    let mut text = String::new();
    let width = screen.width;
    for entry in entries.iter().filter(|entry| !entry.is_noise()) {
        let times = if entry.count == 1 { String::new() } else { format!(", {} times", entry.count) };
        let by = format!("by {}{times}", entry.program_words());
        text.push_str(&indented(
            &labelled("", 0, &harmless(&entry.tried.words()), width.saturating_sub(2)),
            2,
        ));
        text.push_str(&indented(&labelled("", 0, &harmless(&by), width.saturating_sub(6)), 6));
        text.push_str(&indented(&labelled("", 0, &harmless(&entry.why), width.saturating_sub(6)), 6));
        if let Remedy::None(instead) = &entry.remedy {
            text.push_str(&indented(&labelled("→ ", 2, &harmless(instead), width.saturating_sub(6)), 6));
        }
    }
    if let Some(fragment) = proposals(entries, closed).fragment {
        let head = format!(
            "If the server is right to want this, these lines in profile `{profile}`, or in one of yours that extends it, \
             allow it:"
        );
        text.push('\n');
        for line in labelled("", 0, &head, width).lines() {
            text.push_str(&format!("{}\n", screen.ink(Ink::Strong, line)));
        }
        text.push('\n');
        text.push_str(&fragment);
    }
    text
}

/// With the same content.
pub(super) fn json(entries: &[Entry], closed: &ClosedPlaces) -> Value {
    let one = |entry: &Entry| {
        let (fragment, instead) = match &entry.remedy {
            Remedy::Grant(grant) => (Some(grant.fragment(entry.program.as_deref(), closed)), None),
            Remedy::None(instead) => (None, Some(instead)),
        };
        json!({
            "kind": entry.tried.kind(),
            "what": entry.tried.target(),
            "tried": entry.tried.words(),
            "program": entry.program.as_deref().map(|path| path.display().to_string()),
            "count": entry.count,
            "last": entry.last,
            "evidence": entry.tried.evidence(),
            "why": entry.why,
            "fragment": fragment,
            "instead": instead,
        })
    };
    let (noise, listed): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.is_noise());
    json!({
        "denied": listed.into_iter().map(one).collect::<Vec<_>>(),
        "noise": noise.into_iter().map(one).collect::<Vec<_>>(),
        "fragment": proposals(entries, closed).fragment,
    })
}

fn indented(text: &str, columns: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(columns))).collect()
}

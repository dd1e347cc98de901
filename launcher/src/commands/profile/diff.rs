//! `stockade profile diff`: what one profile grants and another does not.

use serde_json::{Value, json};
use stockade_policy::document::profile::Profile;

use super::named;
use crate::commands::profile::show::{Fact, facts};
use crate::commands::screen::{Ink, Screen, columns, harmless, labelled, pad};
use crate::error::Failure;
use crate::exit::Exit;

/// What differs.
#[derive(Debug, Default)]
struct Differences {
    added: Vec<Fact>,
    removed: Vec<Fact>,
    /// The old one and the new one.
    changed: Vec<(Fact, Fact)>,
}

/// Prints what `to` grants and `from` does not, and the other way round.
pub(super) fn diff(from: &str, to: &str, as_json: bool) -> Result<Exit, Failure> {
    let (from, to) = (named::profile(from)?, named::profile(to)?);
    let found = differences(&from, &to);
    super::print(&if as_json {
        json_text(&from, &to, &found)
    } else {
        text(&from, &to, &found, Screen::of_stdout())
    })
}

/// The same of two profiles that are read already.
pub(in crate::commands) fn in_words(from: &Profile, to: &Profile, screen: Screen) -> String {
    text(from, to, &differences(from, to), screen)
}

fn differences(from: &Profile, to: &Profile) -> Differences {
    let mut found = Differences::default();
    let mut old = facts(from);
    for new in facts(to) {
        match old.iter().position(|fact| fact.kind == new.kind && fact.what == new.what) {
            Some(at) => {
                let before = old.remove(at);
                if before.detail != new.detail {
                    found.changed.push((before, new));
                }
            }
            None => found.added.push(new),
        }
    }
    found.removed = old;
    found
}

fn json_text(from: &Profile, to: &Profile, found: &Differences) -> String {
    let fact = |fact: &Fact| json!({ "kind": fact.kind, "what": fact.what, "detail": fact.detail, "reason": fact.reason });
    let changed = |(old, new): &(Fact, Fact)| {
        json!({
            "kind": new.kind, "what": new.what, "from": old.detail, "to": new.detail, "reason": new.reason,
        })
    };
    let value = json!({
        "from": from.name,
        "to": to.name,
        "added": found.added.iter().map(fact).collect::<Vec<Value>>(),
        "removed": found.removed.iter().map(fact).collect::<Vec<Value>>(),
        "changed": found.changed.iter().map(changed).collect::<Vec<Value>>(),
    });
    format!("{value:#}\n")
}

fn text(from: &Profile, to: &Profile, found: &Differences, screen: Screen) -> String {
    let mut text = format!("{}\n", screen.ink(Ink::Strong, &format!("{} → {}", from.name, to.name)));
    if found.added.is_empty() && found.removed.is_empty() && found.changed.is_empty() {
        text.push_str("  both grant the same\n");
        return text;
    }
    let all = || found.added.iter().chain(&found.removed).chain(found.changed.iter().map(|(_, new)| new));
    let widest = all().map(|fact| columns(fact.kind)).max().unwrap_or(0);
    let line = |ink: Ink, mark: &str, fact: &Fact, detail: &str| {
        let label = format!("{mark} {}", pad(fact.kind, widest));
        let reason = if fact.reason.is_empty() { String::new() } else { format!("  ({})", fact.reason) };
        let words = harmless(&format!("{} {detail}", fact.what)) + &harmless_reason(&reason);
        let label_width = widest + 4;
        // Padded before it is coloured: escape sequences have no width.
        let lines = labelled(&label, label_width, &words, screen.width);
        lines.replacen(mark, &screen.ink(ink, mark), 1)
    };
    for fact in &found.added {
        text.push_str(&line(Ink::Good, "+", fact, &fact.detail));
    }
    for fact in &found.removed {
        text.push_str(&line(Ink::Bad, "-", fact, &fact.detail));
    }
    for (old, new) in &found.changed {
        let none =
            |detail: &str| if detail.is_empty() { "as built in".to_owned() } else { detail.to_owned() };
        let detail = format!("{} → {}", none(&old.detail), none(&new.detail));
        text.push_str(&line(Ink::Warn, "~", new, &detail));
    }
    text
}

fn harmless_reason(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" {}", harmless(reason)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(lines: &str) -> Profile {
        let text = format!("name = \"p\"\ndescription = \"d\"\n{lines}");
        Profile::parse("p.toml", &text, &|_| None).expect("a profile in order")
    }

    #[test]
    fn what_is_added_removed_and_changed_is_told_apart() {
        let from = profile(
            "[net]\nallow = [{ host = \"a.example\", port = 443, reason = \"r\" }]\n\
             [limits]\nmemory = \"1GiB\"\n[env]\npass = [\"A\"]",
        );
        let to = profile(
            "[net]\nallow = [{ host = \"a.example\", port = 443, upload = \"1MiB\", reason = \"other words\" },\
             { host = \"b.example\", port = 443, reason = \"more\" }]\n[limits]\nmemory = \"2GiB\"",
        );
        let found = differences(&from, &to);
        let names = |facts: &[Fact]| facts.iter().map(|f| f.what.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found.added), ["b.example:443"]);
        assert_eq!(names(&found.removed), ["A"]);
        let changed: Vec<_> = found.changed.iter().map(|(_, new)| new.what.as_str()).collect();
        assert_eq!(changed, ["a.example:443", "memory"]);
        let text = text(&from, &to, &found, Screen::plain(80));
        for part in ["+ ", "b.example:443", "(more)", "- ", "~ ", "1 GiB → 2 GiB"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn equal_profiles_differ_in_nothing_and_reasons_are_no_grants() {
        let one = profile("[fs]\nread = [{ path = \"/srv\", reason = \"one\" }]");
        let other = profile("[fs]\nread = [{ path = \"/srv\", reason = \"other\" }]");
        assert!(text(&one, &other, &differences(&one, &other), Screen::plain(80)).contains("the same"));
    }
}

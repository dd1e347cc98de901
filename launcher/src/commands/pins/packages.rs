//! Packages: what they are pinned to, and what the registries offer.

use serde_json::{Value, json};

use super::{ask, counted};
use crate::commands::screen::{Ink, Screen, columns, harmless, labelled, pad};
use crate::error::Failure;
use crate::host::Facts;
use crate::packages::{self, Kept, Line};

/// A line each.
pub(super) fn list_text(pins: &[Kept], screen: Screen) -> String {
    let wide = pins.iter().map(|kept| columns(&kept.pin.purl())).max().unwrap_or(0).min(screen.width / 2);
    let mut out = String::new();
    for kept in pins {
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
    out
}

/// For `list --json`.
pub(super) fn summary(kept: &Kept) -> Value {
    let pin = &kept.pin;
    json!({
        "kind": "package", "key": kept.key, "package": pin.asked.name(), "purl": pin.purl(), "asked": pin.asked, "registry": pin.registry,
        "python": pin.python, "state": pin.state(), "version": pin.tree.version, "packages": pin.tree.packages.len(),
        "lock_sha256": pin.tree.lock_sha256, "first_seen": pin.first_seen, "accepted": pin.accepted,
        "accepted_at": pin.accepted_at, "checked": pin.checked, "scripts": pin.tree.scripts,
    })
}

/// For `show --json`.
pub(super) fn whole(kept: &Kept) -> Value {
    let mut value = summary(kept);
    value["packages"] = json!(kept.pin.tree.packages);
    value["waiting"] = json!(kept.pin.waiting);
    value
}

/// For `show`.
pub(super) fn text(kept: &Kept, screen: Screen) -> String {
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

/// For `diff --json`.
pub(super) fn diff_json(kept: &Kept) -> Value {
    let line =
        |line: &Line| json!({ "what": line.what, "name": line.name, "old": line.old, "new": line.new });
    let lines: Vec<Value> = packages::diff(&kept.pin).iter().map(line).collect();
    json!({ "kind": "package", "package": kept.pin.asked.name(), "state": kept.pin.state(), "lines": lines })
}

/// For `diff`.
pub(super) fn diff_text(kept: &Kept, screen: Screen) -> String {
    let mut out = format!("{}: {}\n", harmless(&kept.pin.purl()), kept.pin.state());
    for line in &packages::diff(&kept.pin) {
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

/// Puts in force what waits, if the person at the terminal agrees; says what is in force then.
pub(super) fn approve(kept: &Kept, facts: &Facts) -> Result<String, Failure> {
    if kept.pin.waiting.is_some() {
        let question = format!("Run this from the next start of {} on?", kept.pin.asked.name());
        ask(&diff_text(kept, Screen::of_stderr()), &question)?;
    }
    let kept = packages::approve(&kept.key, facts)?;
    Ok(format!("{} is pinned, {}\n", kept.pin.purl(), counted(kept.pin.tree.packages.len(), "package")))
}

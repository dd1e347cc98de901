//! The report on a screen.

use std::fmt::Write as _;

use super::paste;
use super::tally::{Found, Interruptions, Tally};
use crate::commands::policy::suppressions::Idle;
use crate::commands::screen::{Ink, Screen, columns, cut, harmless, labelled, pad};

/// Detectors and servers that are shown; the others are counted, and are all in the JSON.
const ROWS_MAX: usize = 20;
/// Width of what a policy is to be pasted from: it is not wrapped, or it could not be pasted.
const INDENT: &str = "    ";

/// What the report is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    /// As it was typed.
    pub(super) since: &'a str,
    /// As it was typed.
    pub(super) server: Option<&'a str>,
    /// Directory of the events.
    pub(super) place: &'a str,
}

pub(super) fn text(tally: &Tally, idle: &[Idle], about: &About<'_>, screen: Screen) -> String {
    let mut out = String::new();
    head(&mut out, tally, about, screen);
    let rows = tally.rows();
    let pastes = paste::all(&rows, tally.now);
    for (found, paste) in rows.iter().zip(&pastes).take(ROWS_MAX) {
        row(&mut out, found, paste, screen);
    }
    if rows.len() > ROWS_MAX {
        let more = rows.len() - ROWS_MAX;
        let told =
            format!("… and {more} more detectors and servers: `--json` has them all, `--server` narrows it");
        let _ = write!(out, "\n{}", labelled("", 0, &told, screen.width));
    }
    if !rows.is_empty() {
        let told = "A [[suppress]] goes into the policy file whose rules it is to silence, once a name and a reason stand in \
                    it; rules of files above that one it silences only where they say `may_relax`. `stockade policy check` \
                    says whether it is in order.";
        let _ = write!(out, "\n{}", labelled("", 0, told, screen.width));
    }
    if !idle.is_empty() {
        let _ = write!(out, "\n{}\n", screen.ink(Ink::Strong, "Suppressions without effect"));
    }
    for one in idle {
        let told = harmless(&format!("{}:{}: {}", one.file, one.line, one.why));
        out.push_str(&labelled("", 2, &told, screen.width));
    }
    out
}

fn head(out: &mut String, tally: &Tally, about: &About<'_>, screen: Screen) {
    let of =
        about.server.map_or_else(String::new, |server| format!(" of servers like `{}`", harmless(server)));
    if tally.messages == 0 && tally.rows().is_empty() {
        let told = format!("no messages{of} are on record for the last {} in {}", about.since, about.place);
        out.push_str(&labelled("", 0, &told, screen.width));
        return;
    }
    let messages =
        format!("{} of {}", many(tally.messages, "message"), many(tally.servers.len() as u64, "server"));
    let mut say = |label: &str, told: &str| out.push_str(&labelled(label, 17, told, screen.width));
    say("looked at", &format!("{messages}{of} in the last {}", about.since));
    if tally.findings == 0 {
        say("found", "nothing");
    } else {
        let (with, per_1000) = (many(tally.messages_with_findings, "message"), tally.per_1000());
        say(
            "found",
            &format!("{} in {with}: {per_1000} per 1,000 messages", many(tally.findings, "finding")),
        );
    }
    say("interruptions", &interruptions(tally, tally.interrupted));
    if tally.would_have != Interruptions::default() {
        let told = interruptions(tally, tally.would_have);
        say("would have been", &format!("{told}, if the layers that only watch acted"));
    }
    if tally.own > 0 {
        let told = format!("{} went to a server whose job that is", many(tally.own, "credential"));
        say("passed", &told);
    }
    if !tally.suppressed.is_empty() {
        let by = tally.suppressed.iter().map(|(id, times)| format!("{times} by `{}`", harmless(id)));
        say("suppressed", &by.collect::<Vec<_>>().join(", "));
    }
}

fn interruptions(tally: &Tally, of: Interruptions) -> String {
    if of == Interruptions::default() {
        return "none".to_owned();
    }
    let (per_day, per_30_days) = tally.rates(of);
    let days = tally.days();
    let over = if days < 1.05 { "one day".to_owned() } else { format!("{days:.1} days") };
    format!(
        "{} blocked, {} redacted: {per_day} a day over {over}, {per_30_days} in 30 days",
        many(of.blocked, "message"),
        of.redacted
    )
}

fn row(out: &mut String, found: &Found, paste: &str, screen: Screen) {
    let identity = found.identity.as_deref().unwrap_or_default();
    let title = harmless(&format!("{}  {}", found.detector, found.server)).replacen(' ', "  ", 1);
    let title = format!("{title}  {}", harmless(identity));
    let _ = write!(out, "\n{}\n", screen.ink(Ink::Strong, &cut(title.trim_end(), screen.width)));
    let what = format!(
        "{} of {} in {}, {} confidence: {}",
        many(found.findings, "finding"),
        many(found.values() as u64, "value"),
        many(found.messages, "message"),
        found.confidence,
        deeds(found)
    );
    out.push_str(&labelled("", 2, &what, screen.width));
    let samples: Vec<_> = found.samples().collect();
    let wide = |text: fn(&(&str, &super::tally::Sample)) -> String| {
        samples.iter().map(|one| columns(&text(one))).max().unwrap_or(0)
    };
    let (times, length) =
        (wide(|(_, one)| format!("{}×", one.times)), wide(|(_, one)| one.length().to_owned()));
    for (hash, sample) in &samples {
        let (times, length) = (pad(&format!("{}×", sample.times), times), pad(sample.length(), length));
        let head = format!("  {}  {times}  {length}  ", harmless(hash));
        let at = if sample.at.is_empty() { "/" } else { sample.at.as_str() };
        let room = screen.width.saturating_sub(columns(&head));
        let _ = writeln!(out, "{}{}", screen.ink(Ink::Faint, &head), cut(&harmless(at), room));
    }
    let more = found.values() - samples.len();
    if more > 0 {
        let _ = writeln!(out, "  … and {}", many(more as u64, "other value"));
    }
    let _ = writeln!(out, "  if these are no findings:");
    for line in paste.lines() {
        let _ = writeln!(out, "{INDENT}{}", harmless(line));
    }
}

/// `2 blocked, 10 recorded, of which 5 would have been blocked`
fn deeds(found: &Found) -> String {
    let done = [(found.blocked, "blocked"), (found.redacted, "redacted"), (found.recorded, "recorded")];
    let done = done.into_iter().filter(|(times, _)| *times > 0);
    let mut told = done.map(|(times, word)| format!("{times} {word}")).collect::<Vec<_>>().join(", ");
    let would = [(found.would_block, "blocked"), (found.would_redact, "redacted")];
    let would: Vec<String> = would
        .into_iter()
        .filter(|(times, _)| *times > 0)
        .map(|(times, word)| format!("{times} would have been {word}"))
        .collect();
    if !would.is_empty() {
        let _ = write!(told, "; {}", would.join(", "));
    }
    told
}

/// `1 message`, `1,204 messages`
fn many(number: u64, noun: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if number == 1 { format!("{grouped} {noun}") } else { format!("{grouped} {noun}s") }
}

#[cfg(test)]
mod tests;

//! How an entry is changed: splices into the original text, and the proof that nothing else moved.
//!
//! Wrapping moves the command's own literal into `args` and puts ours in its place; every other byte of the entry stays.
//! So unwrapping can take the literal back from the entry itself, escapes and all.

use std::collections::BTreeMap;

use crate::clients::entry::{self, Args, Entry, Launch, Place, Shape, Wrapped};
use crate::clients::registry::Scopes;
use crate::clients::spans::{self, Document, Member, Span};

/// Put `with` where `span` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Splice {
    /// What goes.
    pub span: Span,
    /// What comes.
    pub with: String,
}

/// Had the entry an `args` of its own before it was wrapped?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArgsBefore {
    /// Yes, or nobody knows.
    Present,
    /// No: `wrap` added it.
    Absent,
}

/// The text with all splices carried out. They must not overlap.
pub(crate) fn apply(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|splice| splice.span.start);
    let mut out =
        String::with_capacity(text.len() + splices.iter().map(|splice| splice.with.len()).sum::<usize>());
    let mut at = 0;
    for splice in splices {
        out.push_str(&text[at..splice.span.start]);
        out.push_str(&splice.with);
        at = splice.span.end;
    }
    out.push_str(&text[at..]);
    out
}

/// `COMMAND ARGS…` → `LAUNCHER run --id ID -- COMMAND ARGS…`
pub(crate) fn wrap(document: &Document<'_>, launch: &Launch, launcher: &str, id: &str) -> Vec<Splice> {
    let command = document.raw(&launch.command.value).to_owned();
    let head = [quoted("run"), quoted("--id"), quoted(id), quoted("--"), command];
    let ours = Splice { span: launch.command.value.clone(), with: quoted(launcher) };
    let args = match &launch.args {
        Some(args) => match args.items.first() {
            Some(first) => {
                let between = separator(document, args);
                let with = head.iter().map(|word| format!("{word},{between}")).collect();
                Splice { span: first.start..first.start, with }
            }
            None => {
                let at = args.member.value.start + 1;
                Splice { span: at..at, with: one_line(&head, colon(document, &args.member)) }
            }
        },
        None => new_args(document, &launch.command, &head),
    };
    vec![ours, args]
}

/// `LAUNCHER run … -- COMMAND ARGS…` → `COMMAND ARGS…`; `None` if it is not of that form.
pub(crate) fn unwrap(
    document: &Document<'_>,
    entry: &Entry,
    wrapped: &Wrapped,
    before: ArgsBefore,
) -> Option<Vec<Splice>> {
    let launch = &wrapped.launch;
    let args = launch.args.as_ref()?;
    let inner = wrapped.inner?;
    let own = args.items.get(inner)?;
    let command = Splice { span: launch.command.value.clone(), with: document.raw(own).to_owned() };
    let gone = |span: Span| Splice { span, with: String::new() };
    let start = args.items.first()?.start;
    if let Some(next) = args.items.get(inner + 1) {
        return Some(vec![command, gone(start..next.start)]);
    }
    if before == ArgsBefore::Absent
        && let Some(member) = removable(document, entry, args)
    {
        return Some(vec![command, gone(member)]);
    }
    let mut splices = vec![command, gone(start..own.end)];
    // `[,]` would be malformed: a trailing comma, if somebody added one, goes as well.
    splices.extend(document.comma_after(own.end).map(gone));
    Some(splices)
}

/// Compares two versions of a file without a look at the splices: the same entries in the same places; those in `changed`
/// with exactly these command lines and otherwise the same members; every other byte equal.
///
/// # Errors
/// What differs, in words.
pub(crate) fn verify(
    old: &Document<'_>,
    new: &Document<'_>,
    scopes: Scopes,
    changed: &BTreeMap<Place, Vec<String>>,
) -> Result<(), String> {
    let (old_entries, new_entries) = (in_file_order(old, scopes)?, in_file_order(new, scopes)?);
    if old_entries.len() != new_entries.len() {
        return Err("the number of entries would change".to_owned());
    }
    let (mut old_at, mut new_at) = (0, 0);
    for (was, is) in old_entries.iter().zip(&new_entries) {
        if was.place != is.place || old.raw(&(old_at..was.span.start)) != new.raw(&(new_at..is.span.start)) {
            return Err(format!("something before the entry `{}` would change", was.place.name));
        }
        (old_at, new_at) = (was.span.end, is.span.end);
        let Some(words) = changed.get(&was.place) else {
            if old.raw(&was.span) != new.raw(&is.span) {
                return Err(format!("the entry `{}` would change", was.place.name));
            }
            continue;
        };
        if launch_of(&is.shape).is_none_or(|launch| launch.words() != *words) {
            return Err(format!("the entry `{}` would not start what it should", was.place.name));
        }
        if others(old, was) != others(new, is) {
            return Err(format!("another member of the entry `{}` would change", was.place.name));
        }
    }
    if old.raw(&(old_at..old.text().len())) != new.raw(&(new_at..new.text().len())) {
        return Err("something behind the last entry would change".to_owned());
    }
    Ok(())
}

/// `command` and `args`, whoever they start.
pub(crate) fn launch_of(shape: &Shape) -> Option<&Launch> {
    match shape {
        Shape::Bare(launch) => Some(launch),
        Shape::Wrapped(wrapped) => Some(&wrapped.launch),
        Shape::Remote | Shape::Odd(_) => None,
    }
}

fn in_file_order(document: &Document<'_>, scopes: Scopes) -> Result<Vec<Entry>, String> {
    let mut entries = entry::entries(document, scopes)?;
    entries.sort_by_key(|entry| entry.span.start);
    Ok(entries)
}

/// All members but `command` and `args`, as they are written.
fn others<'a>(document: &Document<'a>, entry: &Entry) -> Option<Vec<(&'a str, &'a str)>> {
    let members = document.members(&entry.span)?;
    let kept = members.iter().filter(|member| !matches!(member.name.as_deref(), Some("command" | "args")));
    Some(kept.map(|member| (document.raw(&member.key), document.raw(&member.value))).collect())
}

fn quoted(word: &str) -> String {
    serde_json::Value::from(word).to_string()
}

fn one_line(words: &[String], colon: &str) -> String {
    words.join(if colon == ":" { "," } else { ", " })
}

/// What stands between the key and the value of a member.
fn colon<'a>(document: &Document<'a>, member: &Member) -> &'a str {
    let colon = document.raw(&(member.key.end..member.value.start));
    if colon.split_once(':').is_some_and(|(before, after)| spans::is_blank(before) && spans::is_blank(after))
    {
        colon
    } else {
        ": "
    }
}

/// What stands between the items of `args`: a line break with its indentation, blanks, or nothing.
fn separator<'a>(document: &Document<'a>, args: &Args) -> &'a str {
    let (Some(first), second) = (args.items.first(), args.items.get(1)) else { return " " };
    let lead = document.raw(&(args.member.value.start + 1..first.start));
    if lead.contains('\n') {
        return last_line_break(lead);
    }
    let after_comma = second.and_then(|second| document.raw(&(first.end..second.start)).strip_prefix(','));
    match after_comma {
        Some(blanks) if spans::is_blank(blanks) && !blanks.contains('\n') => blanks,
        None if colon(document, &args.member) == ":" => "",
        _ => " ",
    }
}

/// The last line break of a gap, with the indentation behind it.
fn last_line_break(gap: &str) -> &str {
    let Some(newline) = gap.rfind('\n') else { return " " };
    let start = if gap[..newline].ends_with('\r') { newline - 1 } else { newline };
    let indent = gap[newline + 1..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &gap[start..newline + 1 + indent]
}

/// A member `args` behind the member `command`, set out like that.
fn new_args(document: &Document<'_>, command: &Member, head: &[String]) -> Splice {
    let before = document.raw(&(0..command.key.start));
    let gap = &before[before.trim_end_matches([' ', '\t', '\r', '\n']).len()..];
    let colon = colon(document, command);
    let gap = match gap {
        "" if colon != ":" => " ",
        gap if gap.contains('\n') => last_line_break(gap),
        gap => gap,
    };
    let with = format!(",{gap}\"args\"{colon}[{}]", one_line(head, colon));
    Splice { span: command.value.end..command.value.end, with }
}

/// The member `args` with the comma that goes with it, unless a comment stands there.
fn removable(document: &Document<'_>, entry: &Entry, args: &Args) -> Option<Span> {
    let members = document.members(&entry.span)?;
    let at = members.iter().position(|member| member.key == args.member.key)?;
    let only_a_comma = |span: &Span| {
        let (before, after) = document.raw(span).split_once(',')?;
        (spans::is_blank(before) && spans::is_blank(after)).then_some(())
    };
    if let Some(previous) = at.checked_sub(1).and_then(|at| members.get(at)) {
        only_a_comma(&(previous.value.end..args.member.key.start))?;
        return Some(previous.value.end..args.member.value.end);
    }
    let next = members.get(at + 1)?;
    only_a_comma(&(args.member.value.end..next.key.start))?;
    Some(args.member.key.start..next.key.start)
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

//! How an entry is changed: splices into the original text, and the proof that nothing else moved.
//!
//! Wrapping moves the command's own literal into `args` and puts ours in its place; every other byte of the entry stays.
//! So unwrapping can take the literal back from the entry itself, escapes and all.

use std::collections::BTreeMap;

use crate::clients::entry::{self, Args, Entry, Launch, Place, Shape, Wrapped};
use crate::clients::registry::{Form, Format, Layout};
use crate::clients::spans::{self, Document, Member, Span, quoted};

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
pub(crate) fn wrap(
    document: &Document<'_>,
    launch: &Launch,
    launcher: &str,
    id: &str,
    args: &str,
) -> Vec<Splice> {
    let command = document.literal(&launch.command.value);
    let head = [quoted("run"), quoted("--id"), quoted(id), quoted("--"), command];
    if launch.form == Form::Line {
        // The command's own literal stays where it is.
        let [run, flag, id, dashes, _] = head;
        let at = launch.command.value.start;
        return vec![before(document, launch, at, &[quoted(launcher), run, flag, id, dashes])];
    }
    let ours = Splice { span: launch.command.value.clone(), with: quoted(launcher) };
    let args = match &launch.args {
        Some(args) => match args.items.first() {
            Some(first) => before(document, launch, first.start, &head),
            None => {
                let at = args.member.value.start + 1;
                Splice { span: at..at, with: one_line(&head, colon(document, &args.member)) }
            }
        },
        None => new_args(document, &launch.command, &head, args),
    };
    vec![ours, args]
}

/// `COMMAND ARGS…` → `LAUNCHER run ID`
pub(crate) fn shorten(
    document: &Document<'_>,
    launch: &Launch,
    launcher: &str,
    id: &str,
    args: &str,
) -> Vec<Splice> {
    whole(document, launch, (launcher, &["run".to_owned(), id.to_owned()]), args)
}

/// `LAUNCHER run ID` → `COMMAND ARGS…`, in one line.
pub(crate) fn lengthen(document: &Document<'_>, wrapped: &Wrapped, words: &[String]) -> Option<Vec<Splice>> {
    let (program, args) = words.split_first()?;
    wrapped.launch.args.as_ref()?;
    Some(whole(document, &wrapped.launch, (program, args), ""))
}

/// Another command line in place of the one that stands there.
fn whole(
    document: &Document<'_>,
    launch: &Launch,
    (program, words): (&str, &[String]),
    name: &str,
) -> Vec<Splice> {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let in_one_line = |words: &[String], member: &Member| {
        // What stood over several lines may have begun in the next one.
        let colon = colon(document, member);
        let with = format!("{colon}[{}]", one_line(words, colon));
        Splice { span: member.key.end..member.value.end, with }
    };
    let ours = Splice { span: launch.command.value.clone(), with: quoted(program) };
    match (&launch.args, launch.form) {
        (Some(args), Form::Line) => {
            let all: Vec<String> = [quoted(program)].into_iter().chain(words).collect();
            vec![in_one_line(&all, &args.member)]
        }
        (Some(args), Form::Words) => vec![ours, in_one_line(&words, &args.member)],
        (None, _) => vec![ours, new_args(document, &launch.command, &words, name)],
    }
}

/// These words before the first item, set out as the items are.
fn before(document: &Document<'_>, launch: &Launch, at: usize, head: &[String]) -> Splice {
    let between = match &launch.args {
        Some(args) if !document.is_flow(&args.member.value) => {
            let dash = document.line_before(at);
            format!("{}{dash}", document.line_break())
        }
        Some(args) => format!(",{}", separator(document, args)),
        None => ", ".to_owned(),
    };
    Splice { span: at..at, with: head.iter().map(|word| format!("{word}{between}")).collect() }
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
    let gone = |span: Span| Splice { span, with: String::new() };
    if launch.form == Form::Line {
        return Some(vec![gone(launch.command.value.start..own.start)]);
    }
    let command = Splice { span: launch.command.value.clone(), with: document.raw(own).to_owned() };
    let start = args.items.first()?.start;
    if let Some(next) = args.items.get(inner + 1) {
        return Some(vec![command, gone(start..next.start)]);
    }
    if before == ArgsBefore::Absent
        && let Some(member) = removable(document, entry, args)
    {
        return Some(vec![command, gone(member)]);
    }
    if !document.is_flow(&args.member.value) {
        let none = Splice { span: args.member.value.clone(), with: "[]".to_owned() };
        return Some(vec![command, none]);
    }
    let mut splices = vec![command, gone(start..own.end)];
    // `[,]` would be malformed: a trailing comma, if somebody added one, goes as well.
    splices.extend(document.comma_after(own.end).map(gone));
    Some(splices)
}

/// Compares two versions of a file without a look at the splices: the same entries in the same places; those in `changed`
/// with exactly these command lines and otherwise the same members, but for `secrets` (what refers to one, and what comes in its
/// place); every other byte equal.
///
/// # Errors
/// What differs, in words.
pub(crate) fn verify(
    old: &Document<'_>,
    new: &Document<'_>,
    layouts: &[Layout],
    changed: &BTreeMap<Place, Vec<String>>,
    secrets: &BTreeMap<String, String>,
) -> Result<(), String> {
    let (old_entries, new_entries) = (in_file_order(old, layouts)?, in_file_order(new, layouts)?);
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
        if others(old, was, secrets) != others(new, is, &BTreeMap::new()) {
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

fn in_file_order(document: &Document<'_>, layouts: &[Layout]) -> Result<Vec<Entry>, String> {
    let mut entries = entry::entries(document, layouts)?;
    entries.sort_by_key(|entry| entry.span.start);
    Ok(entries)
}

/// All members but those of the command line, as they are written.
fn others<'a>(
    document: &Document<'a>,
    entry: &Entry,
    secrets: &BTreeMap<String, String>,
) -> Option<Vec<(&'a str, String)>> {
    let members = document.members(&entry.span)?;
    let kept = members.iter().filter(|member| {
        !member.name.as_deref().is_some_and(|name| name == entry.layout.command || name == entry.layout.args)
    });
    let told = |text: &str| secrets.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    Some(kept.map(|member| (document.raw(&member.key), told(document.raw(&member.value)))).collect())
}

fn one_line(words: &[String], colon: &str) -> String {
    words.join(if colon == ":" { "," } else { ", " })
}

/// What stands between the key and the value of a member.
fn colon<'a>(document: &Document<'a>, member: &Member) -> &'a str {
    let (sign, usual) = match document.format() {
        Format::Json | Format::Yaml => (':', ": "),
        Format::Toml => ('=', " = "),
    };
    let colon = document.raw(&(member.key.end..member.value.start));
    let is_plain = colon.split_once(sign).is_some_and(|(before, after)| {
        spans::is_blank(before) && spans::is_blank(after) && !colon.contains('\n')
    });
    let is_json = document.format() == Format::Json;
    let is_json_s = is_json
        && colon
            .split_once(sign)
            .is_some_and(|(before, after)| spans::is_blank(before) && spans::is_blank(after));
    if is_plain || is_json_s { colon } else { usual }
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

/// A member `args` behind the member `command`, set out like that; in a table without brackets a line of its own before it, so that
/// a comment at the command's end stays there.
fn new_args(document: &Document<'_>, command: &Member, head: &[String], name: &str) -> Splice {
    let key = if document.format() == Format::Json { quoted(name) } else { name.to_owned() };
    if !document.is_flow_at(command) {
        let at = command.key.start;
        let indent: String =
            document.line_before(at).chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let colon = colon(document, command);
        let with = format!("{key}{colon}[{}]{}{indent}", one_line(head, colon), document.line_break());
        return Splice { span: at..at, with };
    }
    let before = document.raw(&(0..command.key.start));
    let gap = &before[before.trim_end_matches([' ', '\t', '\r', '\n']).len()..];
    let colon = colon(document, command);
    let gap = match gap {
        "" if colon != ":" => " ",
        gap if gap.contains('\n') => last_line_break(gap),
        gap => gap,
    };
    let with = format!(",{gap}{key}{colon}[{}]", one_line(head, colon));
    Splice { span: command.value.end..command.value.end, with }
}

/// The member `args` with the comma that goes with it, unless a comment stands there.
fn removable(document: &Document<'_>, entry: &Entry, args: &Args) -> Option<Span> {
    let members = document.members(&entry.span)?;
    let at = members.iter().position(|member| member.key == args.member.key)?;
    if !document.is_flow_at(&args.member) {
        let next = members.get(at + 1)?;
        let gap = args.member.value.end..next.key.start;
        return spans::is_blank(document.raw(&gap)).then_some(args.member.key.start..next.key.start);
    }
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
mod formats;
#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

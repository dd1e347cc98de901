//! PURE: a new entry in a client's file, set out as the file is, with the proof that nothing else changed.

mod render;

use crate::clients::edit::{Splice, apply, launch_of};
use crate::clients::entry::{self, Entry, Scope};
use crate::clients::registry::{Client, Form, Format, Layout, Place};
use crate::clients::spans::{Document, Span, leading_blanks, quoted};
use render::{UNIT, Value, block, colon, flow_key, json, render_flow};

/// A server to be entered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewServer<'a> {
    /// Its key.
    pub name: &'a str,
    /// Its command line.
    pub words: &'a [String],
    /// Names and values of its variables.
    pub env: &'a [(String, String)],
}

/// The file's text with one more entry, bare.
///
/// # Errors
/// When there is one of that name, or the file has no place for it; in words.
pub(crate) fn insert(
    (client, place): (&Client, &Place),
    bytes: &[u8],
    server: NewServer<'_>,
) -> Result<String, String> {
    let format = place.format.ok_or("it is no file with entries")?;
    let old = Document::parse(bytes, format).map_err(|malformed| format!("malformed: {malformed}"))?;
    let entries = entry::entries(&old, place.layouts)?;
    if entries.iter().any(|entry| is_named(entry, server.name)) {
        return Err(format!("it has a server `{}` already; `stockade remove` takes that out", server.name));
    }
    let layout = layout(&old, client, place).ok_or("no entry can be added to it")?;
    let text = apply(old.text(), added(&old, layout, value(client, layout, server), server.name)?);
    let new = Document::parse(text.as_bytes(), format).map_err(|malformed| {
        format!(
            "it has no place for another server that would leave it well-formed ({malformed}); add it by hand"
        )
    })?;
    let after = entry::entries(&new, place.layouts)?;
    let added = after.iter().find(|entry| is_named(entry, server.name));
    let added = added.ok_or("its layout has no place for another server; add it by hand")?;
    if launch_of(&added.shape).is_none_or(|launch| launch.words() != *server.words) {
        return Err("the new entry would not start what it should; please report this".to_owned());
    }
    if new.leaves(Some(&added.span)) != old.leaves(None) {
        return Err("something else in it would change; please report this".to_owned());
    }
    Ok(text)
}

/// A JSON file's text with one more member, its value written out, under these keys; those that are missing are made.
///
/// # Errors
/// When it has no place for it; in words.
pub(crate) fn insert_member(
    old: &Document<'_>,
    at: &[&str],
    name: &str,
    value: &str,
) -> Result<String, String> {
    let none = || "it has no place for another entry there".to_owned();
    let (here, missing) = reach(old, at);
    let here = here.filter(|here| old.is_flow(here)).ok_or_else(none)?;
    let mut keys = missing.iter().copied().chain([name]);
    let outer = keys.next().ok_or_else(none)?;
    let wrap = |value, key: &str| Value::Map(vec![(key.to_owned(), value)]);
    let inner = keys.rev().fold(Value::Literal(value.to_owned()), wrap);
    let text = apply(old.text(), flow_added(old, &here, Some(outer), &inner).ok_or_else(none)?);
    let new = Document::parse(text.as_bytes(), old.format()).map_err(|malformed| malformed.to_string())?;
    let keys: Vec<&str> = at.iter().copied().chain([name]).collect();
    match reach(&new, &keys) {
        (Some(span), []) if new.raw(&span) == value && new.leaves(Some(&span)) == old.leaves(None) => {
            Ok(text)
        }
        _ => Err("something else in it would change; please report this".to_owned()),
    }
}

fn is_named(entry: &Entry, name: &str) -> bool {
    entry.place.scope == Scope::User && entry.place.name == name
}

/// Where new entries go: under what the file has already, else where the client writes them itself.
fn layout<'p>(document: &Document<'_>, client: &Client, place: &'p Place) -> Option<&'p Layout> {
    let fixed = || place.layouts.iter().filter(|layout| !layout.at.contains(&"*"));
    let exists = fixed().filter(|layout| reach(document, layout.at).1.is_empty());
    // The deepest that exists: `mcp` is the way to `mcp.servers`, too.
    exists
        .max_by_key(|layout| layout.at.len())
        .or_else(|| fixed().find(|layout| !client.new.at.is_empty() && layout.at == client.new.at))
        .or_else(|| fixed().next())
}

/// How far the file has these keys: the value there, and the keys that it lacks.
fn reach<'k, 's>(document: &Document<'_>, at: &'k [&'s str]) -> (Option<Span>, &'k [&'s str]) {
    let (mut here, mut rest) = (document.root(), at);
    while let (Some(span), Some((key, below))) = (&here, rest.split_first()) {
        let members = document.members(span).unwrap_or_default();
        let Some(member) = members.into_iter().find(|member| member.name.as_deref() == Some(key)) else {
            break;
        };
        (here, rest) = (Some(member.value), below);
    }
    (here, rest)
}

fn value(client: &Client, layout: &Layout, server: NewServer<'_>) -> Value {
    let list = |words: &[String]| {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        Value::Literal(format!("[{}]", words.join(", ")))
    };
    let mut members = Vec::new();
    let mut put = |name: &str, value: Value| members.push((name.to_owned(), value));
    if layout.list || client.new.name {
        put("name", Value::Literal(quoted(server.name)));
    }
    // An older layout of the same client knows nothing of them.
    let are_known = layout.at.starts_with(client.new.at);
    for (name, literal) in client.new.members.iter().filter(|_| are_known) {
        put(name, Value::Literal((*literal).to_owned()));
    }
    match (layout.form, server.words.split_first()) {
        (Form::Words, Some((program, args))) => {
            put(layout.command, Value::Literal(quoted(program)));
            put(layout.args, list(args));
        }
        (_, _) => put(layout.command, list(server.words)),
    }
    if !server.env.is_empty() {
        let env = server.env.iter().map(|(name, value)| (name.clone(), Value::Literal(quoted(value))));
        put(layout.env, Value::Map(env.collect()));
    }
    Value::Map(members)
}

fn added(document: &Document<'_>, layout: &Layout, value: Value, name: &str) -> Result<Vec<Splice>, String> {
    let (here, missing) = reach(document, layout.at);
    // What is written at `here`: an item, or a member with the keys that are missing around it.
    let nested = |mut keys: Vec<&str>, value: Value| {
        let outer = keys.remove(0);
        let inner =
            keys.into_iter().rev().fold(value, |value, key| Value::Map(vec![(key.to_owned(), value)]));
        (outer.to_owned(), inner)
    };
    let format = document.format();
    if format == Format::Toml && here.as_ref().is_none_or(|span| !document.is_flow(span)) {
        return Ok(vec![toml_table(document, layout, &value, name)]);
    }
    let (key, value) = match (layout.list, missing.is_empty()) {
        (true, true) => (None, value),
        (true, false) => {
            let flow = render_flow(&value, format);
            let (outer, inner) = nested(missing.to_vec(), Value::Literal(format!("[{flow}]")));
            (Some(outer), inner)
        }
        (false, _) => {
            let (outer, inner) = nested(missing.iter().copied().chain([name]).collect(), value);
            (Some(outer), inner)
        }
    };
    let eol = document.line_break();
    let Some(here) = here else {
        let (key, value) = (key.unwrap_or_default(), &value);
        let text = match format {
            Format::Yaml => block(&key, value, "").join(eol),
            _ => format!("{{{eol}{UNIT}{}: {}{eol}}}", quoted(&key), json(value, UNIT, eol)),
        };
        let end = document.text().len();
        return Ok(vec![Splice { span: end..end, with: format!("{text}{eol}") }]);
    };
    if document.is_flow(&here) {
        return flow_added(document, &here, key.as_deref(), &value)
            .ok_or_else(|| "no entry can be added to it".to_owned());
    }
    yaml_added(document, &here, key.as_deref(), &value)
        .ok_or_else(|| "no entry can be added to it; add it by hand".to_owned())
}

/// Between brackets, behind what stands there.
fn flow_added(document: &Document<'_>, here: &Span, key: Option<&str>, value: &Value) -> Option<Vec<Splice>> {
    let last = match document.members(here) {
        Some(members) => members.last().map(|member| member.value.end),
        None => document.items(here)?.last().map(|item| item.end),
    };
    let close = here.end.checked_sub(1)?;
    let body = document.raw(&(here.start + 1..close));
    let behind = here.start + 1 + body.trim_end().len();
    let is_json = document.format() == Format::Json;
    // A comment to the end of the line must not swallow what we write.
    let in_lines = is_json && (last.is_none() || body.contains('\n'));
    let outer: String = leading_blanks(document.line_before(here.start)).to_owned();
    let eol = document.line_break();
    let (gap, written) = if in_lines {
        let indent = match first_key(document, here) {
            Some(at) if leading_blanks(document.line_before(at)) == document.line_before(at) => {
                document.line_before(at).to_owned()
            }
            _ => format!("{outer}{UNIT}"),
        };
        let written = match key {
            Some(key) => format!("{}: {}", quoted(key), json(value, &indent, eol)),
            None => json(value, &indent, eol),
        };
        (format!("{eol}{indent}"), written)
    } else {
        let flow = render_flow(value, document.format());
        let written = match key {
            Some(key) => format!("{}{}{flow}", flow_key(key, document.format()), colon(document.format())),
            None => flow,
        };
        (if body.starts_with([' ', '\t']) || last.is_some() { " " } else { "" }.to_owned(), written)
    };
    let Some(last) = last else {
        let end = if in_lines { format!("{eol}{outer}") } else { String::new() };
        return Some(vec![Splice { span: behind..close, with: format!("{gap}{written}{end}") }]);
    };
    if document.comma_after(last).is_some_and(|comma| comma.end <= close) {
        return Some(vec![Splice { span: behind..behind, with: format!("{gap}{written},") }]);
    }
    if behind == last {
        return Some(vec![Splice { span: last..last, with: format!(",{gap}{written}") }]);
    }
    let comma = Splice { span: last..last, with: ",".to_owned() };
    Some(vec![comma, Splice { span: behind..behind, with: format!("{gap}{written}") }])
}

fn first_key(document: &Document<'_>, here: &Span) -> Option<usize> {
    match document.members(here) {
        Some(members) => members.first().map(|member| member.key.start),
        None => document.items(here)?.first().map(|item| item.start),
    }
}

/// In lines of its own, behind the last line of the mapping or sequence.
fn yaml_added(document: &Document<'_>, here: &Span, key: Option<&str>, value: &Value) -> Option<Vec<Splice>> {
    let before = document.line_before(first_key(document, here)?);
    let indent: String = leading_blanks(before).to_owned();
    let eol = document.line_break();
    let lines = match key {
        Some(key) => block(key, value, &indent),
        None => {
            let Value::Map(members) = value else { return None };
            let inner = format!("{indent}{UNIT}");
            let mut lines: Vec<String> =
                members.iter().flat_map(|(key, value)| block(key, value, &inner)).collect();
            let first = lines.first_mut()?;
            *first = format!("{indent}- {}", first.trim_start());
            lines
        }
    };
    let at = document.end_of_line(document.raw(&(0..here.end)).trim_end().len());
    let with: String = lines.iter().map(|line| format!("{eol}{line}")).collect();
    Some(vec![Splice { span: at..at, with }])
}

/// A table with its header at the end of the file.
fn toml_table(document: &Document<'_>, layout: &Layout, value: &Value, name: &str) -> Splice {
    let eol = document.line_break();
    let keys = layout.at.iter().copied().chain((!layout.list).then_some(name));
    let path: Vec<String> = keys.map(|key| flow_key(key, Format::Toml)).collect();
    let (open, close) = if layout.list { ("[[", "]]") } else { ("[", "]") };
    let mut lines = vec![format!("{open}{}{close}", path.join("."))];
    if let Value::Map(members) = value {
        let line = |(key, value): &(String, Value)| {
            format!("{} = {}", flow_key(key, Format::Toml), render_flow(value, Format::Toml))
        };
        lines.extend(members.iter().map(line));
    }
    let text = document.text();
    let at = text.trim_end().len();
    let is_new = text.trim_start_matches('\u{feff}').trim().is_empty();
    let lead = if is_new { String::new() } else { format!("{eol}{eol}") };
    let tail = if text.get(at..).is_some_and(|rest| rest.contains('\n')) { "" } else { eol };
    Splice { span: at..at, with: format!("{lead}{}{tail}", lines.join(eol)) }
}

#[cfg(test)]
mod tests;

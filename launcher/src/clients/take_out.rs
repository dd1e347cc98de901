//! PURE: an entry taken out of a client's file with all that belongs to it, with the proof that nothing else changed.

use crate::clients::edit::{Splice, apply};
use crate::clients::entry::{self, Entry, Scope};
use crate::clients::registry::{Format, Place};
use crate::clients::spans::{self, Document, Span, leading_blanks};

/// The file's text without this entry, and the text of the entry.
///
/// # Errors
/// When it cannot be taken out without a change to something else; in words.
pub(crate) fn take_out(place: &Place, old: &Document<'_>, entry: &Entry) -> Result<String, String> {
    let whole = "it stands among other things that would be lost with it; take it out by hand";
    let container = container(old, entry).ok_or(whole)?;
    let splices = match entry.layout.list {
        true => item_out(old, &container, entry),
        false => member_out(old, &container, entry),
    };
    let text = apply(old.text(), splices.ok_or(whole)?);
    let new = Document::parse(text.as_bytes(), old.format()).map_err(|_| whole)?;
    let is_gone = entry::entries(&new, place.layouts)?.iter().all(|other| other.place != entry.place);
    if !is_gone || new.leaves(None) != old.leaves(Some(&entry.span)) {
        return Err(whole.to_owned());
    }
    Ok(text)
}

/// The object or array in which the entry stands.
fn container(document: &Document<'_>, entry: &Entry) -> Option<Span> {
    let mut here = document.root()?;
    for key in entry.layout.at {
        let key = match (&entry.place.scope, *key) {
            (Scope::Project(path), "*") => path.as_str(),
            (_, key) => key,
        };
        let members = document.members(&here)?;
        here = members.into_iter().find(|member| member.name.as_deref() == Some(key))?.value;
    }
    Some(here)
}

fn member_out(document: &Document<'_>, container: &Span, entry: &Entry) -> Option<Vec<Splice>> {
    let members = document.members(container)?;
    let at = members.iter().position(|member| member.value == entry.span)?;
    let spans: Vec<Span> = members.iter().map(|member| member.key.start..member.value.end).collect();
    if document.is_flow_at(members.get(at)?) {
        return Some(flow_out(document, container, &spans, at));
    }
    let member = members.get(at)?;
    if document.format() == Format::Toml {
        return table_out(document, member.key.start, &member.value);
    }
    if members.len() == 1 {
        return Some(vec![Splice { span: spans.get(at)?.clone(), with: "{}".to_owned() }]);
    }
    Some(vec![lines_out(document, spans.get(at)?)])
}

fn item_out(document: &Document<'_>, container: &Span, entry: &Entry) -> Option<Vec<Splice>> {
    let items = document.items(container)?;
    let at = items.iter().position(|item| *item == entry.span)?;
    if document.is_flow(container) {
        return Some(flow_out(document, container, &items, at));
    }
    let item = items.get(at)?;
    if document.format() == Format::Toml {
        // The header `[[name]]` ends where the item begins.
        return table_out(document, item.start.checked_sub(1)?, item);
    }
    let dash = item.start
        - document
            .line_before(item.start)
            .trim_end()
            .strip_suffix('-')
            .map(|before| document.line_before(item.start).len() - before.len())?;
    if items.len() == 1 {
        return Some(vec![Splice { span: dash..item.end, with: "[]".to_owned() }]);
    }
    Some(vec![lines_out(document, &(dash..item.end))])
}

/// One of several values between brackets, with the comma that goes with it.
fn flow_out(document: &Document<'_>, container: &Span, spans: &[Span], at: usize) -> Vec<Splice> {
    let gone = |span: Span| Splice { span, with: String::new() };
    let Some(own) = spans.get(at) else { return Vec::new() };
    let is_plain = |span: &Span| {
        let gap = document.raw(span);
        spans::is_blank(&gap.replacen(',', "", 1))
    };
    let previous = at.checked_sub(1).and_then(|at| spans.get(at));
    match (previous, spans.get(at + 1)) {
        (_, Some(next)) if is_plain(&(own.end..next.start)) => vec![gone(own.start..next.start)],
        (Some(previous), None) if is_plain(&(previous.end..own.start)) => vec![gone(previous.end..own.end)],
        (None, None)
            if is_plain(&(container.start + 1..own.start)) && is_plain(&(own.end..container.end - 1)) =>
        {
            vec![gone(container.start + 1..container.end - 1)]
        }
        // Comments around it stay; its comma, or the one before it, goes.
        (previous, _) => {
            let comma = document.comma_after(own.end).filter(|comma| comma.end < container.end);
            let end = comma.as_ref().map_or(own.end, |comma| comma.end);
            let comma = comma.or_else(|| document.comma_after(previous?.end));
            let before = document.line_before(own.start);
            let stands_alone = leading_blanks(before) == before && document.end_of_line(end) == end;
            let text = document.raw(&(0..own.start - before.len()));
            let start = if stands_alone {
                text.trim_end_matches('\n').trim_end_matches('\r').len()
            } else {
                own.start
            };
            let own = start..own.end;
            std::iter::once(own).chain(comma).map(gone).collect()
        }
    }
}

/// Whole lines, with the break at their end.
fn lines_out(document: &Document<'_>, span: &Span) -> Splice {
    let text = document.text();
    let start = span.start - document.line_before(span.start).len();
    let trimmed = document.raw(&(0..span.end)).trim_end().len();
    let end = document.end_of_line(trimmed);
    let after = text.get(end..).unwrap_or("");
    let length = after.find('\n').map_or(after.len(), |at| at + 1);
    Splice { span: start..end + length, with: String::new() }
}

/// A table with a header, and the tables below it that follow.
fn table_out(document: &Document<'_>, header: usize, table: &Span) -> Option<Vec<Splice>> {
    let mut end = table.end;
    let mut open = vec![table.clone()];
    while let Some(span) = open.pop() {
        end = end.max(span.end);
        open.extend(document.members(&span).unwrap_or_default().into_iter().map(|member| member.value));
        open.extend(document.items(&span).unwrap_or_default());
    }
    let line = document.line_before(header);
    line.trim_start().starts_with('[').then(|| {
        let Splice { span, with } = lines_out(document, &(header..end));
        // One of the blank lines around it goes with it.
        let after = document.raw(&(span.end..document.text().len()));
        let blank = ["\r\n", "\n"].into_iter().find(|blank| after.starts_with(blank));
        vec![Splice { span: span.start..span.end + blank.map_or(0, str::len), with }]
    })
}

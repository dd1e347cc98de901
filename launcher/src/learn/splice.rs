//! PURE: items added to a list of a TOML text, every other byte as it was (decision 33: a parser only tells where things
//! stand).

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Adds items to the list `key` of `[table]`.
///
/// # Errors
/// Why it cannot be done, in words.
pub(super) fn add(text: &str, (table, key): (&str, &str), items: &[String]) -> Result<String, String> {
    if items.is_empty() {
        return Ok(text.to_owned());
    }
    // A byte order mark is no TOML.
    let (mark, body) = text.strip_prefix('\u{feff}').map_or(("", text), |body| ("\u{feff}", body));
    let newline = if body.contains("\r\n") { "\r\n" } else { "\n" };
    let parsed = DeTable::parse(body).map_err(|error| error.message().to_owned())?;
    let place = place(parsed.get_ref(), body, (table, key))?;
    let lines: String = items.iter().map(|item| format!("  {item},{newline}")).collect();
    let (at, inserted) = match place {
        Place::AtEnd => {
            let gap = match body {
                "" => "",
                body if body.ends_with('\n') => newline,
                _ => &format!("{newline}{newline}"),
            };
            (body.len(), format!("{gap}[{table}]{newline}{key} = [{newline}{lines}]{newline}"))
        }
        Place::BehindHeader(at) => (at, format!("{newline}{key} = [{newline}{lines}]")),
        Place::Tables => {
            let one = |item: &String| {
                as_table(item).map(|members| {
                    format!("{newline}[[{table}.{key}]]{newline}{}{newline}", members.join(newline))
                })
            };
            let tables = items.iter().map(one).collect::<Option<String>>();
            let gap = if body.ends_with('\n') { "" } else { newline };
            (body.len(), format!("{gap}{}", tables.ok_or("its items are tables of their own")?))
        }
        Place::Behind { item_end, at, comma } => {
            if !comma {
                // Parsed again, since everything behind it has moved.
                let with_comma = format!("{mark}{},{}", &body[..item_end], &body[item_end..]);
                return add(&with_comma, (table, key), items);
            }
            (at, format!("{newline}{}", lines.trim_end_matches(newline)))
        }
        Place::Empty(at) => (at, format!("{newline}{lines}")),
    };
    Ok(format!("{mark}{}{inserted}{}", &body[..at], &body[at..]))
}

/// Where items go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// There is no such table.
    AtEnd,
    /// The table has no such key; this is the end of its header's line.
    BehindHeader(usize),
    /// The list is written as `[[table.key]]`.
    Tables,
    /// Behind the last item and what is said about it in its line; and whether a comma stands there.
    Behind { item_end: usize, at: usize, comma: bool },
    /// Behind the bracket that opens an empty list.
    Empty(usize),
}

fn place(top: &DeTable<'_>, body: &str, (table, key): (&str, &str)) -> Result<Place, String> {
    let member = |members: &DeTable<'_>, name: &str| {
        members.iter().find(|(key, _)| key.get_ref() == name).map(|(key, _)| key.span())
    };
    let Some(at) = member(top, table) else { return Ok(Place::AtEnd) };
    let Some(DeValue::Table(members)) = top.get(table).map(Spanned::get_ref) else {
        return Err(format!("`{table}` is no table"));
    };
    let Some(value) = members.get(key) else {
        return header_end(body, &at)
            .map(Place::BehindHeader)
            .ok_or_else(|| format!("`{table}` has no header of its own: write it as `[{table}]`"));
    };
    let DeValue::Array(list) = value.get_ref() else { return Err(format!("`{key}` is no list")) };
    let Some(last) = list.iter().last() else {
        // The comments of an empty list stay behind what is added.
        return Ok(Place::Empty(value.span().start + 1));
    };
    let span = value.span();
    if !body
        .get(span.clone())
        .is_some_and(|list| list.starts_with('[') && list.ends_with(']') && !list.starts_with("[["))
    {
        return Ok(Place::Tables);
    }
    let end = last.span().end;
    let comma = comma_behind(body, end..span.end);
    let behind = comma.map_or(end, |at| at + 1);
    Ok(Place::Behind { item_end: end, at: line_end(body, behind..span.end), comma: comma.is_some() })
}

/// The end of the line if nothing but a comment follows in it, else where it began.
fn line_end(body: &str, range: Range<usize>) -> usize {
    let Some(rest) = body.get(range.clone()) else { return range.start };
    let Some(length) = rest.find('\n') else { return range.start };
    let line = rest[..length].trim();
    let only_comment = line.is_empty() || line.starts_with('#');
    if only_comment { range.start + rest[..length].trim_end_matches('\r').len() } else { range.start }
}

/// The end of the line `[table]` in which the key stands; `None` if it stands elsewhere.
fn header_end(body: &str, key: &Range<usize>) -> Option<usize> {
    let start = body[..key.start].rfind('\n').map_or(0, |at| at + 1);
    let before = body.get(start..key.start)?.trim();
    let line_end = body[key.end..].find('\n').map_or(body.len(), |at| key.end + at);
    let end = if body[..line_end].ends_with('\r') { line_end - 1 } else { line_end };
    let behind = body.get(key.end..end)?.trim_start();
    (before == "[" && behind.starts_with(']')).then_some(end)
}

/// The comma behind the last item, over blanks and comments.
fn comma_behind(body: &str, range: Range<usize>) -> Option<usize> {
    let mut in_comment = false;
    for (at, c) in body.get(range.clone())?.char_indices() {
        match c {
            '\n' => in_comment = false,
            _ if in_comment => {}
            '#' => in_comment = true,
            ',' => return Some(range.start + at),
            c if c.is_whitespace() => {}
            _ => return None,
        }
    }
    None
}

/// `{ a = 1, b = "x" }` as lines of a table.
fn as_table(item: &str) -> Option<Vec<String>> {
    let text = format!("x = {item}");
    let parsed = DeTable::parse(&text).ok()?;
    let DeValue::Table(members) = parsed.get_ref().get("x")?.get_ref() else { return None };
    let line = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        Some(format!("{} = {}", key.get_ref(), text.get(value.span())?))
    };
    members.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = r#"{ path = "/n", reason = "r, \"x\" # ]" }"#;

    fn added(text: &str) -> String {
        let merged = add(text, ("fs", "read"), &[ITEM.to_owned()]).unwrap();
        let parsed = DeTable::parse(merged.trim_start_matches('\u{feff}'))
            .unwrap_or_else(|error| panic!("{error}: {merged}"));
        let DeValue::Table(fs) = parsed.get_ref()["fs"].get_ref() else { panic!("{merged}") };
        let DeValue::Array(list) = fs["read"].get_ref() else { panic!("{merged}") };
        let DeValue::Table(last) = list.iter().last().unwrap().get_ref() else { panic!("{merged}") };
        assert_eq!(last["path"].get_ref().as_str(), Some("/n"), "{merged}");
        merged
    }

    #[test]
    fn items_are_added_to_lists_of_every_form_and_nothing_else_changes() {
        let cases = [
            "",
            "a = 1",
            "[fs]\n",
            "[fs] # files\nwrite = []\n",
            "  [ fs ]\r\nwrite = []\r\n",
            "[fs]\nread = []\n",
            "[fs]\nread = [\n  # nothing yet\n]\n",
            "[fs]\nread = [{ path = \"/a\", reason = \"#,]\" }] # why\n[net]\n",
            "[fs]\nread = [\n  { path = \"/a\", reason = \"r\" } # no comma, here\n]\n",
            "[fs]\nread = [\n  { path = \"/a\", reason = \"r\" }, # one, and more\n  # the end ]\n]\n",
            "[[fs.read]]\npath = \"/a\"\nreason = \"r\"\n[net]\nallow = []\n",
            "\u{feff}[fs]\r\nread = [\r\n  { path = \"/a\", reason = \"r\" },\r\n]\r\n",
        ];
        for text in cases {
            let merged = added(text);
            // Taking the item out again leaves what was there, but for what a list of its own needs.
            let mut rest = merged.chars();
            let kept = text.chars().all(|c| rest.any(|other| other == c));
            assert!(kept, "{text:?} → {merged:?}");
            assert_eq!(merged.contains("\r\n"), text.contains("\r\n"), "{merged:?}");
            assert_eq!(merged.replace("\r\n", "").contains('\n'), !text.contains("\r\n"), "{merged:?}");
        }
        let commented = added("[fs]\nread = [\n  { path = \"/a\", reason = \"r\" }, # why a\n]\n");
        assert!(commented.contains("# why a"), "{commented}");
    }

    #[test]
    fn forms_that_nothing_can_be_added_to_are_refused() {
        for text in ["fs = 1", "fs = { write = [] }", "fs.write = []", "[fs]\nread = \"x\"", "[fs"] {
            assert!(add(text, ("fs", "read"), &[ITEM.to_owned()]).is_err(), "{text}");
        }
    }
}

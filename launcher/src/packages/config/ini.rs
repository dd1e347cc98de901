//! PURE: the dialect of INI that npm writes, and the plainer one of pip.

use std::collections::BTreeMap;

/// Sections, each with its keys and values in the order of the file; keys before the first section are in `""`.
pub(super) type Sections = BTreeMap<String, Vec<(String, String)>>;

/// Reads `key = value` lines. A line that is none is passed over, as npm and pip do.
pub(super) fn parse(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut section = String::new();
    let mut last: Option<(String, usize)> = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
            && !trimmed.contains('=')
        {
            section = name.trim().to_owned();
            last = None;
            continue;
        }
        // pip's values may go on in indented lines.
        if line.starts_with([' ', '\t'])
            && let Some((name, at)) = &last
            && let Some((_, value)) = sections.get_mut(name).and_then(|keys| keys.get_mut(*at))
            && !trimmed.contains('=')
        {
            value.push('\n');
            value.push_str(trimmed);
            continue;
        }
        let (key, value) = match trimmed.split_once('=') {
            Some((key, value)) => (key.trim(), unquoted(value.trim())),
            // A key alone is a flag that is on.
            None => (trimmed, "true".to_owned()),
        };
        let keys = sections.entry(section.clone()).or_default();
        keys.push((key.to_owned(), value));
        last = Some((section.clone(), keys.len() - 1));
    }
    sections
}

fn unquoted(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return if quote == '"' { inner.replace("\\n", "\n") } else { inner.to_owned() };
        }
    }
    // A comment behind a value needs a space: tokens may hold both characters.
    let end = [" ;", " #"].iter().filter_map(|mark| value.find(mark)).min().unwrap_or(value.len());
    value[..end].trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sections_comments_and_continued_lines_are_read() {
        let text = "\u{feff}; c\na = 1 ; x\n//h/:_authToken=ab#c\nq=\"x y\"\nflag\n[global]\nextra-index-url =\n  http://a\n  http://b\n";
        let sections = parse(text);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            sections[""],
            [pair("a", "1"), pair("//h/:_authToken", "ab#c"), pair("q", "x y"), pair("flag", "true")]
        );
        assert_eq!(sections["global"], [pair("extra-index-url", "\nhttp://a\nhttp://b")]);
    }
}

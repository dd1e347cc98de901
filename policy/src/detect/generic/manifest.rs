//! Secrets of Kubernetes: in a manifest with `kind: Secret`, the values below `data` are secrets in base64, whatever their
//! keys are called (https://kubernetes.io/docs/concepts/configuration/secret/). `kubectl get secret -o yaml` prints them.

use std::ops::Range;

use super::super::false_positive::{Origin, origin};
use super::innocent::{is_thing, stands_for_another};

/// How far a manifest is read, before its kind and behind it.
const REACH_BYTES: usize = 16 << 10;
/// Farthest indentation of a manifest, and most marks behind its kind.
const INDENT_MAX: usize = 64;
const MARKS_MAX: usize = 8;
/// Fewest bytes of a value; `echo` adds a line break to them.
const VALUE_MIN: usize = 4;

/// One manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// Its lines.
    pub(super) text: Range<usize>,
    /// How far its keys are indented.
    indent: usize,
}

/// The manifest whose `kind: Secret` is at `hit`; nothing before `from` belongs to it.
pub(super) fn of_a_secret(text: &[u8], hit: &Range<usize>, from: usize) -> Option<Document> {
    if hit.start < from {
        return None;
    }
    // Neither what stands before it in its line nor what stands behind it is long: so nothing is looked at twice.
    let before = &text[hit.start.saturating_sub(INDENT_MAX)..hit.start];
    let lead = &before[memchr::memrchr(b'\n', before).map_or(0, |at| at + 1)..];
    let line_start = hit.start - lead.len();
    let rest = text[hit.end..].iter().take(MARKS_MAX).take_while(|b| **b != b'\n');
    let is_whole =
        rest.clone().all(|b| matches!(b, b'"' | b'\'' | b' ' | b'\t' | b'\r')) && rest.count() < MARKS_MAX;
    let is_first = line_start == 0 || text[line_start - 1] == b'\n';
    if !is_whole || !is_first || !lead.iter().all(|b| matches!(b, b' ' | b'\t' | b'-')) {
        return None;
    }
    let indent = lead.len();
    let (mut start, mut end) = (line_start, hit.end);
    let first = from.max(line_start.saturating_sub(REACH_BYTES));
    // Upwards, to the line that opens the manifest.
    while start > first && !opens(&text[start..], indent) {
        let above = memchr::memrchr(b'\n', &text[first..start - 1]).map_or(first, |at| first + at + 1);
        if closes(line(text, above), indent) {
            break;
        }
        start = above;
    }
    let last = text.len().min(hit.end + REACH_BYTES);
    while end < last {
        let next = memchr::memchr(b'\n', &text[end..last]).map_or(last, |at| end + at + 1);
        if closes(line(text, next), indent) || opens(&text[next..], indent) {
            end = next;
            break;
        }
        end = next;
    }
    Some(Document { text: start..end, indent })
}

/// The values below `data`.
pub(super) fn values(text: &[u8], document: &Document, mut found: impl FnMut(Range<usize>)) {
    let mut at = document.text.start;
    let mut inside = false;
    // A value over several lines: how far its key is indented, and its lines so far.
    let mut block: Option<(usize, Range<usize>)> = None;
    while at < document.text.end {
        let line = line(text, at);
        let (start, lead) = (at, indent(line));
        at += line.len() + 1;
        let content = line[lead..].trim_ascii_end();
        if content.is_empty() || content.starts_with(b"#") {
            continue;
        }
        let value = start + lead..start + lead + content.len();
        if let Some((key, lines)) = block.as_mut() {
            if lead > *key {
                lines.start = if lines.end == 0 { value.start } else { lines.start };
                lines.end = value.end;
                continue;
            }
            let (_, lines) = block.take().unwrap_or_default();
            accept(text, lines, &mut found);
        }
        if lead <= document.indent {
            inside = lead == document.indent && content == b"data:";
            continue;
        }
        let Some(colon) = memchr::memmem::find(content, b": ").filter(|_| inside) else { continue };
        let skipped = content[colon + 1..].iter().take_while(|b| matches!(b, b' ' | b'"' | b'\'')).count();
        let from = value.start + colon + 1 + skipped;
        let to = value.end - content.iter().rev().take_while(|b| matches!(b, b'"' | b'\'')).count();
        match text.get(from..to) {
            Some([b'|' | b'>', ..]) => block = Some((lead, 0..0)),
            _ => accept(text, from..to.max(from), &mut found),
        }
    }
    if let Some((_, lines)) = block {
        accept(text, lines, &mut found);
    }
}

/// What is base64 and no certificate or stand-in.
fn accept(text: &[u8], span: Range<usize>, found: &mut impl FnMut(Range<usize>)) {
    let value = &text[span.clone()];
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b) || b.is_ascii_whitespace();
    let innocent = |value| stands_for_another(value) || origin(value) == Origin::StandIn || is_thing(value);
    if holds_enough(value) && value.iter().all(base64) && !innocent(value) {
        found(span);
    }
}

/// Whether the base64 text holds a value of some length.
fn holds_enough(base64: &[u8]) -> bool {
    let digits = base64.iter().filter(|b| !b.is_ascii_whitespace() && **b != b'=').count();
    // The last three bits of six of `Cg==` and of `o=` are those of a line break.
    let breaks = usize::from(base64.ends_with(b"Cg==") || base64.ends_with(b"o="));
    digits * 3 / 4 >= VALUE_MIN + breaks
}

/// Whether the line cannot belong to a manifest whose keys are indented so far.
fn closes(line: &[u8], document: usize) -> bool {
    line.starts_with(b"---")
        || line.starts_with(b"```")
        || (!line.trim_ascii().is_empty() && indent(line) < document)
}

/// Whether a manifest of a list begins here: its first key stands behind a dash.
fn opens(text: &[u8], document: usize) -> bool {
    document >= 2 && text[..document.min(text.len())].ends_with(b"- ")
}

/// How far the keys of the line are indented; the dash of a list counts.
fn indent(line: &[u8]) -> usize {
    line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
        + if line.trim_ascii_start().starts_with(b"- ") { 2 } else { 0 }
}

/// The line that starts there; of a longer one so much.
fn line(text: &[u8], start: usize) -> &[u8] {
    let rest = &text[start.min(text.len())..text.len().min(start + REACH_BYTES)];
    &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut spans = Vec::new();
        let mut from = 0;
        for (at, kind) in text.match_indices("kind: Secret") {
            if let Some(document) = of_a_secret(text.as_bytes(), &(at..at + kind.len()), from) {
                from = document.text.end;
                values(text.as_bytes(), &document, |span| spans.push(span));
            }
        }
        spans.into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn the_values_below_data_are_found_on_either_side_of_the_kind() {
        let before =
            "apiVersion: v1\ndata:\n  user: YWNtZQ==\n  # kv7R\n  pass: \"a3Y3UncycFE=\"\nkind: Secret\n";
        assert_eq!(found(before), ["YWNtZQ==", "a3Y3UncycFE="]);
        let behind = "kind: Secret\nmetadata:\n  name: a\ndata:\n\tkey: >\n\t  a3Y3\n\t  UncycFE=\n\tb: YWNtZQ==\ntype: Opaque\n";
        assert_eq!(found(behind), ["a3Y3\n\t  UncycFE=", "YWNtZQ=="]);
        let list = "items:\n- apiVersion: v1\n  data:\n    a: YWNtZQ==\n  kind: Secret\n- kind: ConfigMap\n  data:\n    a: YWNtZTI=\n";
        assert_eq!(found(list), ["YWNtZQ=="]);
    }

    #[test]
    fn other_kinds_other_manifests_and_certificates_are_not() {
        for text in [
            "kind: SecretStore\ndata:\n  a: YWNtZQ==\n",
            "data:\n  a: YWNtZQ==\n---\nkind: Secret\n---\ndata:\n  a: YWNtZQ==\n",
            "kind: Secret\nmetadata:\n  name: YWNtZQ==\n  data:\n    a: YWNtZQ==\n",
            "kind: Secret\ndata:\n  a: {{ .Values.a | b64enc }}\n  ca.crt: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t\n",
            "kind: Secret\ndata:\n  a: YmFyCg==\n",
            "the kind: Secret is old\ndata:\n  a: YWNtZQ==\n",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}

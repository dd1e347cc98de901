//! Where things stand in a YAML document. The crate `saphyr-parser` locates, nothing is printed by it.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::tree::{Node, Tree};
use super::{Malformed, Member, Span, malformed_at};

/// The nodes of a document; `skipped` bytes (a byte order mark) go before `text`. `None`: it is blank.
///
/// # Errors
/// Where it breaks the grammar, or a second document begins.
pub(super) fn parse(whole: &str, skipped: usize) -> Result<(Option<Span>, Tree), Malformed> {
    let text = whole.get(skipped..).unwrap_or("");
    // The parser counts characters.
    let bytes: Vec<usize> =
        text.char_indices().map(|(at, _)| at).chain([text.len()]).map(|at| at + skipped).collect();
    let byte = |index: usize| bytes.get(index).copied().unwrap_or(whole.len());
    let mut builder = Builder { whole, tree: Tree::default(), open: Vec::new(), root: None, documents: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            malformed_at(whole.as_bytes(), byte(error.marker().index()), error.info().to_owned())
        })?;
        let span = byte(span.start.index())..byte(span.end.index());
        if let Err(what) = builder.take(&event, span.clone()) {
            return Err(malformed_at(whole.as_bytes(), span.start, what));
        }
    }
    Ok((builder.root, builder.tree))
}

/// A collection that has begun.
struct Open {
    start: usize,
    /// It starts with a bracket.
    is_flow: bool,
    /// It has an anchor or a tag: what stands elsewhere may mean it.
    is_odd: bool,
    /// Of a mapping: the key whose value comes next.
    key: Option<(Span, Option<String>)>,
    members: Vec<Member>,
    /// Of a sequence.
    items: Option<Vec<Span>>,
    end: usize,
}

struct Builder<'a> {
    whole: &'a str,
    tree: Tree,
    open: Vec<Open>,
    root: Option<Span>,
    documents: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err("a second document begins here".to_owned());
                }
            }
            Event::Alias(_) => self.value(span, Node::Other, None),
            Event::Scalar(text, style, anchor, tag) => {
                let span = span.start..self.scalar_end(&span);
                let raw = self.whole.get(span.clone()).unwrap_or("");
                let one_line =
                    !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) && !raw.contains('\n');
                let is_text = *style != ScalarStyle::Plain || !is_other_than_text(text);
                let is_plain_text = *anchor == 0 && tag.is_none() && one_line && is_text;
                let node = if is_plain_text { Node::Text(text.to_string()) } else { Node::Other };
                // As a key anything is its text.
                self.value(span, node, Some(text.to_string()));
            }
            Event::SequenceStart(anchor, tag) => {
                let is_odd = *anchor != 0 || tag.is_some();
                self.begin(span, is_odd, Some(Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                let is_odd = *anchor != 0 || tag.is_some();
                self.begin(span, is_odd, None);
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span),
            _ => {}
        }
        Ok(())
    }

    /// Behind a closing quote the parser counts blanks and a comment as well.
    fn scalar_end(&self, span: &Span) -> usize {
        let raw = self.whole.get(span.clone()).unwrap_or("").as_bytes();
        let Some(quote) = raw.first().copied().filter(|first| matches!(first, b'"' | b'\'')) else {
            return span.end;
        };
        let mut at = 1;
        while let Some(byte) = raw.get(at) {
            match byte {
                b'\\' if quote == b'"' => at += 2,
                byte if *byte != quote => at += 1,
                b'\'' if raw.get(at + 1) == Some(&b'\'') => at += 2,
                _ => return span.start + at + 1,
            }
        }
        span.end
    }

    fn begin(&mut self, span: Span, is_odd: bool, items: Option<Vec<Span>>) {
        let is_flow = self.whole.get(span.clone()).is_some_and(|raw| raw.starts_with(['[', '{']));
        let mut start = span.start;
        if items.is_some() && !is_flow {
            // The dash of the first item, behind which the parser begins to count if a scalar follows.
            let rest = self.whole.get(start..).and_then(|rest| rest.strip_prefix('-'));
            if !rest.is_some_and(|rest| rest.starts_with([' ', '\t', '\r', '\n'])) {
                start = self.whole.get(..start).unwrap_or("").rfind('-').unwrap_or(start);
            }
        }
        self.open.push(Open { start, is_flow, is_odd, key: None, members: Vec::new(), items, end: span.end });
    }

    fn end(&mut self, span: &Span) {
        let Some(done) = self.open.pop() else { return };
        // The parser counts blanks and a comment behind the bracket as well.
        let end = if done.is_flow { span.start + 1 } else { done.end };
        let node = match done.items {
            _ if done.is_odd => Node::Other,
            Some(items) => Node::List(items),
            None => Node::Map(done.members),
        };
        self.value(done.start..end.max(done.start), node, None);
    }

    /// A value: the next one of what is open; or a key.
    fn value(&mut self, span: Span, node: Node, as_key: Option<String>) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(span.clone());
            self.tree.put(span, node);
            return;
        };
        open.end = open.end.max(span.end);
        if let Some(items) = &mut open.items {
            items.push(span.clone());
        } else if let Some((key, name)) = open.key.take() {
            open.members.push(Member { key, name, value: span.clone() });
        } else {
            open.key = Some((span, as_key));
            return;
        }
        self.tree.put(span, node);
    }
}

/// What a plain scalar is, other than a string (YAML 1.2.2, section 10.3.2); and the words that 1.1 takes for truth values.
fn is_other_than_text(text: &str) -> bool {
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "" | "~"
            | "null"
            | "true"
            | "false"
            | "yes"
            | "no"
            | "on"
            | "off"
            | ".inf"
            | "-.inf"
            | "+.inf"
            | ".nan"
    );
    let digits = text.trim_start_matches(['-', '+']);
    let number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && (digits.parse::<f64>().is_ok() || digits.starts_with("0x") || digits.starts_with("0o"));
    word || number
}

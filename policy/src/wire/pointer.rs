//! JSON Pointers (RFC 6901) into a frame.

use super::frame::{Node, TokenKind};
use super::skip;
use super::view::View;

/// The pointer of the innermost value that holds byte `offset`.
pub(super) fn pointer(view: &View<'_>, offset: usize) -> String {
    let mut pointer = String::new();
    let mut node = Node(0);
    loop {
        let step = match view.token(node).kind {
            TokenKind::Object => member_at(view, node, offset, &mut pointer),
            TokenKind::Array => element_at(view, node, offset, &mut pointer),
            _ => None,
        };
        match step {
            Some(inner) => node = inner,
            None => return pointer,
        }
    }
}

fn member_at(view: &View<'_>, object: Node, offset: usize, pointer: &mut String) -> Option<Node> {
    let (key, value) = view.members(object).find(|(_, value)| view.span(*value).contains(&offset))?;
    pointer.push('/');
    pointer.push_str(&view.token_text(key).replace('~', "~0").replace('/', "~1"));
    Some(value)
}

/// Elements are counted in the text: short numbers and literals may be missing from the tape.
fn element_at(view: &View<'_>, array: Node, offset: usize, pointer: &mut String) -> Option<Node> {
    let bytes = view.text.as_bytes();
    let mut recorded = view.elements(array).peekable();
    let mut at = skip::blank_end(bytes, view.span(array).start + 1);
    for index in 0usize.. {
        let node = recorded.next_if(|node| view.span(*node).start == at);
        let end = match node {
            Some(node) => view.span(node).end,
            None => skip::value_end(bytes, at)?,
        };
        if offset < at || end <= at {
            return None;
        }
        if offset < end {
            pointer.push_str(&format!("/{index}"));
            return node;
        }
        at = skip::blank_end(bytes, end);
        if bytes.get(at) != Some(&b',') {
            return None;
        }
        at = skip::blank_end(bytes, at + 1);
    }
    None
}

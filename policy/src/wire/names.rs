//! Names of the protocol, and names that only look like them.

/// Keys of a JSON-RPC message.
pub(super) const ENVELOPE: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];

/// Keys directly in params that MCP gives a meaning which policy or the session table relies on.
pub(super) const PARAMS: &[&str] = &[
    "name",
    "arguments",
    "uri",
    "_meta",
    "cursor",
    "ref",
    "argument",
    "requestId",
    "progressToken",
    "taskId",
    "task",
    "inputResponses",
    "requestState",
    "messages",
    "level",
];

/// Keys of `params.ref`, which says what a completion is for.
pub(super) const REFERENCE: &[&str] = &["type", "name", "uri"];

/// What `params.ref.type` can be.
pub(super) const REFERENCE_TYPES: &[&str] = &["ref/prompt", "ref/resource"];

/// How a name stands to a list of known ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// It is one of them.
    Known,
    /// A reader that folds case (Go's `encoding/json` did) would take it for one of them.
    LooksKnown,
    /// Something else.
    Other,
}

/// Compares a decoded name with a list of known ones, which are ASCII.
pub(super) fn likeness(name: &str, known: &[&str]) -> Likeness {
    if known.contains(&name) {
        Likeness::Known
    } else if known.iter().any(|known| folds_to(name, known)) {
        Likeness::LooksKnown
    } else {
        Likeness::Other
    }
}

/// Upper case first, then lower: this joins what any one folding joins (U+017F ſ, U+212A K, U+0131 ı, ß, ﬁ).
pub(crate) fn folds_to(name: &str, known: &str) -> bool {
    if name.is_ascii() {
        return name.eq_ignore_ascii_case(known);
    }
    let folded = name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    folded.eq(known.chars().map(|known| known.to_ascii_lowercase()))
}

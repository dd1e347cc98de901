//! The JSON Schema of policies, for editors. A test holds it against what the parser knows.

use serde_json::{Value, json};

use super::baseline::HASH_PATTERN;
use super::limit::{BYTES, CALLS, EFFECTS};
use super::parse::{
    ACCESS, ACTIONS, BARE, CHANGED, CONFIDENCES, DESTINATIONS, DIRECTIONS, DISKS, FRAME_BYTES, GRANTS,
    MATCHES, METHODS, MODES, PACKAGES, PROJECT_FILES,
};
use super::rule::FEATURES;
use super::suppress;
use super::times::DAYS;
use super::{Class, parse::NAME_PATTERN};
use crate::detect::ExactClass;
use crate::document::profile::schema::{Form, Key, Need, key, table};

/// The schema (draft 7, which editors for TOML know).
#[must_use]
pub fn schema() -> Value {
    let mut schema = table(&policy());
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Stockade policy");
    schema["description"] = json!("Who may use what, and what is done about what is found");
    for (name, keys, says, each) in [
        (
            "exact",
            exact(),
            "Tables of the organisation's, as hashes",
            "A table; rules name it `pii/exact-NAME` or `secret/exact-NAME`",
        ),
        (
            "canary",
            canary(),
            "Values that the organisation planted",
            "A canary; rules name it `secret/canary-NAME`",
        ),
    ] {
        let mut one = table(&keys);
        one["description"] = json!(each);
        schema["properties"][name] =
            json!({ "type": "object", "additionalProperties": one, "description": says });
    }
    let mut list = table(&keywords());
    list["description"] = json!("A list of words; rules name it `keyword/NAME`");
    schema["properties"]["keywords"] =
        json!({ "type": "object", "additionalProperties": list, "description": "Lists of words" });
    schema
}

fn words<T>(words: &[(&'static str, T)]) -> Form {
    Form::Word(words.iter().map(|(word, _)| *word).collect())
}

fn text(pattern: &str) -> Form {
    Form::Text(Some(pattern.to_owned()))
}

fn policy() -> Vec<Key> {
    use Need::{Optional, Required};
    vec![
        key("version", Required, Form::Number(1, 1), "Version of this format"),
        key(
            "mode",
            Optional,
            words(MODES),
            "Whether this file acts, or only records what it would have done",
        ),
        key(
            "may_relax",
            Optional,
            Form::Words(Class::WORDS.map(|(word, _)| word).to_vec()),
            "What rules of the group's and the user's file may say otherwise; only what is named here",
        ),
        key("defaults", Optional, Form::Table(defaults()), "What holds where no rule speaks"),
        key("rule", Optional, Form::Tables(rule()), "Who may use what"),
        key("limit", Optional, Form::Tables(limit()), "How often and how much in one session"),
        key("dlp", Optional, Form::Tables(dlp()), "What is done about what is found in messages"),
        key("suppress", Optional, Form::Tables(suppress()), "Findings that somebody answers for, for a time"),
        key(
            "baseline",
            Optional,
            Form::Tables(baseline()),
            "What servers are expected to say of themselves and of their tools",
        ),
        key("limits", Optional, Form::Table(limits()), "Sizes of messages"),
    ]
}

fn defaults() -> Vec<Key> {
    let optional = |name, form, says| key(name, Need::Optional, form, says);
    vec![
        optional(
            "server",
            words(ACCESS),
            "Servers that no rule names, and whatever of a server no rule names",
        ),
        optional("unknown_methods", words(METHODS), "Methods that no revision of MCP knows"),
        optional("profile", text(NAME_PATTERN), "Profile of servers that nobody wrote one for"),
        optional(
            "grants_by_flag",
            words(GRANTS),
            "Whether `--grant-*`, `--env`, `--profile` and `--backend` are honoured",
        ),
        optional(
            "bare_servers",
            words(BARE),
            "What the agent does with a server that a client runs without Stockade though its entry is wrapped by now",
        ),
        optional(
            "project_files",
            words(PROJECT_FILES),
            "What becomes of servers that a project's files name",
        ),
        optional("full_disk", words(DISKS), "What happens when nothing can be recorded"),
        optional("packages", words(PACKAGES), "What becomes of newer packages"),
        optional("changed_tools", words(CHANGED), "What is done about a tool whose definition changed"),
        optional(
            "new_tools",
            words(CHANGED),
            "What is done about a tool that was added after the first look",
        ),
        optional("approvals", words(GRANTS), "Whether a person may answer what `ask` rules ask"),
        optional("pause", words(GRANTS), "Whether a person may pause this file for one server and a time"),
    ]
}

fn id() -> Key {
    key("id", Need::Required, text(NAME_PATTERN), "Its name in events and messages, unique in the file")
}

fn servers() -> Key {
    let says = "Servers by identity, with `*`: `pkg:npm/NAME@1.*`, `file:sha256:…`; every server unless said";
    key("servers", Need::Optional, Form::Texts, says)
}

fn reason() -> Key {
    key("reason", Need::Required, Form::Text(None), "One sentence for users and models")
}

fn rule() -> Vec<Key> {
    use Need::{Optional, Required};
    let named = |name, says| key(name, Optional, Form::Texts, says);
    vec![
        id(),
        key("effect", Required, words(ACCESS), "What is done; of all rules that hold the strictest decides"),
        servers(),
        named("tools", "Tools by name, with `*`; a rule that names no items is about the whole server"),
        named("prompts", "Prompts by name, with `*`"),
        named("resources", "Resources by canonical URI, with `*`; URI templates too, as text"),
        named("templates", "URI templates by their text, with `*`"),
        key(
            "features",
            Optional,
            Form::Words(FEATURES.iter().map(|(word, _)| *word).collect()),
            "What the server asks of its client",
        ),
        named("origins", "Pages that `elicitation-url` is narrowed to: `https://login.example.org`"),
        key(
            "when",
            Optional,
            Form::Text(None),
            "A condition in CEL over args, tool, annotations, client, user, groups, device, now",
        ),
        key(
            "until",
            Optional,
            text(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}Z)?$"),
            "Last day of the rule (UTC), or the moment at which it ends",
        ),
        key("days", Optional, Form::Words(DAYS.to_vec()), "Days of the week"),
        key("hours", Optional, text(r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"), "From and to: `08:00-18:00`"),
        key(
            "utc_offset",
            Optional,
            text(r"^[+-][0-9]{2}:[0-9]{2}$"),
            "Clock of `days` and `hours`; UTC unless said",
        ),
        reason(),
    ]
}

fn limit() -> Vec<Key> {
    use Need::{Optional, Required};
    vec![
        id(),
        servers(),
        key(
            "tools",
            Optional,
            Form::Texts,
            "Tools by name, with `*`; all that a limit names is counted together",
        ),
        key("prompts", Optional, Form::Texts, "Prompts by name, with `*`"),
        key("resources", Optional, Form::Texts, "Canonical URIs of resources, with `*`"),
        key("calls", Optional, Form::Number(*CALLS.start(), *CALLS.end()), "Most calls in the time"),
        key(
            "bytes",
            Optional,
            Form::Size(*BYTES.start(), *BYTES.end()),
            "Most bytes of requests and answers in the time",
        ),
        key("per", Required, text("^[0-9]+[smhd]$"), "The time: `1m`, `12h`; at most 31 days"),
        key("effect", Optional, words(EFFECTS), "What is done with the calls beyond it; `deny` unless said"),
        reason(),
    ]
}

fn dlp() -> Vec<Key> {
    use Need::{Optional, Required};
    let except = vec![key("servers", Optional, Form::Texts, "Servers by identity")];
    vec![
        id(),
        key(
            "detect",
            Required,
            Form::Texts,
            "Detectors, with `*`: `secret/*`, `pii/payment-card`, `keyword/NAME`",
        ),
        key("direction", Optional, words(DIRECTIONS), "Which way the message goes; both unless said"),
        key("action", Required, words(ACTIONS), "What is done"),
        key("confidence", Optional, words(CONFIDENCES), "Weaker findings are not this rule's"),
        servers(),
        key("except", Optional, Form::Table(except), "Whom it is not about"),
        key(
            "restore_to",
            Optional,
            Form::Texts,
            "Tools that a value redacted towards the client may be put back for, on its way to the server that it came \
             from; all of that server unless said",
        ),
        key(
            "destinations",
            Optional,
            words(DESTINATIONS),
            "Whether it passes over credentials on their way to the server whose job they are (`[dlp] own` of its profile); \
              `honour` unless said",
        ),
        key("reason", Optional, Form::Text(None), "One sentence for users and models"),
    ]
}

fn suppress() -> Vec<Key> {
    use Need::{Optional, Required};
    vec![
        id(),
        key("detect", Optional, Form::Texts, "Detectors, with `*`; this or `hash` has to be there"),
        key(
            "hash",
            Optional,
            text(suppress::HASH_PATTERN),
            "The eight digits of one value, as events and placeholders of this installation show them",
        ),
        key(
            "path",
            Optional,
            text(suppress::PATH_PATTERN),
            "JSON Pointer of the value that holds the finding, with `*`: `/params/arguments/content`",
        ),
        servers(),
        key("tools", Optional, Form::Texts, "Tools that are called, or whose answer it is, with `*`"),
        key("direction", Optional, words(DIRECTIONS), "Which way the message goes; both unless said"),
        key("author", Required, Form::Text(None), "Who answers for it"),
        key("reason", Required, Form::Text(None), "Why it is no finding, in one sentence"),
        key(
            "until",
            Required,
            text(suppress::UNTIL_PATTERN),
            "Its last day (UTC), or the moment at which it ends; at most a year ahead",
        ),
    ]
}

fn baseline() -> Vec<Key> {
    use Need::{Optional, Required};
    vec![
        id(),
        key("servers", Required, Form::Texts, "Servers by identity, with `*`: whose definitions these are"),
        key("server", Optional, text(HASH_PATTERN), "Hash of the server's name, version and instructions"),
        key("tools", Optional, Form::Named, "Hash of every tool by its name; there are to be no others"),
        reason(),
    ]
}

fn limits() -> Vec<Key> {
    let size = || Form::Size(*FRAME_BYTES.start(), *FRAME_BYTES.end());
    vec![
        key("frame_to_server", Need::Optional, size(), "Largest message to the server"),
        key("frame_to_client", Need::Optional, size(), "Largest message to the client"),
    ]
}

fn keywords() -> Vec<Key> {
    vec![
        key("words", Need::Optional, Form::Texts, "The words; case makes no difference"),
        key(
            "regexes",
            Need::Optional,
            Form::Texts,
            "Regular expressions whose matches have at least one byte and at most 1,024; no look-around",
        ),
        key(
            "match",
            Need::Optional,
            words(MATCHES),
            "Whole words, or parts of words too; whole words unless said",
        ),
    ]
}

fn exact() -> Vec<Key> {
    vec![
        key(
            "file",
            Need::Required,
            Form::Text(None),
            "Made by `stockade dlp fingerprint`; absolute, or beside this file",
        ),
        key(
            "class",
            Need::Optional,
            words(&ExactClass::WORDS),
            "What its values are; personal data unless said",
        ),
    ]
}

fn canary() -> Vec<Key> {
    vec![
        key("values", Need::Optional, Form::Texts, "The values, of at least twelve characters each"),
        key(
            "file",
            Need::Optional,
            Form::Text(None),
            "A file with a value a line; absolute, or beside this file",
        ),
    ]
}

//! The JSON Schema of profiles, for editors. The table is what documentation and schema are made from; a test holds it
//! against what the parser knows.

use serde_json::{Map, Value, json};

use super::logins::SHARE;
use super::parse::{BYTES, CPU_SECONDS, MEMORY_BYTES, OPEN_FILES, PROCESSES, REQUIRE};
use super::{AddressClass, variables};

/// One key of a table.
pub(in crate::document) struct Key {
    name: &'static str,
    form: Form,
    need: Need,
    says: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::document) enum Need {
    Required,
    Optional,
}

/// What may stand behind a key.
pub(in crate::document) enum Form {
    /// A string with something in it; the pattern says more.
    Text(Option<String>),
    /// A list of strings.
    Texts,
    /// Strings under names that the author chose.
    Named,
    Number(u64, u64),
    /// `"512MiB"` or a number of bytes.
    Size(u64, u64),
    /// `"64MiB/s"`
    Rate,
    Boolean,
    Word(Vec<&'static str>),
    Words(Vec<&'static str>),
    Table(Vec<Key>),
    Tables(Vec<Key>),
}

/// The schema (draft 7, which editors for TOML know).
#[must_use]
pub fn schema() -> Value {
    let mut schema = table(&profile());
    if let Value::Object(members) = &mut schema {
        members.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        members.insert("title".to_owned(), json!("Stockade profile"));
        members.insert("description".to_owned(), json!("What one kind of MCP server may do"));
    }
    schema
}

pub(in crate::document) fn key(name: &'static str, need: Need, form: Form, says: &'static str) -> Key {
    Key { name, form, need, says }
}

fn profile() -> Vec<Key> {
    use Form::{Boolean, Number, Table, Text, Texts};
    use Need::{Optional, Required};
    vec![
        key("version", Optional, Number(1, 1), "Version of this format"),
        key("name", Required, Text(Some(r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$".to_owned())), "Its name"),
        key("description", Required, Text(None), "What it is for, in one sentence"),
        key("extends", Optional, Text(None), "Profile that this one adds to"),
        key(
            "identity",
            Optional,
            Texts,
            "Servers that it is for: `pkg:npm/NAME`, `pkg:pypi/NAME`, `file:sha256:…`",
        ),
        key("match", Optional, Texts, "Identities that one of the patterns has to match"),
        key("not_match", Optional, Texts, "Identities that none of the patterns may match"),
        key(
            "remove",
            Optional,
            Texts,
            "What the base grants and this profile does not: a path, `HOST:PORT`, `:PORT`, the name of a variable",
        ),
        key(
            "strict",
            Optional,
            Boolean,
            "Whether the server is stopped when a place that should be closed cannot be",
        ),
        key("fs", Optional, Table(fs()), "Files"),
        key("net", Optional, Table(net()), "Network"),
        key("unix", Optional, Table(unix()), "Unix sockets"),
        key("env", Optional, Table(env()), "Environment"),
        key(
            "login",
            Optional,
            Form::Tables(login()),
            "Where the user has what it logs in with; grants nothing by itself",
        ),
        key("dlp", Optional, Table(dlp()), "What is found in messages"),
        key("limits", Optional, Table(limits()), "Limits"),
        key("require", Optional, Table(require()), "What has to be enforced in full for the server to start"),
        key("install", Optional, Table(install()), "What may happen while its packages are installed"),
        key(
            "test",
            Optional,
            Table(test()),
            "Examples of what is allowed and refused, tried when the profile is read",
        ),
    ]
}

/// `{ path, reason }`
fn paths() -> Form {
    let variables = variables::KNOWN.map(|name| name.replace('.', r"\.")).join("|");
    let pattern = format!(r"^(/|\$\{{({variables}|args\.[1-9][0-9]?|env\.[A-Za-z_][A-Za-z0-9_]*)\}}(/|$))");
    Form::Tables(vec![
        key("path", Need::Required, Form::Text(Some(pattern)), "Absolute, or beginning with a variable"),
        reason(),
        optional(),
    ])
}

fn optional() -> Key {
    key("optional", Need::Optional, Form::Boolean, "Whether its main function does without")
}

fn reason() -> Key {
    key("reason", Need::Required, Form::Text(None), "Why this kind of server needs it")
}

fn fs() -> Vec<Key> {
    use Need::Optional;
    vec![
        key("read", Optional, paths(), "Readable and listable"),
        key("write", Optional, paths(), "Readable and writable, never executable"),
        key("exec", Optional, paths(), "Readable and executable"),
        key("closed", Optional, paths(), "Closed inside wider grants"),
    ]
}

fn net() -> Vec<Key> {
    use Need::{Optional, Required};
    let pattern = r"^(\*|(\*\.)?[a-z0-9_.-]+|[0-9a-f:.]+(/[0-9]{1,3})?)$";
    let given = r"^(\*|(\*\.)?[a-z0-9_.-]+|[0-9a-f:.]+(/[0-9]{1,3})?|[a-z0-9_.-]*\$\{(env|args)\.[A-Za-z0-9_]+(:-[a-z0-9_.-]+)?\}[a-z0-9_.-]*)$";
    let host = |pattern: &str| Form::Text(Some(pattern.to_owned()));
    let port = || key("port", Required, Form::Number(1, 65535), "TCP port");
    let own_port = key(
        "port",
        Required,
        Form::Number(0, 65535),
        "TCP port; 0: one that the kernel chooses, for the server itself",
    );
    let classes = AddressClass::WORDS.map(|(word, _)| word).to_vec();
    vec![
        key(
            "allow",
            Optional,
            Form::Tables(vec![
                key(
                    "host",
                    Required,
                    host(given),
                    "A name, `*.suffix`, `*` for every name, an address, a network, or what a variable names: \
                     `${env.NAME:-api.example.org}`, `${args.urls}`",
                ),
                port(),
                key(
                    "addresses",
                    Optional,
                    Form::Words(classes),
                    "What the host may be at; public addresses unless said",
                ),
                key("upload", Optional, Form::Size(1, *BYTES.end()), "What one session may send there"),
                reason(),
                optional(),
            ]),
            "Where it may connect to",
        ),
        key(
            "listen",
            Optional,
            Form::Tables(vec![own_port, reason(), optional()]),
            "Ports on which the host's loopback reaches it",
        ),
        key(
            "open",
            Optional,
            Form::Tables(vec![
                key("host", Required, host(pattern), "A name, `*.suffix`, or `*`"),
                reason(),
                optional(),
            ]),
            "Pages that it may ask to be opened in the user's browser",
        ),
    ]
}

fn unix() -> Vec<Key> {
    vec![
        key("allow", Need::Optional, paths(), "Sockets that it may connect to"),
        key(
            "private",
            Need::Optional,
            Form::Boolean,
            "Whether it may use sockets of its own, in its private directories",
        ),
    ]
}

fn env() -> Vec<Key> {
    vec![
        key("pass", Need::Optional, Form::Texts, "Variables passed on; `NAME_*` for all that begin so"),
        key("optional", Need::Optional, Form::Texts, "Passed on as well; its main function does without"),
        key("set", Need::Optional, Form::Named, "Variables set; values may hold `${variables}`"),
    ]
}

fn login() -> Vec<Key> {
    use Need::{Optional, Required};
    let pattern = |pattern: &str| Form::Text(Some(pattern.to_owned()));
    vec![
        key("path", Required, pattern(r"^\$\{home\}/"), "Its place in the home directory"),
        key("reason", Required, Form::Text(None), "What lies there"),
        key(
            "to",
            Optional,
            pattern(r"^\$\{(state|cache)\}/"),
            "Where a copy goes; the same place of the private home unless said",
        ),
        key(
            "share",
            Optional,
            Form::Word(SHARE.iter().map(|(word, _)| *word).collect()),
            "Whether it may be used in its place, and how; it can be copied alone unless said",
        ),
        key(
            "variable",
            Optional,
            pattern(r"^[A-Za-z_][A-Za-z0-9_]*$"),
            "Variable that names another place for it",
        ),
        key("only", Optional, Form::Texts, "What is copied of it, by paths below it; everything unless said"),
    ]
}

fn dlp() -> Vec<Key> {
    let says =
        "Detectors, with `*`, of the credentials that are its job: in messages to it they are no findings";
    vec![key("own", Need::Optional, Form::Texts, says)]
}

fn limits() -> Vec<Key> {
    use Form::{Number, Size};
    use Need::Optional;
    let number = |bounds: std::ops::RangeInclusive<u64>| Number(*bounds.start(), *bounds.end());
    let size = |bounds: std::ops::RangeInclusive<u64>| Size(*bounds.start(), *bounds.end());
    vec![
        key("open_files", Optional, number(OPEN_FILES), "Open files of one process"),
        key("file_size", Optional, size(BYTES), "Largest file written"),
        key("processes", Optional, number(PROCESSES), "Processes and threads"),
        key("memory", Optional, size(MEMORY_BYTES), "Memory of all processes together"),
        key("cpu_seconds", Optional, number(CPU_SECONDS), "CPU time of one process"),
        key("upload", Optional, size(BYTES), "What all connections of one session may send"),
        key("output", Optional, Form::Rate, "What stdout and stderr may bring together, such as `64MiB/s`"),
    ]
}

fn install() -> Vec<Key> {
    let says =
        "Whether scripts and builds of its packages may run then: in a jail of their own, without network";
    vec![key("scripts", Need::Optional, Form::Boolean, says)]
}

fn require() -> Vec<Key> {
    let word = || Form::Word(REQUIRE.iter().map(|(word, _)| *word).collect());
    vec![
        key("fs", Need::Optional, word(), "Files outside of the grants"),
        key("net", Need::Optional, word(), "Network"),
        key("process", Need::Optional, word(), "Other processes, and the end of its own"),
    ]
}

fn test() -> Vec<Key> {
    let texts = |name, says| key(name, Need::Optional, Form::Texts, says);
    vec![
        texts("connects", "`HOST:PORT`, or paths of Unix sockets, that it may connect to"),
        texts("refuses", "`HOST:PORT`, or paths of Unix sockets, that it may not connect to"),
        texts("reads", "Paths that it may read"),
        texts("not_reads", "Paths that it may not read"),
        texts("writes", "Paths that it may write"),
        texts("not_writes", "Paths that it may not write"),
        texts("executes", "Programs and libraries that it may execute"),
        texts("not_executes", "Files that it may not execute"),
        texts("passes", "Variables that are passed on"),
        texts("not_passes", "Variables that are not passed on"),
        texts("listens", "`:PORT` that it may be reached on"),
        texts("opens", "Hosts of pages that it may have opened"),
        texts("not_opens", "Hosts of pages that it may not have opened"),
    ]
}

pub(in crate::document) fn table(keys: &[Key]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), described(value(&key.form), key.says))).collect();
    let required: Vec<&str> =
        keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
    let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

fn described(mut value: Value, says: &str) -> Value {
    value["description"] = json!(says);
    value
}

fn value(form: &Form) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    match form {
        Form::Text(None) => text,
        Form::Text(Some(pattern)) => json!({ "type": "string", "minLength": 1, "pattern": pattern }),
        Form::Texts => json!({ "type": "array", "items": text }),
        Form::Named => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Form::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Form::Size(least, most) => json!({
            "type": ["integer", "string"],
            "minimum": least,
            "maximum": most,
            "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)$",
        }),
        Form::Rate => json!({ "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)/s$" }),
        Form::Boolean => json!({ "type": "boolean" }),
        Form::Word(words) => json!({ "type": "string", "enum": words }),
        Form::Words(words) => json!({
            "type": "array",
            "minItems": 1,
            "items": { "type": "string", "enum": words },
        }),
        Form::Table(keys) => table(keys),
        Form::Tables(keys) => json!({ "type": "array", "items": table(keys) }),
    }
}

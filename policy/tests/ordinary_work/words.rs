//! What the messages are made of.

use crate::dice::Dice;

const NOUNS: &[&str] = &[
    "account",
    "order",
    "invoice",
    "payment",
    "user",
    "session",
    "token",
    "request",
    "response",
    "report",
    "ticket",
    "project",
    "build",
    "branch",
    "commit",
    "file",
    "folder",
    "table",
    "column",
    "index",
    "query",
    "result",
    "cache",
    "queue",
    "worker",
    "job",
    "task",
    "event",
    "message",
    "channel",
    "thread",
    "page",
    "cursor",
    "filter",
    "parser",
    "lexer",
    "password",
    "secret",
    "key",
    "credential",
    "header",
    "cookie",
    "client",
    "server",
    "service",
    "cluster",
    "node",
    "region",
    "bucket",
    "object",
    "image",
    "device",
    "sensor",
    "customer",
    "contract",
    "address",
    "shipment",
];
const VERBS: &[&str] = &[
    "get", "set", "load", "save", "parse", "check", "update", "delete", "create", "list", "find", "send",
    "receive", "render", "validate", "refresh", "reset", "merge", "split", "count", "sort", "open", "close",
    "encode", "decode", "encrypt", "hash", "verify", "rotate", "expire", "retry", "cancel",
];
const ADJECTIVES: &[&str] = &[
    "new",
    "old",
    "current",
    "default",
    "next",
    "last",
    "max",
    "min",
    "total",
    "public",
    "private",
    "remote",
    "local",
    "shared",
    "empty",
    "valid",
    "invalid",
    "active",
    "pending",
    "raw",
    "safe",
    "primary",
    "secondary",
    "internal",
];
const PLAIN: &[&str] = &[
    "the",
    "a",
    "we",
    "it",
    "this",
    "that",
    "when",
    "after",
    "before",
    "because",
    "should",
    "could",
    "now",
    "still",
    "only",
    "with",
    "without",
    "from",
    "into",
    "again",
    "first",
    "then",
    "and",
    "but",
    "or",
    "not",
    "every",
    "some",
    "works",
    "fails",
    "shows",
    "needs",
    "changes",
    "breaks",
    "looks",
    "returns",
    "takes",
    "page",
    "slow",
    "wrong",
    "fine",
    "today",
    "yesterday",
    "release",
    "customer",
    "team",
    "review",
    "deploy",
    "password",
    "login",
    "token",
    "reset",
];
const NAMES: &[&str] =
    &["ana", "bob", "chen", "dara", "emil", "fatima", "goran", "hana", "ines", "jonas", "kofi", "lena"];

pub(crate) fn noun(dice: &mut Dice) -> &'static str {
    dice.pick(NOUNS)
}

pub(crate) fn verb(dice: &mut Dice) -> &'static str {
    dice.pick(VERBS)
}

pub(crate) fn name(dice: &mut Dice) -> &'static str {
    dice.pick(NAMES)
}

/// `max_token_count`
pub(crate) fn snake(dice: &mut Dice) -> String {
    match dice.between(0, 4) {
        0 => noun(dice).to_owned(),
        1 => format!("{}_{}", verb(dice), noun(dice)),
        2 => format!("{}_{}", dice.pick(ADJECTIVES), noun(dice)),
        _ => format!("{}_{}_{}", dice.pick(ADJECTIVES), noun(dice), noun(dice)),
    }
}

/// `maxTokenCount`, or with a capital.
pub(crate) fn camel(dice: &mut Dice, capital: bool) -> String {
    let mut out = String::new();
    let mut raise = capital;
    for c in snake(dice).chars() {
        if c == '_' {
            raise = true;
        } else {
            out.push(if raise { c.to_ascii_uppercase() } else { c });
            raise = false;
        }
    }
    out
}

pub(crate) fn kebab(dice: &mut Dice) -> String {
    snake(dice).replace('_', "-")
}

pub(crate) fn constant(dice: &mut Dice) -> String {
    snake(dice).to_ascii_uppercase()
}

pub(crate) fn sentence(dice: &mut Dice) -> String {
    let count = dice.between(6, 16);
    let words: Vec<_> =
        (0..count).map(|_| if dice.between(0, 4) == 0 { noun(dice) } else { dice.pick(PLAIN) }).collect();
    let mut text = words.join(" ");
    text[..1].make_ascii_uppercase();
    text + "."
}

pub(crate) fn path(dice: &mut Dice) -> String {
    let end = dice.pick(&["rs", "py", "ts", "go", "java", "json", "yaml", "md", "sql", "css"]);
    format!("src/{}/{}.{end}", noun(dice), snake(dice))
}

pub(crate) fn url(dice: &mut Dice) -> String {
    format!(
        "https://{}.example.com/{}/{}?page={}",
        noun(dice),
        kebab(dice),
        dice.between(1, 9999),
        dice.between(1, 99)
    )
}

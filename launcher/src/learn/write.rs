//! PURE: what is proposed, as the TOML of a profile.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::wanted::{Aside, Line, List, Object, Wanted};
use crate::commands::screen::is_invisible;

/// What stands above the grants, and below them.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) extends: String,
    pub(super) identity: Vec<String>,
    /// What it was learnt from.
    pub(super) from: Vec<String>,
    /// Variables that the server's source mentions, each with the file.
    pub(super) mentions: BTreeMap<String, String>,
    /// What could not be seen.
    pub(super) blind: Vec<String>,
    /// Whether the base leaves sockets of its own to be granted.
    pub(super) unix_private: bool,
    /// Whether the base says nothing about what may be sent.
    pub(super) upload: bool,
}

/// Lines of one list; a server that needs more than this needs a profile by hand.
const LINES_MAX: usize = 60;
/// Examples of one kind in `[test]`.
const EXAMPLES_MAX: usize = 6;
/// Width of comments.
const WIDTH: usize = 118;

/// A whole profile.
pub(super) fn profile(head: &Head, wanted: &Wanted) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        "",
        "Proposed by `stockade learn`. Read it before you use it: it allows what the server did, not what is right.",
    );
    for from in &head.from {
        comment(&mut out, "", from);
    }
    // Writing to a String cannot fail.
    let _ = writeln!(out, "\nname = {}", quoted(&head.name));
    let _ = writeln!(out, "description = {}", quoted(&head.description));
    let _ = writeln!(out, "extends = {}", quoted(&head.extends));
    if !head.identity.is_empty() {
        let identity: Vec<String> = head.identity.iter().map(|identity| quoted(identity)).collect();
        let _ = writeln!(out, "identity = [{}]", identity.join(", "));
    }
    for (table, lists) in
        [("fs", &[List::Read, List::Write, List::Exec][..]), ("net", &[List::Hosts]), ("env", &[List::Pass])]
    {
        let parts: String = lists.iter().map(|list| list_text(*list, head, wanted)).collect();
        if !parts.is_empty() {
            let _ = write!(out, "\n[{table}]\n{parts}");
        }
    }
    rest(&mut out, head, wanted);
    test(&mut out, wanted);
    let mentioned: Vec<&Aside> = wanted.asides.iter().filter(|aside| aside.line.is_none()).collect();
    if !mentioned.is_empty() {
        out.push('\n');
        comment(&mut out, "", "Tried, and not to be granted by a line of a profile:");
        for aside in mentioned {
            comment(&mut out, "  ", &format!("{}: {}", aside.what, aside.why));
        }
    }
    out.push('\n');
    comment(&mut out, "", "Not seen, and so not proposed:");
    for blind in &head.blind {
        comment(&mut out, "  ", blind);
    }
    out
}

/// Sockets and budgets, which cannot be observed.
fn rest(out: &mut String, head: &Head, wanted: &Wanted) {
    if head.unix_private {
        out.push_str("\n[unix]\n");
        comment(
            out,
            "",
            "Sockets of its own in its private directories: nobody sees whether it uses them, and they lead nowhere else.",
        );
        out.push_str("private = true\n");
    }
    if head.upload && wanted.lines.iter().any(|line| line.list == List::Hosts) {
        out.push_str("\n[limits]\n");
        comment(out, "", "What one session may send in all, as in `default`.");
        out.push_str("upload = \"64MiB\"\n");
    }
}

fn list_text(list: List, head: &Head, wanted: &Wanted) -> String {
    let lines: Vec<&Line> = wanted.lines.iter().filter(|line| line.list == list).collect();
    let asides: Vec<(&Aside, &Line)> = wanted
        .asides
        .iter()
        .filter_map(|aside| Some((aside, aside.line.as_ref().filter(|line| line.list == list)?)))
        .collect();
    let mentions = list == List::Pass && !head.mentions.is_empty();
    if lines.is_empty() && asides.is_empty() && !mentions {
        return String::new();
    }
    let mut out = format!("{} = [\n", list.place().1);
    for line in lines.iter().take(LINES_MAX) {
        let _ = writeln!(out, "  {},", item(line));
    }
    if lines.len() > LINES_MAX {
        let more = lines.len() - LINES_MAX;
        comment(&mut out, "  ", &format!("{more} more are left out: name the directories that they share"));
    }
    for (suffix, names) in families(&lines) {
        let text =
            format!("{} of them are below one name: if any of its kind is meant, one line says so:", names);
        comment(&mut out, "  ", &text);
        let _ =
            writeln!(out, "  # {{ host = {}, port = 443, reason = \"…\" }},", quoted(&format!("*.{suffix}")));
    }
    for (aside, line) in asides.iter().take(LINES_MAX) {
        comment(
            &mut out,
            "  ",
            &format!("NOT GRANTED: {}. If you are sure that the server needs it:", aside.why),
        );
        let _ = writeln!(out, "  # {},", item(line));
    }
    if asides.len() > LINES_MAX {
        comment(&mut out, "  ", &format!("{} more of this kind are left out", asides.len() - LINES_MAX));
    }
    if mentions {
        comment(
            &mut out,
            "  ",
            "Mentioned in its source; nobody sees whether they are read, and they may hold secrets:",
        );
        for (name, file) in &head.mentions {
            let _ = writeln!(out, "  # {}, # {}", quoted(name), plain(file));
        }
    }
    out.push_str("]\n");
    out
}

/// Names with several others beside them below one domain.
fn families(lines: &[&Line]) -> Vec<(String, usize)> {
    const FAMILY: usize = 3;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines {
        let Object::Host(host, 443, None) = &line.object else { continue };
        let Some((_, suffix)) = host.split_once('.').filter(|_| host.parse::<std::net::IpAddr>().is_err())
        else {
            continue;
        };
        // What stands below a top-level domain has nothing else in common.
        if suffix.contains('.') {
            *counts.entry(suffix.to_owned()).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, count)| *count >= FAMILY).collect()
}

/// One item of a list.
pub(super) fn item(line: &Line) -> String {
    let reason = quoted(&line.reason);
    match &line.object {
        Object::Path(path) => format!("{{ path = {}, reason = {reason} }}", quoted(path)),
        Object::Host(host, port, beyond) => {
            let addresses = beyond
                .as_ref()
                .map_or_else(String::new, |class| format!("addresses = [{}], ", quoted(class)));
            format!("{{ host = {}, port = {port}, {addresses}reason = {reason} }}", quoted(host))
        }
        Object::Variable(name) => quoted(name),
    }
}

/// Examples that are tried whenever the profile is read.
fn test(out: &mut String, wanted: &Wanted) {
    let paths = |list: List| {
        let of = wanted.lines.iter().filter(move |line| line.list == list).take(LINES_MAX);
        of.filter_map(|line| match &line.object {
            Object::Path(path) => Some(quoted(path)),
            _ => None,
        })
        .take(EXAMPLES_MAX)
        .collect::<Vec<_>>()
    };
    let hosts: Vec<String> = wanted
        .lines
        .iter()
        .filter_map(|line| match &line.object {
            Object::Host(host, port, _) if host.contains(':') => Some(quoted(&format!("[{host}]:{port}"))),
            Object::Host(host, port, _) => Some(quoted(&format!("{host}:{port}"))),
            _ => None,
        })
        .take(EXAMPLES_MAX)
        .collect();
    let closed = |words: &[&str]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>();
    out.push_str("\n[test]\n");
    let keys = [
        ("reads", paths(List::Read)),
        ("writes", paths(List::Write)),
        ("connects", hosts),
        ("not_reads", closed(&["${home}/.ssh/id_ed25519", "${workspace}/.env"])),
        ("not_writes", closed(&["${home}/.bashrc", "${workspace}/.git/hooks/pre-commit"])),
        ("refuses", closed(&["169.254.169.254:80"])),
    ];
    for (key, examples) in keys {
        if !examples.is_empty() {
            let _ = writeln!(out, "{key} = [{}]", examples.join(", "));
        }
    }
}

/// A comment of one or more lines.
fn comment(out: &mut String, indent: &str, text: &str) {
    let width = WIDTH - indent.len() - 2;
    let mut line = String::new();
    for word in plain(text).split(' ') {
        if !line.is_empty() && line.chars().count() + word.chars().count() + 1 > width {
            let _ = writeln!(out, "{indent}# {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{indent}# {line}");
}

/// Without anything that ends a comment, that a terminal obeys, or that an eye cannot see.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A TOML basic string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in plain(text).chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

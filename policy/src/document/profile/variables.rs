//! `${variables}` in paths and values. The launcher's plan gives them their values.

use super::parse::is_variable;
use crate::document::reader::{Reader, Text, shown};
use crate::document::suggest::{did_you_mean, one_of};

/// What a profile may say, beside `${args.1}`, `${args.2}` … and, in paths, `${env.NAME}`.
pub(super) const KNOWN: [&str; 11] = [
    "home",
    "cwd",
    "workspace",
    "state",
    "cache",
    "tmp",
    "package",
    "runtime",
    "args.paths",
    "args.dirs",
    "args.roots",
];

/// Arguments that can be named by their number.
const ARGUMENTS_MAX: u8 = 99;

/// What stands for several paths: a grant on it is one on each of them, but no value can hold it.
const LISTS: [&str; 5] = ["args.paths", "args.dirs", "args.roots", "package", "runtime"];

/// Places so wide that the sensitive ones inside could not be left out again: Landlock's rules only add.
const TOO_WIDE: [&str; 4] = ["/", "/home", "/root", "${home}"];

/// Whether a granted path is one that the plan can resolve; if not, says so.
pub(super) fn check_path(r: &mut Reader<'_>, path: Text<'_>) -> bool {
    let text = path.text;
    let wrong = if !text.starts_with('/') && !text.starts_with("${") {
        Some(("is not absolute", "begin with `/` or with a variable such as `${cwd}`"))
    } else if text.rfind("${").is_some_and(|at| at > 0) {
        Some(("has a variable in its middle", "a variable stands at the start of a path"))
    } else if text.split_once('}').is_some_and(|(_, below)| !below.is_empty() && !below.starts_with('/')) {
        Some(("continues right behind its variable", "put a `/` between the variable and the rest"))
    } else if text.contains('*') {
        Some(("has a wildcard", "name the directory: a grant is about everything below it"))
    } else if text.split('/').any(|part| part == ".." || part == ".") {
        Some(("has `.` or `..` in it", "write the path that is meant"))
    } else if text.contains('\0') {
        Some(("holds a NUL", "no path can"))
    } else if TOO_WIDE.contains(&if text.len() > 1 { text.trim_end_matches('/') } else { text }) {
        Some(("is too wide", "name the directories inside it that are needed"))
    } else {
        None
    };
    if let Some((what, remedy)) = wrong {
        r.wrong(path.at, format!("the path `{}` {what}", shown(text)), Some(remedy.to_owned()));
        return false;
    }
    check_variables(r, path, (&KNOWN, true))
}

/// Whether a path in an example is one that a server could ask for; if not, says so.
pub(super) fn check_example(r: &mut Reader<'_>, path: Text<'_>) -> bool {
    if !path.text.starts_with('/') && !path.text.starts_with("${") {
        let remedy = "begin with `/` or with a variable such as `${workspace}`".to_owned();
        r.wrong(path.at, format!("the path `{}` is not absolute", shown(path.text)), Some(remedy));
        return false;
    }
    check_variables(r, path, (&KNOWN, true))
}

/// Whether the variables in a value for the environment are such that the plan can resolve them.
pub(super) fn check_value(r: &mut Reader<'_>, value: Text<'_>) -> bool {
    if value.text.contains('\0') {
        r.wrong(value.at, "a variable of the environment cannot hold a NUL", None);
        return false;
    }
    let single = KNOWN.iter().copied().filter(|name| !LISTS.contains(name)).collect::<Vec<_>>();
    check_variables(r, value, (&single, false))
}

fn check_variables(r: &mut Reader<'_>, text: Text<'_>, (known, takes_environment): (&[&str], bool)) -> bool {
    let mut rest = text.text;
    let mut right = true;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else {
            r.wrong(text.at, format!("`{}` has a `${{` without its `}}`", shown(text.text)), None);
            return false;
        };
        let name = &rest[start + 2..start + length];
        rest = &rest[start + length + 1..];
        if known.contains(&name) || is_argument(name) || takes_environment && is_environment(name) {
            continue;
        }
        right = false;
        if name.strip_prefix("args.").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())) {
            let what = format!("there is no argument `${{{}}}`", shown(name));
            let remedy =
                format!("the server's own arguments are `${{args.1}}` to `${{args.{ARGUMENTS_MAX}}}`");
            r.wrong(text.at, what, Some(remedy));
        } else if LISTS.contains(&name) {
            let what = format!("`${{{name}}}` stands for several paths and cannot be part of a value");
            r.wrong(text.at, what, Some(format!("use {}", variables(known))));
        } else {
            let remedy = did_you_mean(name, known.iter().copied());
            let remedy = remedy.unwrap_or_else(|| format!("use {}", variables(known)));
            r.wrong(text.at, format!("there is no variable `${{{}}}`", shown(name)), Some(remedy));
        }
    }
    right
}

/// `args.1` to `args.99`, in one spelling.
pub(super) fn is_argument(name: &str) -> bool {
    let number = name.strip_prefix("args.").filter(|n| !n.starts_with(['0', '+']));
    number.and_then(|n| n.parse::<u8>().ok()).is_some_and(|n| (1..=ARGUMENTS_MAX).contains(&n))
}

/// `env.NAME`: a file or directory that the server's environment names. In values it would only say again what is there.
fn is_environment(name: &str) -> bool {
    name.strip_prefix("env.").is_some_and(is_variable)
}

fn variables(known: &[&str]) -> String {
    let written = known.iter().map(|name| format!("${{{name}}}")).collect::<Vec<_>>();
    one_of(written.iter().map(String::as_str))
}

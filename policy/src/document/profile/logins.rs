//! `[[login]]`: places in the user's home directory where a server keeps its own login. Naming one grants nothing: what is
//! named there can be offered to the user, who alone gives it.

use std::borrow::Cow;

use super::parse::{is_variable, trimmed};
use super::{Login, Share};
use crate::document::reader::{Reader, Section, Text, shown};

pub(super) const SHARE: &[(&str, Share)] = &[("read", Share::Read), ("write", Share::Write)];

const HOME: &str = "${home}/";
/// Where a copy may go: the server's private directories.
const PRIVATE: [&str; 2] = ["${state}/", "${cache}/"];
/// Directories of many programs: none of them is one server's login.
const TOO_WIDE: [&str; 6] = [".config", ".cache", ".local", ".local/share", ".local/state", ".local/bin"];

/// All logins of a file.
pub(super) fn read(r: &mut Reader<'_>, top: &mut Section<'_>) -> Vec<Login> {
    let sections = top.tables(r, "login");
    sections.into_iter().filter_map(|section| login(r, section)).collect()
}

fn login(r: &mut Reader<'_>, mut s: Section<'_>) -> Option<Login> {
    let path = s.required(r, "path", "name the place in the home directory: `${home}/.name`");
    let path = path.and_then(|path| place(r, path));
    let reason = s.required(r, "reason", "say what lies there, for whoever is asked to give it");
    let to = s.string(r, "to").and_then(|to| goal(r, to));
    let share = s.word(r, "share", SHARE);
    let variable = s.string(r, "variable").filter(|name| {
        let right = is_variable(name.text);
        if !right {
            r.wrong(name.at, format!("`{}` is no name of a variable", shown(name.text)), None);
        }
        right
    });
    let only = only(r, &mut s);
    if let (Some(_), [first, ..]) = (share, only.as_slice()) {
        let remedy = "leave out one of them: a place is shared as a whole".to_owned();
        r.wrong(first.at, "`only` and `share` exclude each other", Some(remedy));
    }
    s.close(r, &[]);
    let path = path?;
    let to = match to {
        Some(to) => to,
        None => format!("${{state}}/home/{}", path.strip_prefix(HOME).unwrap_or(&path)),
    };
    Some(Login {
        path: path.into(),
        to: to.into(),
        reason: reason?.text.to_owned().into(),
        share,
        variable: variable.map(|name| Cow::Owned(name.text.to_owned())),
        only: only.iter().map(|part| Cow::Owned(trimmed(part.text))).collect(),
    })
}

/// Where the user has it: below the home directory, and no directory that many programs share.
fn place(r: &mut Reader<'_>, path: Text<'_>) -> Option<String> {
    let Some(below) = path.text.strip_prefix(HOME) else {
        let remedy = "write `${home}/.name`".to_owned();
        let what = format!("`{}` is not in the home directory", shown(path.text));
        r.wrong(path.at, what, Some(remedy));
        return None;
    };
    let below = below_what(r, Text { text: below, at: path.at })?;
    if TOO_WIDE.contains(&below.as_str()) {
        let remedy = "name the directory or file of this server in it".to_owned();
        r.wrong(path.at, format!("`{}` belongs to many programs", shown(path.text)), Some(remedy));
        return None;
    }
    Some(format!("{HOME}{below}"))
}

/// Where a copy goes.
fn goal(r: &mut Reader<'_>, to: Text<'_>) -> Option<String> {
    let Some(base) = PRIVATE.iter().find(|base| to.text.starts_with(**base)) else {
        let remedy = "begin with `${state}/` or `${cache}/`".to_owned();
        let what = format!("`{}` is in no private directory of the server", shown(to.text));
        r.wrong(to.at, what, Some(remedy));
        return None;
    };
    let below = below_what(r, Text { text: to.text.strip_prefix(base)?, at: to.at })?;
    Some(format!("{base}{below}"))
}

/// Names of what is copied: not all that lies in a place is part of the login.
fn only<'v>(r: &mut Reader<'_>, s: &mut Section<'v>) -> Vec<Text<'v>> {
    let mut parts = s.strings(r, "only");
    parts.retain(|part| below_what(r, *part).is_some());
    parts
}

/// A path without anything that leads elsewhere, in one spelling; if it is none, says so.
fn below_what(r: &mut Reader<'_>, path: Text<'_>) -> Option<String> {
    let text = path.text;
    let wrong = if text.starts_with('/') || text.contains("${") {
        Some("is more than a path below another")
    } else if text.split('/').any(|part| part == ".." || part == ".") {
        Some("has `.` or `..` in it")
    } else if text.contains('*') {
        Some("has a wildcard")
    } else if text.contains('\0') {
        Some("holds a NUL")
    } else if trimmed(text).is_empty() {
        Some("names nothing")
    } else {
        None
    };
    match wrong {
        None => Some(trimmed(text)),
        Some(what) => {
            let remedy = "write the names of directories and of the last file, with `/` between".to_owned();
            r.wrong(path.at, format!("`{}` {what}", shown(text)), Some(remedy));
            None
        }
    }
}

//! The text of a profile file → [`Profile`], its base folded in.

use std::ops::RangeInclusive;

use super::fold::{Own, fold};
use super::marks::{self, Mark, Need};
use super::{
    EnvSet, PathGrant, Profile, ProfileLimits, Require, credentials, examples, is_name, logins, network,
    variables,
};
use crate::document::Mistakes;
use crate::document::identity::identity_patterns;
use crate::document::reader::{Reader, Section, Text, shown};
use crate::document::tree::{Kind, Node};
use crate::rules::{Identities, IdentityPattern};

/// What is known about the profile that another one extends.
#[derive(Debug)]
pub(super) enum Base {
    /// Here it is, with its own bases folded in.
    Found(Box<Profile>),
    /// There is none of that name.
    Unknown,
    /// Its file has mistakes, which are reported for themselves.
    Mistaken,
    /// It extends, by way of these, the profile that is being read.
    Cycle(Vec<String>),
}

pub(super) const REQUIRE: &[(&str, Require)] =
    &[("full", Require::Full), ("best-effort", Require::BestEffort)];

// Below the lower bounds no runtime starts, and a limit that is a typing mistake looks like a broken server.
pub(super) const OPEN_FILES: RangeInclusive<u64> = 16..=1 << 20;
pub(super) const PROCESSES: RangeInclusive<u64> = 1..=1 << 22;
pub(super) const MEMORY_BYTES: RangeInclusive<u64> = (1 << 20)..=1 << 50;
pub(super) const CPU_SECONDS: RangeInclusive<u64> = 1..=1 << 32;
pub(super) const BYTES: RangeInclusive<u64> = 1..=1 << 50;
/// With less, an ordinary answer would take longer than clients wait.
pub(super) const BYTES_PER_SECOND: RangeInclusive<u64> = (64 << 10)..=1 << 40;

// Keys that the design knows and this version does not; see the same lists for policies.
const TOP_NOT_YET: &[&str] = &["devices", "learn"];
const INSTALL_NOT_YET: &[&str] = &["net", "allow", "read", "env"];
const FS_NOT_YET: &[&str] = &["list"];
const LIMITS_NOT_YET: &[&str] = &["wall_seconds", "cpu_percent"];
const REQUIRE_NOT_YET: &[&str] = &["unix", "syscalls", "exec", "limits", "env"];

/// How much of a profile a text has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// A file.
    Whole,
    /// Lines to be pasted into one.
    Fragment,
}

pub(super) fn parse(file: &str, text: &str, base: &dyn Fn(&str) -> Base) -> Result<Profile, Mistakes> {
    read(file, text, Extent::Whole, base)
}

/// As [`parse`]; a fragment need not say what it is called and what it is for.
pub(super) fn read(
    file: &str,
    text: &str,
    extent: Extent,
    base: &dyn Fn(&str) -> Base,
) -> Result<Profile, Mistakes> {
    read_and(file, text, (extent, base), |_, _, _| ()).map(|(profile, ())| profile)
}

/// See [`Profile::unneeded`].
pub(super) fn unneeded(file: &str, text: &str, base: &dyn Fn(&str) -> Base) -> Result<Vec<String>, Mistakes> {
    read_and(file, text, (Extent::Whole, base), marks::unneeded).map(|(_, unneeded)| unneeded)
}

/// Reads a text and looks at the profile beside what the file itself says.
fn read_and<T>(
    file: &str,
    text: &str,
    (extent, base): (Extent, &dyn Fn(&str) -> Base),
    look: impl FnOnce(&Profile, &[Mark], &[examples::Example<'_>]) -> T,
) -> Result<(Profile, T), Mistakes> {
    let (mut reader, members) = Reader::open(text);
    let r = &mut reader;
    let mut top = Section::whole(&members);
    if let Some(version) = top.value("version")
        && version.kind != Kind::Integer(Some(1))
    {
        r.wrong(version.at, "this version of stockade reads profiles of version 1 only", None);
    }
    let (name, description) = match extent {
        Extent::Whole => (
            top.required(r, "name", "write `name = \"…\"` in its first line"),
            top.required(r, "description", "say in one sentence what it is for"),
        ),
        Extent::Fragment => (None, None),
    };
    let name = name.and_then(|text| profile_name(r, text));
    let extends = top.string(r, "extends").and_then(|text| extended(r, text, base));
    let identity = identity(r, &mut top);
    let remove = top.strings(r, "remove");
    let mut own = Own { remove, strict: top.boolean(r, "strict"), ..Own::default() };
    fs(r, &mut top, &mut own);
    network::net(r, &mut top, &mut own);
    network::unix(r, &mut top, &mut own);
    env(r, &mut top, &mut own);
    own.limits = limits(r, &mut top);
    require(r, &mut top, &mut own);
    install(r, &mut top, &mut own);
    credentials::dlp(r, &mut top, &mut own);
    own.logins = logins::read(r, &mut top);
    let examples = examples::read(r, &mut top);
    top.close(r, TOP_NOT_YET);
    own.name = name.unwrap_or_default();
    own.description = description.map(|text| text.text.to_owned()).unwrap_or_default();
    own.identity = identity;
    let marks = own.marks.clone();
    let profile = fold(r, extends, own);
    examples::check(r, &examples, &profile);
    let seen = look(&profile, &marks, &examples);
    reader.finish(file, Some((profile, seen)))
}

fn profile_name(r: &mut Reader<'_>, text: Text<'_>) -> Option<String> {
    if is_name(text.text) {
        return Some(text.text.to_owned());
    }
    let remedy = "use 1 to 64 letters, digits, `-`, `_` and `.`".to_owned();
    r.wrong(text.at, format!("a profile cannot be called `{}`", shown(text.text)), Some(remedy));
    None
}

fn extended(r: &mut Reader<'_>, text: Text<'_>, base: &dyn Fn(&str) -> Base) -> Option<Profile> {
    let name = shown(text.text);
    match base(text.text) {
        Base::Found(profile) => return Some(*profile),
        Base::Unknown => r.wrong(text.at, format!("there is no profile `{name}` to extend"), None),
        Base::Mistaken => {
            let remedy = "mend that one first".to_owned();
            r.wrong(text.at, format!("the profile `{name}` has mistakes of its own"), Some(remedy));
        }
        Base::Cycle(way) if way.is_empty() => r.wrong(text.at, "the profile extends itself", None),
        Base::Cycle(way) => {
            let what = format!("the profile extends itself, by way of `{}`", way.join("`, `"));
            r.wrong(text.at, what, None);
        }
    }
    None
}

/// The identities it is for, tried against its own examples.
fn identity(r: &mut Reader<'_>, top: &mut Section<'_>) -> Vec<String> {
    let written = top.strings(r, "identity");
    let patterns = identity_patterns(r, &written);
    let compiled = patterns.iter().map(|p| IdentityPattern::new(p)).collect::<Vec<_>>();
    let matches = |example: Text<'_>| {
        let example = [example.text.to_owned()];
        let example = Identities::new(&example);
        compiled.iter().any(|pattern| pattern.matches(&example))
    };
    for example in top.strings(r, "match") {
        if !matches(example) {
            let what = format!("no pattern of `identity` matches `{}`", shown(example.text));
            r.wrong(example.at, what, Some("it stands in `match`, so one has to".to_owned()));
        }
    }
    for example in top.strings(r, "not_match") {
        if matches(example) {
            let what = format!("a pattern of `identity` matches `{}`", shown(example.text));
            r.wrong(example.at, what, Some("it stands in `not_match`, so none may".to_owned()));
        }
    }
    patterns
}

fn fs(r: &mut Reader<'_>, top: &mut Section<'_>, own: &mut Own<'_>) {
    let Some(mut fs) = top.table(r, "fs") else {
        return;
    };
    own.read = grants(r, &mut fs, "read", &mut own.marks);
    own.write = grants(r, &mut fs, "write", &mut own.marks);
    own.exec = grants(r, &mut fs, "exec", &mut own.marks);
    // What is closed is no grant.
    own.closed = grants(r, &mut fs, "closed", &mut Vec::new());
    fs.close(r, FS_NOT_YET);
}

/// A list of paths with reasons.
pub(super) fn grants(
    r: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &'static str,
    marks: &mut Vec<Mark>,
) -> Vec<PathGrant> {
    let granted = listed(r, section, key, "path = \"…\", reason = \"…\"", |r, node| grant(r, key, node));
    marked(granted, marks, |grant: &PathGrant| grant.path.to_string())
}

/// The grants, and a mark for each; `name` is how `remove` names one.
pub(super) fn marked<T>(
    granted: Vec<(T, Need)>,
    marks: &mut Vec<Mark>,
    name: impl Fn(&T) -> String,
) -> Vec<T> {
    marks.extend(granted.iter().map(|(grant, need)| Mark { what: name(grant), need: *need }));
    granted.into_iter().map(|(grant, _)| grant).collect()
}

/// A list of grants of any kind; `form` is how one is written.
pub(super) fn listed<T>(
    r: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &'static str,
    form: &str,
    read: impl Fn(&mut Reader<'_>, &Node) -> Option<(T, Need)>,
) -> Vec<(T, Need)> {
    let Some(node) = section.value(key) else {
        return Vec::new();
    };
    let Kind::List(items) = &node.kind else {
        let what = format!("`{key}` must be a list of grants, not {}", node.kind.words());
        r.wrong(node.at, what, Some(format!("write `{key} = [{{ {form} }}]`")));
        return Vec::new();
    };
    let mut granted = Vec::with_capacity(items.len());
    for item in items {
        match &item.kind {
            Kind::Text(text) => {
                let (name, rest) = form.split_once("\"…\"").unwrap_or((form, ""));
                let remedy = format!("write `{{ {name}\"{}\"{rest} }}`", shown(text));
                r.wrong(item.at, format!("this grant in `{key}` has no reason"), Some(remedy));
            }
            _ => granted.extend(read(r, item)),
        }
    }
    granted
}

fn grant(r: &mut Reader<'_>, key: &str, node: &Node) -> Option<(PathGrant, Need)> {
    let mut s = Section::of(format!("a grant in `{key}`"), node, r)?;
    let path = s.required(r, "path", "name what is granted").filter(|path| variables::check_path(r, *path));
    let reason = s.required(r, "reason", "say why this kind of server needs it");
    let need = Mark::read(r, &mut s);
    s.close(r, &["when"]);
    Some((PathGrant { path: trimmed(path?.text).into(), reason: reason?.text.to_owned().into() }, need))
}

/// One spelling for one path: `remove` and the folding of bases compare them as text.
pub(super) fn trimmed(path: &str) -> String {
    let mut trimmed = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !trimmed.ends_with('/') {
            trimmed.push(c);
        }
    }
    if trimmed.len() > 1 && trimmed.ends_with('/') {
        trimmed.pop();
    }
    trimmed
}

fn env(r: &mut Reader<'_>, top: &mut Section<'_>, own: &mut Own<'_>) {
    let Some(mut env) = top.table(r, "env") else {
        return;
    };
    for (key, need) in [("pass", Need::Needed), ("optional", Need::Optional)] {
        for name in env.strings(r, key) {
            if passable(name.text) {
                own.env_pass.push(name.text.to_owned());
                own.marks.push(Mark { what: name.text.to_owned(), need });
            } else {
                let remedy =
                    "write the name of a variable, or `NAME_*` for all that begin with `NAME_`".to_owned();
                r.wrong(name.at, format!("`{key}` cannot hold `{}`", shown(name.text)), Some(remedy));
            }
        }
    }
    for member in env.table(r, "set").iter().flat_map(Section::members) {
        let Kind::Text(value) = &member.value.kind else {
            let what =
                format!("`{}` must be a string, not {}", shown(&member.key), member.value.kind.words());
            r.wrong(member.value.at, what, None);
            continue;
        };
        let right = variables::check_value(r, Text { text: value, at: member.value.at });
        if !is_variable(&member.key) {
            r.wrong(member.key_at, format!("`{}` is no name of a variable", shown(&member.key)), None);
        } else if right {
            own.env_set.push(EnvSet { name: member.key.clone().into(), value: value.clone().into() });
        }
    }
    env.close(r, &["copy", "from_file", "secret"]);
}

pub(super) fn is_variable(name: &str) -> bool {
    let start = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    start && name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A name, or a family of names that share a prefix of their own: `*` alone would pass the whole environment.
fn passable(name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(prefix) => prefix.len() >= 3 && prefix.ends_with('_') && is_variable(prefix),
        None => is_variable(name),
    }
}

fn limits(r: &mut Reader<'_>, top: &mut Section<'_>) -> ProfileLimits {
    let Some(mut limits) = top.table(r, "limits") else {
        return ProfileLimits::default();
    };
    let parsed = ProfileLimits {
        open_files: limits.number(r, "open_files", OPEN_FILES),
        file_bytes: limits.size(r, "file_size", BYTES),
        processes: limits.number(r, "processes", PROCESSES),
        memory_bytes: limits.size(r, "memory", MEMORY_BYTES),
        cpu_seconds: limits.number(r, "cpu_seconds", CPU_SECONDS),
        upload_bytes: limits.size(r, "upload", BYTES),
        output_bytes_per_second: limits.rate(r, "output", BYTES_PER_SECOND),
    };
    limits.close(r, LIMITS_NOT_YET);
    parsed
}

/// What may happen while its packages are installed.
fn install(r: &mut Reader<'_>, top: &mut Section<'_>, own: &mut Own<'_>) {
    let Some(mut install) = top.table(r, "install") else {
        return;
    };
    own.install_scripts = install.boolean(r, "scripts");
    install.close(r, INSTALL_NOT_YET);
}

fn require(r: &mut Reader<'_>, top: &mut Section<'_>, own: &mut Own<'_>) {
    let Some(mut require) = top.table(r, "require") else {
        return;
    };
    own.require_fs = require.word(r, "fs", REQUIRE);
    own.require_net = require.word(r, "net", REQUIRE);
    own.require_process = require.word(r, "process", REQUIRE);
    require.close(r, REQUIRE_NOT_YET);
}

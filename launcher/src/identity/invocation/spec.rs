//! Packages as they are asked for: npm's specs (npm-package-arg 13) and Python's (PEP 508, and `name@version` of uvx).

use super::Spec;

/// An npm spec: `name`, `@scope/name@^1`, `name@npm:other@2`, a git address, a URL, a tarball, a directory.
pub(super) fn npm(typed: &str) -> Spec {
    let elsewhere = || Spec { name: None, version: None, typed: typed.to_owned() };
    if is_npm_address(typed) {
        return elsewhere();
    }
    // The first `@` behind the scope's begins the version.
    let at = typed.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at);
    let (name, version) = match at {
        Some(at) => (&typed[..at], Some(&typed[at + 1..])),
        None => (typed, None),
    };
    match version {
        // An alias: what is installed is the other one.
        Some(version) if version.starts_with("npm:") => {
            Spec { typed: typed.to_owned(), ..npm(&version["npm:".len()..]) }
        }
        Some(version) if is_npm_address(version) || version.contains('/') => elsewhere(),
        _ if !is_npm_name(name) => elsewhere(),
        _ => Spec {
            name: Some(name.to_owned()),
            version: version.filter(|version| !version.is_empty()).map(str::to_owned),
            typed: typed.to_owned(),
        },
    }
}

/// Is this a place rather than a name?
fn is_npm_address(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let drive =
        lower.as_bytes().get(1) == Some(&b':') && lower.starts_with(|c: char| c.is_ascii_alphabetic());
    // `~2` is a range.
    let is_place = text.starts_with(['.', '/', '\\']) || text.starts_with("~/") || drive;
    let is_tarball = [".tgz", ".tar.gz", ".tar"].iter().any(|ending| lower.ends_with(ending));
    // `user/repository` is GitHub's.
    let is_hosted = !text.starts_with('@') && text.split('@').next().is_some_and(|name| name.contains('/'));
    let schemes = ["git+", "git:", "git@", "ssh:", "http:", "https:", "file:", "link:", "github:", "gitlab:"];
    let more = ["bitbucket:", "gist:", "workspace:", "jsr:", "git+ssh:"];
    let has_scheme = schemes.iter().chain(&more).any(|scheme| lower.starts_with(scheme));
    is_place || is_tarball || is_hosted || has_scheme
}

fn is_npm_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| is_part(scope) && is_part(name)),
        None => is_part(name),
    }
}

/// Whether `@1.2` behind a name is a version, as uvx has it, or nothing that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtVersion {
    /// `name@1.2`, `name@latest` are asked for.
    Read,
    /// PEP 508 alone: behind `@` stands a URL.
    Url,
}

/// A Python requirement: `name[extra]>=2,<3`, `name @ https://…`, `git+https://…`, a wheel, a directory.
pub(super) fn pypi(typed: &str, at: AtVersion) -> Spec {
    let elsewhere = || Spec { name: None, version: None, typed: typed.to_owned() };
    // An environment marker (`; python_version > "3"`) says when, not what.
    let text = typed.split(';').next().unwrap_or(typed).trim();
    let name_end =
        text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    let lower = text.to_ascii_lowercase();
    let is_file = [".whl", ".tar.gz", ".zip", ".tgz"].iter().any(|ending| lower.ends_with(ending));
    let edges = |c: char| c.is_ascii_alphanumeric();
    if name.is_empty() || !name.starts_with(edges) || !name.ends_with(edges) || is_file {
        return elsewhere();
    }
    let rest = match rest.strip_prefix('[') {
        Some(extras) => match extras.split_once(']') {
            Some((_, rest)) => rest,
            None => return elsewhere(),
        },
        None => rest,
    };
    let rest = rest.trim();
    let version = match rest.strip_prefix('@').map(str::trim) {
        Some(version) if at == AtVersion::Read && is_version(version) => Some(version.to_owned()),
        Some(_) => return elsewhere(),
        None if rest.is_empty() => None,
        None => {
            let range = rest.strip_prefix('(').and_then(|range| range.strip_suffix(')')).unwrap_or(rest);
            if !range.starts_with(['=', '<', '>', '!', '~']) {
                return elsewhere();
            }
            Some(range.split_whitespace().collect())
        }
    };
    Spec { name: Some(pypi_name(name)), version, typed: typed.to_owned() }
}

fn is_version(text: &str) -> bool {
    text == "latest"
        || text.starts_with(|c: char| c.is_ascii_digit() || c == 'v')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".!+-_".contains(&b))
}

/// PEP 503: lower case, runs of `-`, `_` and `.` are one `-`.
fn pypi_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars().map(|c| if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() }) {
        if c != '-' || !normal.ends_with('-') {
            normal.push(c);
        }
    }
    normal
}

/// Requirements in one word, between commas (`--with a,b>=1,<2`): a comma in a range or in extras is none of them.
pub(super) fn between_commas(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let next_begins = text[at + c.len_utf8()..].trim_start().starts_with(|c: char| !"<>=!~".contains(c));
        match parts.last_mut() {
            Some(_) if c == ',' && depth == 0 && next_begins => parts.push(String::new()),
            Some(part) => part.push(c),
            None => {}
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npm_specs_are_names_with_versions_or_places() {
        for (typed, name, version) in [
            ("x", Some("x"), None),
            ("x@1.2.3", Some("x"), Some("1.2.3")),
            ("x@^1.2", Some("x"), Some("^1.2")),
            ("x@latest", Some("x"), Some("latest")),
            ("x@>=1 <2", Some("x"), Some(">=1 <2")),
            ("x@", Some("x"), None),
            ("@s/n", Some("@s/n"), None),
            ("@s/n@~2", Some("@s/n"), Some("~2")),
            ("y@npm:@s/n@3", Some("@s/n"), Some("3")),
            ("github:a/b", None, None),
            ("a/b", None, None),
            ("a/b#semver:^1", None, None),
            ("git+https://h/a.git", None, None),
            ("x@https://h/a.tgz", None, None),
            ("x@a/b", None, None),
            ("./dir", None, None),
            ("../x", None, None),
            ("/a/b", None, None),
            (".", None, None),
            ("~/x", None, None),
            ("C:\\x", None, None),
            ("a.tgz", None, None),
            ("@s", None, None),
            ("@/x", None, None),
            ("", None, None),
            ("x y", None, None),
            ("file:../x", None, None),
        ] {
            let spec = npm(typed);
            assert_eq!((spec.name.as_deref(), spec.version.as_deref()), (name, version), "{typed}");
        }
    }

    #[test]
    fn python_requirements_are_names_with_versions_or_places() {
        for (typed, name, version) in [
            ("x", Some("x"), None),
            ("My_Pkg.x", Some("my-pkg-x"), None),
            ("x==1.2", Some("x"), Some("==1.2")),
            ("x >= 1, < 2", Some("x"), Some(">=1,<2")),
            ("x[a,b]~=2; python_version > '3'", Some("x"), Some("~=2")),
            ("x[a]", Some("x"), None),
            ("x@1.2", Some("x"), Some("1.2")),
            ("x[a]@latest", Some("x"), Some("latest")),
            ("x (>=1)", Some("x"), Some(">=1")),
            ("x @ https://h/x.whl", None, None),
            ("x@git+https://h/x", None, None),
            ("git+https://h/x", None, None),
            ("./x", None, None),
            ("x-1.0-py3-none-any.whl", None, None),
            ("-x", None, None),
            ("x[a", None, None),
            ("x y", None, None),
            ("", None, None),
        ] {
            let spec = pypi(typed, AtVersion::Read);
            assert_eq!((spec.name.as_deref(), spec.version.as_deref()), (name, version), "{typed}");
        }
        assert_eq!(pypi("x@1.2", AtVersion::Url).name, None, "PEP 508 has a URL there");
    }

    #[test]
    fn a_comma_in_a_range_or_in_extras_parts_nothing() {
        assert_eq!(between_commas("a,b[c,d]>=1,<2, e"), ["a", "b[c,d]>=1,<2", "e"]);
        assert_eq!(between_commas(" a "), ["a"]);
    }
}

//! PURE: paths as a profile writes them: by the variable that says most about why the server needs them.

use std::path::{Path, PathBuf};

use crate::commands::screen::is_invisible;
use crate::host::Facts;
use crate::identity::Resolved;

/// What variables stand for in this session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Variable and value, links resolved; what says most comes first.
    known: Vec<(String, PathBuf)>,
    home: PathBuf,
}

impl Names {
    /// Arguments that are asked about.
    pub(super) const ARGUMENTS_MAX: usize = 30;

    /// From the values that a plan knows.
    pub(super) fn new(values: Vec<(String, PathBuf)>, resolved: &Resolved, facts: &Facts) -> Self {
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let value =
            |name: &str| values.iter().find(|(known, _)| known == name).and_then(|(_, path)| real(path));
        let mut known = Vec::new();
        for n in 1..=Self::ARGUMENTS_MAX {
            let name = format!("${{args.{n}}}");
            // A word that happens to be called like a file of the working directory is no path.
            let path = value(&name).filter(|path| resolved.argument_paths.contains(path));
            known.extend(path.map(|path| (name, path)));
        }
        if let [only] = resolved.argument_paths.as_slice()
            && known.is_empty()
        {
            known.push(("${args.paths}".to_owned(), only.clone()));
        }
        known.extend(value("${workspace}").map(|path| ("${workspace}".to_owned(), path)));
        if let [only] = resolved.package_roots.as_slice() {
            known.extend(real(only).map(|path| ("${package}".to_owned(), path)));
        }
        let home = real(&facts.home).unwrap_or_else(|| facts.home.clone());
        Self { known, home }
    }

    /// The home directory, links resolved.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// Whether the path is just what a variable stands for: somebody meant the server to have it.
    pub(super) fn is_meant(&self, path: &Path) -> bool {
        self.known.iter().any(|(name, value)| value == path && name != "${package}")
    }

    /// The path as a profile writes it; `None` if no profile can.
    pub(super) fn text(&self, path: &Path) -> Option<String> {
        let plain = path.to_str()?;
        let odd =
            |c: char| c.is_control() || is_invisible(c) || matches!(c, '*' | char::REPLACEMENT_CHARACTER);
        if plain.contains(odd) || plain.contains("${") || !path.is_absolute() {
            return None;
        }
        let below = |value: &Path| Some(path.strip_prefix(value).ok()?.to_str()?.to_owned());
        // The closest one; of equally close ones the first.
        let closest = self
            .known
            .iter()
            .filter(|(_, value)| path.starts_with(value))
            .rev()
            .max_by_key(|(_, value)| value.components().count());
        if let Some((name, value)) = closest {
            return Some(joined(name, &below(value)?));
        }
        match below(&self.home) {
            // The home directory as a whole is no grant.
            Some(rest) if !rest.is_empty() => Some(joined("${home}", &rest)),
            _ => Some(plain.to_owned()),
        }
    }
}

fn joined(variable: &str, below: &str) -> String {
    if below.is_empty() { variable.to_owned() } else { format!("{variable}/{below}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let known = [("${args.1}", "/h/notes"), ("${workspace}", "/h/work"), ("${package}", "/h/work/pkg")];
        let known = known.map(|(name, path)| (name.to_owned(), PathBuf::from(path))).to_vec();
        Names { known, home: "/h".into() }
    }

    #[test]
    fn the_closest_variable_names_a_path() {
        let text = |path: &str| names().text(Path::new(path));
        assert_eq!(text("/h/notes").as_deref(), Some("${args.1}"));
        assert_eq!(text("/h/notes/a/b").as_deref(), Some("${args.1}/a/b"));
        assert_eq!(text("/h/work/pkg/x.js").as_deref(), Some("${package}/x.js"));
        assert_eq!(text("/h/other").as_deref(), Some("${home}/other"));
        assert_eq!(text("/h/workshop").as_deref(), Some("${home}/workshop"));
        assert_eq!(text("/srv/x").as_deref(), Some("/srv/x"));
        assert_eq!(text("/h").as_deref(), Some("/h"));
    }

    #[test]
    fn what_a_profile_cannot_write_has_no_name() {
        for path in ["/h/a\nb", "/h/a\u{1b}[2J", "/h/a*", "/h/${home}", "/h/a\u{202e}b", "relative"] {
            assert_eq!(names().text(Path::new(path)), None, "{path:?}");
        }
        assert_eq!(names().text(Path::new("/h/a\"b\\c")).as_deref(), Some("${home}/a\"b\\c"));
    }
}

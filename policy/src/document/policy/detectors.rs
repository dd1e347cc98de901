//! Detector patterns of DLP rules: one that matches no detector protects nothing, so it is a mistake.

use crate::detect::{ENVIRONMENT, KeywordList, built_in_names};
use crate::document::reader::{Reader, Text, shown};
use crate::document::suggest::{did_you_mean, one_of};
use crate::rules::Pattern;

/// Classes of detectors: what stands before the slash of every detector's name.
const CLASSES: [&str; 4] = ["secret", "pii", "keyword", "injection"];

/// What the names of detectors begin with that a file makes by its tables, and the table.
const OWN: [(&str, &str); 3] =
    [("pii/exact-", "exact"), ("secret/exact-", "exact"), ("secret/canary-", "canary")];

/// The detectors that a rule can name: the built-in ones and the keyword lists, tables and canaries of its file.
pub(super) struct KnownDetectors<'k> {
    /// A list that has mistakes of its own is known by its name all the same.
    lists: &'k [Result<KeywordList, String>],
    /// Of `[exact.NAME]` and `[canary.NAME]`.
    own: &'k [String],
}

impl<'k> KnownDetectors<'k> {
    pub(super) fn new(lists: &'k [Result<KeywordList, String>], own: &'k [String]) -> Self {
        Self { lists, own }
    }

    /// Whether the pattern matches something; if not, says so.
    pub(super) fn check(&self, r: &mut Reader<'_>, pattern: &Text<'_>) -> bool {
        let text = pattern.text;
        if !is_of_a_class(text) {
            let class = text.split('/').next().unwrap_or(text);
            let remedy = did_you_mean(class, CLASSES).unwrap_or_else(|| {
                "detectors are named `secret/…`, `pii/…`, `keyword/…` or `injection/…`, and `*` is any run".into()
            });
            r.wrong(pattern.at, format!("`{}` matches no detector", shown(text)), Some(remedy));
            return false;
        }
        if is_whole_class(text) {
            return true;
        }
        match text.strip_prefix("keyword/") {
            Some(list) => self.check_list(r, pattern, list),
            None => self.check_built_in(r, pattern),
        }
        true
    }

    fn check_list(&self, r: &mut Reader<'_>, pattern: &Text<'_>, list: &str) {
        if list.contains('*') || self.list_names().any(|name| name == list) {
            return;
        }
        let remedy = did_you_mean(list, self.list_names());
        let remedy = remedy.unwrap_or_else(|| format!("add a [keywords.{list}] table"));
        r.lacking(pattern.at, format!("there is no keyword list `{}`", shown(list)), Some(remedy));
    }

    fn check_built_in(&self, r: &mut Reader<'_>, pattern: &Text<'_>) {
        let compiled = Pattern::new(pattern.text);
        let own = OWN.iter().find_map(|(head, table)| Some((*table, pattern.text.strip_prefix(head)?)));
        if self.own.iter().any(|name| compiled.matches(name))
            || compiled.matches(ENVIRONMENT)
            || own.is_some_and(|(_, name)| name.contains('*'))
        {
            return;
        }
        if let Some((table, name)) = own {
            let own = self.own.iter().map(String::as_str);
            let remedy =
                did_you_mean(pattern.text, own).unwrap_or_else(|| format!("add a [{table}.{name}] table"));
            let what = format!("there is no [{table}.{}] of this class", shown(name));
            r.lacking(pattern.at, what, Some(remedy));
            return;
        }
        let of_a_list = self.list_names().any(|name| compiled.matches(&format!("keyword/{name}")));
        if of_a_list || built_in_names().any(|name| compiled.matches(name)) {
            return;
        }
        let remedy = did_you_mean(pattern.text, built_in_names())
            .unwrap_or_else(|| format!("use {}", one_of(built_in_names())));
        r.wrong(pattern.at, format!("this version has no detector `{}`", shown(pattern.text)), Some(remedy));
    }

    fn list_names(&self) -> impl Iterator<Item = &'k str> + use<'k> {
        self.lists.iter().map(|list| list.as_ref().map_or_else(String::as_str, |list| list.name.as_str()))
    }
}

/// `secret/…`, or a wildcard that reaches into a class.
fn is_of_a_class(pattern: &str) -> bool {
    let literal = pattern.split('*').next().unwrap_or(pattern);
    let has_star = literal.len() < pattern.len();
    CLASSES.iter().any(|class| {
        let class = format!("{class}/");
        literal.strip_prefix(&class).is_some_and(|rest| has_star || !rest.is_empty())
            || (has_star && class.starts_with(literal))
    })
}

/// `*` and `secret/*` are about whatever detectors there are.
fn is_whole_class(pattern: &str) -> bool {
    pattern == "*" || pattern.strip_suffix("/*").is_some_and(|class| CLASSES.contains(&class))
}

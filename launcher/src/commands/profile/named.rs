//! Profiles as people name them: by name, or by the path of a file.

use std::path::Path;

use stockade_policy::document::profile::{Profile, Source, parse_all};

use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::profiles::{Available, known_beside};

/// The profile of that name, or in that file.
pub(super) fn profile(word: &str) -> Result<Profile, Failure> {
    let facts = Facts::gather()?;
    if is_path(word) {
        return in_file(Path::new(word), &facts);
    }
    let available = Available::load(&facts.system_dir, &facts.config_dir, facts.uid)?;
    let profile = available.named(word).map_err(|failure| match nearest(word, &available.names()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure,
    })?;
    Ok(profile.clone())
}

/// A name holds no slash and no profile is called `x.toml`.
fn is_path(word: &str) -> bool {
    word.contains('/') || word.ends_with(".toml")
}

fn in_file(path: &Path, facts: &Facts) -> Result<Profile, Failure> {
    let source = Source { file: path.display().to_string(), text: host::read_text(path)? };
    let known = known_beside(facts, &[path])?;
    let find = |name: &str| known.iter().find(|profile| profile.name == name).cloned();
    let (profiles, mistakes) = parse_all(&[source], &find);
    match (profiles.into_iter().next(), mistakes.into_iter().next()) {
        (Some(profile), None) => Ok(profile),
        (_, Some(mistakes)) => Err(Failure::from(mistakes)),
        (None, None) => Err(Failure::new(Kind::Software, format!("{} holds no profile", path.display()))),
    }
}

/// The name that looks most like a mistyped one.
fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    similar::get_close_matches(name, names, 1, 0.6).pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_its_like_and_nonsense_does_not() {
        let names = ["default", "server-everything"];
        assert_eq!(nearest("defualt", &names), Some("default"));
        assert_eq!(nearest("zzz", &names), None);
    }

    #[test]
    fn a_path_is_told_from_a_name() {
        assert!(is_path("./mine") && is_path("mine.toml") && is_path("/etc/p.toml"));
        assert!(!is_path("mine") && !is_path("server-everything"));
    }
}

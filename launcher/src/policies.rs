//! Policy files of this machine → the composed policy in force.

mod custom;
mod groups;
mod project;
mod standing;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::rules::{Layer, Origin, Policy};

use crate::cli::StartingPolicy;
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::identity::sha256_hex;
use crate::profiles;

pub(crate) use custom::{Custom, FINGERPRINTS_BYTES_MAX};
pub use standing::{Standing, now as unix_now};

/// Name of a policy file below `/etc/stockade` and the user's configuration directory.
pub(crate) const FILE: &str = "policy.toml";

/// Everything that [`load`] looks at, whether it is there or not: when nothing of this changes, it reads the same again.
pub fn places(facts: &Facts, flag: Option<&Path>) -> Vec<PathBuf> {
    let mut places = vec![facts.system_dir.join(FILE), facts.config_dir.join(FILE)];
    places.extend(flag.map(Path::to_owned));
    places.extend(groups::places(&facts.system_dir));
    places.extend(project::places(&facts.cwd));
    places
}

/// The layers of this machine: the organisation's, those of the user's groups, the user's, `--policy` and the project's;
/// the built-in `default` where none of the first three is there.
///
/// # Errors
/// All mistakes of all files at once; a file that others could have written.
pub fn load(facts: &Facts, flag: Option<&Path>) -> Result<Policy, Failure> {
    load_with(facts, flag, None)
}

/// The same with this text in the place of the user's file (a draft that is to be tried).
///
/// # Errors
/// As [`load`].
pub fn load_draft(facts: &Facts, draft: &Path) -> Result<Policy, Failure> {
    load_with(facts, None, Some(draft))
}

fn load_with(facts: &Facts, flag: Option<&Path>, draft: Option<&Path>) -> Result<Policy, Failure> {
    let mut layers = Vec::new();
    let mut failures = Vec::new();
    let mut add = |outcome: Result<Vec<Layer>, Failure>| match outcome {
        Ok(read) => layers.extend(read),
        Err(failure) => failures.push(failure),
    };
    let one = |outcome: Result<Option<Layer>, Failure>| outcome.map(|layer| layer.into_iter().collect());
    add(one(read_if_there(&facts.system_dir.join(FILE), Origin::Organisation, 0)));
    add(groups::layers(&facts.system_dir, 0, || groups::of_user(Uid::from_raw(facts.uid))));
    add(one(match draft {
        Some(draft) => read(draft, Origin::User).map(Some),
        None => read_if_there(&facts.config_dir.join(FILE), Origin::User, facts.uid),
    }));
    if let Some(path) = flag {
        add(one(read_flag(path).map(Some)));
    }
    add(one(project::layer(&facts.cwd)));
    if let Some(failure) = join(failures) {
        return Err(failure);
    }
    // Flags and projects can only tighten: alone they stand beside the built-in policy, not in its place.
    let is_whole =
        |layer: &Layer| matches!(layer.origin, Origin::Organisation | Origin::Group | Origin::User);
    if !layers.iter().any(is_whole) {
        layers.push(built_in(StartingPolicy::Default, "")?);
    }
    Ok(Policy::compose(layers))
}

/// Files that are asked about alone, furthest first: the first stands for the organisation's, the last for the user's.
///
/// # Errors
/// All mistakes of all files at once.
pub fn of_files(files: &[PathBuf]) -> Result<Policy, Failure> {
    let last = files.len().saturating_sub(1);
    let origin = |at: usize| match at {
        _ if at == last => Origin::User,
        0 => Origin::Organisation,
        _ => Origin::Group,
    };
    let mut layers = Vec::new();
    let mut failures = Vec::new();
    for (at, file) in files.iter().enumerate() {
        match read(file, origin(at)) {
            Ok(layer) => layers.push(layer),
            Err(failure) => failures.push(failure),
        }
    }
    join(failures).map_or_else(|| Ok(Policy::compose(layers)), Err)
}

/// A starting policy with rules added behind it: the demo approves its own server so.
///
/// # Errors
/// When the text has mistakes.
pub fn starting(policy: StartingPolicy, added: &str) -> Result<Policy, Failure> {
    Ok(Policy::compose(vec![built_in(policy, added)?]))
}

fn built_in(policy: StartingPolicy, added: &str) -> Result<Layer, Failure> {
    let name = policy.name();
    let text = profiles::starting_policy(name).ok_or_else(|| {
        Failure::new(Kind::Software, format!("the starting policy `{name}` is missing from this binary"))
    })?;
    layer(&format!("built-in {name}"), &format!("{text}\n{added}"), Origin::BuiltIn)
}

fn layer(name: &str, text: &str, origin: Origin) -> Result<Layer, Failure> {
    let document = PolicyDocument::parse(name, text)?;
    Ok(Layer { origin, name: name.to_owned(), document, sha256: sha256_hex(text.as_bytes()) })
}

fn read(path: &Path, origin: Origin) -> Result<Layer, Failure> {
    layer(&path.display().to_string(), &host::read_text(path)?, origin)
}

/// The file of `--policy`: wherever it lies, not everybody may be able to write it.
fn read_flag(path: &Path) -> Result<Layer, Failure> {
    let world_writable = std::fs::metadata(path).is_ok_and(|facts| facts.mode() & 0o002 != 0);
    if world_writable {
        return Err(Failure::new(Kind::Permission, format!("the policy {} is not trusted", path.display()))
            .cause("every user of this machine can write it")
            .hint(format!("`chmod o-w {}`", path.display())));
    }
    read(path, Origin::Flag)
}

/// A file that need not be there, but must be its owner's alone if it is: others could put their own rules in it.
fn read_if_there(path: &Path, origin: Origin, owner: u32) -> Result<Option<Layer>, Failure> {
    let facts = match std::fs::metadata(path) {
        Ok(facts) => facts,
        // A link that leads nowhere is there: what it was to say must not be skipped.
        Err(error)
            if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
                && std::fs::symlink_metadata(path).is_err() =>
        {
            return Ok(None);
        }
        Err(error) => {
            return Err(Failure::new(Kind::Config, format!("cannot look at {}", path.display()))
                .because(&error)
                .hint(
                    "a policy that cannot be read must not be skipped: mend its permissions or remove it",
                ));
        }
    };
    if (facts.uid() != owner && facts.uid() != 0) || facts.mode() & 0o022 != 0 {
        return Err(Failure::new(Kind::Permission, format!("the policy {} is not trusted", path.display()))
            .cause(format!(
                "it belongs to uid {} with mode {:04o}; only uid {owner} or root may be able to write it",
                facts.uid(),
                facts.mode() & 0o7777
            ))
            .hint(format!("chown it and `chmod go-w {}`", path.display())));
    }
    read(path, origin).map(Some)
}

/// All failures as one: a person wants to see every mistake of every file.
fn join(failures: Vec<Failure>) -> Option<Failure> {
    failures.into_iter().reduce(|mut first, next| {
        first.causes.push(next.what);
        first.causes.extend(next.causes);
        first.hints.extend(next.hints);
        first.hints.dedup();
        first
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn facts(dir: &Path) -> Facts {
        Facts { config_dir: dir.join("config"), system_dir: dir.join("etc"), ..Facts::gather().unwrap() }
    }

    #[test]
    fn without_any_file_the_built_in_default_holds() {
        let dir = tempfile::tempdir().unwrap();
        let policy = load(&facts(dir.path()), None).unwrap();
        assert_eq!(policy.layers().len(), 1);
        assert_eq!(policy.layers()[0].origin, Origin::BuiltIn);
    }

    #[test]
    fn a_policy_by_flag_stands_beside_the_built_in_one_and_not_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let flag = dir.path().join("flag.toml");
        std::fs::write(&flag, "version = 1\n").unwrap();
        std::fs::set_permissions(&flag, PermissionsExt::from_mode(0o664)).unwrap();
        let policy = load(&facts(dir.path()), Some(&flag)).unwrap();
        let origins: Vec<Origin> = policy.layers().iter().map(|layer| layer.origin).collect();
        assert!(origins.contains(&Origin::BuiltIn) && origins.contains(&Origin::Flag), "{origins:?}");
        std::fs::set_permissions(&flag, PermissionsExt::from_mode(0o666)).unwrap();
        assert_eq!(load(&facts(dir.path()), Some(&flag)).unwrap_err().kind, Kind::Permission);
    }

    #[test]
    fn a_policy_that_is_a_link_to_nowhere_is_not_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let facts = facts(dir.path());
        std::fs::create_dir(&facts.config_dir).unwrap();
        std::os::unix::fs::symlink("nowhere", facts.config_dir.join(FILE)).unwrap();
        assert_eq!(load(&facts, None).unwrap_err().kind, Kind::Config);
    }

    #[test]
    fn a_policy_that_others_can_write_is_refused_and_a_broken_one_is_not_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let facts = facts(dir.path());
        std::fs::create_dir(&facts.config_dir).unwrap();
        let file = facts.config_dir.join(FILE);
        std::fs::write(&file, "version = 1\n").unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o666)).unwrap();
        assert_eq!(load(&facts, None).unwrap_err().kind, Kind::Permission);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(load(&facts, None).unwrap().layers()[0].origin, Origin::User);
        std::fs::write(&file, "version = 1\nnonsense = 2\nmode = \"sometimes\"\n").unwrap();
        let failure = load(&facts, None).unwrap_err().to_string();
        assert!(failure.contains("policy.toml:2:") && failure.contains("policy.toml:3:"), "{failure}");
    }
}

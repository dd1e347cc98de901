//! `/etc/stockade/policy.d/group-NAME.toml`: what the organisation says to one group of users.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Group, Uid, User, getgrouplist};
use stockade_policy::rules::{Layer, Origin};

use super::read_if_there;
use crate::error::{Failure, Kind};

/// Directory of these files, below the organisation's.
const DIRECTORY: &str = "policy.d";

/// The files of the user's groups, in the order of their names. Groups are asked for only if there are such files: on
/// machines of a directory service that takes a network.
pub(super) fn layers(
    system_dir: &Path,
    owner: u32,
    groups: impl FnOnce() -> Result<Vec<String>, Failure>,
) -> Result<Vec<Layer>, Failure> {
    let directory = system_dir.join(DIRECTORY);
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(Failure::new(Kind::Config, format!("cannot list {}", directory.display()))
                .because(&error)
                .hint(
                    "policies that cannot be read must not be skipped: mend its permissions or remove it",
                ));
        }
    };
    // Whoever can write the directory can take a file out of it.
    let facts = std::fs::metadata(&directory).ok();
    if facts.is_none_or(|facts| (facts.uid() != owner && facts.uid() != 0) || facts.mode() & 0o022 != 0) {
        return Err(Failure::new(Kind::Permission, format!("{} is not trusted", directory.display()))
            .cause(format!("others than uid {owner} can put policies there and take them away"))
            .hint(format!("chown it and `chmod go-w {}`", directory.display())));
    }
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_prefix("group-")?.strip_suffix(".toml").map(str::to_owned)
    };
    let named: BTreeSet<String> = entries.filter_map(name).collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let groups = groups()?;
    let mut layers = Vec::new();
    for group in named.iter().filter(|name| groups.contains(name)) {
        layers.extend(read_if_there(&directory.join(format!("group-{group}.toml")), Origin::Group, owner)?);
    }
    Ok(layers)
}

/// What [`layers`] looks at: the directory and the files of all groups in it.
pub(super) fn places(system_dir: &Path) -> Vec<PathBuf> {
    let directory = system_dir.join(DIRECTORY);
    let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    places.push(directory);
    places
}

/// Names of all groups of the user.
///
/// # Errors
/// When they cannot be told: a policy that may be meant for this user must not be skipped.
pub(super) fn of_user(uid: Uid) -> Result<Vec<String>, Failure> {
    let unknown = || Failure::new(Kind::Config, format!("cannot tell the groups of uid {uid}"));
    let failed = |error: nix::Error| unknown().because(&error);
    let user = User::from_uid(uid).map_err(failed)?;
    let user = user.ok_or_else(|| unknown().cause("it is in no user database"))?;
    let name = CString::new(user.name).map_err(|error| unknown().because(&error))?;
    let ids = getgrouplist(&name, user.gid).map_err(failed)?;
    // A group without a name is none that a file could be for.
    Ok(ids.into_iter().filter_map(|id| Group::from_gid(id).ok().flatten()).map(|group| group.name).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn place() -> (tempfile::TempDir, u32) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(DIRECTORY)).unwrap();
        for group in ["dev", "ops"] {
            let path = dir.path().join(DIRECTORY).join(format!("group-{group}.toml"));
            std::fs::write(&path, "version = 1\n").unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        }
        (dir, nix::unistd::getuid().as_raw())
    }

    #[test]
    fn the_files_of_the_users_groups_are_layers_and_those_of_others_are_not() {
        let (dir, owner) = place();
        let layers = layers(dir.path(), owner, || Ok(vec!["ops".to_owned(), "staff".to_owned()])).unwrap();
        assert_eq!(layers.len(), 1);
        assert!(layers[0].name.ends_with("group-ops.toml") && layers[0].origin == Origin::Group);
    }

    #[test]
    fn groups_that_cannot_be_told_are_a_failure_only_if_there_are_files_for_groups() {
        let unknown = || Err(Failure::new(Kind::Config, "cannot tell"));
        let (dir, owner) = place();
        assert!(layers(dir.path(), owner, unknown).is_err());
        assert!(layers(Path::new("/nowhere"), owner, unknown).unwrap().is_empty());
    }

    #[test]
    fn a_directory_or_file_that_others_can_write_is_refused() {
        let dev = || Ok(vec!["dev".to_owned()]);
        let (dir, owner) = place();
        let file = dir.path().join(DIRECTORY).join("group-dev.toml");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o666)).unwrap();
        assert_eq!(layers(dir.path(), owner, dev).unwrap_err().kind, Kind::Permission);
        let (dir, owner) = place();
        std::fs::set_permissions(dir.path().join(DIRECTORY), PermissionsExt::from_mode(0o777)).unwrap();
        assert_eq!(layers(dir.path(), owner, dev).unwrap_err().kind, Kind::Permission);
    }

    #[test]
    fn a_user_has_groups() {
        assert!(!of_user(nix::unistd::getuid()).unwrap().is_empty());
    }
}

//! `.stockade/policy.toml` of the project that is worked on. Whoever wrote the project wrote it, so it only tightens, and what
//! it is must not be taken for granted either: a link could make us read, and quote, somebody's key.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use stockade_policy::rules::{Layer, Origin};

use crate::error::{Failure, Kind};

/// Its place in the project.
const PLACE: [&str; 2] = [".stockade", "policy.toml"];
const BYTES_MAX: u64 = 1 << 20;

/// The project's layer, if it has one.
pub(super) fn layer(cwd: &Path) -> Result<Option<Layer>, Failure> {
    let Some(path) = find(cwd) else { return Ok(None) };
    let refused = |why: &str| {
        Failure::new(Kind::Config, format!("cannot use the project's policy {}", path.display()))
            .cause(why)
            .hint("it can only forbid, but it is not skipped either: mend it, or remove it if you do not know it")
    };
    if std::fs::symlink_metadata(path.parent().unwrap_or(&path)).is_ok_and(|facts| facts.is_symlink()) {
        return Err(refused("its directory is a link"));
    }
    let mut options = std::fs::OpenOptions::new();
    // A pipe would let us wait for ever.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = options.read(true).custom_flags(flags.bits()).open(&path);
    let file = file.map_err(|error| refused("it cannot be opened, or is a link").because(&error))?;
    let is_file = file.metadata().is_ok_and(|facts| facts.is_file() && facts.len() <= BYTES_MAX);
    let mut text = String::new();
    if !is_file || file.take(BYTES_MAX).read_to_string(&mut text).is_err() {
        return Err(refused("it is no text file of at most 1 MiB"));
    }
    let layer = super::layer(&path.display().to_string(), &text, Origin::Project)?;
    if let Some(one) = layer.document.suppressions.first() {
        return Err(Failure::new(
            Kind::Config,
            format!("the project's policy {} cannot suppress findings", path.display()),
        )
        .cause(format!(
            "line {}: [[suppress]] `{}`; whoever wrote the project wrote it, and it can only forbid",
            one.line, one.id
        ))
        .hint("if you answer for it, move it to your own policy file; else remove it, and look at the project twice"));
    }
    Ok(Some(layer))
}

/// In the working directory, or above it up to the one that holds `.git`. Where there is no such directory the working
/// directory alone is the project: anybody could put a file into `/tmp`.
fn find(cwd: &Path) -> Option<PathBuf> {
    places(cwd).into_iter().find(|path| path.symlink_metadata().is_ok())
}

/// Every place where it is looked for, nearest first.
pub(super) fn places(cwd: &Path) -> Vec<PathBuf> {
    let root = cwd.ancestors().find(|directory| directory.join(".git").symlink_metadata().is_ok());
    let root = root.unwrap_or(cwd);
    let within = cwd.ancestors().take_while(|directory| directory.starts_with(root));
    let [directory, file] = PLACE;
    within.map(|place| place.join(directory).join(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(text: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("repo/.stockade")).unwrap();
        std::fs::create_dir_all(dir.path().join("repo/.git")).unwrap();
        std::fs::create_dir_all(dir.path().join("repo/src/deep")).unwrap();
        std::fs::write(dir.path().join("repo/.stockade/policy.toml"), text).unwrap();
        dir
    }

    #[test]
    fn it_is_found_from_below_within_the_project_and_not_beyond() {
        let dir = project("version = 1\n");
        let found = layer(&dir.path().join("repo/src/deep")).unwrap().unwrap();
        assert_eq!(found.origin, Origin::Project);
        assert!(layer(dir.path()).unwrap().is_none());
        // A repository within: another project.
        std::fs::create_dir(dir.path().join("repo/src/.git")).unwrap();
        assert!(layer(&dir.path().join("repo/src/deep")).unwrap().is_none());
        // Without `.git` nobody above is asked.
        std::fs::remove_dir(dir.path().join("repo/src/.git")).unwrap();
        std::fs::remove_dir(dir.path().join("repo/.git")).unwrap();
        assert!(layer(&dir.path().join("repo/src/deep")).unwrap().is_none());
        assert!(layer(&dir.path().join("repo")).unwrap().is_some());
    }

    #[test]
    fn a_suppression_in_it_is_refused_with_its_line() {
        let dir = project(
            "version = 1\n[[suppress]]\nid = \"ours\"\ndetect = [\"secret/*\"]\nauthor = \"A\"\nreason = \"r\"\nuntil = \
             \"2026-12-31\"\n",
        );
        let failure = layer(&dir.path().join("repo")).unwrap_err().to_string();
        assert!(
            failure.contains("cannot suppress findings") && failure.contains("line 2: [[suppress]] `ours`"),
            "{failure}"
        );
    }

    #[test]
    fn links_pipes_and_broken_files_are_refused_and_not_quoted() {
        let dir = project("nonsense = 1\n");
        let repo = dir.path().join("repo");
        assert!(layer(&repo).unwrap_err().to_string().contains("policy.toml:1:1"));
        let file = repo.join(".stockade/policy.toml");
        std::fs::write(dir.path().join("key"), "PRIVATE-KEY-OF-SOMEBODY").unwrap();
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(dir.path().join("key"), &file).unwrap();
        let failure = layer(&repo).unwrap_err().to_string();
        assert!(failure.contains("is a link") && !failure.contains("PRIVATE"), "{failure}");
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(layer(&repo).unwrap_err().to_string().contains("no text file"));
        std::fs::remove_dir_all(repo.join(".stockade")).unwrap();
        std::fs::create_dir(dir.path().join("elsewhere")).unwrap();
        std::fs::write(dir.path().join("elsewhere/policy.toml"), "version = 1\n").unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), repo.join(".stockade")).unwrap();
        assert!(layer(&repo).unwrap_err().to_string().contains("directory is a link"));
    }
}

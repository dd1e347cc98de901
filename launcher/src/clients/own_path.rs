//! The path by which clients are to start us: the one that survives an upgrade.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Failure, Kind};
use crate::host::Facts;

/// The path by which we were called, if it is absolute or on `PATH` and does lead to this program: a link like
/// `/usr/bin/stockade` stays when the version behind it goes. Otherwise the program's own path.
///
/// # Errors
/// When there is no such path, or a client's config cannot hold it.
pub(crate) fn own_path(facts: &Facts) -> Result<String, Failure> {
    let failure = |why: &str| {
        Failure::new(Kind::Config, "cannot tell a path by which clients could start stockade")
            .cause(why)
            .hint("call it by an absolute path")
    };
    let exe = std::env::current_exe().map_err(|error| {
        Failure::new(Kind::Software, "cannot tell the path of this program").because(&error)
    })?;
    if let Some(shim) = shim(facts) {
        return Ok(shim);
    }
    let called = std::env::args_os().next().map(PathBuf::from);
    let path = called.and_then(|called| called_by(&called, facts, &exe)).unwrap_or(exe);
    if !path.is_file() {
        return Err(failure(&format!("{} is no longer there", path.display())));
    }
    let path = path.into_os_string().into_string().map_err(|_| failure("its path is not UTF-8"))?;
    // The clients expand `${…}`; and what `unwrap` later recognises is the name of the file.
    if path.contains("${") {
        return Err(failure("its path holds `${`, which the clients would expand"));
    }
    match Path::new(&path).file_name().and_then(|name| name.to_str()) {
        Some("stockade") => Ok(path),
        _ => Err(failure("its file is not named `stockade`, by which its entries are recognised")),
    }
}

/// The script of `packaging/shim`, if it started us: it stays where it is and says a sentence when we are gone. Whatever else the variable
/// names is none.
fn shim(facts: &Facts) -> Option<String> {
    const SHIM: &[u8] = include_bytes!("../../../packaging/shim/stockade");
    let path =
        facts.var("STOCKADE_SHIM").and_then(|path| path.to_str()).filter(|path| path.starts_with('/'))?;
    let is_ours = path.ends_with("/stockade") && !path.contains("${") && std::fs::read(path).ok()? == SHIM;
    is_ours.then(|| path.to_owned())
}

fn called_by(called: &Path, facts: &Facts, exe: &Path) -> Option<PathBuf> {
    if called.is_absolute() {
        return leads_to(called, exe).then(|| called.to_owned());
    }
    if called.components().count() != 1 {
        return None;
    }
    // A relative directory on PATH means something else in the client's working directory.
    let directories = std::env::split_paths(facts.var("PATH")?).filter(|directory| directory.is_absolute());
    directories
        .map(|directory| directory.join(called))
        .find(|path| path.is_file())
        .filter(|path| leads_to(path, exe))
}

/// Do both paths lead to one file? The first word of a command line is only what the caller says.
fn leads_to(path: &Path, exe: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    identity(path).is_some_and(|file| identity(exe) == Some(file))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn facts(path: &Path) -> Facts {
        Facts {
            home: PathBuf::from("/h"),
            cwd: PathBuf::from("/"),
            env: BTreeMap::from([("PATH".into(), format!("bin:{}", path.display()).into())]),
            uid: 0,
            user: String::new(),
            state_dir: PathBuf::new(),
            config_dir: PathBuf::new(),
            system_dir: PathBuf::new(),
        }
    }

    #[test]
    fn a_link_is_kept_if_it_leads_to_this_program() {
        let dir = tempfile::tempdir().unwrap();
        let (exe, link, other) =
            (dir.path().join("1.2.3"), dir.path().join("stockade"), dir.path().join("other"));
        std::fs::write(&exe, "").unwrap();
        std::fs::write(&other, "").unwrap();
        std::os::unix::fs::symlink(&exe, &link).unwrap();
        let facts = facts(dir.path());
        assert_eq!(called_by(&link, &facts, &exe), Some(link.clone()));
        assert_eq!(called_by(Path::new("stockade"), &facts, &exe), Some(link));
        assert_eq!(called_by(&other, &facts, &exe), None);
        assert_eq!(called_by(Path::new("other"), &facts, &exe), None);
        assert_eq!(called_by(Path::new("./stockade"), &facts, &exe), None);
        assert_eq!(called_by(Path::new("absent"), &facts, &exe), None);
    }
}

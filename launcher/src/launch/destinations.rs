//! Which credentials are a server's own job: what its profile says, if the server can be believed to be the profile's.

use std::path::{Path, PathBuf};

use stockade_policy::document::profile::Profile;
use stockade_policy::rules::SaidBy;

use crate::host::{self, Facts};
use crate::identity::Resolved;
use crate::plan::{OF_CLIENTS, OwnJob, Standing};
use crate::profiles::{Available, Home};

/// What holds of `profile`'s credentials for this server. `contained`: it runs in a container, of an image that the engine
/// fetched.
pub(super) fn own_job(
    profile: &Profile,
    available: &Available,
    (resolved, is_contained): (&Resolved, bool),
    facts: &Facts,
) -> OwnJob {
    let detectors = profile.own_credentials.iter().map(ToString::to_string).collect();
    let home = available.listed().find(|(one, _)| one.name == profile.name).map(|(_, home)| home);
    let said_by = match home {
        Some(Home::BuiltIn | Home::Organisation(_)) => SaidBy::Trusted,
        Some(Home::Yours(_)) | None => SaidBy::User,
    };
    let why_not = if profile.fits(&resolved.identities).is_none() {
        Some("the server's identity is none of the profile's")
    } else if is_contained {
        None
    } else {
        doubt(resolved, &project(facts), facts.uid)
    };
    OwnJob { detectors, standing: why_not.map_or(Standing::Holds(said_by), Standing::Doubted) }
}

/// Why a server may be another one than it is called. A package is known by the directory that it lies in: whoever writes
/// that directory can write anything there.
fn doubt(resolved: &Resolved, project: &[PathBuf], uid: u32) -> Option<&'static str> {
    let by_words = |identity: &String| identity.starts_with("command:") || identity.starts_with("script:");
    if resolved.identities.iter().any(by_words) {
        return Some("what runs is known by its command line alone");
    }
    let code = Some(PathBuf::from(&resolved.code)).filter(|code| code.is_absolute());
    let roots = resolved.package_roots.iter().chain(&resolved.exec_roots).chain([&resolved.program]);
    for place in roots.cloned().chain(code) {
        let place = std::fs::canonicalize(&place).unwrap_or(place);
        if project.iter().any(|project| place.starts_with(project)) {
            return Some("its code lies in the project, which its authors write");
        }
        if !host::belongs_to(&place, uid) {
            return Some("its code belongs to another user");
        }
    }
    None
}

/// Directories of the project that is worked on. Who works in the home directory or above it works in no project.
fn project(facts: &Facts) -> Vec<PathBuf> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let home = real(&facts.home);
    let said = OF_CLIENTS.iter().filter_map(|name| facts.var(name)).map(PathBuf::from);
    let places = said.filter(|path| path.is_absolute()).chain([facts.cwd.clone()]).map(|path| real(&path));
    let roots = places.map(|place| {
        let holds_git = |dir: &&Path| dir.join(".git").symlink_metadata().is_ok();
        let root = place.ancestors().find(holds_git).filter(|root| !home.starts_with(root));
        root.map_or_else(|| place.clone(), Path::to_owned)
    });
    roots.filter(|root| !home.starts_with(root)).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn resolved(code: &Path, identities: &[&str]) -> Resolved {
        Resolved {
            name: "x".to_owned(),
            program: code.to_owned(),
            argv: vec![OsString::from(code)],
            set: Vec::new(),
            code: code.display().to_string(),
            identities: identities.iter().map(|one| (*one).to_owned()).collect(),
            exec_roots: Vec::new(),
            package_roots: Vec::new(),
            argument_paths: Vec::new(),
            integrity: None,
        }
    }

    #[test]
    fn code_of_the_project_of_another_user_or_known_by_words_alone_is_doubted() {
        let dir = tempfile::tempdir().unwrap();
        let (home, repo) = (dir.path().join("home"), dir.path().join("repo"));
        for place in [&home, &repo.join(".git"), &repo.join("sub/node_modules/a")] {
            std::fs::create_dir_all(place).unwrap();
        }
        for code in [home.join("a.js"), repo.join("sub/node_modules/a/a.js")] {
            std::fs::write(code, "").unwrap();
        }
        let facts = Facts { home: home.clone(), cwd: repo.join("sub"), ..Facts::gather().unwrap() };
        let facts = Facts { env: std::collections::BTreeMap::new(), ..facts };
        let project = project(&facts);
        assert_eq!(project, [std::fs::canonicalize(&repo).unwrap()]);
        let of = |code: &Path, identity| doubt(&resolved(code, &[identity]), &project, facts.uid);
        assert_eq!(of(&home.join("a.js"), "pkg:npm/a@1.0.0"), None);
        assert!(of(&repo.join("sub/node_modules/a/a.js"), "pkg:npm/a@1.0.0").is_some());
        assert!(of(&home.join("a.js"), "command:sha256:00").is_some());
        let other = doubt(&resolved(&home.join("a.js"), &["pkg:npm/a@1"]), &project, facts.uid + 1);
        assert!(facts.uid == 0 || other.is_some(), "root is everybody's neighbour");
        let at_home = Facts { cwd: home.clone(), ..facts };
        assert_eq!(super::project(&at_home), Vec::<PathBuf>::new());
    }
}

//! Where a login lies, where a copy of it goes, and how things stand with it.

use std::path::{Path, PathBuf};

use stockade_policy::document::profile::places::SENSITIVE_IN_HOME;
use stockade_policy::document::profile::{Login, PathGrant, Profile};

use super::record::{Record, Way};
use crate::host::{Facts, FileTree};
use crate::plan::{self, Tree};

const HOME: &str = "${home}/";

/// How things stand with one login of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The user has none.
    Absent,
    /// The user has one, and nothing was decided.
    Waiting,
    /// Nothing was decided, and the server has one of its own in its private directories.
    Private,
    /// Nothing was decided, and the profile grants it in its place.
    InPlace,
    /// The user decided.
    Decided(Way),
}

impl State {
    /// As it is now.
    pub(crate) fn of(login: &Login, profile: &Profile, record: &Record, facts: &Facts) -> Self {
        if let Some(decision) = record.decision(&login.path) {
            return Self::Decided(decision.way);
        }
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        let (base, below) = goal(login, &facts.state_dir, &record.key);
        match () {
            () if !is_there(&source(login, facts)) => Self::Absent,
            () if granted(login, profile) => Self::InPlace,
            () if is_there(&base.join(below)) => Self::Private,
            () => Self::Waiting,
        }
    }
}

/// Where the user has it: where the variable says that names its place, if that is set.
pub(crate) fn source(login: &Login, facts: &Facts) -> PathBuf {
    let said = login.variable.as_ref().and_then(|name| facts.var(name)).map(PathBuf::from);
    said.filter(|path| path.is_absolute()).unwrap_or_else(|| usual(login, &facts.home))
}

/// Where it lies unless a variable says otherwise.
pub(crate) fn usual(login: &Login, home: &Path) -> PathBuf {
    home.join(login.path.strip_prefix(HOME).unwrap_or(&login.path))
}

/// Where a copy goes: a private directory of the server, and the path below it.
pub(crate) fn goal<'l>(login: &'l Login, state_dir: &Path, key: &str) -> (PathBuf, &'l Path) {
    let [state, cache] = plan::private_dirs(state_dir, key);
    match (login.to.strip_prefix("${cache}/"), login.to.strip_prefix("${state}/")) {
        (Some(below), _) => (cache, Path::new(below)),
        (None, below) => (state, Path::new(below.unwrap_or(&login.to))),
    }
}

/// Whether the profile grants the place, or a part of it, without asking.
pub(crate) fn granted(login: &Login, profile: &Profile) -> bool {
    let lists = [&profile.read, &profile.write, &profile.exec];
    let about =
        |grant: &PathGrant| is_within(&grant.path, &login.path) || is_within(&login.path, &grant.path);
    lists.iter().any(|list| list.iter().any(about))
}

/// Whether a path of a profile is another, or lies below it, both as they are written.
pub(crate) fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A sensitive place that the way to a login leads to, and that is not this login's own: a link or a variable may lead
/// anywhere.
pub(crate) fn strays(login: &Login, real: &Path, facts: &Facts) -> Option<PathBuf> {
    let home = FileTree.canonical(&facts.home).unwrap_or_else(|| facts.home.clone());
    let named = usual(login, &home);
    let own = [facts.state_dir.clone(), facts.config_dir.clone(), facts.system_dir.clone()];
    let mut listed = SENSITIVE_IN_HOME.iter().map(|place| home.join(place)).chain(own);
    let meets = |place: &Path| real.starts_with(place) || place.starts_with(real);
    listed.find(|place| {
        let target = FileTree.canonical(place);
        !named.starts_with(place) && (meets(place) || target.is_some_and(|target| meets(&target)))
    })
}

/// A path of the home directory as people write it, without anything that a terminal obeys.
pub(crate) fn shown(path: &Path, home: &Path) -> String {
    let text = match path.strip_prefix(home) {
        Ok(below) => format!("~/{}", below.display()),
        Err(_) => path.display().to_string(),
    };
    crate::commands::screen::harmless(&text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn facts(home: &Path) -> Facts {
        Facts {
            home: home.to_owned(),
            cwd: home.to_owned(),
            env: BTreeMap::new(),
            uid: 0,
            user: "u".into(),
            state_dir: home.join(".local/state/stockade"),
            config_dir: home.join(".config/stockade"),
            system_dir: "/etc/stockade".into(),
        }
    }

    fn login(lines: &str) -> Profile {
        let text = format!("name = \"t\"\ndescription = \"d\"\n{lines}");
        Profile::parse("t.toml", &text, &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    #[test]
    fn a_variable_says_where_it_lies_and_the_profile_where_it_goes() {
        let profile = login(
            "[[login]]\npath = \"${home}/.x\"\nreason = \"r\"\nvariable = \"X_DIR\"\n\
             [[login]]\npath = \"${home}/.y\"\nreason = \"r\"\nto = \"${cache}/y/z\"",
        );
        let [x, y] = profile.logins.as_ref() else { panic!("two") };
        let mut facts = facts(Path::new("/home/u"));
        assert_eq!(source(x, &facts), Path::new("/home/u/.x"));
        facts.env.insert("X_DIR".into(), "relative".into());
        assert_eq!(source(x, &facts), Path::new("/home/u/.x"));
        facts.env.insert("X_DIR".into(), "/srv/x".into());
        assert_eq!(source(x, &facts), Path::new("/srv/x"));
        let (base, below) = goal(x, Path::new("/s"), "k");
        assert_eq!(base.join(below), Path::new("/s/servers/k/state/home/.x"));
        let (base, below) = goal(y, Path::new("/s"), "k");
        assert_eq!(base.join(below), Path::new("/s/servers/k/cache/y/z"));
    }

    #[test]
    fn a_way_that_leads_into_another_sensitive_place_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let home = std::fs::canonicalize(dir.path()).unwrap();
        for name in [".ssh", ".kube", "data/kube"] {
            std::fs::create_dir_all(home.join(name)).unwrap();
        }
        let profile = login(
            "[[login]]\npath = \"${home}/.kube\"\nreason = \"r\"\n[[login]]\npath = \"${home}/.own\"\nreason = \"r\"",
        );
        let [kube, own] = profile.logins.as_ref() else { panic!("two") };
        let strays = |login: &Login, real: &str| strays(login, &home.join(real), &facts(&home));
        assert_eq!(strays(kube, ".kube"), None, "its own place");
        assert_eq!(strays(kube, ".kube/config"), None);
        assert_eq!(strays(kube, "data/kube"), None, "a link of the user's to where nothing sensitive is");
        assert_eq!(strays(own, ".own"), None);
        for (login, real) in
            [(kube, ".ssh"), (own, ".ssh/keys"), (own, ".kube"), (own, ".local/state/stockade/x")]
        {
            assert!(strays(login, real).is_some(), "{real}");
        }
        // What holds sensitive places is one.
        assert!(strays(own, "").is_some() && strays(own, "/").is_some());
    }

    #[test]
    fn what_the_profile_grants_is_in_its_place() {
        let profile = |grant: &str| {
            login(&format!(
                "[fs]\nread = [{{ path = \"{grant}\", reason = \"r\" }}]\n[[login]]\npath = \"${{home}}/.x/y\"\nreason = \"r\""
            ))
        };
        for (grant, is) in [
            ("${home}/.x/y", true),
            ("${home}/.x", true),
            ("${home}/.x/y/z", true),
            ("${home}/.x/yz", false),
            ("/usr", false),
        ] {
            let profile = profile(grant);
            assert_eq!(granted(&profile.logins[0], &profile), is, "{grant}");
        }
    }
}

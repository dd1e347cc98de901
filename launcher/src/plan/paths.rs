//! Which paths are granted: private directories, the profile's, the flags', and the places that stay closed inside them.

use std::path::{Path, PathBuf};

use stockade_sandbox::{Access, PathRule};

use crate::error::{Failure, Kind};
use crate::host::Facts;

/// What a plan may ask the file system.
pub trait Tree {
    /// The path with all links resolved; `None` if it does not exist.
    fn canonical(&self, path: &Path) -> Option<PathBuf>;
    /// Children of a directory; empty for anything else.
    fn children(&self, path: &Path) -> Vec<PathBuf>;
}

impl std::fmt::Debug for dyn Tree + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tree")
    }
}

/// The server's own directories.
#[derive(Clone, Debug)]
pub(super) struct PrivateDirs {
    pub(super) state: PathBuf,
    pub(super) cache: PathBuf,
    pub(super) tmp: PathBuf,
}

impl PrivateDirs {
    pub(super) fn of(state_dir: &Path, key: &str, session: &str) -> Self {
        let own = state_dir.join("servers").join(key);
        Self { state: own.join("state"), cache: own.join("cache"), tmp: own.join("tmp").join(session) }
    }

    /// All that have to exist before the start.
    pub(super) fn all(&self) -> Vec<PathBuf> {
        let below = ["home", "config", "data", "state"].map(|name| self.state.join(name));
        let mut all = vec![self.state.clone(), self.cache.clone(), self.tmp.clone()];
        all.extend(below);
        all
    }
}

/// Who asks for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A profile.
    Profile,
    /// A flag.
    Flag(&'static str),
}

/// Places below the home directory that hold credentials, histories, other programs' secrets or client configs
/// (guarantee G1): never opened by a wider grant.
const SENSITIVE_IN_HOME: &[&str] = &[
    ".ssh",
    ".aws",
    ".azure",
    ".gnupg",
    ".kube",
    ".docker",
    ".config/gh",
    ".config/hub",
    ".config/glab-cli",
    ".config/gcloud",
    ".config/op",
    ".config/doctl",
    ".config/rclone",
    ".config/sops",
    ".config/git/credentials",
    ".config/google-chrome",
    ".config/chromium",
    ".config/BraveSoftware",
    ".config/microsoft-edge",
    ".config/vivaldi",
    ".config/Claude",
    ".config/Code/User",
    ".config/Cursor",
    ".config/autostart",
    ".config/systemd",
    ".mozilla",
    ".thunderbird",
    ".local/share/keyrings",
    ".local/share/kwalletd",
    ".password-store",
    ".netrc",
    ".git-credentials",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".gem/credentials",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".m2/settings.xml",
    ".gradle/gradle.properties",
    ".terraform.d",
    ".vault-token",
    ".pgpass",
    ".my.cnf",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".node_repl_history",
    ".psql_history",
    ".mysql_history",
    ".local/share/fish/fish_history",
    ".mcp-auth",
    ".claude",
    ".claude.json",
    ".cursor",
    ".codex",
    ".gemini",
    ".bitcoin",
    ".electrum",
    ".Xauthority",
];

/// Places in the home directory that other programs run or obey: a wider write grant leaves them readable only, since what
/// is written there runs outside of the jail at the next login, shell or commit (decision 5 of the design).
const CLOSED_FOR_WRITING: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".kshrc",
    ".inputrc",
    ".xprofile",
    ".xinitrc",
    ".xsessionrc",
    ".pam_environment",
    ".gitconfig",
    ".config/git",
    ".config/fish",
    ".config/environment.d",
    ".config/nvim",
    ".vimrc",
    ".vim",
    ".emacs",
    ".emacs.d",
    ".vscode",
    ".idea",
    ".husky",
    ".local/bin",
    ".local/share/applications",
    ".local/share/systemd",
    ".local/share/dbus-1",
    ".cargo",
    ".rustup",
    ".nvm",
    ".pyenv",
    "bin",
    "snap",
    ".var",
];

/// Collects grants and keeps the sensitive places out of them.
#[derive(Debug)]
pub(super) struct Grants<'a> {
    tree: &'a dyn Tree,
    home: PathBuf,
    sensitive: Vec<PathBuf>,
    closed_for_writing: Vec<PathBuf>,
    /// Sensitive places that do not lie in the home directory: all that most of a profile's paths have to be held against.
    elsewhere: Vec<PathBuf>,
    rules: Vec<PathRule>,
    reasons: Vec<String>,
    /// For each rule: the directory that holds the first link on the way to it, if there was one.
    links: Vec<Option<PathBuf>>,
    /// The same for the path that is being added.
    link: Option<PathBuf>,
    notes: Vec<String>,
}

impl<'a> Grants<'a> {
    pub(super) fn new(facts: &Facts, tree: &'a dyn Tree) -> Self {
        // Granted paths are compared with their links resolved, so the home directory is too.
        let home = tree.canonical(&facts.home).unwrap_or_else(|| facts.home.clone());
        let own = [&facts.state_dir, &facts.config_dir, &facts.system_dir];
        let sensitive: Vec<PathBuf> = SENSITIVE_IN_HOME
            .iter()
            .map(|below| home.join(below))
            .chain(own.into_iter().cloned())
            // What is not there yet is named as it would be; what is a link is closed at its target too.
            .flat_map(|path| [tree.canonical(&path).filter(|target| *target != path), Some(path)])
            .flatten()
            .collect();
        let elsewhere = sensitive.iter().filter(|place| !place.starts_with(&home)).cloned().collect();
        let closed_for_writing = CLOSED_FOR_WRITING
            .iter()
            .map(|below| home.join(below))
            .flat_map(|path| [tree.canonical(&path).filter(|target| *target != path), Some(path)])
            .flatten()
            .collect();
        Self {
            tree,
            home,
            sensitive,
            closed_for_writing,
            elsewhere,
            rules: Vec::new(),
            reasons: Vec::new(),
            links: Vec::new(),
            link: None,
            notes: Vec::new(),
        }
    }

    /// The server's own directories: they lie inside Stockade's state, which is closed to everything else.
    pub(super) fn private(&mut self, dirs: &PrivateDirs) {
        let own = [
            (&dirs.state, "its own state"),
            (&dirs.cache, "its own cache"),
            (&dirs.tmp, "its own temporary files"),
        ];
        for (path, reason) in own {
            self.push(path.clone(), Access::ReadWrite, reason);
        }
    }

    /// Adds a path; one that holds sensitive places is replaced by its other children.
    ///
    /// # Errors
    /// When a flag asks for a sensitive place by name: no flag opens one.
    pub(super) fn add(
        &mut self,
        path: &Path,
        access: Access,
        origin: Origin,
        reason: &str,
    ) -> Result<(), Failure> {
        let asked = path.to_owned();
        // The sandbox skips and reports what does not exist; a flag for it is a mistake worth telling.
        let Some(path) = self.tree.canonical(path) else {
            if let Origin::Flag(flag) = origin {
                return Err(Failure::new(
                    Kind::Usage,
                    format!("{flag} {}: no such file or directory", path.display()),
                )
                .hint("create it first: a grant is bound to what exists when the server starts"));
            }
            return Ok(());
        };
        self.link = self.first_link(&asked);
        if self.places_near(&path).iter().any(|place| path.starts_with(place)) {
            return self.closed(path, access, origin, reason);
        }
        if self.holds_closed(&path, access) {
            self.notes.push(format!(
                "{}: granted by its children, without the sensitive places in it; files created there later are not granted",
                path.display()
            ));
            self.children(&path, access, reason);
        } else {
            self.push(path, access, reason);
        }
        Ok(())
    }

    /// Rules, reasons, notes. A path that leads over a link inside a place that the server may write is dropped: an earlier
    /// session could have put the link there, to be granted what lies behind it.
    pub(super) fn finish(mut self) -> (Vec<PathRule>, Vec<String>, Vec<String>) {
        let writable: Vec<PathBuf> = self
            .rules
            .iter()
            .filter(|rule| rule.access == Access::ReadWrite)
            .map(|rule| rule.path.clone())
            .collect();
        let mut kept = (Vec::new(), Vec::new());
        for ((rule, reason), link) in self.rules.into_iter().zip(self.reasons).zip(self.links) {
            let planted = link.is_some_and(|at| writable.iter().any(|path| at.starts_with(path)));
            if planted {
                let path = rule.path.display();
                self.notes.push(format!("{path}: not granted, a link inside a writable place leads there"));
            } else {
                kept.0.push(rule);
                kept.1.push(reason);
            }
        }
        (kept.0, kept.1, self.notes)
    }

    /// The real directory that holds the first link on the way to `path`.
    fn first_link(&self, path: &Path) -> Option<PathBuf> {
        let mut real = PathBuf::new();
        for part in path.components() {
            let next = real.join(part);
            match self.tree.canonical(&next) {
                Some(target) if target == next => real = next,
                Some(_) => return Some(real),
                None => return None,
            }
        }
        None
    }

    /// Whether something in it stays closed, so that it is granted by its children.
    fn holds_closed(&self, path: &Path, access: Access) -> bool {
        let inside = |place: &PathBuf| place.starts_with(path);
        self.places_near(path).iter().any(inside)
            || (access == Access::ReadWrite && self.closed_for_writing.iter().any(inside))
    }

    /// The sensitive places that could hold the path or lie in it.
    fn places_near(&self, path: &Path) -> &[PathBuf] {
        let at_home = path.starts_with(&self.home) || self.home.starts_with(path);
        if at_home { &self.sensitive } else { &self.elsewhere }
    }

    /// A path inside a sensitive place. What the command line itself names for execution (a server installed below
    /// `~/.claude`) may run, unless it is the place as a whole; nothing else is opened.
    fn closed(&mut self, path: PathBuf, access: Access, origin: Origin, reason: &str) -> Result<(), Failure> {
        let Some(place) = self.sensitive.iter().find(|place| path.starts_with(place)) else { return Ok(()) };
        let own = path != *place;
        match origin {
            Origin::Flag(flag) => Err(Failure::new(
                Kind::Permission,
                format!("{flag} does not open {}: it is a sensitive place", path.display()),
            )
            .cause(format!("{} holds credentials, histories or Stockade's own files", place.display()))
            .hint("copy what the server needs to a directory of its own and grant that")),
            Origin::Profile if own && access == Access::ReadExecute => {
                self.push(path, access, reason);
                Ok(())
            }
            // Private directories are granted by `private`; a profile that names them again changes nothing.
            Origin::Profile if self.rules.iter().any(|rule| path.starts_with(&rule.path)) => Ok(()),
            Origin::Profile => {
                self.notes.push(format!("{}: not granted, it is a sensitive place", path.display()));
                Ok(())
            }
        }
    }

    fn children(&mut self, path: &Path, access: Access, reason: &str) {
        for child in self.tree.children(path) {
            // A link is judged by where it leads.
            let Some(target) = self.tree.canonical(&child) else { continue };
            if self.sensitive.iter().any(|place| target.starts_with(place)) {
                continue;
            }
            if access == Access::ReadWrite && self.closed_for_writing.contains(&target) {
                self.push(target, Access::Read, reason);
                continue;
            }
            if self.holds_closed(&target, access) {
                // A link that leads up and out of here would walk in circles.
                if target.starts_with(path) && target != path {
                    self.children(&target, access, reason);
                }
                continue;
            }
            self.push(target, access, reason);
        }
    }

    fn push(&mut self, path: PathBuf, access: Access, reason: &str) {
        if !self.rules.iter().any(|rule| rule.path == path && rule.access == access) {
            self.rules.push(PathRule { path, access });
            self.reasons.push(reason.to_owned());
            self.links.push(self.link.clone());
        }
    }
}

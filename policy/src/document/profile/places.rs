//! Places that stay closed inside wider grants: one list for plans, for reports and for the examples in profiles.

/// Places below the home directory that hold credentials, histories, other programs' secrets or client configs
/// (guarantee G1): opened by nothing but a profile that names them.
pub const SENSITIVE_IN_HOME: &[&str] = &[
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
    ".codeium",
    ".continue",
    ".config/opencode",
    ".config/goose",
    ".config/zed",
    ".config/Windsurf",
    ".config/VSCodium/User",
    ".config/configstore",
    ".config/containers",
    ".config/keepassxc",
    ".config/filezilla",
    ".terraformrc",
    ".databrickscfg",
    ".snowflake",
    ".s3cfg",
    ".boto",
    ".sh_history",
    ".sqlite_history",
    ".irb_history",
    ".lesshst",
    ".local/share/opencode",
    ".local/share/gnupg",
    ".local/share/pass",
    "snap/firefox",
    "snap/chromium",
    ".var/app",
    ".bitcoin",
    ".electrum",
    ".Xauthority",
];

/// Places in the home directory that other programs run or obey: a wider write grant leaves them readable only, since what
/// is written there runs outside of the jail at the next login, shell or commit.
pub const OBEYED_IN_HOME: &[&str] = &[
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

/// Places in a project that other programs run or obey, in the same way.
pub const OBEYED_IN_PROJECTS: &[&str] = &[
    ".git/hooks",
    ".git/config",
    ".husky",
    ".vscode",
    ".idea",
    ".mcp.json",
    ".cursor",
    ".claude",
    ".stockade",
];

/// Names that secrets of a project often get: closed at its root even before they exist.
pub const USUAL_ENV_FILES: &[&str] = &[
    ".env",
    ".envrc",
    ".env.local",
    ".env.development",
    ".env.development.local",
    ".env.test",
    ".env.test.local",
    ".env.staging",
    ".env.production",
    ".env.production.local",
];

/// Whether a file of this name holds a project's secrets: `.env`, `.envrc`, `.env.production`. Those that are published
/// to be copied are none.
#[must_use]
pub fn is_env_file(name: &str) -> bool {
    match name.strip_prefix(".env") {
        Some("" | "rc") => true,
        Some(rest) => {
            rest.starts_with('.')
                && !matches!(rest, ".example" | ".sample" | ".template" | ".dist" | ".defaults")
        }
        None => false,
    }
}

/// The place in a project that a path lies in or is, as the part of the path up to its end, if it is one that other
/// programs obey. Working trees that an agent keeps below its own directory (`.claude/worktrees/…`) are projects again.
#[must_use]
pub fn obeyed_in_project(path: &str) -> Option<&str> {
    let ends = OBEYED_IN_PROJECTS.iter().filter_map(|place| {
        path.match_indices(place)
            .filter(|(at, _)| path[..*at].ends_with('/'))
            .map(|(at, place)| at + place.len())
            .find(|&end| {
                let rest = &path[end..];
                (rest.is_empty() || rest.starts_with('/')) && !rest.starts_with("/worktrees/")
            })
    });
    ends.min().map(|end| &path[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_secrets_are_known_by_their_names() {
        for secret in [".env", ".env.local", ".env.production", ".envrc", ".env.x.y"] {
            assert!(is_env_file(secret), "{secret}");
        }
        for other in ["env", ".environment", ".env-cmdrc", ".env.example", "x.env", ".envs"] {
            assert!(!is_env_file(other), "{other}");
        }
    }

    #[test]
    fn a_path_into_an_obeyed_place_is_known_wherever_the_project_lies() {
        assert_eq!(obeyed_in_project("/p/.git/hooks/pre-commit"), Some("/p/.git/hooks"));
        assert_eq!(obeyed_in_project("/p/.vscode"), Some("/p/.vscode"));
        assert_eq!(obeyed_in_project("/p/.git"), None);
        assert_eq!(obeyed_in_project("/p/x.vscode"), None);
        assert_eq!(obeyed_in_project("/p/.vscodex"), None);
        assert_eq!(obeyed_in_project("/p/.claude/worktrees/a/src"), None);
        assert_eq!(
            obeyed_in_project("/p/.claude/worktrees/a/.vscode/x"),
            Some("/p/.claude/worktrees/a/.vscode")
        );
    }
}

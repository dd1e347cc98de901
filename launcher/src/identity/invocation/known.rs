//! Programs, packages and variables that are known for letting others decide what runs.

use std::ffi::OsString;

/// Programs that start what their arguments say.
const START_OTHERS: &[&str] = &[
    "sudo",
    "doas",
    "su",
    "runuser",
    "nice",
    "ionice",
    "setsid",
    "timeout",
    "stdbuf",
    "unshare",
    "chroot",
    "xvfb-run",
    "arch",
    "caffeinate",
    "op",
    "doppler",
    "infisical",
    "dotenv",
    "dotenvx",
    "direnv",
    "mise",
    "asdf",
    "volta",
    "fnm",
    "nvm",
    "nix",
    "nix-shell",
    "wsl",
    "ssh",
    "make",
    "just",
    "npm",
    "pnpm",
    "yarn",
    "yarnpkg",
    "poetry",
    "pdm",
    "hatch",
    "rye",
    "conda",
    "mamba",
    "micromamba",
    "pixi",
    "pipenv",
    "cargo",
    "go",
    "gradle",
    "mvn",
    "docker",
    "podman",
    "nerdctl",
    "docker-compose",
    "kubectl",
    "busybox",
    "xargs",
    "find",
    "time",
    "watch",
    "screen",
    "tmux",
    "script",
    "parallel",
    "pipx",
    "corepack",
    "systemd-run",
    "flatpak",
    "bwrap",
    "firejail",
    "cross-env",
    "nodemon",
    "supervisor",
    "pm2",
    "mcp-proxy",
    "supergateway",
    "smithery",
];

const RUN_OTHERS: &[&str] = &[
    "tsx",
    "ts-node",
    "nodemon",
    "@smithery/cli",
    "supergateway",
    "mcp-proxy",
    "fastmcp",
    "mcp",
    "concurrently",
    "dotenv-cli",
    "@dotenvx/dotenvx",
    "cross-env",
    "env-cmd",
    "mcpo",
    "@modelcontextprotocol/inspector",
    "bun",
    "deno",
    "node",
    "npm",
    "pnpm",
    "yarn",
    "uv",
    "pipx",
    "poetry",
];

/// Variables that say what is loaded.
const NAMES: &[&str] = &[
    "PATH",
    "NODE_OPTIONS",
    "NODE_PATH",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUSERBASE",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "BASH_ENV",
    "ENV",
    "ZDOTDIR",
    "HOME",
    "RUBYOPT",
    "RUBYLIB",
    "PERL5OPT",
    "PERL5LIB",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "CLASSPATH",
    "DENO_V8_FLAGS",
    "BUN_OPTIONS",
    "DOTNET_STARTUP_HOOKS",
    "GCONV_PATH",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "CONTAINER_HOST",
    "CONTAINER_CONNECTION",
    "VIRTUAL_ENV",
];

/// Their beginnings.
const BEGINNINGS: &[&str] =
    &["npm_config_", "NPM_CONFIG_", "UV_", "PIP_", "PIPX_", "BUN_CONFIG_", "YARN_", "PNPM_CONFIG_", "DYLD_"];

/// Of uv's and pip's, these are about how, not what.
const HARMLESS: &[&str] = &[
    "UV_CACHE_DIR",
    "UV_LINK_MODE",
    "UV_NO_PROGRESS",
    "UV_HTTP_TIMEOUT",
    "UV_CONCURRENT_DOWNLOADS",
    "PIP_NO_CACHE_DIR",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "PIP_QUIET",
    "UV_NO_CACHE",
    "UV_NATIVE_TLS",
    "UV_OFFLINE",
    "npm_config_loglevel",
    "npm_config_yes",
    "npm_config_cache",
    "NPM_CONFIG_LOGLEVEL",
    "NPM_CONFIG_YES",
    "NPM_CONFIG_CACHE",
    "npm_config_update_notifier",
    "NPM_CONFIG_UPDATE_NOTIFIER",
    "npm_config_fund",
    "npm_config_audit",
    "npm_config_prefer_offline",
    "npm_config_offline",
];

/// Does the program of this name start what its arguments or other files say?
pub(super) fn starts_others(name: &str) -> bool {
    START_OTHERS.contains(&name)
}

/// Does a program or package of this name run what its arguments name? Then the name alone says little.
pub fn runs_others(name: &str) -> bool {
    RUN_OTHERS.contains(&name)
}

/// Variables that change which code a program, an interpreter or a runner loads.
pub(super) fn telling_variables(set: &[(String, OsString)]) -> Vec<String> {
    let telling = set.iter().map(|(name, _)| name.as_str()).filter(|name| {
        NAMES.contains(name)
            || BEGINNINGS.iter().any(|start| name.starts_with(start)) && !HARMLESS.contains(name)
    });
    telling.map(|name| format!("`{name}` is set, which may change what runs")).collect()
}

//! Runners of npm packages: `npx`, `npm exec`, `bunx`, `pnpm dlx`, `yarn dlx`, as their programs read their words (npm 11,
//! bun 1.3, pnpm 10, Yarn 4).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::options::{self, Grammar, Name, Read};
use super::{Ecosystem, Invocation, PackageRun, Runner, Runs, spec, words};

/// Options of npm without a value (npm 11, `@npmcli/config`), but for those that mean something here.
const NPM_FLAGS: &[&str] = &[
    "all",
    "allow-same-version",
    "audit",
    "bin-links",
    "browser",
    "bypass-2fa",
    "color",
    "commit-hooks",
    "dangerously-allow-all-scripts",
    "description",
    "dev",
    "diff-ignore-all-space",
    "diff-name-only",
    "diff-no-prefix",
    "diff-text",
    "dry-run",
    "engine-strict",
    "expect-results",
    "force",
    "foreground-scripts",
    "format-package-lock",
    "fund",
    "git-tag-version",
    "global",
    "global-style",
    "if-present",
    "ignore-scripts",
    "include-staged",
    "include-workspace-root",
    "include-attestations",
    "init-private",
    "install-links",
    "json",
    "legacy-bundling",
    "legacy-peer-deps",
    "link",
    "long",
    "offline",
    "omit-lockfile-registry-resolved",
    "optional",
    "package-lock",
    "package-lock-only",
    "parseable",
    "allow-scripts-pending",
    "allow-scripts-pin",
    "prefer-dedupe",
    "prefer-offline",
    "prefer-online",
    "production",
    "progress",
    "provenance",
    "read-only",
    "rebuild-bundle",
    "save",
    "save-bundle",
    "save-dev",
    "save-exact",
    "save-optional",
    "save-peer",
    "save-prod",
    "packages-all",
    "shrinkwrap",
    "sign-git-commit",
    "sign-git-tag",
    "strict-peer-deps",
    "strict-allow-scripts",
    "strict-ssl",
    "timing",
    "unicode",
    "update-notifier",
    "usage",
    "version",
    "versions",
    "workspaces",
    "workspaces-update",
    "yes",
    "quiet",
    "q",
    "help",
    "h",
    "v",
    "always-spawn",
    "ignore-existing",
    "shell-auto-fallback",
    "y",
    "no-install",
];
/// Options of npm with a value that change neither what is fetched nor what runs.
const NPM_HARMLESS_VALUES: &[&str] = &[
    "loglevel",
    "cache",
    "logs-dir",
    "logs-max",
    "fetch-retries",
    "fetch-retry-factor",
    "fetch-retry-maxtimeout",
    "fetch-retry-mintimeout",
    "fetch-timeout",
    "maxsockets",
    "noproxy",
    "user-agent",
];
/// Options of npm with a value that change what is fetched, from where, or what runs.
const NPM_TELLING_VALUES: &[&str] = &[
    "prefix",
    "workspace",
    "node-options",
    "script-shell",
    "shell",
    "userconfig",
    "globalconfig",
    "tag",
    "before",
    "omit",
    "include",
    "only",
    "install-strategy",
    "cpu",
    "os",
    "libc",
    "ca",
    "cafile",
    "cert",
    "key",
    "proxy",
    "https-proxy",
    "scope",
    "allow-scripts",
    "min-release-age",
    "location",
    "_auth",
];
/// Flags of npm that change what is fetched or what runs.
const NPM_TELLING_FLAGS: &[&str] = &[
    "global",
    "workspaces",
    "strict-ssl",
    "dangerously-allow-all-scripts",
    "include-workspace-root",
    "dry-run",
    "legacy-bundling",
    "usage",
    "version",
    "help",
];

/// How `npx` and `npm exec` differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Npm {
    /// Options end at the first word that is none; `-p` is `--package`.
    Npx,
    /// Options end at `--`; `-p` is `--parseable`.
    Exec,
}

/// Words behind `npx`, or behind `npm exec`.
pub(super) fn npm(words: &[OsString], how: Npm) -> Option<Invocation> {
    let (head, tail) = match how {
        Npm::Npx => npx_head(words),
        Npm::Exec => match words.iter().position(|word| word == "--") {
            Some(at) => (&words[..at], &words[at + 1..]),
            None => (words, &[][..]),
        },
    };
    let mut read = Nopt { how, ..Nopt::default() };
    read.read(head);
    read.positional.extend(tail.iter().cloned());
    let named = Named { packages: read.packages, registry: read.registry, call: read.call };
    named.invocation(Runner::Npx, &read.positional, read.remainder)
}

/// npx puts a `--` before the first word that it takes for the package (npm 11, `bin/npx-cli.js`): a word behind an
/// option that it does not know is that option's value.
fn npx_head(words: &[OsString]) -> (&[OsString], &[OsString]) {
    const WITH_VALUE: [&str; 5] = ["package", "p", "call", "c", "shell"];
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word == "--" {
            return (&words[..at], &words[at + 1..]);
        }
        let text = word.to_string_lossy();
        let Some(stripped) = text.strip_prefix('-') else { break };
        let key = stripped.trim_start_matches('-');
        let has_value = key.contains('=');
        let next_is_option = words.get(at + 1).is_some_and(|next| next.as_bytes().starts_with(b"-"));
        let takes = !is_switch(key) && (WITH_VALUE.contains(&key) || !next_is_option);
        at += if !has_value && takes { 2 } else { 1 };
    }
    let at = at.min(words.len());
    words.split_at(at)
}

/// Shorthands that stand for flags: `-s` is `--loglevel silent`, value and all.
const NPM_SHORT_FLAGS: &[&str] =
    &["d", "dd", "ddd", "s", "silent", "verbose", "f", "a", "g", "l", "y", "ws", "iwr"];

fn is_switch(key: &str) -> bool {
    NPM_FLAGS.contains(&key) || NPM_SHORT_FLAGS.contains(&key)
}

/// What npm's own reader of options (nopt) makes of the words.
#[derive(Debug)]
struct Nopt {
    how: Npm,
    packages: Vec<String>,
    registry: Option<String>,
    call: Option<String>,
    positional: Vec<OsString>,
    remainder: Vec<String>,
}

impl Default for Nopt {
    fn default() -> Self {
        Self {
            how: Npm::Npx,
            packages: Vec::new(),
            registry: None,
            call: None,
            positional: Vec::new(),
            remainder: Vec::new(),
        }
    }
}

impl Nopt {
    fn read(&mut self, words: &[OsString]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if !word.as_bytes().starts_with(b"-") || word == "-" {
                self.positional.push(word.clone());
                continue;
            }
            let Some(text) = word.to_str() else {
                self.unknown(&word.to_string_lossy());
                continue;
            };
            let (key, value) = match text.trim_start_matches('-').split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (text.trim_start_matches('-'), None),
            };
            let key = self.long(key);
            if !takes_value(key) {
                self.flag(key, text);
                continue;
            }
            match value.or_else(|| words.next().map(|next| next.to_string_lossy().into_owned())) {
                Some(value) => self.value(key, value, text),
                None => self.unknown(text),
            }
        }
    }

    /// npm's shorthands.
    fn long<'k>(&self, key: &'k str) -> &'k str {
        match key {
            "p" if self.how == Npm::Npx => "package",
            "p" => "parseable",
            "c" => "call",
            "C" => "prefix",
            "w" => "workspace",
            "L" => "location",
            "reg" => "registry",
            "iwr" => "include-workspace-root",
            "ws" => "workspaces",
            "g" => "global",
            "h" | "H" | "?" => "help",
            "v" => "version",
            "no" => "no-yes",
            key => key,
        }
    }

    fn flag(&mut self, key: &str, typed: &str) {
        let plain = key.strip_prefix("no-").unwrap_or(key);
        let known = is_switch(key) || NPM_FLAGS.contains(&plain);
        if !known || NPM_TELLING_FLAGS.contains(&key) || key == "no-strict-ssl" {
            self.unknown(typed);
        }
    }

    fn value(&mut self, key: &str, value: String, typed: &str) {
        match key {
            "package" => self.packages.push(value),
            "registry" => self.registry = Some(value),
            "call" => self.call = Some(value),
            key if NPM_HARMLESS_VALUES.contains(&key) => {}
            _ => self.unknown(typed),
        }
    }

    fn unknown(&mut self, typed: &str) {
        let program = if self.how == Npm::Npx { "npx" } else { "npm exec" };
        self.remainder.push(super::option_remains(program, typed));
    }
}

fn takes_value(key: &str) -> bool {
    ["package", "registry", "call"].contains(&key)
        || NPM_HARMLESS_VALUES.contains(&key)
        || NPM_TELLING_VALUES.contains(&key)
}

/// Packages, registry and script that options name.
struct Named {
    packages: Vec<String>,
    registry: Option<String>,
    call: Option<String>,
}

impl Named {
    /// Joins them with the words that are no options; `None` if nothing says which package it is.
    fn invocation(
        self,
        runner: Runner,
        words: &[OsString],
        mut remainder: Vec<String>,
    ) -> Option<Invocation> {
        let mut specs: Vec<_> = self.packages.iter().map(|typed| spec::npm(typed)).collect();
        let called = self.call.filter(|call| !call.is_empty());
        let (entry, arguments) = match (called, words.split_first()) {
            (Some(_), _) if specs.is_empty() => return None,
            (Some(call), rest) => {
                if rest.is_some() {
                    remainder.push("words beside the script of `-c`".to_owned());
                }
                match words::plain_command(&call).filter(|plain| plain.set.is_empty()) {
                    Some(plain) => {
                        let mut plain = plain.words.into_iter();
                        (plain.next(), plain.map(OsString::from).collect())
                    }
                    None => {
                        remainder.push("a script for a shell behind `-c`".to_owned());
                        (None, Vec::new())
                    }
                }
            }
            (None, Some((first, rest))) if specs.is_empty() => {
                specs.push(spec::npm(first.to_str()?));
                (None, rest.to_vec())
            }
            (None, Some((first, rest))) => (Some(first.to_str()?.to_owned()), rest.to_vec()),
            (None, None) if specs.is_empty() => return None,
            (None, None) => {
                remainder.push("no program of the package is named".to_owned());
                (None, Vec::new())
            }
        };
        let runs = PackageRun {
            runner,
            ecosystem: Ecosystem::Npm,
            specs,
            entry,
            python: None,
            registry: self.registry,
            arguments,
        };
        Some(Invocation { wrappers: Vec::new(), set: Vec::new(), runs: Runs::Package(runs), remainder })
    }
}

const BUN: Grammar = Grammar {
    values: &[
        ("p", "package"),
        ("", "registry"),
        ("", "cwd"),
        ("", "env-file"),
        ("", "minimum-release-age"),
        ("", "ca"),
        ("", "cafile"),
        ("r", "preload"),
    ],
    flags: BUN_FLAGS,
};
const BUN_FLAGS: &[Name] = &[
    ("b", "bun"),
    ("", "no-install"),
    ("", "verbose"),
    ("", "silent"),
    ("", "trust"),
    ("", "ignore-scripts"),
    ("y", "yes"),
];

/// Words behind `bunx` or `bun x`.
pub(super) fn bunx(words: &[OsString]) -> Option<Invocation> {
    let harmless = ["package", "registry", "bun", "no-install", "verbose", "silent", "ignore-scripts", "yes"];
    runner(Runner::Bunx, "bunx", options::read(words, BUN), &harmless)
}

const PNPM: Grammar = Grammar {
    values: &[
        ("", "package"),
        ("", "registry"),
        ("C", "dir"),
        ("", "allow-build"),
        ("", "cpu"),
        ("", "os"),
        ("", "libc"),
        ("", "env-file"),
        ("", "store-dir"),
        ("", "state-dir"),
        ("", "npmrc-auth-file"),
        ("", "https-proxy"),
        ("", "http-proxy"),
        ("", "no-proxy"),
        ("", "reporter"),
        ("", "loglevel"),
        ("F", "filter"),
        ("", "workspace-concurrency"),
    ],
    flags: &[
        ("c", "shell-mode"),
        ("y", "yes"),
        ("s", "silent"),
        ("", "ignore-workspace"),
        ("", "color"),
        ("", "no-color"),
        ("", "no-progress"),
        ("", "stream"),
        ("", "aggregate-output"),
        ("", "use-stderr"),
        ("r", "recursive"),
        ("w", "workspace-root"),
    ],
};

/// Words behind `pnpm` up to its verb, and those behind `pnpm dlx`, whose options both may hold.
pub(super) fn pnpm_dlx(before: &[OsString], words: &[OsString]) -> Option<Invocation> {
    let harmless = [
        "package",
        "registry",
        "store-dir",
        "state-dir",
        "reporter",
        "loglevel",
        "yes",
        "silent",
        "ignore-workspace",
        "color",
        "no-color",
        "no-progress",
        "stream",
        "aggregate-output",
        "use-stderr",
        "workspace-concurrency",
    ];
    let mut read = options::read(before, PNPM);
    let after = options::read(words, PNPM);
    read.options.extend(after.options);
    read.unknown.extend(after.unknown);
    read.rest = after.rest;
    runner(Runner::PnpmDlx, "pnpm dlx", read, &harmless)
}

/// Where the verb of `pnpm …` stands.
pub(super) fn pnpm_verb(words: &[OsString]) -> Option<usize> {
    let rest = options::read(words, PNPM).rest.len();
    words.len().checked_sub(rest).filter(|at| *at < words.len())
}

const YARN: Grammar = Grammar { values: &[("p", "package")], flags: &[("q", "quiet")] };

/// Words behind `yarn dlx`.
pub(super) fn yarn_dlx(words: &[OsString]) -> Option<Invocation> {
    runner(Runner::YarnDlx, "yarn dlx", options::read(words, YARN), &["package", "quiet"])
}

fn runner(runner: Runner, program: &str, read: Read, harmless: &[&str]) -> Option<Invocation> {
    let remainder = super::remains(program, &read, harmless);
    let text = |value: &OsStr| value.to_string_lossy().into_owned();
    let packages = read.all("package").map(text).collect();
    let named = Named { packages, registry: read.last("registry"), call: None };
    named.invocation(runner, &read.rest, remainder)
}

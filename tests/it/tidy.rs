//! House rules that a machine can check. Exceptions are the lists here, each with its reason; they only shrink.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{stockade_bin, tests_dir};

const LINES_MAX: usize = 500;

/// Files over the limit: path, reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Words that say nothing about what a thing is.
const EMPTY_NAMES: [&str; 4] = ["manager", "util", "helper", "handler"];

/// Where `cfg(target_os)` may stand.
const PER_PLATFORM: [&str; 2] = ["sandbox/src/lib.rs", "launcher/src/host.rs"];

/// `cfg(target_os)` elsewhere: path, reason.
const PLATFORM_EXCEPTIONS: &[(&str, &str)] = &[
    ("launcher/src/secrets/store.rs", "each system has a keychain of its own, and a crate for it"),
    (
        "sandbox/src/jailed.rs",
        "a constructor that no platform but Linux calls yet: without it, dead code there",
    ),
    ("sandbox/src/attempts.rs", "what is learnt of backends: nobody but Linux learns anything yet"),
];

/// Files that seem to name a path of one machine and do not: path, reason.
const PATH_EXCEPTIONS: &[(&str, &str)] =
    &[("sandbox/tests/jail/files.rs", "`/work/` is a directory below the test's own temporary one")];

/// Files that name a registry: path, reason.
const HOST_EXCEPTIONS: &[(&str, &str)] = &[(
    "launcher/src/packages/config/public.rs",
    "where npm, pip and uv go when nobody has configured anything: a fetch grants exactly that",
)];

fn root() -> PathBuf {
    tests_dir().parent().expect("tests/ lies in the repository").to_owned()
}

/// All files that git tracks or would track; `None` outside of a git work tree (a tarball), where nothing is checked
/// that is not checked in one.
fn files() -> Option<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let names = String::from_utf8(listed.stdout).expect("file names in UTF-8");
    let present = |name: &&str| !name.is_empty() && root().join(name).is_file();
    Some(names.split('\0').filter(present).map(str::to_owned).collect())
}

fn read(name: &str) -> Option<String> {
    // What is not UTF-8 is no source text.
    std::fs::read_to_string(root().join(name)).ok()
}

fn is_rust(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "rs")
}

/// Specifications and tests, as opposed to what is shipped.
fn is_test(name: &str) -> bool {
    name.starts_with("tests/")
        || ["/tests/", "/benches/"].iter().any(|folder| name.contains(folder))
        || name.ends_with("/tests.rs")
}

fn sources() -> Vec<(String, String)> {
    let files = files().unwrap_or_default().into_iter().filter(|name| is_rust(name));
    files.filter_map(|name| read(&name).map(|text| (name, text))).collect()
}

/// The lines before the inline tests.
fn production(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]")
}

/// Fails with all objections at once.
#[track_caller]
fn none(objections: &[String]) {
    assert!(objections.is_empty(), "\n{}", objections.join("\n"));
}

fn is_excepted(exceptions: &[(&str, &str)], name: &str) -> bool {
    exceptions.iter().any(|(path, reason)| *path == name && !reason.is_empty())
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let length = |text: &str, name: &str| {
        if is_test(name) { 0 } else { production(text).count() }
    };
    let sources = sources();
    let long = sources.iter().filter(|(name, text)| length(text, name) > LINES_MAX);
    let objections: Vec<String> = long
        .filter(|(name, _)| !is_excepted(LONG_FILES, name))
        .map(|(name, text)| format!("{name}: {} lines, {LINES_MAX} are allowed", length(text, name)))
        .collect();
    none(&objections);
    for (excepted, _) in LONG_FILES {
        let needed = sources.iter().any(|(name, text)| name == excepted && length(text, name) > LINES_MAX);
        assert!(needed, "{excepted} needs no exception any more: take it off the list");
    }
}

#[test]
fn platforms_are_told_apart_in_few_places() {
    let may = |name: &str| {
        PER_PLATFORM.contains(&name)
            || name.starts_with("sandbox/src/") && name.matches('/').count() > 2
            || is_test(name)
            || is_excepted(PLATFORM_EXCEPTIONS, name)
    };
    let objections: Vec<String> = sources()
        .iter()
        .filter(|(name, _)| !may(name))
        .flat_map(|(name, text)| {
            let lines = text.lines().enumerate();
            let found =
                lines.filter(|(_, line)| line.contains("target_os") && !line.trim().starts_with("//"));
            found.map(move |(n, _)| format!("{name}:{}: target_os", n + 1)).collect::<Vec<_>>()
        })
        .collect();
    none(&objections);
}

#[test]
fn unsafe_stands_in_sys_alone() {
    let is_sys =
        |name: &str| name.starts_with("sandbox/") && (name.ends_with("/sys.rs") || name.contains("/sys/"));
    let mut objections = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !name.starts_with("tests/")) {
        for (n, line) in text.lines().enumerate().filter(|_| !is_sys(name)) {
            let code = line.split("//").next().unwrap_or(line);
            if ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"]
                .iter()
                .any(|form| code.contains(form))
            {
                objections.push(format!("{name}:{}: unsafe", n + 1));
            }
        }
    }
    for room in ["launcher/src/main.rs", "policy/src/lib.rs"] {
        let forbids = read(room).is_some_and(|text| text.contains("#![forbid(unsafe_code)]"));
        if !forbids && files().is_some() {
            objections.push(format!("{room} does not forbid unsafe code"));
        }
    }
    none(&objections);
}

/// The words of a name: `PathRule` and `path_rule` are `path`, `rule`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter.is_uppercase() || letter == '_' || letter == '-' {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(letter.to_lowercase());
        }
    }
    words
}

fn says_nothing(name: &str) -> bool {
    let words = words(name);
    let empty =
        |word: &String| EMPTY_NAMES.iter().any(|empty| *word == *empty || *word == format!("{empty}s"));
    words.iter().any(empty) || words.len() > 1 && words.last().is_some_and(|word| word == "runtime")
}

#[test]
fn names_say_what_a_thing_is() {
    let mut objections = Vec::new();
    for (name, text) in sources() {
        let stem = Path::new(&name).file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
        if says_nothing(stem) || name.split('/').any(says_nothing) {
            objections.push(format!("{name}: the file's name says nothing"));
        }
        for (n, line) in text.lines().enumerate() {
            let mut line_words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
            let (kind, title) = (line_words.next().unwrap_or(""), line_words.next().unwrap_or(""));
            let title: String = title.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if ["struct", "enum", "trait", "type", "mod"].contains(&kind) && says_nothing(&title) {
                objections.push(format!("{name}:{}: the name {title} says nothing", n + 1));
            }
        }
    }
    none(&objections);
}

#[test]
fn nothing_is_left_undone() {
    // In two halves, so that this file does not hold what it forbids.
    let halves = [
        ("to", "do!("),
        ("unimple", "mented!("),
        ("db", "g!("),
        ("FIX", "ME"),
        ("#[ig", "nore"),
        ("#[al", "low("),
        ("#![al", "low("),
    ];
    let forbidden = halves.map(|(one, other)| format!("{one}{other}"));
    let mut objections = Vec::new();
    for (name, text) in sources() {
        for (n, line) in text.lines().enumerate() {
            objections.extend(
                forbidden
                    .iter()
                    .filter(|word| line.contains(*word))
                    .map(|word| format!("{name}:{}: {word}", n + 1)),
            );
        }
    }
    none(&objections);
}

#[test]
fn no_file_names_a_registry_or_a_path_of_one_machine() {
    let hosts = ["crates.io", "npmjs.org", "pypi.org", "pythonhosted.org", "deb.debian.org"];
    let paths = ["/work/", "/root/"];
    let mut objections = Vec::new();
    for name in files().unwrap_or_default() {
        // Cargo writes these itself and names the registry in them, as every Cargo.lock in the world does.
        if name.ends_with("Cargo.lock") || name == "tests/it/tidy.rs" {
            continue;
        }
        let Some(text) = read(&name) else { continue };
        for (n, line) in text.lines().enumerate() {
            // Badges, links and examples of crates are no different: no host at all.
            let host = hosts.iter().find(|host| line.contains(*host) && !is_excepted(HOST_EXCEPTIONS, &name));
            let path =
                paths.iter().find(|path| names_path(line, path) && !is_excepted(PATH_EXCEPTIONS, &name));
            objections.extend(host.or(path).map(|what| format!("{name}:{}: {what}", n + 1)));
        }
    }
    none(&objections);
}

/// Whether an absolute path begins here, and not `…/work/…` in the middle of another.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "}%._-/~*".contains(c))
    })
}

#[test]
fn every_decision_is_linked() {
    let Some(files) = files() else { return };
    let pages: Vec<&String> = files.iter().filter(|name| name.starts_with("docs/decisions/")).collect();
    let texts: String = ["README.md", "docs/ARCHITECTURE.md", "docs/decisions/README.md"]
        .iter()
        .filter_map(|name| read(name))
        .collect();
    let lost: Vec<String> = pages
        .iter()
        .filter_map(|page| Path::new(page).file_name()?.to_str())
        .filter(|page| *page != "README.md" && !texts.contains(*page))
        .map(|page| format!("docs/decisions/{page} is linked from nowhere"))
        .collect();
    none(&lost);
}

/// Verbs in the help of `stockade`, and `policy check` for those of a verb with verbs.
fn verbs() -> BTreeSet<String> {
    let help = |words: &[&str]| {
        let output =
            Command::new(stockade_bin()).args(words).arg("--help").output().expect("help is printed");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let listed = |text: &str| {
        let after = text.split("Commands:").nth(1).unwrap_or("").lines().skip(1);
        let block = after.take_while(|line| line.starts_with("  "));
        let named =
            block.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
        named.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut all = BTreeSet::new();
    for verb in listed(&help(&[])) {
        all.extend(listed(&help(&[&verb])).into_iter().map(|below| format!("{verb} {below}")));
        all.insert(verb);
    }
    all
}

#[test]
fn the_readme_names_only_verbs_that_exist() {
    let Some(readme) = read("README.md") else {
        assert!(files().is_none(), "there is no README.md");
        return;
    };
    let verbs = verbs();
    assert!(verbs.contains("run") && verbs.contains("policy check"), "help was understood: {verbs:?}");
    let word =
        |text: &str| text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect::<String>();
    let mut objections = Vec::new();
    for (n, line) in readme.lines().enumerate() {
        for call in ["stockade ", "cargo run --release -- "] {
            // In prose "stockade" may begin any sentence: only code is looked at.
            let code = line.contains('`')
                || line.starts_with("    ")
                || line.starts_with(call)
                || line.starts_with("$ ");
            let after = line.match_indices(call).map(|(at, _)| &line[at + call.len()..]).filter(|_| code);
            for rest in after {
                let (verb, below) = (word(rest), word(rest.split(' ').nth(1).unwrap_or("")));
                let has_verbs = verbs.iter().any(|known| known.starts_with(&format!("{verb} ")));
                let known =
                    verbs.contains(&verb) && (!has_verbs || verbs.contains(&format!("{verb} {below}")));
                if !verb.is_empty() && !verb.starts_with('-') && !known {
                    objections.push(format!("README.md:{}: there is no `{call}{verb} {below}`", n + 1));
                }
            }
        }
    }
    none(&objections);
}

#[test]
fn the_licence_is_there_and_every_crate_names_it() {
    let Some(files) = files() else { return };
    let licence = read("LICENSE").unwrap_or_default();
    assert!(
        licence.contains("Apache License") && licence.contains("Version 2.0"),
        "LICENSE is not the Apache-2.0"
    );
    for name in files.iter().filter(|name| name.ends_with("Cargo.toml")) {
        let text = read(name).unwrap_or_default();
        let named = text.contains("license.workspace = true") || text.contains("license = \"Apache-2.0\"");
        assert!(named, "{name} names no licence");
    }
}

#[test]
fn nothing_that_was_built_or_installed_is_tracked() {
    let built = |name: &&String| {
        let folder = name.split('/').any(|part| ["__pycache__", "node_modules", "target"].contains(&part));
        folder || [".pyc", ".o", ".so", ".orig", ".rej"].iter().any(|ending| name.ends_with(ending))
    };
    let objections: Vec<String> = files().unwrap_or_default().iter().filter(built).cloned().collect();
    none(&objections);
}

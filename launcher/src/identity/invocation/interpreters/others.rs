//! Interpreters with grammars of their own: Java, .NET, deno, bun.

use std::ffi::OsString;

use super::super::options::{self, Grammar, Name};
use super::{Code, Interpreted};

/// `-D…`, `-X…` and their like stick to their values, and `-cp` is a word, not a cluster.
pub(super) fn java(arguments: &[OsString]) -> Interpreted {
    const VALUES: &[&str] = &[
        "-cp",
        "-classpath",
        "--class-path",
        "-p",
        "--module-path",
        "--add-modules",
        "--add-opens",
        "--add-exports",
        "--add-reads",
        "--enable-native-access",
        "--upgrade-module-path",
    ];
    const HARMLESS: &[&str] = &[
        "-X",
        "-D",
        "-server",
        "-ea",
        "-esa",
        "--enable-preview",
        "--enable-native-access",
        "--add-opens",
        "-verbose",
    ];
    let mut remainder = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "-jar" {
            let code = words.next().map_or(Code::Words, |jar| Code::File(jar.clone()));
            return Interpreted { code, remainder };
        }
        if !text.starts_with(['-', '@']) {
            return Interpreted { code: Code::Words, remainder };
        }
        if !HARMLESS.iter().any(|known| text.starts_with(known)) {
            remainder.push(super::super::option_remains("java", &text));
        }
        if VALUES.contains(&text.as_ref()) {
            words.next();
        }
    }
    Interpreted { code: Code::Words, remainder }
}

/// `dotnet x.dll`; its verbs build, fetch and run what project files say.
pub(super) fn dotnet(arguments: &[OsString]) -> Interpreted {
    match arguments.first() {
        Some(first) if first.to_string_lossy().to_ascii_lowercase().ends_with(".dll") => {
            Interpreted { code: Code::File(first.clone()), remainder: Vec::new() }
        }
        first => Interpreted { code: Code::Words, remainder: vec![verb_remains("dotnet", first)] },
    }
}

fn verb_remains(program: &str, verb: Option<&OsString>) -> String {
    let verb = verb.map_or_else(String::new, |verb| format!(" {}", verb.to_string_lossy()));
    format!("`{program}{verb}` runs what other files say")
}

const DENO: Grammar = Grammar {
    values: &[
        ("", "ext"),
        ("", "import-map"),
        ("", "node-modules-linker"),
        ("c", "config"),
        ("", "cert"),
        ("", "min-dep-age"),
        ("", "inspect-publish-uid"),
        ("", "location"),
        ("", "seed"),
        ("", "preload"),
        ("", "require"),
        ("", "conditions"),
        ("L", "log-level"),
    ],
    flags: DENO_FLAGS,
};
/// Many of them may have a value behind `=`.
const DENO_FLAGS: &[Name] = &[
    ("A", "allow-all"),
    ("R", "allow-read"),
    ("W", "allow-write"),
    ("I", "allow-import"),
    ("N", "allow-net"),
    ("E", "allow-env"),
    ("S", "allow-sys"),
    ("", "allow-run"),
    ("", "allow-ffi"),
    ("", "allow-hrtime"),
    ("", "deny-read"),
    ("", "deny-write"),
    ("", "deny-net"),
    ("", "deny-env"),
    ("", "deny-sys"),
    ("", "deny-run"),
    ("", "deny-ffi"),
    ("", "deny-import"),
    ("", "ignore-env"),
    ("", "ignore-read"),
    ("", "no-prompt"),
    ("q", "quiet"),
    ("", "check"),
    ("", "no-check"),
    ("", "watch"),
    ("", "no-clear-screen"),
    ("", "no-code-cache"),
    ("", "no-remote"),
    ("", "no-npm"),
    ("", "node-modules-dir"),
    ("", "vendor"),
    ("", "no-config"),
    ("r", "reload"),
    ("", "lock"),
    ("", "no-lock"),
    ("", "frozen"),
    ("", "frozen-lockfile"),
    ("", "cached-only"),
    ("", "v8-flags"),
    ("", "allow-scripts"),
    ("", "env-file"),
    ("P", "permission-set"),
    ("", "unstable"),
];
/// Options of deno that change what an import stands for, or what else runs.
const DENO_TELLING: &[&str] =
    &["import-map", "config", "preload", "require", "conditions", "env-file", "v8-flags", "allow-scripts"];

pub(super) fn deno(arguments: &[OsString]) -> Interpreted {
    let before = options::read(arguments, DENO);
    let (verb, rest) = match before.rest.split_first() {
        Some((verb, rest)) if verb == "run" || verb == "serve" => ("deno run", rest),
        Some((verb, _)) if verb == "eval" => {
            return Interpreted { code: Code::Words, remainder: Vec::new() };
        }
        Some((file, _)) if looks_like_code(&file.to_string_lossy()) => ("deno", before.rest.as_slice()),
        Some((verb, _)) => {
            return Interpreted { code: Code::Words, remainder: vec![verb_remains("deno", Some(verb))] };
        }
        None => return Interpreted { code: Code::Words, remainder: Vec::new() },
    };
    let mut read = options::read(rest, DENO);
    read.options.extend(before.options);
    read.unknown.extend(before.unknown);
    // `--unstable-net` and its like switch on what is not stable yet.
    read.unknown.retain(|option| !option.starts_with("--unstable-"));
    let known = DENO.values.iter().chain(DENO.flags).map(|name| name.1);
    let harmless: Vec<&str> = known.filter(|name| !DENO_TELLING.contains(name)).collect();
    let remainder = super::super::remains(verb, &read, &harmless);
    let code = match read.rest.first() {
        Some(file) if file == "-" => Code::Words,
        Some(file) => match file.to_str().filter(|text| is_remote(text)) {
            Some(text) => Code::Remote(text.to_owned()),
            None => Code::File(file.clone()),
        },
        None => Code::Words,
    };
    Interpreted { code, remainder }
}

fn is_remote(text: &str) -> bool {
    ["npm:", "jsr:", "http://", "https://", "data:", "blob:"].iter().any(|scheme| text.starts_with(scheme))
}

/// A path, a URL or a file of code, and not a verb or the name of a task.
fn looks_like_code(text: &str) -> bool {
    const ENDINGS: &[&str] = &[".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx"];
    is_remote(text) || text.contains('/') || ENDINGS.iter().any(|ending| text.ends_with(ending))
}

const BUN: Grammar = Grammar {
    values: &[
        ("r", "preload"),
        ("", "import"),
        ("", "require"),
        ("", "cwd"),
        ("", "env-file"),
        ("c", "config"),
        ("", "tsconfig-override"),
        ("d", "define"),
        ("l", "loader"),
        ("e", "eval"),
        ("p", "print"),
        ("", "conditions"),
        ("", "filter"),
        ("", "shell"),
        ("", "dns-result-order"),
        ("", "max-http-header-size"),
        ("", "title"),
    ],
    flags: &[
        ("b", "bun"),
        ("", "smol"),
        ("", "silent"),
        ("", "hot"),
        ("", "watch"),
        ("", "no-install"),
        ("i", "i"),
        ("", "prefer-offline"),
        ("", "no-clear-screen"),
        ("", "no-deprecation"),
        ("", "throw-deprecation"),
    ],
};

pub(super) fn bun(arguments: &[OsString]) -> Interpreted {
    const HARMLESS: &[&str] = &[
        "bun",
        "smol",
        "silent",
        "hot",
        "watch",
        "no-install",
        "prefer-offline",
        "no-clear-screen",
        "no-deprecation",
        "throw-deprecation",
        "eval",
        "print",
        "dns-result-order",
        "max-http-header-size",
        "title",
    ];
    let mut read = options::read(arguments, BUN);
    if read.rest.first().is_some_and(|verb| verb == "run") {
        let behind = options::read(read.rest.get(1..).unwrap_or(&[]), BUN);
        read.options.extend(behind.options);
        read.unknown.extend(behind.unknown);
        read.rest = behind.rest;
    }
    let mut remainder = super::super::remains("bun", &read, HARMLESS);
    if read.has("eval") || read.has("print") {
        return Interpreted { code: Code::Words, remainder };
    }
    let code = match read.rest.first() {
        Some(file) if looks_like_code(&file.to_string_lossy()) => Code::File(file.clone()),
        Some(other) if other != "-" => {
            remainder.push(verb_remains("bun", Some(other)));
            Code::Words
        }
        _ => Code::Words,
    };
    Interpreted { code, remainder }
}

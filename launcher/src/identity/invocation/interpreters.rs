//! Interpreters: which file, module or text their words name, and which options change what runs.

mod others;

use std::ffi::OsString;

use super::options::{Grammar, Read, Step};

/// What an interpreter is told to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::identity) enum Code {
    /// This file, as it is typed.
    File(OsString),
    /// A module that the interpreter finds (`python -m`).
    Module(String),
    /// What another place holds (`deno run npm:…`).
    Remote(String),
    /// The words themselves, or what stands on standard input: no file.
    Words,
}

/// Reading of an interpreter's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::identity) struct Interpreted {
    /// What it runs.
    pub(in crate::identity) code: Code,
    /// What may change what runs.
    pub(in crate::identity) remainder: Vec<String>,
}

/// What the interpreter `name` (a program's base name) runs; `None` if it is none that is known.
pub(in crate::identity) fn interpreted(name: &str, arguments: &[OsString]) -> Option<Interpreted> {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let (language, arguments) = match base {
        "node" | "nodejs" => (&NODE, arguments),
        "python" | "pythonw" | "pypy" => (&PYTHON, arguments),
        // The launcher of Windows: `py -3.12 -m x`.
        "py" => (&PYTHON, without_version(arguments)),
        "tsx" | "ts-node" | "ts-node-esm" => (&TSX, arguments),
        "ruby" | "perl" | "php" | "lua" | "rscript" => (&SCRIPTED, arguments),
        "java" => return Some(others::java(arguments)),
        "deno" => return Some(others::deno(arguments)),
        "bun" => return Some(others::bun(arguments)),
        "dotnet" => return Some(others::dotnet(arguments)),
        name if super::shell::is_shell(name) => (&SHELL, arguments),
        _ => return None,
    };
    Some(language.read(name, arguments))
}

/// How an interpreter is told what to run.
struct Language {
    grammar: Grammar,
    /// Options that change nothing about what runs.
    harmless: &'static [&'static str],
    /// Options whose value is the code.
    inline: &'static [&'static str],
    /// The option whose value is a module.
    module: Option<&'static str>,
    /// Beginnings of long options that come in families without values of their own, none of which changes what runs.
    families: &'static [&'static str],
}

const NODE: Language = Language {
    grammar: Grammar {
        values: &[
            ("r", "require"),
            ("", "import"),
            ("", "loader"),
            ("", "experimental-loader"),
            ("", "env-file"),
            ("", "env-file-if-exists"),
            ("C", "conditions"),
            ("e", "eval"),
            ("p", "print"),
            ("", "input-type"),
            ("", "experimental-default-type"),
            ("", "title"),
            ("", "unhandled-rejections"),
            ("", "dns-result-order"),
            ("", "max-http-header-size"),
            ("", "redirect-warnings"),
            ("", "diagnostic-dir"),
            ("", "disable-warning"),
            ("", "tls-cipher-list"),
            ("", "allow-fs-read"),
            ("", "allow-fs-write"),
            ("", "run"),
            ("", "watch-path"),
            ("", "experimental-config-file"),
            ("", "icu-data-dir"),
            ("", "openssl-config"),
            ("", "snapshot-blob"),
            ("", "experimental-policy"),
            ("", "max-old-space-size"),
            ("", "stack-trace-limit"),
        ],
        flags: &[
            ("", "watch"),
            ("", "throw-deprecation"),
            ("", "pending-deprecation"),
            ("", "permission"),
            ("", "expose-gc"),
            ("", "expose_gc"),
            ("", "preserve-symlinks"),
            ("", "preserve-symlinks-main"),
            ("", "jitless"),
            ("", "abort-on-uncaught-exception"),
            ("", "insecure-http-parser"),
            ("", "frozen-intrinsics"),
            ("", "zero-fill-buffers"),
            ("i", "interactive"),
        ],
    },
    harmless: &[
        "title",
        "unhandled-rejections",
        "dns-result-order",
        "max-http-header-size",
        "redirect-warnings",
        "diagnostic-dir",
        "disable-warning",
        "tls-cipher-list",
        "allow-fs-read",
        "allow-fs-write",
        "max-old-space-size",
        "stack-trace-limit",
        "watch",
        "throw-deprecation",
        "pending-deprecation",
        "permission",
        "expose-gc",
        "expose_gc",
        "jitless",
        "abort-on-uncaught-exception",
        "insecure-http-parser",
        "frozen-intrinsics",
        "zero-fill-buffers",
        "eval",
        "print",
    ],
    inline: &["eval", "print"],
    module: None,
    families: &[
        "--no-",
        "--trace-",
        "--max-",
        "--max_",
        "--enable-source-maps",
        "--use-",
        "--tls-m",
        "--experimental-vm",
        "--experimental-wasm",
        "--experimental-fetch",
        "--experimental-strip-types",
        "--experimental-transform-types",
        "--experimental-modules",
        "--experimental-json-modules",
        "--experimental-sqlite",
        "--experimental-websocket",
        "--experimental-require-module",
        "--experimental-import-meta-resolve",
        "--stack-size",
        "--secure-heap",
        "--v8-pool-size",
        "--heapsnapshot",
        "--cpu-prof",
        "--heap-prof",
        "--report-",
        "--harmony",
        "--allow-",
        "--enable-network-family",
        "--enable-fips",
        "--optimize",
    ],
};

const PYTHON: Language = Language {
    grammar: Grammar {
        values: &[
            ("c", "command"),
            ("m", "module"),
            ("W", "warnings"),
            ("X", "x"),
            ("", "check-hash-based-pycs"),
        ],
        flags: &[
            ("b", "b"),
            ("B", "B"),
            ("d", "d"),
            ("E", "E"),
            ("i", "i"),
            ("I", "I"),
            ("O", "O"),
            ("P", "P"),
            ("q", "q"),
            ("s", "s"),
            ("S", "S"),
            ("u", "u"),
            ("v", "v"),
            ("x", "skip-first-line"),
        ],
    },
    harmless: &[
        "command",
        "module",
        "warnings",
        "x",
        "check-hash-based-pycs",
        "b",
        "B",
        "d",
        "E",
        "I",
        "O",
        "P",
        "q",
        "s",
        "S",
        "u",
        "v",
        "skip-first-line",
    ],
    inline: &["command"],
    module: Some("module"),
    families: &[],
};

const TSX: Language = Language {
    grammar: Grammar {
        values: &[
            ("", "tsconfig"),
            ("P", "project"),
            ("", "env-file"),
            ("r", "require"),
            ("", "import"),
            ("e", "eval"),
            ("p", "print"),
            ("O", "compiler-options"),
        ],
        flags: &[
            ("", "no-cache"),
            ("T", "transpile-only"),
            ("", "transpileOnly"),
            ("", "esm"),
            ("", "no-warnings"),
        ],
    },
    harmless: &["no-cache", "transpile-only", "transpileOnly", "esm", "no-warnings", "eval", "print"],
    inline: &["eval", "print"],
    module: None,
    families: &[],
};

const SCRIPTED: Language = Language {
    grammar: Grammar { values: &[("e", "eval")], flags: &[("w", "w"), ("", "vanilla")] },
    harmless: &["eval", "w", "vanilla"],
    inline: &["eval"],
    module: None,
    families: &[],
};

const SHELL: Language = Language {
    grammar: Grammar {
        values: &[("c", "command")],
        flags: &[
            ("e", "e"),
            ("u", "u"),
            ("x", "x"),
            ("l", "login"),
            ("i", "i"),
            ("", "noprofile"),
            ("", "norc"),
            ("", "posix"),
        ],
    },
    harmless: &["command", "e", "u", "x", "login", "i", "noprofile", "norc", "posix"],
    inline: &["command"],
    module: None,
    families: &[],
};

impl Language {
    fn read(&self, name: &str, arguments: &[OsString]) -> Interpreted {
        // A module or a text ends the options: what follows belongs to it.
        let read = self.until_code(arguments);
        let mut remainder = super::remains(name, &read, self.harmless);
        let pycs = |value: &str| value.starts_with("pycache_prefix");
        if self.module.is_some() && read.all("x").any(|value| pycs(&value.to_string_lossy())) {
            remainder.push(super::option_remains(name, "-X pycache_prefix"));
        }
        let module = self.module.and_then(|option| read.last(option));
        let code = match (module, read.rest.first()) {
            _ if self.inline.iter().any(|option| read.has(option)) => Code::Words,
            (Some(module), _) => Code::Module(module),
            (None, Some(file)) if file != "-" => Code::File(file.clone()),
            (None, _) => Code::Words,
        };
        Interpreted { code, remainder }
    }

    fn until_code(&self, arguments: &[OsString]) -> Read {
        let mut read = Read::default();
        let mut rest = arguments;
        while let Some(word) = rest.first() {
            let text = word.to_string_lossy();
            let in_family =
                self.families.iter().any(|family| text.starts_with(family)) && !self.is_named(&text);
            let used = match read.step(rest, self.grammar) {
                Step::Word => break,
                Step::End => {
                    rest = rest.get(1..).unwrap_or(&[]);
                    break;
                }
                Step::Option(used) => used,
            };
            if in_family {
                read.unknown.pop();
            }
            rest = rest.get(used..).unwrap_or(&[]);
            let last = read.options.last().map(|(name, _)| *name);
            if last.is_some_and(|name| self.inline.contains(&name) || self.module == Some(name)) {
                break;
            }
        }
        read.rest = rest.to_vec();
        read
    }

    fn is_named(&self, text: &str) -> bool {
        let name = text.trim_start_matches('-').split('=').next().unwrap_or("");
        self.grammar.values.iter().chain(self.grammar.flags).any(|known| known.1 == name)
    }
}

/// `py -3.12 …`
fn without_version(arguments: &[OsString]) -> &[OsString] {
    let is_version = |word: &OsString| {
        let text = word.to_string_lossy();
        text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    match arguments.split_first() {
        Some((first, rest)) if is_version(first) => rest,
        _ => arguments,
    }
}

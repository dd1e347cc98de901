//! Programs that only start the next one: `env`, `sh -c`, `cmd /c`, `nohup`. They are peeled off where what they do is
//! known to the last word, and left alone where it is not.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::words;

/// One layer less.
#[derive(Debug)]
pub(super) enum Peeled {
    /// There is no wrapper.
    Nothing,
    /// There was one.
    Layer {
        /// As people know it: `env`, `sh -c`.
        name: String,
        /// Variables that it sets.
        set: Vec<(String, OsString)>,
        /// What it starts.
        words: Vec<OsString>,
    },
    /// A shell with more than one plain command.
    Script {
        /// The shell, `sh -c`.
        name: String,
        /// The script.
        text: String,
    },
    /// A wrapper that is left in place, and why.
    Kept(String),
}

/// Takes the outermost wrapper off. `name` is the first word's base name.
pub(super) fn peel(name: &str, words: &[OsString]) -> Peeled {
    let Some((first, rest)) = words.split_first() else { return Peeled::Nothing };
    let known = ["env", "nohup", "cmd", "powershell", "pwsh"].contains(&name) || is_shell(name);
    if known && !super::is_the_systems(first) {
        return Peeled::Kept(format!("`{}` is not the system's `{name}`", first.to_string_lossy()));
    }
    match name {
        "env" => env(rest),
        "nohup" if rest.first().is_some_and(|word| !word.as_bytes().starts_with(b"-")) => {
            Peeled::Layer { name: name.to_owned(), set: Vec::new(), words: rest.to_vec() }
        }
        "cmd" => cmd(rest),
        "powershell" | "pwsh" => powershell(name, rest),
        name if is_shell(name) => shell(name, rest),
        _ => Peeled::Nothing,
    }
}

pub(super) fn is_shell(name: &str) -> bool {
    ["sh", "bash", "dash", "zsh", "ash", "ksh", "fish"].contains(&name)
}

/// GNU env 9: options, `NAME=VALUE`, the command. `-S` is split as a shell would, without anything special in it.
fn env(words: &[OsString]) -> Peeled {
    let mut set = Vec::new();
    let mut words = words.to_vec();
    let mut options = true;
    loop {
        let Some(word) = words.first().cloned() else {
            return Peeled::Kept("`env` without a command prints its variables".to_owned());
        };
        let text = word.to_string_lossy().into_owned();
        let value = |long: &str| text.strip_prefix(long).map(str::to_owned);
        if options && word.as_bytes().starts_with(b"-") {
            match text.as_str() {
                "--" => {
                    options = false;
                    words.remove(0);
                }
                // The server's environment is built from nothing: there is nothing to take away.
                "-" | "-i" | "--ignore-environment" | "-v" | "--debug" => {
                    words.remove(0);
                }
                "-u" | "--unset" if words.len() > 1 => {
                    words.drain(..2);
                }
                _ if text.starts_with("--unset=") || text.starts_with("-u") && text.len() > 2 => {
                    words.remove(0);
                }
                _ => {
                    let (script, taken) = match value("--split-string=").or_else(|| value("-S")) {
                        Some(script) if !script.is_empty() => (Some(script), 1),
                        _ if text == "-S" || text == "--split-string" => {
                            (words.get(1).and_then(|word| word.to_str()).map(str::to_owned), 2)
                        }
                        _ => (None, 0),
                    };
                    // Its escapes and `${VAR}` are its own.
                    let plain = script.filter(|script| !script.contains('\\'));
                    let Some(split) = plain.and_then(|script| words::plain_words(&script)) else {
                        return Peeled::Kept(super::option_remains("env", &text));
                    };
                    words.splice(..taken, split.into_iter().map(OsString::from));
                }
            }
            continue;
        }
        // Unlike a shell's, a name may be anything.
        let Some(at) = word.as_bytes().iter().position(|&byte| byte == b'=') else {
            return Peeled::Layer { name: "env".to_owned(), set, words };
        };
        options = false;
        let Some(name) = word.as_bytes().get(..at).and_then(|name| std::str::from_utf8(name).ok()) else {
            return Peeled::Kept("`env` sets a variable whose name is no text".to_owned());
        };
        let value = word.as_bytes().get(at + 1..).unwrap_or_default();
        set.push((name.to_owned(), OsString::from_vec(value.to_vec())));
        words.remove(0);
    }
}

/// `sh -c SCRIPT`, `bash -lc SCRIPT`. Without `-c` the shell runs a file, and is an interpreter like others.
fn shell(name: &str, words: &[OsString]) -> Peeled {
    // What changes how words are read is not among these.
    const LETTERS: &str = "celiux";
    const LONG: &[&str] = &["--login", "--noprofile", "--norc", "--posix"];
    let mut typed = vec![name.to_owned()];
    for (at, word) in words.iter().enumerate() {
        let Some(text) = word.to_str() else { return Peeled::Nothing };
        let letters =
            text.strip_prefix('-').filter(|letters| !letters.is_empty() && !letters.starts_with('-'));
        match letters {
            None if LONG.contains(&text) => typed.push(text.to_owned()),
            Some(letters) if letters.contains('c') => {
                typed.push(text.to_owned());
                let script = words.get(at + 1).and_then(|script| script.to_str());
                return match script {
                    Some(script) if letters.chars().all(|c| LETTERS.contains(c)) => {
                        script_of(name, typed.join(" "), script)
                    }
                    _ => Peeled::Kept(super::option_remains(name, text)),
                };
            }
            Some(letters) if letters.chars().all(|c| LETTERS.contains(c)) => typed.push(text.to_owned()),
            _ if text.starts_with(['-', '+']) && text.len() > 1 => {
                return Peeled::Kept(super::option_remains(name, text));
            }
            _ => return Peeled::Nothing,
        }
    }
    Peeled::Nothing
}

fn script_of(shell: &str, name: String, script: &str) -> Peeled {
    // fish has quotes and escapes of its own.
    let own_words = shell == "fish" && script.contains(['\\', '\'', '"', '^', '%']);
    match words::plain_command(script).filter(|_| !own_words) {
        Some(plain) => Peeled::Layer {
            name,
            set: plain.set.into_iter().map(|(name, value)| (name, OsString::from(value))).collect(),
            words: plain.words.into_iter().map(OsString::from).collect(),
        },
        None => Peeled::Script { name, text: script.to_owned() },
    }
}

/// `cmd /c npx -y x` and `cmd /c "npx -y x"`: words as they come, or one text that is parted at spaces.
fn cmd(words: &[OsString]) -> Peeled {
    let is_switch = |word: &&OsString, letters: &[&str]| {
        letters.iter().any(|letter| word.as_os_str().eq_ignore_ascii_case(letter))
    };
    let quiet =
        words.iter().take_while(|word| is_switch(word, &["/d", "/s", "/q", "/v:off", "/e:on"])).count();
    let name = "cmd /c".to_owned();
    let Some(behind) =
        words.get(quiet).filter(|word| is_switch(word, &["/c"])).and_then(|_| words.get(quiet + 1..))
    else {
        return Peeled::Kept("`cmd` without `/c`".to_owned());
    };
    let special = |word: &OsString| word.as_bytes().iter().any(|byte| b"&|<>^%()!".contains(byte));
    let line = || behind.join(OsStr::new(" ")).to_string_lossy().into_owned();
    if behind.is_empty() {
        return Peeled::Kept("`cmd /c` without a command".to_owned());
    }
    if behind.iter().any(special) {
        return Peeled::Script { name, text: line() };
    }
    let inner: Option<Vec<OsString>> = match behind {
        [only] => only.to_str().and_then(between_quotes),
        words => Some(words.to_vec()),
    };
    match inner.filter(|words| !words.is_empty()) {
        Some(words) => Peeled::Layer { name, set: Vec::new(), words },
        None => Peeled::Script { name, text: line() },
    }
}

/// Words between spaces; double quotes hold them together.
fn between_quotes(text: &str) -> Option<Vec<OsString>> {
    let mut words: Vec<String> = Vec::new();
    let (mut inside, mut open) = (false, false);
    for c in text.chars() {
        match c {
            '"' => {
                if !inside && !open {
                    words.push(String::new());
                    inside = true;
                }
                open = !open;
            }
            ' ' | '\t' if !open => inside = false,
            c => {
                if !inside {
                    words.push(String::new());
                    inside = true;
                }
                words.last_mut()?.push(c);
            }
        }
    }
    (!open).then(|| words.into_iter().map(OsString::from).collect())
}

/// Its language is not read at all.
fn powershell(name: &str, words: &[OsString]) -> Peeled {
    let at = words.iter().position(|word| {
        let word = word.to_string_lossy().to_ascii_lowercase();
        word == "-c" || word == "-command"
    });
    match at.and_then(|at| words.get(at + 1..)).filter(|rest| !rest.is_empty()) {
        Some(rest) => Peeled::Script {
            name: format!("{name} -Command"),
            text: rest.join(OsStr::new(" ")).to_string_lossy().into_owned(),
        },
        None => Peeled::Nothing,
    }
}

//! AI clients as processes: what shows that a command was typed by an agent, or in a terminal that an agent can type into.
//!
//! Names can be changed by whoever starts a process; this keeps honest clients from deciding for their user, and says so to the
//! user. What a program of the same user that wants to can still do is named in the threat model.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::host::Process;

/// What a process of our own is called.
pub(super) const OURSELVES: &str = "a session of Stockade";

/// Names of programs, with the client that they are.
const PROGRAMS: &[(&str, &str)] = &[
    ("claude", "Claude Code"),
    ("claude-desktop", "Claude Desktop"),
    ("cursor", "Cursor"),
    ("cursor-agent", "Cursor"),
    ("windsurf", "Windsurf"),
    ("code", "Visual Studio Code"),
    ("code-insiders", "Visual Studio Code"),
    ("codium", "VSCodium"),
    ("vscodium", "VSCodium"),
    ("zed", "Zed"),
    ("zed-editor", "Zed"),
    ("codex", "Codex"),
    ("gemini", "Gemini CLI"),
    ("qwen", "Qwen Code"),
    ("opencode", "opencode"),
    ("goose", "Goose"),
    ("goosed", "Goose"),
    ("aider", "Aider"),
    ("amp", "Amp"),
    ("crush", "Crush"),
    ("kiro", "Kiro"),
    ("copilot", "Copilot CLI"),
    // What a server runs below us is no person either.
    ("stockade", OURSELVES),
];

/// Directories of packages whose programs are run by an interpreter.
const PACKAGES: &[(&str, &str)] = &[
    ("@anthropic-ai/claude-code", "Claude Code"),
    ("@openai/codex", "Codex"),
    ("@google/gemini-cli", "Gemini CLI"),
    ("@github/copilot", "Copilot CLI"),
    ("@sourcegraph/amp", "Amp"),
    ("@qwen-code/qwen-code", "Qwen Code"),
];

/// Variables that clients set for what they run; a value, if only that one says it.
const VARIABLES: &[(&str, Option<&str>, &str)] = &[
    ("CLAUDECODE", None, "Claude Code"),
    ("CURSOR_AGENT", None, "Cursor"),
    ("GEMINI_CLI", None, "Gemini CLI"),
    ("CODEX_SANDBOX", None, "Codex"),
    ("TERM_PROGRAM", Some("vscode"), "an editor's terminal"),
];

/// The client whose package is called so.
pub(super) fn of_package(name: &str) -> Option<&'static str> {
    PACKAGES.iter().find(|(known, _)| *known == name).map(|(_, client)| *client)
}

/// Names of the clients whose programs are known.
pub(super) fn programs() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().map(|(_, client)| *client).filter(|client| *client != OURSELVES)
}

/// The client whose mark stands in an environment; an editor's terminal is none.
pub(super) fn of_variables(env: &BTreeMap<OsString, OsString>) -> Option<&'static str> {
    marks(env).find(|(_, value, _)| value.is_none()).map(|(_, _, client)| *client)
}

/// Names of the variables in it that clients set for what they run.
pub(crate) fn marks_in(env: &BTreeMap<OsString, OsString>) -> Vec<String> {
    marks(env).map(|(name, _, _)| (*name).to_owned()).collect()
}

fn marks(
    env: &BTreeMap<OsString, OsString>,
) -> impl Iterator<Item = &'static (&'static str, Option<&'static str>, &'static str)> {
    VARIABLES.iter().filter(|(name, value, _)| {
        let found = env.get(OsString::from(*name).as_os_str()).filter(|found| !found.is_empty());
        found.is_some_and(|found| value.is_none_or(|value| found == value))
    })
}

/// The client that a process is.
pub(super) fn of_process(process: &Process) -> Option<&'static str> {
    let program = |name: &str| {
        let name = name.to_ascii_lowercase();
        let stem = name.split_once(".appimage").map_or(name.as_str(), |(stem, _)| stem);
        PROGRAMS.iter().find(|(known, _)| *known == stem).map(|(_, client)| *client)
    };
    let file_name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let script = |path: &str| {
        let name = file_name(path);
        let stem = [".js", ".mjs", ".cjs", ".py"].iter().find_map(|ending| name.strip_suffix(ending));
        program(stem.unwrap_or(&name))
    };
    let package = |path: &str| PACKAGES.iter().find(|(dir, _)| path.contains(dir)).map(|(_, client)| *client);
    // The program's own word of itself, the file that runs, and the script that an interpreter runs.
    program(&process.name)
        .or_else(|| process.program.as_deref().and_then(|path| program(&file_name(path))))
        .or_else(|| process.words.first().and_then(|word| program(&file_name(word))))
        .or_else(|| process.words.iter().take(3).find_map(|word| package(word)))
        .or_else(|| process.words.get(1).filter(|_| is_interpreter(process)).and_then(|word| script(word)))
}

/// Whether its second word names what it runs.
fn is_interpreter(process: &Process) -> bool {
    let program = process.program.as_deref().unwrap_or(&process.name);
    let name = program.rsplit('/').next().unwrap_or(program);
    ["node", "python", "bun", "deno"].iter().any(|known| name.starts_with(known))
}

/// What shows that an AI client stands above us: the client, and the evidence.
pub(crate) fn client_above(
    above: &[Process],
    env: &BTreeMap<OsString, OsString>,
) -> Option<(String, String)> {
    let by_process = above.iter().find_map(|process| {
        let client = of_process(process)?;
        Some((client.to_owned(), format!("process {} above this one is `{}`", process.pid, process.name)))
    });
    by_process.or_else(|| {
        let (name, _, client) = marks(env).next()?;
        Some(((*client).to_owned(), format!("the variable {name} says so")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, program: &str, words: &[&str]) -> Process {
        Process {
            pid: 7,
            name: name.to_owned(),
            program: Some(program.to_owned()),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    fn found(process: Process) -> Option<String> {
        client_above(&[process], &BTreeMap::new()).map(|(client, _)| client)
    }

    #[test]
    fn a_client_is_known_by_its_name_its_file_or_its_script() {
        for (client, one) in [
            ("Claude Code", process("claude", "/usr/bin/node", &["claude"])),
            ("Cursor", process("cursor", "/opt/cursor/cursor", &["/opt/cursor/cursor", "--type=renderer"])),
            ("Cursor", process("x", "/home/u/Cursor.AppImage", &["x"])),
            ("Visual Studio Code", process("code", "/usr/share/code/code", &["code"])),
            (
                "Codex",
                process("node", "/usr/bin/node", &["node", "/usr/lib/node_modules/@openai/codex/bin/run.js"]),
            ),
            ("Gemini CLI", process("MainThread", "/usr/bin/node", &["node", "/usr/bin/gemini"])),
            (
                "Aider",
                process("python3", "/usr/bin/python3", &["/usr/bin/python3", "/home/u/.local/bin/aider"]),
            ),
            ("a session of Stockade", process("stockade", "/usr/bin/stockade", &["stockade", "run"])),
        ] {
            assert_eq!(found(one).as_deref(), Some(client));
        }
    }

    #[test]
    fn what_a_person_works_with_is_no_client() {
        for one in [
            process("bash", "/usr/bin/bash", &["bash"]),
            process("gnome-terminal-", "/usr/libexec/gnome-terminal-server", &["gnome-terminal-server"]),
            process("sshd", "/usr/sbin/sshd", &["sshd: ada@pts/1"]),
            process("tmux: server", "/usr/bin/tmux", &["tmux"]),
            process("node", "/usr/bin/node", &["node", "server.js"]),
            process("vim", "/usr/bin/vim", &["vim", "/home/u/claude"]),
            process("cat", "/usr/bin/cat", &["cat", "-", "code"]),
        ] {
            let name = one.name.clone();
            assert_eq!(found(one), None, "{name}");
        }
    }

    #[test]
    fn a_variable_tells_where_the_chain_was_cut() {
        let env = |name: &str, value: &str| BTreeMap::from([(OsString::from(name), OsString::from(value))]);
        let client = |env: &BTreeMap<_, _>| client_above(&[], env).map(|(client, _)| client);
        assert_eq!(client(&env("CLAUDECODE", "1")).as_deref(), Some("Claude Code"));
        assert_eq!(client(&env("TERM_PROGRAM", "vscode")).as_deref(), Some("an editor's terminal"));
        assert_eq!(client(&env("TERM_PROGRAM", "Apple_Terminal")), None);
        assert_eq!(client(&env("CLAUDECODE", "")), None);
    }
}

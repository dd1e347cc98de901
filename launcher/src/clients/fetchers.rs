//! Commands that cannot start their server from within a jail: what they fetch is no package of a registry, which
//! `stockade run` would fetch and pin for them, or they carry messages over the network. They are not wrapped unasked.

use std::ffi::OsString;

use crate::identity::invocation::{self, Runs};

/// Such a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetcher {
    /// As it is typed: `npx`, `pnpm dlx`.
    pub name: String,
    /// How the server can do without.
    pub remedy: &'static str,
}

const NPM: &str = "install the package (`npm install --global PACKAGE`) and name its program as `command`";
const PYTHON: &str = "install the package (`uv tool install PACKAGE` or `pipx install PACKAGE`) and name its program as `command`";
const PROJECT: &str = "run `uv sync` once and name the project's `.venv/bin/python` as `command`";
const CONTAINER: &str = "run the server's program itself, without a container";
const BRIDGE: &str = "leave it bare: what it connects to is not on this machine";
const DENO: &str = "keep the script and its imports on disk and name the file";

/// Program, the words of which one must follow (none: any), and the remedy.
const TABLE: [(&str, &[&str], &str); 18] = [
    ("npx", &[], NPM),
    ("bunx", &[], NPM),
    ("pnpx", &[], NPM),
    ("pnpm", &["dlx", "exec"], NPM),
    ("yarn", &["dlx"], NPM),
    ("npm", &["exec", "x", "init"], NPM),
    ("bun", &["x"], NPM),
    ("uvx", &[], PYTHON),
    ("pipx", &["run"], PYTHON),
    ("uv", &["tool", "x"], PYTHON),
    ("uv", &["run"], PROJECT),
    ("docker", &[], CONTAINER),
    ("podman", &[], CONTAINER),
    ("nerdctl", &[], CONTAINER),
    ("mcp-remote", &[], BRIDGE),
    ("mcp-proxy", &[], BRIDGE),
    ("supergateway", &[], BRIDGE),
    ("deno", &["run"], DENO),
];
/// Shells around shells are seen through this often.
const LAYERS_MAX: usize = 4;

/// Does this command line fetch its server in a way that `run` does not do for it?
pub(crate) fn fetcher(words: &[&str]) -> Option<Fetcher> {
    if is_of_a_registry(words) {
        return None;
    }
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    for _ in 0..LAYERS_MAX {
        match inside(&words) {
            Some(inner) => words = inner,
            None => break,
        }
    }
    let program = base_name(words.first()?);
    let verb = words.iter().skip(1).find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let fetches = |(name, verbs, _): &&(&str, &[&str], &str)| {
        *name == program && (verbs.is_empty() || verbs.contains(&verb))
    };
    let (name, verbs, remedy) = TABLE.iter().find(fetches)?;
    if *name == "deno" && !words.iter().any(|word| is_from_elsewhere(word)) {
        return None;
    }
    let name = if verbs.is_empty() { (*name).to_owned() } else { format!("{name} {verb}") };
    Some(Fetcher { name, remedy })
}

/// Packages that `run` fetches into its store and pins, by command lines that leave nothing open.
fn is_of_a_registry(words: &[&str]) -> bool {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    let invocation = invocation::parse(&words);
    match invocation.runs {
        Runs::Package(run) => {
            invocation.remainder.is_empty() && run.specs.iter().all(|spec| spec.name.is_some())
        }
        _ => false,
    }
}

/// The command line inside of `env …`, `sh -c …`, `cmd /c …`.
fn inside(words: &[String]) -> Option<Vec<String>> {
    let rest = words.get(1..)?;
    match base_name(words.first()?).as_str() {
        "env" => {
            let start = rest.iter().position(|word| !word.starts_with('-') && !word.contains('='))?;
            Some(rest[start..].to_vec())
        }
        "sh" | "bash" | "zsh" | "dash" | "fish" => {
            let flag = rest.iter().position(|word| word.starts_with('-') && word.ends_with('c'))?;
            let script = rest.get(flag + 1)?.split_whitespace().map(str::to_owned);
            let script: Vec<String> =
                script.skip_while(|word| word == "exec" || word.contains('=')).collect();
            (!script.is_empty()).then_some(script)
        }
        "cmd" => {
            let flag = rest.iter().position(|word| word.eq_ignore_ascii_case("/c"))?;
            let inner: Vec<String> =
                rest[flag + 1..].iter().flat_map(|word| word.split_whitespace()).map(str::to_owned).collect();
            (!inner.is_empty()).then_some(inner)
        }
        _ => None,
    }
}

fn base_name(program: &str) -> String {
    let file = program.rsplit(['/', '\\']).next().unwrap_or(program).to_ascii_lowercase();
    let stem = [".exe", ".cmd", ".bat", ".ps1"].iter().find_map(|suffix| file.strip_suffix(suffix));
    stem.map_or(file.clone(), str::to_owned)
}

fn is_from_elsewhere(word: &str) -> bool {
    ["npm:", "jsr:", "http://", "https://"].iter().any(|scheme| word.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(line: &[&str]) -> Option<String> {
        fetcher(line).map(|fetcher| fetcher.name)
    }

    #[test]
    fn commands_that_fetch_what_is_no_package_are_known() {
        for (line, expected) in [
            (&["npx", "-y", "github:a/b"][..], "npx"),
            (&["/usr/local/bin/npx", "./local"], "npx"),
            (&["npx", "-c", "echo $HOME && x"], "npx"),
            (&["uvx", "git+https://git.example/x"], "uvx"),
            (&["docker", "run", "-i", "--rm", "mcp/x"], "docker"),
            (&["cmd", "/c", "npx", "github:a/b"], "npx"),
            (&["bash", "-lc", "exec npx -y github:a/b"], "npx"),
            (&["deno", "run", "-A", "npm:@x/y"], "deno run"),
            (&["mcp-remote", "https://x.example/mcp"], "mcp-remote"),
        ] {
            assert_eq!(name(line).as_deref(), Some(expected), "{line:?}");
        }
    }

    #[test]
    fn packages_of_a_registry_are_none_of_them() {
        for line in [
            &["npx", "-y", "x"][..],
            &["npx", "-y", "@scope/server@latest", "--flag"],
            &["uvx", "mcp-server-time"],
            &["cmd", "/c", "npx", "x"],
            &["sh", "-c", "npx -y x"],
            &["pnpm", "dlx", "x"],
            &["bunx", "x"],
        ] {
            assert_eq!(name(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_local_program_is_none_of_them() {
        for line in [
            &["node", "/opt/npx/index.js"][..],
            &["mcp-server-git", "--repository", "npx"],
            &["npm", "start"],
            &["uv", "--version"],
            &["deno", "run", "server.ts"],
            &["bash", "server.sh"],
            &["bash", "-c", ""],
            &["env"],
            &["python3", "-m", "docker"],
        ] {
            assert_eq!(name(line), None, "{line:?}");
        }
    }
}

//! Who started us: every piece of evidence is a claim, and two that name different clients are put on record.
//!
//! Nothing is refused for it: names can be changed by whoever starts a process, and a copied config makes honest contradictions.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::Serialize;

use crate::clients::{processes, registry};
use crate::host::Process;

/// What clients call themselves in `clientInfo`, as far as it was seen: the beginning, in small letters.
const SAYS: &[(&str, &str)] = &[
    ("claude-code", "Claude Code"),
    ("claude-ai", "Claude Desktop"),
    ("codex", "Codex"),
    ("cursor", "Cursor"),
    ("gemini-cli", "Gemini CLI"),
    ("opencode", "opencode"),
    ("visual studio code", "Visual Studio Code"),
    ("windsurf", "Windsurf"),
    ("zed", "Zed"),
];

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Claim {
    /// `id` (in our own arguments), `process`, `variable`, `clientInfo`
    pub source: &'static str,
    /// Whom it names: a client, or the program that started us.
    pub client: String,
}

/// `client.contradiction`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Contradiction {
    /// The two claims, the better one first.
    pub claims: [Claim; 2],
}

/// What the processes above us, or failing those our variables, say against the client of our id.
pub(crate) fn against_start(
    id: Option<&str>,
    above: &[Process],
    env: &BTreeMap<OsString, OsString>,
) -> Option<Contradiction> {
    let (claim, program) = of_id(id?)?;
    let is_other = |name: &str| (!same(name, program)).then(|| name.to_owned());
    let (source, client) = if let Some(name) = above.iter().find_map(processes::of_process) {
        // Below a session of ours it is that session's business.
        ("process", is_other(name).filter(|_| name != processes::OURSELVES)?)
    } else if let Some(name) = processes::of_variables(env) {
        ("variable", is_other(name)?)
    } else {
        // A chain that was cut off says nothing.
        above.last().filter(|top| top.pid <= 1)?;
        ("process", above.first()?.name.clone())
    };
    Some(Contradiction { claims: [claim, Claim { source, client }] })
}

/// What the client says of itself against the client of our id.
pub(crate) fn against_info(id: Option<&str>, says: &str) -> Option<Contradiction> {
    let (claim, program) = of_id(id?)?;
    let says = says.to_lowercase();
    let (_, client) = SAYS.iter().find(|(start, _)| says.starts_with(start))?;
    let other = Claim { source: "clientInfo", client: (*client).to_owned() };
    (!same(client, program)).then_some(Contradiction { claims: [claim, other] })
}

/// The client of an id, if its program is known: one that lives within another program is started by that.
fn of_id(id: &str) -> Option<(Claim, &'static str)> {
    let name = registry::named(id)?.name;
    let program = processes::programs().find(|program| same(program, name))?;
    Some((Claim { source: "id", client: name.to_owned() }, program))
}

/// `Copilot CLI` is `GitHub Copilot CLI`.
fn same(a: &str, b: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let (a, b) = (plain(a), plain(b));
    a.contains(&b) || b.contains(&a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(names: &[&str]) -> Vec<Process> {
        let all = names.iter().enumerate();
        let process = |(at, name): (usize, &&str)| Process {
            pid: u32::try_from(names.len() - at).unwrap(),
            name: (*name).to_owned(),
            program: None,
            words: Vec::new(),
        };
        all.map(process).collect()
    }

    fn told(id: &str, names: &[&str], env: &[(&str, &str)]) -> Option<(&'static str, String)> {
        let env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let found = against_start(Some(id), &chain(names), &env)?;
        let [_, other] = found.claims;
        Some((other.source, other.client))
    }

    #[test]
    fn the_process_above_decides_then_the_variables_then_who_is_there() {
        assert_eq!(told("cursor", &["sh", "cursor", "systemd"], &[]), None);
        assert_eq!(
            told("cursor", &["claude", "bash", "init"], &[]),
            Some(("process", "Claude Code".to_owned()))
        );
        assert_eq!(told("cursor", &["bash", "sshd", "init"], &[]), Some(("process", "bash".to_owned())));
        let mark = [("CLAUDECODE", "1")];
        assert_eq!(told("cursor", &["bash", "init"], &mark), Some(("variable", "Claude Code".to_owned())));
        assert_eq!(told("claude-code", &["bash", "init"], &mark), None);
        // An agent that another one started has that one's marks.
        assert_eq!(told("cursor", &["cursor", "claude", "init"], &mark), None);
        assert_eq!(told("copilot-cli", &["copilot", "init"], &[]), None);
    }

    #[test]
    fn what_cannot_be_known_contradicts_nothing() {
        // It lives in an editor, whatever that is called.
        assert_eq!(told("cline", &["code", "init"], &[]), None);
        assert_eq!(told("no-such-client", &["bash", "init"], &[]), None);
        assert_eq!(told("cursor", &["stockade", "bash", "init"], &[]), None);
        assert_eq!(against_start(None, &chain(&["bash", "init"]), &BTreeMap::new()), None);
        let cut = vec![Process { pid: 70, name: "bash".to_owned(), program: None, words: Vec::new() }];
        assert_eq!(against_start(Some("cursor"), &cut, &BTreeMap::new()), None);
    }

    #[test]
    fn a_client_may_say_another_name_than_its_id() {
        let told =
            |id: &str, says: &str| against_info(Some(id), says).map(|found| found.claims[1].client.clone());
        assert_eq!(told("cursor", "cursor-vscode 1.0"), None);
        assert_eq!(told("cursor", "claude-code 2.1.197").as_deref(), Some("Claude Code"));
        assert_eq!(told("qwen-code", "mcp-test-client 0.0.1"), None, "nobody's name");
    }
}

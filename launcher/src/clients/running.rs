//! Servers that a client started before their entries were wrapped: they stay bare until it starts them anew.

use crate::clients::processes;
use crate::host::{self, Process};

/// A server that runs without Stockade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bare {
    /// The server's process.
    pub pid: u32,
    /// The client above it.
    pub client: String,
    /// The client's process.
    pub client_pid: u32,
}

/// A process, and those above it, nearest first.
#[derive(Clone, Debug)]
pub(crate) struct Lineage {
    /// The process.
    pub process: Process,
    /// Those above.
    pub above: Vec<Process>,
}

/// Every process of this user with those above it.
pub(crate) fn everything() -> Vec<Lineage> {
    host::lineages().into_iter().map(|(process, above)| Lineage { process, above }).collect()
}

/// The topmost processes below a client that run this command line, with no session of Stockade between the two.
pub(crate) fn bare(words: &[String], all: &[Lineage]) -> Vec<Bare> {
    let found = all.iter().filter(|one| runs(&one.process, words));
    // `npx` keeps a shell and the program itself below it: one server, the topmost of them.
    found
        .filter(|one| !one.above.iter().any(|above| runs(above, words)))
        .filter_map(|one| {
            let at = one.above.iter().position(|above| processes::of_process(above).is_some())?;
            let client = one.above.get(at)?;
            let name = processes::of_process(client)?;
            (name != processes::OURSELVES).then(|| Bare {
                pid: one.process.pid,
                client: name.to_owned(),
                client_pid: client.pid,
            })
        })
        .collect()
}

/// Whether the process runs this command line: itself, by an interpreter, or as package runners call themselves (`npm exec PACKAGE`).
fn runs(process: &Process, words: &[String]) -> bool {
    let Some((program, args)) = words.split_first() else { return false };
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    if let Some(at) = process.words.len().checked_sub(words.len())
        && at <= 1
        && process.words[at + 1..] == *args
    {
        return base(&process.words[at]) == base(program);
    }
    let own: Vec<&str> = process.words.iter().flat_map(|word| word.split_whitespace()).collect();
    let wanted: Vec<&str> =
        args.iter().map(String::as_str).filter(|word| !matches!(*word, "-y" | "--yes")).collect();
    base(program) == "npx" && own.starts_with(&["npm", "exec"]) && !wanted.is_empty() && own[2..] == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, words: &[&str]) -> Process {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let name = words[0].rsplit('/').next().unwrap().to_owned();
        Process { pid, name, program: Some(words[0].clone()), words }
    }

    fn lineage(chain: &[Process]) -> Lineage {
        Lineage { process: chain[0].clone(), above: chain[1..].to_vec() }
    }

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_server_is_known_below_its_client_however_it_was_started() {
        let cursor = process(10, &["/opt/cursor/cursor"]);
        for (line, started) in [
            ("node /s.js --a", vec!["/usr/bin/node", "/s.js", "--a"]),
            (
                "mcp-server-git --repository /r",
                vec!["/usr/bin/python3", "/h/.local/bin/mcp-server-git", "--repository", "/r"],
            ),
            ("npx -y @x/server /tmp", vec!["npm exec @x/server /tmp"]),
        ] {
            let found = bare(
                &words(line),
                &[lineage(&[process(20, &started), process(15, &["sh"]), cursor.clone()])],
            );
            assert_eq!(found, [Bare { pid: 20, client: "Cursor".to_owned(), client_pid: 10 }], "{line}");
        }
    }

    #[test]
    fn what_is_contained_elsewhere_or_another_command_is_not_counted() {
        let cursor = process(10, &["/opt/cursor/cursor"]);
        let ours = process(15, &["/usr/bin/stockade", "run", "--", "node", "/s.js"]);
        let server = process(20, &["/usr/bin/node", "/s.js"]);
        let line = words("node /s.js");
        assert_eq!(bare(&line, &[lineage(&[server.clone(), ours, cursor.clone()])]), []);
        assert_eq!(bare(&line, &[lineage(&[server.clone(), process(1, &["/sbin/init"])])]), []);
        assert_eq!(bare(&line, &[lineage(&[process(20, &["/usr/bin/node", "/t.js"]), cursor.clone()])]), []);
        let twice = [
            lineage(&[process(21, &["/usr/bin/node", "/s.js"]), server.clone(), cursor.clone()]),
            lineage(&[server, cursor]),
        ];
        assert_eq!(bare(&line, &twice).len(), 1, "a process and the one that it started are one server");
    }
}

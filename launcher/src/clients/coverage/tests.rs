use std::collections::BTreeMap;
use std::ffi::OsString;

use super::*;
use crate::clients::registry::Os;

struct Home(tempfile::TempDir, BTreeMap<OsString, OsString>);

impl Home {
    fn new(files: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(home, BTreeMap::new())
    }

    /// Name and standing of all servers, and the problems of files.
    fn told(&self) -> Vec<(String, Standing)> {
        let journal = Journal::peek(&self.0.path().join("state"));
        let project = self.0.path().join("project");
        let world = World { os: Os::Linux, home: self.0.path(), env: &self.1, project: Some(&project) };
        let ledgers = ledgers(world, &journal).into_iter();
        let told = ledgers.flat_map(|ledger| {
            let problem = ledger.problem.map(|why| ("?".to_owned(), Standing::NotCovered(why)));
            problem.into_iter().chain(ledger.servers.into_iter().map(|server| (server.name, server.standing)))
        });
        told.collect()
    }
}

fn not(why: &str) -> Standing {
    Standing::NotCovered(why.to_owned())
}

#[test]
fn every_entry_stands_somewhere_and_says_why() {
    let home = Home::new(&[
        (
            ".cursor/mcp.json",
            r#"{"mcpServers":{"in":{"command":"/x/stockade","args":["run","--id","cursor/in","--","a"]},
            "out":{"command":"b"},"far":{"url":"https://example.org"},"odd":{"args":[]}}}"#,
        ),
        ("project/.mcp.json", r#"{"mcpServers":{"ours":{"command":"c"}}}"#),
        (".codeium/windsurf/mcp_config.json", "{"),
        (".kiro/settings/mcp.json", "{}"),
    ]);
    let told = home.told();
    assert_eq!(
        told,
        [
            ("in".to_owned(), Standing::Wrapped),
            ("out".to_owned(), not("not wrapped: `stockade wrap` does")),
            ("far".to_owned(), not("remote server: not mediated yet")),
            ("odd".to_owned(), not("cannot be understood: it has neither `command` nor `url`")),
            ("?".to_owned(), not("malformed: line 1, column 2: the document ends inside of an object")),
            (
                "ours".to_owned(),
                not(
                    "a project's file, which is not edited: `[defaults] project_files` of a policy says otherwise"
                )
            ),
        ]
    );
}

#[test]
fn what_the_journal_knows_as_wrapped_and_is_bare_has_drifted() {
    let home = Home::new(&[(".cursor/mcp.json", r#"{"mcpServers":{"a":{"command":"b"}}}"#)]);
    let journal = Journal::open(&home.0.path().join("state")).unwrap();
    let file = std::fs::canonicalize(home.0.path().join(".cursor/mcp.json")).unwrap();
    let place = Place { scope: Scope::User, name: "a".to_owned() };
    let record =
        crate::clients::journal::Record::new("now".into(), "cursor/a".into(), &file, &place, ("{}", "{ }"));
    journal.keep(&file, &place, &record).unwrap();
    assert_eq!(home.told(), [("a".to_owned(), Standing::Drift)]);
}

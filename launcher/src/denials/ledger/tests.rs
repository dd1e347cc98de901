//! Once a thing and minute, with a count, whatever the server does.

use stockade_sandbox::{Backend, Denied, Files};

use super::*;
use crate::denials::court::Outside;
use crate::denials::fence::Fence;
use crate::denials::tried::FileKind;

/// Everything exists, and is a file.
#[derive(Debug)]
struct Full;

impl Outside for Full {
    fn look(&self, path: &std::path::Path) -> Option<(PathBuf, FileKind)> {
        Some((path.to_owned(), FileKind::File))
    }

    fn permits(&self, _path: &std::path::Path, _access: Access) -> bool {
        true
    }
}

fn court() -> Court {
    Court::new(
        Fence::new(Some(Files::plain(Vec::new())), Backend::Notify),
        crate::plan::ClosedPlaces::default(),
        Box::new(Full),
    )
}

fn by(program: &str) -> Program {
    Program { pid: 1, path: Some(program.into()) }
}

fn opened(ledger: &Ledger, path: &str) {
    let opened = Opened { program: by("/bin/a"), path: path.into(), access: Access::Read, exists: true };
    ledger.opened(opened);
    while ledger.judge(&court()) {}
}

fn counts(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.count).collect()
}

#[test]
fn the_first_time_is_written_at_once_and_the_rest_once_a_minute() {
    let (ledger, court, start) = (Ledger::default(), court(), Instant::now());
    opened(&ledger, "/x");
    assert_eq!(counts(&ledger.due(&court, start)), [1]);
    for _ in 0..5 {
        opened(&ledger, "/x");
    }
    assert_eq!(counts(&ledger.due(&court, start + Duration::from_secs(59))), [0u64; 0]);
    assert_eq!(ledger.next_due(), Some(start + WINDOW));
    assert_eq!(counts(&ledger.due(&court, start + WINDOW)), [5]);
    assert_eq!(ledger.next_due(), None);
    opened(&ledger, "/x");
    assert_eq!(counts(&ledger.rest(&court, start + WINDOW)), [1], "the end waits for no minute");
}

#[test]
fn the_same_thing_by_another_program_is_another_denial() {
    let ledger = Ledger::default();
    for program in ["/bin/a", "/bin/b", "/bin/a"] {
        ledger.denied(Denial { program: by(program), what: Denied::SystemCall { name: "ptrace" } });
    }
    let entries = ledger.due(&court(), Instant::now());
    assert_eq!(counts(&entries), [2, 1]);
    assert!(entries[0].why.contains("ptrace"), "{entries:?}");
}

#[test]
fn a_flood_of_different_things_is_counted_and_not_kept() {
    let ledger = Ledger::default();
    for n in 0..ENTRIES_MAX + 10 {
        opened(&ledger, &format!("/{n}"));
    }
    assert_eq!(ledger.due(&court(), Instant::now()).len(), ENTRIES_MAX);
    assert_eq!((ledger.take_lost(), ledger.take_lost()), (10, 0));
}

#[test]
fn opens_that_nobody_judges_are_bounded() {
    let ledger = Ledger::default();
    for n in 0..QUEUE_MAX + 3 {
        let path = format!("/{n}").into();
        ledger.opened(Opened { program: by("/bin/a"), path, access: Access::Read, exists: true });
    }
    assert_eq!(ledger.take_lost(), 3);
}

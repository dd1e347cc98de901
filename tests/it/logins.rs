//! A server's own logins: hidden by its private home, told of once, given by a person at a terminal and by nobody else.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, World, drive, finish, fixture_command, python, raw_driver, stockade_bin};

const DEADLINE: Duration = Duration::from_secs(120);
const BACKENDS: [&str; 3] = ["namespaces", "notify", "static"];
const CANARY: &str = "canary-4f1c-of-the-login";
const OTHER: &str = "canary-9b7e-of-somebody-else";

/// What reads the login where a server looks for it.
const OWN: &str = "cat $HOME/.own/token.json";

/// The place of a login, which can be copied and shared.
const LOGIN: &str = "[[login]]\npath = \"${home}/.own\"\nreason = \"tokens of a test\"\nshare = \"write\"\n";

/// A home with a login in it, and a profile that names it.
fn world(lines: &str) -> World {
    let world = World::new();
    world.write("home/.own/token.json", CANARY);
    world.write("home/.other/token.json", OTHER);
    world.write("home/.ssh/id_ed25519", OTHER);
    let head = "name = \"own\"\ndescription = \"for a test\"\nextends = \"offline\"\n";
    world.write("config/stockade/profiles/own.toml", &format!("{head}{lines}"));
    world
}

/// What a shell in the jail of `run --profile own` says to each script, and stderr.
fn started(world: &World, backend: &str, scripts: &[&str]) -> (Vec<String>, String) {
    let mut steps = vec![json!({ "handshake": true })];
    for (n, script) in scripts.iter().enumerate() {
        let arguments = json!({ "words": ["/bin/sh", "-c", script] });
        let params = json!({ "name": "run", "arguments": arguments });
        steps.push(
            json!({ "send": { "jsonrpc": "2.0", "id": n + 10, "method": "tools/call", "params": params } }),
        );
        steps.push(json!({ "await": n + 10, "within": 60 }));
    }
    let script = world.write("script.json", &Value::from(steps).to_string());
    let mut driver = raw_driver("converse.py");
    driver.arg(script).arg("--").arg(stockade_bin());
    driver
        .args(["run", "--profile", "own", "--backend", backend, "--"])
        .args(fixture_command("learner.py", &[]));
    let outcome = drive(world, driver, Vec::<String>::new(), DEADLINE);
    assert!(outcome["late"].is_null(), "{outcome:#}");
    let answer = |n: usize| {
        let text = &outcome["answers"][(n + 10).to_string()][0]["result"]["content"][0]["text"];
        text.as_str().unwrap_or_else(|| panic!("no answer {n}: {outcome:#}")).to_owned()
    };
    ((0..scripts.len()).map(answer).collect(), outcome["stderr"].as_str().expect("stderr").to_owned())
}

/// `stockade WORDS…` on a terminal, with this typed at each question.
fn on_a_terminal(world: &World, typed: &str, words: &[&str]) -> Finished {
    typed_at(world, stockade_bin(), typed, words)
}

/// The same of any program.
fn typed_at(world: &World, program: PathBuf, typed: &str, words: &[&str]) -> Finished {
    let mut command = raw_driver("terminal.py");
    command.args(words);
    world.dress(&mut command);
    command.env("STOCKADE", program).env("TYPED", typed).env("AWAIT", "[y/N]");
    finish(command.spawn().expect("the driver starts"), DEADLINE)
}

/// `stockade WORDS…` in a session without a terminal.
fn without_a_terminal(world: &World, words: &[&str]) -> Finished {
    let code = "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])";
    let mut command = Command::new(python());
    command.args(["-c", code]).arg(stockade_bin()).args(words);
    world.dress(&mut command);
    finish(command.spawn().expect("it starts"), DEADLINE)
}

/// All events whose kind begins so: kind and content.
fn events(world: &World, kind: &str) -> Vec<(String, Value)> {
    let text = finish(world.stockade(["log", "--json"]).spawn().expect("it starts"), DEADLINE).stdout_text();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let named =
        events.map(|event| (event["kind"].as_str().expect("a kind").to_owned(), event["what"].clone()));
    named.filter(|(name, _)| name.starts_with(kind)).collect()
}

/// What `login list --json` says of the login in `~/.own`.
fn state(world: &World) -> String {
    let listed = finish(world.stockade(["login", "list", "--json"]).spawn().expect("it starts"), DEADLINE);
    let rows: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    rows[0]["state"].as_str().unwrap_or_else(|| panic!("{rows:#}")).to_owned()
}

/// The server's key, from what its first start says.
fn key(stderr: &str) -> String {
    let after =
        stderr.split("`stockade login never ").nth(1).unwrap_or_else(|| panic!("nothing is told: {stderr}"));
    after.split('`').next().expect("a key").to_owned()
}

/// The server's private home.
fn private(world: &World, key: &str) -> PathBuf {
    world.state().join("stockade/servers").join(key).join("state/home")
}

/// Every file below the state directory that holds a text, private homes aside.
fn recorded(world: &World, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![world.state()];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
            if kind.is_dir() && path.file_name().is_some_and(|name| name != "servers") {
                waiting.push(path);
            } else if kind.is_file()
                && String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).contains(text)
            {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_login_is_told_of_once_and_is_not_there() {
    let world = world(LOGIN);
    let outside = format!("cat {}", world.home().join(".own/token.json").display());
    // Positive control: the same words read it outside.
    let bare = Command::new("/bin/sh").args(["-c", OWN]).env("HOME", world.home()).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&bare.stdout), CANARY);
    let (answers, stderr) = started(&world, "auto", &[OWN, &outside]);
    assert_eq!(answers, ["", ""], "{stderr}");
    assert!(stderr.contains("starts without your login in ~/.own (tokens of a test)"), "{stderr}");
    assert!(stderr.contains(&format!("`stockade login copy {}`", key(&stderr))), "{stderr}");
    let (answers, again) = started(&world, "auto", &[OWN]);
    assert!(answers == [""] && !again.contains("login"), "told twice: {again}");
    let offered = events(&world, "login.");
    assert_eq!(offered.len(), 1, "{offered:?}");
    let (kind, what) = &offered[0];
    assert_eq!((kind.as_str(), &what["places"][0]["place"]), ("login.offered", &json!("~/.own")));
    assert_eq!(state(&world), "waiting");
    assert_eq!(recorded(&world, CANARY), Vec::<PathBuf>::new());
    assert!(!stderr.contains(CANARY), "{stderr}");
}

#[test]
fn nobody_but_a_person_at_a_terminal_gives_a_login() {
    let world = world(LOGIN);
    let (_, stderr) = started(&world, "auto", &[]);
    let key = key(&stderr);
    for verb in ["copy", "share", "never", "forget"] {
        let refused = without_a_terminal(&world, &["login", verb, &key]);
        // What has nothing to forget says so.
        let (code, why) =
            if verb == "forget" { (64, "nothing was decided") } else { (77, "a person at a terminal") };
        assert!(refused.code() == code && refused.stderr.contains(why), "{refused:#?}");
    }
    let behind = format!("set -m; '{}' login copy {key} & wait $!", stockade_bin().display());
    let refused = typed_at(&world, "/bin/sh".into(), "y", &["-c", &behind]);
    assert!(refused.code() == 77 && refused.stdout_text().contains("in the background"), "{refused:#?}");
    for answer in ["n", "", "no y"] {
        let declined = on_a_terminal(&world, answer, &["login", "copy", &key]);
        assert_eq!(declined.code(), 77, "{declined:#?}");
    }
    assert!(!private(&world, &key).join(".own").exists() && state(&world) == "waiting");
    let decided = events(&world, "login.");
    assert!(decided.iter().all(|(kind, _)| kind == "login.offered"), "{decided:?}");
}

#[test]
fn a_copied_login_works_in_the_jail_and_nothing_beside_it_is_read() {
    let world = world(LOGIN);
    symlink(world.home().join(".other/token.json"), world.home().join(".own/link")).unwrap();
    let read = |name: &str| format!("cat {}", world.home().join(name).display());
    let (outside, other) = (read(".own/token.json"), read(".other/token.json"));
    let (_, stderr) = started(&world, "auto", &[]);
    let key = key(&stderr);
    let copied = on_a_terminal(&world, "y", &["login", "copy", &key]).stdout_text();
    assert!(copied.contains("copied, 1 file, ") && copied.contains("link: a link"), "{copied}");
    assert_eq!(state(&world), "copied");
    let write = "echo x > $HOME/.own/new && cat $HOME/.own/new; rm $HOME/.own/new";
    for backend in BACKENDS {
        let (answers, stderr) = started(&world, backend, &[OWN, &outside, &other, "ls $HOME/.own", write]);
        assert_eq!(answers, [CANARY, "", "", "token.json", "x"], "{backend}: {stderr}");
        assert!(!stderr.contains("login"), "{backend}: {stderr}");
    }
    let mode = |path: PathBuf| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let own = private(&world, &key).join(".own");
    assert_eq!((mode(own.clone()), mode(own.join("token.json"))), (0o700, 0o600));
    assert_eq!(mode(world.state().join(format!("stockade/logins/{key}.json"))), 0o600);
    let (kind, what) = events(&world, "login.").pop().expect("an event");
    assert_eq!((kind.as_str(), &what["place"]), ("login.copied", &json!("~/.own")));
    assert_eq!((&what["files"], &what["left_out"]), (&json!(1), &json!(1)));

    let forgotten = on_a_terminal(&world, "y", &["login", "forget", &key]);
    assert_eq!(forgotten.code(), 0, "{forgotten:#?}");
    assert!(!own.exists() && world.home().join(".own/token.json").exists());
    let (answers, stderr) = started(&world, "auto", &[OWN]);
    assert!(answers == [""] && stderr.contains("starts without your login"), "{stderr}");
    // What lies in the place was told to nobody.
    assert_eq!(recorded(&world, CANARY), Vec::<PathBuf>::new());
    for text in [&stderr, &copied, &forgotten.stdout_text()] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn what_a_server_has_already_is_kept_beside_what_it_is_given() {
    let world = world(LOGIN);
    let (_, stderr) = started(&world, "auto", &["mkdir $HOME/.own && echo mine > $HOME/.own/token.json"]);
    let key = key(&stderr);
    assert_eq!(state(&world), "private");
    let copied = on_a_terminal(&world, "y", &["login", "copy", &key]);
    assert_eq!(copied.code(), 0, "{copied:#?}");
    assert!(copied.stdout_text().contains("NEWER than yours"), "{copied:#?}");
    let (answers, _) =
        started(&world, "auto", &["cat $HOME/.own/token.json", "cat $HOME/.own.before-*/token.json"]);
    assert_eq!(answers, [CANARY, "mine"]);
}

#[test]
fn a_shared_login_is_used_in_its_place_and_nothing_beside_it() {
    let world = world(LOGIN);
    let real = world.home().join(".own");
    let other = format!("cat {0}/.other/token.json {0}/.ssh/id_ed25519", world.home().display());
    let (_, stderr) = started(&world, "auto", &[]);
    let key = key(&stderr);
    let shared = on_a_terminal(&world, "y", &["login", "share", &key]);
    assert_eq!(shared.code(), 0, "{shared:#?}");
    assert_eq!((state(&world).as_str(), events(&world, "login.shared").len()), ("shared", 1));
    for backend in BACKENDS {
        let renew = format!("echo renewed-{backend} > $HOME/.own/renewed");
        let (answers, stderr) = started(&world, backend, &["cat $HOME/.own/token.json", &renew, &other]);
        assert_eq!(answers, [CANARY, "", ""], "{backend}: {stderr}");
        let written = std::fs::read_to_string(real.join("renewed")).expect("it was written in its place");
        assert_eq!(written.trim(), format!("renewed-{backend}"));
    }
    // Under a policy that lets nobody widen a jail nothing is given.
    world.user_policy("version = 1\n[defaults]\ngrants_by_flag = \"deny\"\n");
    let refused = on_a_terminal(&world, "y", &["login", "copy", &key]);
    assert_eq!(refused.code(), 77, "{refused:#?}");
    assert!(!private(&world, &key).join(".own").symlink_metadata().unwrap().is_dir());
    std::fs::remove_file(world.root().join("config/stockade/policy.toml")).unwrap();
    // A server that may write no more than its profile says today.
    let narrower = LOGIN.replace("\"write\"", "\"read\"");
    let head = "name = \"own\"\ndescription = \"for a test\"\nextends = \"offline\"\n";
    world.write("config/stockade/profiles/own.toml", &format!("{head}{narrower}"));
    let script = "cat $HOME/.own/token.json; echo x > $HOME/.own/second";
    assert_eq!(started(&world, "auto", &[script]).0, [CANARY]);
    assert!(!real.join("second").exists());
    let forgotten = on_a_terminal(&world, "y", &["login", "forget", &key]);
    assert_eq!(forgotten.code(), 0, "{forgotten:#?}");
    assert!(
        private(&world, &key).join(".own").symlink_metadata().is_err() && real.join("token.json").exists()
    );
    assert_eq!(started(&world, "auto", &["cat $HOME/.own/token.json"]).0, [""]);
}

#[test]
fn a_login_that_the_profile_grants_is_told_of_and_never_closes_it() {
    let grant = "[fs]\nread = [{ path = \"${home}/.own\", reason = \"its login\" }]\n";
    let world =
        world(&format!("{grant}[[login]]\npath = \"${{home}}/.own\"\nreason = \"tokens of a test\"\n"));
    let read = format!("cat {}", world.home().join(".own/token.json").display());
    let (answers, stderr) = started(&world, "auto", &[&read]);
    assert_eq!(answers, [CANARY], "{stderr}");
    assert!(stderr.contains("may use your login in ~/.own") && !stderr.contains("login copy"), "{stderr}");
    assert_eq!(events(&world, "login.offered")[0].1["places"][0]["open"], json!(true));
    let key = key(&stderr);
    let copied = on_a_terminal(&world, "y", &["login", "copy", &key]);
    assert!(copied.code() == 64 && copied.stdout_text().contains("grants them already"), "{copied:#?}");
    let never = on_a_terminal(&world, "y", &["login", "never", &key]);
    assert_eq!(never.code(), 0, "{never:#?}");
    for backend in BACKENDS {
        let (answers, stderr) = started(&world, backend, &[&read]);
        assert!(answers == [""] && !stderr.contains("login"), "{backend}: {answers:?} {stderr}");
    }
    assert_eq!(state(&world), "never");
}

#[test]
fn hostile_places_and_homes_give_nothing_away() {
    // The place is a link into another one.
    let world = world(&LOGIN.replace("share = \"write\"", "to = \"${state}/home/.config/own\""));
    let (_, stderr) = started(&world, "auto", &["mkdir -p $HOME/.config"]);
    let copy = ["login", "copy", &key(&stderr)];
    let (own, kept) = (world.home().join(".own"), world.home().join(".kept"));
    std::fs::rename(&own, &kept).unwrap();
    symlink(world.home().join(".ssh"), &own).unwrap();
    let refused = on_a_terminal(&world, "y", &copy);
    assert!(refused.code() == 77 && refused.stdout_text().contains("~/.ssh"), "{refused:#?}");
    std::fs::remove_file(&own).unwrap();
    std::fs::rename(&kept, &own).unwrap();
    // More than a login is.
    std::fs::File::create(own.join("huge")).unwrap().set_len(1 << 30).unwrap();
    let refused = on_a_terminal(&world, "y", &copy);
    assert!(refused.code() == 77 && refused.stdout_text().contains("64 MiB"), "{refused:#?}");
    std::fs::remove_file(own.join("huge")).unwrap();
    // The server's home leads out of itself.
    let plant = format!(
        "rmdir $HOME/.config && ln -s {}/.ssh $HOME/.config && readlink $HOME/.config",
        world.home().display()
    );
    let (answers, _) = started(&world, "auto", &[&plant]);
    assert!(answers[0].ends_with("/.ssh"), "the link was planted: {answers:?}");
    let refused = on_a_terminal(&world, "y", &copy);
    assert_eq!(refused.code(), 77, "{refused:#?}");
    let names = std::fs::read_dir(world.home().join(".ssh")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["id_ed25519"]);
    assert_eq!(state(&world), "waiting");
}

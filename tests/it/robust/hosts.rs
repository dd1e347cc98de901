//! Hosts that lack something: Landlock, a readable state directory, room on the disk.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::{call, converse_with, only_answer, text_of, wait_for};
use crate::support::{Finished, World, driver, finish, fixture_command, python, stockade_bin};

fn ended(command: &mut Command) -> Finished {
    finish(command.spawn().expect("it starts"), Duration::from_secs(60))
}

fn refuses_to_run(failed: &Finished) {
    assert_eq!(failed.code(), 125, "{}", failed.stderr);
    assert_eq!(failed.stdout_text(), "");
    assert!(failed.stderr.starts_with("error: ") && failed.stderr.contains("hint: "), "{}", failed.stderr);
}

#[test]
fn without_landlock_only_a_private_view_carries_a_jail_and_anything_else_is_refused_with_the_remedy() {
    let world = World::new();
    let trace = world.project().join("trace");
    let script = format!("echo ran > {}", trace.display());
    // What is missing decides what helps: another kernel, or a boot option of this one.
    let cases = [("ENOSYS", "CONFIG_SECURITY_LANDLOCK"), ("EOPNOTSUPP", "lsm=")];
    for ((error, remedy), backend) in cases.into_iter().flat_map(|case| [(case, "static"), (case, "notify")])
    {
        let mut command = Command::new(python());
        command.arg(driver("without_landlock.py")).arg(error).arg(stockade_bin());
        command.args(["run", "--backend", backend, "--grant-write"]).arg(world.project());
        command.args(["--", "/bin/sh", "-c", &script]);
        world.dress(&mut command);
        let failed = ended(&mut command);
        refuses_to_run(&failed);
        assert!(failed.stderr.contains("Landlock"), "{}", failed.stderr);
        assert!(failed.stderr.contains(remedy), "{error}: the remedy is not {remedy}: {}", failed.stderr);
        assert!(!trace.exists(), "the server ran");
    }
    let secret = world.write("home/.ssh/id_rsa", "key material");
    let script = format!("echo ran > {}; cat {}", trace.display(), secret.display());
    let mut command = Command::new(python());
    command.arg(driver("without_landlock.py")).arg("ENOSYS").arg(stockade_bin());
    command.args(["run", "--grant-write"]).arg(world.project()).args(["--", "/bin/sh", "-c", &script]);
    world.dress(&mut command);
    let jailed = ended(&mut command);
    assert!(trace.exists(), "{}", jailed.stderr);
    assert!(jailed.stderr.contains("No such file"), "the key was there: {}", jailed.stderr);
}

/// Whether permissions stop us: they do not stop root.
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn a_state_directory_that_cannot_be_used_stops_the_start() {
    let world = World::new();
    // A file in its place stops root as well as anybody.
    fs::write(world.state().join("stockade"), "in the way").expect("a file");
    let failed = ended(&mut world.stockade(["run", "--", "/bin/true"]));
    refuses_to_run(&failed);
    assert!(failed.stderr.contains("state/stockade"), "it names the directory: {}", failed.stderr);

    if !is_root() {
        fs::remove_file(world.state().join("stockade")).expect("removed");
        fs::set_permissions(world.state(), fs::Permissions::from_mode(0o000)).expect("closed");
        let failed = ended(&mut world.stockade(["run", "--", "/bin/true"]));
        fs::set_permissions(world.state(), fs::Permissions::from_mode(0o700)).expect("opened");
        refuses_to_run(&failed);
        assert!(failed.stderr.contains("Permission denied"), "{}", failed.stderr);
    }
}

#[test]
fn a_log_that_cannot_be_read_is_said_so() {
    let world = World::new();
    fs::write(world.state().join("stockade"), "in the way").expect("a file");
    let failed = ended(&mut world.stockade(["log"]));
    assert!(!matches!(failed.code(), 0 | 101), "{}: {}", failed.code(), failed.stderr);
    assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
}

/// `sh -c SCRIPT` with a file system of 4 MiB on the world's state directory.
///
/// Root mounts it in a mount namespace of its own; anybody else needs a user namespace for that.
fn on_a_small_disk(world: &World, script: &str) -> Vec<OsString> {
    let mount = format!("mount -t tmpfs -o size=4m,mode=700 tmpfs {} && {script}", world.state().display());
    let flags = if is_root() { "-m" } else { "-Urm" };
    ["/usr/bin/unshare", flags, "/bin/sh", "-c", &mount].map(OsString::from).to_vec()
}

/// Whether this host lets us mount at all; the reason is printed if it does not.
fn can_mount(world: &World) -> bool {
    let words = on_a_small_disk(world, "true");
    let output = Command::new(&words[0]).args(&words[1..]).output().expect("unshare starts");
    if !output.status.success() {
        eprintln!("not tried: this host lets us mount nothing: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

#[test]
fn a_full_disk_at_the_start_is_a_clear_error() {
    let world = World::new();
    if !can_mount(&world) {
        return;
    }
    let fill = format!("{{ cat /dev/zero > {0}/fill 2>/dev/null; :; }}", world.state().display());
    let script = format!("{fill} && exec {} run -- /bin/true", stockade_bin().display());
    let words = on_a_small_disk(&world, &script);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    world.dress(&mut command);
    let failed = ended(&mut command);
    refuses_to_run(&failed);
    assert!(failed.stderr.contains("No space left"), "{}", failed.stderr);
}

/// A session in which the disk runs full between the calls 1 and 2.
fn the_disk_runs_full(policy: &str) -> Option<serde_json::Value> {
    let world = World::new();
    if !can_mount(&world) {
        return None;
    }
    world.user_policy(policy);
    let ballast = world.state().join("ballast").display().to_string();
    let server = fixture_command("scripted.py", &[]);
    let server: Vec<String> = server.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    // The disk is filled from outside the jail, when the driver has heard the first answer.
    let script = format!(
        "{{ (while [ ! -e {go} ]; do sleep 0.05; done; cat /dev/zero > {ballast}; : > {done}) 2>/dev/null & }}; \
         exec {bin} run --grant-write {project} -- {server}",
        go = world.project().join("go").display(),
        done = world.project().join("done").display(),
        project = world.project().display(),
        bin = stockade_bin().display(),
        server = server.join(" "),
    );
    let mut steps = vec![
        json!({"handshake": true}),
        call(1, "write", json!({"path": world.project().join("go"), "text": ""})),
        wait_for(1),
        json!({"pause": 2}),
    ];
    for id in 2..200 {
        steps.extend([call(id, "echo", json!({"message": "x".repeat(500)})), wait_for(id)]);
    }
    let words = ["--".into()].into_iter().chain(on_a_small_disk(&world, &script)).collect();
    let outcome = converse_with(&world, &json!(steps), words);
    assert!(world.project().join("done").exists(), "the disk was filled: {outcome}");
    assert_eq!(text_of(only_answer(&outcome, "1")), "written");
    Some(outcome)
}

#[test]
fn when_the_disk_runs_full_traffic_goes_on_by_default() {
    let Some(outcome) = the_disk_runs_full("version = 1\n") else { return };
    assert_eq!(text_of(only_answer(&outcome, "199")), "x".repeat(500));
    let stderr = outcome["stderr"].as_str().expect("text");
    assert!(stderr.contains("No space left") || stderr.contains("dropped"), "it is said: {stderr}");
}

#[test]
fn when_the_disk_runs_full_traffic_stops_if_policy_says_so() {
    let Some(outcome) = the_disk_runs_full("version = 1\n[defaults]\nfull_disk = \"stop\"\n") else { return };
    let last = &outcome["answers"]["199"];
    let served = last.is_array() && last[0]["result"]["content"][0]["text"] == "x".repeat(500);
    assert!(!served, "calls are still served: {last}");
    let stderr = outcome["stderr"].as_str().expect("text");
    assert!(stderr.contains("No space left") || stderr.contains("full"), "it is said: {stderr}");
}

/// `stockade jail WORDS` where user namespaces are forbidden, or not; the event of its start.
fn jailed(world: &World, forbidden: bool, words: &[&str]) -> serde_json::Value {
    let mut command = if forbidden { Command::new(python()) } else { Command::new(stockade_bin()) };
    if forbidden {
        command.arg(driver("without_user_namespaces.py")).arg(stockade_bin());
    }
    command.arg("jail").args(words);
    world.dress(&mut command);
    let finished = ended(&mut command);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let log = ended(&mut world.stockade(["log", "--json"]));
    let text = log.stdout_text();
    let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let mut starts = events.filter(|event| event["kind"] == "session.start");
    starts.next_back().expect("a start")["what"].clone()
}

/// Why the guarantee `process` is not full.
fn why(start: &serde_json::Value) -> String {
    let lines = start["enforcement"].as_array().expect("a list");
    let process = lines.iter().find(|line| line["guarantee"] == "process").expect("it is there");
    process["why"].as_str().unwrap_or_default().to_owned()
}

const TRUE: &[&str] = &["--", "/bin/true"];

#[test]
fn a_host_that_forbids_namespaces_is_asked_once_a_boot_and_the_weaker_jail_says_so_every_time() {
    let world = World::new();
    let kept = world.state().join("stockade/backends.json");
    let first = jailed(&world, true, TRUE);
    assert_eq!(first["better_backends"][0]["backend"], "namespaces", "{first:#}");
    assert_eq!(first["better_backends"][0]["result"], "failed", "{first:#}");
    assert!(kept.exists(), "what failed was not kept");

    let second = jailed(&world, true, TRUE);
    assert_eq!(second["better_backends"][0]["result"], "skipped", "{second:#}");
    assert_eq!(second["backend"], first["backend"]);
    for start in [&first, &second] {
        assert!(why(start).contains("clone into new namespaces"), "{start:#}");
    }
    assert!(why(&second).contains("earlier start"), "{second:#}");

    // By name it is tried, whatever is known, and refused with the reason.
    let mut command = Command::new(python());
    command.arg(driver("without_user_namespaces.py")).arg(stockade_bin());
    command.args(["jail", "--backend", "namespaces"]).args(TRUE);
    world.dress(&mut command);
    refuses_to_run(&ended(&mut command));

    // Where they are not forbidden, nothing of that is believed, and nothing known is lost.
    let elsewhere = jailed(&world, false, TRUE);
    assert_eq!(elsewhere["backend"], "namespaces", "{elsewhere:#}");
    assert_eq!(elsewhere.get("better_backends"), None, "{elsewhere:#}");

    // A torn file is none.
    let text = fs::read(&kept).expect("it is there");
    fs::write(&kept, &text[..text.len() / 2]).expect("torn");
    let third = jailed(&world, true, TRUE);
    assert_eq!(third["better_backends"][0]["result"], "failed", "{third:#}");
    assert_eq!(fs::read(&kept).expect("it is there").len(), text.len(), "written anew");

    // The doctor asks the host itself, and here it is well.
    ended(&mut world.stockade(["doctor"]));
    assert!(!kept.exists(), "what the doctor has found to be wrong is still believed");
}

#[test]
fn a_server_cannot_reach_what_is_known_of_the_backends() {
    let world = World::new();
    let kept = world.state().join("stockade/backends.json");
    jailed(&world, true, TRUE);
    let before = fs::read(&kept).expect("it was kept");
    let path = kept.display();
    let script = format!("echo x > {path}; rm -f {path}; mv {path} {path}.old; cat {path}; true");
    for (forbidden, backend) in [(false, "namespaces"), (false, "notify"), (false, "static"), (true, "auto")]
    {
        let words = ["--backend", backend, "--", "/bin/sh", "-c", &script];
        jailed(&world, forbidden, &words);
        assert_eq!(fs::read(&kept).expect("it is still there"), before, "{backend}");
    }
    // The same script outside.
    ended(Command::new("/bin/sh").args(["-c", &script]).stdout(std::process::Stdio::piped()));
    assert!(!kept.exists(), "the attempt is none");
}

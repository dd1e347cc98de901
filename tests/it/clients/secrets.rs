//! Tokens of clients' entries in the system's keychain: a real one, gnome-keyring on a bus of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Home, STOCKADE, Said};
use crate::support::{driver, python};

const TOKEN: &str = "ghp_R8dkWqLz3vTnYb2XcJm7PfHsA1eUo4KZiG5t";
const REFERENCE: &str = "stockade-secret:cursor/github/GITHUB_TOKEN";
/// SHA-256 of the token.
const PRINTS_HASH: &str = "printf %s \\\"$GITHUB_TOKEN\\\" | sha256sum >&2";

/// A home with an unlocked keychain.
struct Desk {
    home: Home,
    processes: Vec<Child>,
}

impl Desk {
    fn new(config: &str) -> Self {
        let home = Home::with_cursor(config);
        std::fs::create_dir(home.path("run")).unwrap();
        let missing = "the tests of the keychain need the Debian packages dbus and gnome-keyring";
        let mut desk = Self { home, processes: Vec::new() };
        let bus = format!("unix:path={}", desk.bus().display());
        // A bus that starts nothing by itself: a second keychain would be a locked one.
        let allow = r#"<allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>"#;
        let settings = format!(
            "<busconfig><type>session</type><listen>{bus}</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\">{allow}</policy></busconfig>"
        );
        desk.home.write("run/bus.conf", settings.as_bytes());
        let options = ["--nofork", "--nopidfile", "--config-file"];
        let mut daemon = desk.home.command(Path::new("dbus-daemon"), &options);
        daemon.arg(desk.home.path("run/bus.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        desk.processes.push(daemon.spawn().expect(missing));
        desk.wait(|desk| desk.bus().exists());
        assert!(!desk.answers(), "there is no keychain yet");
        let options = ["--foreground", "--unlock", "--components=secrets"];
        let mut keyring = desk.home.command(Path::new("gnome-keyring-daemon"), &options);
        keyring.env("DBUS_SESSION_BUS_ADDRESS", bus).env("XDG_RUNTIME_DIR", desk.home.path("run"));
        let mut keyring =
            keyring.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect(missing);
        keyring.stdin.take().unwrap().write_all(b"the password of the keychain").unwrap();
        desk.processes.push(keyring);
        desk.wait(Self::answers);
        desk
    }

    fn bus(&self) -> PathBuf {
        self.home.path("run/bus")
    }

    fn wait(&self, ready: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !ready(self) {
            assert!(Instant::now() < end, "the keychain does not come up within a minute");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether there is a keychain that takes a question.
    fn answers(&self) -> bool {
        let mut helper = self.command(Path::new(STOCKADE), &["keychain-step"]);
        helper.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", self.bus().display()));
        let mut helper = helper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        helper.stdin.take().unwrap().write_all(br#"{"get": {"names": ["nothing"]}}"#).unwrap();
        let answer = helper.wait_with_output().unwrap();
        serde_json::from_slice::<Value>(&answer.stdout).unwrap().get("Ok").is_some()
    }

    /// Without DBUS_SESSION_BUS_ADDRESS, as clients start servers: the socket is found where it usually is.
    fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = self.home.command(program, args);
        command.env("XDG_RUNTIME_DIR", self.home.path("run"));
        command
    }

    fn says(&self, args: &[&str]) -> Said {
        Said::from(self.command(Path::new(STOCKADE), args).output().unwrap())
    }

    /// With a person who types this after each text of this kind.
    fn person(&self, (wait_for, typed): (&str, &str), args: &[&str]) -> Said {
        let mut command = self.command(&python(), &["-B"]);
        command.arg(driver("terminal.py")).args(args);
        command.env("STOCKADE", STOCKADE).env("TYPED", typed).env("AWAIT", wait_for);
        Said::from(command.output().unwrap())
    }

    fn yes(&self, args: &[&str]) -> Said {
        self.person(("[y/N]", "y"), args)
    }

    /// Starts a server as Cursor would, with what its entry says of the variable.
    fn start(&self, script: &str) -> Said {
        let config: Value = serde_json::from_str(&self.home.cursor()).unwrap();
        let value = config["mcpServers"]["github"]["env"]["GITHUB_TOKEN"].as_str().unwrap();
        let script = script.replace("\\\"", "\"");
        let args = ["run", "--id", "cursor/github", "--", "/bin/sh", "-c", &script];
        let mut command = self.command(Path::new(STOCKADE), &args);
        Said::from(command.env("GITHUB_TOKEN", value).stdin(Stdio::null()).output().unwrap())
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let log = self.says(&["log", "--json"]).stdout;
        let all = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|event| event["kind"] == kind).collect()
    }

    /// Files below the home that hold the token, without the keychain's own.
    fn with_token(&self) -> Vec<PathBuf> {
        let holds = |path: &PathBuf| {
            path.is_file()
                && std::fs::read(path).unwrap().windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes())
        };
        self.home.tree().into_iter().filter(holds).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn config() -> String {
    format!(
        "{{\n  // mine\n  \"mcpServers\": {{\n    \"github\": {{\n      \"command\": \"/bin/sh\", \"args\": [\"-c\", \"{PRINTS_HASH}\"],\n      \
         \"env\": {{ \"GITHUB_TOKEN\": \"{TOKEN}\", \"LOG_LEVEL\": \"debug\" }},\n    }},\n  }}\n}}\n"
    )
}

fn hash() -> String {
    let sum = Command::new("sh").args(["-c", &format!("printf %s {TOKEN} | sha256sum")]).output().unwrap();
    String::from_utf8(sum.stdout).unwrap()
}

/// A wrapped server whose token lies in the keychain.
fn moved() -> Desk {
    let desk = Desk::new(&config());
    let wrapped = desk.says(&["wrap"]);
    assert!(
        wrapped.stderr.contains("1 token stands in these files in plain text: `stockade secrets move`"),
        "{}",
        wrapped.stderr
    );
    let said = desk.yes(&["secrets", "move"]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    assert!(desk.home.cursor().contains(REFERENCE), "{}{}", desk.home.cursor(), said.stdout);
    // Comments go: what follows parses the file as plain JSON.
    desk
}

fn plain_json(desk: &Desk) {
    let text = desk
        .home
        .cursor()
        .replace("  // mine\n", "")
        .replace("},\n    },\n  }", "}\n    }\n  }")
        .replace("},\n  }\n}", "}\n  }\n}");
    desk.home.write(".cursor/mcp.json", text.as_bytes());
}

#[test]
fn a_moved_token_stands_nowhere_in_the_home_and_reaches_its_server_alone() {
    let desk = moved();
    assert_eq!(desk.with_token(), Vec::<PathBuf>::new(), "also not in the journal and its backups");
    plain_json(&desk);
    let script = PRINTS_HASH;
    let good = desk.start(script);
    assert!(good.code == 0 && good.stderr.contains(hash().trim()), "{}", good.stderr);
    let start = desk.events("session.start").pop().unwrap();
    assert_eq!(start["what"]["from_keychain"], serde_json::json!(["GITHUB_TOKEN"]));
    // Whoever can write the config names another program with the same reference, which would send it elsewhere.
    let evil = desk.start("printf %s \\\"$GITHUB_TOKEN\\\" | sha256sum | rev >&2");
    assert_eq!(evil.code, 125);
    assert!(evil.stderr.contains("`stockade secrets allow cursor/github`"), "{}", evil.stderr);
    assert!(!evil.stderr.contains(TOKEN) && desk.events("session.start").len() == 1);
    assert!(
        desk.events("session.refused").pop().unwrap()["what"]["why"]
            .as_str()
            .unwrap()
            .contains("GITHUB_TOKEN")
    );
    assert_eq!(desk.with_token(), Vec::<PathBuf>::new());
    assert_eq!(desk.events("secret.moved")[0]["what"]["reference"], REFERENCE);
}

#[test]
fn another_variable_of_the_same_server_does_not_get_it() {
    let desk = moved();
    plain_json(&desk);
    let args = [
        "run",
        "--id",
        "cursor/github",
        "--env",
        "LOG_LEVEL",
        "--",
        "/bin/sh",
        "-c",
        "printf %s \"$GITHUB_TOKEN\" | sha256sum >&2",
    ];
    let said =
        Said::from(desk.command(Path::new(STOCKADE), &args).env("LOG_LEVEL", REFERENCE).output().unwrap());
    assert_eq!(said.code, 125);
    assert!(said.stderr.contains("does not get the secret of its LOG_LEVEL"), "{}", said.stderr);
}

#[test]
fn unwrap_gives_the_original_bytes_back_and_leaves_nothing_in_the_keychain() {
    let desk = moved();
    let shown = desk.says(&["unwrap", "--dry-run"]);
    assert!(
        shown.stdout.contains(REFERENCE) && !shown.stdout.contains(TOKEN),
        "a token would be shown to whoever asks"
    );
    assert_eq!(desk.says(&["unwrap"]).code, 0);
    assert_eq!(desk.home.cursor(), config());
    // The keychain has it no more: an entry that still refers to it says so.
    desk.home.write(".cursor/mcp.json", config().replace(TOKEN, REFERENCE).as_bytes());
    assert!(desk.says(&["secrets", "list"]).stdout.contains("NOT in the keychain"));
    desk.says(&["wrap"]);
    plain_json(&desk);
    let lost = desk.start(PRINTS_HASH);
    assert!(
        lost.code == 125 && lost.stderr.contains("`stockade secrets set cursor/github GITHUB_TOKEN`"),
        "{}",
        lost.stderr
    );
    // And one that was edited since is rebuilt, with its token.
    let desk = moved();
    desk.home.write(".cursor/mcp.json", desk.home.cursor().replace("debug", "trace").as_bytes());
    assert_eq!(desk.says(&["unwrap"]).code, 0);
    assert_eq!(desk.home.cursor(), config().replace("debug", "trace"));
}

#[test]
fn without_the_keychain_nothing_starts_and_nothing_is_taken_apart() {
    let mut desk = moved();
    plain_json(&desk);
    for process in &mut desk.processes {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let said = desk.start(PRINTS_HASH);
    assert_eq!(said.code, 125);
    assert!(
        said.stderr.contains("was not started without its GITHUB_TOKEN") && said.stderr.contains("hint:"),
        "{}",
        said.stderr
    );
    let before = desk.home.cursor();
    let unwrapped = desk.says(&["unwrap"]);
    assert!(unwrapped.code == 1 && unwrapped.stdout.contains("lies in the keychain"), "{}", unwrapped.stdout);
    assert_eq!(desk.home.cursor(), before);
    let listed = desk.says(&["secrets", "list"]);
    assert!(
        listed.stdout.contains("cannot be asked") && listed.stderr.contains("keychain"),
        "{}",
        listed.stderr
    );
}

#[test]
fn a_person_restores_sets_allows_and_forgets() {
    let desk = moved();
    let set = desk
        .person(("(not shown): ", "second-value-4711-Qz8"), &["secrets", "set", "github", "GITHUB_TOKEN"]);
    assert!(set.code == 0 && set.stdout.contains("kept") && !set.stdout.contains("4711"), "{}", set.stdout);
    let forgotten = desk.yes(&["secrets", "forget", REFERENCE]);
    assert!(forgotten.code != 0 && forgotten.stdout.contains("refers to it"), "{}", forgotten.stdout);
    let restored = desk.yes(&["secrets", "restore", "cursor/github"]);
    assert_eq!(restored.code, 0, "{}", restored.stdout);
    assert!(desk.home.cursor().contains("\"second-value-4711-Qz8\""), "{}", desk.home.cursor());
    // Moved again, and then its entry starts another program.
    assert_eq!(desk.yes(&["secrets", "move", "github"]).code, 0);
    desk.home.write(".cursor/mcp.json", desk.home.cursor().replace("sha256sum", "sha512sum").as_bytes());
    plain_json(&desk);
    let other = PRINTS_HASH.replace("sha256sum", "sha512sum");
    assert_eq!(desk.start(&other).code, 125);
    assert_eq!(desk.yes(&["secrets", "allow", "github"]).code, 0);
    assert_eq!(desk.start(&other).code, 0);
    let kinds = ["secret.set", "secret.restored", "secret.moved", "secret.allowed"];
    assert_eq!(kinds.map(|kind| desk.events(kind).len()), [1, 1, 2, 1]);
}

#[test]
fn nobody_but_a_person_moves_restores_or_unwraps() {
    let desk = moved();
    let before = desk.home.cursor();
    for verb in ["restore", "allow"] {
        let mut command =
            desk.command(Path::new("setsid"), &["--wait", STOCKADE, "secrets", verb, "cursor/github"]);
        let said = Said::from(command.stdin(Stdio::null()).output().unwrap());
        // There is nothing to allow, which needs no answer either.
        assert!(said.code == 77, "{verb}: {} {}", said.code, said.stderr);
    }
    let no = desk.person(("[y/N]", "n"), &["secrets", "restore", "cursor/github"]);
    assert_eq!(no.code, 77, "{}", no.stdout);
    // An agent's shell tool stands below its client.
    std::os::unix::fs::symlink("/bin/sh", desk.home.path("claude")).unwrap();
    let script = format!("{STOCKADE} unwrap; echo $?");
    let said = Said::from(desk.command(&desk.home.path("claude"), &["-c", &script]).output().unwrap());
    assert!(
        said.stdout.trim_end() == "77" && said.stderr.contains("not below an AI client"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    assert_eq!(desk.home.cursor(), before);
}

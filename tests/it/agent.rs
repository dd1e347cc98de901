//! The agent: what clients' configs name is wrapped without anybody asking for it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::clients::{Home, STOCKADE};

/// A running agent, and what it says.
struct Agent {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Agent {
    fn of(home: &Home) -> Self {
        let mut child = home
            .command(Path::new(STOCKADE), &["watch"])
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (out, lines) = (child.stdout.take().unwrap(), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let agent = Self { child, said };
        eventually("the agent runs", || home.stockade(&["agent", "status"]).code == 0);
        agent
    }

    fn said(&self, text: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    fn end(mut self) -> i32 {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits long for what comes soon: how soon is measured elsewhere.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(40);
    while !is_so() {
        assert!(Instant::now() < end, "{what}: not within 40 s");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn events(home: &Home, kind: &str) -> Vec<Value> {
    let said = home.stockade(&["log", "--json"]);
    let all = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|event| event["kind"] == kind).collect()
}

/// As most programs replace a file.
fn rename_in(path: &Path, text: &str) {
    let temporary = path.with_extension(format!("{:?}.tmp", std::thread::current().id()));
    std::fs::write(&temporary, text).unwrap();
    std::fs::rename(temporary, path).unwrap();
}

#[test]
fn what_is_entered_is_wrapped_wherever_it_comes_from() {
    let home = Home::with_cursor(r#"{"mcpServers":{"before":{"command":"x"}}}"#);
    home.write("dotfiles/windsurf.json", br#"{"mcpServers":{}}"#);
    std::fs::create_dir_all(home.path(".codeium/windsurf")).unwrap();
    std::os::unix::fs::symlink(
        home.path("dotfiles/windsurf.json"),
        home.path(".codeium/windsurf/mcp_config.json"),
    )
    .unwrap();
    let agent = Agent::of(&home);
    eventually("an entry from before", || home.cursor().contains("cursor/before"));
    // In place, by rename, in a directory that comes with it, behind a link, in a directory that the registry does not name, and in TOML.
    home.write(".cursor/mcp.json", br#"{"mcpServers":{"again":{"command":"x","args":["y"]}}}"#);
    eventually("written in place", || home.cursor().contains("cursor/again"));
    rename_in(&home.path(".cursor/mcp.json"), r#"{"mcpServers":{"moved":{"command":"x"}}}"#);
    eventually("moved into place", || home.cursor().contains("cursor/moved"));
    home.write(".codex/config.toml", b"[mcp_servers.t]\ncommand = \"x\"\n");
    eventually("in a new directory", || home.read(".codex/config.toml").contains("codex/t"));
    home.write("dotfiles/windsurf.json", br#"{"mcpServers":{"l":{"command":"x"}}}"#);
    eventually("behind a link", || home.read("dotfiles/windsurf.json").contains("windsurf/l"));
    home.write(".config/Code/User/profiles/-1f/mcp.json", br#"{"servers":{"p":{"command":"x"}}}"#);
    eventually("in a new profile", || {
        home.read(".config/Code/User/profiles/-1f/mcp.json").contains("vscode/p")
    });
    eventually("the inventory", || {
        events(&home, "inventory.server").iter().any(|event| event["what"]["server"] == "p")
    });
    let wrapped = events(&home, "inventory.wrapped");
    assert_eq!(wrapped.len(), 6, "{wrapped:#?}");
    assert_eq!(
        (&wrapped[3]["what"]["client"], &wrapped[3]["what"]["server"]),
        (&json!("codex"), &json!("t"))
    );
    let states = events(&home, "inventory.server");
    let of = |server: &str| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of = states.iter().filter(|event| event["what"]["server"] == server);
        of.map(|event| (text(&event["what"]["change"]), text(&event["what"]["state"]))).collect()
    };
    // It may have been seen bare first.
    assert_eq!((of("t")[0].0.as_str(), of("t").last().unwrap().1.as_str()), ("found", "wrapped"));
    assert_eq!(of("before").last().unwrap().0, "gone");
    assert_eq!(agent.end(), 0);
    assert_eq!(events(&home, "agent.ended").len(), 1);
    assert_eq!(home.stockade(&["agent", "status"]).code, 1);
}

#[test]
fn what_a_person_takes_out_stays_out_and_there_is_one_agent() {
    let home =
        Home::with_cursor(r#"{"mcpServers":{"a":{"command":"x","args":[]},"b":{"command":"x","args":[]}}}"#);
    let before = home.cursor();
    let agent = Agent::of(&home);
    eventually("both are wrapped", || home.cursor().matches("--id").count() == 2);
    let second = home.stockade(&["watch"]);
    assert_eq!(second.code, 64);
    assert!(second.stderr.contains(&format!("runs already (pid {})", agent.child.id())), "{}", second.stderr);
    assert_eq!(home.stockade(&["unwrap"]).code, 0);
    assert_eq!(home.cursor(), before);
    // A change that has to be taken up tells that the agent has looked.
    let more = before.replacen('{', "{\"other\":1,", 1).replace("\"b\"", "\"c\":{\"command\":\"x\"},\"b\"");
    home.write(".cursor/mcp.json", more.as_bytes());
    eventually("the third is wrapped", || home.cursor().contains("cursor/c"));
    assert_eq!(home.cursor().matches("--id").count(), 1, "{}", home.cursor());
    let status = home.stockade(&["status"]);
    assert!(status.stdout.contains("unwrapped by its user"), "{}", status.stdout);
    assert_eq!(home.stockade(&["wrap", "--server", "a"]).code, 0);
    assert_eq!(home.cursor().matches("--id").count(), 2);
    // From now on `a` is the agent's to keep again.
    let bare = home.cursor();
    home.write(".cursor/mcp.json", more.as_bytes());
    eventually("a and c again", || home.cursor() == bare);
    assert_eq!(agent.end(), 0);
}

#[test]
fn a_program_that_writes_back_each_time_is_given_way_to_with_an_alert() {
    let bare = r#"{"mcpServers":{"a":{"command":"x"}}}"#;
    let home = Home::with_cursor(bare);
    let agent = Agent::of(&home);
    let path = home.path(".cursor/mcp.json");
    eventually("the alert", || {
        if std::fs::read_to_string(&path).unwrap() != bare {
            rename_in(&path, bare);
        }
        agent.said("ALERT") > 0
    });
    rename_in(&path, bare);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(home.cursor(), bare, "it is left alone");
    let told = events(&home, "inventory.problem");
    assert!(
        told.last().unwrap()["what"]["why"].as_str().unwrap().contains("writing its entries back"),
        "{told:#?}"
    );
    // Other files are none of its business.
    home.write(".codex/config.toml", b"[mcp_servers.t]\ncommand = \"x\"\n");
    eventually("another client's", || home.read(".codex/config.toml").contains("codex/t"));
}

#[test]
fn a_file_that_is_broken_for_a_while_is_wrapped_when_it_is_whole() {
    let home = Home::with_cursor("{\"mcpServers\": {\"a\": {\"comm");
    let agent = Agent::of(&home);
    eventually("it is said", || agent.said("left alone") == 1);
    home.write(".cursor/mcp.json", br#"{"mcpServers": {"a": {"command": "x"}}}"#);
    eventually("it is wrapped", || home.cursor().contains("cursor/a"));
    assert_eq!(agent.said("left alone"), 1, "once");
}

#[test]
fn a_server_that_a_client_still_runs_bare_is_recorded_and_stopped_where_the_policy_says_so() {
    for (policy, done, lives) in
        [("", "recorded", true), ("[defaults]\nbare_servers = \"stop\"\n", "stopped", false)]
    {
        let home = Home::with_cursor(r#"{"mcpServers":{"slow":{"command":"/bin/sleep","args":["300"]}}}"#);
        home.write(".config/stockade/policy.toml", format!("version = 1\n{policy}").as_bytes());
        std::os::unix::fs::symlink("/bin/sh", home.path("cursor")).unwrap();
        let mut client =
            home.command(&home.path("cursor"), &["-c", "/bin/sleep 300 & wait"]).spawn().unwrap();
        let agent = Agent::of(&home);
        let mut found = Vec::new();
        eventually("it is found", || {
            found = events(&home, "inventory.bare");
            // Other tests have clients of their own.
            found.retain(|event| event["what"]["client_pid"] == client.id());
            !found.is_empty()
        });
        let what = &found[0]["what"];
        assert_eq!(
            (&what["server"], &what["done"], &what["stale"]),
            (&json!("slow"), &json!(done), &json!(true))
        );
        let pid = what["pid"].as_u64().unwrap();
        let runs = || Path::new(&format!("/proc/{pid}/exe")).exists();
        if lives {
            assert!(runs());
            kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
        }
        eventually("the client sees its end", || client.try_wait().unwrap().is_some());
        assert_eq!(agent.end(), 0);
    }
}

#[test]
fn a_storm_of_edits_by_two_writers_loses_nothing_and_all_is_wrapped_at_its_end() {
    const FILES: usize = 100;
    const EDITS: usize = 500;
    let home = Home::empty();
    let paths: Vec<PathBuf> = (0..FILES)
        .map(|number| home.path(&format!(".config/Code/User/profiles/p{number}/mcp.json")))
        .collect();
    for path in &paths {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "{\n  // mine\n  \"servers\": {\n  },\n  \"last\": \"\"\n}\n").unwrap();
    }
    let agent = Agent::of(&home);
    // The two do not lose each other's edits: what is lost is lost by us.
    let locks: Vec<Mutex<Vec<String>>> = paths.iter().map(|_| Mutex::new(Vec::new())).collect();
    std::thread::scope(|scope| {
        for writer in 0..2_usize {
            let (paths, locks) = (&paths, &locks);
            scope.spawn(move || {
                for edit in 0..EDITS {
                    let at = (edit * 7 + writer * 31 + edit * edit * 3) % FILES;
                    let mut names = locks[at].lock().unwrap();
                    let name = format!("w{writer}e{edit}");
                    let text = std::fs::read_to_string(&paths[at]).unwrap();
                    let entry = format!(
                        "\"servers\": {{\n    \"{name}\": {{\"command\": \"node\", \"args\": [\"{edit}\"]}},"
                    );
                    let text = text.replacen("\"servers\": {", &entry, 1);
                    let (head, tail) = text.split_once("\"last\": \"").unwrap();
                    let tail = tail.split_once('"').unwrap().1;
                    let text = format!("{head}\"last\": \"{name}\"{tail}");
                    if edit % 2 == 0 {
                        rename_in(&paths[at], &text);
                    } else {
                        std::fs::write(&paths[at], &text).unwrap();
                    }
                    names.push(name);
                    drop(names);
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
        }
    });
    let bare = || {
        paths
            .iter()
            .map(|path| std::fs::read_to_string(path).unwrap().matches("\"command\": \"node\"").count())
            .sum::<usize>()
    };
    eventually("all are wrapped", || bare() == 0);
    for (path, names) in paths.iter().zip(&locks) {
        let (text, names) = (std::fs::read_to_string(path).unwrap(), names.lock().unwrap());
        for name in names.iter() {
            assert!(text.contains(&format!("\"{name}\": ")), "{name} is lost: {text}");
        }
        assert_eq!(text.matches("--id").count(), names.len(), "{text}");
        let last = names.last().map_or("", String::as_str);
        assert!(text.contains(&format!("\"last\": \"{last}\"")), "{text}");
    }
    let left: Vec<_> = home
        .tree()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "stockade"))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new(), "temporary files");
    assert_eq!(agent.end(), 0);
}

#[test]
fn it_is_installed_as_a_service_of_the_user_and_taken_away() {
    let home = Home::empty();
    let said = home.stockade(&["agent", "install", "--print", "--os", "macos"]);
    assert!(said.stdout.contains("<string>agent</string>"), "{}", said.stdout);
    let said = home.stockade(&["agent", "install"]);
    let unit = home.read(".config/systemd/user/stockade-agent.service");
    assert!(unit.contains(&format!("ExecStart=\"{STOCKADE}\" agent run")), "{unit}");
    // Where no manager of services is, that is said, with the way on.
    assert!(said.code == 0 || said.stderr.contains("systemctl --user"), "{}", said.stderr);
    assert!(home.stockade(&["agent", "status"]).stdout.contains("installed: "));
    assert_eq!(home.stockade(&["agent", "uninstall"]).code, 0);
    assert!(!home.path(".config/systemd/user/stockade-agent.service").exists());
}

#[test]
fn the_servers_of_projects_are_shadowed_once_they_are_approved_if_the_policy_says_so() {
    let home = Home::empty();
    home.write(".config/stockade/policy.toml", b"version = 1\n[defaults]\nproject_files = \"shadow\"\n");
    home.write("work/.mcp.json", br#"{"mcpServers": {"docs": {"command": "node", "args": ["docs.js"]}}}"#);
    let root = home.path("work").display().to_string();
    let config = |approved: &Value| {
        let project = json!({ "enabledMcpjsonServers": approved, "mcpServers": {} });
        format!("{:#}\n", json!({ "projects": { (root.clone()): project } }))
    };
    home.write(".claude.json", config(&json!([])).as_bytes());
    let agent = Agent::of(&home);
    let of_project = |event: &Value| event["what"]["of"] == "project" && event["what"]["server"] == "docs";
    eventually("it is in the inventory", || events(&home, "inventory.server").iter().any(of_project));
    assert!(!home.read(".claude.json").contains("docs.js"));
    rename_in(&home.path(".claude.json"), &config(&json!(["docs"])));
    eventually("it is shadowed", || home.read(".claude.json").contains("docs.js"));
    eventually("it is told", || agent.said("wrapped claude-code/docs") == 1);
    assert!(!home.read("work/.mcp.json").contains("stockade"));
    assert_eq!(agent.end(), 0);
}

#[test]
fn the_inventory_says_which_client_it_is_and_what_a_bridge_carries() {
    let home = Home::empty();
    let package = "lib/node_modules/@openai/codex";
    home.write(&format!("{package}/package.json"), br#"{"name": "@openai/codex", "version": "0.169.0"}"#);
    home.write(&format!("{package}/bin/codex.js"), b"read line");
    // An interpreter that runs the client's script: a shell does.
    std::os::unix::fs::symlink("/bin/sh", home.path("node")).unwrap();
    let script = home.path(&format!("{package}/bin/codex.js")).display().to_string();
    let mut client = home.command(&home.path("node"), &[&script]).stdin(Stdio::piped()).spawn().unwrap();
    let config = "[mcp_servers.far]\ncommand = \"npx\"\nargs = [\"-y\", \"mcp-remote\", \"https://u:p@mcp.example.com/sse?k=v\"]\n";
    home.write(".codex/config.toml", config.as_bytes());
    let agent = Agent::of(&home);
    let far =
        |event: &Value| event["what"]["server"] == "far" && event["what"]["client_version"] == "0.169.0";
    eventually("it is in the inventory", || events(&home, "inventory.server").iter().any(far));
    let event = events(&home, "inventory.server").into_iter().find(far).unwrap();
    assert_eq!(event["what"]["carries"], json!(["https://mcp.example.com/sse"]));
    assert!(!event.to_string().contains("u:p@"), "{event:#}");
    assert_eq!(agent.end(), 0);
    drop(client.stdin.take());
    client.wait().unwrap();
}

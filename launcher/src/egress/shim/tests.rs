use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output, Stdio};

use stockade_sandbox::{BackendChoice, Limits, Need, Network, Observe, Required, TreeEnd};

use super::super::Settings;
use super::super::testing::{Stage, blocking, run};
use super::*;

fn ruleset() -> Ruleset {
    Ruleset {
        files: Some(Files::plain(Vec::new())),
        network: Network::None,
        unix: Vec::new(),
        observe: Observe::Refused,
        env: vec![("PATH".into(), "/usr/bin:/bin".into()), ("BROWSER".into(), "firefox".into())],
        limits: Limits { open_files: 64, file_bytes: 1, processes: 1, cpu_seconds: None, memory_bytes: None },
        backend: BackendChoice::Auto,
        required: Required { fs: Need::BestEffort, net: Need::BestEffort, process: Need::BestEffort },
        tree_end: TreeEnd::Kill,
    }
}

struct Desk {
    dir: tempfile::TempDir,
    env: Vec<(OsString, OsString)>,
    stage: Stage,
}

impl Desk {
    /// A session in which `*.example.org` is granted, with a browser that writes down what it is given.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let browser = dir.path().join("browser");
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >>{}/opened\n", dir.path().display());
        std::fs::write(&browser, script).unwrap();
        std::fs::set_permissions(&browser, Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        let mut ruleset = ruleset();
        let named = Some(browser.into_os_string());
        let (scripts, tmp) = (dir.path().join("shim"), dir.path().join("tmp"));
        assert!(Shim::announce(&scripts, &tmp, &mut ruleset));
        let shim = Shim::place(&scripts, &tmp, named).unwrap();
        let settings = Settings { open_hosts: vec!["*.example.org".into()], ..Settings::default() };
        Self { stage: Stage::with_shim(settings, &[], Some(shim)), env: ruleset.env, dir }
    }

    /// Runs a program of the shim as the server would.
    async fn calls(&self, name: &str, words: &[&str]) -> Output {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg("name=$1; shift; exec \"$name\" \"$@\"").arg("sh").arg(name).args(words);
        command.env_clear().envs(self.env.iter().cloned()).stdin(Stdio::null());
        blocking(move || command.output().unwrap()).await
    }

    async fn opened(&self) -> String {
        let path = self.dir.path().join("opened");
        for _ in 0..1_000 {
            if let Ok(text) = std::fs::read_to_string(&path)
                && text.ends_with('\n')
            {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nothing was opened: {:#?}", self.stage.kept.events.borrow());
    }
}

#[test]
fn a_page_of_a_granted_host_is_opened_outside_as_it_was_asked_for() {
    let page = "https://login.example.org/authorize?client_id=1&state=s3cret&x=$(id);'\"%20";
    // Quotes are no part of an address; everything else a shell could stumble over is.
    let page = page.replace(['\'', '"'], "");
    run(async {
        let desk = Desk::new();
        let output = desk.calls("xdg-open", &[&page]).await;
        assert!(output.status.success(), "{output:?}");
        assert_eq!(desk.opened().await, format!("{page}\n"));
        let event = desk.stage.kept.until("browser").await;
        assert_eq!(event["outcome"], "opened");
        assert_eq!(event["page"], "https://login.example.org/authorize");
        assert!(!event.to_string().contains("state"), "{event}");
    });
}

#[test]
fn every_name_and_the_browser_variable_lead_to_us() {
    run(async {
        let desk = Desk::new();
        let browser = desk.env.iter().find(|(name, _)| name == "BROWSER").unwrap().1.clone();
        let path = desk.env.iter().find(|(name, _)| name == "PATH").unwrap().1.clone();
        assert!(path.to_str().unwrap().ends_with("/shim:/usr/bin:/bin"), "{path:?}");
        for name in NAMES.into_iter().chain([browser.to_str().unwrap()]) {
            let output = desk.calls(name, &["--new-window", "https://other.example/secret?token"]).await;
            assert!(output.status.success(), "{name}: {output:?}");
        }
        let event = desk.stage.kept.until("browser").await;
        assert_eq!(event["outcome"], "refused");
        assert!(event["fragment"].as_str().unwrap().contains("host = \"other.example\""), "{event}");
        assert!(
            desk.stage.kept.told.borrow().contains("https://other.example/secret"),
            "{}",
            desk.stage.kept.told.borrow()
        );
        assert!(!desk.stage.kept.told.borrow().contains("token"));
        assert!(!desk.dir.path().join("opened").exists());
    });
}

#[test]
fn what_is_no_web_page_goes_nowhere() {
    run(async {
        let desk = Desk::new();
        for word in ["file:///etc/passwd", "/etc/passwd", "", "mailto:a@example.org", "vscode://x"] {
            assert_eq!(desk.calls("open", &[word]).await.status.code(), Some(3), "{word}");
        }
        // Past the script, straight into the FIFO.
        let fifo = desk.dir.path().join("tmp/open-in-browser");
        let mut writer = OpenOptions::new().write(true).open(fifo).unwrap();
        let long = format!("https://a.example.org/{}\n", "x".repeat(PAGE_BYTES_MAX));
        writer.write_all(long.as_bytes()).unwrap();
        writer.write_all(b"file:///etc/passwd\nhttps://evil.example\\@a.example.org/\n").unwrap();
        writer.write_all(b"https://last.example.org/\n").unwrap();
        assert_eq!(desk.opened().await, "https://last.example.org/\n");
    });
}

#[test]
fn the_desktop_is_not_filled_with_windows() {
    run(async {
        let desk = Desk::new();
        for n in 0..PAGES_MAX + 3 {
            desk.calls("xdg-open", &[&format!("https://a.example.org/{n}")]).await;
        }
        for _ in 0..1_000 {
            if desk.stage.kept.of("browser").len() == PAGES_MAX + 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(desk.opened().await.lines().count(), PAGES_MAX);
        let refused =
            desk.stage.kept.of("browser").iter().filter(|event| event["outcome"] == "refused").count();
        assert_eq!(refused, 3);
    });
}

#[test]
fn the_scripts_are_made_once_and_mended() {
    let dir = tempfile::tempdir().unwrap();
    let shim = dir.path().join("shim");
    make_scripts(&shim).unwrap();
    let made = |name: &str| std::fs::metadata(shim.join(name)).unwrap();
    assert_eq!(made("open").mode() & 0o777, 0o755);
    let first = made("xdg-open").ino();
    std::fs::write(shim.join("open"), "#!/bin/sh\nevil\n").unwrap();
    make_scripts(&shim).unwrap();
    assert_eq!(made("xdg-open").ino(), first);
    assert_eq!(std::fs::read_to_string(shim.join("open")).unwrap(), SCRIPT);
}

#[test]
fn the_server_may_execute_the_scripts_and_not_write_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut ruleset = ruleset();
    let shim = dir.path().join("shim");
    assert!(Shim::announce(&shim, dir.path(), &mut ruleset));
    let once = ruleset.clone();
    assert!(!Shim::announce(&shim, dir.path(), &mut ruleset), "a ruleset is told once");
    assert_eq!(ruleset, once);
    let files = ruleset.files.unwrap();
    let expected = [PathRule { path: shim, access: Access::ReadExecute }];
    assert_eq!((&files.wide[..], &files.narrow[..]), (&expected[..], &expected[..]));
}

#[test]
fn lines_come_whole_however_they_are_cut() {
    let text = b"one\n\ntwo\nthree";
    for piece in 1..text.len() {
        let mut lines = Lines::default();
        let all: Vec<String> = text.chunks(piece).flat_map(|chunk| lines.add(chunk)).collect();
        assert_eq!(all, ["one", "two"], "pieces of {piece}");
    }
}

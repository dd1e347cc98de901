//! There and back: what is written, what is printed, what is kept.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{FIXTURES, Home, STOCKADE, Said};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_three_clients_configs_are_wrapped_and_come_back_byte_for_byte() {
    let home = Home::furnished();
    let wrapped = home.stockade(&["wrap"]);
    assert_eq!(wrapped.code, 0, "{}", wrapped.stderr);
    for fixture in &FIXTURES {
        assert_eq!(home.read(fixture.path), fixture.after(STOCKADE), "{}", fixture.client);
    }
    let unwrapped = home.stockade(&["unwrap"]);
    assert_eq!(unwrapped.code, 0, "{}", unwrapped.stderr);
    assert_eq!(unwrapped.stdout.matches("restored, byte for byte").count(), 8, "{}", unwrapped.stdout);
    for fixture in &FIXTURES {
        assert_eq!(home.read(fixture.path).as_bytes(), fixture.before, "{}", fixture.client);
    }
}

#[test]
fn the_table_is_on_stdout_and_the_forecast_on_stderr() {
    let home = Home::furnished();
    let Said { stdout, stderr, .. } = home.stockade(&["wrap"]);
    for line in [
        "filesystem  wrapped",
        "github      wrapped",
        "linear                          not covered yet: remote server",
        "memory [/home/ada/work/engine]  wrapped",
        "wetter/düsseldorf  wrapped",
    ] {
        assert!(stdout.contains(line), "{line:?} is not in\n{stdout}");
    }
    for line in [
        "Cursor: restart it, or toggle the server",
        "Claude Code: new sessions use the change",
        "Claude Desktop: quit it and start it again",
        "Servers that a client has started already stay bare until it starts them anew.",
        "`stockade bisect CLIENT/NAME`",
    ] {
        assert!(stderr.contains(line), "{line:?} is not in\n{stderr}");
    }
    let again = home.stockade(&["wrap"]);
    assert_eq!(again.stdout.matches("already wrapped, as ").count(), 8, "{}", again.stdout);
    assert_eq!(again.stderr, "");
}

#[test]
fn a_dry_run_shows_a_diff_and_writes_nothing() {
    let home = Home::furnished();
    let before = home.tree();
    let said = home.stockade(&["wrap", "--dry-run"]);
    assert_eq!(said.code, 0);
    let path = home.path(".claude.json").display().to_string();
    assert!(said.stdout.contains(&format!("--- {path}\n+++ {path}\n@@ ")), "{}", said.stdout);
    assert!(said.stdout.contains("\n-      \"command\": \"node\",\n"), "{}", said.stdout);
    assert!(said.stdout.contains(&format!("\n+      \"command\": \"{STOCKADE}\",\n")), "{}", said.stdout);
    assert!(said.stderr.contains("filesystem  would be wrapped"), "{}", said.stderr);
    assert_eq!(home.tree(), before);
    for fixture in &FIXTURES {
        assert_eq!(home.read(fixture.path).as_bytes(), fixture.before);
    }
}

#[test]
fn a_dry_run_is_what_then_happens() {
    let home = Home::with_cursor("{\"mcpServers\": {\"a\": {\n  \"command\": \"c\"\n}}}\n");
    let patch = home.stockade(&["wrap", "--dry-run"]).stdout;
    home.write("copy.json", home.cursor().as_bytes());
    home.write("p.diff", patch.as_bytes());
    let patched = home.command(Path::new("patch"), &["-s", "copy.json", "p.diff"]).status();
    home.stockade(&["wrap"]);
    // Not every machine has patch(1).
    if patched.is_ok() {
        assert_eq!(home.read("copy.json"), home.cursor());
    }
    let added: Vec<String> = home.cursor().lines().map(str::to_owned).collect();
    assert!(
        patch
            .lines()
            .filter_map(|line| line.strip_prefix('+'))
            .skip(1)
            .all(|line| added.contains(&line.to_owned()))
    );
    let back = home.stockade(&["unwrap", "--dry-run"]);
    assert!(back.stdout.contains("\n+  \"command\": \"c\"\n"), "{}", back.stdout);
    assert!(home.cursor().contains("stockade"));
}

#[test]
fn a_lost_state_directory_costs_nothing_but_spacing() {
    let home = Home::furnished();
    home.stockade(&["wrap"]);
    std::fs::remove_dir_all(home.state()).unwrap();
    let said = home.stockade(&["unwrap"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("nothing is in the journal"), "{}", said.stdout);
    for fixture in &FIXTURES {
        let back = home.read(fixture.path);
        // The one thing that an entry cannot tell: whether it had an `args` at all.
        let back = back.replace("mcp-server-time\",\n      \"args\": []", "mcp-server-time\"");
        assert_eq!(back.as_bytes(), fixture.before, "{}", fixture.client);
    }
}

#[test]
fn what_others_change_meanwhile_is_kept() {
    let home = Home::furnished();
    home.stockade(&["wrap"]);
    let edit = |text: &str| {
        text.replace("\"numStartups\": 184", "\"numStartups\": 185")
            .replace("\"timeout\": 60000", "\"timeout\": 5")
            .replace("\"oauthAccount\": null", "\"oauthAccount\": {\"x\": \"\\ud83e\"}")
    };
    let now = edit(&home.read(".claude.json"));
    home.write(".claude.json", now.as_bytes());
    assert_eq!(home.stockade(&["unwrap"]).code, 0);
    assert_eq!(home.read(".claude.json"), edit(std::str::from_utf8(FIXTURES[1].before).unwrap()));
}

#[test]
fn one_client_and_one_server_can_be_chosen() {
    let home = Home::furnished();
    let said = home.stockade(&["wrap", "--client", "claude-desktop", "--server", "github"]);
    assert_eq!(said.code, 0);
    assert!(said.stdout.contains("github  wrapped"), "{}", said.stdout);
    let desktop = home.read(FIXTURES[0].path);
    assert_eq!(desktop.matches(STOCKADE).count(), 1, "{desktop}");
    assert!(desktop.contains("\"claude-desktop/github\", \"--\", \"npx\", \"-y\""), "{desktop}");
    for fixture in &FIXTURES[1..] {
        assert_eq!(home.read(fixture.path).as_bytes(), fixture.before);
    }
    home.stockade(&["unwrap", "--client", "cursor"]);
    assert_eq!(home.read(FIXTURES[0].path), desktop);
    home.stockade(&["unwrap", "--server", "github"]);
    assert_eq!(home.read(FIXTURES[0].path).as_bytes(), FIXTURES[0].before);
}

#[test]
fn the_journal_and_the_backup_are_for_the_user_alone() {
    let home = Home::furnished();
    home.stockade(&["wrap"]);
    let journal = home.state().join("journal");
    assert_eq!(mode(&journal), 0o700);
    let mut backups = 0;
    for entry in std::fs::read_dir(&journal).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        if path.extension().is_some_and(|extension| extension == "backup") {
            backups += 1;
            let bytes = std::fs::read(&path).unwrap();
            assert!(FIXTURES.iter().any(|fixture| fixture.before == bytes));
        }
    }
    assert_eq!(backups, 3);
}

#[test]
fn modes_stay_and_nothing_is_left_beside_the_files() {
    let home = Home::furnished();
    let path = home.path(".claude.json");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let before = home.tree();
    home.stockade(&["wrap"]);
    home.stockade(&["unwrap"]);
    assert_eq!(mode(&path), 0o600);
    let after: Vec<_> =
        home.tree().into_iter().filter(|path| !path.starts_with(home.path(".local"))).collect();
    assert_eq!(after, before);
}

#[test]
fn clients_start_the_path_by_which_stockade_was_called() {
    let home = Home::with_cursor("{\"mcpServers\": {\"a\": {\"command\": \"c\"}}}");
    std::fs::create_dir(home.path("bin")).unwrap();
    let link = home.path("bin/stockade");
    symlink(STOCKADE, &link).unwrap();
    let mut command = home.command(Path::new("/bin/sh"), &["-c", "stockade wrap"]);
    let said = Said::from(command.env("PATH", link.parent().unwrap()).output().unwrap());
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(home.cursor().contains(&format!("\"command\": \"{}\"", link.display())), "{}", home.cursor());
}

#[test]
fn a_moved_config_directory_is_honoured() {
    let home = Home::furnished();
    home.write("elsewhere/.claude.json", FIXTURES[1].before);
    let mut command = home.command(Path::new(STOCKADE), &["wrap", "--client", "claude-code"]);
    let said = Said::from(command.env("CLAUDE_CONFIG_DIR", home.path("elsewhere")).output().unwrap());
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(home.read("elsewhere/.claude.json"), FIXTURES[1].after(STOCKADE));
    assert_eq!(home.read(".claude.json").as_bytes(), FIXTURES[1].before);
}

#[test]
fn a_server_that_runs_already_is_named_with_the_client_that_keeps_it_bare() {
    let line = "sleep 30 & wait";
    let config = format!(r#"{{"mcpServers":{{"slow":{{"command":"/bin/sh","args":["-c","{line}"]}}}}}}"#);
    let home = Home::with_cursor(&config);
    // A program of a client's name, which starts the entry as it stands.
    std::fs::copy(std::fs::canonicalize("/bin/sh").unwrap(), home.path("claude")).unwrap();
    let mut client =
        home.command(&home.path("claude"), &["-c", "/bin/sh -c 'sleep 30 & wait' & wait"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let said = home.stockade(&["wrap"]);
    let server = nix::sys::signal::Signal::SIGKILL;
    let pid = client.id();
    let told = format!("stay bare until Claude Code restarts (pid {pid}): slow (pid ");
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()), server);
    client.wait().unwrap();
    assert!(said.stderr.contains(&told), "{told}\n{}", said.stderr);
}

#[test]
fn a_file_that_is_only_reported_is_told_and_is_no_failure() {
    let home = Home::with_cursor(r#"{"mcpServers":{"a":{"command":"b"}}}"#);
    let unsure = r#"{"mcpServers":{"c":{"command":"d"}}}"#;
    home.write(".augment/settings.json", unsure.as_bytes());
    let said = home.stockade(&["wrap"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("Auggie") && said.stdout.contains("not written: "), "{}", said.stdout);
    assert_eq!(home.read(".augment/settings.json"), unsure);
    assert_eq!(home.stockade(&["status"]).code, 1, "it is not covered all the same");
}

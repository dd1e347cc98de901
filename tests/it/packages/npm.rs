//! npm end to end.

use serde_json::json;

use super::*;

#[test]
fn the_first_use_pins_the_whole_tree_and_the_second_start_needs_no_registry() {
    let registry = Registry::new(&two_packages(""));
    let first = registry.says(&[&RUN[..], &["--flag", "word"]].concat());
    assert_eq!(first, json!({ "leaf": "1.0.0", "argv": ["--flag", "word"] }));
    let pins = registry.pins();
    assert_eq!(pins.len(), 1);
    assert_eq!(pins[0]["purl"], "pkg:npm/%40team/server@1.0.0");
    assert_eq!((&pins[0]["state"], &pins[0]["packages"]), (&json!("pinned"), &json!(2)));
    let shown = registry.stockade(&["pins", "show", "@team/server"]).stdout_text();
    assert!(shown.contains("leaf@1.0.0  sha512-"), "{shown}");

    registry.switch_off();
    let asked = registry.asked().len();
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    assert_eq!(registry.asked().len(), asked);
    // The control: what is not pinned cannot be had any more.
    let failure = registry.fails(&["jail", "--", "npx", "-y", "leaf"]);
    assert!(failure.contains("cannot resolve `leaf`"), "{failure}");
    assert_eq!(registry.pins().len(), 1, "a fetch that failed pins nothing");
    let fetched = registry.events("package.fetched");
    assert_eq!(fetched.len(), 1, "{fetched:#?}");
    assert_eq!(fetched[0]["registry"], format!("127.0.0.1:{}", registry.port));
}

#[test]
fn an_optional_package_that_the_registry_lacks_is_done_without() {
    let registry = Registry::new(&two_packages(""));
    registry.change(|packages| {
        packages["npm"]["@team/server"]["1.0.0"]["manifest"]["optionalDependencies"] =
            json!({ "for-another-platform": "1.0.0" });
    });
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    assert_eq!(registry.pins()[0]["packages"], 2);
}

#[test]
fn nothing_is_fetched_to_explain_a_start() {
    let registry = Registry::new(&two_packages(""));
    let failure = registry.fails(&["run", "--explain", "--", "npx", "-y", "@team/server"]);
    assert!(failure.contains("stockade fetch"), "{failure}");
    assert_eq!(registry.asked(), Vec::<String>::new());
    assert_eq!(registry.stockade(&["fetch", "--", "npx", "-y", "@team/server"]).code(), 0);
    let explained = registry.stockade(&["run", "--explain", "--", "npx", "-y", "@team/server"]).stdout_text();
    assert!(explained.contains("pkg:npm/%40team/server@1.0.0"), "{explained}");
    assert!(explained.contains("lock:sha256:"), "{explained}");
}

#[test]
fn a_changed_tarball_under_an_old_version_is_refused() {
    let registry = Registry::new(&two_packages(""));
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    registry.change(|packages| packages["npm"]["leaf"]["1.0.0"] = leaf("evil"));
    // What is in the store goes on; it is what was pinned.
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    let checked = registry.stockade(&["pins", "check", "@team/server"]);
    assert_eq!(checked.code(), 1, "{}", checked.stderr);
    assert!(checked.stdout_text().contains("changed without a version"), "{}", checked.stdout_text());
    assert_eq!(registry.events("package.changed")[0]["changed"], json!(["leaf@1.0.0"]));
    let told = registry.jail(&RUN);
    assert!(told.stdout_text().contains("1.0.0") && told.stderr.contains("refused"), "{told:#?}");
    // Without the tree it would have to be fetched again.
    for tree in registry.trees("npm") {
        std::fs::remove_dir_all(tree).expect("it can be removed");
    }
    let failure = registry.fails(&[&["run", "--"], &RUN[..]].concat());
    assert!(failure.contains("changed without a version"), "{failure}");
    assert_eq!(registry.trees("npm").len(), 0, "nothing of it is kept");
}

/// Writes what it could do into its own package: read a secret of the user's, and reach the registry.
fn with_script(registry_url: &str, secret: &std::path::Path) -> serde_json::Value {
    let script = format!(
        "const fs = require('fs');\nconst out = {{}};\n\
         try {{ out.secret = fs.readFileSync('{}', 'utf8'); }} catch (error) {{ out.secret = error.code; }}\n\
         fetch('{registry_url}').then(() => 'reached', () => 'refused').then((net) => {{\n\
         out.net = net; fs.writeFileSync('canary.json', JSON.stringify(out)); }});\n",
        secret.display()
    );
    json!({ "manifest": { "main": "index.js", "scripts": { "postinstall": "node script.js" } },
            "files": { "index.js": "module.exports = require('fs').existsSync(__dirname + '/canary.json') ? \
                       JSON.parse(require('fs').readFileSync(__dirname + '/canary.json')) : 'no script ran';\n",
                       "script.js": script } })
}

#[test]
fn an_install_script_does_not_run_unless_the_profile_grants_it_and_then_sees_nothing() {
    let registry = Registry::new(&two_packages(""));
    let secret = registry.world.write("home/secret.txt", "canary");
    let url = format!("http://127.0.0.1:{}/leaf", registry.port);
    registry.change(|packages| packages["npm"]["leaf"]["1.0.0"] = with_script(&url, &secret));
    assert_eq!(registry.says(&RUN)["leaf"], "no script ran");
    assert_eq!(registry.events("package.fetched")[0]["scripts_left_out"], json!(["leaf"]));

    let granted = Registry::new(&two_packages(""));
    let secret = granted.world.write("home/secret.txt", "canary");
    let url = format!("http://127.0.0.1:{}/leaf", granted.port);
    granted.change(|packages| packages["npm"]["leaf"]["1.0.0"] = with_script(&url, &secret));
    granted.world.write(
        "config/stockade/profiles/team.toml",
        "name = \"team\"\ndescription = \"a test\"\nextends = \"offline\"\nidentity = [\"pkg:npm/@team/server\"]\n\
         [install]\nscripts = true\n",
    );
    let seen = granted.says(&RUN)["leaf"].clone();
    assert!(["ENOENT", "EACCES"].map(serde_json::Value::from).contains(&seen["secret"]), "{seen}");
    assert_eq!(seen["net"], "refused", "{seen}");
    // The control: the same script outside sees both.
    let tree = granted.trees("npm").pop().expect("a tree");
    let mut bare = std::process::Command::new(crate::support::node());
    bare.arg("script.js").current_dir(tree.join("node_modules/leaf"));
    assert!(bare.status().expect("node starts").success());
    let seen = std::fs::read_to_string(tree.join("node_modules/leaf/canary.json")).expect("it wrote");
    assert_eq!(seen, r#"{"secret":"canary","net":"reached"}"#);
}

#[test]
fn the_token_reaches_the_registry_and_not_the_server() {
    let code = "const hits = [];\n\
        const look = (dir, depth) => { let names = []; try { names = fs.readdirSync(dir, { withFileTypes: true }); } catch { return; }\n\
          for (const name of names) { const path = dir + '/' + name.name;\n\
            if (name.isDirectory() && depth > 0) look(path, depth - 1);\n\
            else if (name.isFile()) { try { if (fs.readFileSync(path, 'utf8').includes('npm_' + 'canary')) hits.push(path); } catch {} } } };\n\
        look(process.argv[2].slice(1), 12);\n\
        seen.env = JSON.stringify(process.env).includes('npm_' + 'canary');\n\
        seen.hits = hits.length;";
    let mut packages = two_packages(code);
    packages["token"] = json!("npm_canary");
    let registry = Registry::new(&packages);
    // Not as a path, for a path that is named is granted.
    let root = format!("@{}", registry.world.root().display());
    let words = [&RUN[..], &[root.as_str()]].concat();
    let failure = registry.fails(&[&["jail", "--"], &words[..]].concat());
    assert!(failure.contains("cannot resolve"), "without the token nothing is had: {failure}");

    let port = registry.port;
    registry.world.write(
        "home/.npmrc",
        &format!("registry=http://127.0.0.1:{port}/\n//127.0.0.1:{port}/:_authToken=${{TOKEN}}\n"),
    );
    registry.world.write("home/token.txt", "npm_canary");
    let mut command = registry.world.stockade([&["jail", "--"], &words[..]].concat());
    command.env("TOKEN", "npm_canary");
    let finished = finish(command.spawn().expect("stockade starts"), PATIENCE);
    let seen: Value =
        serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:#?}"));
    assert_eq!((&seen["env"], &seen["hits"]), (&json!(false), &json!(0)), "{seen}");
    assert!(
        registry.asked().iter().any(|line| line.ends_with("Bearer npm_canary")),
        "{:?}",
        registry.asked()
    );
    // The control: the same look outside finds it.
    let tree = registry.trees("npm").pop().expect("a tree");
    let mut bare = std::process::Command::new(crate::support::node());
    bare.arg(tree.join("node_modules/@team/server/index.js")).arg(&root).env("TOKEN", "npm_canary");
    let bare = bare.output().expect("node starts");
    let seen: Value = serde_json::from_slice(&bare.stdout).expect("JSON");
    assert_eq!(seen["env"], true);
    assert!(seen["hits"].as_u64().is_some_and(|hits| hits > 0), "{seen}");
    // And nothing of it stays in what Stockade keeps.
    assert!(!holds(&registry.world.state(), "npm_canary"));
}

/// Whether a file below a directory holds a text.
fn holds(dir: &std::path::Path, text: &str) -> bool {
    std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok).any(|entry| {
        let kind = entry.file_type().expect("a type");
        let path = entry.path();
        if kind.is_dir() {
            holds(&path, text)
        } else {
            // The server's own script holds the word in two halves.
            kind.is_file()
                && std::fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
        }
    })
}

#[test]
fn two_first_starts_at_once_fetch_once() {
    let mut packages = two_packages("");
    packages["slow"] = json!(1);
    let registry = Registry::new(&packages);
    let start =
        || registry.world.stockade([&["jail", "--"], &RUN[..]].concat()).spawn().expect("stockade starts");
    let (one, two) = (start(), start());
    for child in [one, two] {
        let finished = finish(child, PATIENCE);
        assert!(finished.stdout_text().contains("1.0.0"), "{finished:#?}");
    }
    let files = registry.asked().into_iter().filter(|line| line.contains(".tgz")).count();
    assert_eq!(files, 2, "{:#?}", registry.asked());
    assert_eq!(registry.trees("npm").len(), 1);
}

#[test]
fn a_fetch_that_is_killed_leaves_no_tree_and_the_next_one_works() {
    let mut packages = two_packages("");
    packages["slow"] = json!(30);
    let registry = Registry::new(&packages);
    let mut child =
        registry.world.stockade([&["fetch", "--"], &RUN[..]].concat()).spawn().expect("stockade starts");
    let asked = || registry.asked().iter().any(|line| line.contains(".tgz"));
    assert!(crate::support::wait_until(PATIENCE, asked), "{:?}", registry.asked());
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");
    assert_eq!((registry.trees("npm").len(), registry.pins().len()), (0, 0));
    registry.change(|packages| packages["slow"] = json!(0));
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
    let staging = registry.trees("staging");
    assert_eq!(staging, Vec::<PathBuf>::new(), "what the killed one left is gone");
}

#[test]
fn the_file_of_a_project_does_not_steer_a_fetch() {
    let registry = Registry::new(&two_packages(""));
    registry.world.write("project/.npmrc", "registry=http://127.0.0.1:9/\n");
    registry
        .world
        .write("project/package.json", r#"{"name":"p","dependencies":{"@team/server":"file:./evil"}}"#);
    registry.world.write("project/node_modules/.bin/server", "#!/bin/sh\necho '\"evil\"'\n");
    assert_eq!(registry.says(&RUN)["leaf"], "1.0.0");
}

#[test]
fn what_has_no_version_is_not_fetched() {
    let registry = Registry::new(&two_packages(""));
    for spec in ["git+https://127.0.0.1/r.git", "./local", "https://127.0.0.1/x.tgz"] {
        let failure = registry.fails(&["jail", "--", "npx", "-y", spec]);
        assert!(failure.contains("no package of a registry"), "{spec}: {failure}");
    }
    assert_eq!(registry.asked(), Vec::<String>::new());
}

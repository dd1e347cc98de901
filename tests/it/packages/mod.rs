//! Packages that a runner would fetch: a registry on loopback, a real npm and pip, two real jails.

mod configured;
mod npm;
mod python;
mod updates;

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, World, driver, finish, python};

/// npm is slow where many tests run at once.
const PATIENCE: Duration = Duration::from_secs(240);

/// A registry with the packages of one test; gone when dropped.
struct Registry {
    world: World,
    process: RefCell<Option<Child>>,
    port: u16,
    packages: RefCell<Value>,
}

impl Registry {
    /// Starts one in a world whose npm and pip are configured for it.
    fn new(packages: &Value) -> Self {
        let world = World::new();
        let dir = world.root().join("registry");
        world.write("registry/packages.json", &packages.to_string());
        let mut command = Command::new(python());
        command.arg("-B").arg(driver("registry.py")).arg(&dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the registry starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("its port");
        let port: u16 = line.trim().parse().expect("a port");
        world.write("home/.npmrc", &format!("registry=http://127.0.0.1:{port}/\n"));
        world
            .write("config/pip/pip.conf", &format!("[global]\nindex-url = http://127.0.0.1:{port}/simple\n"));
        Self { world, process: RefCell::new(Some(process)), port, packages: RefCell::new(packages.clone()) }
    }

    /// From now on it offers something else.
    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut packages = self.packages.borrow_mut();
        change(&mut packages);
        self.world.write("registry/packages.json", &packages.to_string());
    }

    /// From now on nobody answers.
    fn switch_off(&self) {
        if let Some(mut process) = self.process.borrow_mut().take() {
            process.kill().expect("it can be killed");
            process.wait().expect("it can be waited for");
        }
    }

    /// Everything that it was asked, as `METHOD PATH AUTHORIZATION`.
    fn asked(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.world.root().join("registry/requests.log"));
        log.unwrap_or_else(|_| String::new()).lines().map(str::to_owned).collect()
    }

    /// `stockade WORDS…` to its end.
    fn stockade(&self, words: &[&str]) -> Finished {
        finish(self.world.stockade(words.iter().copied()).spawn().expect("stockade starts"), PATIENCE)
    }

    /// `stockade jail -- WORDS…`, which starts what `run` would start and shows its output as it is.
    fn jail(&self, words: &[&str]) -> Finished {
        self.stockade(&[&["jail", "--"], words].concat())
    }

    /// What the server printed: one JSON value.
    #[track_caller]
    fn says(&self, words: &[&str]) -> Value {
        let finished = self.jail(words);
        assert_eq!(finished.code(), 0, "{}", finished.stderr);
        serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:#?}"))
    }

    /// `stockade WORDS…` that fails; what it said.
    #[track_caller]
    fn fails(&self, words: &[&str]) -> String {
        let finished = self.stockade(words);
        assert_ne!(finished.code(), 0, "{}", finished.stdout_text());
        finished.stderr
    }

    /// The pins of packages, as `pins list --json` has them.
    fn pins(&self) -> Vec<Value> {
        let finished = self.stockade(&["pins", "list", "--json"]);
        let pins: Value = serde_json::from_slice(&finished.stdout).expect("JSON");
        let of_packages = |pin: &&Value| pin["kind"] == "package";
        pins.as_array().expect("a list").iter().filter(of_packages).cloned().collect()
    }

    /// `stockade WORDS…` on a terminal, with this typed.
    fn on_a_terminal(&self, typed: &str, words: &[&str]) -> Finished {
        self.on_a_terminal_of("NOBODY", typed, words)
    }

    /// The same, with the variable that a client gives what it starts.
    fn on_a_terminal_of(&self, mark: &str, typed: &str, words: &[&str]) -> Finished {
        let mut command = Command::new(python());
        command.arg("-B").arg(driver("terminal.py")).args(words);
        self.world.dress(&mut command);
        command
            .env("STOCKADE", crate::support::stockade_bin())
            .env("TYPED", typed)
            .env("AWAIT", "[y/N]")
            .env(mark, "1");
        finish(command.spawn().expect("the driver starts"), PATIENCE)
    }

    /// All events of a kind.
    fn events(&self, kind: &str) -> Vec<Value> {
        let text = self.stockade(&["log", "--json"]).stdout_text();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
        events.filter(|event| event["kind"] == kind).map(|event| event["what"].clone()).collect()
    }

    /// Directories of fetched trees.
    fn trees(&self, ecosystem: &str) -> Vec<PathBuf> {
        let dir = self.world.state().join("stockade/packages").join(ecosystem);
        std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.expect("an entry").path()).collect()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.borrow_mut().take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A server in JavaScript that prints what it sees as one JSON value: the version of what it depends on, and what the
/// given code finds.
fn server(code: &str) -> String {
    format!(
        "#!/usr/bin/env node\nconst leaf = require('leaf');\nconst fs = require('fs');\nconst seen = {{ leaf, argv: process.argv.slice(2) }};\n{code}\n\
         console.log(JSON.stringify(seen));\n"
    )
}

/// `@team/server` 1.0.0, which depends on `leaf` ^1.0.0 of which there is 1.0.0.
fn two_packages(code: &str) -> Value {
    json!({ "npm": {
        "@team/server": { "1.0.0": {
            "manifest": { "bin": { "server": "index.js" }, "dependencies": { "leaf": "^1.0.0" } },
            "files": { "index.js": server(code) },
        } },
        "leaf": { "1.0.0": leaf("1.0.0") },
    } })
}

/// A version of `leaf`.
fn leaf(says: &str) -> Value {
    json!({ "manifest": { "main": "index.js" }, "files": { "index.js": format!("module.exports = '{says}';\n") } })
}

const RUN: [&str; 3] = ["npx", "-y", "@team/server"];

//! Drivers: clients that are not ours, written in Python and JavaScript. Each prints one JSON value.

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{Finished, World, driver, finish, node, places, python, stockade_bin, venv_python};

/// A command that runs a driver which needs nothing but Python.
pub(crate) fn raw_driver(name: &str) -> Command {
    let mut command = Command::new(python());
    command.arg("-B").arg(driver(name)); // -B: no compiled files beside the sources
    command
}

/// A command that runs a driver on the Python SDK.
pub(crate) fn python_sdk_driver(name: &str) -> Command {
    let mut command = Command::new(venv_python());
    command.arg("-B").arg(driver(name)); // -B: no compiled files beside the sources
    command
}

/// A command that runs a driver on the TypeScript SDK.
pub(crate) fn node_sdk_driver(name: &str) -> Command {
    let mut command = Command::new(node());
    command.arg(driver(name)).arg(places::node_modules());
    command
}

/// Speaks `steps` (see `drivers/converse.py`) with a server under `stockade run FLAGS`; what came of it. Nothing may be late.
pub(crate) fn converse(world: &World, flags: &[&str], server: &[OsString], steps: Vec<Value>) -> Value {
    let script = world.write("script.json", &Value::from(steps).to_string());
    let mut command = raw_driver("converse.py");
    command.arg(script).arg("--").arg(stockade_bin()).arg("run").args(flags).arg("--").args(server);
    let outcome = drive(world, command, Vec::<OsString>::new(), Duration::from_secs(300));
    assert!(outcome["late"].is_null(), "{outcome:#}");
    outcome
}

/// Runs a driver in a world to its end; its one JSON value.
pub(crate) fn drive<W: Into<OsString>>(
    world: &World,
    mut command: Command,
    words: impl IntoIterator<Item = W>,
    deadline: Duration,
) -> Value {
    command.args(words.into_iter().map(Into::into));
    world.dress(&mut command);
    let child = command.spawn().expect("the driver starts");
    let finished: Finished = finish(child, deadline);
    assert!(finished.status.success(), "the driver failed: {}\n{}", finished.stderr, finished.stdout_text());
    serde_json::from_slice(&finished.stdout)
        .unwrap_or_else(|error| panic!("no JSON from the driver ({error}): {}", finished.stdout_text()))
}

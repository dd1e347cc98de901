//! Where the binary under test, the drivers and the set-up of `tests/run` are.
//!
//! Each place can be given by a variable, so that the tests can be run as another user from copies:
//! `STOCKADE_BIN`, `STOCKADE_TESTS_DIR`, `STOCKADE_TEST_SERVERS`.

use std::path::{Path, PathBuf};

fn given(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

/// The binary under test.
pub(crate) fn stockade_bin() -> PathBuf {
    given("STOCKADE_BIN").unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_stockade")))
}

/// The folder `tests` of the repository.
pub(crate) fn tests_dir() -> PathBuf {
    given("STOCKADE_TESTS_DIR").unwrap_or_else(|| {
        let launcher = Path::new(env!("CARGO_MANIFEST_DIR"));
        launcher.parent().expect("the package lies in the workspace").join("tests")
    })
}

/// Where `tests/run` put real servers and client SDKs: `target/test-servers`.
fn servers_dir() -> PathBuf {
    given("STOCKADE_TEST_SERVERS").unwrap_or_else(|| {
        // target/test-servers stands beside target/debug, wherever the target folder is.
        let binary = Path::new(env!("CARGO_BIN_EXE_stockade"));
        let target = binary.parent().and_then(Path::parent).expect("target/debug/stockade");
        target.join("test-servers")
    })
}

fn set_up(below: &str) -> PathBuf {
    let path = servers_dir().join(below);
    assert!(path.exists(), "{} is not there: run `tests/run --set-up` first", path.display());
    path
}

/// A Python without packages, for scripted servers and raw drivers.
pub(crate) fn python() -> PathBuf {
    let link = set_up("bin/python");
    link.canonicalize().unwrap_or(link)
}

/// The Python that has the SDK and the PyPI servers.
pub(crate) fn venv_python() -> PathBuf {
    set_up("py/bin/python")
}

/// Node.js.
pub(crate) fn node() -> PathBuf {
    let link = set_up("bin/node");
    link.canonicalize().unwrap_or(link)
}

/// Node.js 22, which some packages need.
pub(crate) fn newer_node() -> PathBuf {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    set_up(&format!("node/node_modules/node-linux-{arch}/bin/node"))
}

/// The entry script of an npm server: `npm_server("everything")`.
pub(crate) fn npm_server(name: &str) -> PathBuf {
    set_up(&format!("node/node_modules/@modelcontextprotocol/server-{name}/dist/index.js"))
}

/// The start script of a PyPI server: `pypi_script("mcp-server-git")`.
pub(crate) fn pypi_script(name: &str) -> PathBuf {
    set_up(&format!("py/bin/{name}"))
}

/// The folder that Node resolves the SDK from.
pub(crate) fn node_modules() -> PathBuf {
    set_up("node/node_modules")
}

/// A script in `tests/drivers`.
pub(crate) fn driver(name: &str) -> PathBuf {
    let path = tests_dir().join("drivers").join(name);
    assert!(path.exists(), "{} is not there", path.display());
    path
}

/// A scripted server in `tests/drivers/servers`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    driver(&format!("servers/{name}"))
}

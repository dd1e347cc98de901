//! What the tests share: where things are, a throw-away world for one `stockade`, processes with a deadline, drivers.

mod drivers;
mod places;
mod process;
mod world;

pub(crate) use drivers::{converse, drive, node_sdk_driver, python_sdk_driver, raw_driver};
pub(crate) use places::{
    driver, fixture, newer_node, node, node_modules, npm_server, pypi_script, python, stockade_bin,
    tests_dir, venv_python,
};
pub(crate) use process::{Finished, finish, processes_with, wait_until};
pub(crate) use world::{World, fixture_command};

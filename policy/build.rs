//! Turns `profiles/detectors/*.toml` into static tables: a mistake in a detector is a build error, never a surprise
//! at run time, and nothing is parsed when the program starts.

#[path = "build/catalogue.rs"]
mod catalogue;
#[path = "build/fields.rs"]
mod fields;
#[path = "build/personal.rs"]
mod personal;
#[path = "build/personal_tables.rs"]
mod personal_tables;
#[path = "build/shapes.rs"]
mod shapes;
#[path = "build/tables.rs"]
mod tables;

use std::path::{Path, PathBuf};
use std::{env, fs, process};

fn main() {
    let folder =
        Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../profiles/detectors");
    println!("cargo:rerun-if-changed={}", folder.display());
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("detectors.rs");
    match catalogue::read_folder(&folder) {
        Ok(detectors) => fs::write(&out, tables::rust(&detectors))
            .unwrap_or_else(|e| panic!("cannot write {}: {e}", out.display())),
        Err(mistakes) => {
            for mistake in &mistakes {
                println!("cargo::error={mistake}");
            }
            process::exit(1);
        }
    }
}

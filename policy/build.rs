//! Turns `profiles/detectors/*.toml` into static tables: a mistake in a detector is a build error, never a surprise
//! at run time, and nothing is parsed when the program starts.

#[path = "build/about.rs"]
mod about;
#[path = "build/automaton.rs"]
mod automaton;
#[path = "build/catalogue.rs"]
mod catalogue;
#[path = "build/fields.rs"]
mod fields;
#[path = "build/model.rs"]
mod model;
#[path = "build/names.rs"]
mod names;
#[path = "build/personal.rs"]
mod personal;
#[path = "build/personal_tables.rs"]
mod personal_tables;
#[path = "build/phrases.rs"]
mod phrases;
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
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        fs::write(&path, bytes).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    };
    let words = fs::read_to_string("build/words.txt").expect("the list of words can be read");
    let table = model::rust(&words).unwrap_or_else(|mistake| panic!("{mistake}"));
    write("model.rs", table.as_bytes());
    let people = folder.with_file_name("names");
    println!("cargo:rerun-if-changed={}", people.display());
    let table = names::rust(&people).unwrap_or_else(|mistake| panic!("{mistake}"));
    write("names.rs", table.as_bytes());
    match catalogue::read_folder(&folder) {
        Ok(detectors) => {
            let (source, rows) = tables::rust(&detectors);
            write("about.rs", about::rust(&detectors).as_bytes());
            write("detectors.rs", source.as_bytes());
            write("prefilter.bin", &rows);
        }
        Err(mistakes) => {
            for mistake in &mistakes {
                println!("cargo::error={mistake}");
            }
            process::exit(1);
        }
    }
}

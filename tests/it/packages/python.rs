//! pip end to end: `uvx` where there is no uv.

use serde_json::json;

use super::*;

const RUN: [&str; 2] = ["uvx", "team-server"];

fn module(says: &str) -> Value {
    json!({ "files": { "leaf/__init__.py": format!("SAYS = '{says}'\n") } })
}

fn packages() -> Value {
    let main = "import json, sys, leaf\ndef main():\n    print(json.dumps({'leaf': leaf.SAYS, 'argv': sys.argv[1:]}))\n";
    json!({ "pypi": {
        "team-server": { "1.0": { "requires": ["leaf>=1"], "scripts": { "team-server": "team_server:main" },
                                  "files": { "team_server/__init__.py": main } } },
        "leaf": { "1.0": module("1.0") },
    } })
}

#[test]
fn the_first_use_pins_the_whole_tree_and_the_second_start_needs_no_index() {
    let registry = Registry::new(&packages());
    assert_eq!(
        registry.says(&[&RUN[..], &["--flag"]].concat()),
        json!({ "leaf": "1.0", "argv": ["--flag"] })
    );
    let pins = registry.pins();
    assert_eq!((&pins[0]["purl"], &pins[0]["packages"]), (&json!("pkg:pypi/team-server@1.0"), &json!(2)));
    registry.switch_off();
    assert_eq!(registry.says(&RUN)["leaf"], "1.0");
    assert!(registry.fails(&["jail", "--", "uvx", "leaf"]).contains("cannot resolve `leaf`"));
}

#[test]
fn a_new_version_waits_and_a_changed_file_is_refused() {
    let registry = Registry::new(&packages());
    assert_eq!(registry.says(&RUN)["leaf"], "1.0");
    registry.change(|packages| packages["pypi"]["leaf"]["1.1"] = module("1.1"));
    assert_eq!(registry.stockade(&["pins", "check", "team-server"]).code(), 1);
    assert_eq!(registry.pins()[0]["state"], "update available");
    assert_eq!(registry.says(&RUN)["leaf"], "1.0");
    assert_eq!(registry.on_a_terminal("y", &["pins", "approve", "team-server"]).code(), 0);
    assert_eq!(registry.says(&RUN)["leaf"], "1.1");

    registry.change(|packages| packages["pypi"]["leaf"]["1.1"] = module("evil"));
    assert_eq!(registry.stockade(&["pins", "check", "team-server"]).code(), 1);
    assert_eq!(registry.pins()[0]["state"], "changed without a version");
    for tree in registry.trees("pypi") {
        std::fs::remove_dir_all(tree).expect("it can be removed");
    }
    let failure = registry.fails(&[&["run", "--"], &RUN[..]].concat());
    assert!(failure.contains("changed without a version"), "{failure}");
}

#[test]
fn a_source_archive_does_not_run_its_build() {
    let registry = Registry::new(&packages());
    let mark = registry.world.root().join("built");
    let setup = format!(
        "open({:?}, 'w').close()\nfrom setuptools import setup\nsetup(name='leaf', version='2.0')\n",
        mark.display().to_string()
    );
    registry.change(|packages| {
        packages["pypi"]["leaf"] = json!({ "2.0": { "source": true, "files": { "setup.py": setup } } });
    });
    let failure = registry.fails(&[&["jail", "--"], &RUN[..]].concat());
    assert!(failure.contains("cannot resolve") && failure.contains("[install] scripts"), "{failure}");
    assert!(!mark.exists());
}

//! The versions of the clients that run now, as their packages say them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::clients::{census, processes, running};

/// A larger one is none.
const MANIFEST_BYTES_MAX: u64 = 1 << 18;
/// So far above its script or program a package's manifest is looked for.
const LEVELS_MAX: usize = 5;

#[derive(Deserialize)]
struct Manifest {
    name: String,
    version: String,
}

/// By the client's name.
pub(crate) fn versions() -> BTreeMap<&'static str, String> {
    let all = running::everything();
    let mut found = BTreeMap::new();
    for process in census::clients_in(&all) {
        let Some(client) = processes::of_process(process) else { continue };
        let script = process.words.get(1).map(String::as_str).filter(|word| word.starts_with('/'));
        let version = [script, process.program.as_deref()].into_iter().flatten().find_map(|path| {
            // The name in `node_modules/.bin` is a link into the package.
            std::fs::canonicalize(path).ok().and_then(|path| version(&path, client))
        });
        found.extend(version.map(|version| (client, version)));
    }
    found
}

fn version(path: &Path, client: &str) -> Option<String> {
    path.ancestors().skip(1).take(LEVELS_MAX).find_map(|directory| {
        // Electron's programs keep theirs below them, and nothing else does.
        if let Some(manifest) = read(&directory.join("resources/app/package.json")) {
            return Some(manifest.version);
        }
        let manifest = read(&directory.join("package.json"))?;
        (processes::of_package(&manifest.name) == Some(client)).then_some(manifest.version)
    })
}

fn read(path: &Path) -> Option<Manifest> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(MANIFEST_BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_s_own_manifest_counts_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "lib/node_modules/@openai/codex/package.json",
            r#"{"name": "@openai/codex", "version": "0.169.0"}"#,
        );
        write("lib/node_modules/@openai/codex/bin/codex.js", "");
        write("package.json", r#"{"name": "my-project", "version": "9.9.9"}"#);
        write("opt/cursor/resources/app/package.json", r#"{"name": "Cursor", "version": "1.7.2"}"#);
        write("opt/cursor/cursor", "");
        let of = |path: &str, client: &str| version(&dir.path().join(path), client);
        assert_eq!(of("lib/node_modules/@openai/codex/bin/codex.js", "Codex").as_deref(), Some("0.169.0"));
        assert_eq!(of("lib/node_modules/@openai/codex/bin/codex.js", "Claude Code"), None);
        assert_eq!(of("opt/cursor/cursor", "Cursor").as_deref(), Some("1.7.2"));
        assert_eq!(of("script.js", "Codex"), None);
    }
}

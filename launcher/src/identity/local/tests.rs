//! What is installed, on files made here.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::identity::invocation::{Runs, parse};

struct Place {
    _dir: tempfile::TempDir,
    home: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(dir.path()).unwrap();
        Self { _dir: dir, home }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.home.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn package(&self, root: &str, name: &str, bins: &str) {
        self.write(
            &format!("{root}/node_modules/{name}/package.json"),
            &format!(r#"{{"name":"{name}","version":"1.2.3","bin":{bins}}}"#),
        );
    }

    /// What is started instead of `line`, in the directory `cwd`; below home as `~`.
    fn started(&self, line: &str, cwd: &str) -> Option<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let Runs::Package(run) = parse(&words).runs else { panic!("no package: {line}") };
        let mut facts =
            Facts { home: self.home.clone(), cwd: self.home.join(cwd), ..Facts::gather().unwrap() };
        facts.env.insert("PATH".into(), self.home.join("prefix/bin").into());
        for name in ["UV_TOOL_DIR", "XDG_DATA_HOME"] {
            facts.env.remove(std::ffi::OsStr::new(name));
        }
        let words = installed(&run, &facts)?;
        let line: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Some(line.join(" ").replace(self.home.to_str().unwrap(), "~"))
    }
}

#[test]
fn npx_starts_what_the_project_has_installed() {
    let place = Place::new();
    place.write("p/package.json", r#"{"name":"p","bin":{"own":"./own.js"}}"#);
    place.write("p/own.js", "");
    place.write("p/node_modules/.bin/srv", "");
    place.write("p/node_modules/.bin/scoped-srv", "");
    place.package("p", "@s/srv", r#"{"scoped-srv":"x.js"}"#);
    fs::create_dir_all(place.home.join("p/sub/deep")).unwrap();
    let bin = "~/p/node_modules/.bin";
    for (line, cwd, expected) in [
        ("npx -y srv --a b", "p", Some(format!("{bin}/srv --a b"))),
        ("npx srv", "p/sub/deep", Some(format!("{bin}/srv"))),
        ("npx @s/srv x", "p", Some(format!("{bin}/scoped-srv x"))),
        ("npx @s/srv@1.2.3", "p/sub", Some(format!("{bin}/scoped-srv"))),
        ("npx own", "p", Some("~/p/./own.js".to_owned())),
        ("npx -p @s/srv scoped-srv", "p", Some(format!("{bin}/scoped-srv"))),
        ("npx @s/srv@1.2.4", "p", None),
        ("npx @s/srv@latest", "p", None),
        ("npx @s/srv@^1", "p", None),
        ("npx --registry https://r.example @s/srv", "p", None),
        ("npx -p @s/srv -p y scoped-srv", "p", None),
        ("npx other", "p", None),
        ("npx srv", ".", None),
        ("pnpm dlx srv", "p", None),
        ("yarn dlx srv", "p", None),
        ("bunx srv", "p", Some(format!("{bin}/srv"))),
        ("bunx srv@1", "p", None),
    ] {
        assert_eq!(place.started(line, cwd), expected, "{line} in {cwd}");
    }
}

#[test]
fn npx_starts_a_global_package_but_no_program_that_only_lies_beside_node() {
    let place = Place::new();
    place.write("prefix/bin/node", "");
    place.write("prefix/bin/other", "");
    place.write("prefix/lib/node_modules/srv/x.js", "");
    symlink("../lib/node_modules/srv/x.js", place.home.join("prefix/bin/srv")).unwrap();
    assert_eq!(place.started("npx srv a", ".").as_deref(), Some("~/prefix/bin/srv a"));
    assert_eq!(place.started("npx other", "."), None);
}

#[test]
fn uvx_starts_an_installed_tool_unless_another_version_is_asked_for() {
    let place = Place::new();
    let tool = ".local/share/uv/tools/mcp-x";
    place.write(&format!("{tool}/uv-receipt.toml"), "");
    place.write(&format!("{tool}/bin/mcp-x"), "");
    place.write(&format!("{tool}/bin/more"), "");
    place.write(&format!("{tool}/lib/python3.12/site-packages/mcp_x-2.0.dist-info/METADATA"), "");
    for (line, expected) in [
        ("uvx mcp-x --a", Some("mcp-x --a")),
        ("uvx --from mcp-x more", Some("more")),
        ("uvx mcp-x@2.0", Some("mcp-x")),
        ("uvx mcp-x==2.0", Some("mcp-x")),
        ("uvx mcp-x@2.1", None),
        ("uvx mcp-x@latest", None),
        ("uvx mcp-x>=1", None),
        ("uvx --with y mcp-x", None),
        ("uvx --python 3.11 mcp-x", None),
        ("uvx other", None),
        ("pipx run mcp-x", None),
    ] {
        let expected = expected.map(|rest| format!("~/{tool}/bin/{rest}"));
        assert_eq!(place.started(line, "."), expected, "{line}");
    }
}

//! Settings of pip and uv as files and variables give them.

use std::fs;

use super::*;

fn read(speaks: Speaks, files: &[(&str, &str)], env: &[(&str, &str)]) -> Result<Python, Failure> {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let facts = Facts { home: home.path().to_owned(), env, ..Facts::gather().unwrap() };
    Python::read(&facts, speaks, None)
}

fn hosts(python: &Python) -> Vec<(String, u16)> {
    python
        .sealed(Path::new("/conf"))
        .unwrap()
        .reach
        .into_iter()
        .map(|reach| (reach.host, reach.port))
        .collect()
}

fn is(host: &str, port: u16) -> (String, u16) {
    (host.to_owned(), port)
}

#[test]
fn the_public_index_has_its_files_elsewhere() {
    let uv = read(Speaks::Uv, &[], &[]).unwrap();
    assert_eq!(hosts(&uv), [is(public::FILE_HOSTS[0].1, 443), is(public::FILE_HOSTS[0].0, 443)]);
}

#[test]
fn pip_is_configured_by_its_files_and_variables() {
    let files = [(
        ".config/pip/pip.conf",
        "[global]\nindex-url = https://u:canary@pip.example/simple\nextra-index-url =\n  http://a.example:1/s\n  http://b.example/s\n",
    )];
    let pip =
        read(Speaks::Pip, &files, &[("PIP_TRUSTED_HOST", "a.example"), ("UV_DEFAULT_INDEX", "https://no/")])
            .unwrap();
    assert_eq!(hosts(&pip), [is("a.example", 1), is("b.example", 80), is("pip.example", 443)]);
    assert!(!format!("{pip:?}").contains("canary"));
    let sealed = pip.sealed(Path::new("/conf")).unwrap();
    assert_eq!(sealed.secrets, ["u:canary"]);
    assert_eq!(sealed.env, [("PIP_CONFIG_FILE".to_owned(), "/conf/pip.conf".to_owned())]);
}

#[test]
fn uv_is_configured_by_its_own_and_not_by_pips() {
    let files = [
        (".config/pip/pip.conf", "[global]\nindex-url = https://pip.example/\n"),
        (
            ".config/uv/uv.toml",
            "[[index]]\nname = \"my-own\"\nurl = \"https://one.example/simple\"\ndefault = true\n[[index]]\nurl = \"http://127.0.0.1:8/s\"\n",
        ),
    ];
    let login = [("UV_INDEX_MY_OWN_USERNAME", "me"), ("UV_INDEX_MY_OWN_PASSWORD", "c@nary")];
    let uv = read(Speaks::Uv, &files, &login).unwrap();
    assert_eq!(uv.index(), "https://me:c%40nary@one.example/simple");
    assert_eq!(hosts(&uv), [is("127.0.0.1", 8), is("one.example", 443)]);
}

#[test]
fn only_the_logins_of_hosts_in_use_are_taken_from_netrc() {
    let index = public::FILE_HOSTS[0].0;
    let netrc =
        format!("machine {index} login me password canary\nmachine other.example login x password foreign\n");
    let files = [(".netrc", netrc.as_str())];
    let sealed = read(Speaks::Uv, &files, &[]).unwrap().sealed(Path::new("/conf")).unwrap();
    let (_, netrc) = sealed.files.iter().find(|(name, _)| name == "netrc").unwrap();
    let text = String::from_utf8_lossy(netrc);
    assert!(text.contains("canary") && !text.contains("foreign"), "{text}");
}

#[test]
fn an_index_that_is_no_address_is_an_error_without_its_password() {
    let failure = read(Speaks::Uv, &[], &[("UV_DEFAULT_INDEX", "ftp://u:canary@x/")]).unwrap_err();
    assert!(!failure.to_string().contains("canary"), "{failure}");
}

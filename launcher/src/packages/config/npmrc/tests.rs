//! npm's settings as files and variables give them.

use std::fs;

use super::*;

fn facts(home: &Path, env: &[(&str, &str)]) -> Facts {
    let env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Facts { home: home.to_owned(), env, ..Facts::gather().unwrap() }
}

fn npmrc(text: &str, env: &[(&str, &str)]) -> Npm {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".npmrc"), text).unwrap();
    Npm::read(&facts(home.path(), env), None, None).unwrap()
}

fn written(npm: &Npm) -> String {
    let sealed = npm.sealed(Path::new("/conf")).unwrap();
    let (_, bytes) = sealed.files.iter().find(|(name, _)| name == "npmrc").unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn public_host() -> String {
    public::NPM.trim_start_matches("https://").trim_end_matches('/').to_owned()
}

#[test]
fn without_configuration_the_public_registry_is_asked() {
    let npm = npmrc("", &[]);
    assert_eq!(npm.registry(), public::NPM);
    let sealed = npm.sealed(Path::new("/conf")).unwrap();
    assert_eq!(sealed.reach, [Reach { host: public_host(), port: 443 }]);
}

#[test]
fn the_environment_outdoes_the_file_and_a_scope_has_its_own_registry() {
    let npm = npmrc(
        "registry=http://file.example/\n@team:registry=http://127.0.0.1:4873\n",
        &[("NPM_CONFIG_REGISTRY", "https://env.example/npm")],
    );
    assert_eq!(npm.registry_of("x"), "https://env.example/npm/");
    assert_eq!(npm.registry_of("@team/x"), "http://127.0.0.1:4873/");
    let hosts: Vec<_> =
        npm.sealed(Path::new("/c")).unwrap().reach.into_iter().map(|r| (r.host, r.port)).collect();
    assert_eq!(hosts, [("127.0.0.1".to_owned(), 4873), ("env.example".to_owned(), 443)]);
}

#[test]
fn only_the_credentials_of_registries_in_use_are_passed_on() {
    let npm = npmrc(
        "registry=https://r.example/npm/\n//r.example/npm/:_authToken=${TOKEN}\n//r.example/:_auth=above\n\
         //r.example/npm/other/:_authToken=below\n//elsewhere.example/:_authToken=foreign\nscript-shell=/bin/evil\n",
        &[("TOKEN", "canary")],
    );
    let text = written(&npm);
    assert!(text.contains("//r.example/npm/:_authToken=canary\n"), "{text}");
    assert!(text.contains("//r.example/:_auth=above\n"), "{text}");
    for absent in ["foreign", "below", "script-shell"] {
        assert!(!text.contains(absent), "{text}");
    }
}

#[test]
fn no_token_is_in_what_a_debugger_prints() {
    let npm =
        npmrc(&format!("//{}/:_authToken=canary\nhttps-proxy=http://u:canary@p:1/\n", public_host()), &[]);
    let sealed = npm.sealed(Path::new("/c")).unwrap();
    assert!(!format!("{npm:?} {sealed:?}").contains("canary"));
    assert_eq!(sealed.proxy.as_deref(), Some("http://u:canary@p:1/"));
}

#[test]
fn a_file_of_authorities_is_copied_and_a_missing_one_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let ca = home.path().join("ca.crt");
    fs::write(&ca, "PEM").unwrap();
    let npm = npmrc(&format!("cafile={}\n", ca.display()), &[]);
    let sealed = npm.sealed(Path::new("/conf")).unwrap();
    assert!(sealed.files.contains(&("ca.pem".to_owned(), b"PEM".to_vec())));
    assert!(written(&npm).contains("cafile=/conf/ca.pem\n"));
    let failure = npmrc("cafile=/nowhere/ca.crt\n", &[]).sealed(Path::new("/conf")).unwrap_err();
    assert!(failure.to_string().contains("/nowhere/ca.crt"), "{failure}");
}

#[test]
fn a_registry_that_is_no_address_is_an_error_without_its_password() {
    let failure = npmrc("registry=git://u:canary@x/\n", &[]).sealed(Path::new("/conf")).unwrap_err();
    assert!(!failure.to_string().contains("canary"), "{failure}");
}

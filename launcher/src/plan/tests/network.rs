//! Doors, grants by flag, sockets, certificates.

use stockade_policy::document::profile::AddressClass;
use stockade_sandbox::{UnixReach, UnixRule};

use super::*;

fn doors(plan: &Plan) -> (Vec<u16>, Vec<u16>) {
    match &plan.ruleset.network {
        Network::Brokered(doors) => (doors.ports.clone(), doors.listen.clone()),
        other => panic!("{other:?}"),
    }
}

fn by_flag(texts: &[&str]) -> Result<Plan, Failure> {
    let grant_net = texts.iter().map(|text| (*text).to_owned()).collect();
    plan(&tree(&[]), &[], JailArgs { grant_net, ..JailArgs::default() })
}

#[test]
fn a_profile_without_grants_has_no_network_at_all() {
    let plan = plan_by("", &tree(&[]), &[]).unwrap();
    assert_eq!(plan.ruleset.network, Network::None);
    assert_eq!(plan.egress, egress::Settings::default());
}

#[test]
fn a_port_that_leads_out_and_is_listened_on_needs_the_hosts_network() {
    let lines = r#"
        [net]
        allow = [{ host = "a.example", port = 8080, reason = "r" }]
        listen = [{ port = 8080, reason = "r" }]
    "#;
    let failure = plan_by(lines, &tree(&[]), &[]).unwrap_err().to_string();
    assert!(failure.contains("port 8080 both ways") && failure.contains("--backend notify"), "{failure}");
}

#[test]
fn each_granted_port_is_one_door() {
    let lines = r#"
        [net]
        allow = [
            { host = "b.example", port = 8443, reason = "r" },
            { host = "a.example", port = 443, upload = "1MiB", reason = "r" },
            { host = "b.example", port = 443, reason = "r" },
        ]
        listen = [{ port = 8080, reason = "r" }]
        open = [{ host = "login.example", reason = "r" }]
        [limits]
        upload = "2MiB"
    "#;
    let plan = plan_by(lines, &tree(&[]), &[]).unwrap();
    assert_eq!(doors(&plan), (vec![443, 8443], vec![8080]));
    assert_eq!(plan.egress.grants.len(), 3);
    assert_eq!(plan.egress.grants[1].upload_bytes, Some(1 << 20));
    assert_eq!((plan.egress.listen, plan.egress.upload_bytes), (vec![8080], Some(2 << 20)));
    assert_eq!(plan.egress.open_hosts, ["login.example"]);
}

fn hosts(plan: &Plan) -> Vec<String> {
    plan.egress.grants.iter().map(|grant| format!("{}:{}", grant.host, grant.port)).collect()
}

#[test]
fn hosts_that_the_environment_or_the_arguments_give_are_granted_and_no_others() {
    let lines = r#"
        [net]
        allow = [
            { host = "${env.GITLAB_API_URL:-gitlab.com}", port = 443, addresses = ["public", "private"], reason = "r" },
            { host = "${args.urls}", port = 5432, reason = "r" },
            { host = "${args.2}", port = 6333, reason = "r" },
            { host = "api.${env.SITE}", port = 443, reason = "r" },
            { host = "a.example", port = 443, reason = "r" },
        ]
        [env]
        pass = ["GITLAB_API_URL", "SITE"]
    "#;
    let arguments = [
        "--dsn=postgres://u:pa@db.example:5433/x",
        "q.example",
        "https://m.example/mcp",
        "x=http://evil.example",
        "://x",
    ];
    let with = |vars: &[(&str, &str)]| {
        let mut facts = facts();
        facts.env.extend(vars.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        plan_of(&profile_of(lines), &tree(&[]), &arguments, &JailArgs::default(), &facts).unwrap()
    };
    let given_by_arguments = ["db.example:5433", "m.example:443", "q.example:6333"];
    assert_eq!(
        hosts(&with(&[])),
        [&["gitlab.com:443"][..], &given_by_arguments, &["a.example:443"]].concat()
    );
    let own = with(&[("GITLAB_API_URL", "http://git.corp.example/api/v4"), ("SITE", "eu.example")]);
    assert_eq!(
        hosts(&own),
        [&["git.corp.example:80"][..], &given_by_arguments, &["api.eu.example:443", "a.example:443"]]
            .concat()
    );
    assert_eq!(doors(&own).0, [80, 443, 5433, 6333]);
    assert!(own.notes.is_empty(), "{:?}", own.notes);
}

#[test]
fn a_variable_that_leads_where_its_grant_does_not_is_noted_and_its_value_told_to_nobody() {
    let lines = r#"
        [net]
        allow = [{ host = "${env.URL}", port = 443, reason = "r" }]
        [env]
        pass = ["URL"]
    "#;
    for url in
        ["http://hush:hush@127.0.0.1:2375/", "http://169.254.169.254/hush", "https://*/hush", "hush hush"]
    {
        let mut facts = facts();
        facts.env.insert("URL".into(), url.into());
        let plan = plan_of(&profile_of(lines), &tree(&[]), &[], &JailArgs::default(), &facts).unwrap();
        assert_eq!((hosts(&plan), plan.ruleset.network), (vec![], Network::None), "{url}");
        assert!(plan.notes[0].starts_with("the host that URL names: not granted"), "{:?}", plan.notes);
        assert!(!plan.notes.concat().contains("hush"), "{:?}", plan.notes);
    }
}

#[test]
fn more_doors_than_there_can_be_are_an_error() {
    let allow = |count: u16| {
        let grants =
            (1..=count).map(|port| format!("{{ host = \"a.example\", port = {port}, reason = \"r\" }}"));
        format!("[net]\nallow = [{}]", grants.collect::<Vec<_>>().join(", "))
    };
    assert!(plan_by(&allow(100), &tree(&[]), &[]).is_ok());
    let failure = plan_by(&allow(101), &tree(&[]), &[]).unwrap_err();
    assert_eq!(failure.kind, Kind::Config);
    assert!(failure.to_string().contains("101 TCP ports"), "{failure}");
}

#[test]
fn a_flag_grants_what_it_names_and_is_recorded() {
    let plan =
        by_flag(&["api.example.org:443", "localhost:3000", "10.0.0.5:22", "[::1]:80", "*.x.org:1"]).unwrap();
    let classes: Vec<_> = plan.egress.grants.iter().map(|grant| grant.addresses[0]).collect();
    use AddressClass::{Loopback, Private, Public};
    assert_eq!(classes, [Public, Loopback, Private, Loopback, Public]);
    assert_eq!(plan.flag_grants[0], "--grant-net api.example.org:443");
    assert_eq!(doors(&plan).0, [1, 22, 80, 443, 3000]);
}

#[test]
fn no_flag_grants_where_a_cloud_keeps_credentials() {
    for text in ["169.254.169.254:80", "[fd00:ec2::254]:80", "100.100.100.200:80"] {
        assert_eq!(by_flag(&[text]).unwrap_err().kind, Kind::Permission, "{text}");
    }
    for text in ["api.example.org", "api.example.org:0", "http://a:80", "::1:80", "a b:1", ":443", "127.1:80"]
    {
        assert_eq!(by_flag(&[text]).unwrap_err().kind, Kind::Usage, "{text}");
    }
}

#[test]
fn the_static_backend_grants_no_network_and_says_so() {
    let lines = "[net]\nallow = [{ host = \"*\", port = 443, reason = \"r\" }]\n[unix]\nprivate = true";
    let jail = JailArgs { backend: BackendArg::Static, ..JailArgs::default() };
    let plan = plan_of(&profile_of(lines), &tree(&[]), &[], &jail, &facts()).unwrap();
    assert_eq!((&plan.ruleset.network, plan.ruleset.unix.len()), (&Network::None, 0));
    assert!(plan.notes.iter().any(|note| note.contains("network: none")), "{:?}", plan.notes);
}

#[test]
fn sockets_are_opened_one_by_one_and_private_ones_by_directory() {
    let tree = tree(&["/run", "/run/docker.sock", "/home/u/.gnupg", "/home/u/.gnupg/S.gpg-agent"]);
    let lines = r#"
        [unix]
        private = true
        allow = [
            { path = "/run/docker.sock", reason = "containers" },
            { path = "/run/later.sock", reason = "not there yet" },
            { path = "${home}/.gnupg/S.gpg-agent", reason = "named" },
            { path = "${args.paths}", reason = "not named" },
        ]
    "#;
    let plan = plan_by(lines, &tree, &["/home/u/.gnupg/S.gpg-agent"]).unwrap();
    let socket = |path: &str| UnixRule { path: path.into(), reach: UnixReach::Socket };
    let unix = &plan.ruleset.unix;
    assert_eq!(
        unix[..3],
        [socket("/run/docker.sock"), socket("/run/later.sock"), socket("/home/u/.gnupg/S.gpg-agent")]
    );
    assert!(unix[3..].iter().all(|rule| rule.reach == UnixReach::Below), "{unix:?}");
    assert_eq!((unix.len(), plan.unix_reasons.len()), (6, 6));
    assert_eq!(access(&files(&plan).wide, "/run/docker.sock"), Some(Access::Read), "it is in the view");
    assert!(plan.notes[0].contains("S.gpg-agent: no socket"), "{:?}", plan.notes);
}

#[test]
fn certificates_that_the_environment_names_are_readable() {
    let tree = tree(&["/corp/ca.pem", "/corp/notes.txt", "/home/u/.ssh", "/home/u/.ssh/key.pem"]);
    let read = |value: &str| {
        let jail =
            JailArgs { env: vec![format!("NODE_EXTRA_CA_CERTS={value}").into()], ..JailArgs::default() };
        let plan = plan_of(&profile_of(""), &tree, &[], &jail, &facts()).unwrap();
        access(&files(&plan).wide, value)
    };
    assert_eq!(read("/corp/ca.pem"), Some(Access::Read));
    // The variable may come from somebody else's config: it is no way to read anything.
    for other in ["/corp/notes.txt", "/home/u/.ssh/key.pem", "/corp", "/corp/missing.pem"] {
        assert_eq!(read(other), None, "{other}");
    }
}

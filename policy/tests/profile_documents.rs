//! Profile files: network, sockets, logins, examples and fragments.

use stockade_policy::document::profile::{AddressClass, NetGrant, Profile, Share, is_fragment};

const HEAD: &str = "name = \"p\"\ndescription = \"d\"\n";

fn parse(lines: &str) -> Profile {
    Profile::parse("p.toml", &format!("{HEAD}{lines}"), &|_| None)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// What is wrong, without places and remedies.
fn mistakes(lines: &str) -> Vec<String> {
    let mistakes = Profile::parse("p.toml", &format!("{HEAD}{lines}"), &|_| None).expect_err(lines).mistakes;
    mistakes.into_iter().map(|mistake| mistake.what).collect()
}

fn allow(grant: &str) -> String {
    format!("[net]\nallow = [{{ {grant}, reason = \"r\" }}]")
}

fn hosts(profile: &Profile) -> Vec<String> {
    profile.net_allow.iter().map(|grant| format!("{}:{}", grant.host, grant.port)).collect()
}

#[test]
fn network_and_sockets_are_read_as_their_author_wrote_them() {
    let profile = parse(
        r#"
strict = true
[fs]
closed = [{ path = "${workspace}/secrets/", reason = "not its business" }]
[net]
allow = [
  { host = "api.github.com", port = 443, reason = "its API" },
  { host = "*.example.org", port = 8443, addresses = ["public", "private"], upload = "10MiB", reason = "ours" },
  { host = "2001:DB8:0::5", port = 22, reason = "an address in another spelling" },
  { host = "10.0.0.0/8", port = 5432, addresses = ["private"], reason = "databases" },
]
listen = [{ port = 8080, reason = "callback of a login" }]
open = [{ host = "github.com", reason = "login" }]
[unix]
allow = [{ path = "/run/docker.sock", reason = "containers" }]
private = true
[limits]
upload = "64MiB"
output = "64MiB/s"
"#,
    );
    assert_eq!(
        hosts(&profile),
        ["api.github.com:443", "*.example.org:8443", "2001:db8::5:22", "10.0.0.0/8:5432"]
    );
    assert_eq!(profile.net_allow[0].addresses.as_ref(), [AddressClass::Public]);
    assert_eq!(profile.net_allow[1].addresses.as_ref(), [AddressClass::Public, AddressClass::Private]);
    assert_eq!(profile.net_allow[1].upload_bytes, Some(10 << 20));
    assert_eq!((profile.net_listen[0].port, profile.net_open[0].host.as_ref()), (8080, "github.com"));
    assert_eq!((profile.unix_allow[0].path.as_ref(), profile.unix_private), ("/run/docker.sock", Some(true)));
    assert_eq!((profile.limits.upload_bytes, profile.strict), (Some(64 << 20), Some(true)));
    assert_eq!(profile.limits.output_bytes_per_second, Some(64 << 20));
    assert_eq!(profile.closed[0].path, "${workspace}/secrets");
}

#[test]
fn logins_are_read_and_are_no_grants() {
    let profile = parse(
        r#"
[[login]]
path = "${home}/.mcp-auth/"
reason = "tokens"
share = "write"
variable = "MCP_REMOTE_CONFIG_DIR"
[[login]]
path = "${home}/.config/tool//auth.json"
to = "${state}/config/tool/auth.json"
reason = "one file"
[[login]]
path = "${home}/.azure"
only = ["msal_token_cache.json", "a/b/"]
reason = "some of it"
[test]
not_reads = ["${home}/.mcp-auth/tokens.json", "${home}/.azure/msal_token_cache.json"]
"#,
    );
    let [remote, tool, azure] = profile.logins.as_ref() else { panic!("{:?}", profile.logins) };
    assert_eq!((remote.path.as_ref(), remote.to.as_ref()), ("${home}/.mcp-auth", "${state}/home/.mcp-auth"));
    assert_eq!(
        (remote.share, remote.variable.as_deref()),
        (Some(Share::Write), Some("MCP_REMOTE_CONFIG_DIR"))
    );
    assert_eq!(
        (tool.path.as_ref(), tool.to.as_ref(), tool.share),
        ("${home}/.config/tool/auth.json", "${state}/config/tool/auth.json", None)
    );
    assert_eq!(azure.only.as_ref(), ["msal_token_cache.json", "a/b"]);
    assert!(profile.read.is_empty() && profile.write.is_empty());
}

#[test]
fn a_login_that_could_not_be_given_is_a_mistake() {
    let login = |lines: &str| mistakes(&format!("[[login]]\nreason = \"r\"\n{lines}"));
    for (lines, what) in [
        ("path = \"/etc/x\"", "`/etc/x` is not in the home directory"),
        ("path = \"~/.x\"", "`~/.x` is not in the home directory"),
        ("path = \"${home}\"", "`${home}` is not in the home directory"),
        ("path = \"${home}/\"", "`` names nothing"),
        ("path = \"${home}/.config/\"", "`${home}/.config/` belongs to many programs"),
        ("path = \"${home}/.x/../.ssh\"", "`.x/../.ssh` has `.` or `..` in it"),
        ("path = \"${home}/.x*\"", "`.x*` has a wildcard"),
        ("path = \"${home}/${cwd}\"", "`${cwd}` is more than a path below another"),
        (
            "path = \"${home}/.x\"\nto = \"${home}/.y\"",
            "`${home}/.y` is in no private directory of the server",
        ),
        ("path = \"${home}/.x\"\nto = \"${state}/../y\"", "`../y` has `.` or `..` in it"),
        (
            "path = \"${home}/.x\"\nonly = [\"/etc/shadow\"]",
            "`/etc/shadow` is more than a path below another",
        ),
        ("path = \"${home}/.x\"\nshare = \"all\"", "`share` cannot be `all`"),
        ("path = \"${home}/.x\"\nvariable = \"A-B\"", "`A-B` is no name of a variable"),
        ("path = \"${home}/.x\"\nshare = \"read\"\nonly = [\"a\"]", "`only` and `share` exclude each other"),
        ("path = \"${home}/.x\"\ncopy = true", "[[login]] has no key `copy`"),
    ] {
        assert_eq!(login(lines), [what], "{lines}");
    }
    // All of them at once.
    let all = mistakes("[[login]]\npath = \"/x\"\nto = \"/y\"\n[[login]]\nshare = 1");
    assert_eq!(all.len(), 6, "{all:?}");
}

#[test]
fn logins_are_inherited_replaced_and_taken_away() {
    let base = parse(
        "[[login]]\npath = \"${home}/.a\"\nreason = \"r\"\n[[login]]\npath = \"${home}/.b\"\nreason = \"r\"",
    );
    let text = format!(
        "{HEAD}extends = \"base\"\nremove = [\"${{home}}/.a/\"]\n[[login]]\npath = \"${{home}}/.b\"\nreason = \"own\"\nshare = \"read\""
    );
    let profile = Profile::parse("p.toml", &text, &|_| Some(base.clone())).expect("in order");
    let [login] = profile.logins.as_ref() else { panic!("{:?}", profile.logins) };
    assert_eq!(
        (login.path.as_ref(), login.reason.as_ref(), login.share),
        ("${home}/.b", "own", Some(Share::Read))
    );
}

#[test]
fn a_host_that_could_never_match_is_a_mistake_with_a_remedy() {
    for (host, what) in [
        ("API.github.com", "`API.github.com` has capital letters"),
        ("https://api.github.com", "`https://api.github.com` is a URL"),
        ("api.github.com:443", "`api.github.com:443` has a port"),
        ("api.github.com.", "`api.github.com.` ends in a dot"),
        ("bücher.example", "`bücher.example` is not ASCII"),
        ("api.*.com", "the `*` in `api.*.com` stands in a wrong place"),
        ("*github.com", "the `*` in `*github.com` stands in a wrong place"),
        ("*.", "`*.` is no name of a host"),
        ("a..b", "`a..b` is no name of a host"),
        ("-a.example", "`-a.example` is no name of a host"),
        ("a b", "`a b` is no name of a host"),
        ("127.1", "`127.1` is no address"),
        ("0x7f.1", "`0x7f.1` is no address"),
        ("2130706433", "`2130706433` is no address"),
        ("256.0.0.1", "`256.0.0.1` is no address"),
        ("[::1]", "`[::1]` is no address"),
        ("fe80::1%eth0", "`fe80::1%eth0` is no address"),
        ("::ffff:10.0.0.1", "`::ffff:10.0.0.1` is an IPv4 address in IPv6 form"),
        ("10.0.0.1/8", "`10.0.0.1/8` is an address inside of a network"),
        ("10.0.0.0/33", "`10.0.0.0/33` is no network"),
        ("", "`host` is empty"),
    ] {
        assert_eq!(mistakes(&allow(&format!("host = \"{host}\", port = 443"))), [what], "{host}");
        let text = format!("{HEAD}{}", allow(&format!("host = \"{host}\", port = 443")));
        let told = Profile::parse("p", &text, &|_| None).expect_err(host).mistakes;
        assert!(told[0].remedy.is_some(), "{host}: no remedy");
    }
    let long = format!("{}.example", "a".repeat(64));
    assert!(mistakes(&allow(&format!("host = \"{long}\", port = 443")))[0].ends_with("is no name of a host"));
}

#[test]
fn every_kind_of_mistake_in_network_grants_is_told() {
    let host = "host = \"a.example\"";
    for (lines, what) in [
        ("[net]\nallow = \"*\"".to_owned(), "`allow` must be a list of grants, not a string"),
        ("[net]\nallow = [\"a.example\"]".to_owned(), "this grant in `allow` has no reason"),
        ("[net]\nallow = [443]".to_owned(), "a grant in `allow` must be a table, not a whole number"),
        (allow("port = 443"), "a grant in `allow` has no `host`"),
        (allow(host), "a grant in `allow` has no `port`"),
        (allow(&format!("{host}, port = 0")), "`port` must lie between 1 and 65535"),
        (allow(&format!("{host}, port = 65536")), "`port` must lie between 1 and 65535"),
        (allow(&format!("{host}, port = \"443\"")), "`port` must be a whole number, not a string"),
        (allow(&format!("{host}, ports = [443], port = 1")), "a grant in `allow` has no key `ports`"),
        (allow(&format!("{host}, port = 1, addresses = []")), "an empty list in `addresses` names nothing"),
        (allow(&format!("{host}, port = 1, addresses = [\"lan\"]")), "`addresses` cannot hold `lan`"),
        (allow(&format!("{host}, port = 1, upload = \"10MB\"")), "`upload` cannot be `10MB`"),
        (
            "[net]\nallow = [{ host = \"a.example\", port = 1 }]".to_owned(),
            "a grant in `allow` has no `reason`",
        ),
        ("[net]\nlisten = [{ port = 1 }]".to_owned(), "a grant in `listen` has no `reason`"),
        ("[net]\nlisten = [8080]".to_owned(), "a grant in `listen` must be a table, not a whole number"),
        ("[net]\nopen = [{ host = \"10.0.0.1\", reason = \"r\" }]".to_owned(), "`10.0.0.1` is an address"),
        ("[net]\nalow = []".to_owned(), "[net] has no key `alow`"),
    ] {
        assert_eq!(mistakes(&lines), [what], "{lines}");
    }
    // All at once.
    let lines = "[net]\nallow = [{ host = \"A\", port = 0 }, { host = \"*\", prot = 443, reason = \"\" }]";
    assert_eq!(mistakes(lines).len(), 6, "{:#?}", mistakes(lines));
}

#[test]
fn where_a_cloud_keeps_credentials_is_granted_by_its_address_and_word_alone() {
    let metadata = ["169.254.169.254", "fd00:ec2::254", "169.254.170.2", "100.100.100.200"];
    for host in metadata {
        let bare = format!("host = \"{host}\", port = 80");
        assert_eq!(mistakes(&allow(&bare)), [format!("`{host}` gives out this machine's credentials")]);
        let wrong = format!("{bare}, addresses = [\"link-local\", \"private\", \"public\"]");
        assert_eq!(mistakes(&allow(&wrong)).len(), 1, "{host}");
        parse(&allow(&format!("{bare}, addresses = [\"metadata\"]")));
    }
    for host in ["metadata.google.internal", "*", "*.internal", "169.254.0.0/16", "10.0.0.1", "0.0.0.0/0"] {
        let grant = format!("host = \"{host}\", port = 80, addresses = [\"public\", \"metadata\"]");
        let what = format!("`metadata` is granted to `{host}`, which is no such address");
        assert_eq!(mistakes(&allow(&grant)), [what]);
    }
}

#[test]
fn a_flag_names_a_host_as_a_profile_does() {
    let grant = NetGrant::named("[::1]:8080", "flag").expect("an address");
    assert_eq!((grant.host.as_ref(), grant.port), ("::1", 8080));
    assert_eq!(grant.addresses.as_ref(), [AddressClass::Loopback]);
    let grant = NetGrant::named("192.168.0.0/16:22", "flag").expect("a network");
    assert_eq!(grant.addresses.as_ref(), [AddressClass::Private]);
    for wrong in
        ["169.254.169.254:80", "a.example", "a.example:", "a.example:99999", "::1:80", "[::1:80", "[a]:80"]
    {
        assert!(NetGrant::named(wrong, "flag").is_err(), "{wrong}");
    }
}

#[test]
fn hosts_ports_and_pages_of_a_base_are_appended_replaced_and_removed() {
    let base = parse(
        r#"
[net]
allow = [
  { host = "a.example", port = 443, reason = "base" },
  { host = "a.example", port = 80, reason = "base" },
  { host = "::1", port = 80, reason = "base" },
]
listen = [{ port = 8080, reason = "base" }]
open = [{ host = "login.example", reason = "base" }]
[unix]
allow = [{ path = "/run/x.sock", reason = "base" }]
[fs]
closed = [{ path = "/srv/keys", reason = "base" }]
"#,
    );
    let derive = |lines: &str| {
        let text = format!("name = \"q\"\ndescription = \"d\"\nextends = \"p\"\n{lines}");
        Profile::parse("q.toml", &text, &|_| Some(base.clone()))
    };
    let more = "[net]\nallow = [{ host = \"a.example\", port = 443, upload = \"1MiB\", reason = \"own\" },\
                { host = \"b.example\", port = 443, reason = \"own\" }]";
    let joined = derive(more).expect("in order");
    assert_eq!(hosts(&joined), ["a.example:443", "a.example:80", "::1:80", "b.example:443"]);
    assert_eq!(
        (joined.net_allow[0].reason.as_ref(), joined.net_allow[0].upload_bytes),
        ("own", Some(1 << 20))
    );
    assert_eq!(joined.closed.len(), 1, "what a base closes stays closed");
    let removed = "remove = [\"a.example:80\", \"[::1]:80\", \":8080\", \"login.example\", \"/run/x.sock\", \"/srv/keys\"]";
    let less = derive(removed).expect("in order");
    assert_eq!(hosts(&less), ["a.example:443"]);
    assert_eq!(
        (less.net_listen.len(), less.net_open.len(), less.unix_allow.len(), less.closed.len()),
        (0, 0, 0, 0)
    );
    let slip = derive("remove = [\"a.example:8080\", \"A.example:80\", \":80\"]")
        .expect_err("nothing of it is there");
    assert_eq!(slip.mistakes.len(), 3, "{slip}");
}

#[test]
fn examples_are_tried_when_a_profile_is_read() {
    let lines = r#"
[fs]
read = [{ path = "${workspace}", reason = "r" }, { path = "${home}/.aws", reason = "r" }]
write = [{ path = "${args.1}", reason = "r" }]
closed = [{ path = "${workspace}/secrets", reason = "r" }]
[net]
allow = [
  { host = "*.example.org", port = 443, reason = "r" },
  { host = "db.internal", port = 5432, addresses = ["private"], reason = "r" },
  { host = "10.0.0.5", port = 22, reason = "r" },
]
"#;
    let right = r#"
[test]
connects = ["api.example.org:443", "db.internal:5432", "10.0.0.5:22"]
refuses = ["example.org:443", "api.example.org:80", "10.0.0.6:22", "localhost:443", "169.254.169.254:443"]
reads = ["${workspace}/src", "${args.1}/x", "${home}/.aws/credentials"]
not_reads = ["${workspace}/.env", "${workspace}/a/.env.local", "${workspace}/secrets/k", "${home}/.ssh", "/", "/etc"]
writes = ["${args.1}/src/x"]
not_writes = ["${workspace}/src", "${args.1}/.git/hooks/x", "${args.1}/.vscode", "${args.1}x"]
"#;
    parse(&format!("{lines}{right}"));
    let wrong = r#"
[test]
connects = ["example.org:443"]
refuses = ["api.example.org:443"]
reads = ["${workspace}/.env"]
not_reads = ["${workspace}/src"]
writes = ["${workspace}/src"]
not_writes = ["${args.1}/x"]
"#;
    assert_eq!(
        mistakes(&format!("{lines}{wrong}")),
        [
            "the profile may not connect to `example.org:443`",
            "the profile may connect to `api.example.org:443`",
            "the profile may not read `${workspace}/.env`",
            "the profile may read `${workspace}/src`",
            "the profile may not write `${workspace}/src`",
            "the profile may write `${args.1}/x`",
        ]
    );
    for (line, what) in [
        ("connects = [\"*:443\"]", "`*:443` is more than one host"),
        ("connects = [\"a.example\"]", "`a.example` is no host and port"),
        ("reads = [\"src\"]", "the path `src` is not absolute"),
        ("reads = [\"${hom}/x\"]", "there is no variable `${hom}`"),
        ("reads = []", "an empty list in `reads` names nothing"),
        ("read = [\"/x\"]", "[test] has no key `read`"),
    ] {
        assert_eq!(mistakes(&format!("[test]\n{line}")), [what]);
    }
}

#[test]
fn examples_of_variables_listeners_pages_and_sockets_are_tried() {
    let lines = r#"
[net]
allow = [{ host = "${env.GITLAB_API_URL:-gitlab.com}", port = 443, reason = "r" }]
listen = [{ port = 3000, reason = "r" }]
open = [{ host = "*.example.org", reason = "r" }]
[unix]
allow = [{ path = "/run/x.sock", reason = "r" }]
[env]
pass = ["TOKEN"]
optional = ["DEBUG_*"]
"#;
    let right = r#"
[test]
connects = ["${env.GITLAB_API_URL:-gitlab.com}:443", "/run/x.sock"]
refuses = ["gitlab.com:443", "${env.GITLAB_API_URL}:443", "${env.OTHER}:443", "/run/y.sock", "${state}/x.sock"]
passes = ["TOKEN", "DEBUG_X"]
not_passes = ["TOKENS", "AWS_SECRET_ACCESS_KEY", "DEBUG"]
listens = [":3000"]
opens = ["login.example.org"]
not_opens = ["example.org", "evil.com"]
"#;
    let profile = parse(&format!("{lines}{right}"));
    assert_eq!(profile.env_pass.as_ref(), ["TOKEN", "DEBUG_*"]);
    assert_eq!(profile.optional.as_ref(), ["DEBUG_*"]);
    let wrong = r#"
[test]
connects = ["/run/y.sock"]
passes = ["OTHER"]
not_passes = ["TOKEN"]
listens = [":80", "80"]
opens = ["example.org"]
"#;
    assert_eq!(
        mistakes(&format!("{lines}{wrong}")),
        [
            "the profile may not connect to `/run/y.sock`",
            "the profile may not pass `OTHER`",
            "the profile may pass `TOKEN`",
            "the profile may not listen on `:80`",
            "`80` is no port",
            "the profile may not open pages at `example.org`",
        ]
    );
}

#[test]
fn a_host_may_come_from_a_variable_and_nothing_wider_can() {
    for host in [
        "${env.JIRA_URL}",
        "${env.URL:-example.org}",
        "api.${env.DD_SITE:-datadoghq.com}",
        "${env.ACCOUNT}.snowflakecomputing.com",
        "${env.REGION}-run.googleapis.com",
        "${args.1}",
        "${args.urls}",
    ] {
        let profile = parse(&allow(&format!("host = \"{host}\", port = 443")));
        assert_eq!(hosts(&profile), [format!("{host}:443")]);
        let gone = format!("{HEAD}extends = \"b\"\nremove = [\"{host}:443\"]");
        let less = Profile::parse("p", &gone, &|_| Some(profile.clone())).expect("it can be removed");
        assert!(less.net_allow.is_empty(), "{host}");
    }
    for (host, what) in [
        ("*.${env.SITE}", "is no name whatever its variable holds"),
        ("${env.SITE}example.org", "is no name whatever its variable holds"),
        ("api${env.SITE}", "is no name whatever its variable holds"),
        ("${env.SITE:-*}", "is no name whatever its variable holds"),
        ("${env.SITE:-10.0.0.1}", "is no name whatever its variable holds"),
        ("${env.A}.${env.B}", "has two variables"),
        ("${env.}", "has a variable that names no host"),
        ("${home}", "has a variable that names no host"),
        ("${args.0}", "has a variable that names no host"),
        ("${args.paths}", "has a variable that names no host"),
        ("x.${args.urls}", "adds to URLs, which are whole by themselves"),
        ("${env.SITE", "has a `${` without its `}`"),
    ] {
        let told = mistakes(&allow(&format!("host = \"{host}\", port = 443")));
        assert_eq!(told, [format!("`{host}` {what}")]);
    }
    let open = "[net]\nopen = [{ host = \"${env.X}\", reason = \"r\" }]";
    assert_eq!(mistakes(open), ["`${env.X}` is a variable"]);
    assert!(NetGrant::named("${env.X}:443", "a flag").is_err());
    let metadata = allow("host = \"${env.X}\", port = 80, addresses = [\"metadata\"]");
    assert_eq!(mistakes(&metadata), ["`metadata` is granted to `${env.X}`, which is no such address"]);
}

#[test]
fn a_grant_that_no_example_needs_is_found_unless_it_is_optional() {
    let text = |mark: &str, test: &str| {
        format!(
            "{HEAD}[fs]\nread = [{{ path = \"/srv/a/\", reason = \"r\"{mark} }}]\n\
             [net]\nallow = [{{ host = \"a.example\", port = 443, reason = \"r\" }}, \
             {{ host = \"2606:4700::1\", port = 443, reason = \"r\"{mark} }}]\n\
             listen = [{{ port = 80, reason = \"r\"{mark} }}]\nopen = [{{ host = \"o.example\", reason = \"r\"{mark} }}]\n\
             [unix]\nallow = [{{ path = \"/run/x\", reason = \"r\"{mark} }}]\n[test]\n{test}"
        )
    };
    let unneeded = |text: &str| Profile::unneeded("p", text, &|_| None).expect("in order");
    let nothing = "connects = [\"a.example:443\"]";
    assert_eq!(unneeded(&text("", nothing)), ["/srv/a", "[2606:4700::1]:443", ":80", "o.example", "/run/x"]);
    assert_eq!(unneeded(&text(", optional = true", nothing)), Vec::<String>::new());
    assert_eq!(unneeded(&text(", optional = true", "refuses = [\"b.example:1\"]")), ["a.example:443"]);
    let all = "connects = [\"a.example:443\", \"[2606:4700::1]:443\", \"/run/x\"]\nreads = [\"/srv/a/b\"]\n\
               listens = [\":80\"]\nopens = [\"o.example\"]";
    assert_eq!(unneeded(&text(", optional = false", all)), Vec::<String>::new());

    let base = parse(
        "[fs]\nread = [{ path = \"/srv/a\", reason = \"r\", optional = true }]\n[env]\noptional = [\"X\"]",
    );
    assert_eq!(base.optional.as_ref(), ["/srv/a", "X"]);
    let derive = |lines: &str| {
        Profile::parse("p", &format!("{HEAD}extends = \"b\"\n{lines}"), &|_| Some(base.clone()))
            .expect("in order")
    };
    assert_eq!(derive("").optional.as_ref(), ["/srv/a", "X"]);
    assert_eq!(derive("remove = [\"/srv/a/\"]").optional.as_ref(), ["X"]);
    let needed = derive("[fs]\nwrite = [{ path = \"/srv/a\", reason = \"r\" }]\n[env]\npass = [\"X\"]");
    assert!(needed.optional.is_empty(), "{:?}", needed.optional);
}

#[test]
fn lines_to_be_pasted_are_told_from_a_profile_and_checked_like_one() {
    let fragment = "[net]\nallow = [{ host = \"api.example.org\", port = 443, reason = \"…\" }]\n";
    assert!(is_fragment(fragment) && is_fragment("[[net.allow]]\nhost = \"a\"") && !is_fragment(""));
    assert!(!is_fragment(HEAD) && !is_fragment("extends = \"default\"\n[net]"));
    assert_eq!(hosts(&Profile::parse_fragment("-", fragment).expect("in order")), ["api.example.org:443"]);
    let pasted = parse(fragment);
    assert_eq!(hosts(&pasted), ["api.example.org:443"]);
    // Each grant may stand in a table of its own, so that several fragments can follow each other.
    let tables = "[[net.allow]]\nhost = \"a.example\"\nport = 443\nreason = \"r\"\n[[net.allow]]\nhost = \"b.example\"\nport = 443\nreason = \"r\"";
    assert_eq!(hosts(&Profile::parse_fragment("-", tables).expect("in order")).len(), 2);
    let wrong =
        Profile::parse_fragment("-", "[net]\nallow = [{ host = \"a b\" }]\n[fss]").expect_err("mistakes");
    assert_eq!(wrong.mistakes.len(), 4, "{wrong}");
}

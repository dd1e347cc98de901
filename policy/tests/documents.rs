//! Policy and profile files: what is understood, and how mistakes are told.

use std::path::Path;

use stockade_policy::detect::{Confidence, ExactClass};
use stockade_policy::document::policy::{Directions, FullDisk, Mode, PolicyDocument, UnknownMethods};
use stockade_policy::document::profile::{Profile, Require, Source, parse_all};
use stockade_policy::rules::{Item, Layer, Origin, Policy};
use stockade_policy::verdict::{Access, Content};

/// Mistakes as `LINE:COLUMN WHAT`, in the order in which they are told.
fn policy_mistakes(text: &str) -> Vec<String> {
    let mistakes = PolicyDocument::parse("policy.toml", text).expect_err("a file with mistakes").mistakes;
    mistakes.iter().map(|m| format!("{}:{} {}", m.line, m.column, m.what)).collect()
}

fn profile_mistakes(text: &str) -> Vec<String> {
    let mistakes = Profile::parse("p.toml", text, &|_| None).expect_err("a file with mistakes").mistakes;
    mistakes.iter().map(|m| format!("{}:{} {}", m.line, m.column, m.what)).collect()
}

#[test]
fn a_policy_file_is_read_as_its_author_wrote_it() {
    let text = r#"
version = 1
mode = "monitor"

[defaults]
server = "ask"
unknown_methods = "deny"
profile = "tight"
grants_by_flag = "deny"
full_disk = "stop"

[limits]
frame_to_server = "1MiB"
frame_to_client = 65536

[[rule]]
id = "no-merge"
effect = "deny"
servers = ["pkg:npm/@modelcontextprotocol/server-github", "https://api.githubcopilot.com/mcp/*"]
tools = ["merge_*"]
prompts = ["release"]
reason = "Merges go through review."

[[dlp]]
id = "no-secrets-out"
detect = ["secret/*", "keyword/projects"]
direction = "to-server"
action = "block"
confidence = "high"
except = { servers = ["pkg:pypi/internal-vault"] }

[keywords.projects]
words = ["Nightfall", "Bluebird"]
match = "substring"
"#;
    let policy = PolicyDocument::parse("policy.toml", text).expect("a policy without mistakes");
    assert_eq!(policy.mode, Mode::Monitor);
    assert_eq!(policy.defaults.server, Access::Ask);
    assert_eq!(policy.defaults.unknown_methods, UnknownMethods::Deny);
    assert_eq!(policy.defaults.profile.as_deref(), Some("tight"));
    assert_eq!(policy.defaults.grants_by_flag, Access::Deny);
    assert_eq!(policy.defaults.full_disk, FullDisk::Stop);
    assert_eq!(policy.frame_bytes_max, (Some(1 << 20), Some(65536)));
    let [rule] = &policy.rules[..] else { panic!("one rule") };
    assert_eq!((rule.id.as_str(), rule.effect, rule.line), ("no-merge", Access::Deny, 16));
    assert_eq!((rule.servers.len(), rule.tools.len(), rule.prompts.len()), (2, 1, 1));
    let [dlp] = &policy.dlp[..] else { panic!("one DLP rule") };
    assert_eq!((dlp.action, dlp.direction, dlp.line), (Content::Block, Directions::ToServer, 24));
    assert_eq!((dlp.confidence, dlp.except_servers.len()), (Confidence::High, 1));
    assert!(!dlp.reason.is_empty(), "a DLP rule without a reason gets one from its action");
    let [list] = &policy.keywords[..] else { panic!("one list") };
    assert_eq!((list.name.as_str(), list.words.len(), list.whole_word), ("projects", 2, false));
}

#[test]
fn what_a_file_leaves_open_it_leaves_to_the_other_layers() {
    let policy = PolicyDocument::parse("p", "version = 1").expect("the smallest policy");
    assert_eq!((policy.mode, policy.defaults.server), (Mode::Enforce, Access::Allow));
    assert_eq!((policy.defaults.profile, policy.frame_bytes_max), (None, (None, None)));
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_in_the_order_of_their_places() {
    let text = r#"version = 2
mode = "enforced"
colour = "blue"

[defaults]
sever = "allow"
full_disk = true

[[rule]]
id = "a"
effect = "deny"
when = 'arg.base == "main"'
tools = [""]
reason = "First."

[[rule]]
id = "a"
effect = "forbid"
servers = ["github"]

[[dlp]]
id = "b"
detect = ["secrets/*", "keyword/projekts"]
action = "block"

[keywords.projects]
words = []
"#;
    assert_eq!(
        policy_mistakes(text),
        [
            "1:11 this version of stockade reads policies of version 1 only",
            "2:8 `mode` cannot be `enforced`",
            "3:1 the file has no key `colour`",
            "6:1 [defaults] has no key `sever`",
            "7:13 `full_disk` must be a string, not true or false",
            "12:9 a condition knows no `arg`",
            "13:10 an empty string in `tools` names nothing",
            "16:1 [[rule]] has no `reason`",
            "17:6 the id `a` is already used in line 10",
            "18:10 `effect` cannot be `forbid`",
            "19:12 `github` is no identity",
            "23:11 `secrets/*` matches no detector",
            "23:24 there is no keyword list `projekts`",
            "26:1 this keyword list has no words",
        ]
    );
}

#[test]
fn a_mistake_says_what_was_probably_meant() {
    for (text, remedy) in [
        ("version = 1\nmode = \"enforced\"", "did you mean `enforce`?"),
        ("version = 1\n[defaults]\nsever = \"deny\"", "did you mean `server`?"),
        (
            "version = 1\n[[dlp]]\nid=\"a\"\naction=\"block\"\ndetect=[\"secrets/*\"]",
            "did you mean `secret`?",
        ),
        ("version = 1\n[[rule]]\nid=\"a\"\neffect=\"no\"\nreason=\"r\"", "use `allow`, `ask` or `deny`"),
        (
            "version = 1\n[[dlp]]\nid=\"a\"\naction=\"block\"\ndetect=[\"keyword/prjects\"]\n[keywords.projects]\nwords=[\"x\"]",
            "did you mean `projects`?",
        ),
        ("version = 1\n[keywords.x]", "write `words = [\"…\"]` or `regexes = ['…']`"),
        (
            "version = 1\n[keywords.x]\nregexes = ['EMP-[0-9]+']",
            "give each repetition an end: `[A-Z]{1,40}` instead of `[A-Z]+`",
        ),
        (
            "version = 1\n[keywords.x]\nregexes = ['(?=a)b']",
            "the syntax is that of the crate `regex`, without look-around and back references",
        ),
    ] {
        let mistakes = PolicyDocument::parse("p", text).expect_err(text).mistakes;
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert_eq!(mistakes[0].remedy.as_deref(), Some(remedy), "{text}");
    }
}

#[test]
fn syntax_errors_do_not_hide_the_mistakes_after_them() {
    let text = "version = 1\nlonely\nmode = \"nonsense\"\n[defaults]\nserver = \n[[rule]]\nid = \"x\" effect = 3\n\
                [limits]\nframe_to_server = \"1MB\"\n";
    let mistakes = policy_mistakes(text);
    let lines = mistakes.iter().map(|m| m.split(':').next().unwrap_or("")).collect::<Vec<_>>();
    assert_eq!(lines, ["2", "3", "5", "7", "9"], "{mistakes:#?}");
}

#[test]
fn a_duplicate_key_is_a_mistake_at_its_second_place() {
    assert_eq!(
        policy_mistakes("version = 1\nmode = \"monitor\"\nmode = \"enforce\"\n"),
        ["3:1 duplicate key"]
    );
}

#[test]
fn lines_that_end_like_on_windows_and_a_byte_order_mark_are_no_mistakes() {
    assert!(PolicyDocument::parse("p", "\u{feff}version = 1\r\nmode = \"monitor\"\r\n").is_ok());
    assert_eq!(
        policy_mistakes("version = 1\r\nmode = 3\r\n"),
        ["2:8 `mode` must be a string, not a whole number"]
    );
}

#[test]
fn every_kind_of_mistake_in_a_policy_is_told() {
    let rule =
        |line: &str| format!("version = 1\n[[rule]]\nid = \"a\"\neffect = \"deny\"\nreason = \"r\"\n{line}");
    let dlp = |line: &str| format!("version = 1\n[[dlp]]\nid = \"a\"\naction = \"block\"\n{line}");
    let limit =
        |line: &str| format!("version = 1\n[[limit]]\nid = \"a\"\ntools = [\"*\"]\nreason = \"r\"\n{line}");
    for (text, what) in [
        (String::new(), "the file has no `version`"),
        ("version = \"1\"".to_owned(), "`version` must be the number 1, not a string"),
        ("version = 1\nrule = 3".to_owned(), "`rule` must be a list of tables, not a whole number"),
        ("version = 1\n[rule]\nid = \"a\"".to_owned(), "`rule` must be a list of tables, not a table"),
        (rule("").replace("id = \"a\"", ""), "[[rule]] has no `id`"),
        (dlp("detect = [\"pii/*\"]").replace("action = \"block\"", ""), "[[dlp]] has no `action`"),
        (rule("tools = \"x\""), "`tools` must be a list of strings, not a string"),
        (rule("tools = [1]"), "`tools` must be a list of strings, but here stands a whole number"),
        (rule("tools = []"), "an empty list in `tools` names nothing"),
        (rule("servers = []"), "an empty list in `servers` names nothing"),
        (rule("resources = [\"etc/passwd\"]"), "`etc/passwd` matches no URI: it has no scheme"),
        (
            rule("resources = [\"FILE:///etc/*\"]"),
            "`FILE:///etc/*` has a scheme in capital letters: URIs are compared in canonical form",
        ),
        (
            rule("resources = [\"file:///a/../etc/*\"]"),
            "`file:///a/../etc/*` has a segment of dots: URIs are compared in canonical form",
        ),
        (
            rule("resources = [\"file:///%2E%2E/x\"]"),
            "`file:///%2E%2E/x` has an escaped dot: URIs are compared in canonical form",
        ),
        (rule("features = [\"smpling\"]"), "there is no feature `smpling`"),
        (rule("origins = [\"https://a.example\"]"), "`origins` narrows elicitation by URL, and nothing else"),
        (
            rule("features = [\"elicitation\"]\norigins = [\"https://a.example\"]"),
            "`origins` narrows elicitation by URL, and nothing else",
        ),
        (
            rule("features = [\"elicitation-url\"]\norigins = [\"https://a.example/login\"]"),
            "`https://a.example/login` is no origin",
        ),
        (
            rule("tools = [\"x\"]\nresources = [\"*\"]\nwhen = \"args.a == 1\""),
            "`args` is not known of everything that this rule is about",
        ),
        (rule("when = \"tool == 'x'\""), "`tool` is not known of everything that this rule is about"),
        (
            rule("tools = [\"x\"]\nwhen = \"args.a == \""),
            "this condition cannot be read: mismatched input '<EOF>' expecting expression",
        ),
        (rule("until = \"tomorrow\""), "`until` cannot be `tomorrow`"),
        (rule("until = 2026-12-31"), "`until` must be a string, not a date"),
        (rule("days = [\"monday\"]"), "`monday` is no day of the week"),
        (rule("hours = \"8-18\""), "`hours` cannot be `8-18`"),
        (rule("hours = \"08:00-18:00\"\nutc_offset = \"CET\""), "`utc_offset` cannot be `CET`"),
        (rule("utc_offset = \"+01:00\""), "`utc_offset` is about `days` and `hours`, and there are none"),
        (limit("calls = 1"), "[[limit]] has no `per`"),
        (limit("calls = 0\nper = \"1m\""), "`calls` must lie between 1 and 1000000000"),
        (limit("calls = 1\nper = \"1 minute\""), "`per` cannot be `1 minute`"),
        (limit("per = \"1m\""), "[[limit]] has neither `calls` nor `bytes`"),
        (limit("calls = 1\nper = \"1m\"\neffect = \"allow\""), "`effect` cannot be `allow`"),
        (
            limit("calls = 1\nper = \"1m\"").replace("tools = [\"*\"]", ""),
            "[[limit]] names no `tools`, `prompts` or `resources`",
        ),
        ("version = 1\nmay_relax = [\"tool\"]".to_owned(), "there is no class `tool`"),
        (rule("methods = [\"*\"]"), "`methods` in [[rule]] is not supported by this version yet"),
        (rule("may_relax = true"), "`may_relax` in [[rule]] is not supported by this version yet"),
        (rule("servers = [\"pkg:npm\"]"), "`pkg:npm` names no package"),
        (rule("servers = [\"pkg:npm/x@\"]"), "`pkg:npm/x@` has an empty version"),
        (
            rule("servers = [\"pkg:npm/x@^1.0\"]"),
            "the version range in `pkg:npm/x@^1.0`: `^1.0` does not begin with one of < <= = != >= >",
        ),
        (
            rule("servers = [\"pkg:pypi/x@>=one\"]"),
            "the version range in `pkg:pypi/x@>=one`: `one` is no version of a Python package (PEP 440)",
        ),
        (
            rule("servers = [\"pkg:*@>=1\"]"),
            "`pkg:*@>=1` has a range and not the kind and name of one package",
        ),
        (rule("servers = [\"file:sha256:12\"]"), "`file:sha256:12` is no SHA-256"),
        (rule("servers = [\"*github*\"]"), "`*github*` is no identity"),
        (dlp("detect = []"), "[[dlp]] has nothing in `detect`"),
        (dlp("detect = [\"secret\"]"), "`secret` matches no detector"),
        (dlp("detect = [\"secret/\"]"), "`secret/` matches no detector"),
        (dlp("detect = [\"secret/githb-pat\"]"), "this version has no detector `secret/githb-pat`"),
        (dlp("detect = [\"secret/none-*\"]"), "this version has no detector `secret/none-*`"),
        (dlp("detect = [\"pii/*\"]\ndirection = \"out\""), "`direction` cannot be `out`"),
        (
            dlp("detect = [\"pii/*\"]\nexcept = { tools = [\"x\"] }"),
            "`tools` in [except] is not supported by this version yet",
        ),
        (
            "version = 1\n[limits]\nframe_to_server = \"1B\"".to_owned(),
            "`frame_to_server` must lie between 4096 and 1073741824",
        ),
        ("version = 1\n[limits]\nframe_to_server = \"1MB\"".to_owned(), "`frame_to_server` cannot be `1MB`"),
        (
            "version = 1\n[pins]\nchanged = \"block\"".to_owned(),
            "`pins` in the file is not supported by this version yet",
        ),
    ] {
        let mistakes = PolicyDocument::parse("p", &text).expect_err(what).mistakes;
        assert_eq!(mistakes.iter().map(|m| m.what.as_str()).collect::<Vec<_>>(), [what], "{text}");
    }
    let spoofed =
        policy_mistakes("version = 1\n[[rule]]\nid = \"tool-name\"\neffect = \"allow\"\nreason = \"r\"");
    assert_eq!(spoofed, ["3:6 `tool-name` is the id of a built-in decision"]);
    let two_lines = policy_mistakes(&rule("").replace("reason = \"r\"", "reason = \"a\\nb\""));
    assert_eq!(two_lines, ["5:10 a reason is one line of plain text"]);
}

#[test]
fn any_text_ends_in_a_value_or_in_mistakes() {
    // Every prefix of a real file, and every prefix with a hostile end: neither panics nor passes in silence.
    let text = repository_file("profiles/policies/strict.toml");
    let whole = text.char_indices().map(|(at, _)| at).filter(|at| at % 7 == 0);
    for at in whole {
        for end in ["", "\"", "[[", "\u{0}", "= [", "''' \u{2028}"] {
            let cut = format!("{}{end}", &text[..at]);
            if let Err(mistakes) = PolicyDocument::parse("p", &cut) {
                assert!(mistakes.mistakes.iter().all(|m| m.line >= 1 && m.column >= 1 && !m.what.is_empty()));
            }
            assert!(Profile::parse("p", &cut, &|_| None).is_err());
        }
    }
}

#[test]
fn a_mistake_is_printed_with_file_line_column_and_remedy() {
    let mistakes =
        PolicyDocument::parse("/etc/p.toml", "version = 1\nmode = \"monitr\"\n").expect_err("a slip");
    assert_eq!(mistakes.to_string(), "/etc/p.toml:2:8: `mode` cannot be `monitr` (did you mean `monitor`?)");
}

#[test]
fn a_profile_is_read_and_its_base_folded_in() {
    let base = Profile::parse(
        "base.toml",
        r#"
name = "base"
description = "A base"
[fs]
read = [{ path = "/etc/hosts", reason = "names" }, { path = "/etc/fonts/", reason = "fonts" }]
[env]
pass = ["PATH", "LC_*"]
set = { HOME = "${state}/home", DO_NOT_TRACK = "1" }
[limits]
open_files = 100
processes = 10
[require]
process = "best-effort"
"#,
        &|_| None,
    )
    .expect("a base");
    assert_eq!((base.require_fs, base.require_process), (Require::Full, Require::BestEffort));
    let text = r#"
name = "mine"
description = "Mine"
extends = "base"
identity = ["pkg:npm/mine"]
match = ["pkg:npm/mine@1.0.0"]
not_match = ["pkg:npm/yours@1.0.0"]
remove = ["/etc/fonts", "DO_NOT_TRACK"]
[fs]
write = [{ path = "${args.paths}", reason = "its work" }]
read = [{ path = "/etc/hosts", reason = "its own reason" }]
[env]
pass = ["PATH", "MINE"]
[limits]
processes = 20
memory = "512MiB"
[net]
allow = []
"#;
    let mine =
        Profile::parse("mine.toml", text, &|name| (name == "base").then(|| base.clone())).expect("a profile");
    assert_eq!(mine.bases.as_ref(), ["base"]);
    assert_eq!(mine.read.len(), 1, "/etc/fonts is removed, /etc/hosts is said once");
    assert_eq!(mine.read[0].reason, "its own reason");
    assert_eq!(mine.write[0].path, "${args.paths}");
    assert_eq!(mine.env_pass.as_ref(), ["PATH", "LC_*", "MINE"]);
    assert_eq!(mine.env_set.iter().map(|set| set.name.as_ref()).collect::<Vec<_>>(), ["HOME"]);
    assert_eq!((mine.limits.open_files, mine.limits.processes), (Some(100), Some(20)));
    assert_eq!(mine.limits.memory_bytes, Some(512 << 20));
    assert_eq!(mine.require_process, Require::BestEffort);
    assert!(mine.fits(&["pkg:npm/mine@2.0.0".to_owned()]).is_some());
    assert!(mine.fits(&["pkg:npm/mine-evil@2.0.0".to_owned()]).is_none());
}

#[test]
fn every_kind_of_mistake_in_a_profile_is_told() {
    let profile = |lines: &str| format!("name = \"p\"\ndescription = \"d\"\n{lines}");
    let read = |path: &str| profile(&format!("[fs]\nread = [{{ path = \"{path}\", reason = \"r\" }}]"));
    for (text, what) in [
        (profile("extends = \"nobody\""), "there is no profile `nobody` to extend"),
        (profile("remove = [\"/usr\"]"), "`remove` has nothing to subtract from"),
        (profile("[fs]\nread = [\"/usr\"]"), "this grant in `read` has no reason"),
        (profile("[fs]\nread = [{ path = \"/usr\" }]"), "a grant in `read` has no `reason`"),
        (profile("[fs]\nread = [{ reason = \"r\" }]"), "a grant in `read` has no `path`"),
        (profile("[fs]\nread = \"/usr\""), "`read` must be a list of grants, not a string"),
        (profile("[fs]\nraed = []"), "[fs] has no key `raed`"),
        (read("usr"), "the path `usr` is not absolute"),
        (read("~/x"), "the path `~/x` is not absolute"),
        (read("/usr/../etc"), "the path `/usr/../etc` has `.` or `..` in it"),
        (read("/etc/python3*"), "the path `/etc/python3*` has a wildcard"),
        (read("/"), "the path `/` is too wide"),
        (read("${home}/"), "the path `${home}/` is too wide"),
        (read("/srv/${home}"), "the path `/srv/${home}` has a variable in its middle"),
        (read("${cwd}x"), "the path `${cwd}x` continues right behind its variable"),
        (read("${stat}/x"), "there is no variable `${stat}`"),
        (read("${args.0}"), "there is no argument `${args.0}`"),
        (read("${args.01}"), "there is no argument `${args.01}`"),
        (read("${args.100}"), "there is no argument `${args.100}`"),
        (read("${args.path}"), "there is no variable `${args.path}`"),
        (read("${state"), "`${state` has a `${` without its `}`"),
        (profile("[env]\npass = [\"*\"]"), "`pass` cannot hold `*`"),
        (profile("[env]\npass = [\"A=B\"]"), "`pass` cannot hold `A=B`"),
        (profile("[env.set]\nX = 1"), "`X` must be a string, not a whole number"),
        (profile("[env.set]\nX = \"${hom}\""), "there is no variable `${hom}`"),
        (
            profile("[env.set]\nX = \"${args.paths}\""),
            "`${args.paths}` stands for several paths and cannot be part of a value",
        ),
        (profile("[env.set]\n\"X-Y\" = \"1\""), "`X-Y` is no name of a variable"),
        (profile("[limits]\nopen_files = 0"), "`open_files` must lie between 16 and 1048576"),
        (profile("[limits]\nmemory = \"lots\""), "`memory` cannot be `lots`"),
        (profile("[require]\nfs = \"mostly\""), "`fs` cannot be `mostly`"),
        (profile("[unix]\nsockets = []"), "[unix] has no key `sockets`"),
        (profile("[unix]\nprivate = \"yes\""), "`private` must be true or false, not a string"),
        (profile("[unix]\nallow = [\"/run/x\"]"), "this grant in `allow` has no reason"),
        (profile("strict = 1"), "`strict` must be true or false, not a whole number"),
        (profile("[fs]\nclosed = [\"/srv/keys\"]"), "this grant in `closed` has no reason"),
        (profile("[limits]\nupload = \"1MB\""), "`upload` cannot be `1MB`"),
        (profile("[require]\nunix = \"full\""), "`unix` in [require] is not supported by this version yet"),
        (profile("identity = [\"server\"]"), "`server` is no identity"),
        (profile("match = [\"pkg:npm/x@1\"]"), "no pattern of `identity` matches `pkg:npm/x@1`"),
        (
            profile("identity = [\"pkg:npm/*\"]\nnot_match = [\"pkg:npm/x@1\"]"),
            "a pattern of `identity` matches `pkg:npm/x@1`",
        ),
        ("name = \"a b\"\ndescription = \"d\"".to_owned(), "a profile cannot be called `a b`"),
        ("name = \"p\"".to_owned(), "the file has no `description`"),
    ] {
        let told = profile_mistakes(&text);
        assert_eq!(told.len(), 1, "{text}: {told:?}");
        assert!(told[0].ends_with(what), "{text}: {told:?}");
    }
}

#[test]
fn a_removal_of_what_is_not_there_is_a_mistake() {
    let base = Profile::parse("b", "name = \"b\"\ndescription = \"d\"\n[env]\npass = [\"PATH\"]", &|_| None);
    let base = base.expect("a base");
    let text = "name = \"p\"\ndescription = \"d\"\nextends = \"b\"\nremove = [\"PATH\", \"/opt\"]";
    let mistakes = Profile::parse("p", text, &|_| Some(base.clone())).expect_err("a slip").mistakes;
    assert_eq!(mistakes.len(), 1);
    assert_eq!((mistakes[0].line, mistakes[0].column), (4, 19));
}

#[test]
fn profiles_of_a_set_may_extend_each_other_in_any_order_but_not_in_a_circle() {
    let source = |name: &str, extends: &str| Source {
        file: format!("{name}.toml"),
        text: format!("name = \"{name}\"\ndescription = \"d\"\nextends = \"{extends}\"\n"),
    };
    let known = |name: &str| {
        (name == "outside")
            .then(|| Profile::parse("o", "name = \"outside\"\ndescription = \"d\"", &|_| None).expect("ok"))
    };
    let sources = [source("c", "b"), source("b", "a"), source("a", "outside")];
    let (profiles, mistakes) = parse_all(&sources, &known);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    assert_eq!(profiles[0].bases.as_ref(), ["b", "a", "outside"]);

    let sources = [
        source("a", "b"),
        source("b", "a"),
        source("self", "self"),
        source("d", "a"),
        source("a", "outside"),
    ];
    let (profiles, mistakes) = parse_all(&sources, &known);
    assert!(profiles.is_empty(), "{profiles:?}");
    let told = mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(told.contains("b.toml:3:11: the profile extends itself, by way of `a`"), "{told}");
    assert!(told.contains("self.toml:3:11: the profile extends itself"), "{told}");
    assert!(told.contains("d.toml:3:11: the profile `a` has mistakes of its own"), "{told}");
    assert!(told.contains("a.toml:1:1: a.toml has the same name"), "{told}");
}

#[test]
fn every_profile_that_ships_is_in_order_and_proves_whom_it_is_for() {
    let (profiles, mistakes) = parse_all(&shipped_profiles(), &|_| None);
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    let names = profiles.iter().map(|p| p.name.as_ref()).collect::<Vec<_>>();
    for name in
        ["linux", "default", "server-everything", "server-filesystem", "server-memory", "mcp-server-git"]
    {
        assert!(names.contains(&name), "{names:?}");
    }
    for source in shipped_profiles().iter().filter(|s| s.text.contains("\nidentity = ")) {
        let proves = source.text.contains("\nmatch = ") && source.text.contains("\nnot_match = ");
        assert!(proves, "{} has no examples of its identity", source.file);
    }
}

#[test]
fn no_profile_that_ships_opens_what_is_nobodys_business() {
    let secret = [
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/sudoers",
        "/etc/ssh",
        "/etc/ssl/private",
        "/etc/pki/tls/private",
    ];
    let private = ["/root", "/home", "/var", "/run", "/tmp", "/dev/shm", "/sys/kernel/security", "/boot"];
    let (profiles, _) = parse_all(&shipped_profiles(), &|_| None);
    for profile in &profiles {
        for grant in profile.read.iter().chain(profile.write.iter()).chain(profile.exec.iter()) {
            for place in secret.iter().chain(&private) {
                let inside = Path::new(place).starts_with(grant.path.as_ref());
                assert!(!inside, "{}: {} opens {place}", profile.name, grant.path);
            }
            let below_private = private.iter().any(|place| Path::new(grant.path.as_ref()).starts_with(place));
            assert!(!below_private, "{}: {}", profile.name, grant.path);
        }
        for write in profile.write.iter() {
            let own = ["${", "/dev/"].iter().any(|start| write.path.starts_with(start));
            assert!(own, "{}: writes {}", profile.name, write.path);
        }
        // A server's own profile passes that server's own credentials; one for many passes none.
        let credentials = ["TOKEN", "SECRET", "PASSWORD", "_KEY"];
        let of_its_own = if profile.identity.is_empty() { &credentials[..] } else { &[] };
        let never = ["AUTH_SOCK", "LD_", "NODE_OPTIONS", "PYTHONPATH", "DBUS_", "DISPLAY"];
        let passes = profile
            .env_pass
            .iter()
            .find(|name| of_its_own.iter().chain(&never).any(|word| name.contains(word)));
        assert_eq!(passes, None, "{}", profile.name);
    }
}

#[test]
fn the_starting_policies_do_what_their_first_lines_say() {
    let compose = |name: &str, added: &str| {
        let text = repository_file(&format!("profiles/policies/{name}.toml")) + added;
        let document = PolicyDocument::parse(name, &text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        Policy::compose(vec![Layer {
            origin: Origin::BuiltIn,
            name: name.to_owned(),
            document,
            sha256: String::new(),
        }])
    };
    let unknown = ["pkg:npm/unknown@1.0.0".to_owned()];
    for name in ["observe", "default"] {
        let policy = compose(name, "");
        assert_eq!(policy.access(&unknown, Item::Server).verdict, Access::Allow, "{name}");
        assert_eq!(policy.grants_by_flag().verdict, Access::Allow, "{name}");
        assert_eq!(
            (policy.unknown_methods(), policy.full_disk()),
            (UnknownMethods::Forward, FullDisk::DropOldest)
        );
    }
    let strict = compose("strict", "");
    let ruling = strict.access(&unknown, Item::Server);
    assert_eq!(ruling.verdict, Access::Deny);
    let reason = ruling.reason.expect("a denial has a reason").text;
    assert!(reason.contains("effect = \"allow\"") && reason.contains("policy file"), "{reason}");
    assert_eq!(strict.grants_by_flag().verdict, Access::Deny);
    assert_eq!((strict.unknown_methods(), strict.full_disk()), (UnknownMethods::Deny, FullDisk::Stop));
    assert_eq!(strict.default_profile(), "offline");
    let approval = "\n[[rule]]\nid = \"approved\"\neffect = \"allow\"\nservers = [\"pkg:npm/unknown\"]\nreason = \"r\"\n";
    let approved = compose("strict", approval);
    assert_eq!(approved.access(&unknown, Item::Server).verdict, Access::Allow);
    assert_eq!(approved.access(&unknown, Item::Tool("any")).verdict, Access::Allow);
}

fn repository_file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn shipped_profiles() -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["base", "servers"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles").join(folder);
        for entry in std::fs::read_dir(path).expect("the folder of profiles") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a readable profile");
            sources.push(Source { file: path.display().to_string(), text });
        }
    }
    sources
}

#[test]
fn tables_and_canaries_are_named_by_rules_like_other_detectors() {
    let text = r#"version = 1
[exact.customers]
file = "customers.fingerprints"
[exact.keys]
file = "/srv/keys.fingerprints"
class = "secret"
[canary.vault]
values = ["trap-4711@corp-files.example"]
[canary.wiki]
file = "wiki.txt"
[[dlp]]
id = "a"
action = "block"
detect = ["pii/exact-customers", "secret/exact-keys", "secret/canary-*", "secret/canary-wiki", "secret/server-environment", "*/exact-*"]
"#;
    let policy = PolicyDocument::parse("p", text).expect("it is in order");
    let [customers, keys] = &policy.exact[..] else { panic!("two tables") };
    assert_eq!(
        (customers.class, customers.line, &*customers.file),
        (ExactClass::Pii, 2, "customers.fingerprints")
    );
    assert_eq!((keys.class, &*keys.name), (ExactClass::Secret, "keys"));
    let [vault, wiki] = &policy.canaries[..] else { panic!("two canaries") };
    assert_eq!((vault.values.len(), wiki.file.as_deref()), (1, Some("wiki.txt")));
    assert!(!format!("{policy:?}").contains("trap-4711"), "a canary is not shown");
}

#[test]
fn mistakes_in_tables_and_canaries_are_told_and_show_no_value() {
    let text = r#"version = 1
[exact."cust omers"]
file = "a"
[exact.customers]
class = "card"
[canary.vault]
values = ["short-trap", " padded-trap-4711", "two\nlines-of-a-trap"]
hashes = ["x"]
[canary.empty]
[[dlp]]
id = "a"
action = "block"
detect = ["pii/exact-costumers", "secret/exact-customers", "secret/canary-vault", "secret/canary-none"]
"#;
    let told = policy_mistakes(text);
    assert_eq!(
        told,
        [
            "2:8 its name cannot be `cust omers`",
            "4:1 [exact.customers] has no `file`",
            "5:9 `class` cannot be `card`",
            "7:11 a canary of fewer than 12 characters is found by chance",
            "7:25 a canary is one line of text without space around it",
            "7:46 a canary is one line of text without space around it",
            "8:1 `hashes` in [canary.vault] is not supported by this version yet",
            "9:1 this canary has no values",
            "13:11 there is no [exact.costumers] of this class",
            "13:34 there is no [exact.customers] of this class",
            "13:83 there is no [canary.none] of this class",
        ]
    );
}

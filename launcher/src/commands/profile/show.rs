//! `stockade profile show`: a profile with its bases folded in, and why each grant stands in it.

use serde_json::{Map, Value, json};
use stockade_policy::document::profile::{AddressClass, Login, NetGrant, PathGrant, Profile, Require, Share};

use super::named;
use crate::commands::screen::{Ink, Screen, columns, harmless, labelled};
use crate::error::Failure;
use crate::exit::Exit;

/// One thing that a profile says about a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// `read`, `connect to`, `limit` …
    pub(super) kind: &'static str,
    /// What it is about: a path, a host, a name.
    pub(super) what: String,
    /// More of it: classes of addresses, a value.
    pub(super) detail: String,
    /// Why.
    pub(super) reason: String,
}

/// Prints one profile.
pub(super) fn show(word: &str, as_json: bool) -> Result<Exit, Failure> {
    let profile = named::profile(word)?;
    super::print(&if as_json { json_text(&profile) } else { text(&profile, Screen::of_stdout()) })
}

/// Sections of the screen: title, kinds of facts, and what stands there without any.
const SECTIONS: [(&str, &[&str], &str); 14] = [
    ("Read", &["read"], "nothing"),
    ("Read and write", &["write"], "nothing"),
    ("Read and execute", &["execute"], "nothing"),
    ("Closed inside of these, beyond what is closed in every jail", &["closed"], "nothing"),
    ("Network", &["connect to", "listen on", "send at most", "open pages at"], "none"),
    ("Unix sockets", &["socket"], "none"),
    ("Environment passed on", &["pass"], "nothing"),
    ("Environment set", &["set"], "nothing"),
    ("Logins of its own, which you alone can give (`stockade login`)", &["login"], "none is known"),
    ("Credentials that are its job: in messages to it they are no findings", &["own"], "none"),
    ("Limits", &["limit"], "the built-in ones"),
    ("Required of the host", &["require"], "nothing"),
    ("While packages are installed", &["install"], "no script of theirs runs"),
    ("If a place cannot be closed", &["strict"], "what is open is said, and the server runs"),
];

fn text(profile: &Profile, screen: Screen) -> String {
    let mut text = format!("{}\n", screen.ink(Ink::Strong, &profile.name));
    text.push_str(&labelled("", 0, &harmless(&profile.description), screen.width));
    if !profile.bases.is_empty() {
        text.push_str(&labelled("extends", 9, &profile.bases.join(", "), screen.width));
    }
    text.push_str(&format!("\n{}\n", screen.ink(Ink::Strong, "For servers")));
    if profile.identity.is_empty() {
        text.push_str("  those that no other profile is for, if a policy names it; or by `--profile`\n");
    }
    for identity in profile.identity.iter() {
        text.push_str(&labelled("", 2, identity, screen.width));
    }
    let facts = facts(profile);
    for (title, kinds, none) in SECTIONS {
        let lines: Vec<&Fact> = facts.iter().filter(|fact| kinds.contains(&fact.kind)).collect();
        write_section(&mut text, screen, (title, none), &lines);
    }
    text
}

fn write_section(text: &mut String, screen: Screen, (title, none): (&str, &str), facts: &[&Fact]) {
    text.push_str(&format!("\n{}\n", screen.ink(Ink::Strong, title)));
    if facts.is_empty() {
        text.push_str(&format!("  {none}\n"));
        return;
    }
    let lines: Vec<(String, String)> = facts.iter().map(|fact| line(fact)).collect();
    let widest = lines.iter().map(|(what, _)| columns(what)).max().unwrap_or(0).min(screen.width * 2 / 5);
    for (what, reason) in lines {
        let what = format!("  {what}");
        if reason.is_empty() {
            text.push_str(&labelled("", 2, what.trim_start(), screen.width));
        } else if columns(&what) > widest + 2 {
            // Too long to stand beside its reason: the reason goes below it.
            text.push_str(&format!("{what}\n{}", labelled("", widest + 4, &reason, screen.width)));
        } else {
            text.push_str(&labelled(&what, widest + 4, &reason, screen.width));
        }
    }
}

/// What stands left and right of one fact.
fn line(fact: &Fact) -> (String, String) {
    let (what, detail) = (harmless(&fact.what), harmless(&fact.detail));
    let left = match fact.kind {
        "connect to" | "listen on" | "open pages at" => format!("{} {what}", fact.kind),
        "send at most" => format!("{} {detail}", fact.kind),
        "set" => format!("{what}={detail}"),
        "limit" => format!("{detail} {}", limit_words(&fact.what)),
        _ => what,
    };
    let right = match (fact.kind, fact.reason.as_str()) {
        ("connect to" | "login", reason) if !detail.is_empty() => format!("{reason} ({detail})"),
        ("require" | "strict" | "install", _) | ("socket", "") => detail,
        (_, reason) => reason.to_owned(),
    };
    (left, harmless(&right))
}

fn limit_words(name: &str) -> &'static str {
    match name {
        "open_files" => "open files per process",
        "file_size" => "per written file",
        "processes" => "processes and threads",
        "memory" => "of memory, all processes together",
        "cpu_seconds" => "CPU seconds per process",
        "output" => "of output (stdout and stderr)",
        _ => "sent in one session",
    }
}

/// Everything that a profile says about a server, in the order in which it is shown.
pub(super) fn facts(profile: &Profile) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |kind, what: String, detail: String, reason: &str| {
        facts.push(Fact { kind, what, detail, reason: reason.to_owned() });
    };
    let why = |grant: &str, reason: &str| match (is_optional(profile, grant), reason) {
        (false, reason) => reason.to_owned(),
        (true, "") => "optional".to_owned(),
        (true, reason) => format!("{reason} (optional)"),
    };
    let paths: [(&'static str, &[PathGrant]); 5] = [
        ("read", &profile.read),
        ("write", &profile.write),
        ("execute", &profile.exec),
        ("closed", &profile.closed),
        ("socket", &profile.unix_allow),
    ];
    for (kind, grants) in paths {
        for grant in grants {
            add(kind, grant.path.to_string(), String::new(), &why(&grant.path, &grant.reason));
        }
    }
    if let Some(private) = profile.unix_private {
        let word = if private { "its own, in its private directories" } else { "none of its own" };
        add("socket", "private".to_owned(), word.to_owned(), "");
    }
    for grant in profile.net_allow.iter() {
        let (what, reason) =
            (format!("{}:{}", grant.host, grant.port), why(&grant.spelling(), &grant.reason));
        add("connect to", what, net_detail(grant), &reason);
    }
    for grant in profile.net_listen.iter() {
        let reason = why(&format!(":{}", grant.port), &grant.reason);
        add("listen on", format!("port {}", grant.port), String::new(), &reason);
    }
    for grant in profile.net_open.iter() {
        add("open pages at", grant.host.to_string(), String::new(), &why(&grant.host, &grant.reason));
    }
    for name in profile.env_pass.iter() {
        add("pass", name.to_string(), String::new(), &why(name, ""));
    }
    for set in profile.env_set.iter() {
        add("set", set.name.to_string(), set.value.to_string(), "");
    }
    for login in profile.logins.iter() {
        add("login", login.path.to_string(), login_detail(login), &login.reason);
    }
    for detector in profile.own_credentials.iter() {
        add("own", detector.to_string(), String::new(), "");
    }
    for (name, value) in limits(profile) {
        add("limit", name.to_owned(), value, "");
    }
    for (name, require) in requires(profile) {
        let words = match require {
            Require::Full => "full, or the server is not started",
            Require::BestEffort => "as far as the host can; what is missing is reported",
        };
        add("require", name.to_owned(), words.to_owned(), "");
    }
    if let Some(scripts) = profile.install_scripts {
        let word = if scripts { "may run, without network" } else { "do not run" };
        add("install", "scripts".to_owned(), word.to_owned(), "");
    }
    if profile.strict == Some(true) {
        add("strict", "strict".to_owned(), "the server is stopped".to_owned(), "");
    }
    facts
}

/// Whether the profile marks this grant, as `remove` names it, as one that its main function does without.
fn is_optional(profile: &Profile, grant: &str) -> bool {
    profile.optional.iter().any(|optional| optional == grant)
}

fn login_detail(login: &Login) -> String {
    let mut parts = vec![format!("copied to {}", login.to)];
    if !login.only.is_empty() {
        parts.push(format!("of it only {}", login.only.join(", ")));
    }
    match login.share {
        Some(Share::Read) => parts.push("or shared, read-only".to_owned()),
        Some(Share::Write) => parts.push("or shared, to be written too".to_owned()),
        None => {}
    }
    parts.extend(login.variable.as_ref().map(|name| format!("it lies where {name} says, if that is set")));
    parts.join("; ")
}

fn net_detail(grant: &NetGrant) -> String {
    let mut parts = Vec::new();
    if *grant.addresses != [AddressClass::Public] {
        let words: Vec<&str> = grant.addresses.iter().map(|class| class.word()).collect();
        parts.push(format!("at {} addresses", words.join(", ")));
    }
    parts.extend(grant.upload_bytes.map(|bytes| format!("at most {} sent there", size(bytes))));
    parts.join("; ")
}

fn limits(profile: &Profile) -> Vec<(&'static str, String)> {
    let limits = &profile.limits;
    let number = |limit: Option<u64>| limit.map(|limit| limit.to_string());
    [
        ("open_files", number(limits.open_files)),
        ("file_size", limits.file_bytes.map(size)),
        ("processes", number(limits.processes)),
        ("memory", limits.memory_bytes.map(size)),
        ("cpu_seconds", number(limits.cpu_seconds)),
        ("upload", limits.upload_bytes.map(size)),
        ("output", limits.output_bytes_per_second.map(|bytes| format!("{} a second", size(bytes)))),
    ]
    .into_iter()
    .filter_map(|(name, limit)| Some((name, limit?)))
    .collect()
}

fn requires(profile: &Profile) -> [(&'static str, Require); 3] {
    [("fs", profile.require_fs), ("net", profile.require_net), ("process", profile.require_process)]
}

/// Bytes in the largest unit that divides them.
fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(bits, _)| bytes >> bits << bits == bytes && bytes >> bits > 0) {
        Some((bits, unit)) => format!("{} {unit}", bytes >> bits),
        None => format!("{bytes} bytes"),
    }
}

/// In the shape of the file, bases folded in.
fn json_text(profile: &Profile) -> String {
    let paths = |grants: &[PathGrant]| -> Vec<Value> {
        let optional = |grant: &PathGrant| is_optional(profile, &grant.path);
        let value = |g: &PathGrant| json!({ "path": g.path, "reason": g.reason, "optional": optional(g) });
        grants.iter().map(value).collect()
    };
    let allow: Vec<Value> = profile
        .net_allow
        .iter()
        .map(|grant| {
            let classes: Vec<&str> = grant.addresses.iter().map(|class| class.word()).collect();
            json!({
                "host": grant.host, "port": grant.port, "addresses": classes,
                "upload": grant.upload_bytes, "reason": grant.reason,
                "optional": is_optional(profile, &grant.spelling()),
            })
        })
        .collect();
    let listen = profile.net_listen.iter().map(|g| {
        let optional = is_optional(profile, &format!(":{}", g.port));
        json!({ "port": g.port, "reason": g.reason, "optional": optional })
    });
    let open = profile
        .net_open
        .iter()
        .map(|g| json!({ "host": g.host, "reason": g.reason, "optional": is_optional(profile, &g.host) }));
    let (optional, pass): (Vec<_>, Vec<_>) =
        profile.env_pass.iter().partition(|name| is_optional(profile, name));
    let set: Map<String, Value> =
        profile.env_set.iter().map(|set| (set.name.to_string(), json!(set.value))).collect();
    let logins = profile.logins.iter().map(|login| {
        json!({
            "path": login.path, "to": login.to, "reason": login.reason, "share": login.share.map(Share::word),
            "variable": login.variable, "only": login.only,
        })
    });
    let limits = &profile.limits;
    let word = |require| if require == Require::Full { "full" } else { "best-effort" };
    let require: Map<String, Value> = requires(profile)
        .map(|(name, require)| (name.to_owned(), json!(word(require))))
        .into_iter()
        .collect();
    let value = json!({
        "name": profile.name,
        "description": profile.description,
        "extends": profile.bases,
        "identity": profile.identity,
        "strict": profile.strict == Some(true),
        "fs": {
            "read": paths(&profile.read), "write": paths(&profile.write),
            "exec": paths(&profile.exec), "closed": paths(&profile.closed),
        },
        "net": {
            "allow": allow, "listen": listen.collect::<Vec<_>>(), "open": open.collect::<Vec<_>>(),
        },
        "unix": { "allow": paths(&profile.unix_allow), "private": profile.unix_private == Some(true) },
        "env": { "pass": pass, "optional": optional, "set": set },
        "login": logins.collect::<Vec<_>>(),
        "dlp": { "own": profile.own_credentials },
        "limits": {
            "open_files": limits.open_files, "file_size": limits.file_bytes,
            "processes": limits.processes, "memory": limits.memory_bytes,
            "cpu_seconds": limits.cpu_seconds, "upload": limits.upload_bytes,
            "output": limits.output_bytes_per_second.map(|bytes| format!("{bytes}B/s")),
        },
        "require": require,
        "install": { "scripts": profile.install_scripts == Some(true) },
    });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grant_is_shown_with_its_reason() {
        let file = r#"
            name = "x"
            description = "For a test."
            strict = true
            [fs]
            read = [{ path = "/usr/share", reason = "time zones" }]
            closed = [{ path = "/usr/share/keys", reason = "keys" }]
            [net]
            allow = [{ host = "api.example.org", port = 443, upload = "1MiB", reason = "calls" },
                     { host = "db.example.org", port = 5432, addresses = ["private"], reason = "data" }]
            listen = [{ port = 8080, reason = "callbacks" }]
            open = [{ host = "login.example.org", reason = "logins" }]
            [unix]
            allow = [{ path = "/run/x.sock", reason = "a daemon", optional = true }]
            [env]
            optional = ["DEBUG"]
            [[login]]
            path = "${home}/.x"
            reason = "tokens"
            share = "write"
            variable = "X_DIR"
            [limits]
            processes = 64
            memory = "512MiB"
            upload = "2MiB"
            output = "8MiB/s"
        "#;
        let profile = Profile::parse("x.toml", file, &|_| None).unwrap();
        for width in [60, 80, 160] {
            let text = text(&profile, Screen::plain(width));
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for part in [
                "/usr/share time zones",
                "/usr/share/keys keys",
                "connect to api.example.org:443 calls (at most 1 MiB sent there)",
                "connect to db.example.org:5432 data (at private addresses)",
                "listen on port 8080 callbacks",
                "open pages at login.example.org logins",
                "/run/x.sock a daemon (optional)",
                "DEBUG optional",
                "${home}/.x tokens (copied to ${state}/home/.x; or shared, to be written too; it lies where X_DIR says, if \
                 that is set)",
                "64 processes",
                "512 MiB of memory",
                "2 MiB sent in one session",
                "8 MiB a second of output",
                "the server is stopped",
            ] {
                assert!(words.contains(part), "{part}: {text}");
            }
        }
    }

    #[test]
    fn json_has_the_shape_of_the_file() {
        let file = "name = \"x\"\ndescription = \"d\"\n[net]\n\
                    allow = [{ host = \"a.example\", port = 443, reason = \"r\", optional = true }]\n\
                    [env]\npass = [\"A\"]\noptional = [\"B\"]";
        let profile = Profile::parse("x.toml", file, &|_| None).unwrap();
        let value: Value = serde_json::from_str(&json_text(&profile)).unwrap();
        assert_eq!(value["net"]["allow"][0]["host"], "a.example");
        assert_eq!(value["net"]["allow"][0]["optional"], true);
        assert_eq!((&value["env"]["pass"], &value["env"]["optional"]), (&json!(["A"]), &json!(["B"])));
        assert_eq!(value["require"]["fs"], "full");
    }
}

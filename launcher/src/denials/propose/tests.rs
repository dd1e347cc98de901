//! What is proposed, what never is, and that a profile takes it as it is.

use stockade_policy::document::profile::Profile;
use stockade_sandbox::Closed;

use super::*;
use crate::denials::meaning::means;

fn closed() -> ClosedPlaces {
    ClosedPlaces {
        home: "/h/u".into(),
        sensitive: vec!["/h/u/.ssh".into(), "/h/u/.config/gh".into(), "/h/u/.local/state/stockade".into()],
        for_writing: vec!["/h/u/.bashrc".into(), "/h/u/.local/bin".into()],
    }
}

fn file(path: &str, access: Access, kind: FileKind) -> Tried {
    Tried::File { path: path.into(), access, kind }
}

fn entry(tried: Tried, program: &str) -> Entry {
    let remedy = remedy(&tried, Some(&Why::NoGrant), &closed());
    Entry { why: means(&tried), remedy, program: Some(program.into()), count: 1, last: None, tried }
}

fn read(path: &str) -> Entry {
    entry(file(path, Access::Read, FileKind::File), "/usr/bin/node")
}

/// The fragment as `stockade profile check` reads it.
fn parsed(fragment: &str) -> Profile {
    Profile::parse_fragment("fragment", fragment).unwrap_or_else(|mistakes| panic!("{mistakes}\n{fragment}"))
}

fn paths(list: &[stockade_policy::document::profile::PathGrant]) -> Vec<&str> {
    list.iter().map(|grant| &*grant.path).collect()
}

/// The fragment that allows these, parsed.
fn proposed(entries: &[Entry]) -> Profile {
    parsed(&proposals(entries, &closed()).fragment.expect("something is proposed"))
}

#[test]
fn one_denial_has_one_grant_that_a_profile_takes() {
    let cases = [
        (file("/srv/a.txt", Access::Read, FileKind::File), "[fs]\nread = [{ path = \"/srv/a.txt\""),
        (file("/srv/x/a", Access::ReadWrite, FileKind::New), "[fs]\nwrite = [{ path = \"/srv/x\""),
        (file("/h/u/n", Access::ReadWrite, FileKind::File), "[fs]\nwrite = [{ path = \"${home}/n\""),
        (file("/opt/x/run", Access::ReadExecute, FileKind::File), "[fs]\nexec = [{ path = \"/opt/x/run\""),
        (file("/srv/a \"b\\", Access::Read, FileKind::File), "[fs]\nread = [{ path = \"/srv/a \\\"b\\\\\""),
        (Tried::Listen { port: 8080 }, "[net]\nlisten = [{ port = 8080"),
        (Tried::UnixSocket { path: "/srv/db.sock".into() }, "[unix]\nallow = [{ path = \"/srv/db.sock\""),
    ];
    for (tried, expected) in cases {
        let Remedy::Grant(grant) = remedy(&tried, Some(&Why::NoGrant), &closed()) else {
            panic!("no grant for {tried:?}")
        };
        let fragment = grant.fragment(Some(Path::new("/usr/bin/node")), &closed());
        assert!(fragment.starts_with(expected), "{fragment}");
        assert!(fragment.contains("tried by node"), "{fragment}");
        parsed(&fragment);
    }
}

#[test]
fn where_no_grant_is_proposed_it_is_said_why() {
    use Access::{Read, ReadExecute, ReadWrite};
    use FileKind::{Directory, File, New};
    let cases = [
        (file("/h/u/.ssh/id_rsa", Read, File), "/h/u/.ssh holds credentials"),
        (file("/h/u/.ssh", Read, Directory), "/h/u/.ssh holds credentials"),
        (file("/h/u/p/.env", Read, File), "secrets"),
        (file("/etc/shadow", Read, File), "secrets"),
        (file("/h/u/.bashrc", ReadWrite, File), "obey what is written to /h/u/.bashrc"),
        (file("/h/u/p/.git/hooks/x", ReadWrite, New), "obey what is written to /h/u/p/.git/hooks"),
        (file("/proc/self/oom_score_adj", ReadWrite, File), "belongs to the kernel"),
        (file("/dev/kmsg", Read, File), "device"),
        (file("/h/u", Read, Directory), "too wide"),
        (file("/h", Read, Directory), "too wide"),
        (file("/h/other", Read, Directory), "too wide"),
        (file("/", Read, Directory), "too wide"),
        (file("/etc", Read, Directory), "too wide"),
        (file("/var/lib", Read, Directory), "too wide"),
        (file("/h/u/new", ReadWrite, New), "too wide"),
        (file("/h/u/.config", Read, Directory), "/h/u/.config/gh lies in it"),
        (file("/srv/a*b", Read, File), "cannot be written in a profile"),
        (file("/srv/a\nb", Read, File), "cannot be written in a profile"),
        (file("/srv/a\u{202e}b", Read, File), "cannot be written in a profile"),
        (file("/srv/${home}", Read, File), "cannot be written in a profile"),
        (Tried::UnixSocket { path: "/var/run/docker.sock".into() }, "root on this machine"),
        (Tried::UnixSocket { path: "/run/user/1000/bus".into() }, "outside of the jail"),
        (Tried::UnixSocket { path: "/tmp/ssh-x/agent.12".into() }, "signs with the user's keys"),
        (Tried::UnixSocket { path: "@odd".into() }, "abstract name"),
        (Tried::Listen { port: 0 }, "fixed one"),
        (Tried::SystemCall { name: "ptrace".into() }, "no profile grants system calls"),
        (Tried::Socket { family: "AF_PACKET".into(), kind: "SOCK_RAW".into() }, "no profile grants"),
        (Tried::Socket { family: "AF_INET".into(), kind: "SOCK_STREAM".into() }, "[net] allow"),
    ];
    for (tried, expected) in cases {
        match remedy(&tried, Some(&Why::NoGrant), &closed()) {
            Remedy::None(why) => assert!(why.contains(expected), "{tried:?}: {why}"),
            Remedy::Grant(grant) => panic!("{tried:?}: {grant:?}"),
        }
    }
    let written = file("/srv/w/tool", ReadExecute, File);
    let said = remedy(&written, Some(&Why::Otherwise(ReadWrite)), &closed());
    assert!(matches!(said, Remedy::None(why) if why.contains("must not be executed")));
    let beside = file("/srv/later", Read, File);
    let said = remedy(&beside, Some(&Why::ByChildren), &closed());
    assert!(matches!(said, Remedy::None(why) if why.contains("--backend namespaces")));
    // A place that is closed in this plan but not on this list is the profile's own decision.
    let own = remedy(&beside, Some(&Why::Closed("/srv".into(), Closed::Entirely)), &closed());
    assert!(matches!(own, Remedy::None(why) if why.contains("/srv")));
}

#[test]
fn three_files_of_a_directory_become_the_directory_and_two_do_not() {
    let two = proposed(&[read("/srv/d/a"), read("/srv/d/b")]);
    assert_eq!(paths(&two.read), ["/srv/d/a", "/srv/d/b"]);
    let three = proposed(&[read("/srv/d/a"), read("/srv/d/b"), read("/srv/d/c")]);
    assert_eq!(paths(&three.read), ["/srv/d"]);
    let nested: Vec<Entry> = ["x", "y", "z"]
        .iter()
        .flat_map(|below| ["1", "2", "3"].map(|name| read(&format!("/srv/d/{below}/{name}"))))
        .collect();
    assert_eq!(paths(&proposed(&nested).read), ["/srv/d"]);
}

#[test]
fn files_are_never_folded_into_a_place_that_would_not_be_proposed_itself() {
    let at_home = [read("/h/u/a"), read("/h/u/b"), read("/h/u/c")];
    assert_eq!(paths(&proposed(&at_home).read), ["${home}/a", "${home}/b", "${home}/c"]);
    let beside = [read("/h/u/.config/a"), read("/h/u/.config/b"), read("/h/u/.config/c")];
    assert_eq!(proposed(&beside).read.len(), 3, "a sensitive place lies in the directory");
    let system = [read("/etc/a"), read("/etc/b"), read("/etc/c")];
    assert_eq!(proposed(&system).read.len(), 3);
}

#[test]
fn a_directory_takes_what_lies_in_it_and_writing_takes_reading() {
    let entries = [
        entry(file("/srv/d", Access::Read, FileKind::Directory), "/usr/bin/python3"),
        read("/srv/d/a"),
        read("/srv/w/a"),
        entry(file("/srv/w/new", Access::ReadWrite, FileKind::New), "/usr/bin/git"),
    ];
    let profile = proposed(&entries);
    assert_eq!(paths(&profile.read), ["/srv/d"]);
    assert!(profile.read[0].reason.contains("node") && profile.read[0].reason.contains("python3"));
    assert_eq!(paths(&profile.write), ["/srv/w"]);
}

#[test]
fn many_denials_of_many_kinds_make_one_fragment_with_each_list_once() {
    let written = |text: &str| {
        let tried = Tried::Network { what: "x".to_owned() };
        let grant = Grant::read(text).unwrap_or_else(|| panic!("not read: {text}"));
        Entry { remedy: Remedy::Grant(grant), ..entry(tried, "/usr/bin/node") }
    };
    let entries = [
        read("/srv/a"),
        entry(file("/srv/w/b", Access::ReadWrite, FileKind::File), "/usr/bin/node"),
        written("[net]\nallow = [{ host = \"a.example\", port = 443, reason = \"…\" }]"),
        written(
            "[net]\nallow = [{ host = \"b.example\", port = 1, reason = \"…\" }, { host = \"b.example\", port = 2, reason = \"…\" }]",
        ),
        written("[net]\nallow = [{ host = \"a.example\", port = 443, reason = \"…\" }]"),
        written("[limits]\nupload = \"2MiB\""),
        entry(Tried::Listen { port: 8080 }, "/usr/bin/node"),
        entry(Tried::UnixSocket { path: "/srv/db.sock".into() }, "/usr/bin/node"),
        read("/h/u/.ssh/config"),
        entry(Tried::SystemCall { name: "bpf".into() }, "/usr/bin/node"),
    ];
    let profile = proposed(&entries);
    assert_eq!((paths(&profile.read), paths(&profile.write)), (vec!["/srv/a"], vec!["/srv/w/b"]));
    let hosts: Vec<(&str, u16)> = profile.net_allow.iter().map(|grant| (&*grant.host, grant.port)).collect();
    assert_eq!(hosts, [("a.example", 443), ("b.example", 1), ("b.example", 2)]);
    assert_eq!(profile.net_listen.len(), 1);
    assert_eq!(profile.limits.upload_bytes, Some(2 << 20));
    assert_eq!(paths(&profile.unix_allow), ["/srv/db.sock"]);
    let without = proposals(&entries, &closed()).without;
    assert_eq!(without.len(), 2, "{without:?}");
}

#[test]
fn a_fragment_that_would_fool_a_terminal_is_not_taken_over() {
    assert_eq!(Grant::read("[net]\nallow = [{ host = \"a\u{1b}[2J\", port = 1 }]"), None);
    assert_eq!(Grant::read("[env]\npass = [\"LD_PRELOAD\"]"), None);
    assert_eq!(Grant::read(""), None);
    let program = "/usr/bin/a\"\n]\u{202e}\n[env]\nx";
    let fragment = proposals(&[entry(file("/srv/a", Access::Read, FileKind::File), program)], &closed());
    let profile = parsed(&fragment.fragment.expect("a fragment"));
    assert_eq!(profile.read.len(), 1);
}

#[test]
fn a_flood_of_paths_makes_a_list_that_ends() {
    let entries: Vec<Entry> = (0..200).map(|n| read(&format!("/srv/d{n}/file"))).collect();
    let fragment = proposals(&entries, &closed()).fragment.expect("a fragment");
    // All of them share /srv, which is too wide.
    assert_eq!(parsed(&fragment).read.len(), LINES_MAX);
    assert!(fragment.contains("160 more"), "{fragment}");
}

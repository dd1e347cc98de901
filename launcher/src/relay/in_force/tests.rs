use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use stockade_policy::mediator::{Action, Now, Peer, Record, SessionFacts};

use super::*;
use crate::approvals::{Pausable, Pause};
use crate::identity::sha256_hex;

/// A world with a policy file of the user and nothing else.
struct Bench {
    dir: tempfile::TempDir,
    facts: Facts,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        let facts = Facts {
            config_dir: at("config"),
            system_dir: at("etc"),
            state_dir: at("state"),
            cwd: at("project"),
            ..Facts::gather().unwrap()
        };
        Self { dir, facts }
    }

    fn file(&self) -> PathBuf {
        self.facts.config_dir.join("policy.toml")
    }

    /// Every third time the file is written in its place, else another one takes it.
    fn write(&self, n: usize, text: &str) {
        if n.is_multiple_of(3) {
            return std::fs::write(self.file(), text).unwrap();
        }
        let new = self.dir.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    fn begin(&self) -> (Mediator, InForce) {
        let policy = Arc::new(policies::load(&self.facts, None).unwrap());
        let engine = Arc::new(Engine::new(&policy.keywords(), HashKey([0; 32])).unwrap());
        let facts = SessionFacts {
            identities: vec!["pkg:npm/a@1.0.0".to_owned()],
            server_name: "a".to_owned(),
            ..SessionFacts::default()
        };
        let mut mediator = Mediator::new(Arc::clone(&policy), Arc::clone(&engine), facts, [3; 16]);
        let source = ("session", Source::Files(None));
        let custom = Custom::load(&policy, self.facts.uid).unwrap().without_keywords();
        let judges = Judges { policy, engine, custom };
        let force = InForce::begin(&mut mediator, judges, source, &self.facts).unwrap();
        (mediator, force)
    }
}

/// A policy that no other one is: it denies one of two tools, by a rule that names its number.
fn policy(n: usize) -> String {
    let tool = ["one", "other"][n % 2];
    format!(
        "version = 1\n[[rule]]\nid = \"rule-{n}\"\neffect = \"deny\"\ntools = [\"{tool}\"]\nreason = \"number {n}\"\n"
    )
}

/// As [`Policy::hash`] of the user's layer alone.
fn hash(n: usize) -> String {
    sha256_hex(format!("user {}\n", sha256_hex(policy(n).as_bytes())).as_bytes())
}

/// One call, answered by the server if it gets there: the record of the call, and the hash under which it is written.
fn call(
    (mediator, force): (&mut Mediator, &mut InForce),
    (n, tool): (usize, &str),
    actions: &mut Vec<Action>,
) -> (Record, Rc<str>) {
    let ask = format!(r#"{{"jsonrpc":"2.0","id":{n},"method":"tools/call","params":{{"name":"{tool}"}}}}"#);
    force.look(mediator);
    let hash = force.hash();
    mediator.line(Peer::Client, ask.as_bytes(), Now(n as u64), actions);
    let of_a_record = |action| match action {
        Action::Record(record) => Some(*record),
        _ => None,
    };
    let record = actions.drain(..).filter_map(of_a_record).next_back().unwrap();
    if !record.verdict.refuses() {
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{n},"result":{{}}}}"#);
        mediator.line(Peer::Server, answer.as_bytes(), Now(n as u64), actions);
    }
    (record, hash)
}

/// The number of the policy that decided, if it was one of these.
fn decided_by(record: &Record) -> Option<usize> {
    record.verdict.reason.as_ref()?.rule.strip_prefix("rule-")?.parse().ok()
}

#[test]
fn through_a_thousand_reloads_each_of_100_000_calls_is_judged_by_the_policy_that_its_event_names() {
    let bench = Bench::new();
    bench.write(0, &policy(0));
    let (mut mediator, mut force) = bench.begin();
    let mut actions = Vec::new();
    let mut reloads = 0;
    for n in 0..100_000_usize {
        if n.is_multiple_of(100) {
            reloads = n / 100;
            bench.write(reloads, &policy(reloads));
        }
        let tool = ["one", "other"][n % 2];
        let (record, named) = call((&mut mediator, &mut force), (n, tool), &mut actions);
        assert_eq!(*named, *hash(reloads), "call {n} is not under policy {reloads}");
        let denied = reloads % 2 == n % 2;
        assert_eq!(decided_by(&record), denied.then_some(reloads), "call {n}: {record:?}");
    }
    assert_eq!(reloads, 999);
}

#[test]
fn whenever_the_file_changes_no_call_is_judged_by_one_policy_and_recorded_under_another() {
    const POLICIES: usize = 300;
    let bench = Bench::new();
    bench.write(1, &policy(0));
    let (mut mediator, mut force) = bench.begin();
    let numbers: BTreeMap<String, usize> = (0..POLICIES).map(|n| (hash(n), n)).collect();
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Only whole files: one that is written in its place may be read half.
            (0..POLICIES).for_each(|n| {
                bench.write(1, &policy(n));
                std::thread::yield_now();
            });
            done.store(true, Ordering::SeqCst);
        });
        let mut actions = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut n = 0;
        let mut last = 0;
        loop {
            let over = done.load(Ordering::SeqCst);
            let (record, named) =
                call((&mut mediator, &mut force), (n, ["one", "other"][n % 2]), &mut actions);
            let number = *numbers.get(&*named).unwrap_or_else(|| panic!("call {n} is under none of them"));
            assert!(number >= last, "an older policy came back");
            last = number;
            assert_eq!(decided_by(&record), (number % 2 == n % 2).then_some(number), "call {n}");
            seen.insert(number);
            n += 1;
            if over {
                break;
            }
        }
        assert_eq!(last, POLICIES - 1, "the last one is in force");
        seen.len()
    });
    assert!(seen > 1, "nothing was reloaded");
}

#[test]
fn a_broken_file_leaves_the_last_good_policy_in_force_and_is_told_of_once() {
    let bench = Bench::new();
    bench.write(1, &policy(0));
    let (mut mediator, mut force) = bench.begin();
    assert!(force.look(&mut mediator).is_empty(), "what was loaded at the start is no news");
    std::fs::write(bench.file(), "version = 1\nnonsense = 2\n").unwrap();
    let news = force.look(&mut mediator);
    assert!(
        matches!(&news[..], [News::Broken(why)] if why.to_string().contains("policy.toml:2:")),
        "{news:?}"
    );
    assert_eq!(*force.hash(), *hash(0));
    let (record, named) = call((&mut mediator, &mut force), (1, "one"), &mut Vec::new());
    assert_eq!((decided_by(&record), &*named), (Some(0), &*hash(0)));
    for _ in 0..3 {
        assert!(force.look(&mut mediator).is_empty(), "told twice");
    }
    // Broken in another way: that is another change.
    std::fs::write(bench.file(), "version = 1\nnonsense = 3\nmore = 1\n").unwrap();
    assert!(matches!(&force.look(&mut mediator)[..], [News::Broken(_)]));
    bench.write(1, &policy(0));
    assert!(force.look(&mut mediator).is_empty(), "what was in force all the time is no news");
    bench.write(1, &policy(5));
    assert!(matches!(&force.look(&mut mediator)[..], [News::Policy { denied: None, .. }]));
}

#[test]
fn layers_that_appear_and_vanish_are_noticed_and_one_that_others_can_write_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let (mut mediator, mut force) = bench.begin();
    let built_in = force.hash();
    force.look(&mut mediator);
    bench.write(1, &policy(4));
    assert!(matches!(&force.look(&mut mediator)[..], [News::Policy { .. }]));
    assert_eq!(*force.hash(), *hash(4));
    std::fs::set_permissions(bench.file(), PermissionsExt::from_mode(0o666)).unwrap();
    assert!(
        matches!(&force.look(&mut mediator)[..], [News::Broken(why)] if why.to_string().contains("not trusted"))
    );
    assert_eq!(*force.hash(), *hash(4));
    std::fs::remove_file(bench.file()).unwrap();
    assert!(matches!(&force.look(&mut mediator)[..], [News::Policy { .. }]));
    assert_eq!(force.hash(), built_in);
    let project = bench.facts.cwd.join(".stockade/policy.toml");
    std::fs::create_dir(project.parent().unwrap()).unwrap();
    std::fs::write(&project, policy(6)).unwrap();
    assert!(matches!(&force.look(&mut mediator)[..], [News::Policy { .. }]), "a project's layer");
    let (record, _) = call((&mut mediator, &mut force), (1, "one"), &mut Vec::new());
    assert_eq!(decided_by(&record), Some(6));
    std::fs::remove_file(&project).unwrap();
    assert!(matches!(&force.look(&mut mediator)[..], [News::Policy { .. }]));
    assert_eq!(force.hash(), built_in);
}

#[test]
fn a_file_for_a_group_that_appears_is_noticed_and_followed() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    // Such files have to be root's: as another user all that can be seen is that they are refused.
    let is_root = bench.facts.uid == 0;
    let group = nix::unistd::Group::from_gid(nix::unistd::getgid()).unwrap().unwrap().name;
    let (mut mediator, mut force) = bench.begin();
    force.look(&mut mediator);
    let directory = bench.facts.system_dir.join("policy.d");
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).unwrap();
    force.look(&mut mediator);
    let file = directory.join(format!("group-{group}.toml"));
    for n in [2, 4] {
        std::fs::write(&file, policy(n)).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        let news = force.look(&mut mediator);
        assert!(
            if is_root { matches!(&news[..], [News::Policy { .. }]) } else { !news.is_empty() },
            "{news:?}"
        );
        let (record, _) = call((&mut mediator, &mut force), (n, "one"), &mut Vec::new());
        assert_eq!(decided_by(&record), is_root.then_some(n));
    }
}

#[test]
fn a_server_that_is_no_longer_allowed_is_told_of_with_the_rule() {
    let bench = Bench::new();
    let (mut mediator, mut force) = bench.begin();
    force.look(&mut mediator);
    bench.write(1, "version = 1\n[[rule]]\nid = \"out\"\neffect = \"deny\"\nservers = [\"pkg:npm/a\"]\nreason = \"it was found to be bad\"\n");
    let news = force.look(&mut mediator);
    let [News::Policy { denied: Some(why), .. }] = &news[..] else { panic!("{news:?}") };
    assert!(why.contains("it was found to be bad (rule `out`, user)"), "{why}");
}

/// A pause of the server that these tests run, as `stockade pause` stores it.
fn pause(bench: &Bench) -> Pausable {
    let server = Pausable {
        server: "a".to_owned(),
        id: None,
        identity: vec!["pkg:npm/a@1.0.0".to_owned()],
        last: String::new(),
    };
    let for_a_minute = Pause { for_ms: 60_000, reason: "why".to_owned(), terminal: "none".to_owned() };
    approvals::pause(&server, for_a_minute, &bench.facts).unwrap();
    server
}

#[test]
fn a_paused_policy_only_records_and_enforces_again_at_the_end() {
    let bench = Bench::new();
    bench.write(0, &policy(0));
    let (mut mediator, mut force) = bench.begin();
    let mut actions = Vec::new();
    let mut refuses = |mediator: &mut Mediator, force: &mut InForce, n| {
        let (record, _) = call((mediator, force), (n, "one"), &mut actions);
        (record.verdict.refuses(), record.verdict.would_have.is_some())
    };
    assert_eq!(refuses(&mut mediator, &mut force, 1), (true, false));
    let server = pause(&bench);
    assert!(matches!(&force.look(&mut mediator)[..], [News::Paused(_)]));
    assert_eq!(refuses(&mut mediator, &mut force, 2), (false, true), "it passes, and that is on record");
    bench.write(2, &policy(2));
    assert!(matches!(&force.look(&mut mediator)[..], [News::Policy { .. }]));
    assert_eq!(refuses(&mut mediator, &mut force, 3), (false, true), "a new policy is paused as well");
    assert_eq!(approvals::resume(&server, &bench.facts).unwrap(), 1);
    assert!(matches!(&force.look(&mut mediator)[..], [News::Resumed(_)]));
    assert_eq!(refuses(&mut mediator, &mut force, 4), (true, false));
}

#[test]
fn a_policy_that_is_not_to_be_paused_ends_a_pause() {
    let bench = Bench::new();
    bench.write(0, &policy(0));
    let (mut mediator, mut force) = bench.begin();
    force.look(&mut mediator);
    let server = pause(&bench);
    assert!(matches!(&force.look(&mut mediator)[..], [News::Paused(_)]));
    bench.write(0, &format!("{}\n[defaults]\npause = \"deny\"\n", policy(0)));
    assert!(matches!(&force.look(&mut mediator)[..], [News::Policy { .. }, News::Resumed(_)]));
    let (record, _) = call((&mut mediator, &mut force), (1, "one"), &mut Vec::new());
    assert!(record.verdict.refuses());
    let again = Pause { for_ms: 60_000, reason: "why".to_owned(), terminal: "none".to_owned() };
    let refused = approvals::pause(&server, again, &bench.facts).unwrap_err();
    assert!(refused.to_string().contains("not to be paused"), "{refused}");
}

//! What is answered to whom.

use super::super::wire::Service;
use super::super::{DnsOutcome, answer, answer_on_stream};
use super::{Made, judge, question, seen};

const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const TXT: u16 = 16;

const NO_ERROR: u8 = 0;
const SERVER_FAILURE: u8 = 2;
const NAME_ERROR: u8 = 3;
const REFUSED: u8 = 5;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

#[test]
fn a_granted_name_has_its_real_addresses_in_both_families() {
    let judge = judge(&[("api.example.org", 443)]);
    let outside = Made::default().with("api.example.org", &["93.184.216.34", "2606:4700::1111"]);
    let (v4, outcome) = run(answer(&question("API.example.org", A), &judge, &outside));
    assert_eq!(seen(&v4).records, [(A, 60, vec![93, 184, 216, 34])]);
    let told = vec!["93.184.216.34".parse().expect("v4"), "2606:4700::1111".parse().expect("v6")];
    assert_eq!(outcome, DnsOutcome::Resolved { name: "api.example.org".to_owned(), told });
    let (v6, _) = run(answer(&question("api.example.org", AAAA), &judge, &outside));
    assert_eq!(seen(&v6).records.len(), 1);
    let to = judge.lock().expect("the judge").connection("93.184.216.34:443".parse().expect("an address"));
    assert_eq!(to.expect("granted").name.as_deref(), Some("api.example.org"));
}

#[test]
fn a_name_without_addresses_of_the_family_is_there_nevertheless() {
    let judge = judge(&[("api.example.org", 443)]);
    let outside = Made::default().with("api.example.org", &["93.184.216.34"]);
    let (bytes, _) = run(answer(&question("api.example.org", AAAA), &judge, &outside));
    assert_eq!((seen(&bytes).code, seen(&bytes).records.len()), (NO_ERROR, 0));
}

#[test]
fn an_ungranted_name_does_not_exist_and_is_never_asked_outside() {
    let judge = judge(&[("api.example.org", 443)]);
    let outside = Made { any: Some("1.1.1.1".parse().expect("v4")), ..Made::default() };
    for kind in [A, AAAA, SRV, TXT, 2, 6, 15, 35, 64, 65, 255, 44] {
        let (bytes, outcome) = run(answer(&question("data.evil.test", kind), &judge, &outside));
        assert_eq!((seen(&bytes).code, seen(&bytes).records.len()), (NAME_ERROR, 0), "{kind}");
        assert!(matches!(&outcome, DnsOutcome::Refused(r) if r.what == "data.evil.test"), "{outcome:?}");
    }
    assert!(outside.asked.borrow().is_empty(), "{:?}", outside.asked);
}

#[test]
fn a_name_that_leads_to_a_private_place_does_not_exist() {
    let judge = judge(&[("*", 443)]);
    let outside = Made::default().with("rebind.test", &["10.0.0.5", "127.0.0.1", "::ffff:169.254.169.254"]);
    let (bytes, outcome) = run(answer(&question("rebind.test", A), &judge, &outside));
    assert_eq!(seen(&bytes).code, NAME_ERROR);
    assert!(matches!(&outcome, DnsOutcome::Refused(r) if r.why.contains("10.0.0.5")), "{outcome:?}");
}

#[test]
fn names_with_other_grants_at_the_same_place_are_told_apart() {
    let judge = judge(&[("a.example.org", 443), ("b.example.org", 8443)]);
    let outside =
        Made::default().with("a.example.org", &["1.1.1.1"]).with("b.example.org", &["1.1.1.1", "2606::1"]);
    let (a, _) = run(answer(&question("a.example.org", A), &judge, &outside));
    assert_eq!(seen(&a).records, [(A, 60, vec![1, 1, 1, 1])]);
    for _ in 0..2 {
        let (b, _) = run(answer(&question("b.example.org", A), &judge, &outside));
        assert_eq!(seen(&b).records, [(A, 1, vec![198, 18, 0, 2])]);
    }
}

#[test]
fn the_machines_own_name_is_never_asked_outside() {
    let judge = judge(&[("*", 443), ("localhost", 3000)]);
    let outside = Made { any: Some("1.1.1.1".parse().expect("v4")), ..Made::default() };
    for name in ["localhost", "LocalHost", "app.localhost"] {
        let (v4, outcome) = run(answer(&question(name, A), &judge, &outside));
        assert_eq!((seen(&v4).records, outcome), (vec![(A, 60, vec![127, 0, 0, 1])], DnsOutcome::Nothing));
    }
    assert!(outside.asked.borrow().is_empty());
}

#[test]
fn a_program_that_looks_up_its_own_machine_finds_itself_unless_a_grant_leads_elsewhere() {
    let local = (vec![(A, 60, vec![127, 0, 0, 1])], DnsOutcome::Nothing);
    let nowhere = judge(&[("api.example.org", 443)]);
    for name in ["workstation", "WorkStation"] {
        let (v4, outcome) = run(answer(&question(name, A), &nowhere, &Made::default()));
        assert_eq!((seen(&v4).records, outcome), local);
    }
    let (other, _) = run(answer(&question("workstation2", A), &nowhere, &Made::default()));
    assert_eq!(seen(&other).code, NAME_ERROR);
    let granted = judge(&[("workstation", 443)]);
    let outside = Made::default().with("workstation", &["1.1.1.1"]);
    let (v4, _) = run(answer(&question("workstation", A), &granted, &outside));
    assert_eq!(seen(&v4).records, [(A, 60, vec![1, 1, 1, 1])]);
}

#[test]
fn nothing_but_addresses_is_known_of_a_granted_web_server() {
    let judge = judge(&[("api.example.org", 443)]);
    let outside = Made::default().with("api.example.org", &["93.184.216.34"]);
    for kind in [65, 64, 15, 255] {
        let (bytes, outcome) = run(answer(&question("api.example.org", kind), &judge, &outside));
        assert_eq!((seen(&bytes).code, seen(&bytes).records.len()), (NO_ERROR, 0), "{kind}");
        assert_eq!(outcome, DnsOutcome::Nothing);
    }
    let (bytes, _) = run(answer(&question("34.216.184.93.in-addr.arpa", 12), &judge, &outside));
    assert_eq!(seen(&bytes).code, NAME_ERROR);
    assert!(outside.asked.borrow().is_empty());
}

#[test]
fn of_a_service_only_granted_targets_are_told() {
    let service = |target: &str, port| Service { priority: 0, weight: 5, port, target: target.to_owned() };
    let mut outside = Made::default();
    let found =
        vec![service("evil.test", 27017), service("db1.example.net", 27017), service("db1.example.net", 22)];
    outside.services.insert("_mongodb._tcp.c.example.net".to_owned(), found);
    outside.services.insert("_ssh._tcp.c.example.net".to_owned(), vec![service("", 0)]);
    let judge = judge(&[("*.example.net", 27017)]);
    let (bytes, outcome) = run(answer(&question("_mongodb._tcp.c.example.net", SRV), &judge, &outside));
    let data = b"\x00\x00\x00\x05\x69\x89\x03db1\x07example\x03net\x00".to_vec();
    assert_eq!(seen(&bytes).records, [(SRV, 60, data)]);
    assert!(matches!(&outcome, DnsOutcome::Refused(r) if r.what == "evil.test"), "{outcome:?}");
    let (bytes, outcome) = run(answer(&question("_ssh._tcp.c.example.net", SRV), &judge, &outside));
    assert!(seen(&bytes).records.is_empty() && matches!(outcome, DnsOutcome::Resolved { .. }));
    let (bytes, _) = run(answer(&question("_none._tcp.c.example.net", SRV), &judge, &outside));
    assert_eq!(seen(&bytes).code, NAME_ERROR);
}

#[test]
fn a_long_text_goes_over_a_stream() {
    let mut outside = Made::default();
    let text = [vec![250], vec![b'x'; 250]].concat();
    outside.texts.insert("c.example.net".to_owned(), vec![text.clone(), text.clone(), text]);
    let judge = judge(&[("c.example.net", 27017)]);
    let (bytes, _) = run(answer(&question("c.example.net", TXT), &judge, &outside));
    assert!(bytes.len() <= 512 && seen(&bytes).is_truncated);
    let (bytes, _) = run(answer_on_stream(&question("c.example.net", TXT), &judge, &outside));
    assert!(!seen(&bytes).is_truncated && seen(&bytes).records.len() == 3);
}

#[test]
fn what_only_a_proxy_can_resolve_gets_a_synthetic_address() {
    let judge = judge(&[("api.example.org", 443)]);
    let without = Made::default();
    let (bytes, outcome) = run(answer(&question("api.example.org", A), &judge, &without));
    assert!(seen(&bytes).code == NAME_ERROR && matches!(outcome, DnsOutcome::Failed { .. }));
    let with = Made { has_proxy: true, ..Made::default() };
    let (bytes, _) = run(answer(&question("api.example.org", A), &judge, &with));
    assert_eq!(seen(&bytes).records, [(A, 1, vec![198, 18, 0, 2])]);
    let (bytes, _) = run(answer(&question("data.evil.test", A), &judge, &with));
    assert_eq!(seen(&bytes).code, NAME_ERROR);
}

#[test]
fn names_below_a_star_use_up_the_budget() {
    let judge = {
        let grant = stockade_policy::document::profile::NetGrant {
            host: "*.example.org".into(),
            port: 443,
            addresses: Vec::new().into(),
            upload_bytes: Some(40),
            reason: "a test".into(),
        };
        std::sync::Mutex::new(stockade_policy::egress::Judge::new(vec![grant], Vec::new(), None))
    };
    let outside = Made { any: Some("1.1.1.1".parse().expect("v4")), ..Made::default() };
    let codes = ["first.secret.example.org", "second.secret.example.org"].map(|name| {
        let (bytes, _) = run(answer(&question(name, A), &judge, &outside));
        seen(&bytes).code
    });
    assert_eq!(codes, [NO_ERROR, REFUSED]);
    assert_eq!(outside.asked.borrow().len(), 1);
}

#[test]
fn with_a_broken_judge_nothing_is_known() {
    let judge = judge(&[("api.example.org", 443)]);
    let outside = Made { any: Some("1.1.1.1".parse().expect("v4")), ..Made::default() };
    let poisoned = std::thread::scope(|scope| {
        let panicking = scope.spawn(|| {
            let _judge = judge.lock();
            panic!("as a mistake of ours would");
        });
        panicking.join().is_err()
    });
    assert!(poisoned);
    for kind in [A, SRV, TXT, 65] {
        let (bytes, _) = run(answer(&question("api.example.org", kind), &judge, &outside));
        assert_eq!(seen(&bytes).code, SERVER_FAILURE);
    }
    assert!(outside.asked.borrow().is_empty());
}

use std::collections::BTreeSet;

use super::*;
use crate::probes::Guarantee;
use crate::probes::proof::Kind;

#[test]
fn there_are_a_hundred_different_pairs_of_mechanism_and_object() {
    let attacks = || all().filter(|probe| probe.kind == Kind::Attack);
    let pairs: BTreeSet<_> =
        attacks().map(|probe| (probe.guarantee, probe.mechanism, probe.object)).collect();
    assert!(pairs.len() >= 100, "{}", pairs.len());
    for guarantee in Guarantee::ALL {
        let of = || attacks().filter(|probe| probe.guarantee == guarantee);
        let mechanisms: BTreeSet<_> = of().map(|probe| probe.mechanism).collect();
        assert!(mechanisms.len() >= 8, "{guarantee:?}: {}", mechanisms.len());
    }
}

#[test]
fn every_probe_has_an_id_of_its_guarantee_and_every_attack_a_control() {
    let mut ids = BTreeSet::new();
    for probe in all() {
        let prefix = format!("{}-", probe.guarantee.id());
        assert!(probe.id.starts_with(&prefix), "{}", probe.id);
        assert!(ids.insert(probe.id), "{} stands there twice", probe.id);
        assert!(!probe.mechanism.is_empty() && !probe.object.is_empty(), "{}", probe.id);
        assert_eq!(probe.controls.is_empty(), probe.kind != Kind::Attack, "{}", probe.id);
    }
}

#[test]
fn no_two_probes_are_the_same_pair() {
    let mut seen = BTreeSet::new();
    for probe in all() {
        let pair = (probe.guarantee, probe.mechanism, probe.object);
        assert!(seen.insert(pair), "{}: {pair:?}", probe.id);
    }
}

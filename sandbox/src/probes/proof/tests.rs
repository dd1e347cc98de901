use super::*;

fn probe(id: &'static str, kind: Kind) -> ProbeFacts {
    ProbeFacts { id, guarantee: Guarantee::Files, mechanism: "open", object: "a file", controls: &[], kind }
}

fn open() -> Verdict {
    Verdict::Open { evidence: "read".to_owned() }
}

fn stopped() -> Verdict {
    Verdict::Stopped { how: "EACCES".to_owned() }
}

/// Two attacks and a grant, all of which work bare.
fn proof(first: Verdict, second: Verdict, grant: Verdict, claim: Claim) -> Proof {
    let probes =
        vec![probe("first", Kind::Attack), probe("second", Kind::Attack), probe("grant", Kind::Grant)];
    let bare = probes.iter().map(|probe| (probe.id, open())).collect();
    let fenced = Fenced {
        backend: Backend::Notify,
        landlock_abi: 7,
        claims: [(Guarantee::Files, claim)].into(),
        verdicts: [("first", first), ("second", second), ("grant", grant)].into(),
    };
    Proof { kernel: "6.18".to_owned(), uid: 0, probes, bare, fenced: vec![fenced], left_out: Vec::new() }
}

fn partial() -> Claim {
    Claim::Partial { missing: "something".to_owned() }
}

#[test]
fn one_open_probe_breaks_a_full_claim_and_no_other() {
    let proof_of = |claim| proof(stopped(), open(), open(), claim);
    assert_eq!(proof_of(Claim::Full).broken().len(), 1);
    assert!(!proof_of(Claim::Full).holds());
    assert!(proof_of(partial()).holds());
    assert!(proof_of(Claim::None { why: String::new() }).holds());
    assert!(proof(stopped(), stopped(), open(), Claim::Full).holds());
}

#[test]
fn a_cell_counts_only_what_works_bare() {
    let mut proof = proof(stopped(), open(), open(), partial());
    let measured = |proof: &Proof| {
        let cells = proof.fenced.first().map(|fenced| proof.cells(fenced)).unwrap_or_default();
        cells.into_iter().find(|cell| cell.guarantee == Guarantee::Files).map(|cell| cell.measured)
    };
    assert_eq!(measured(&proof), Some(Measured::Partial { probes: 2, open: vec!["second"] }));
    proof.bare.insert("second", stopped());
    assert_eq!(measured(&proof), Some(Measured::Full { probes: 1 }));
    proof.bare.insert("first", Verdict::NotHere { why: String::new() });
    assert_eq!(measured(&proof), Some(Measured::Nothing));
}

#[test]
fn a_jail_in_which_a_granted_deed_fails_proves_nothing() {
    let proof = proof(stopped(), stopped(), stopped(), Claim::Full);
    assert!(proof.broken().is_empty());
    assert_eq!(proof.void().len(), 1);
    assert!(!proof.holds());
}

#[test]
fn an_attack_that_fails_in_another_way_than_by_its_control_is_in_doubt() {
    for verdict in
        [Verdict::Doubtful { how: "EIO".to_owned() }, Verdict::NotHere { why: "no network".to_owned() }]
    {
        let proof = proof(verdict, stopped(), open(), Claim::Full);
        assert_eq!(proof.doubtful().len(), 1);
    }
    assert!(proof(open(), stopped(), open(), partial()).doubtful().is_empty());
}

#[test]
fn a_guarantee_of_which_a_jail_says_nothing_is_not_claimed() {
    let proof = proof(stopped(), stopped(), open(), Claim::Full);
    let fenced = proof.fenced.first().expect("one backend");
    for cell in proof.cells(fenced) {
        assert_eq!(cell.claim == Claim::Full, cell.guarantee == Guarantee::Files);
    }
}

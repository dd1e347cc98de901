//! The search on servers that exist in memory alone.

use serde_json::json;

use super::*;

/// A server that needs these lines from this layer on.
struct Needy {
    needs: Vec<(Layer, Vec<Candidate>)>,
    others: Vec<Candidate>,
    attempts: usize,
    unsteady: bool,
}

fn candidate(table: &str, key: &str, item: &str) -> Candidate {
    Candidate { table: table.to_owned(), key: key.to_owned(), item: item.to_owned(), is_list: true }
}

impl Tries for Needy {
    type Error = ();

    fn attempt(&mut self, stand: &Stand) -> Result<Attempt, ()> {
        self.attempts += 1;
        let works = Outcome::Answer(if self.unsteady { json!(self.attempts) } else { json!("same") });
        let attempt =
            |outcome, refused| Ok(Attempt { outcome, refused: Candidates(refused), ungrantable: vec![] });
        let Stand::Contained { layer, fragment } = stand else { return attempt(works, vec![]) };
        for (from, needed) in &self.needs {
            if from <= layer
                && let Some(lacks) = needed.iter().find(|one| !fragment.contains(&one.item))
            {
                let seen = if lacks.table == "env" { vec![] } else { vec![lacks.clone()] };
                return attempt(Outcome::ToolError("lacks something".to_owned()), seen);
            }
        }
        attempt(works, vec![])
    }

    fn more_candidates(&self, layer: Layer) -> Vec<Candidate> {
        if layer == Layer::Environment { self.others.clone() } else { vec![] }
    }
}

fn needy(needs: Vec<(Layer, Vec<Candidate>)>) -> Needy {
    let others = (0..40).map(|n| candidate("env", "pass", &format!("\"V{n}_\""))).collect();
    Needy { needs, others, attempts: 0, unsteady: false }
}

#[test]
fn a_call_that_works_everywhere_has_no_finding() {
    let report = search(&mut needy(vec![])).unwrap();
    assert!(report.mended && report.findings.is_empty(), "{report:?}");
    assert_eq!(report.steps.len(), Layer::ALL.len());
}

#[test]
fn the_one_variable_of_forty_is_named() {
    let needed = candidate("env", "pass", "\"V17_\"");
    let report = search(&mut needy(vec![(Layer::Environment, vec![needed])])).unwrap();
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert_eq!(report.findings[0].layer, Layer::Environment);
    assert_eq!(report.findings[0].mend.as_deref(), Some("[env]\npass = [\"V17_\"]\n"));
    assert!(report.mended);
}

#[test]
fn files_that_are_only_asked_for_once_others_are_there_are_found() {
    let needed = vec![candidate("fs", "read", "a-conf"), candidate("fs", "read", "b-data")];
    let report = search(&mut needy(vec![(Layer::Files, needed)])).unwrap();
    assert_eq!(report.findings[0].mend.as_deref(), Some("[fs]\nread = [a-conf, b-data]\n"));
    assert!(report.mended);
}

#[test]
fn two_layers_that_break_are_both_named() {
    let report = search(&mut needy(vec![
        (Layer::Files, vec![candidate("fs", "read", "a-conf")]),
        (Layer::Network, vec![candidate("net", "allow", "host")]),
    ]))
    .unwrap();
    let layers: Vec<Layer> = report.findings.iter().map(|finding| finding.layer).collect();
    assert_eq!(layers, [Layer::Network, Layer::Files]);
    assert!(report.mended);
}

#[test]
fn what_no_grant_mends_is_said_to_be_so() {
    struct Broken;
    impl Tries for Broken {
        type Error = ();
        fn attempt(&mut self, stand: &Stand) -> Result<Attempt, ()> {
            let breaks = matches!(stand, Stand::Contained { layer, .. } if *layer >= Layer::Relay);
            let outcome = if breaks {
                Outcome::Error { code: -32700, message: "a duplicate key".to_owned() }
            } else {
                Outcome::Answer(json!(1))
            };
            Ok(Attempt { outcome, refused: Candidates::default(), ungrantable: vec![] })
        }
        fn more_candidates(&self, _layer: Layer) -> Vec<Candidate> {
            vec![]
        }
    }
    let report = search(&mut Broken).unwrap();
    assert_eq!(report.findings[0].layer, Layer::Relay);
    assert_eq!((report.findings[0].mend.as_ref(), report.mended), (None, false));
}

#[test]
fn answers_that_differ_each_time_are_not_compared_by_content() {
    let report = search(&mut Needy { unsteady: true, ..needy(vec![]) }).unwrap();
    assert!(!report.steady && report.mended, "{report:?}");
}

#[test]
fn a_fragment_holds_each_table_and_each_list_once() {
    let scalar = |item: &str| Candidate {
        table: "limits".to_owned(),
        key: "processes".to_owned(),
        item: item.to_owned(),
        is_list: false,
    };
    let text = Candidates::fragment(&[
        candidate("fs", "read", "a"),
        scalar("1"),
        candidate("fs", "write", "b"),
        candidate("fs", "read", "c"),
        scalar("2"),
        candidate("fs", "read", "a"),
    ]);
    assert_eq!(text, "[fs]\nread = [a, c]\nwrite = [b]\n[limits]\nprocesses = 2\n");
}

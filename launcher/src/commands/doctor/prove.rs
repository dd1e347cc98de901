//! `stockade doctor --prove`: escape probes, here and now, bare and in every backend that this host has.

use std::ffi::{OsStr, OsString};

use serde_json::{Value, json};
use stockade_sandbox::probes::{
    Beside, Cell, Claim, Fenced, Kind as ProbeKind, Measured, Options, Proof, SelfCommand, Verdict, claims,
    claims_text, measured_text, play, prove,
};
use stockade_sandbox::{Backend, Doors, Network, Observe};

use crate::cli::{BackendArg, DoctorArgs, JailArgs};
use crate::commands::screen::{Ink, Screen, columns, labelled, pad};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::launch::{self, PolicySource, Request};

/// The hidden verb under which this program plays the parts of a proof.
const PART: &str = "prove-probe";

/// What to write about, and how well it went.
pub(super) struct Told {
    pub(super) text: String,
    pub(super) exit: Exit,
}

/// Runs the probes.
pub(super) fn proved(args: &DoctorArgs) -> Result<Told, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(Kind::Software, "cannot find our own program").because(&error))?;
    let this = SelfCommand { program, words: vec![PART.into()] };
    let backends = args.backend.iter().filter_map(|backend| backend_of(*backend)).collect();
    let beside = match &args.profile {
        Some(profile) => grants_of(profile, this.program.as_os_str())?,
        None => Beside::default(),
    };
    let options = Options { this, backends, only: args.only.clone(), beside };
    let proof = prove(&options).map_err(|error| {
        Failure::new(Kind::Software, "the probes could not be run, so nothing is proved").because(&error)
    })?;
    let text = if args.markdown {
        page(&proof)
    } else if args.json {
        format!("{:#}\n", as_json(&proof))
    } else {
        as_text(&proof, Screen::of_stdout())
    };
    Ok(Told { text, exit: if proof.holds() { Exit::Ok } else { Exit::NotInOrder } })
}

/// What a profile grants here to a program in this directory.
fn grants_of(profile: &str, program: &OsStr) -> Result<Beside, Failure> {
    let facts = Facts::gather()?;
    let request = Request {
        id: None,
        jail: JailArgs { profile: Some(profile.to_owned()), ..JailArgs::default() },
        command: vec![program.to_owned()],
        policy: PolicySource::Machine,
        without: None,
        observe: Observe::Refused,
    };
    let ruleset = launch::prepare_only(request, &facts)?.plan.ruleset;
    let doors = match ruleset.network {
        Network::Brokered(doors) => doors,
        Network::None | Network::DangerousHost => Doors::default(),
    };
    Ok(Beside { files: ruleset.files, doors, unix: ruleset.unix })
}

/// Plays a part. No thread may run yet.
pub(crate) fn part(words: &[OsString]) -> Exit {
    Exit::Server(play(words))
}

fn backend_of(arg: BackendArg) -> Option<Backend> {
    match arg {
        BackendArg::Auto => None,
        BackendArg::Namespaces => Some(Backend::Namespaces),
        BackendArg::Notify => Some(Backend::Notify),
        BackendArg::Static => Some(Backend::Static),
    }
}

/// `docs/guarantees.md`
fn page(proof: &Proof) -> String {
    format!(
        "# Guarantees\n\n\
         Printed by `stockade doctor --prove --markdown`; not written by hand. `Full` is what a jail claims when nothing is \
         known to pass; `Partial` names what passes. A probe that passes in a cell that claims `Full` makes `doctor --prove` \
         and the tests fail.\n\n{}\n{}",
        claims_text(&claims()),
        measured_text(proof)
    )
}

fn as_json(proof: &Proof) -> Value {
    let probes: Vec<Value> = proof.probes.iter().map(|probe| probe_json(proof, probe.id)).collect();
    let backends: Vec<Value> = proof.fenced.iter().map(|fenced| backend_json(proof, fenced)).collect();
    let left_out: Vec<Value> = proof
        .left_out
        .iter()
        .map(|left| json!({ "backend": left.backend.word(), "why": left.why }))
        .collect();
    let doubtful: Vec<Value> = proof
        .doubtful()
        .into_iter()
        .map(|(backend, id, how)| json!({ "backend": backend.word(), "probe": id, "how": how }))
        .collect();
    let void: Vec<Value> = proof
        .void()
        .into_iter()
        .map(|(backend, id, how)| json!({ "backend": backend.word(), "probe": id, "how": how }))
        .collect();
    json!({
        "ok": proof.holds(),
        "kernel": proof.kernel,
        "uid": proof.uid,
        "backends": backends,
        "left_out": left_out,
        "doubtful": doubtful,
        "void": void,
        "probes": probes,
    })
}

fn backend_json(proof: &Proof, fenced: &Fenced) -> Value {
    let cells: Vec<Value> = proof.cells(fenced).iter().map(cell_json).collect();
    json!({ "backend": fenced.backend.word(), "landlock_abi": fenced.landlock_abi, "guarantees": cells })
}

fn cell_json(cell: &Cell) -> Value {
    let (measured, tried, open) = match &cell.measured {
        Measured::Full { probes } => ("full", *probes, Vec::new()),
        Measured::Partial { probes, open } => ("partial", *probes, open.clone()),
        Measured::None { open } => ("none", open.len(), open.clone()),
        Measured::Nothing => ("nothing", 0, Vec::new()),
    };
    json!({
        "guarantee": cell.guarantee.id(),
        "title": cell.guarantee.title(),
        "claimed": cell.claim.word().to_lowercase(),
        "missing": said(&cell.claim),
        "measured": measured,
        "tried": tried,
        "open": open,
        "broken": cell.is_broken(),
    })
}

fn probe_json(proof: &Proof, id: &'static str) -> Value {
    let verdict = |verdict: Option<&Verdict>| match verdict {
        Some(Verdict::Open { evidence }) => json!({ "is": "open", "how": evidence }),
        Some(Verdict::Stopped { how }) => json!({ "is": "stopped", "how": how }),
        Some(Verdict::Doubtful { how }) => json!({ "is": "doubtful", "how": how }),
        Some(Verdict::NotHere { why }) => json!({ "is": "not here", "how": why }),
        None => Value::Null,
    };
    let mut line = json!({ "id": id, "bare": verdict(proof.bare.get(id)) });
    if let Some(probe) = proof.probes.iter().find(|probe| probe.id == id) {
        line["guarantee"] = json!(probe.guarantee.id());
        line["mechanism"] = json!(probe.mechanism);
        line["object"] = json!(probe.object);
        line["controls"] = probe.controls.iter().map(|control| control.word()).collect();
        line["kind"] = json!(match probe.kind {
            ProbeKind::Attack => "attack",
            ProbeKind::Grant => "grant",
            ProbeKind::Residual => "residual",
        });
    }
    for fenced in &proof.fenced {
        line[fenced.backend.word()] = verdict(fenced.verdicts.get(id));
    }
    line
}

fn said(claim: &Claim) -> Option<&str> {
    match claim {
        Claim::Full => None,
        Claim::Partial { missing } => Some(missing),
        Claim::None { why } => Some(why),
    }
}

fn as_text(proof: &Proof, screen: Screen) -> String {
    let all = proof.probes.iter().filter(|probe| probe.kind == ProbeKind::Attack).count();
    let works = proof.applicable(ProbeKind::Attack).count();
    let who = if proof.uid == 0 { "root" } else { "an ordinary user" };
    let mut text = labelled(
        "",
        0,
        &format!(
            "Linux {}, as {who}: {works} of {all} probes work here without a jail, and prove something.",
            proof.kernel
        ),
        screen.width,
    );
    for fenced in &proof.fenced {
        let title = format!("{} (Landlock ABI {})", fenced.backend.word(), fenced.landlock_abi);
        text.push_str(&format!("\n{}\n", screen.ink(Ink::Strong, &title)));
        let cells = proof.cells(fenced);
        let widest = cells.iter().map(|cell| columns(cell.guarantee.title())).max().unwrap_or(0);
        for cell in &cells {
            write_cell(&mut text, screen, cell, widest);
        }
    }
    for left in &proof.left_out {
        let line = format!("{}: not on this host: {}", left.backend.word(), left.why);
        text.push_str(&format!("\n{}", labelled("", 0, &line, screen.width)));
    }
    write_residuals(&mut text, proof, screen);
    write_verdict(&mut text, proof, screen);
    text
}

fn write_cell(text: &mut String, screen: Screen, cell: &Cell, widest: usize) {
    let (found, open) = match &cell.measured {
        Measured::Full { probes } => (format!("{probes} of {probes} stopped"), Vec::new()),
        Measured::Partial { probes, open } => {
            (format!("{} of {probes} stopped", probes.saturating_sub(open.len())), open.clone())
        }
        Measured::None { open } => (format!("0 of {} stopped", open.len()), open.clone()),
        Measured::Nothing => ("no probe works here".to_owned(), Vec::new()),
    };
    let (ink, claimed) = match (&cell.claim, cell.is_broken()) {
        (_, true) => (Ink::Bad, "BROKEN"),
        (Claim::Full, _) => (Ink::Good, "full"),
        (Claim::Partial { .. }, _) => (Ink::Warn, "partial"),
        (Claim::None { .. }, _) => (Ink::Bad, "none"),
    };
    let word = pad(claimed, 8);
    let label = format!("  {}  {}  {word}", pad(cell.guarantee.id(), 3), pad(cell.guarantee.title(), widest));
    let line = labelled(&label, widest + 17, &found, screen.width);
    text.push_str(&line.replacen(&word, &screen.ink(ink, &word), 1));
    let mut note = |name: &str, body: &str| {
        text.push_str(&labelled(&format!("       {name}:"), 17, body, screen.width));
    };
    if let Some(missing) = said(&cell.claim) {
        note("missing", missing);
    }
    if !open.is_empty() {
        note("open", &open.join(", "));
    }
}

fn write_residuals(text: &mut String, proof: &Proof, screen: Screen) {
    let lines: Vec<String> = proof
        .applicable(ProbeKind::Residual)
        .map(|probe| {
            let open = proof
                .fenced
                .iter()
                .filter(|fenced| fenced.verdicts.get(probe.id).is_some_and(Verdict::is_open));
            let open: Vec<&str> = open.map(|fenced| fenced.backend.word()).collect();
            let passed = if open.is_empty() { "stopped this time".to_owned() } else { open.join(", ") };
            format!("{}: {}, {} ({passed})", probe.id, probe.mechanism, probe.object)
        })
        .collect();
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!("\n{}\n", screen.ink(Ink::Strong, "Covered by no claim, and where it passed")));
    for line in lines {
        text.push_str(&labelled("  ", 4, &line, screen.width));
    }
}

fn write_verdict(text: &mut String, proof: &Proof, screen: Screen) {
    let mut objections = Vec::new();
    for (backend, cell) in proof.broken() {
        objections.push(format!(
            "{}: {} is claimed in full, and something passes",
            backend.word(),
            cell.guarantee.title()
        ));
    }
    for (backend, id, how) in proof.void() {
        objections.push(format!(
            "{}: {id} is granted, and does not work ({how}): nothing is proved",
            backend.word()
        ));
    }
    let doubts = proof.doubtful();
    text.push('\n');
    for (backend, id, how) in &doubts {
        let line = format!("{}: {id} was stopped by something unexpected: {how}", backend.word());
        text.push_str(&screen.ink(Ink::Warn, &labelled("", 0, &line, screen.width)));
    }
    for line in &objections {
        text.push_str(&screen.ink(Ink::Bad, &labelled("", 0, line, screen.width)));
    }
    if proof.holds() {
        text.push_str(&format!(
            "{}\n",
            screen.ink(Ink::Good, "No probe passes where a jail claims to be full.")
        ));
    } else if objections.is_empty() {
        text.push_str(&format!("{}\n", screen.ink(Ink::Bad, "No jail could be tried here.")));
    }
}

//! The page `docs/guarantees.md`.

use std::fmt::Write as _;

use super::{Cell, Claim, Claims, Control, Fenced, Guarantee, Kind, Measured, Proof, Verdict};
use crate::{Backend, Degree};

/// What is claimed, on every version of Landlock's interface.
#[must_use]
pub fn claims_text(claims: &[Claims]) -> String {
    let mut text = "## Claimed\n\n\
        What a jail says of itself for an ordinary user, by the version of Landlock's interface (ABI) and the first Linux \
        that has it. `namespaces` also needs user namespaces that an ordinary user may make, and mount_setattr(2) \
        (Linux 5.12). A limit that is `Partial` here is `Full` in a cgroup of the session's own.\n"
        .to_owned();
    for backend in [Backend::Namespaces, Backend::Notify, Backend::Static] {
        let _ = write!(text, "\n### `{}`\n\n| guarantee |", backend.word());
        for claim in claims {
            let _ = match claim.landlock_abi {
                0 => write!(text, " no Landlock |"),
                abi => write!(text, " ABI {abi} (Linux {}) |", claim.kernel),
            };
        }
        let _ = writeln!(text, "\n| --- |{}", " --- |".repeat(claims.len()));
        for guarantee in Guarantee::ALL {
            let _ = write!(text, "| {} {} |", guarantee.id(), guarantee.title());
            for claim in claims {
                let word = degree(claim, backend, guarantee).map_or("?", |degree| Claim::of(degree).word());
                let _ = write!(text, " {word} |");
            }
            text.push('\n');
        }
        text.push('\n');
        for guarantee in Guarantee::ALL {
            notes(&mut text, claims, backend, guarantee);
        }
    }
    text
}

/// What was measured on this kernel.
#[must_use]
pub fn measured_text(proof: &Proof) -> String {
    let who = if proof.uid == 0 { "root" } else { "an ordinary user" };
    let mut text = format!(
        "## Measured\n\n\
         On Linux {}, as {who}. A cell says how many of the probes that work without a jail were stopped.\n\n| guarantee |",
        // Without what a distribution appends.
        proof.kernel.split('-').next().unwrap_or_default()
    );
    for fenced in &proof.fenced {
        let _ = write!(text, " `{}` (ABI {}) |", fenced.backend.word(), fenced.landlock_abi);
    }
    let _ = writeln!(text, "\n| --- |{}", " --- |".repeat(proof.fenced.len()));
    let columns: Vec<Vec<Cell>> = proof.fenced.iter().map(|fenced| proof.cells(fenced)).collect();
    for (row, guarantee) in Guarantee::ALL.iter().enumerate() {
        let _ = write!(text, "| {} {} |", guarantee.id(), guarantee.title());
        for cell in columns.iter().filter_map(|cells| cells.get(row)) {
            let _ = write!(text, " {} |", cell_text(cell));
        }
        text.push('\n');
    }
    for left in &proof.left_out {
        let _ = write!(text, "\nNot here: `{}`: {}\n", left.backend.word(), left.why);
    }
    probes(&mut text, proof);
    text
}

fn degree(claims: &Claims, backend: Backend, guarantee: Guarantee) -> Option<&Degree> {
    let enforcement = claims.enforcements.iter().find(|enforcement| enforcement.backend == backend)?;
    Some(guarantee.degree(enforcement))
}

/// What is missing, once for each text, with the ABIs that it holds for.
fn notes(text: &mut String, claims: &[Claims], backend: Backend, guarantee: Guarantee) {
    let mut notes: Vec<(String, Vec<u32>)> = Vec::new();
    for claim in claims {
        let note = match degree(claim, backend, guarantee) {
            Some(Degree::Partial { missing, .. }) => missing.clone(),
            Some(Degree::None { why, remedy }) => format!("{why}; {remedy}"),
            Some(Degree::Full) | None => continue,
        };
        match notes.iter_mut().find(|(known, _)| *known == note) {
            Some((_, abis)) => abis.push(claim.landlock_abi),
            None => notes.push((note, vec![claim.landlock_abi])),
        }
    }
    for (note, abis) in notes {
        let range = match (abis.first(), abis.last()) {
            (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
            (Some(one), _) => one.to_string(),
            _ => continue,
        };
        let _ = writeln!(text, "- {}, ABI {range}: {note}.", guarantee.id());
    }
}

fn cell_text(cell: &Cell) -> String {
    let measured = match &cell.measured {
        Measured::Full { probes } => format!("all {probes} stopped"),
        Measured::Partial { probes, open } => {
            format!("{} of {probes} stopped; open: {}", probes - open.len(), open.join(", "))
        }
        Measured::None { open } => format!("none stopped; open: {}", open.join(", ")),
        Measured::Nothing => "no probe works here".to_owned(),
    };
    let broken = if cell.is_broken() { " **(broken claim)**" } else { "" };
    format!("{}: {measured}{broken}", cell.claim.word())
}

fn probes(text: &mut String, proof: &Proof) {
    let _ = write!(
        text,
        "\n### Probes\n\n\
         `works` without a jail is what makes a probe prove something. What is *granted* has to work in a jail, too; a \
         *residual* is covered by no claim, and shown so that nobody believes otherwise: see THREAT_MODEL.md.\n\n| probe | what is tried | stopped by | bare |"
    );
    for fenced in &proof.fenced {
        let _ = write!(text, " `{}` |", fenced.backend.word());
    }
    let _ = writeln!(text, "\n| --- | --- | --- | --- |{}", " --- |".repeat(proof.fenced.len()));
    for probe in &proof.probes {
        let controls: Vec<&str> = probe.controls.iter().map(|control: &Control| control.word()).collect();
        let stopped_by = match probe.kind {
            Kind::Attack => controls.join(", "),
            Kind::Grant => "*granted*".to_owned(),
            Kind::Residual => "*residual*".to_owned(),
        };
        let bare =
            proof.bare.get(probe.id).map_or("?", |verdict| if verdict.is_open() { "works" } else { "-" });
        let _ =
            write!(text, "| {} | {}: {} | {stopped_by} | {bare} |", probe.id, probe.mechanism, probe.object);
        for fenced in &proof.fenced {
            let _ = write!(text, " {} |", verdict_text(fenced, probe.id));
        }
        text.push('\n');
    }
}

fn verdict_text(fenced: &Fenced, id: &str) -> String {
    match fenced.verdicts.get(id) {
        Some(Verdict::Open { .. }) => "**works**".to_owned(),
        Some(Verdict::Stopped { how }) => how.replace('|', "/"),
        Some(Verdict::Doubtful { how }) => format!("? {}", how.replace('|', "/")),
        Some(Verdict::NotHere { .. }) | None => "-".to_owned(),
    }
}

//! The plan in words.

use std::fmt::Write;

use stockade_sandbox::{BackendChoice, Network};

use super::{Plan, rule_line};

/// The whole plan, a section a part. Values of variables are not shown: they may be secrets.
pub(super) fn text(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_head(&mut out, plan);
    let _ = write_ruleset(&mut out, plan);
    if !plan.notes.is_empty() {
        let _ = writeln!(out, "\nNot granted");
        for note in &plan.notes {
            let _ = writeln!(out, "  {note}");
        }
    }
    out
}

fn write_head(out: &mut String, plan: &Plan) -> std::fmt::Result {
    writeln!(out, "Server     {}", plan.server_name)?;
    for (n, identity) in plan.identities.iter().enumerate() {
        writeln!(out, "{:<10} {identity}", if n == 0 { "Identity" } else { "" })?;
    }
    writeln!(out, "Profile    {} ({})", plan.profile, plan.profile_why)?;
    writeln!(out, "Policy     {}", plan.policy_hash)?;
    writeln!(out, "Program    {}", plan.command.program.display())?;
    writeln!(out, "Arguments  {}", plan.command.argv.len().saturating_sub(1))?;
    writeln!(out, "Directory  {}", plan.command.cwd.display())
}

fn write_ruleset(out: &mut String, plan: &Plan) -> std::fmt::Result {
    let ruleset = &plan.ruleset;
    writeln!(out, "\nFiles")?;
    match &ruleset.files {
        None => writeln!(out, "  no fence")?,
        Some(files) => {
            for (rule, reason) in files.narrow.iter().zip(&plan.reasons) {
                writeln!(out, "  {}", rule_line(rule, reason))?;
            }
        }
    }
    let network = match &ruleset.network {
        Network::None => "none",
        Network::Brokered(_) => "through the broker",
        Network::DangerousHost => "the host's, unfiltered",
    };
    writeln!(out, "\nNetwork\n  {network}")?;
    writeln!(out, "\nEnvironment (names)")?;
    for (name, _) in &ruleset.env {
        writeln!(out, "  {}", name.to_string_lossy())?;
    }
    let limits = ruleset.limits;
    let cpu = limits.cpu_seconds.map_or("no limit".to_owned(), |seconds| format!("{seconds} s per process"));
    writeln!(out, "\nLimits")?;
    writeln!(out, "  open files {} per process, file size {} bytes", limits.open_files, limits.file_bytes)?;
    writeln!(out, "  processes {}, CPU {cpu}", limits.processes)?;
    let backend = match ruleset.backend {
        BackendChoice::Notify => "notify",
        BackendChoice::Auto => "auto",
        BackendChoice::Namespaces => "namespaces",
        BackendChoice::Static => "static",
    };
    writeln!(out, "\nBackend\n  {backend}")
}

//! The plan in words.

use std::fmt::Write;

use stockade_policy::document::profile::{AddressClass, NetGrant};
use stockade_sandbox::{BackendChoice, Closed, Doors, Files, Network, UnixReach};

use super::{Plan, rule_line};

/// The whole plan, a section a part. Values of variables are not shown: they may be secrets.
pub(super) fn text(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_head(&mut out, plan);
    let _ = write_files(&mut out, plan);
    let _ = write_network(&mut out, plan);
    let _ = write_rest(&mut out, plan);
    let _ = write_own(&mut out, plan);
    let _ = write_list(&mut out, "Not granted", &plan.notes);
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

fn write_files(out: &mut String, plan: &Plan) -> std::fmt::Result {
    writeln!(out, "\nFiles")?;
    let Some(files) = &plan.ruleset.files else {
        return writeln!(out, "  no fence");
    };
    for (rule, reason) in files.wide.iter().zip(&plan.reasons) {
        writeln!(out, "  {}", rule_line(rule, reason))?;
    }
    if !files.closed.is_empty() {
        writeln!(out, "\nClosed inside of these")?;
    }
    for place in &files.closed {
        let to = match place.closed {
            Closed::Entirely => "to everything",
            Closed::Contents => "its contents",
            Closed::ForWriting => "for writing",
        };
        writeln!(out, "  {to:<13} {}", place.path.display())?;
    }
    let widest = match plan.ruleset.backend {
        BackendChoice::Namespaces => return Ok(()),
        BackendChoice::Auto => "Different where there is no mount namespace (backends notify and static)",
        BackendChoice::Notify | BackendChoice::Static => "Different in this backend",
    };
    write_differences(out, widest, files, plan)
}

fn write_differences(out: &mut String, title: &str, files: &Files, plan: &Plan) -> std::fmt::Result {
    write_list(out, title, &plan.without_view)?;
    if files.wide != files.narrow {
        writeln!(out, "  {} rules instead of {}", files.narrow.len(), files.wide.len())?;
    }
    Ok(())
}

fn write_network(out: &mut String, plan: &Plan) -> std::fmt::Result {
    writeln!(out, "\nNetwork")?;
    match &plan.ruleset.network {
        Network::None => writeln!(out, "  none")?,
        Network::DangerousHost => writeln!(out, "  the host's, unfiltered")?,
        Network::Brokered(doors) => {
            for grant in &plan.egress.grants {
                writeln!(out, "  connect to   {}", net_line(grant))?;
            }
            for port in &doors.listen {
                let which = match *port {
                    Doors::ANY_PORT => "ports that the kernel chooses, for itself".to_owned(),
                    port => format!("port {port}, reached from this machine's loopback alone"),
                };
                writeln!(out, "  listen on    {which}")?;
            }
            if let Some(bytes) = plan.egress.upload_bytes {
                writeln!(out, "  send         {bytes} bytes in all")?;
            }
        }
    }
    for host in &plan.egress.open_hosts {
        writeln!(out, "  open pages   at {host}, in the user's browser")?;
    }
    writeln!(out, "\nUnix sockets")?;
    if plan.ruleset.unix.is_empty() {
        writeln!(out, "  none")?;
    }
    for (rule, reason) in plan.ruleset.unix.iter().zip(&plan.unix_reasons) {
        let which = match rule.reach {
            UnixReach::Socket => "socket",
            UnixReach::Below => "all below",
        };
        writeln!(out, "  {which:<13} {}  ({reason})", rule.path.display())?;
    }
    Ok(())
}

/// One network grant: where, at which addresses, how much, why.
fn net_line(grant: &NetGrant) -> String {
    let mut line = format!("{}:{}", grant.host, grant.port);
    if *grant.addresses != [AddressClass::Public] {
        let words: Vec<&str> = grant.addresses.iter().map(|class| class.word()).collect();
        line.push_str(&format!(" at {} addresses", words.join(", ")));
    }
    if let Some(bytes) = grant.upload_bytes {
        line.push_str(&format!(", {bytes} bytes at most"));
    }
    format!("{line}  ({})", grant.reason)
}

fn write_rest(out: &mut String, plan: &Plan) -> std::fmt::Result {
    let ruleset = &plan.ruleset;
    writeln!(out, "\nEnvironment (names)")?;
    for (name, _) in &ruleset.env {
        writeln!(out, "  {}", name.to_string_lossy())?;
    }
    let limits = ruleset.limits;
    let cpu = limits.cpu_seconds.map_or("no limit".to_owned(), |seconds| format!("{seconds} s per process"));
    let memory = limits.memory_bytes.map_or("no limit".to_owned(), |bytes| format!("{bytes} bytes in all"));
    writeln!(out, "\nLimits")?;
    writeln!(out, "  open files {} per process, file size {} bytes", limits.open_files, limits.file_bytes)?;
    writeln!(out, "  processes {}, memory {memory}, CPU {cpu}", limits.processes)?;
    writeln!(out, "  output {} bytes a second", plan.output_bytes_per_second)?;
    let backend = match ruleset.backend {
        BackendChoice::Notify => "notify",
        BackendChoice::Auto => "auto",
        BackendChoice::Namespaces => "namespaces",
        BackendChoice::Static => "static",
    };
    writeln!(out, "\nBackend\n  {backend}")
}

fn write_own(out: &mut String, plan: &Plan) -> std::fmt::Result {
    if plan.own.detectors.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nCredentials that are its job\n  {}", plan.own.detectors.join(", "))?;
    writeln!(out, "  {}", plan.own.words())
}

fn write_list(out: &mut String, title: &str, lines: &[String]) -> std::fmt::Result {
    if !lines.is_empty() {
        writeln!(out, "\n{title}")?;
    }
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

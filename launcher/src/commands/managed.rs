//! `stockade managed-settings`: the file by which an administrator binds a client to Stockade.

use std::io::Write;

use super::approve::print;
use super::screen::harmless;
use super::wrap::chosen;
use crate::cli::ManagedArgs;
use crate::clients::{self, World};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;

/// Prints it.
pub(super) fn managed(args: &ManagedArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let client = chosen(Some(&args.client))?
        .pop()
        .ok_or_else(|| Failure::new(Kind::Software, "the client found is gone"))?;
    let kinds = clients::managed_kinds(client);
    let known = format!("settings are known of: {}", clients::managed_clients().join(", "));
    let Some(first) = kinds.first() else {
        return Err(Failure::new(Kind::Usage, format!("no managed settings of {} are known", client.name))
            .hint(known));
    };
    let kind = args.kind.as_deref().unwrap_or(first);
    if !kinds.contains(&kind) {
        return Err(Failure::new(
            Kind::Usage,
            format!("{} has no settings `{}`", client.name, harmless(kind)),
        )
        .hint(format!("it has: {}", kinds.join(", "))));
    }
    let made = clients::managed(client, kind, World::of(&facts)).map_err(|why| {
        Failure::new(Kind::Config, format!("no managed settings of {} were made", client.name))
            .cause(why)
            .hint(format!("`stockade wrap --client {}` first", client.id))
    })?;
    print(&made.text)?;
    let mut lines = vec![format!("For {}: {}.", made.path, made.holds)];
    if !made.left_out.is_empty() {
        let names: Vec<String> = made.left_out.iter().map(|name| harmless(name)).collect();
        lines.push(format!("Not in it, because they are not wrapped: {}.", names.join(", ")));
    }
    if kinds.len() > 1 {
        lines.push(format!("`--kind` chooses another: {}.", kinds.join(", ")));
    }
    // A closed stderr is no reason to fail.
    let _ = writeln!(std::io::stderr().lock(), "{}", lines.join("\n"));
    Ok(Exit::Ok)
}

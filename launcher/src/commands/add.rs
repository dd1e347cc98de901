//! `stockade add` and `stockade remove`: one server in one client's config.

use std::io::Write;

use super::approve::print;
use super::screen::harmless;
use super::wrap::{chosen, told};
use crate::cli::{AddArgs, RemoveArgs};
use crate::clients::{self, Client, Journal, NewServer, Reach, Way, World};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;

/// Enters a server, wrapped.
pub(super) fn add(args: &AddArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let client = client(&args.client)?;
    let launcher = clients::own_path(&facts)?;
    let not = |why: String| {
        Failure::new(Kind::Config, format!("{} was not added to {}", harmless(&args.name), client.name))
            .cause(harmless(&why))
            .hint("nothing was changed")
    };
    let location = clients::home_of(client, World::of(&facts)).map_err(not)?;
    let server = NewServer { name: &args.name, words: &args.command, env: &args.env };
    if args.dry_run {
        let (before, after) = clients::preview(&location, server, &launcher).map_err(not)?;
        let path = location.path.display().to_string();
        let diff = similar::TextDiff::from_lines(&before, &after);
        print(&diff.unified_diff().context_radius(3).header(&path, &path).to_string())?;
        return Ok(Exit::Ok);
    }
    let journal = journal(&facts)?;
    let done = clients::add(&location, server, &launcher, &journal).map_err(not)?;
    let made = if done.is_new { ", which was made" } else { "" };
    print(&format!(
        "added: {}/{} in {}{made}\n",
        client.id,
        harmless(&args.name),
        harmless(&done.path.display().to_string())
    ))?;
    say(&told(client, 1, &Way::Wrap { launcher }));
    Ok(Exit::Ok)
}

/// Takes a server out.
pub(super) fn remove(args: &RemoveArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let client = client(&args.client)?;
    let journal = journal(&facts)?;
    let files = client.files(Reach::User, World::of(&facts));
    for location in files.iter().filter(|location| location.place.is_writable()) {
        let done = clients::remove(location, &args.name, &facts.cwd, &journal).map_err(|why| {
            Failure::new(
                Kind::Config,
                format!("{} was not removed from {}", harmless(&args.name), client.name),
            )
            .cause(format!("{}: {}", location.path.display(), harmless(&why)))
            .hint("nothing was changed")
        })?;
        let Some(done) = done else { continue };
        let path = harmless(&done.path.display().to_string());
        print(&format!("removed: {}/{} from {path}\n", client.id, harmless(&args.name)))?;
        if let Some(kept) = done.kept {
            say(&format!("The entry as it was: {}", kept.display()));
        }
        say(&format!("{}: {}. Until then a running server goes on.", client.name, client.reload));
        return Ok(Exit::Ok);
    }
    Err(Failure::new(
        Kind::Usage,
        format!("{} has no server `{}` of its user", client.name, harmless(&args.name)),
    )
    .hint("`stockade status` lists them, with the files in which they stand"))
}

fn client(id: &str) -> Result<&'static Client, Failure> {
    let mut chosen = chosen(Some(id))?;
    chosen.pop().ok_or_else(|| Failure::new(Kind::Software, "the client found is gone"))
}

fn journal(facts: &Facts) -> Result<Journal, Failure> {
    Journal::open(&facts.state_dir).map_err(|error| {
        Failure::new(Kind::Config, "nothing was changed: there is no journal")
            .because(&error)
            .hint(format!("make {} writable, or set XDG_STATE_HOME", facts.state_dir.display()))
    })
}

/// A closed stderr is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

//! `stockade init`: a starting policy as the user's own file, explained line by line.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::{InitArgs, InitChoice, StartingPolicy};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::{policies, profiles};

/// Writes one, or prints it.
pub(super) fn init(args: &InitArgs) -> Result<Exit, Failure> {
    let policy = chosen(args.choice);
    let text = profiles::starting_policy(policy.name()).ok_or_else(|| {
        Failure::new(
            Kind::Software,
            format!("the starting policy `{}` is missing from this binary", policy.name()),
        )
    })?;
    if args.print {
        return say(text);
    }
    let facts = Facts::gather()?;
    let path = facts.config_dir.join(policies::FILE);
    let mut said = String::new();
    if path.symlink_metadata().is_ok() {
        if !args.replace {
            return Err(Failure::new(Kind::Config, format!("there is a policy already: {}", path.display()))
                .cause("nothing was written")
                .hint("`stockade policy show` shows what is in force")
                .hint("`stockade init --replace` puts the new file in its place and keeps the old one"));
        }
        let kept = put_aside(&path)?;
        said = format!("The policy that was there is now {}.\n", kept.display());
    }
    write(&path, text)?;
    said += &format!(
        "Wrote {} (`{}`). It holds from the next start of a server on. What it says, line by line:\n\n{text}",
        path.display(),
        policy.name()
    );
    say(&said)
}

fn chosen(choice: InitChoice) -> StartingPolicy {
    match choice {
        InitChoice { observe: true, .. } => StartingPolicy::Observe,
        InitChoice { strict: true, .. } => StartingPolicy::Strict,
        InitChoice { .. } => StartingPolicy::Default,
    }
}

/// The old file under a name of its own, beside the new one.
fn put_aside(path: &Path) -> Result<PathBuf, Failure> {
    let kept = path.with_extension(format!("toml.{}", host::now().as_second()));
    let failed = || Failure::new(Kind::Config, format!("cannot keep {}", path.display()));
    if kept.symlink_metadata().is_ok() {
        return Err(failed()
            .cause(format!("{} is there already", kept.display()))
            .hint("try again in a second"));
    }
    std::fs::rename(path, &kept).map_err(|error| failed().because(&error).hint("nothing was changed"))?;
    Ok(kept)
}

/// Never over a file that is there: it could have come into being since we looked.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Config, format!("cannot write {}", path.display()))
            .because(&error)
            .hint("check the directory and its permissions")
    };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

fn say(text: &str) -> Result<Exit, Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))?;
    Ok(Exit::Ok)
}

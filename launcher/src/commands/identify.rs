//! `stockade identify`: what a command line really runs, and how it is known.

mod report;

use std::io::Write;

use crate::cli::{IdentifyArgs, JailArgs};
use crate::container;
use crate::container::engine::{self, Local};
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::identity::image::Image;
use crate::identity::invocation::{self, ContainerRun, Invocation, PackageRun, Runs};
use crate::identity::{self, Resolved};
use crate::packages::{self, When};
use crate::{launch, policies, profiles};

use super::screen::Screen;

/// What was found out.
#[derive(Debug)]
struct Found {
    asked: Invocation,
    /// Where it comes from, if it is no program of this machine.
    source: Source,
    /// `None` if its program is not installed.
    resolved: Option<Resolved>,
    identities: Vec<String>,
    /// What it is only a bridge to.
    carries: Vec<String>,
    /// What remains open, in words for people.
    open: Vec<String>,
    profile: (String, String),
    /// May it start? What the policy says.
    admitted: Result<(), String>,
}

/// Where a server's code comes from.
#[derive(Debug)]
enum Source {
    /// It is on this machine.
    Here,
    /// Installed: the runner would not fetch it.
    Installed,
    /// Fetched before, and pinned.
    Pinned,
    /// It would be fetched.
    ToFetch {
        /// Name and range, as people write them.
        packages: Vec<String>,
        /// The registry.
        from: String,
        /// Why it cannot be, if that is known already.
        trouble: Option<String>,
    },
    /// The engine has it, or fetches it.
    Engine {
        /// What the engine says.
        says: Local,
    },
}

/// Says what a command line runs.
pub(super) fn identify(args: &IdentifyArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let found = find(&args.command, &facts)?;
    let text = if args.json {
        report::json(&found, &args.command)
    } else {
        report::text(&found, &args.command, Screen::of_stdout())
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the report").because(&error))?;
    Ok(if found.resolved.is_some() { Exit::Ok } else { Exit::NotFound })
}

fn find(command: &[std::ffi::OsString], facts: &Facts) -> Result<Found, Failure> {
    let policy = policies::load(facts, None)?;
    let asked = invocation::parse(command);
    let mut open = asked.remainder.clone();
    let mut extra = Vec::new();
    let (source, resolved) = match &asked.runs {
        Runs::Package(run) => match identity::installed(run, facts) {
            Some(_) => (Source::Installed, identity::resolve(command, facts)),
            None => match packages::stand_in(command, &JailArgs::default(), (&policy, facts), When::Never) {
                Ok(Some(stand_in)) => {
                    extra.push(stand_in.identity);
                    (Source::Pinned, identity::resolve(&stand_in.command, &stand_in.facts))
                }
                Ok(None) => (Source::Here, identity::resolve(command, facts)),
                Err(failure) => (to_fetch(run, &failure), identity::resolve(command, facts)),
            },
        },
        Runs::Container(run) => {
            let resolved = identity::resolve(command, facts);
            let says = image(run, resolved.as_ref().ok(), facts, &mut open, &mut extra);
            (Source::Engine { says }, resolved)
        }
        Runs::Program(_) | Runs::Script(_) => (Source::Here, Ok(identity::resolve(command, facts)?)),
    };
    let resolved = match resolved {
        Ok(resolved) => Some(resolved),
        Err(failure) => {
            open.push(failure.what);
            None
        }
    };
    open.extend(others_run(&asked));
    let known = resolved.as_ref().map_or_else(Vec::new, |resolved| resolved.identities.clone());
    // The digest says more than the tag.
    let identities: Vec<String> = match &source {
        Source::Engine { .. } => extra.into_iter().chain(known).collect(),
        _ => known.into_iter().chain(extra).collect(),
    };
    let available = profiles::Available::load(&facts.system_dir, &facts.config_dir, facts.uid)?;
    let (profile, why) = launch::choose_profile(&available, &policy, &JailArgs::default(), &identities)?;
    let profile = (profile.name.to_string(), why);
    let admitted = launch::admit(&policy, &identities).map_err(|failure| failure.what);
    let carries = identity::carried(command, facts);
    Ok(Found { asked, source, resolved, identities, carries, open, profile, admitted })
}

fn to_fetch(run: &PackageRun, failure: &Failure) -> Source {
    let configuration = match run.ecosystem {
        invocation::Ecosystem::Npm => "the registry of your npm configuration",
        invocation::Ecosystem::Pypi => "the index of your pip and uv configuration",
    };
    let range = |spec: &invocation::Spec| match (&spec.name, &spec.version) {
        (Some(name), Some(version)) => format!("{name} ({version})"),
        (Some(name), None) => format!("{name} (the latest version)"),
        (None, _) => format!("{} (not from a registry)", spec.typed),
    };
    Source::ToFetch {
        packages: run.specs.iter().map(range).collect(),
        from: run.registry.clone().unwrap_or_else(|| configuration.to_owned()),
        // That it is not there yet is no trouble.
        trouble: (failure.kind != Kind::NotFound).then(|| {
            std::iter::once(&failure.what).chain(&failure.causes).cloned().collect::<Vec<_>>().join(": ")
        }),
    }
}

/// The image's digest, from the words or from the engine.
fn image(
    run: &ContainerRun,
    resolved: Option<&Resolved>,
    facts: &Facts,
    open: &mut Vec<String>,
    extra: &mut Vec<String>,
) -> Local {
    let Some(image) = Image::parse(&run.image, &run.engine) else {
        open.push(format!(
            "`{}` is no image of a registry: it has no name that could be approved",
            run.image
        ));
        return Local::Silent("it was not asked".to_owned());
    };
    if let Some(digest) = &image.digest {
        return Local::Digest(digest.clone());
    }
    let says = match resolved {
        Some(resolved) => match container::trusted(&resolved.program, facts) {
            Ok(()) => engine::local(&resolved.program, &run.image, &image, facts),
            Err(_) => Local::Silent(format!("{} is not trusted to be asked", resolved.program.display())),
        },
        None => Local::Silent(format!("`{}` is not installed", run.engine)),
    };
    match &says {
        Local::Digest(digest) => extra.push(Image { digest: Some(digest.clone()), ..image }.purl()),
        Local::Built => open.push("the image was built here: no registry knows its digest".to_owned()),
        Local::Absent => open.push("the image is not here yet: its tag may come to any digest".to_owned()),
        Local::Silent(_) => open.push("the digest is known to the engine only".to_owned()),
    }
    says
}

/// Packages and programs that run what their arguments name.
fn others_run(asked: &Invocation) -> Option<String> {
    let Runs::Package(run) = &asked.runs else { return None };
    let names =
        run.specs.first().and_then(|spec| spec.name.as_deref()).into_iter().chain(run.entry.as_deref());
    let name = names.into_iter().find(|name| invocation::runs_others(name))?;
    Some(format!("`{name}` runs what its arguments name: who approves it approves all of that"))
}

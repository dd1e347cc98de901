//! The profiles of this machine: those inside the binary, the organisation's and the user's own. Never from the working
//! directory, which belongs to whatever project is open (decision 12).

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use stockade_policy::document::Mistakes;
use stockade_policy::document::profile::{Profile, Source, parse_all};

use crate::error::{Failure, Kind};
use crate::host::Facts;

mod tables {
    //! Written by `build.rs`.
    include!(concat!(env!("OUT_DIR"), "/profiles.rs"));
}

/// Folder of profiles below `/etc/stockade` and the user's configuration directory.
const FOLDER: &str = "profiles";
/// Name of a profile that exists for one session.
const TRIAL: &str = "stockade-trial";
/// Largest profile file: far above any honest one, far below what would hurt.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The profiles inside the binary, their bases folded in.
pub(crate) fn embedded() -> &'static [Profile] {
    &tables::PROFILES
}

/// The text of a starting policy: `observe`, `default` or `strict`.
pub(crate) fn starting_policy(name: &str) -> Option<&'static str> {
    tables::POLICIES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Every profile that a server could get.
#[derive(Debug)]
pub(crate) struct Available {
    /// From `/etc/stockade/profiles`: these come before all others.
    system: Vec<Loaded>,
    /// From the user's configuration directory: these come before the embedded ones.
    user: Vec<Loaded>,
}

/// Where a profile is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home<'f> {
    /// This file below `/etc/stockade`.
    Organisation(&'f str),
    /// This file below the user's configuration directory.
    Yours(&'f str),
    /// The binary.
    BuiltIn,
}

impl<'f> Home<'f> {
    /// The words of [`Home::word`].
    pub(crate) const ORGANISATION: &'static str = "organisation";
    /// See [`Home::ORGANISATION`].
    pub(crate) const YOURS: &'static str = "user";
    /// See [`Home::ORGANISATION`].
    pub(crate) const BUILT_IN: &'static str = "built-in";

    /// In a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Organisation(_) => Self::ORGANISATION,
            Self::Yours(_) => Self::YOURS,
            Self::BuiltIn => Self::BUILT_IN,
        }
    }

    /// Its file, if it has one.
    pub(crate) fn file(self) -> Option<&'f str> {
        match self {
            Self::Organisation(file) | Self::Yours(file) => Some(file),
            Self::BuiltIn => None,
        }
    }
}

/// A profile from a file.
#[derive(Debug)]
struct Loaded {
    profile: Profile,
    source: Source,
}

impl Available {
    /// Reads both directories; a missing one holds no profiles. `uid` is the user whose own files are trusted.
    ///
    /// # Errors
    /// All mistakes of all files at once; a file or directory that others could have written.
    pub(crate) fn load(system_dir: &Path, config_dir: &Path, uid: u32) -> Result<Self, Failure> {
        let system = read_folder(&system_dir.join(FOLDER), 0)?;
        Self::joined(system, read_folder(&config_dir.join(FOLDER), uid)?)
    }

    fn joined(system: Vec<Source>, user: Vec<Source>) -> Result<Self, Failure> {
        let system = parsed(system, &|name| find(embedded(), name).cloned())?;
        let user = parsed(user, &|name| {
            let organisation = system.iter().map(|loaded| &loaded.profile);
            organisation.chain(embedded()).find(|profile| profile.name == name).cloned()
        })?;
        for loaded in &user {
            let name = &loaded.profile.name;
            if let Some(first) = system.iter().find(|other| other.profile.name == *name) {
                return Err(Failure::new(Kind::Config, format!("the profile `{name}` is there twice"))
                    .cause(format!(
                        "{} is the organisation's, {} yours",
                        first.source.file, loaded.source.file
                    ))
                    .hint("give yours another name, and `extends` the organisation's"));
            }
        }
        Ok(Self { system, user })
    }

    /// The profile of that name: the organisation's, else the user's, else the embedded one.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn named(&self, name: &str) -> Result<&Profile, Failure> {
        self.all().find(|profile| profile.name == name).ok_or_else(|| {
            Failure::new(Kind::Config, format!("there is no profile `{name}`"))
                .hint(format!("there are: {}", self.names().join(", ")))
        })
    }

    /// All names, those first that come before others.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.all().map(|profile| profile.name.as_ref()).collect()
    }

    /// All profiles with where they are from, those first that come before others.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (&Profile, Home<'_>)> {
        let home = |profile: &Profile| {
            let by_name = |loaded: &&Loaded| loaded.profile.name == profile.name;
            match (self.system.iter().find(by_name), self.user.iter().find(by_name)) {
                (Some(loaded), _) => Home::Organisation(&loaded.source.file),
                (None, Some(loaded)) => Home::Yours(&loaded.source.file),
                (None, None) => Home::BuiltIn,
            }
        };
        self.all().map(move |profile| (profile, home(profile)))
    }

    /// The profile that is for a server with these identities. The organisation's come before all others; among the
    /// user's and the embedded ones the most specific pattern wins, and the user's where both are equally specific.
    pub(crate) fn for_identities(&self, identities: &[String]) -> Option<&Profile> {
        best(self.system.iter().map(|loaded| &loaded.profile), identities)
            .or_else(|| best(self.all().skip(self.system.len()), identities))
    }

    /// A profile with these lines added, for a session that tries them out.
    ///
    /// # Errors
    /// What is wrong with the lines.
    pub(crate) fn widened(&self, profile: &Profile, lines: &str) -> Result<Profile, Failure> {
        let head = format!("name = \"{TRIAL}\"\ndescription = \"a trial\"\nextends = \"{}\"\n", profile.name);
        let source = Source { file: "the lines to be tried".to_owned(), text: head + lines };
        let (mut profiles, mistakes) = parse_all(&[source], &|name| self.named(name).ok().cloned());
        match profiles.pop() {
            Some(found) if mistakes.is_empty() => Ok(Profile { name: profile.name.clone(), ..found }),
            _ => Err(mistaken(&mistakes)),
        }
    }

    /// Every profile, those first that come before others. An embedded profile whose name a file uses is not among
    /// them: the file replaces it.
    fn all(&self) -> impl Iterator<Item = &Profile> {
        let files = || self.system.iter().chain(&self.user).map(|loaded| &loaded.profile);
        let replaced = move |profile: &Profile| files().any(|file| file.name == profile.name);
        files().chain(embedded().iter().filter(move |profile| !replaced(profile)))
    }
}

/// What a file that is to be looked at may extend: every profile but those of the files themselves. One with mistakes is
/// left out, for it is not what was asked about.
///
/// # Errors
/// A file or directory of profiles that others could have written.
pub(crate) fn known_beside(facts: &Facts, files: &[&Path]) -> Result<Vec<Profile>, Failure> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let asked: Vec<PathBuf> = files.iter().filter_map(|file| real(file)).collect();
    let mut sources = read_folder(&facts.system_dir.join(FOLDER), 0)?;
    sources.extend(read_folder(&facts.config_dir.join(FOLDER), facts.uid)?);
    sources.retain(|source| real(Path::new(&source.file)).is_none_or(|path| !asked.contains(&path)));
    let (mut profiles, _) = parse_all(&sources, &|name| find(embedded(), name).cloned());
    profiles.extend(embedded().iter().cloned());
    Ok(profiles)
}

fn find<'p>(profiles: &'p [Profile], name: &str) -> Option<&'p Profile> {
    profiles.iter().find(|profile| profile.name == name)
}

/// The first of those that fit best.
fn best<'p>(profiles: impl Iterator<Item = &'p Profile>, identities: &[String]) -> Option<&'p Profile> {
    let fitting = profiles.filter_map(|profile| Some((profile.fits(identities)?, profile)));
    fitting.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, profile)| profile)
}

fn parsed(sources: Vec<Source>, known: &dyn Fn(&str) -> Option<Profile>) -> Result<Vec<Loaded>, Failure> {
    let (profiles, mistakes) = parse_all(&sources, known);
    if !mistakes.is_empty() {
        return Err(mistaken(&mistakes));
    }
    // Without mistakes there is one profile a file, in the same order.
    Ok(profiles.into_iter().zip(sources).map(|(profile, source)| Loaded { profile, source }).collect())
}

fn mistaken(mistakes: &[Mistakes]) -> Failure {
    let files = mistakes.iter().map(|m| m.file.as_str()).collect::<Vec<_>>().join(", ");
    let failure = Failure::new(Kind::Config, format!("there are mistakes in {files}"))
        .hint("mend the lines above; nothing was started or changed");
    mistakes.iter().fold(failure, |failure, mistakes| failure.cause(mistakes.to_string()))
}

/// The TOML files of a folder in the order of their names; a folder that is not there is empty.
fn read_folder(folder: &Path, owner: u32) -> Result<Vec<Source>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Kind::Config, format!("cannot look into {}", folder.display())).because(&error).hint(
            "profiles that cannot be read must not be skipped: mend the permissions or remove the directory",
        )
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(unreadable(error)),
    };
    // Whoever can write the directory can replace every file in it.
    trusted(folder, &std::fs::metadata(folder).map_err(unreadable)?, owner)?;
    let mut paths = Vec::<PathBuf>::new();
    for entry in entries {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| read_file(path, owner)).collect()
}

fn read_file(path: &Path, owner: u32) -> Result<Source, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Kind::Config, format!("cannot read {}", path.display()))
            .because(&error)
            .hint("a profile that cannot be read must not be skipped: mend it or remove it")
    };
    // A FIFO would block the open for ever.
    let before = std::fs::metadata(path).map_err(unreadable)?;
    if !before.is_file() || before.len() > FILE_BYTES_MAX {
        return Err(Failure::new(Kind::Config, format!("{} is no profile", path.display()))
            .cause(format!("a profile is an ordinary file of at most {FILE_BYTES_MAX} bytes"))
            .hint("remove it"));
    }
    let file = File::open(path).map_err(unreadable)?;
    // Asked of the open file: what stands at the path may have been exchanged since.
    trusted(path, &file.metadata().map_err(unreadable)?, owner)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(Source { file: path.display().to_string(), text })
}

/// Only root and `owner` may be able to write what decides about jails.
fn trusted(path: &Path, facts: &std::fs::Metadata, owner: u32) -> Result<(), Failure> {
    if (facts.uid() == owner || facts.uid() == 0) && facts.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Failure::new(Kind::Permission, format!("{} is not trusted", path.display()))
        .cause(format!(
            "it belongs to uid {} with mode {:04o}; only uid {owner} or root may be able to write it",
            facts.uid(),
            facts.mode() & 0o7777
        ))
        .hint(format!("chown it and `chmod go-w {}`", path.display())))
}

#[cfg(test)]
mod tests;

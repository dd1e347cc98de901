//! The projects in which clients work: their files are often under version control, so what becomes of the servers in them is a choice.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use stockade_policy::document::policy::ProjectFiles;

use crate::clients::census;
use crate::clients::change::{self, FileReport, Mode};
use crate::clients::journal::Journal;
use crate::clients::propose::{Outcome, Request};
use crate::clients::registry::{CLIENTS, Location, Reach, World};
use crate::clients::running;
use crate::clients::shadow;
use crate::clients::spans::Document;
use crate::clients::store;

/// Nobody works in more of them at once; what is beyond is found when others are gone.
const PROJECTS_MAX: usize = 128;

/// Directories in which a client runs now, or that a client's own file knows as projects.
pub(crate) fn projects(world: World<'_>) -> Vec<PathBuf> {
    let all = running::everything();
    let cwds =
        census::clients_in(&all).filter_map(|one| std::fs::read_link(format!("/proc/{}/cwd", one.pid)).ok());
    let mut found: BTreeSet<PathBuf> = cwds.collect();
    for location in CLIENTS.iter().flat_map(|client| client.files(Reach::User, world)) {
        found.extend(known_to(&location));
    }
    // The home's files are the user's own.
    found.retain(|path| path.is_absolute() && path != world.home && path != Path::new("/") && path.is_dir());
    found.into_iter().take(PROJECTS_MAX).collect()
}

/// Keys of the object in which a client's file keeps what it knows of each project.
fn known_to(location: &Location) -> Vec<PathBuf> {
    let Some(before) = location.place.layouts.iter().find_map(|layout| {
        let star = layout.at.iter().position(|key| *key == "*")?;
        layout.at.get(..star)
    }) else {
        return Vec::new();
    };
    let keys = || {
        let original = store::read(location).ok()??;
        let document = Document::parse(&original.bytes, location.place.format?).ok()?;
        let mut here = document.root()?;
        for key in before {
            let members = document.members(&here)?;
            here = members.into_iter().find(|member| member.name.as_deref() == Some(key))?.value;
        }
        Some(
            document
                .members(&here)?
                .into_iter()
                .filter_map(|member| member.name.map(PathBuf::from))
                .collect(),
        )
    };
    keys().unwrap_or_default()
}

/// The files of a project that are not the user's own.
pub(crate) fn project_files(world: World<'_>) -> Vec<Location> {
    let mine: Vec<PathBuf> = CLIENTS
        .iter()
        .flat_map(|client| client.files(Reach::User, world))
        .map(|location| location.path)
        .collect();
    let mut files: Vec<Location> = Vec::new();
    for location in CLIENTS.iter().flat_map(|client| client.files(Reach::Project, world)) {
        if !mine.contains(&location.path) && files.iter().all(|known| known.path != location.path) {
            files.push(location);
        }
    }
    files
}

/// Does with one of them what is asked for.
pub(crate) fn change_project_file(
    location: &Location,
    (way, request): (ProjectFiles, &Request),
    (mode, journal): (Mode, Option<&Journal>),
    world: World<'_>,
) -> Option<FileReport> {
    let left = |why: &str| {
        let shown = change::change(location, request, Mode::Show, journal)?;
        let has_bare = shown.rows.iter().any(|row| row.outcome == Outcome::Wrapped);
        let (rows, texts, wrapped) = (Vec::new(), None, Vec::new());
        has_bare.then(|| FileReport { reported_only: Some(why.to_owned()), rows, texts, wrapped, ..shown })
    };
    match way {
        ProjectFiles::Rewrite => change::change(location, request, mode, journal),
        ProjectFiles::Report => left(
            "a project's file, perhaps under version control; `--project-files shadow` or `rewrite` does something about it",
        ),
        ProjectFiles::Shadow if shadow::is_possible(location) => {
            Some(shadow::shadow(location, request, (mode, journal), world))
        }
        ProjectFiles::Shadow => {
            left("a project's file, and this client has no nearer scope that goes before it")
        }
    }
}

/// Files of projects with entries that Stockade wrapped: by the journal, and those of this project. For `unwrap`.
pub(crate) fn wrapped_project_files(world: World<'_>, journal: &Journal) -> Vec<Location> {
    let mut files = project_files(world);
    for record in journal.records().filter(|record| record.taken_back.is_none()) {
        let client = record.id.split_once('/').map(|(client, _)| client);
        let client = CLIENTS.iter().find(|known| Some(known.id) == client);
        let location = client.and_then(|client| client.in_project(Path::new(&record.file), world.os));
        files.extend(location.filter(|new| files.iter().all(|known| known.path != new.path)));
    }
    files
}

//! Config files of clients as people have them (`tests/cases/clients/samples`): found on every system, understood, wrapped, and given back
//! byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::clients::entry::{self, Entry, Place, Shape};
use crate::clients::journal::Record;
use crate::clients::propose::{Proposal, Request, Way, propose};
use crate::clients::registry::{self, CLIENTS, Client, Confidence, Os, Reach, World, named};
use crate::clients::spans::Document;

const LAUNCHER: &str = "/usr/bin/stockade";

#[derive(Deserialize)]
struct Samples {
    sample: Vec<Sample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    client: String,
    file: String,
    place: String,
    #[serde(default)]
    servers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    remote: Vec<String>,
    #[serde(default, rename = "odd")]
    _odd: String,
}

impl Sample {
    fn client(&self) -> &'static Client {
        named(&self.client).unwrap_or_else(|| panic!("no client {}", self.client))
    }

    /// The place of the client that this file is of.
    fn place(&self) -> &'static registry::Place {
        let is_it = |place: &&registry::Place| place.paths.iter().any(|path| fits(path, &self.place));
        self.client()
            .places
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{}: no place {}", self.client, self.place))
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(cases().join("samples").join(&self.file)).unwrap()
    }
}

/// Whether a path of the registry, with its stars, is this one.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern.iter().zip(&path).all(|(pattern, part)| match pattern.split_once('*') {
            Some((before, after)) => part.starts_with(before) && part.ends_with(after),
            None => pattern == part,
        })
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases/clients")
}

fn samples() -> Vec<Sample> {
    let text = std::fs::read_to_string(cases().join("samples.toml")).unwrap();
    toml::from_str::<Samples>(&text).unwrap().sample
}

fn request(way: Way) -> Request {
    Request { way, server: None }
}

/// Names and command lines, and the names of remote servers.
fn understood(place: &registry::Place, bytes: &[u8]) -> (BTreeMap<String, Vec<String>>, BTreeSet<String>) {
    let document = Document::parse(bytes, place.format.unwrap()).unwrap();
    let (mut local, mut remote) = (BTreeMap::new(), BTreeSet::new());
    for Entry { place, shape, .. } in entry::entries(&document, place.layouts).unwrap() {
        match shape {
            Shape::Bare(launch) => {
                local.insert(place.name, launch.words().into_iter().map(str::to_owned).collect());
            }
            Shape::Remote => {
                remote.insert(place.name);
            }
            Shape::Wrapped(_) => panic!("{} is wrapped", place.name),
            Shape::Odd(why) => panic!("{}: {why}\n{}", place.name, String::from_utf8_lossy(bytes)),
        }
    }
    (local, remote)
}

#[test]
fn every_server_of_every_sample_is_found_with_its_command_line() {
    for sample in samples() {
        let (local, remote) = understood(sample.place(), &sample.bytes());
        assert_eq!(local, sample.servers, "{}", sample.file);
        assert_eq!(remote, sample.remote.iter().cloned().collect(), "{}", sample.file);
    }
}

#[test]
fn every_sample_is_wrapped_and_comes_back_byte_for_byte() {
    let mut servers = 0;
    for sample in samples() {
        let (client, place, before) = (sample.client(), sample.place(), sample.bytes());
        let mut text = String::from_utf8(before.clone()).unwrap();
        let mut journal: BTreeMap<Place, Record> = BTreeMap::new();
        // One after the other by name: what starts through a runner that is left alone in a batch is wrapped when it is asked for.
        for name in sample.servers.keys() {
            let way = Way::Wrap { launcher: LAUNCHER.to_owned() };
            let request = Request { way, server: Some(name.clone()) };
            let Proposal { text: new, changed, rows, .. } =
                propose((client, place), text.as_bytes(), &request, &|_| None).unwrap();
            assert_eq!(changed.len(), 1, "{} {name}: {rows:?}", sample.file);
            for one in changed {
                let texts = (one.before.as_str(), one.after.as_str());
                let record = Record::new(String::new(), String::new(), Path::new("/f"), &one.place, texts);
                journal.insert(one.place, record);
            }
            text = new;
            servers += 1;
        }
        let recall = |place: &Place| journal.get(place).cloned();
        let back = propose((client, place), text.as_bytes(), &request(Way::Unwrap), &recall).unwrap();
        assert_eq!(back.text.into_bytes(), before, "{}", sample.file);
        let alone = propose((client, place), text.as_bytes(), &request(Way::Unwrap), &|_| None).unwrap();
        assert_eq!(
            understood(place, alone.text.as_bytes()).0,
            sample.servers,
            "{} without a journal",
            sample.file
        );
    }
    assert!(servers > 100, "the samples are too few: {servers}");
}

#[test]
fn most_clients_that_are_written_have_a_sample() {
    let known: BTreeSet<String> = samples().into_iter().map(|sample| sample.client).collect();
    let is_written = |place: &registry::Place| {
        place.reach == Reach::User && place.format.is_some() && place.confidence > Confidence::Low
    };
    let written = CLIENTS.iter().filter(|client| client.places.iter().any(is_written));
    let missing: Vec<&str> = written.map(|client| client.id).filter(|id| !known.contains(*id)).collect();
    assert!(missing.is_empty(), "no sample of {missing:?}");
}

#[test]
fn a_file_is_found_at_each_of_its_paths_on_each_system() {
    let mut found_at = 0;
    for client in &CLIENTS {
        for place in client.places.iter().filter(|place| place.reach == Reach::User && place.format.is_some())
        {
            for (os, path) in place.os.iter().flat_map(|os| place.paths.iter().map(move |path| (*os, *path)))
            {
                found_at += usize::from(is_found(client, (os, path)));
            }
        }
    }
    assert!(found_at > 150, "too few places: {found_at}");
}

/// Puts a file there, in a home of its own, and looks for it.
fn is_found(client: &'static Client, (os, path): (Os, &str)) -> bool {
    let home = tempfile::tempdir().unwrap();
    let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
    let file = if let Some(rest) = path.strip_prefix("~/") {
        home.path().join(rest.replace('*', "some"))
    } else if let Some(named) = path.strip_prefix('$') {
        let (name, rest) = named.split_once('/').unwrap_or((named, ""));
        let root = home.path().join("moved");
        env.insert(name.into(), if rest.is_empty() { root.join("file").into() } else { root.clone().into() });
        root.join(if rest.is_empty() { "file" } else { rest }.replace('*', "some"))
    } else {
        return false;
    };
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "").unwrap();
    let world = World { os, home: home.path(), env: &env, project: None };
    let found = client.files(Reach::User, world);
    assert!(
        found.iter().any(|one| one.path == file),
        "{} does not find {path} on {os:?}: {found:?}",
        client.id
    );
    true
}

//! What servers there are, as it was last time; and events for what is different now.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clients::{Ledger, Scope, Server, Standing};
use crate::host::Facts;
use crate::identity;

/// Version of the file.
const VERSION: u32 = 1;

/// A server as an event tells it. No arguments: they may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    /// The client's id.
    pub client: String,
    /// Its file.
    pub file: String,
    /// Whose file: `user`, `plugin`, `managed` …
    pub of: String,
    /// The project for which the entry holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub project: Option<String>,
    /// Its name.
    pub server: String,
    /// `wrapped`, `shadowed`, `not-covered`, `drift`
    pub state: String,
    /// Why it is not covered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// The first word of its command.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub program: Option<String>,
    /// What it is known by: package, file, image.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub identity: Vec<String>,
    /// What it is only a bridge to: identities of the server that it starts, or the URL of one elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub carries: Vec<String>,
    /// The version of the client, as the running one's package says it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_version: Option<String>,
    /// Other entries with the same command line.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub also: Vec<String>,
    /// Keyed hash of its command line: tells that it changed, not what it is.
    pub command: String,
}

/// `inventory.server`: a server was found, changed or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ServerEvent {
    /// `found`, `changed`, `gone`
    pub change: &'static str,
    /// The server.
    #[serde(flatten)]
    pub item: Item,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    version: u32,
    items: Vec<Item>,
}

/// All servers by place.
#[derive(Debug)]
pub(super) struct Inventory {
    path: PathBuf,
    items: BTreeMap<(String, Option<String>, String), Item>,
}

impl Inventory {
    /// As it was left. One that cannot be read is empty: everything is found anew then.
    pub(super) fn load(path: PathBuf) -> Self {
        let stored = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Stored>(&text).ok());
        let stored = stored.filter(|stored| (1..=VERSION + 1).contains(&stored.version)).unwrap_or_default();
        Self { path, items: stored.items.into_iter().map(|item| (place(&item), item)).collect() }
    }

    /// Takes over what is there now, and says what is different.
    pub(super) fn update(
        &mut self,
        (ledgers, versions): (&[Ledger], &BTreeMap<&'static str, String>),
        key: &[u8; 32],
        facts: &Facts,
    ) -> Vec<ServerEvent> {
        let mut now = BTreeMap::new();
        let mut events = Vec::new();
        for (ledger, server) in
            ledgers.iter().flat_map(|ledger| ledger.servers.iter().map(move |one| (ledger, one)))
        {
            let mut item = item(ledger, server, key);
            let at = place(&item);
            let known = self.items.get(&at);
            // Finding out what a command line is costs reading files: once a command line.
            (item.identity, item.carries) = match known.filter(|known| known.command == item.command) {
                Some(known) => (known.identity.clone(), known.carries.clone()),
                None => identities(&server.words, facts),
            };
            // A client that does not run now is still the one it was.
            let version = versions.get(ledger.location.client.name).cloned();
            item.client_version = version.or_else(|| known.and_then(|known| known.client_version.clone()));
            let change = match known {
                None => Some("found"),
                Some(known) if *known != item => Some("changed"),
                Some(_) => None,
            };
            events.extend(change.map(|change| ServerEvent { change, item: item.clone() }));
            now.insert(at, item);
        }
        let gone = self.items.iter().filter(|(at, _)| !now.contains_key(*at));
        events.extend(gone.map(|(_, item)| ServerEvent { change: "gone", item: item.clone() }));
        self.items = now;
        events
    }

    /// Keeps it for the next start.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn save(&self) -> std::io::Result<()> {
        use std::io::Write;
        let stored = Stored { version: VERSION, items: self.items.values().cloned().collect() };
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&serde_json::to_vec(&stored)?)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

fn place(item: &Item) -> (String, Option<String>, String) {
    (item.file.clone(), item.project.clone(), item.server.clone())
}

fn item(ledger: &Ledger, server: &Server, key: &[u8; 32]) -> Item {
    let (state, why) = match &server.standing {
        Standing::Wrapped => ("wrapped", None),
        Standing::Shadowed => ("shadowed", None),
        Standing::NotCovered(why) => ("not-covered", Some(why.clone())),
        Standing::Drift => ("drift", None),
    };
    let words = server.words.iter().flat_map(|word| [word.as_bytes(), &[0]]).collect::<Vec<_>>().concat();
    let hash = identity::sha256_hex(&[key.as_slice(), &words].concat());
    Item {
        client: ledger.location.client.id.to_owned(),
        file: ledger.location.path.display().to_string(),
        of: ledger.location.place.reach.word().to_owned(),
        project: match &server.scope {
            Scope::User => None,
            Scope::Project(path) => Some(path.clone()),
        },
        server: server.name.clone(),
        state: state.to_owned(),
        why,
        program: server.words.first().cloned(),
        identity: Vec::new(),
        carries: Vec::new(),
        client_version: None,
        also: server.also.clone(),
        command: hash.get(..16).unwrap_or_default().to_owned(),
    }
}

fn identities(words: &[String], facts: &Facts) -> (Vec<String>, Vec<String>) {
    let command: Vec<OsString> = words.iter().map(OsString::from).collect();
    if command.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let own = identity::resolve(&command, facts).map(|resolved| resolved.identities).unwrap_or_default();
    (own, identity::carried(&command, facts))
}

//! The user's configuration of npm, pip and uv: which registry, by which way, with which credentials. What a fetch needs of
//! it is written into files that only the fetch sees; the server that is started later sees none of it.

mod ini;
mod npmrc;
mod public;
mod python;

use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Failure, Kind};

pub(crate) use npmrc::Npm;
pub(crate) use python::{Python, Speaks};

/// Largest file of configuration or certificates: all public authorities together take a quarter of a megabyte.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// A host that a fetch may connect to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) struct Reach {
    /// Name or address.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
}

/// What a fetch gets of the user's configuration.
#[derive(Default)]
pub(crate) struct Sealed {
    /// Where it may connect to.
    pub(crate) reach: Vec<Reach>,
    /// Files, by name; they lie in a directory of their own that the fetch reads and nobody else.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// Variables.
    pub(crate) env: Vec<(String, String)>,
    /// Proxy that the broker goes through.
    pub(crate) proxy: Option<String>,
    /// What it goes around.
    pub(crate) no_proxy: Option<String>,
    /// Values that may stand in no message.
    pub(crate) secrets: Vec<String>,
}

// Files and proxy hold credentials.
impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Sealed {
    /// A file that the configuration names, as it is now.
    fn add_copy(&mut self, name: &str, path: &Path) -> Result<(), Failure> {
        let bytes = bytes(path)?.ok_or_else(|| {
            Failure::new(Kind::Config, format!("{} is not there", path.display()))
                .cause("the configuration of npm, pip or uv names it")
                .hint("mend that configuration")
        })?;
        self.files.push((name.to_owned(), bytes));
        Ok(())
    }
}

/// A text file of the user's; `None` if it is not there.
fn own_file(path: &Path) -> Result<Option<String>, Failure> {
    Ok(bytes(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let unreadable = |why: String| {
        Failure::new(Kind::Config, format!("cannot read {}", path.display()))
            .cause(why)
            .hint("it says where packages come from, so nothing is fetched without it")
    };
    match std::fs::metadata(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error.to_string())),
        // A FIFO would block the open for ever; a directory or a device holds no settings.
        Ok(facts) if !facts.is_file() => return Ok(None),
        Ok(facts) if facts.len() > FILE_BYTES_MAX => {
            return Err(unreadable(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        Ok(_) => {}
    }
    std::fs::read(path).map(Some).map_err(|error| unreadable(error.to_string()))
}

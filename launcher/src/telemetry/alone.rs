//! One event that belongs to no running server, under a session of its own.

use serde::Serialize;
use stockade_policy::rules::Policy;

use super::{ClientClaim, Common, EventLog};
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};

/// Whom it is about.
#[derive(Debug)]
pub struct About {
    /// The client, as its config names it.
    pub client: Option<String>,
    /// The server.
    pub server: String,
    /// What it is known by.
    pub identity: Vec<String>,
    /// Its profile.
    pub profile: String,
}

/// Writes it, and waits until a crash of the machine can't lose it.
///
/// # Errors
/// When it cannot be written and the policy in force stops everything then.
pub fn write_alone<T: Serialize>(
    about: About,
    (policy, facts): (&Policy, &Facts),
    (kind, what): (&'static str, &T),
) -> Result<(), Failure> {
    let failed = |why: String| {
        Failure::new(Kind::Permission, format!("cannot record `{kind}` in {}", facts.state_dir.display()))
            .cause(why)
            .hint("make room or mend the permissions there")
    };
    let common = Common {
        session: uuid::Uuid::now_v7().to_string(),
        user: facts.user.clone(),
        client: ClientClaim { id: about.client, ..ClientClaim::default() },
        server: about.server,
        identity: about.identity,
        profile: about.profile,
        policy: policy.hash(),
    };
    let mut log = EventLog::open(&facts.state_dir, common, policy.full_disk())
        .map_err(|error| failed(error.to_string()))?;
    // Who asked: a terminal can be made by a program.
    log.started_by(host::ancestors());
    log.append(kind, what).map_err(|stopped| failed(stopped.to_string()))?;
    if let Some(file) = log.take_unsynced() {
        file.sync_data().map_err(|error| failed(error.to_string()))?;
    }
    Ok(())
}

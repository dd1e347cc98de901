//! A session's log, from before its server runs.

use stockade_policy::rules::Policy;

use crate::clients;
use crate::error::{Failure, Kind};
use crate::host::{self, Facts};
use crate::plan::Plan;
use crate::telemetry::{ClientClaim, Common, EventLog, SessionStart, Stopped};

/// The log of a session that is about to start.
pub(super) fn open_log(
    plan: &Plan,
    policy: &Policy,
    session: String,
    facts: &Facts,
) -> Result<EventLog, Failure> {
    let common = Common {
        session,
        user: facts.user.clone(),
        client: ClientClaim { id: plan.client_name.clone(), ..ClientClaim::default() },
        server: plan.server_name.clone(),
        identity: plan.identities.clone(),
        profile: plan.profile.clone(),
        policy: plan.policy_hash.clone(),
    };
    EventLog::open(&facts.state_dir, common, policy.full_disk()).map_err(|error| {
        Failure::new(Kind::Permission, format!("cannot record events in {}", facts.state_dir.display()))
            .because(&error)
            .hint("make room or mend the permissions there; nothing was started, because nothing could have been recorded")
    })
}

/// The start itself, with who started us; found out now, since the server's start must not wait for it.
pub(super) fn record_start(log: &mut EventLog, start: SessionStart, facts: &Facts) -> Result<(), Failure> {
    let above = host::above();
    log.started_by(host::names_of(&above));
    log.evidence(above.first().and_then(|process| process.program.clone()), clients::marks_in(&facts.env));
    let contradiction = clients::against_start(log.client_id(), &above, &facts.env);
    let failed = |stopped: &Stopped| {
        Failure::new(Kind::Software, "the start of the session cannot be recorded")
            .because(stopped)
            .hint("make room for events")
    };
    log.append("session.start", &start).map_err(|stopped| failed(&stopped))?;
    if let Some(contradiction) = contradiction {
        log.append("client.contradiction", &contradiction).map_err(|stopped| failed(&stopped))?;
    }
    log.prune();
    Ok(())
}

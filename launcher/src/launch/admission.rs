//! What the policy in force says before a server starts: may it, with which profile, and wider by flags?

use stockade_policy::document::profile::Profile;
use stockade_policy::rules::{Item, Policy};
use stockade_policy::verdict::Access;

use crate::cli::{BackendArg, JailArgs};
use crate::error::{Failure, Kind};
use crate::{policies, profiles};

/// May the server start at all?
pub(crate) fn admit(policy: &Policy, identities: &[String]) -> Result<(), Failure> {
    let standing = policies::Standing::gather();
    let ruling = policy.decide(identities, Item::Server, &standing.circumstances());
    if ruling.verdict == Access::Allow {
        return Ok(());
    }
    let word = if ruling.verdict == Access::Ask { "wants to be asked about" } else { "denies" };
    let mut failure = Failure::new(Kind::Permission, format!("the policy in force {word} this server"))
        .cause(format!("it is {}", identities.join(", ")));
    if let Some(reason) = ruling.reason {
        failure = failure.cause(format!("{} (rule `{}`, {})", reason.text, reason.rule, reason.layer));
    }
    Err(failure.hint(
        "whoever writes that policy can approve it with a rule: effect = \"allow\", servers = [its identity]",
    ))
}

pub(super) fn flags_allowed(policy: &Policy, jail: &JailArgs) -> Result<(), Failure> {
    let widening = [
        ("--grant-read", !jail.grant_read.is_empty()),
        ("--grant-write", !jail.grant_write.is_empty()),
        ("--grant-net", !jail.grant_net.is_empty()),
        ("--env", !jail.env.is_empty()),
        ("--backend", matches!(jail.backend, BackendArg::Notify | BackendArg::Static)),
    ];
    match widening.into_iter().find(|(_, asked)| *asked) {
        Some((flag, _)) => flag_allowed(policy, flag),
        None => Ok(()),
    }
}

pub(crate) fn flag_allowed(policy: &Policy, flag: &str) -> Result<(), Failure> {
    let ruling = policy.grants_by_flag();
    if ruling.verdict == Access::Allow {
        return Ok(());
    }
    let mut failure = Failure::new(Kind::Permission, format!("the policy in force forbids `{flag}`"));
    if let Some(reason) = ruling.reason {
        failure = failure.cause(format!("{} (rule `{}`, {})", reason.text, reason.rule, reason.layer));
    }
    Err(failure
        .hint("put what the server needs into a profile: `stockade profile show default` shows the form"))
}

pub(crate) fn choose_profile<'p>(
    available: &'p profiles::Available,
    policy: &Policy,
    jail: &JailArgs,
    identities: &[String],
) -> Result<(&'p Profile, String), Failure> {
    let (profile, why) = match available.for_identities(identities) {
        Some(profile) => (profile, "matches the identity".to_owned()),
        None => (available.named(policy.default_profile())?, "the policy's default".to_owned()),
    };
    match &jail.profile {
        Some(name) if *name != profile.name => {
            flag_allowed(policy, "--profile")?;
            Ok((available.named(name)?, "--profile".to_owned()))
        }
        _ => Ok((profile, why)),
    }
}

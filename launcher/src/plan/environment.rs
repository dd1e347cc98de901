//! The server's environment, built from nothing.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::Input;
use super::variables::Variables;
use crate::error::{Failure, Kind};

/// What the profile passes, what it sets, what the client's own entry names, what wrappers in the command line set, what
/// flags say: in this order, the later wins.
///
/// # Errors
/// When a variable of the profile is unknown, or a flag names nothing.
pub(super) fn build(
    input: &Input<'_>,
    variables: &Variables<'_>,
) -> Result<Vec<(OsString, OsString)>, Failure> {
    let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
    for pattern in input.profile.env_pass.iter() {
        let passed = input.facts.env.iter().filter(|(name, _)| name_matches(pattern, name));
        env.extend(passed.map(|(name, value)| (name.clone(), value.clone())));
    }
    for set in input.profile.env_set.iter() {
        // Without a workspace, or with fewer arguments, there is nothing to set.
        if let Some(value) = variables.text(&set.value)? {
            env.insert(OsString::from(&*set.name), value);
        }
    }
    for name in input.entry_env {
        if let Some(value) = input.facts.var(name) {
            env.insert(OsString::from(name), value.clone());
        }
    }
    // What `env NAME=VALUE …` sets counts as the entry's own.
    env.extend(input.resolved.set.iter().map(|(name, value)| (OsString::from(name), value.clone())));
    for flag in &input.jail.env {
        let (name, value) = split(flag)?;
        match value {
            Some(value) => env.insert(name, value),
            None => match input.facts.env.get(&name) {
                Some(value) => env.insert(name, value.clone()),
                None => None,
            },
        };
    }
    Ok(env.into_iter().collect())
}

/// `LC_*` matches every name that begins with `LC_`; anything else matches itself.
fn name_matches(pattern: &str, name: &OsStr) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.as_bytes().starts_with(prefix.as_bytes()),
        None => name == pattern,
    }
}

fn split(flag: &OsStr) -> Result<(OsString, Option<OsString>), Failure> {
    let bytes = flag.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'=');
    let (name, value) = match at {
        Some(at) => (&bytes[..at], Some(OsStr::from_bytes(&bytes[at + 1..]).to_owned())),
        None => (bytes, None),
    };
    if name.is_empty() {
        return Err(Failure::new(Kind::Usage, "`--env` names no variable")
            .hint("write --env NAME or --env NAME=VALUE"));
    }
    Ok((OsStr::from_bytes(name).to_owned(), value))
}

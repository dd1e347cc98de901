//! What a start makes of the logins of its profile: what was decided becomes part of the profile, and what was not is told
//! once.

use std::io::Write;
use std::path::PathBuf;

use stockade_policy::document::profile::{Login, PathGrant, Profile, Share};
use stockade_policy::rules::Policy;
use stockade_policy::verdict::Access;

use super::events::{LoginOffered, OfferedPlace};
use super::place::{self, State, goal, is_within, shown, source};
use super::record::{self, Record, Way};
use crate::commands::screen::harmless;
use crate::error::Failure;
use crate::host::Facts;
use crate::plan::Plan;
use crate::telemetry::EventLog;

/// Which server it is about.
#[derive(Clone, Debug)]
pub struct Who {
    /// Name of the directory of its private files.
    pub key: String,
    /// The name people know it by.
    pub server: String,
    /// `CLIENT/NAME`
    pub id: Option<String>,
    /// What runs.
    pub identity: Vec<String>,
}

/// The logins of a server at this start.
#[derive(Clone, Debug)]
pub struct Given {
    /// The profile with what the user decided.
    pub profile: Profile,
    who: Who,
    /// The record names another profile, or none.
    moved: bool,
    untold: Vec<Untold>,
    /// Variables that name the place of a login, and where its copy is.
    env: Vec<(String, PathBuf)>,
    notes: Vec<String>,
}

/// A place that nobody has told of yet.
#[derive(Clone, Debug)]
struct Untold {
    path: String,
    place: String,
    reason: String,
    /// Whether the profile grants it.
    in_place: bool,
    shareable: bool,
}

/// The logins of a server whose profile names some. Reads what was decided; writes nothing.
///
/// # Errors
/// When what was decided cannot be read.
pub fn apply(profile: &Profile, who: Who, policy: &Policy, facts: &Facts) -> Result<Given, Failure> {
    let record = record::load(&facts.state_dir, &who.key)?;
    let mut given = Given {
        profile: profile.clone(),
        moved: record.profile != profile.name,
        who,
        untold: Vec::new(),
        env: Vec::new(),
        notes: Vec::new(),
    };
    let may_share = policy.grants_by_flag().verdict == Access::Allow;
    for login in profile.logins.iter() {
        given.weigh(login, State::of(login, profile, &record, facts), may_share, (&record, facts));
    }
    Ok(given)
}

impl Given {
    fn weigh(&mut self, login: &Login, state: State, may_share: bool, (record, facts): (&Record, &Facts)) {
        let place = || shown(&source(login, facts), &facts.home);
        match state {
            State::Absent | State::Private => {}
            State::Waiting | State::InPlace => {
                if state == State::Waiting {
                    let key = &self.who.key;
                    self.notes.push(format!(
                        "{}: a login of its own, not decided (`stockade login copy {key}`)",
                        place()
                    ));
                }
                if !record.told.iter().any(|told| *told == login.path) {
                    self.untold.push(Untold {
                        path: login.path.to_string(),
                        place: place(),
                        reason: harmless(&login.reason),
                        in_place: state == State::InPlace,
                        shareable: login.share.is_some(),
                    });
                }
            }
            State::Decided(Way::Copied) => {
                let (base, below) = goal(login, &facts.state_dir, &self.who.key);
                self.env.extend(login.variable.iter().map(|name| (name.to_string(), base.join(below))));
            }
            State::Decided(Way::Never) => close(&mut self.profile, login),
            State::Decided(way @ (Way::SharedRead | Way::SharedWrite)) if may_share => {
                let grant =
                    PathGrant { path: login.path.clone(), reason: "its login, shared by the user".into() };
                // The narrower of what was decided and what the profile allows today.
                match (way, login.share) {
                    (Way::SharedWrite, Some(Share::Write)) => self.profile.write.to_mut().push(grant),
                    (_, Some(_)) => self.profile.read.to_mut().push(grant),
                    (_, None) => self.notes.push(format!(
                        "{}: shared once, but the profile lets nobody share it any more",
                        place()
                    )),
                }
            }
            State::Decided(_) => {
                self.notes
                    .push(format!("{}: shared, but the policy in force lets nobody widen a jail", place()));
            }
        }
    }

    /// Into the plan that was made of the profile.
    pub fn enter(&self, plan: &mut Plan) {
        plan.notes.extend(self.notes.iter().cloned());
        for (name, place) in &self.env {
            for (_, value) in plan.ruleset.env.iter_mut().filter(|(known, _)| known == name.as_str()) {
                *value = place.clone().into_os_string();
            }
        }
    }

    /// Tells on stderr and in an event what nobody has told of yet, and remembers that it was told.
    pub fn tell(&self, log: &mut EventLog, facts: &Facts) {
        if self.untold.is_empty() && !self.moved {
            return;
        }
        let update = |record: &mut Record| {
            record.server.clone_from(&self.who.server);
            record.id.clone_from(&self.who.id);
            record.identity.clone_from(&self.who.identity);
            record.profile = self.profile.name.to_string();
            let new = self.untold.iter().map(|untold| &untold.path);
            let new: Vec<String> = new.filter(|path| !record.told.contains(path)).cloned().collect();
            record.told.extend(new);
        };
        // To a closed stderr nothing can be said.
        if let Err(failure) = record::update(&facts.state_dir, &self.who.key, update) {
            let _ = writeln!(std::io::stderr(), "stockade: {}: {}", failure.what, failure.causes.join(": "));
        }
        if self.untold.is_empty() {
            return;
        }
        let _ = std::io::stderr().write_all(self.words().as_bytes());
        let place = |untold: &Untold| OfferedPlace { place: untold.place.clone(), open: untold.in_place };
        let offered =
            LoginOffered { key: self.who.key.clone(), places: self.untold.iter().map(place).collect() };
        // A log that cannot be written stops the session at its next event, if the policy says so.
        let _ = log.append("login.offered", &offered);
    }

    /// What a person reads. Names of places, never what lies in them.
    fn words(&self) -> String {
        let (server, key) = (harmless(&self.who.server), &self.who.key);
        let mut text = String::new();
        for Untold { place, reason, in_place, .. } in &self.untold {
            text.push_str(&if *in_place {
                format!(
                    "stockade: {server} may use your login in {place} ({reason}): its profile grants it\n"
                )
            } else {
                format!("stockade: {server} starts without your login in {place} ({reason})\n")
            });
        }
        let waiting = || self.untold.iter().filter(|untold| !untold.in_place);
        text.push_str("stockade: you decide, in a terminal:");
        if waiting().next().is_some() {
            text.push_str(&format!(" `stockade login copy {key}` gives it a copy,"));
        }
        if waiting().any(|untold| untold.shareable) {
            text.push_str(&format!(" `stockade login share {key}` the place itself,"));
        }
        text.push_str(&format!(" `stockade login never {key}` nothing; this is told once\n"));
        text
    }
}

/// Takes the grants of a place out of a profile, and closes it inside wider ones.
fn close(profile: &mut Profile, login: &Login) {
    for list in [&mut profile.read, &mut profile.write, &mut profile.exec] {
        if list.iter().any(|grant| is_within(&grant.path, &login.path)) {
            list.to_mut().retain(|grant| !is_within(&grant.path, &login.path));
        }
    }
    if place::granted(login, profile) {
        let reason = "its login, which the user gives it never".into();
        profile.closed.to_mut().push(PathGrant { path: login.path.clone(), reason });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::cli::StartingPolicy;
    use crate::logins::record::Decision;
    use crate::policies;

    const LINES: &str = "[fs]\nread = [{ path = \"${home}/.wide\", reason = \"r\" }, { path = \"${home}/.own/a\", reason = \"r\" }]\n\
                         [[login]]\npath = \"${home}/.own\"\nreason = \"tokens\"\nshare = \"write\"\nvariable = \"OWN_DIR\"\n\
                         [[login]]\npath = \"${home}/.wide/x\"\nreason = \"tokens\"\n";

    fn facts(home: &Path) -> Facts {
        Facts {
            home: home.to_owned(),
            cwd: home.to_owned(),
            env: BTreeMap::new(),
            uid: 0,
            user: "u".into(),
            state_dir: home.join("state"),
            config_dir: home.join("config"),
            system_dir: "/etc/stockade".into(),
        }
    }

    fn given(decided: &[(&str, Way)], policy: StartingPolicy, lines: &str) -> Given {
        let dir = tempfile::tempdir().unwrap();
        let facts = facts(dir.path());
        crate::state::private_dir(&facts.state_dir).unwrap();
        for name in [".own", ".wide/x"] {
            std::fs::create_dir_all(facts.home.join(name)).unwrap();
        }
        let update = |record: &mut Record| {
            let decision = |(path, way): &(&str, Way)| Decision {
                path: (*path).to_owned(),
                way: *way,
                at: String::new(),
                from: "/".into(),
            };
            record.decisions = decided.iter().map(decision).collect();
        };
        record::update(&facts.state_dir, "own-1", update).unwrap();
        let text = format!("name = \"t\"\ndescription = \"d\"\n{lines}");
        let profile =
            Profile::parse("t.toml", &text, &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let who = Who { key: "own-1".into(), server: "own".into(), id: None, identity: Vec::new() };
        apply(&profile, who, &policies::starting(policy, "").unwrap(), &facts).unwrap()
    }

    fn paths(grants: &[PathGrant]) -> Vec<&str> {
        grants.iter().map(|grant| grant.path.as_ref()).collect()
    }

    #[test]
    fn what_was_shared_is_granted_as_far_as_profile_and_policy_allow() {
        let shared = [("${home}/.own", Way::SharedWrite)];
        let write = |given: &Given| paths(&given.profile.write).join(" ");
        assert_eq!(write(&given(&shared, StartingPolicy::Default, LINES)), "${home}/.own");
        let denied = given(&shared, StartingPolicy::Strict, LINES);
        assert_eq!((write(&denied).as_str(), denied.notes.len()), ("", 1), "{:?}", denied.notes);
        let narrower = LINES.replace("share = \"write\"", "share = \"read\"");
        let read = given(&shared, StartingPolicy::Default, &narrower);
        assert_eq!((write(&read).as_str(), paths(&read.profile.read).contains(&"${home}/.own")), ("", true));
        let none = given(&shared, StartingPolicy::Default, &LINES.replace("share = \"write\"\n", ""));
        assert_eq!((write(&none).as_str(), paths(&none.profile.read).contains(&"${home}/.own")), ("", false));
        let read_only = given(&[("${home}/.own", Way::SharedRead)], StartingPolicy::Default, LINES);
        assert_eq!(
            (write(&read_only).as_str(), paths(&read_only.profile.read).contains(&"${home}/.own")),
            ("", true)
        );
    }

    #[test]
    fn never_takes_grants_away_and_closes_what_lies_in_wider_ones() {
        let decided = [("${home}/.own", Way::Never), ("${home}/.wide/x", Way::Never)];
        let given = given(&decided, StartingPolicy::Default, LINES);
        assert_eq!(paths(&given.profile.read), ["${home}/.wide"]);
        assert_eq!(paths(&given.profile.closed), ["${home}/.wide/x"]);
        assert!(given.untold.is_empty() && given.notes.is_empty());
    }

    #[test]
    fn what_is_not_decided_is_told_and_a_copy_is_named_in_the_environment() {
        let open = given(&[], StartingPolicy::Default, LINES);
        assert_eq!(open.untold.len(), 2);
        let words = open.words();
        assert!(words.contains("~/.own (tokens)") && words.contains("stockade login never own-1"), "{words}");
        let copied = given(&[("${home}/.own", Way::Copied)], StartingPolicy::Default, LINES);
        let [(name, place)] = copied.env.as_slice() else { panic!("{:?}", copied.env) };
        assert!(name == "OWN_DIR" && place.ends_with("servers/own-1/state/home/.own"), "{place:?}");
    }
}

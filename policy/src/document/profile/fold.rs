//! `extends`: lists append, scalars replace, `remove` subtracts.

use std::borrow::Cow;

use super::hosts::host_and_port;
use super::marks::{Mark, folded};
use super::{EnvSet, ListenGrant, Login, NetGrant, OpenGrant, PathGrant, Profile, ProfileLimits, Require};
use crate::document::reader::{Reader, Text, shown};

/// What one file says, before its base is folded in.
#[derive(Debug, Default)]
pub(super) struct Own<'v> {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) identity: Vec<String>,
    pub(super) remove: Vec<Text<'v>>,
    pub(super) read: Vec<PathGrant>,
    pub(super) write: Vec<PathGrant>,
    pub(super) exec: Vec<PathGrant>,
    pub(super) closed: Vec<PathGrant>,
    pub(super) strict: Option<bool>,
    pub(super) net_allow: Vec<NetGrant>,
    pub(super) net_listen: Vec<ListenGrant>,
    pub(super) net_open: Vec<OpenGrant>,
    pub(super) unix_allow: Vec<PathGrant>,
    pub(super) unix_private: Option<bool>,
    pub(super) install_scripts: Option<bool>,
    pub(super) env_pass: Vec<String>,
    pub(super) env_set: Vec<EnvSet>,
    pub(super) logins: Vec<Login>,
    pub(super) own_credentials: Vec<String>,
    pub(super) limits: ProfileLimits,
    pub(super) require_fs: Option<Require>,
    pub(super) require_net: Option<Require>,
    pub(super) require_process: Option<Require>,
    /// Its grants, and whether they are optional.
    pub(super) marks: Vec<Mark>,
}

/// Base and file as one profile. What `remove` names and the base does not have is a mistake: whoever misspells it
/// believes to have taken something away.
pub(super) fn fold(r: &mut Reader<'_>, base: Option<Profile>, own: Own<'_>) -> Profile {
    let has_base = base.is_some();
    let mut base = base.unwrap_or_else(nothing);
    for removed in &own.remove {
        if !remove(&mut base, removed.text) && has_base {
            let what =
                format!("`remove` names `{}`, which no base grants, passes or sets", shown(removed.text));
            r.wrong(
                removed.at,
                what,
                Some("write the path, `HOST:PORT` or name as the base does".to_owned()),
            );
        } else if !has_base {
            r.lacking(
                removed.at,
                "`remove` has nothing to subtract from",
                Some("it needs `extends`".to_owned()),
            );
        }
    }
    let mut bases = Vec::new();
    if has_base {
        bases.push(base.name.clone());
        bases.extend(base.bases.iter().cloned());
    }
    let limits = ProfileLimits {
        open_files: own.limits.open_files.or(base.limits.open_files),
        file_bytes: own.limits.file_bytes.or(base.limits.file_bytes),
        processes: own.limits.processes.or(base.limits.processes),
        memory_bytes: own.limits.memory_bytes.or(base.limits.memory_bytes),
        cpu_seconds: own.limits.cpu_seconds.or(base.limits.cpu_seconds),
        upload_bytes: own.limits.upload_bytes.or(base.limits.upload_bytes),
        output_bytes_per_second: own.limits.output_bytes_per_second.or(base.limits.output_bytes_per_second),
    };
    Profile {
        name: own.name.into(),
        description: own.description.into(),
        bases: bases.into(),
        // Not inherited: two profiles for one identity would be a riddle.
        identity: own.identity.into_iter().map(Cow::Owned).collect(),
        read: appended(base.read, own.read, is_same_path),
        write: appended(base.write, own.write, is_same_path),
        exec: appended(base.exec, own.exec, is_same_path),
        closed: appended(base.closed, own.closed, is_same_path),
        strict: own.strict.or(base.strict),
        net_allow: appended(base.net_allow, own.net_allow, |a, b| a.host == b.host && a.port == b.port),
        net_listen: appended(base.net_listen, own.net_listen, |a, b| a.port == b.port),
        net_open: appended(base.net_open, own.net_open, |a, b| a.host == b.host),
        unix_allow: appended(base.unix_allow, own.unix_allow, is_same_path),
        unix_private: own.unix_private.or(base.unix_private),
        install_scripts: own.install_scripts.or(base.install_scripts),
        env_pass: appended(base.env_pass, own.env_pass.into_iter().map(Cow::Owned).collect(), |a, b| a == b),
        env_set: appended(base.env_set, own.env_set, |a, b| a.name == b.name),
        logins: appended(base.logins, own.logins, |a, b| a.path == b.path),
        own_credentials: appended(
            base.own_credentials,
            own.own_credentials.into_iter().map(Cow::Owned).collect(),
            |a, b| a == b,
        ),
        limits,
        require_fs: own.require_fs.unwrap_or(base.require_fs),
        require_net: own.require_net.unwrap_or(base.require_net),
        require_process: own.require_process.unwrap_or(base.require_process),
        optional: folded(&base.optional, &own.marks),
    }
}

/// The base of a profile that extends nothing: no grant at all, and everything required.
fn nothing() -> Profile {
    Profile {
        name: Cow::Borrowed(""),
        description: Cow::Borrowed(""),
        bases: Cow::Borrowed(&[]),
        identity: Cow::Borrowed(&[]),
        read: Cow::Borrowed(&[]),
        write: Cow::Borrowed(&[]),
        exec: Cow::Borrowed(&[]),
        closed: Cow::Borrowed(&[]),
        strict: None,
        net_allow: Cow::Borrowed(&[]),
        net_listen: Cow::Borrowed(&[]),
        net_open: Cow::Borrowed(&[]),
        unix_allow: Cow::Borrowed(&[]),
        unix_private: None,
        install_scripts: None,
        env_pass: Cow::Borrowed(&[]),
        env_set: Cow::Borrowed(&[]),
        logins: Cow::Borrowed(&[]),
        own_credentials: Cow::Borrowed(&[]),
        limits: ProfileLimits::default(),
        require_fs: Require::Full,
        require_net: Require::Full,
        require_process: Require::Full,
        optional: Cow::Borrowed(&[]),
    }
}

/// Takes a path out of all lists, logins among them, a `HOST:PORT` out of the network, the host of pages, the `:PORT` of a listener, a name
/// out of the environment, or a detector out of `[dlp] own`. Whether there was something to take.
pub(super) fn remove(base: &mut Profile, what: &str) -> bool {
    let path = if what.len() > 1 { what.trim_end_matches('/') } else { what };
    let mut taken = false;
    for grants in [&mut base.read, &mut base.write, &mut base.exec, &mut base.closed, &mut base.unix_allow] {
        taken |= without(grants, |grant| grant.path == path);
    }
    if let Ok((host, port)) = host_and_port(what) {
        let host = host.spelling();
        taken |= without(&mut base.net_allow, |grant| grant.host == host && grant.port == port);
    }
    taken |= without(&mut base.net_listen, |grant| what.strip_prefix(':') == Some(&grant.port.to_string()));
    taken |= without(&mut base.net_open, |grant| grant.host == what);
    taken |= without(&mut base.env_pass, |name| name == what);
    taken |= without(&mut base.env_set, |set| set.name == what);
    taken |= without(&mut base.logins, |login| login.path == path);
    taken |= without(&mut base.own_credentials, |detector| detector == what);
    without(&mut base.optional, |optional| optional == what || optional == path);
    taken
}

fn without<T: Clone>(list: &mut Cow<'static, [T]>, is_meant: impl Fn(&T) -> bool) -> bool {
    let found = list.iter().any(&is_meant);
    if found {
        list.to_mut().retain(|item| !is_meant(item));
    }
    found
}

/// The base's list and then the own one; what both hold is said once, in the own words.
fn appended<T: Clone>(
    base: Cow<'static, [T]>,
    own: Vec<T>,
    is_same: impl Fn(&T, &T) -> bool,
) -> Cow<'static, [T]> {
    if own.is_empty() {
        return base;
    }
    let mut list = base.into_owned();
    for item in own {
        match list.iter_mut().find(|known| is_same(known, &item)) {
            Some(known) => *known = item,
            None => list.push(item),
        }
    }
    Cow::Owned(list)
}

fn is_same_path(a: &PathGrant, b: &PathGrant) -> bool {
    a.path == b.path
}

//! Profile files: what one kind of server may do. Paths are still text with `${variables}` here; the launcher's plan
//! resolves them.

mod credentials;
mod examples;
mod fold;
mod fragment;
mod given;
mod hosts;
mod logins;
mod marks;
mod network;
mod parse;
pub mod places;
pub(in crate::document) mod schema;
mod set;
mod variables;

use std::borrow::Cow;

use super::Mistakes;
use crate::rules::{Identities, IdentityPattern};

pub use fragment::is_fragment;
pub use given::{Given, HostSource};
pub use schema::schema;
pub use set::{Source, parse_all};

/// A granted path with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathGrant {
    /// Absolute, or starting with a variable: `${home} ${cwd} ${workspace} ${state} ${cache} ${tmp} ${package} ${runtime}
    /// ${args.paths} ${args.N}`.
    pub path: Cow<'static, str>,
    /// Why this kind of server needs it.
    pub reason: Cow<'static, str>,
}

/// `[net] allow = [{ host, port, … }]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetGrant {
    /// `api.github.com`, `*.example.org` (below it, not itself), `*` (every name), an address, or a network in CIDR form;
    /// lower case. Or a name that a variable gives, which [`NetGrant::given`] resolves; until then it grants nothing.
    pub host: Cow<'static, str>,
    /// TCP port.
    pub port: u16,
    /// Classes of addresses that the host may turn out to be at; public ones alone unless said.
    pub addresses: Cow<'static, [AddressClass]>,
    /// Bytes that may be sent there in one session.
    pub upload_bytes: Option<u64>,
    /// Why this kind of server needs it.
    pub reason: Cow<'static, str>,
}

/// What an address is to this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressClass {
    /// Reached over the internet.
    Public,
    /// This machine: 127.0.0.0/8, ::1, and its own addresses.
    Loopback,
    /// RFC 1918, RFC 6598, RFC 4193.
    Private,
    /// 169.254.0.0/16, fe80::/10.
    LinkLocal,
    /// Where clouds give out a machine's credentials (169.254.169.254 and its like).
    Metadata,
}

impl AddressClass {
    /// Every class, by the word that profiles use.
    const WORDS: [(&'static str, Self); 5] = [
        ("public", Self::Public),
        ("loopback", Self::Loopback),
        ("private", Self::Private),
        ("link-local", Self::LinkLocal),
        ("metadata", Self::Metadata),
    ];

    /// The word that profiles use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Metadata => "metadata",
        }
    }
}

/// `[net] listen = [{ port, reason }]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenGrant {
    /// TCP port on the host's loopback; 0: one that the kernel chooses, for the server itself.
    pub port: u16,
    /// Why.
    pub reason: Cow<'static, str>,
}

/// `[net] open = [{ host, reason }]`: web pages that the server may ask to be opened in the user's browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenGrant {
    /// As in [`NetGrant::host`], names alone.
    pub host: Cow<'static, str>,
    /// Why.
    pub reason: Cow<'static, str>,
}

/// `[[login]]`: where the user has what this server logs in with. It grants nothing: the launcher tells of it at the first
/// start, and the user alone gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// `${home}/…`
    pub path: Cow<'static, str>,
    /// Where a copy goes, in the server's private directories: `${state}/…` or `${cache}/…`.
    pub to: Cow<'static, str>,
    /// What lies there.
    pub reason: Cow<'static, str>,
    /// Whether, and how, the user may let the server use it in its place; without, it can be copied alone.
    pub share: Option<Share>,
    /// Variable that names another place for it, if the user's environment has one.
    pub variable: Option<Cow<'static, str>>,
    /// What is copied of it, by paths below it; everything, if this is empty.
    pub only: Cow<'static, [Cow<'static, str>]>,
}

/// How a login is used in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Read alone.
    Read,
    /// Read and written: tokens are renewed there.
    Write,
}

impl Share {
    /// The word that profiles use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// A variable set for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvSet {
    /// `NO_UPDATE_NOTIFIER`
    pub name: Cow<'static, str>,
    /// Its value; may hold variables.
    pub value: Cow<'static, str>,
}

/// What a profile insists on: less than this stops the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Require {
    /// The guarantee must be full on this host.
    Full,
    /// What is missing is reported.
    BestEffort,
}

/// `[limits]`; `None` leaves the base's or the built-in value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileLimits {
    /// Open files per process (RLIMIT_NOFILE).
    pub open_files: Option<u64>,
    /// Largest file written, in bytes (RLIMIT_FSIZE).
    pub file_bytes: Option<u64>,
    /// Processes of the tree.
    pub processes: Option<u64>,
    /// Memory of the tree, in bytes.
    pub memory_bytes: Option<u64>,
    /// CPU seconds per process (RLIMIT_CPU).
    pub cpu_seconds: Option<u64>,
    /// Bytes that all connections of one session may send.
    pub upload_bytes: Option<u64>,
    /// Bytes a second that stdout and stderr together may bring, averaged over a few seconds.
    pub output_bytes_per_second: Option<u64>,
}

/// A profile with its bases folded in (`extends`: lists append, scalars replace, `remove` subtracts).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `default`
    pub name: Cow<'static, str>,
    /// One sentence.
    pub description: Cow<'static, str>,
    /// Names of the bases that were folded in, nearest first.
    pub bases: Cow<'static, [Cow<'static, str>]>,
    /// Identity patterns it is for.
    pub identity: Cow<'static, [Cow<'static, str>]>,
    /// Readable (and listable), not executable.
    pub read: Cow<'static, [PathGrant]>,
    /// Readable and writable, not executable.
    pub write: Cow<'static, [PathGrant]>,
    /// Readable and executable.
    pub exec: Cow<'static, [PathGrant]>,
    /// Closed inside wider grants, beyond what is closed in every jail (`[fs] closed`).
    pub closed: Cow<'static, [PathGrant]>,
    /// Whether a place that should be closed and cannot be stops the server (`strict`).
    pub strict: Option<bool>,
    /// Where it may connect to.
    pub net_allow: Cow<'static, [NetGrant]>,
    /// Where it may be connected to.
    pub net_listen: Cow<'static, [ListenGrant]>,
    /// What it may ask to be opened in the browser.
    pub net_open: Cow<'static, [OpenGrant]>,
    /// Unix sockets that it may connect to (`[unix] allow`).
    pub unix_allow: Cow<'static, [PathGrant]>,
    /// Whether it may use Unix sockets of its own, in its private directories (`[unix] private`).
    pub unix_private: Option<bool>,
    /// Whether the packages of its tree may run their own scripts, or their own build, while they are installed
    /// (`[install] scripts`).
    pub install_scripts: Option<bool>,
    /// Names passed through from the launcher's own environment (`LC_*` patterns allowed).
    pub env_pass: Cow<'static, [Cow<'static, str>]>,
    /// Variables set.
    pub env_set: Cow<'static, [EnvSet]>,
    /// Where the user has what it logs in with.
    pub logins: Cow<'static, [Login]>,
    /// Detectors (patterns) of the credentials that are its job: in messages to it they are no findings (`[dlp] own`).
    pub own_credentials: Cow<'static, [Cow<'static, str>]>,
    /// Limits.
    pub limits: ProfileLimits,
    /// File-system guarantee.
    pub require_fs: Require,
    /// Network guarantee.
    pub require_net: Require,
    /// Process-tree guarantee.
    pub require_process: Require,
    /// Grants that its main function does not need, each as `remove` would name it.
    pub optional: Cow<'static, [Cow<'static, str>]>,
}

impl Profile {
    /// The text of a profile file → its value; `base` finds the profiles that it extends.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse(file: &str, text: &str, base: &dyn Fn(&str) -> Option<Profile>) -> Result<Self, Mistakes> {
        parse::parse(file, text, &|name| match base(name) {
            Some(profile) => parse::Base::Found(Box::new(profile)),
            None => parse::Base::Unknown,
        })
    }

    /// Grants of a profile's own file that are not `optional` and that none of its examples needs: a reader cannot tell
    /// what they are for, and nobody would notice if they were wrong.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn unneeded(
        file: &str,
        text: &str,
        base: &dyn Fn(&str) -> Option<Self>,
    ) -> Result<Vec<String>, Mistakes> {
        parse::unneeded(file, text, &|name| match base(name) {
            Some(profile) => parse::Base::Found(Box::new(profile)),
            None => parse::Base::Unknown,
        })
    }

    /// How well the profile fits a server with these identities: `None` if it is not for it, and the greater the
    /// more specific the pattern is that names it (a version, then the number of literal characters).
    #[must_use]
    pub fn fits(&self, identities: &[String]) -> Option<(bool, usize)> {
        let identities = Identities::new(identities);
        let patterns = self.identity.iter().map(|pattern| IdentityPattern::new(pattern));
        patterns.filter(|pattern| pattern.matches(&identities)).map(|pattern| pattern.specificity()).max()
    }
}

/// Whether this can be the name of a profile, rule or list: 1 to 64 letters, digits, `-`, `_` and `.`.
pub(super) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

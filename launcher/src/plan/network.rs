//! What a plan says about network and Unix sockets.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use stockade_policy::document::profile::{HostSource, NetGrant};
use stockade_sandbox::{Access, BackendChoice, Doors, Network, UnixReach, UnixRule};

use super::paths::{Grants, Origin};
use super::tree::{EntryKind, Tree};
use super::variables::Variables;
use super::{Input, Protection};
use crate::egress::Settings;
use crate::error::{Failure, Kind};

/// Network and sockets of a plan.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) network: Network,
    pub(super) egress: Settings,
    pub(super) unix: Vec<UnixRule>,
    /// Why each rule of `unix` is granted, in their order.
    pub(super) unix_reasons: Vec<String>,
    /// `--grant-net …`, for the record.
    pub(super) flag_grants: Vec<String>,
}

/// Variables that name a file of certificates.
const CERTIFICATES: [&str; 10] = [
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "PIP_CERT",
    "DENO_CERT",
    "CARGO_HTTP_CAINFO",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
];

/// Endings of such files. The variable may come from an entry in a config that somebody else wrote: without them it
/// would be a way to have any file read.
const CERTIFICATE_ENDINGS: [&str; 5] = ["pem", "crt", "cer", "cert", "ca-bundle"];

/// Joins profile and flags. What the static backend cannot grant is left out, and said.
///
/// # Errors
/// A flag that names no host or one that no flag opens; more doors than there can be.
pub(super) fn connections(
    input: &Input<'_>,
    env: &[(OsString, OsString)],
    variables: &Variables<'_>,
    grants: &mut Grants<'_>,
    backend: BackendChoice,
) -> Result<Connections, Failure> {
    let mut egress = Settings::of(input.profile);
    egress.grants = given(&egress.grants, env, variables, grants);
    let mut flag_grants = Vec::new();
    for text in &input.jail.grant_net {
        egress.grants.push(by_flag(text)?);
        flag_grants.push(format!("--grant-net {text}"));
    }
    let (mut unix, unix_reasons) = sockets(input, variables, grants)?;
    if backend == BackendChoice::Static {
        if !egress.grants.is_empty() || !egress.listen.is_empty() {
            grants.note("network: none, the backend `static` cannot grant any".to_owned());
        }
        if !unix.is_empty() {
            grants.note("Unix sockets: none, the backend `static` cannot grant any".to_owned());
        }
        egress = Settings { upload_bytes: egress.upload_bytes, ..Settings::default() };
        unix.clear();
    }
    let network = match input.without {
        Some(Protection::Net) => Network::DangerousHost,
        _ if egress.grants.is_empty() && egress.listen.is_empty() => Network::None,
        _ => Network::Brokered(doors(input, &egress)?),
    };
    Ok(Connections { network, egress, unix, unix_reasons, flag_grants })
}

/// The grants with the hosts that this session gives them. What is named and not granted is noted, without what named it:
/// that may hold a password.
fn given(
    listed: &[NetGrant],
    env: &[(OsString, OsString)],
    variables: &Variables<'_>,
    grants: &mut Grants<'_>,
) -> Vec<NetGrant> {
    let mut known: Vec<NetGrant> = Vec::new();
    for grant in listed {
        let values: Vec<String> = match grant.source() {
            None => Vec::new(),
            // What is not UTF-8 names no host.
            Some(HostSource::Environment(name)) => env
                .iter()
                .filter(|(known, _)| *known == *name)
                .map(|(_, value)| value.to_string_lossy().into_owned())
                .collect(),
            Some(HostSource::Argument(number)) => variables.argument(number).into_iter().collect(),
            Some(HostSource::Urls) => variables.urls(),
        };
        let given = grant.given(&values);
        known.extend(given.grants.into_iter().filter(|grant| !known.contains(grant)).collect::<Vec<_>>());
        for refused in given.refused {
            grants.note(refused);
        }
    }
    known
}

fn by_flag(text: &str) -> Result<NetGrant, Failure> {
    NetGrant::named(text, "--grant-net").map_err(|(what, remedy)| {
        let kind = if what.contains("credentials") { Kind::Permission } else { Kind::Usage };
        Failure::new(kind, format!("--grant-net {text}: {what}")).hint(remedy)
    })
}

fn doors(input: &Input<'_>, egress: &Settings) -> Result<Doors, Failure> {
    let ports = sorted(egress.grants.iter().map(|grant| grant.port).collect());
    let listen = sorted(egress.listen.clone());
    let bounds = [
        ("TCP ports that lead out", ports.len(), Doors::PORTS_MAX),
        ("TCP ports to listen on", listen.len(), Doors::LISTEN_MAX),
    ];
    for (what, asked, most) in bounds {
        if asked > most {
            let failure = format!("profile `{}` grants {asked} {what}", input.profile.name);
            return Err(Failure::new(Kind::Config, failure)
                .cause(format!("one jail can have {most}"))
                .hint("grant the ports that the server really uses"));
        }
    }
    // A network namespace has one listener at a port: the door, or the server's own, and a caller from outside who is led to
    // the door would go round in circles.
    match listen.iter().find(|port| ports.contains(port)) {
        Some(port) if super::backend(input) != BackendChoice::Notify => {
            let failure = format!(
                "profile `{}` grants port {port} both ways: to connect to and to listen on",
                input.profile.name
            );
            Err(Failure::new(Kind::Config, failure)
                .cause(
                    "where the server has a network of its own, one port cannot lead out and be the server's",
                )
                .hint("have the server listen on another port, or use `--backend notify`, where both work"))
        }
        _ => Ok(Doors { ports, listen }),
    }
}

fn sorted(mut ports: Vec<u16>) -> Vec<u16> {
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn sockets(
    input: &Input<'_>,
    variables: &Variables<'_>,
    grants: &mut Grants<'_>,
) -> Result<(Vec<UnixRule>, Vec<String>), Failure> {
    let mut rules = Vec::new();
    let mut reasons = Vec::new();
    for grant in input.profile.unix_allow.iter() {
        for expanded in variables.paths(&grant.path)? {
            let origin = Origin::Profile { base: expanded.base.as_deref() };
            if let Some(path) = grants.socket(&expanded.path, origin, &grant.reason) {
                rules.push(UnixRule { path, reach: UnixReach::Socket });
                reasons.push(grant.reason.to_string());
            }
        }
    }
    if input.profile.unix_private == Some(true) {
        for path in variables.private_dirs() {
            rules.push(UnixRule { path: path.clone(), reach: UnixReach::Below });
            reasons.push("sockets of its own".to_owned());
        }
    }
    Ok((rules, reasons))
}

/// Grants the files of certificates that the server's environment names, where they are ordinary files with such a name.
///
/// # Errors
/// None of its own: what cannot be granted is noted.
pub(super) fn certificates(
    env: &[(OsString, OsString)],
    tree: &dyn Tree,
    grants: &mut Grants<'_>,
) -> Result<(), Failure> {
    for (name, value) in env {
        let Some(name) = CERTIFICATES.iter().find(|known| *name == **known) else { continue };
        let path = PathBuf::from(value);
        let ending = path.extension().map(|ending| ending.as_bytes().to_ascii_lowercase());
        let named = CERTIFICATE_ENDINGS.iter().any(|known| ending.as_deref() == Some(known.as_bytes()));
        let real = tree.canonical(&path);
        let is_file = real.as_deref().is_some_and(|real: &Path| tree.kind(real) == Some(EntryKind::File));
        if !path.is_absolute() || !is_file {
            continue;
        }
        if !named {
            let what = format!(
                "{}: not granted, {name} names it but not as certificates are called",
                path.display()
            );
            grants.note(what);
            continue;
        }
        let base = Some(path.as_path());
        let reason = format!("certificates that {name} names");
        grants.add(&path, Access::Read, Origin::Profile { base }, &reason)?;
    }
    Ok(())
}

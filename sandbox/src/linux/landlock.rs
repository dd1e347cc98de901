//! Landlock: every right that the running kernel knows is handled, and only what is granted is given back.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

use super::step::{Failure, Step};
use crate::{Access, Network, PathRule};

/// The newest ABI whose rights are known here.
pub(crate) const ABI_MAX: u32 = ABI::V10 as u32;

/// What the domain has to hold back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// Granted paths; `None` is no file-system fence.
    pub(crate) paths: Option<&'a [PathRule]>,
    /// TCP, and sockets by path or abstract name.
    pub(crate) network: Network,
    /// Of the running kernel, at most [`ABI_MAX`], at least 1.
    pub(crate) abi: u32,
}

/// A ruleset ready to be enforced.
#[derive(Debug)]
pub(crate) struct Prepared {
    ruleset: Option<RulesetCreated>,
    /// Indices of the granted paths that can't be reached.
    pub(crate) skipped: Vec<u16>,
}

/// Opens the granted paths, as this process sees them: /proc must be the one that the server will see.
///
/// The rights come from the kernel's own ABI, so each is a hard requirement: a kernel that refuses one is an error, not
/// a smaller fence.
pub(crate) fn prepare(request: Request<'_>) -> Result<Prepared, Failure> {
    let Some(mut ruleset) = create(request)? else {
        return Ok(Prepared { ruleset: None, skipped: Vec::new() });
    };
    let mut skipped = Vec::new();
    for (index, rule) in request.paths.unwrap_or_default().iter().enumerate() {
        match open(&rule.path) {
            Ok(file) => {
                let access = rights(rule.access, &file, abi(request))?;
                ruleset = ruleset
                    .add_rule(PathBeneath::new(file, access))
                    .map_err(|error| failure(Step::LandlockRule, &error))?;
            }
            Err(error) if is_unreachable(&error) => {
                skipped.extend(u16::try_from(index));
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                return Err(Failure::new(Step::LandlockRule, errno));
            }
        }
    }
    Ok(Prepared { ruleset: Some(ruleset), skipped })
}

/// Enforces it on this thread and everything it starts. Needs no_new_privs.
pub(crate) fn enforce(prepared: Prepared) -> Result<(), Failure> {
    let Some(ruleset) = prepared.ruleset else { return Ok(()) };
    ruleset.restrict_self().map(drop).map_err(|error| failure(Step::LandlockRestrict, &error))
}

fn abi(request: Request<'_>) -> ABI {
    // The crate advises against ABIs taken from the running kernel, lest a program's fence differ from kernel to
    // kernel unnoticed. Here the difference is the point, and the enforcement report says what it is.
    ABI::from(i32::try_from(request.abi.min(ABI_MAX)).unwrap_or(0))
}

/// `None` if there is nothing to hold back.
fn create(request: Request<'_>) -> Result<Option<RulesetCreated>, Failure> {
    let abi = abi(request);
    let mut files = BitFlags::EMPTY;
    if request.paths.is_some() {
        files = AccessFs::from_all(abi);
    }
    let mut net = BitFlags::EMPTY;
    let mut scopes = Scope::from_all(abi);
    match request.network {
        // Handled without a rule: refused everywhere. (TCP from ABI 4, UDP from 10, sockets by path from 9.)
        Network::None => net = AccessNet::from_all(abi),
        Network::DangerousHost => {
            scopes.remove(Scope::AbstractUnixSocket);
            files.remove(AccessFs::ResolveUnix);
        }
    }
    if files.is_empty() && net.is_empty() && scopes.is_empty() {
        return Ok(None);
    }
    handle(files, net, scopes).map(Some).map_err(|error| failure(Step::LandlockRuleset, &error))
}

fn handle(
    files: BitFlags<AccessFs>,
    net: BitFlags<AccessNet>,
    scopes: BitFlags<Scope>,
) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    // An empty set is an error of the crate's.
    if !files.is_empty() {
        ruleset = ruleset.handle_access(files)?;
    }
    if !net.is_empty() {
        ruleset = ruleset.handle_access(net)?;
    }
    if !scopes.is_empty() {
        ruleset = ruleset.scope(scopes)?;
    }
    ruleset.create()
}

/// What a grant gives on this file: rights that only directories have are refused by the kernel on anything else.
fn rights(access: Access, file: &File, abi: ABI) -> Result<BitFlags<AccessFs>, Failure> {
    let metadata = file
        .metadata()
        .map_err(|error| Failure::new(Step::LandlockRule, error.raw_os_error().unwrap_or(libc::EIO)))?;
    let granted = granted(access, abi);
    Ok(if metadata.is_dir() { granted } else { granted & AccessFs::from_file(abi) })
}

fn granted(access: Access, abi: ABI) -> BitFlags<AccessFs> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    match access {
        Access::Read => read,
        Access::ReadExecute => read | AccessFs::Execute,
        Access::ReadWrite => {
            // REFER (ABI 2) among them: npm, uv and git rename across directories. No device nodes, which name
            // hardware, and no sockets by path, which name other programs.
            let never = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::ResolveUnix;
            read | (AccessFs::from_write(abi) & !never)
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_CLOEXEC).open(path)
}

/// A path that isn't there, or that this user can't even walk to, grants nothing.
fn is_unreachable(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ELOOP | libc::ENAMETOOLONG)
    )
}

/// The errno of the call that failed; EINVAL where the crate refused before calling.
fn failure(step: Step, error: &RulesetError) -> Failure {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(errno) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Failure::new(step, errno);
        }
        source = error.source();
    }
    Failure::new(step, libc::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_grant_never_executes_and_a_read_grant_never_writes() {
        for abi in (1..=ABI_MAX).map(|abi| ABI::from(abi.cast_signed())) {
            let write = granted(Access::ReadWrite, abi);
            assert!(!write.contains(AccessFs::Execute));
            assert!(!write.contains(AccessFs::MakeChar));
            assert!(!write.contains(AccessFs::MakeBlock));
            assert!(!write.contains(AccessFs::ResolveUnix));
            assert_eq!(write.contains(AccessFs::Refer), abi >= ABI::V2);
            assert_eq!(write.contains(AccessFs::Truncate), abi >= ABI::V3);
            for access in [Access::Read, Access::ReadExecute] {
                assert!((granted(access, abi) & AccessFs::from_write(abi)).is_empty());
            }
            // Nothing is granted that isn't handled: the kernel refuses such a rule.
            assert!(AccessFs::from_all(abi).contains(write));
        }
    }

    #[test]
    fn a_missing_path_is_skipped_and_named() {
        let rule = |path: &str| PathRule { path: path.into(), access: Access::Read };
        let paths = [rule("/usr"), rule("/no/such/path"), rule("/dev/null/below-a-file")];
        let request = Request { paths: Some(&paths), network: Network::None, abi: 1 };
        let Ok(prepared) = prepare(request) else {
            // No Landlock here: the jail tests say so.
            return;
        };
        assert_eq!(prepared.skipped, [1, 2]);
    }
}

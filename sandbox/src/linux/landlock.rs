//! Landlock: every right that the running kernel knows is handled, and only what is granted is given back.

use std::error::Error;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;

use super::step::{Failure, Step};
use crate::{Access, Backend, Network, PathRule};

/// The newest ABI whose rights are known here.
pub(crate) const ABI_MAX: u32 = ABI::V10 as u32;

/// What the domain has to hold back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// Granted paths; `None` is no file-system fence.
    pub(crate) paths: Option<&'a [PathRule]>,
    /// TCP, and sockets by path or abstract name.
    pub(crate) network: Reach,
    /// Directories whose names may be listed, and those below.
    pub(crate) listed: &'a [PathBuf],
    /// Of the running kernel, at most [`ABI_MAX`], at least 1.
    pub(crate) abi: u32,
}

/// What the server's own calls may reach over sockets; a supervisor's calls on its behalf are none of Landlock's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing: TCP (ABI 4), UDP (10) and sockets by path (9) or abstract name (6) are refused.
    Nothing,
    /// A network namespace of its own, where every address is ours: only Unix sockets are refused.
    OwnNamespace,
    /// The host.
    Host,
}

impl Reach {
    pub(crate) fn of(network: &Network, backend: Backend) -> Self {
        match (network, backend) {
            (Network::DangerousHost, _) => Self::Host,
            (Network::Brokered(_), Backend::Namespaces) => Self::OwnNamespace,
            (Network::None | Network::Brokered(_), _) => Self::Nothing,
        }
    }
}

/// A ruleset ready to be enforced.
#[derive(Debug)]
pub(crate) struct Prepared {
    ruleset: Option<RulesetCreated>,
    /// Indices of the granted paths that can't be reached, or only through a link.
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
        match open_and_look(&rule.path) {
            Ok((file, metadata)) => {
                let access = rights(rule.access, &metadata, abi(request));
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
    for path in request.listed {
        // One that is gone has nothing to list.
        let Ok((file, metadata)) = open_and_look(path) else { continue };
        if metadata.is_dir() {
            ruleset = ruleset
                .add_rule(PathBeneath::new(file, AccessFs::ReadDir))
                .map_err(|error| failure(Step::LandlockRule, &error))?;
        }
    }
    Ok(Prepared { ruleset: Some(ruleset), skipped })
}

/// What [`prepare`] would skip: for a view that does without Landlock.
pub(crate) fn skipped(paths: &[PathRule]) -> Vec<u16> {
    let indices = (0u16..=u16::MAX).zip(paths);
    indices.filter(|(_, rule)| open(&rule.path).is_err()).map(|(index, _)| index).collect()
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
        Reach::Nothing => net = AccessNet::from_all(abi),
        Reach::OwnNamespace => {}
        Reach::Host => {
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
fn rights(access: Access, file: &Metadata, abi: ABI) -> BitFlags<AccessFs> {
    let granted = granted(access, abi);
    if file.is_dir() { granted } else { granted & AccessFs::from_file(abi) }
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

/// Follows no link: between the launcher's look at a path and this one, a server that may write above it can put a
/// link to anything in its place.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    Ok(open_and_look(path)?.0)
}

/// As [`open`], in this root, which `..` could lead out of and is therefore refused.
pub(crate) fn open_in(root: &File, path: &Path) -> io::Result<File> {
    let below = path.strip_prefix("/").unwrap_or(path);
    if below.components().any(|name| name == Component::ParentDir) {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    Ok(looked_at(walk(root.as_fd(), below)?)?.0)
}

fn open_and_look(path: &Path) -> io::Result<(File, Metadata)> {
    looked_at(walk(AT_FDCWD, path)?)
}

fn looked_at(file: File) -> io::Result<(File, Metadata)> {
    let metadata = file.metadata()?;
    if metadata.is_symlink() {
        return Err(io::Error::from_raw_os_error(libc::ELOOP));
    }
    Ok((file, metadata))
}

/// With O_NOFOLLOW, O_PATH opens a link itself, which is no directory to the next name (ENOTDIR).
pub(crate) const AS_IT_IS: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// As [`open`], from `root` if the path is relative; the last name may be a link, which is opened itself.
pub(crate) fn walk(root: BorrowedFd<'_>, path: &Path) -> io::Result<File> {
    // Linux 5.6. A jail inside of a jail has no openat2.
    let how = OpenHow::new().flags(AS_IT_IS).resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    match openat2(root, path, how) {
        Err(Errno::ENOSYS) => walk_by_name(root, path),
        other => Ok(File::from(other?)),
    }
}

/// What openat2(2) does with RESOLVE_NO_SYMLINKS, name by name.
fn walk_by_name(root: BorrowedFd<'_>, path: &Path) -> io::Result<File> {
    let mut names = path.components();
    // The first is the root of an absolute path.
    let first = names.next().ok_or(io::ErrorKind::NotFound)?;
    let mut file = File::from(openat(root, first.as_os_str(), AS_IT_IS, Mode::empty())?);
    for name in names {
        file = File::from(openat(&file, name.as_os_str(), AS_IT_IS, Mode::empty())?);
    }
    Ok(file)
}

/// A path that isn't there, that this user can't even walk to, or that has a link in it (ENOTDIR, ELOOP)
/// grants nothing.
pub(crate) fn is_unreachable(error: &io::Error) -> bool {
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
        let request = Request { paths: Some(&paths), network: Reach::Nothing, listed: &[], abi: 1 };
        let Ok(prepared) = prepare(request) else {
            // No Landlock here: the jail tests say so.
            return;
        };
        assert_eq!(prepared.skipped, [1, 2]);
    }

    #[test]
    fn a_path_with_a_link_in_it_opens_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().canonicalize().expect("a path");
        std::fs::create_dir(root.join("secret")).expect("mkdir");
        std::fs::write(root.join("secret/key"), "").expect("write");
        std::os::unix::fs::symlink(root.join("secret"), root.join("link")).expect("symlink");
        std::os::unix::fs::symlink("secret/key", root.join("relative")).expect("symlink");
        for name in ["link", "link/", "link/key", "link/.", "link/../secret/key", "relative"] {
            let error = open(&root.join(name)).expect_err(name);
            assert!(is_unreachable(&error), "{name}: {error}");
            let walked = walk_by_name(AT_FDCWD, &root.join(name)).and_then(|file| file.metadata());
            assert!(walked.is_err() || walked.is_ok_and(|file| file.is_symlink()), "{name}");
        }
        assert!(open(Path::new("/proc/self/root")).is_err_and(|error| is_unreachable(&error)));
        for name in ["secret", "secret/key", "secret/../secret/key"] {
            open(&root.join(name)).expect(name);
        }
    }
}

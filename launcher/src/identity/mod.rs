//! From a command line to what really runs: the program, the script that it interprets, the package that the script
//! belongs to, and the directories that both need to start.

mod package;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Failure, Kind};
use crate::host::Facts;

/// Files above this are named by path: hashing them would hold up every start (a Node binary has 90 MB).
const HASHED_BYTES_MAX: u64 = 16 << 20;
/// `#!` lines may name scripts; the kernel follows four (Linux `BINPRM_MAX_RECURSION`).
const INTERPRETERS_MAX: usize = 4;

/// What a command line runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Name for people: the package's or the program's.
    pub name: String,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// argv, argv[0] as it was typed.
    pub argv: Vec<OsString>,
    /// What tells this server from others that run on the same interpreter: its script's path, else its whole command.
    pub code: String,
    /// Package URL first if known, then `file:sha256:…` or `file:/path`.
    pub identities: Vec<String>,
    /// Where the program and its interpreters live.
    pub exec_roots: Vec<PathBuf>,
    /// Where the server's own code and its dependencies live.
    pub package_roots: Vec<PathBuf>,
    /// Files and directories that the arguments name, without the server's own code.
    pub argument_paths: Vec<PathBuf>,
}

/// Looks at the file system to find out what `command` runs. Reads only.
///
/// # Errors
/// When the program does not exist or is not executable.
pub fn resolve(command: &[OsString], facts: &Facts) -> Result<Resolved, Failure> {
    let (program_word, arguments) =
        command.split_first().ok_or_else(|| Failure::new(Kind::Usage, "no server command"))?;
    let program = find_program(program_word, facts)?;
    let interpreters = interpreters(&program, facts);
    let script = script(&interpreters, arguments, facts);
    let package = package::of(&script, arguments, &interpreters);
    let mut identities: Vec<String> = package.iter().map(|package| package.purl.clone()).collect();
    identities.push(file_identity(&script, command));
    let mut package_roots = code_roots(&script, facts);
    package_roots.extend(package.iter().flat_map(|package| package.roots.iter().cloned()));
    let argument_paths = argument_paths(arguments, facts, &package_roots);
    let mut exec_roots: Vec<PathBuf> =
        interpreters.iter().flat_map(|path| runtime_roots(path, facts)).collect();
    exec_roots.sort();
    exec_roots.dedup();
    package_roots.sort();
    package_roots.dedup();
    let stem = |path: &Path| path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let code = match &script {
        Some(script) => script.display().to_string(),
        None => identities.last().cloned().unwrap_or_else(|| program.display().to_string()),
    };
    let name = package.map_or_else(|| stem(script.as_deref().unwrap_or(&program)), |package| package.name);
    Ok(Resolved {
        name,
        program,
        argv: command.to_vec(),
        code,
        identities,
        exec_roots,
        package_roots,
        argument_paths,
    })
}

/// Hex SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn find_program(word: &OsStr, facts: &Facts) -> Result<PathBuf, Failure> {
    let not_found = || {
        Failure::new(Kind::NotFound, format!("cannot start `{}`: no such program", word.to_string_lossy()))
            .hint("the first word after `--` is the server's program: check its name and PATH")
    };
    if word.as_bytes().contains(&b'/') {
        let path = facts.cwd.join(word);
        return match std::fs::metadata(&path) {
            Ok(file) if is_executable(&file) => Ok(path),
            Ok(_) => Err(Failure::new(Kind::NotExecutable, format!("cannot start `{}`", path.display()))
                .cause("it is not an executable file")
                .hint("name its interpreter (`node server.js`) or `chmod +x` it")),
            Err(_) => Err(not_found()),
        };
    }
    let path = facts.var("PATH").cloned().unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
    std::env::split_paths(&path)
        .map(|dir| facts.cwd.join(dir).join(word))
        .find(|path| std::fs::metadata(path).is_ok_and(|file| is_executable(&file)))
        .ok_or_else(not_found)
}

fn is_executable(file: &std::fs::Metadata) -> bool {
    file.is_file() && file.permissions().mode() & 0o111 != 0
}

/// The program and, behind `#!` lines, the programs that interpret it; nearest first.
fn interpreters(program: &Path, facts: &Facts) -> Vec<PathBuf> {
    let mut chain = vec![program.to_owned()];
    while chain.len() <= INTERPRETERS_MAX {
        let Some(next) = chain.last().and_then(|path| shebang(path, facts)) else { break };
        chain.push(next);
    }
    chain
}

fn shebang(path: &Path, facts: &Facts) -> Option<PathBuf> {
    let mut line = Vec::new();
    // The kernel reads 256 bytes of the line (Linux `BINPRM_BUF_SIZE`).
    BufReader::new(File::open(path).ok()?.take(256)).read_until(b'\n', &mut line).ok()?;
    let text = String::from_utf8(line).ok()?;
    let mut words = text.strip_prefix("#!")?.split_whitespace();
    let first = words.next()?;
    if Path::new(first).file_name() != Some(OsStr::new("env")) {
        return Some(PathBuf::from(first));
    }
    let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    find_program(OsStr::new(name), facts).ok()
}

/// The script that runs: the program itself if it has an interpreter, else the first argument that names a file, for
/// programs that are interpreters.
fn script(interpreters: &[PathBuf], arguments: &[OsString], facts: &Facts) -> Option<PathBuf> {
    let program = interpreters.first()?;
    let canonical = std::fs::canonicalize(program).ok()?;
    let is_interpreter = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        [
            "node", "nodejs", "python", "pypy", "deno", "bun", "ruby", "perl", "sh", "bash", "dash", "java",
            "php",
        ]
        .contains(&base)
    };
    if !is_interpreter(program) && !is_interpreter(&canonical) {
        return Some(canonical);
    }
    // `node -e …` and `python -m …` run no file.
    let first = arguments
        .iter()
        .take_while(|word| !["-e", "-c", "-m", "-p", "--eval"].contains(&&*word.to_string_lossy()))
        .find(|word| !word.as_bytes().starts_with(b"-"))?;
    let path = std::fs::canonicalize(facts.cwd.join(first)).ok()?;
    path.is_file().then_some(path)
}

/// `file:sha256:…` of the script or program; a large file is named by its path, a command without any file by the hash of
/// its words.
fn file_identity(script: &Option<PathBuf>, command: &[OsString]) -> String {
    let Some(path) = script else {
        let words: Vec<u8> =
            command.iter().flat_map(|word| word.as_bytes().iter().copied().chain([0])).collect();
        return format!("command:sha256:{}", sha256_hex(&words));
    };
    match std::fs::metadata(path) {
        Ok(file) if file.len() <= HASHED_BYTES_MAX => match std::fs::read(path) {
            Ok(bytes) => format!("file:sha256:{}", sha256_hex(&bytes)),
            Err(_) => format!("file:{}", path.display()),
        },
        _ => format!("file:{}", path.display()),
    }
}

/// Directories of a script's own code: the outermost `node_modules` that holds it, else the nearest directory with a
/// package manifest, else the directory that it lies in; never the home directory or what is above it.
fn code_roots(script: &Option<PathBuf>, facts: &Facts) -> Vec<PathBuf> {
    let Some(script) = script else { return Vec::new() };
    if is_system(script) {
        return Vec::new();
    }
    let mut outermost = None;
    let mut walked = PathBuf::new();
    for part in script.components() {
        walked.push(part);
        if part == Component::Normal(OsStr::new("node_modules")) && outermost.is_none() {
            outermost = Some(walked.clone());
        }
    }
    let manifest = || {
        let holds = |dir: &Path| {
            ["package.json", "pyproject.toml", "deno.json"].iter().any(|name| dir.join(name).is_file())
        };
        script.ancestors().skip(1).find(|dir| !too_wide(dir, facts) && holds(dir)).map(Path::to_owned)
    };
    let own_dir =
        || script.parent().filter(|dir| !too_wide(dir, facts) && !is_program_dir(dir)).map(Path::to_owned);
    vec![outermost.or_else(manifest).or_else(own_dir).unwrap_or_else(|| script.clone())]
}

/// Where a program outside of the system directories lives: `ROOT/bin/PROGRAM` → ROOT, so that its libraries are found;
/// where ROOT would be too much (`~/.local`), its `bin` alone. The path as typed and its target both count.
fn runtime_roots(program: &Path, facts: &Facts) -> Vec<PathBuf> {
    let canonical = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let mut roots = Vec::new();
    for path in [program.to_owned(), canonical] {
        if is_system(&path) {
            continue;
        }
        let Some(dir) = path.parent() else { continue };
        let root = dir
            .parent()
            .filter(|root| is_program_dir(dir) && !too_wide(root, facts) && !is_shared(root, facts));
        roots.push(match root {
            Some(root) => root.to_owned(),
            None if is_program_dir(dir) => dir.to_owned(),
            None => path,
        });
    }
    roots
}

fn is_program_dir(dir: &Path) -> bool {
    dir.file_name().is_some_and(|name| name == "bin" || name == "shims" || name == "Scripts")
}

/// Directories below home that hold more than one program's files.
fn is_shared(root: &Path, facts: &Facts) -> bool {
    [".local", ".cargo", ".config", ".cache"].iter().any(|name| root == facts.home.join(name))
}

/// `/`, the home directory and everything above it, the places where everybody writes, and those that hold a bit of everything.
fn too_wide(dir: &Path, facts: &Facts) -> bool {
    const AT_HOME: [&str; 13] = [
        "Downloads",
        "Desktop",
        "Documents",
        "Pictures",
        "Music",
        "Videos",
        "Public",
        "Templates",
        ".config",
        ".cache",
        ".local",
        ".local/share",
        ".local/state",
    ];
    const ELSEWHERE: [&str; 6] = ["/tmp", "/var/tmp", "/dev/shm", "/etc", "/var", "/home"];
    facts.home.starts_with(dir)
        || ELSEWHERE.iter().any(|wide| dir == Path::new(wide))
        || AT_HOME.iter().any(|below| dir == facts.home.join(below))
}

fn is_system(path: &Path) -> bool {
    ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt"].iter().any(|dir| path.starts_with(dir))
}

/// Arguments that name something that exists, alone or as `--option=PATH`; what the package grants already cover is left
/// out. A bare word counts only if it looks like a path: `main` is a branch more often than a file.
fn argument_paths(arguments: &[OsString], facts: &Facts, package_roots: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for word in arguments {
        let bytes = word.as_bytes();
        let value = match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) if bytes.starts_with(b"-") => OsStr::from_bytes(&bytes[at + 1..]),
            _ if bytes.starts_with(b"-") => continue,
            _ => word.as_os_str(),
        };
        let looks_like_a_path = value.as_bytes().contains(&b'/') || value == "." || value == "..";
        let Ok(path) = std::fs::canonicalize(facts.cwd.join(value)) else { continue };
        if looks_like_a_path
            && path != Path::new("/")
            && !package_roots.iter().any(|root| path.starts_with(root))
        {
            paths.push(path);
        }
    }
    paths
}

#[cfg(test)]
mod tests;

//! From a command line to what really runs: the program, the script that it interprets, the package that the script
//! belongs to, and the directories that both need to start.

pub mod image;
pub mod invocation;
mod local;
mod package;
mod roots;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Failure, Kind};
use crate::host::Facts;

use image::Image;
use invocation::{Code, Inside, Invocation, PackageRun, Runs};
use package::Package;

pub use local::installed;
pub use package::Integrity;
pub use roots::argument_value;

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
    /// argv without wrappers, argv[0] as it was typed.
    pub argv: Vec<OsString>,
    /// Variables that wrappers set for it, in their order.
    pub set: Vec<(String, OsString)>,
    /// What tells this server from others that run on the same interpreter: its script's path, else its whole command.
    pub code: String,
    /// Package URL first if known, then `file:sha256:…` or `file:/path`. What the command line leaves open is known by its
    /// words alone: `command:sha256:…`.
    pub identities: Vec<String>,
    /// Where the program and its interpreters live.
    pub exec_roots: Vec<PathBuf>,
    /// Where the server's own code and its dependencies live.
    pub package_roots: Vec<PathBuf>,
    /// Files and directories that the arguments name, without the server's own code.
    pub argument_paths: Vec<PathBuf>,
    /// What its package manager wrote down about its content.
    pub integrity: Option<Integrity>,
}

/// Looks at the file system to find out what `command` runs. Reads only.
///
/// # Errors
/// When the program does not exist or is not executable.
pub fn resolve(command: &[OsString], facts: &Facts) -> Result<Resolved, Failure> {
    let asked = invocation::parse(command);
    let by_words = vec![words_identity(command)];
    let mut resolved = match &asked.runs {
        Runs::Program(words) => program(words, &asked.set, facts)?,
        // The shell carries its script out itself.
        Runs::Script(script) => {
            Resolved { identities: script_identities(script, command), ..started(command, facts)? }
        }
        Runs::Package(run) => match local::installed(run, facts) {
            Some(words) => program(&words, &asked.set, facts)?,
            None => {
                Resolved { identities: package_identities(run, &asked, command), ..started(command, facts)? }
            }
        },
        Runs::Container(run) => Resolved {
            identities: Image::parse(&run.image, &run.engine)
                .iter()
                .map(Image::purl)
                .chain(by_words.clone())
                .collect(),
            ..started(command, facts)?
        },
    };
    // An approved package or file says nothing about what an option makes of it.
    if !asked.remainder.is_empty() {
        resolved.identities = by_words;
    }
    Ok(resolved)
}

/// What a bridge (`mcp-remote`, `mcp-proxy`, `supergateway`) carries: identities of the server that it starts, or the URL of one
/// elsewhere; nothing for any other command.
pub fn carried(command: &[OsString], facts: &Facts) -> Vec<String> {
    match invocation::inside(&invocation::parse(command)) {
        None => Vec::new(),
        Some(Inside::Remote(url)) => vec![url],
        Some(Inside::Command(words)) => resolve(&words, facts)
            .map_or_else(|_| vec![words_identity(&words)], |resolved| resolved.identities),
    }
}

/// A program of this machine, wrappers off.
fn program(words: &[OsString], set: &[(String, OsString)], facts: &Facts) -> Result<Resolved, Failure> {
    // `env PATH=… program` is looked for where that PATH says.
    let own_path = set.iter().rev().find(|(name, _)| name == "PATH");
    let with_path = own_path.map(|(name, value)| {
        let mut facts = facts.clone();
        facts.env.insert(OsString::from(name), value.clone());
        facts
    });
    let mut resolved = started(words, with_path.as_ref().unwrap_or(facts))?;
    resolved.set = set.to_vec();
    Ok(resolved)
}

/// What these very words start.
fn started(words: &[OsString], facts: &Facts) -> Result<Resolved, Failure> {
    let (program_word, arguments) =
        words.split_first().ok_or_else(|| Failure::new(Kind::Usage, "no server command"))?;
    let program = find_program(program_word, facts)?;
    let interpreters = interpreters(&program, facts);
    let code = code(&program, arguments, facts);
    let (script, module) = match &code {
        Started::File(script) => (Some(script.as_path()), None),
        Started::Module(module) => (None, Some(module.as_str())),
        Started::Words | Started::Remote(_) => (None, None),
    };
    let package = package::of(script, module, &interpreters);
    let mut identities: Vec<String> = package.iter().map(|package| package.purl.clone()).collect();
    if let Started::Remote(text) = &code {
        identities.extend(remote_identity(text));
    }
    identities.push(file_identity(script, words));
    let package_roots = package_roots(script, (&program, &interpreters), package.as_ref(), facts);
    let argument_paths = roots::argument_paths(arguments, facts, &package_roots);
    let mut exec_roots: Vec<PathBuf> =
        interpreters.iter().flat_map(|path| roots::runtime_roots(path, facts)).collect();
    exec_roots.sort();
    exec_roots.dedup();
    let stem = |path: &Path| path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let code = match script {
        Some(script) => script.display().to_string(),
        None => identities.last().cloned().unwrap_or_else(|| program.display().to_string()),
    };
    let name =
        package.as_ref().map_or_else(|| stem(script.unwrap_or(&program)), |package| package.name.clone());
    Ok(Resolved {
        name,
        program,
        argv: words.to_vec(),
        set: Vec::new(),
        code,
        identities,
        exec_roots,
        package_roots,
        argument_paths,
        integrity: package.as_ref().and_then(Package::integrity),
    })
}

/// Code that was found, or what stands for it.
enum Started {
    /// A script, or the program itself.
    File(PathBuf),
    /// A module of Python's.
    Module(String),
    /// What another place holds.
    Remote(String),
    /// Nothing but the words.
    Words,
}

/// The script that an interpreter is told to run; any other program itself.
fn code(program: &Path, arguments: &[OsString], facts: &Facts) -> Started {
    let Ok(canonical) = std::fs::canonicalize(program) else { return Started::Words };
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    let names = [name(program), name(&canonical)];
    let mut names = names.iter().flatten();
    if names.clone().any(|name| name == "uv") {
        return in_uv_project(arguments, facts);
    }
    let Some(read) = names.find_map(|name| invocation::interpreted(name, arguments)) else {
        return Started::File(canonical);
    };
    match read.code {
        Code::File(typed) => existing_file(&facts.cwd.join(typed)),
        // Python looks in the working directory first.
        Code::Module(module) if is_in(&facts.cwd, &module) => Started::Words,
        Code::Module(module) => Started::Module(module),
        Code::Remote(text) => Started::Remote(text),
        Code::Words => Started::Words,
    }
}

fn existing_file(path: &Path) -> Started {
    match std::fs::canonicalize(path).ok().filter(|path| path.is_file()) {
        Some(path) => Started::File(path),
        None => Started::Words,
    }
}

fn is_in(dir: &Path, module: &str) -> bool {
    let top = module.split('.').next().unwrap_or(module);
    dir.join(top).exists() || dir.join(format!("{top}.py")).exists()
}

/// What `uv run` starts in a project: a script of it, or a program of its environment.
fn in_uv_project(arguments: &[OsString], facts: &Facts) -> Started {
    let run = || {
        let at = invocation::uv_verb(arguments)?;
        let (before, verb) = arguments.split_at(at);
        (verb.first()? == "run").then(|| invocation::uv_run_in_project(before, verb.get(1..)?)).flatten()
    };
    let Some(run) = run() else { return Started::Words };
    let cwd = run.directory.map_or_else(|| facts.cwd.clone(), |directory| facts.cwd.join(directory));
    match run.words.iter().map(|word| word.to_str()).collect::<Option<Vec<_>>>().as_deref() {
        Some(["python", "-m", ..]) | None | Some([]) => Started::Words,
        Some(["python", script, ..]) => existing_file(&cwd.join(script)),
        Some([program, ..]) => {
            let within = run.project.map_or_else(|| cwd.clone(), |project| cwd.join(project));
            let project = within.ancestors().find(|dir| dir.join("pyproject.toml").is_file());
            project.map_or(Started::Words, |project| existing_file(&project.join(".venv/bin").join(program)))
        }
    }
}

/// Directories of the code; those of an interpreter that is itself a script (`tsx`) are needed as well.
fn package_roots(
    script: Option<&Path>,
    (program, interpreters): (&Path, &[PathBuf]),
    package: Option<&Package>,
    facts: &Facts,
) -> Vec<PathBuf> {
    let mut found = roots::code_roots(script, facts);
    found.extend(package.iter().flat_map(|package| package.roots.iter().cloned()));
    let itself = std::fs::canonicalize(program).ok();
    if interpreters.len() > 1 && itself.as_deref() != script {
        found.extend(roots::code_roots(itself.as_deref(), facts));
    }
    found.sort();
    found.dedup();
    found
}

/// `npm:@scope/name@1.2` as deno has it; a URL is no package, and names code of another place.
fn remote_identity(text: &str) -> Option<String> {
    let (kind, spec) = text.split_once(':').filter(|(kind, _)| ["npm", "jsr"].contains(kind))?;
    let spec = spec.trim_start_matches('/');
    let at = spec.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(at, _)| at);
    let (name, version) = at.map_or((spec, None), |at| (&spec[..at], spec.get(at + 1..)));
    // Behind the version may stand a path within the package.
    let parts = if name.starts_with('@') { 2 } else { 1 };
    let name = name.split('/').take(parts).collect::<Vec<_>>().join("/");
    let version =
        version.and_then(|version| version.split('/').next()).filter(|version| is_one_version(version));
    let version = version.map_or_else(String::new, |version| format!("@{version}"));
    Some(format!("pkg:{kind}/{}{version}", name.replacen('@', "%40", 1)))
}

/// Of a package that is yet to be fetched: its name, and its version if the words leave no choice. A registry that the words
/// name may serve anything under that name.
fn package_identities(run: &PackageRun, asked: &Invocation, command: &[OsString]) -> Vec<String> {
    let words = words_identity(command);
    let short = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let of_entry = |entry: &str| {
        let named =
            run.specs.iter().find(|spec| spec.name.as_deref().is_some_and(|name| short(name) == entry));
        named.or_else(|| run.specs.first().filter(|_| run.specs.len() == 1))
    };
    let spec = match &run.entry {
        // A Python with packages runs what its arguments say.
        Some(entry) if entry.starts_with("python") => None,
        Some(entry) => of_entry(entry),
        None => run.specs.first(),
    };
    let name = spec.and_then(|spec| spec.name.as_deref());
    let (Some(spec), Some(name), None, true) = (spec, name, &run.registry, asked.remainder.is_empty()) else {
        return vec![words];
    };
    let version = spec.version.as_deref().map(|version| version.trim_start_matches("=="));
    let version =
        version.filter(|version| is_one_version(version)).map_or_else(String::new, |v| format!("@{v}"));
    let kind = invocation::purl_type(run.ecosystem);
    vec![format!("pkg:{kind}/{}{version}", name.replacen('@', "%40", 1)), words]
}

/// `1.2.3`, and no range or tag.
fn is_one_version(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit())
        && version.matches('.').count() >= 2
        && !version.contains(['x', '*', ' ', '|', '>', '<', ','])
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-".contains(&b))
}

/// A script is known by its text, and with its shell and arguments by all words.
fn script_identities(script: &str, command: &[OsString]) -> Vec<String> {
    vec![format!("script:sha256:{}", sha256_hex(script.as_bytes())), words_identity(command)]
}

/// What is known by its words alone.
fn words_identity(command: &[OsString]) -> String {
    let words: Vec<u8> = command.iter().flat_map(|word| word.as_bytes().iter().copied().chain([0])).collect();
    format!("command:sha256:{}", sha256_hex(&words))
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

/// `file:sha256:…` of the script or program; a large file is named by its path, a command without any file by the hash of
/// its words.
fn file_identity(script: Option<&Path>, command: &[OsString]) -> String {
    let Some(path) = script else { return words_identity(command) };
    match std::fs::metadata(path) {
        Ok(file) if file.len() <= HASHED_BYTES_MAX => match std::fs::read(path) {
            Ok(bytes) => format!("file:sha256:{}", sha256_hex(&bytes)),
            Err(_) => format!("file:{}", path.display()),
        },
        _ => format!("file:{}", path.display()),
    }
}

#[cfg(test)]
mod tests;

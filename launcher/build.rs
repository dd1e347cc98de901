//! Parses and checks the profiles, starting policies and clients of `profiles/`, folds bases in and writes constant tables, so
//! that the binary parses nothing of its own when it starts. A mistake in any of them ends the build.

#[path = "build/clients.rs"]
mod clients;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use stockade_policy::document::Mistakes;
use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::document::profile::{
    ListenGrant, Login, NetGrant, OpenGrant, PathGrant, Profile, ProfileLimits, Require, Source, parse_all,
};

type Fallible<T> = Result<T, Vec<String>>;

fn main() -> ExitCode {
    let outcome = root().and_then(|root| {
        write("profiles.rs", &tables(&root.join("../profiles"))?)?;
        write("clients.rs", &clients::tables(&sources(&root.join("../profiles/clients"))?)?)
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            for error in errors {
                say(&format!("cargo::error={error}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn root() -> Fallible<PathBuf> {
    std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).ok_or(vec!["no manifest dir".to_owned()])
}

fn write(name: &str, text: &str) -> Fallible<()> {
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or(vec!["OUT_DIR is not set".to_owned()])?;
    std::fs::write(out.join(name), text).map_err(|error| vec![format!("cannot write tables: {error}")])
}

/// The tables of profiles and policies as Rust source.
fn tables(profiles: &Path) -> Fallible<String> {
    let mut sources = sources(&profiles.join("base"))?;
    sources.extend(self::sources(&profiles.join("servers"))?);
    let (parsed, mistakes) = parse_all(&sources, &|_| None);
    let mut errors = mistakes.iter().flat_map(lines).collect::<Vec<_>>();
    let policies = self::sources(&profiles.join("policies"))?;
    for policy in &policies {
        if let Err(mistakes) = PolicyDocument::parse(&policy.file, &policy.text) {
            errors.extend(lines(&mistakes));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut out = String::from(
        "use std::borrow::Cow;\n\
         use stockade_policy::document::profile::{AddressClass, EnvSet, ListenGrant, NetGrant, OpenGrant};\n\
         use stockade_policy::document::profile::{Login, PathGrant, Profile, ProfileLimits, Require, Share};\n",
    );
    // Writing to a String cannot fail.
    let _ = write_profiles(&mut out, &parsed);
    let _ = write_policies(&mut out, &policies);
    Ok(shared(&out))
}

/// Each list once: most profiles hold those of their base unchanged, and every entry would be relocated when the binary
/// starts.
fn shared(text: &str) -> String {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let list = line.strip_prefix("static ").and_then(|list| list.split_once(": "));
        match list.map(|(name, list)| (name, first.get(list).copied(), list)) {
            Some((name, Some(known), _)) => out.push_str(&format!("use {known} as {name};")),
            Some((name, None, list)) => {
                first.insert(list, name);
                out.push_str(line);
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// Each mistake as a line of its own: cargo shows one line an error.
fn lines(mistakes: &Mistakes) -> Vec<String> {
    mistakes.to_string().lines().map(str::to_owned).collect()
}

/// All TOML files of a folder, in the order of their names.
fn sources(folder: &Path) -> Fallible<Vec<Source>> {
    say(&format!("cargo::rerun-if-changed={}", folder.display()));
    let failed =
        |path: &Path, error: std::io::Error| vec![format!("cannot read {}: {error}", path.display())];
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        paths.push(entry.map_err(|error| failed(folder, error))?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let read = |path: PathBuf| {
        say(&format!("cargo::rerun-if-changed={}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
        Ok(Source { file: path.display().to_string(), text })
    };
    paths.into_iter().map(read).collect()
}

fn write_profiles(out: &mut String, profiles: &[Profile]) -> std::fmt::Result {
    for (n, profile) in profiles.iter().enumerate() {
        write_words(out, &format!("BASES_{n}"), &profile.bases)?;
        write_words(out, &format!("IDENTITY_{n}"), &profile.identity)?;
        write_words(out, &format!("PASS_{n}"), &profile.env_pass)?;
        write_words(out, &format!("OPTIONAL_{n}"), &profile.optional)?;
        write_words(out, &format!("OWN_{n}"), &profile.own_credentials)?;
        write_grants(out, &format!("READ_{n}"), &profile.read)?;
        write_grants(out, &format!("WRITE_{n}"), &profile.write)?;
        write_grants(out, &format!("EXEC_{n}"), &profile.exec)?;
        write_grants(out, &format!("CLOSED_{n}"), &profile.closed)?;
        write!(out, "static SET_{n}: [EnvSet; {}] = [", profile.env_set.len())?;
        for set in profile.env_set.iter() {
            let (name, value) = (&set.name, &set.value);
            write!(out, "EnvSet {{ name: Cow::Borrowed({name:?}), value: Cow::Borrowed({value:?}) }}, ")?;
        }
        writeln!(out, "];")?;
        write_grants(out, &format!("UNIX_{n}"), &profile.unix_allow)?;
        write_network(out, n, profile)?;
        write_logins(out, n, &profile.logins)?;
    }
    writeln!(out, "/// Every profile inside the binary, its bases folded in.")?;
    writeln!(out, "pub(super) static PROFILES: [Profile; {}] = [", profiles.len())?;
    for (n, profile) in profiles.iter().enumerate() {
        write_profile(out, n, profile)?;
    }
    writeln!(out, "];")
}

fn write_network(out: &mut String, n: usize, profile: &Profile) -> std::fmt::Result {
    for (index, grant) in profile.net_allow.iter().enumerate() {
        let classes: Vec<_> =
            grant.addresses.iter().map(|class| format!("AddressClass::{class:?}")).collect();
        let (length, classes) = (classes.len(), classes.join(", "));
        writeln!(out, "static CLASSES_{n}_{index}: [AddressClass; {length}] = [{classes}];")?;
    }
    write!(out, "static ALLOW_{n}: [NetGrant; {}] = [", profile.net_allow.len())?;
    for (index, NetGrant { host, port, upload_bytes, reason, .. }) in profile.net_allow.iter().enumerate() {
        write!(
            out,
            "NetGrant {{ host: Cow::Borrowed({host:?}), port: {port}, upload_bytes: {upload_bytes:?}, "
        )?;
        write!(
            out,
            "addresses: Cow::Borrowed(&CLASSES_{n}_{index}), reason: Cow::Borrowed({reason:?}) }}, "
        )?;
    }
    writeln!(out, "];")?;
    write!(out, "static LISTEN_{n}: [ListenGrant; {}] = [", profile.net_listen.len())?;
    for ListenGrant { port, reason } in profile.net_listen.iter() {
        write!(out, "ListenGrant {{ port: {port}, reason: Cow::Borrowed({reason:?}) }}, ")?;
    }
    writeln!(out, "];")?;
    write!(out, "static OPEN_{n}: [OpenGrant; {}] = [", profile.net_open.len())?;
    for OpenGrant { host, reason } in profile.net_open.iter() {
        write!(out, "OpenGrant {{ host: Cow::Borrowed({host:?}), reason: Cow::Borrowed({reason:?}) }}, ")?;
    }
    writeln!(out, "];")
}

fn write_logins(out: &mut String, n: usize, logins: &[Login]) -> std::fmt::Result {
    for (index, login) in logins.iter().enumerate() {
        write_words(out, &format!("ONLY_{n}_{index}"), &login.only)?;
    }
    write!(out, "static LOGIN_{n}: [Login; {}] = [", logins.len())?;
    for (index, Login { path, to, reason, share, variable, .. }) in logins.iter().enumerate() {
        let share = share.map_or("None".to_owned(), |share| format!("Some(Share::{share:?})"));
        let variable =
            variable.as_ref().map_or("None".to_owned(), |name| format!("Some(Cow::Borrowed({name:?}))"));
        write!(out, "Login {{ path: Cow::Borrowed({path:?}), to: Cow::Borrowed({to:?}), ")?;
        write!(out, "reason: Cow::Borrowed({reason:?}), share: {share}, variable: {variable}, ")?;
        write!(out, "only: Cow::Borrowed(&ONLY_{n}_{index}) }}, ")?;
    }
    writeln!(out, "];")
}

fn write_profile(out: &mut String, n: usize, profile: &Profile) -> std::fmt::Result {
    let Profile { name, description, .. } = profile;
    let ProfileLimits {
        open_files,
        file_bytes,
        processes,
        memory_bytes,
        cpu_seconds,
        upload_bytes,
        output_bytes_per_second,
    } = profile.limits;
    writeln!(out, "    Profile {{")?;
    writeln!(out, "        name: Cow::Borrowed({name:?}), description: Cow::Borrowed({description:?}),")?;
    writeln!(out, "        bases: Cow::Borrowed(&BASES_{n}), identity: Cow::Borrowed(&IDENTITY_{n}),")?;
    writeln!(out, "        read: Cow::Borrowed(&READ_{n}), write: Cow::Borrowed(&WRITE_{n}),")?;
    writeln!(out, "        exec: Cow::Borrowed(&EXEC_{n}), closed: Cow::Borrowed(&CLOSED_{n}),")?;
    writeln!(out, "        strict: {:?},", profile.strict)?;
    writeln!(out, "        net_allow: Cow::Borrowed(&ALLOW_{n}), net_listen: Cow::Borrowed(&LISTEN_{n}),")?;
    writeln!(out, "        net_open: Cow::Borrowed(&OPEN_{n}), unix_allow: Cow::Borrowed(&UNIX_{n}),")?;
    writeln!(out, "        unix_private: {:?},", profile.unix_private)?;
    writeln!(out, "        install_scripts: {:?},", profile.install_scripts)?;
    writeln!(out, "        env_pass: Cow::Borrowed(&PASS_{n}), env_set: Cow::Borrowed(&SET_{n}),")?;
    writeln!(out, "        logins: Cow::Borrowed(&LOGIN_{n}), own_credentials: Cow::Borrowed(&OWN_{n}),")?;
    writeln!(out, "        limits: ProfileLimits {{")?;
    writeln!(
        out,
        "            open_files: {open_files:?}, file_bytes: {file_bytes:?}, processes: {processes:?},"
    )?;
    writeln!(out, "            memory_bytes: {memory_bytes:?}, cpu_seconds: {cpu_seconds:?},")?;
    writeln!(out, "            upload_bytes: {upload_bytes:?},")?;
    writeln!(out, "            output_bytes_per_second: {output_bytes_per_second:?},")?;
    writeln!(out, "        }},")?;
    writeln!(out, "        require_fs: {},", require(profile.require_fs))?;
    writeln!(out, "        require_net: {},", require(profile.require_net))?;
    writeln!(out, "        require_process: {},", require(profile.require_process))?;
    writeln!(out, "        optional: Cow::Borrowed(&OPTIONAL_{n}),")?;
    writeln!(out, "    }},")
}

fn require(require: Require) -> &'static str {
    match require {
        Require::Full => "Require::Full",
        Require::BestEffort => "Require::BestEffort",
    }
}

fn write_words(out: &mut String, name: &str, words: &[std::borrow::Cow<'static, str>]) -> std::fmt::Result {
    write!(out, "static {name}: [Cow<'static, str>; {}] = [", words.len())?;
    for word in words {
        write!(out, "Cow::Borrowed({word:?}), ")?;
    }
    writeln!(out, "];")
}

fn write_grants(out: &mut String, name: &str, grants: &[PathGrant]) -> std::fmt::Result {
    write!(out, "static {name}: [PathGrant; {}] = [", grants.len())?;
    for PathGrant { path, reason } in grants {
        write!(out, "PathGrant {{ path: Cow::Borrowed({path:?}), reason: Cow::Borrowed({reason:?}) }}, ")?;
    }
    writeln!(out, "];")
}

fn write_policies(out: &mut String, policies: &[Source]) -> std::fmt::Result {
    writeln!(out, "/// Names and texts of the starting policies.")?;
    writeln!(out, "pub(super) static POLICIES: [(&str, &str); {}] = [", policies.len())?;
    for policy in policies {
        let name = Path::new(&policy.file).file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
        writeln!(out, "    ({name:?}, include_str!({:?})),", policy.file)?;
    }
    writeln!(out, "];")
}

/// Cargo listens on standard output.
fn say(line: &str) {
    // A closed pipe means that cargo is gone, and nobody is left to be told.
    let _ = writeln!(std::io::stdout(), "{line}");
}

//! What policies name of custom data for the detectors: files of fingerprints and of canaries are read here, for `policy` reads
//! none. What cannot be read stops the start: a table that is silently missing protects nobody.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;
use stockade_policy::detect::{Canary, CustomData, EnvironmentSecret, ExactData, Fingerprints};
use stockade_policy::document::policy::{CanarySource, ExactSource, no_canary};
use stockade_policy::rules::{Layer, Origin, Policy};

use crate::error::{Failure, Kind};

/// Largest file of fingerprints: every session holds it in memory.
pub(crate) const FINGERPRINTS_BYTES_MAX: u64 = 80 << 20;
/// Largest file of canaries.
const CANARIES_BYTES_MAX: u64 = 1 << 20;

/// The custom data of a policy, and the files that it was read from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Custom {
    /// What the engine is made with.
    pub(crate) data: CustomData,
    files: Vec<(PathBuf, Option<Stamp>)>,
}

/// Changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    owner: (u32, u32),
    times: [i64; 4],
}

impl Custom {
    /// Reads what the policy's layers name; nearer ones only add. `uid` is the user's.
    ///
    /// # Errors
    /// All files at once that cannot be read, are damaged, or could have been written by others.
    pub(crate) fn load(policy: &Policy, uid: u32) -> Result<Self, Failure> {
        let mut custom = Self::default();
        custom.data.keywords = policy.keywords();
        let mut failures = Vec::new();
        for layer in policy.layers() {
            for source in &layer.document.exact {
                let place = Place { layer, file: &source.file, line: source.line, uid };
                match place
                    .read(FINGERPRINTS_BYTES_MAX, &mut custom.files)
                    .and_then(|b| exact(source, &place, &b))
                {
                    Ok(exact) => custom.data.exact.push(exact),
                    Err(failure) => failures.push(failure),
                }
            }
            for source in &layer.document.canaries {
                match canary(source, layer, uid, &mut custom.files) {
                    Ok(canary) => custom.data.canaries.push(canary),
                    Err(failure) => failures.push(failure),
                }
            }
        }
        super::join(failures).map_or(Ok(custom), Err)
    }

    /// With the secrets of the environment that a server is started with.
    #[must_use]
    pub(crate) fn with_environment(mut self, env: &[(OsString, OsString)]) -> Self {
        let secret = |(name, value): &(OsString, OsString)| {
            EnvironmentSecret::of_variable(name.as_bytes(), value.as_bytes())
        };
        self.data.environment = env.iter().filter_map(secret).collect();
        self
    }

    /// With the environment of another one: the policy changed, the server is the same.
    #[must_use]
    pub(crate) fn beside(mut self, other: &Self) -> Self {
        self.data.environment.clone_from(&other.data.environment);
        self
    }

    /// Without its words, of which the policy holds a copy that is compared.
    #[must_use]
    pub(crate) fn without_keywords(mut self) -> Self {
        self.data.keywords = Vec::new();
        self
    }

    /// Whether tables, canaries and the environment are the same.
    pub(crate) fn same_but_for_words(&self, other: &Self) -> bool {
        let CustomData { keywords: _, canaries, exact, environment } = &self.data;
        let of = &other.data;
        *canaries == of.canaries && *exact == of.exact && *environment == of.environment
    }

    /// The files of a policy that cannot be used count as seen as they are now, until one changes.
    pub(crate) fn follow(&mut self, policy: &Policy) {
        let files_of = |layer: &Layer| {
            let exact = layer.document.exact.iter().map(|source| &source.file);
            let canaries = layer.document.canaries.iter().filter_map(|source| source.file.as_ref());
            exact.chain(canaries).map(|file| path(layer, file)).collect::<Vec<_>>()
        };
        let files = policy.layers().iter().flat_map(files_of);
        self.files = files.map(|path| (Stamp::of(&path), path)).map(|(stamp, path)| (path, stamp)).collect();
    }

    /// The files that it looks after.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.iter().map(|(path, _)| path)
    }

    /// Whether one of its files is not what it was at the last look.
    pub(crate) fn changed(&mut self) -> bool {
        let mut changed = false;
        for (path, stamp) in &mut self.files {
            let now = Stamp::of(path);
            changed |= std::mem::replace(stamp, now) != now;
        }
        changed
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|facts| Self::from(&facts))
    }
}

impl From<&Metadata> for Stamp {
    fn from(facts: &Metadata) -> Self {
        Self {
            file: (facts.dev(), facts.ino()),
            size: facts.size(),
            owner: (facts.uid(), facts.mode()),
            times: [facts.mtime(), facts.mtime_nsec(), facts.ctime(), facts.ctime_nsec()],
        }
    }
}

fn exact(source: &ExactSource, place: &Place<'_>, bytes: &[u8]) -> Result<ExactData, Failure> {
    let table = Fingerprints::of_bytes(bytes).map_err(|error| {
        place.failure(Kind::Config, "cannot use").because(&error).hint(
            "make it anew with `stockade dlp fingerprint`; nothing starts without it, because nothing would look for \
             what is in it",
        )
    })?;
    Ok(ExactData { name: source.name.clone(), class: source.class, table: Arc::new(table) })
}

fn canary(
    source: &CanarySource,
    layer: &Layer,
    uid: u32,
    files: &mut Vec<(PathBuf, Option<Stamp>)>,
) -> Result<Canary, Failure> {
    let mut values = source.values.clone();
    if let Some(file) = &source.file {
        let place = Place { layer, file, line: source.line, uid };
        let bytes = place.read(CANARIES_BYTES_MAX, files)?;
        let wrong = |why: String| {
            let hint = "write a value a line; lines that begin with `#` are comments";
            place.failure(Kind::Config, "cannot use the canaries in").cause(why).hint(hint)
        };
        let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
        let lines = || (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let mistakes: Vec<String> = lines()
            .filter_map(|(line, value)| no_canary(value).map(|why| format!("line {line}: {why}")))
            .collect();
        if !mistakes.is_empty() {
            return Err(wrong(mistakes.join("\n")));
        }
        if lines().next().is_none() {
            return Err(wrong("there is no value in it".to_owned()));
        }
        values.extend(lines().map(|(_, value)| value.to_owned()));
    }
    Ok(Canary { name: source.name.clone(), values })
}

/// A file that a layer names: absolute, or beside the policy.
fn path(layer: &Layer, file: &str) -> PathBuf {
    Path::new(&layer.name).parent().unwrap_or(Path::new("")).join(file)
}

/// A file that a layer names.
struct Place<'p> {
    layer: &'p Layer,
    file: &'p str,
    line: usize,
    uid: u32,
}

impl Place<'_> {
    fn failure(&self, kind: Kind, what: &str) -> Failure {
        let named = format!("it is named in {}:{}", self.layer.name, self.line);
        Failure::new(kind, format!("{what} {}", path(self.layer, self.file).display())).cause(named)
    }

    /// Its bytes, if nobody but its owner could have written them.
    fn read(&self, bytes_max: u64, files: &mut Vec<(PathBuf, Option<Stamp>)>) -> Result<Vec<u8>, Failure> {
        let path = path(self.layer, self.file);
        let remedy = "check the path and its permissions, or take it out of the policy";
        let unreadable =
            |error: &std::io::Error| self.failure(Kind::Config, "cannot read").because(error).hint(remedy);
        // A pipe would let us wait for ever.
        let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let opened = File::options().read(true).custom_flags(flags.bits()).open(&path);
        let facts = opened.and_then(|file| file.metadata().map(|facts| (file, facts)));
        let (file, facts) = facts.map_err(|error| unreadable(&error))?;
        files.push((path, Some(Stamp::from(&facts))));
        self.trust(&facts)?;
        if !facts.is_file() || facts.len() > bytes_max {
            let why = format!("it is no ordinary file of at most {} MiB", bytes_max >> 20);
            return Err(self.failure(Kind::Config, "cannot read").cause(why).hint(remedy));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(facts.len()).unwrap_or(0));
        file.take(bytes_max).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        Ok(bytes)
    }

    /// As policies are trusted: what the organisation names is root's, anything else root's or the user's, and nobody else can
    /// write it.
    fn trust(&self, facts: &Metadata) -> Result<(), Failure> {
        let roots = matches!(self.layer.origin, Origin::Organisation | Origin::Group);
        let owned = facts.uid() == 0 || (!roots && facts.uid() == self.uid);
        if owned && facts.mode() & 0o022 == 0 {
            return Ok(());
        }
        let whose = if roots { "root" } else { "its user or root" };
        Err(self
            .failure(Kind::Permission, "does not trust")
            .cause(format!(
                "it belongs to uid {} with mode {:04o}; only {whose} may be able to write it",
                facts.uid(),
                facts.mode() & 0o7777
            ))
            .hint(format!("chown it and `chmod go-w {}`", path(self.layer, self.file).display())))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use stockade_policy::detect::Matching;
    use stockade_policy::document::policy::PolicyDocument;

    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn with(name: &str, bytes: &[u8]) -> Self {
            let files = Self(tempfile::tempdir().unwrap());
            files.write(name, bytes);
            files
        }

        fn write(&self, name: &str, bytes: &[u8]) {
            std::fs::write(self.0.path().join(name), bytes).unwrap();
            self.mode(name, 0o600);
        }

        fn mode(&self, name: &str, mode: u32) {
            std::fs::set_permissions(self.0.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
        }

        fn layer(&self, origin: Origin, text: &str) -> Layer {
            let document = PolicyDocument::parse("p", &format!("version = 1\n{text}")).unwrap();
            let name = self.0.path().join("policy.toml").display().to_string();
            Layer { origin, name, document, sha256: String::new() }
        }

        fn load(&self, text: &str) -> Result<Custom, Failure> {
            let uid = nix::unistd::geteuid().as_raw();
            Custom::load(&Policy::compose(vec![self.layer(Origin::User, text)]), uid)
        }
    }

    fn fingerprints() -> Vec<u8> {
        let rows = [vec!["Anna Lindqvist".to_owned(), "123-45-6789".to_owned()]];
        Fingerprints::of_rows(&rows, Matching::Rows, [1; 32]).unwrap().0.to_bytes()
    }

    const EXACT: &str = "[exact.people]\nfile = \"people\"\n";

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        let files = Files::with("people", &fingerprints());
        assert_eq!(files.load(EXACT).unwrap().data.exact[0].table.rows(), 1);
        for mode in [0o620, 0o602] {
            files.mode("people", mode);
            let failure = files.load(EXACT).unwrap_err();
            assert_eq!(failure.kind, Kind::Permission);
            assert!(failure.to_string().contains("policy.toml:2"), "{failure}");
        }
    }

    #[test]
    fn what_is_missing_damaged_or_no_file_stops_the_start() {
        let mut bytes = fingerprints();
        bytes[40] ^= 1;
        let files = Files::with("people", &bytes);
        let failure = files.load(EXACT).unwrap_err().to_string();
        assert!(failure.contains("damaged") && failure.contains("dlp fingerprint"), "{failure}");
        files.write("people", b"name,ssn\nAnna,123\n");
        assert!(files.load(EXACT).unwrap_err().to_string().contains("was not made by"));
        let both = "[exact.a]\nfile = \"none-a\"\n[exact.b]\nfile = \".\"\n";
        let failure = files.load(both).unwrap_err().to_string();
        assert!(failure.contains("none-a") && failure.contains("no ordinary file"), "{failure}");
    }

    #[test]
    fn canaries_of_a_file_are_checked_line_by_line_and_never_shown() {
        let files = Files::with("traps", b"# planted in May\ntrap-4711@corp.example\n\nsecond-trap-0815\n");
        let text = "[canary.vault]\nvalues = [\"third-trap-1234\"]\nfile = \"traps\"\n";
        let custom = files.load(text).unwrap();
        assert_eq!(custom.data.canaries[0].values.len(), 3);
        assert!(!format!("{custom:?}").contains("trap-"));
        files.write("traps", b"trap-4711@corp.example\nshorttrap\n blank-trap-0815\n");
        let failure = files.load(text).unwrap_err().to_string();
        assert!(failure.contains("line 2: ") && failure.contains("line 3: "), "{failure}");
        assert!(!failure.contains("shorttrap") && !failure.contains("0815"), "{failure}");
        files.write("traps", b"# nothing\n");
        assert!(files.load(text).unwrap_err().to_string().contains("no value in it"));
    }

    #[test]
    fn layers_add_to_each_other_and_a_change_is_noticed() {
        let files = Files::with("people", &fingerprints());
        let near = files.layer(Origin::Project, "[exact.people]\nfile = \"people\"\nclass = \"secret\"\n");
        let policy = Policy::compose(vec![files.layer(Origin::User, EXACT), near]);
        let uid = nix::unistd::geteuid().as_raw();
        let mut custom = Custom::load(&policy, uid).unwrap();
        let names: Vec<String> = custom.data.exact.iter().map(|one| one.class.detector(&one.name)).collect();
        assert_eq!(names, ["pii/exact-people", "secret/exact-people"]);
        assert!(!custom.changed());
        files.write("people", b"something else");
        assert!(custom.changed() && !custom.changed(), "it is told once");
    }
}

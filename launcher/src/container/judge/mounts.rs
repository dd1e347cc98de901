//! Directories and files of the host inside a container: only what is granted, and without what is closed in it.

use std::path::{Path, PathBuf};

use stockade_sandbox::{Access, Closed};

use super::{Draft, Granted};
use crate::plan::{EntryKind, Tree};

/// Whoever can write to one of these has the machine.
const SOCKETS_OF_ENGINES: &[&str] = &[
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman",
    "/var/run/podman",
    "/run/containerd",
    "/run/crio",
    "/var/run/containerd",
    "/run/user",
    "/var/lib/docker",
    "/var/lib/containers",
];

/// Whether a mount may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Read,
    Write,
}

impl Draft {
    /// `SRC:DST[:OPTIONS]`, `NAME:DST`, `DST`
    pub(super) fn volume(&mut self, text: &str, granted: &Granted, tree: &dyn Tree) {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts.as_slice() {
            [target] if target.starts_with('/') => {
                // An anonymous one: it goes with the container.
                self.words.push(format!("--volume={target}").into());
                return;
            }
            [source, target] => (*source, *target, ""),
            [source, target, options] => (*source, *target, *options),
            _ => return self.refuse("volume", "it is not `SOURCE:TARGET`", "write `--volume /dir:/dir:ro`"),
        };
        let mut mode = Mode::Write;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option {
                "ro" => mode = Mode::Read,
                "rw" | "z" | "cached" | "delegated" | "consistent" | "private" | "rprivate" | "nosuid"
                | "nodev" | "noexec" | "nocopy" => {}
                _ => {
                    return self.refuse(
                        "volume",
                        "one of its options changes the host's files",
                        "leave all but `ro` out",
                    );
                }
            }
        }
        if is_place(source) {
            self.bind((source, target, mode), granted, tree);
        } else {
            self.named(source, target, mode);
        }
    }

    /// `type=bind,src=…,dst=…,readonly`
    pub(super) fn mount(&mut self, text: &str, granted: &Granted, tree: &dyn Tree) {
        let (mut kind, mut source, mut target, mut mode) = ("volume", None, None, Mode::Write);
        for part in text.split(',') {
            let (key, value) = part.split_once('=').unwrap_or((part, "true"));
            match key {
                "type" => kind = value,
                "source" | "src" => source = Some(value),
                "target" | "dst" | "destination" => target = Some(value),
                "readonly" | "ro" if value != "false" && value != "0" => mode = Mode::Read,
                "readonly" | "ro" | "consistency" => {}
                "tmpfs-size" | "tmpfs-mode" => {}
                "bind-propagation" if value == "private" || value == "rprivate" => {}
                _ => {
                    return self.refuse(
                        "mount",
                        "one of its options is not judged",
                        "leave all but `readonly` out",
                    );
                }
            }
        }
        let Some(target) = target else {
            return self.refuse("mount", "it has no target", "write `--mount type=bind,src=/dir,dst=/dir`");
        };
        match (kind, source) {
            ("bind", Some(source)) => self.bind((source, target, mode), granted, tree),
            ("volume", Some(source)) if !is_place(source) => self.named(source, target, mode),
            ("volume", None) => self.words.push(format!("--mount=type=volume,target={target}").into()),
            ("tmpfs", None) => self.words.push(format!("--mount={text}").into()),
            _ => self.refuse("mount", "mounts of this type are not judged", "use `type=bind`"),
        }
    }

    /// A file that the engine's program reads itself.
    pub(super) fn file(&mut self, option: &str, text: &str, granted: &Granted, tree: &dyn Tree) {
        match self.place(text, Mode::Read, granted, tree) {
            Ok(path) => self.words.push(format!("--{option}={}", path.display()).into()),
            Err((why, remedy)) => self.refuse(option, &why, &remedy),
        }
    }

    /// A volume of the engine's own. What others left in it the command line's author knows.
    fn named(&mut self, name: &str, target: &str, mode: Mode) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || !name.chars().all(plain) || !is_target(target) {
            return self.refuse(
                "volume",
                "its name or its target is no plain one",
                "write `--volume name:/dir`",
            );
        }
        let read_only = if mode == Mode::Read { ":ro" } else { "" };
        self.words.push(format!("--volume={name}:{target}{read_only}").into());
    }

    fn bind(&mut self, (source, target, mode): (&str, &str, Mode), granted: &Granted, tree: &dyn Tree) {
        if !is_target(target) {
            return self.refuse("mount", "its target is no plain absolute path", "choose another target");
        }
        let path = match self.place(source, mode, granted, tree) {
            Ok(path) => path,
            Err((why, remedy)) => return self.refuse("mount", &why, &remedy),
        };
        if path.to_str().is_none_or(|text| text.contains([',', '"', '\n'])) {
            return self.refuse(
                "mount",
                "its path holds a comma, a quote or no text",
                "choose a directory with a plain name",
            );
        }
        let read_only = |mode: Mode| if mode == Mode::Read { ",readonly" } else { "" };
        let source = path.display();
        self.words
            .push(format!("--mount=type=bind,source={source},target={target}{}", read_only(mode)).into());
        self.mask((&path, target, mode), granted, tree);
    }

    /// What is closed below a mounted directory is covered in the container.
    fn mask(&mut self, (path, target, mode): (&Path, &str, Mode), granted: &Granted, tree: &dyn Tree) {
        for place in granted.closed.iter().filter(|place| place.path.starts_with(path)) {
            let (Some(kind), Ok(below)) = (tree.kind(&place.path), place.path.strip_prefix(path)) else {
                continue;
            };
            let inside = Path::new(target).join(below);
            let inside = inside.display();
            let over = match (place.closed, kind) {
                (Closed::Entirely | Closed::Contents, EntryKind::Directory) => {
                    format!("type=tmpfs,target={inside},tmpfs-size=4096,tmpfs-mode=0")
                }
                (Closed::Entirely | Closed::Contents, _) => {
                    format!("type=bind,source=/dev/null,target={inside},readonly")
                }
                (Closed::ForWriting, _) if mode == Mode::Write => {
                    format!("type=bind,source={},target={inside},readonly", place.path.display())
                }
                (Closed::ForWriting, _) => continue,
            };
            if over.contains(['"', '\n']) || over.matches(',').count() > 3 {
                return self.refuse(
                    "mount",
                    "a closed place in it has a name that cannot be masked",
                    "grant another directory",
                );
            }
            self.words.push(format!("--mount={over}").into());
        }
    }

    /// The place on the host, if it is granted.
    fn place(
        &self,
        text: &str,
        mode: Mode,
        granted: &Granted,
        tree: &dyn Tree,
    ) -> Result<PathBuf, (String, String)> {
        let asked = granted.cwd.join(text);
        let Some(path) = tree.canonical(&asked) else {
            // Docker would make a directory there, as root.
            return Err((format!("{} does not exist", asked.display()), "create it first".to_owned()));
        };
        let shown = path.display();
        if SOCKETS_OF_ENGINES
            .iter()
            .any(|socket| Path::new(socket).starts_with(&path) || path.starts_with(socket))
        {
            let why =
                format!("{shown} leads to a container engine, and whoever reaches that has this machine");
            return Err((why, "leave it out".to_owned()));
        }
        if tree.kind(&path) == Some(EntryKind::Other) {
            return Err((format!("{shown} is a socket, a pipe or a device"), "leave it out".to_owned()));
        }
        let closed = granted
            .closed
            .iter()
            .any(|place| place.closed == Closed::Entirely && path.starts_with(&place.path));
        if closed {
            return Err((format!("{shown} is a place that stays closed"), "leave it out".to_owned()));
        }
        let fits = |access: Access| mode == Mode::Read || access == Access::ReadWrite;
        let mut around = granted.paths.iter().filter(|rule| path.starts_with(&rule.path));
        if around.clone().any(|rule| fits(rule.access)) {
            return Ok(path);
        }
        Err(match (around.next(), mode) {
            (Some(_), Mode::Write) => (
                format!("{shown} is granted for reading only"),
                format!("mount it read-only, or grant it: `--grant-write {shown}`"),
            ),
            (_, Mode::Write) => (
                format!("{shown} is not granted"),
                format!("`--grant-write {shown}`, or mount it read-only and `--grant-read {shown}`"),
            ),
            (_, Mode::Read) => (format!("{shown} is not granted"), format!("`--grant-read {shown}`")),
        })
    }
}

/// A path rather than the name of a volume.
fn is_place(source: &str) -> bool {
    source.starts_with(['/', '.', '~']) || source.contains('/')
}

fn is_target(target: &str) -> bool {
    target.starts_with('/')
        && !target.contains([',', ':', '"', '\n'])
        && !target.split('/').any(|part| part == "..")
}

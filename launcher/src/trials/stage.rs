//! Where a trial takes place: two sets of directories with the same in them, and the files that lead to the stand-ins.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use super::certificates::Certificates;
use super::table::{Row, TextFile};
use super::{canaries, fakes};
use crate::error::{Failure, Kind};

/// Which of the two sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The server as it is.
    Bare,
    /// The server under Stockade.
    Contained,
}

/// What a trial needs.
pub struct Stage<'r> {
    row: &'r Row,
    dir: PathBuf,
    certificates: Certificates,
    programs: BTreeMap<String, String>,
}

impl<'r> Stage<'r> {
    /// Makes what both sides share, in `dir`.
    ///
    /// # Errors
    /// When a file can't be made.
    pub fn set(row: &'r Row, dir: &Path, path: &OsString) -> Result<Self, Failure> {
        let hosts: BTreeSet<_> = row.fakes.iter().map(|fake| fake.host.clone()).collect();
        let mut named: Vec<_> = hosts.iter().cloned().collect();
        named.push("stand-in.invalid".to_owned());
        let programs = row.needs.iter().filter_map(|name| Some((name.clone(), found(name, path)?))).collect();
        let certificates = Certificates::make(named)?;
        let stage = Self { row, dir: dir.to_owned(), certificates, programs };
        let lines = fakes::addresses(&row.fakes).into_iter().filter(|(host, _)| host != "localhost");
        let lines: String = lines.map(|(host, address)| format!("{address} {host}\n")).collect();
        write(&stage.dir.join("hosts"), &format!("127.0.0.1 localhost\n{lines}"))?;
        // Nobody answers there: a name that is not in `hosts` can't be resolved.
        write(&stage.dir.join("resolv.conf"), "nameserver 127.0.0.1\n")?;
        write(&stage.authority(), &stage.certificates.authority)?;
        Ok(stage)
    }

    /// Files that have to stand in the place of the host's.
    pub fn shown(&self) -> Vec<(PathBuf, PathBuf)> {
        let places = [("hosts", "/etc/hosts"), ("resolv.conf", "/etc/resolv.conf")];
        let real = |place: &str| std::fs::canonicalize(place).unwrap_or_else(|_| PathBuf::from(place));
        places.into_iter().map(|(file, place)| (self.dir.join(file), real(place))).collect()
    }

    /// Starts the stand-ins.
    ///
    /// # Errors
    /// When a port can't be had.
    pub fn answer(&self) -> Result<(), Failure> {
        fakes::serve(&self.row.fakes, self.certificates.server.clone())
    }

    /// Makes the directories of one side and what stands in them.
    ///
    /// # Errors
    /// When that fails, with what a line for the shell said.
    pub fn furnish(&self, side: Side) -> Result<(), Failure> {
        for dir in [self.cwd(side), self.home(side), self.tmp(side)] {
            std::fs::create_dir_all(&dir).map_err(|error| cannot(&dir, &error))?;
        }
        self.place(&self.cwd(side), &self.row.files, side)?;
        self.place(&self.home(side), &self.row.home, side)?;
        for line in &self.row.prepare {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", line]).current_dir(self.cwd(side)).stdin(Stdio::null());
            shell.env("HOME", self.home(side));
            let output = shell.output().map_err(|error| cannot(Path::new("/bin/sh"), &error))?;
            if !output.status.success() {
                return Err(Failure::new(Kind::Software, format!("`{line}` failed"))
                    .cause(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
            }
        }
        // After the lines: these are nothing that anybody would commit.
        canaries::place(&self.home(side), &self.cwd(side))
    }

    fn place(&self, dir: &Path, files: &[TextFile], side: Side) -> Result<(), Failure> {
        for file in files {
            let relative = Path::new(&file.path);
            if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(Failure::new(Kind::Config, format!("`{}` leads elsewhere", file.path))
                    .hint("files of a trial are named relative to its directories, without `..`"));
            }
            let path = dir.join(relative);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|error| cannot(parent, &error))?;
            }
            write(&path, &self.text(&file.text, side))?;
        }
        Ok(())
    }

    /// The working directory.
    pub fn cwd(&self, side: Side) -> PathBuf {
        self.of(side).join("cwd")
    }

    /// The home directory.
    pub fn home(&self, side: Side) -> PathBuf {
        self.of(side).join("home")
    }

    fn tmp(&self, side: Side) -> PathBuf {
        self.of(side).join("tmp")
    }

    fn of(&self, side: Side) -> PathBuf {
        self.dir.join(match side {
            Side::Bare => "b",
            Side::Contained => "c",
        })
    }

    fn authority(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The environment that the client of a side has, but for what the client's entry sets.
    pub fn env(&self, side: Side, path: &OsString) -> BTreeMap<OsString, OsString> {
        let authority = self.authority().into_os_string();
        let pairs: [(&str, OsString); 9] = [
            ("PATH", path.clone()),
            ("HOME", self.home(side).into()),
            ("TMPDIR", self.tmp(side).into()),
            ("LANG", "C.UTF-8".into()),
            ("USER", "trial".into()),
            (canaries::VARIABLE, canaries::value().into()),
            // OpenSSL, Requests and Node.js in this order.
            ("SSL_CERT_FILE", authority.clone()),
            ("REQUESTS_CA_BUNDLE", authority.clone()),
            ("NODE_EXTRA_CA_CERTS", authority),
        ];
        let mut env: BTreeMap<_, _> = pairs.into_iter().map(|(name, value)| (name.into(), value)).collect();
        if side == Side::Bare {
            let set = self.row.env.iter().chain(&self.row.bare_env);
            env.extend(set.map(|(name, value)| (name.into(), self.text(value, side).into())));
        }
        env
    }

    /// What the client's entry sets.
    pub fn entry_env(&self) -> Vec<(String, String)> {
        let pairs = self.row.env.iter();
        pairs.map(|(name, value)| (name.clone(), self.text(value, Side::Contained))).collect()
    }

    /// A text of the row with its variables filled in.
    pub fn text(&self, text: &str, side: Side) -> String {
        let mut text = text.replace("${cwd}", &self.cwd(side).to_string_lossy());
        for (name, path) in &self.programs {
            text = text.replace(&format!("${{{name}}}"), path);
        }
        text
    }

    /// An answer without what differs from side to side.
    pub fn neutral(&self, text: &str, side: Side) -> String {
        text.replace(&*self.cwd(side).to_string_lossy(), "${cwd}")
    }
}

/// Where a program is.
pub(crate) fn found(name: &str, path: &OsString) -> Option<String> {
    let places = std::env::split_paths(path).map(|dir| dir.join(name));
    places.into_iter().find(|place| place.is_file()).map(|place| place.to_string_lossy().into_owned())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| cannot(path, &error))
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Software, format!("cannot make or use {}", path.display()))
        .because(error)
        .hint("the directory for temporary files needs room and has to be yours")
}

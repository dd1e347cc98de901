//! The person at the terminal. What widens a jail is asked of nobody else: an agent that may run commands has pipes, stands in
//! the background of somebody's terminal, or below the client that it belongs to. (A program can make itself a terminal and
//! cut itself off from its client; the record says who asked.)

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use nix::sys::termios::{FlushArg, LocalFlags, SetArg, tcflush, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp, ttyname};

use crate::error::{Failure, Kind};
use crate::{clients, host};

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64;
/// Longest secret that is read: a terminal hands over lines of at most 4096 bytes.
const SECRET_BYTES_MAX: usize = 4096;

/// The controlling terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    file: File,
}

impl Terminal {
    /// Opens it.
    ///
    /// # Errors
    /// When there is none, or somebody else is in its foreground.
    pub(super) fn open() -> Result<Self, Failure> {
        let env = std::env::vars_os().collect();
        if let Some((client, evidence)) = clients::client_above(&host::above(), &env) {
            return Err(Failure::new(
                Kind::Permission,
                "this is decided by a person, and not below an AI client",
            )
            .cause(format!("{client} stands above this command: {evidence}"))
            .hint(format!("open a terminal of your own, outside of {client}, and run it there")));
        }
        let nobody = |why: &str| {
            Failure::new(Kind::Permission, "this is decided by a person at a terminal, and here is none")
                .cause(why)
                .hint("run it in a terminal of your own")
        };
        // tty(4): ENXIO without a controlling terminal. Standard input and output may be anything.
        let flags = OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open("/dev/tty");
        let file = file.map_err(|error| nobody(&error.to_string()))?;
        match tcgetpgrp(&file) {
            Ok(foreground) if foreground == getpgrp() => Ok(Self { file }),
            Ok(_) => Err(nobody("this process is in the background")),
            Err(error) => Err(nobody(error.desc())),
        }
    }

    /// Its name, for the record.
    pub(super) fn name(&self) -> String {
        let streams = [ttyname(io::stdin()), ttyname(io::stdout()), ttyname(io::stderr())];
        // `/dev/tty` calls itself so and nothing else.
        let name = streams.into_iter().flatten().next();
        name.map_or_else(|| "/dev/tty".to_owned(), |name| name.display().to_string())
    }

    /// Shows something that a question is about.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn show(&mut self, text: &str) -> Result<(), Failure> {
        self.file.write_all(text.as_bytes()).map_err(|error| gone(&error))
    }

    /// Whether the answer is yes. What was typed before the question is no answer to it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn agrees(&mut self, question: &str) -> Result<bool, Failure> {
        tcflush(&self.file, FlushArg::TCIFLUSH).map_err(|error| gone(&error.into()))?;
        self.show(&format!("{question} [y/N] "))?;
        let answer = self.line(ANSWER_BYTES_MAX)?;
        Ok(matches!(answer.trim_ascii(), b"y" | b"Y" | b"yes"))
    }

    /// A line that is typed without being shown, without blanks around it.
    ///
    /// # Errors
    /// When the terminal is gone, or the line is no text.
    pub(super) fn secret(&mut self, question: &str) -> Result<String, Failure> {
        let before = tcgetattr(&self.file).map_err(|error| gone(&error.into()))?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&self.file, SetArg::TCSAFLUSH, &quiet).map_err(|error| gone(&error.into()))?;
        let line = self.show(&format!("{question}: ")).and_then(|()| self.line(SECRET_BYTES_MAX));
        let restored = tcsetattr(&self.file, SetArg::TCSANOW, &before);
        self.show("\n")?;
        restored.map_err(|error| gone(&error.into()))?;
        String::from_utf8(line?.trim_ascii().to_vec())
            .map_err(|error| gone(&io::Error::other(error.utf8_error())))
    }

    fn line(&mut self, bytes_max: usize) -> Result<Vec<u8>, Failure> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < bytes_max {
            match self.file.read(&mut byte) {
                Ok(0) => break,
                Ok(_) if byte == *b"\n" => break,
                Ok(_) => line.extend(byte),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(gone(&error)),
            }
        }
        Ok(line)
    }
}

fn gone(error: &io::Error) -> Failure {
    Failure::new(Kind::Permission, "cannot ask").because(error)
}

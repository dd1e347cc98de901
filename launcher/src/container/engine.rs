//! What the container engine on this machine can be asked. Nothing here starts a container.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::host::Facts;
use crate::identity::image::{Image, is_digest};

/// An engine that does not answer in this time is not there: a remote one may hang for minutes.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// More digests than this no image has.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// What the engine says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Local {
    /// It is here, under this digest of its registry.
    Digest(String),
    /// It is here and came from no registry.
    Built,
    /// It is not here: it would be fetched.
    Absent,
    /// The engine did not answer.
    Silent(String),
}

/// Asks the engine for the digest of an image that is already here.
pub fn local(program: &Path, typed: &str, image: &Image, facts: &Facts) -> Local {
    let mut command = Command::new(program);
    command.args(["image", "inspect", "--format", "{{json .RepoDigests}}", typed]).env_clear();
    command.envs(facts.env.iter().filter(|(name, value)| is_plain(name, value)));
    let (answer, complaint) = match answer(&mut command) {
        Ok(answer) => answer,
        Err(why) => return Local::Silent(why),
    };
    match digest(&answer, image) {
        Some(local) => local,
        None if complaint.to_ascii_lowercase().contains("no such") => Local::Absent,
        None => {
            let first = complaint.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
            Local::Silent(first.trim().chars().take(200).collect())
        }
    }
}

/// What says where this user's engine is. Nothing that a project's entry could set to load code into the program, or to
/// have another machine answer.
fn is_plain(name: &OsStr, value: &OsStr) -> bool {
    match name.to_str() {
        Some("HOME" | "PATH" | "XDG_RUNTIME_DIR") => true,
        Some("DOCKER_HOST") => value.as_encoded_bytes().starts_with(b"unix://"),
        _ => false,
    }
}

/// From `["ghcr.io/a/b@sha256:…"]`, the digest in the image's own repository.
fn digest(answer: &str, image: &Image) -> Option<Local> {
    let digests: Option<Vec<String>> = serde_json::from_str(answer.trim()).ok()?;
    let named = digests.into_iter().flatten().collect::<Vec<_>>();
    let of_repository = named.iter().filter_map(|name| name.split_once('@')).find(|(repository, digest)| {
        is_digest(digest)
            && Image::parse(repository, "docker").is_some_and(|known| known.repository == image.repository)
    });
    Some(of_repository.map_or(Local::Built, |(_, digest)| Local::Digest(digest.to_owned())))
}

/// Its stdout and stderr, if it ends in time. Into files: what it leaves behind could hold a pipe open for ever.
pub(super) fn answer(command: &mut Command) -> Result<(String, String), String> {
    let file = || tempfile::tempfile().map_err(|error| format!("no room for its answer: {error}"));
    let (mut said, mut complained) = (file()?, file()?);
    let end = |file: &File| file.try_clone().map(Stdio::from).map_err(|error| error.to_string());
    command.stdin(Stdio::null()).stdout(end(&said)?).stderr(end(&complained)?);
    let mut child = command.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
    let since = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if since.elapsed() < ANSWER_WITHIN => std::thread::sleep(LOOK_EVERY),
            Ok(None) => {
                // It may have ended by itself meanwhile.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok((text(&mut said)?, text(&mut complained)?))
}

fn text(file: &mut File) -> Result<String, String> {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| format!("its answer cannot be read: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    /// An engine that says what it is told to.
    fn engine(says: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker");
        std::fs::write(&path, format!("#!/bin/sh\n{says}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (dir, path)
    }

    fn asked(says: &str) -> Local {
        let (_dir, path) = engine(says);
        let image = Image::parse("mcp/x:1", "docker").unwrap();
        local(&path, "mcp/x:1", &image, &Facts::gather().unwrap())
    }

    #[test]
    fn nothing_that_loads_code_or_leads_elsewhere_reaches_the_program() {
        let plain = |name: &str, value: &str| is_plain(OsStr::new(name), OsStr::new(value));
        assert!(plain("HOME", "/home/u") && plain("DOCKER_HOST", "unix:///run/user/1000/docker.sock"));
        for (name, value) in
            [("LD_PRELOAD", "/x.so"), ("DOCKER_HOST", "tcp://evil:2375"), ("DOCKER_CONFIG", "/p")]
        {
            assert!(!plain(name, value), "{name}");
        }
    }

    #[test]
    fn the_digest_is_the_one_of_the_images_own_repository() {
        let says = format!(r#"echo '["other/x@sha256:{}","mcp/x@sha256:{HEX}"]'"#, HEX.replace('0', "f"));
        assert_eq!(asked(&says), Local::Digest(format!("sha256:{HEX}")));
        assert_eq!(asked(&format!(r#"echo '["other/x@sha256:{HEX}"]'"#)), Local::Built);
        assert_eq!(asked("echo '[]'"), Local::Built);
        assert_eq!(asked("echo null"), Local::Built);
    }

    #[test]
    fn an_image_that_is_not_here_and_an_engine_that_is_silent_differ() {
        assert_eq!(asked("echo 'Error: No such image: mcp/x:1' >&2; exit 1"), Local::Absent);
        let silent = asked("echo 'Cannot connect to the daemon' >&2; exit 1");
        assert_eq!(silent, Local::Silent("Cannot connect to the daemon".to_owned()));
        assert!(matches!(asked("sleep 60"), Local::Silent(why) if why.contains("no answer")));
    }
}

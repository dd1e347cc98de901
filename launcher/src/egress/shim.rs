//! `xdg-open` and its like as the server sees them: they hand the address of a page to us, and we open it outside if its
//! host is granted (`[net] open`). Logging in with OAuth begins this way.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use stockade_policy::egress::{Judge, Refusal};
use stockade_sandbox::{Access, Files, PathRule, Ruleset};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::broker::Inner;
use super::limiter::Rate;
use crate::error::{Failure, Kind};

mod browser;
mod page;

use page::Page;

/// Programs that servers call to have a page opened.
const NAMES: [&str; 4] = ["xdg-open", "open", "sensible-browser", "x-www-browser"];
/// The variable that tells the script where to write.
const FIFO_VARIABLE: &str = "STOCKADE_OPEN";
const FIFO_NAME: &str = "open-in-browser";
/// Longest address of a page; OAuth's are below 2 KiB.
const PAGE_BYTES_MAX: usize = 8 << 10;
/// Pages in this time, whatever they are: a server must not fill the desktop with windows.
const PAGES_MAX: usize = 5;
const PAGES_WINDOW: Duration = Duration::from_secs(60);

/// The last argument that is no option goes to the launcher, by a FIFO of the session. Built-in commands alone.
const SCRIPT: &str = r#"#!/bin/sh
# Stockade: hands the address of a page to the launcher, which opens it outside of the jail if its host is granted.
page=
for word; do
    case $word in
    http://* | https://*) page=$word ;;
    esac
done
if [ -z "$page" ] || [ ! -p "$STOCKADE_OPEN" ]; then
    echo "stockade: only web pages (http, https) can be opened from inside the jail" >&2
    exit 3
fi
printf '%s\n' "$page" >"$STOCKADE_OPEN"
"#;

/// The launcher's end of it.
#[derive(Debug)]
pub struct Shim {
    fifo: OwnedFd,
    /// `$BROWSER` of the launcher's own environment.
    browser: Option<OsString>,
}

impl Shim {
    /// Tells the ruleset of the scripts in `dir`, which the server may read and execute but not write, and of the FIFO in
    /// `tmp`, which is its own. Whether a rule for files was added: a ruleset is told once.
    pub fn announce(dir: &Path, tmp: &Path, ruleset: &mut Ruleset) -> bool {
        let fifo = tmp.join(FIFO_NAME);
        let told =
            ruleset.env.iter().any(|(name, value)| name == FIFO_VARIABLE && *value == *fifo.as_os_str());
        !told && equip(ruleset, dir, &fifo)
    }

    /// Makes what was announced. `browser` is `$BROWSER` outside.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn place(dir: &Path, tmp: &Path, browser: Option<OsString>) -> Result<Self, Failure> {
        let fifo = make_scripts(dir).and_then(|()| make_fifo(&tmp.join(FIFO_NAME))).map_err(|error| {
            Failure::new(Kind::Permission, format!("cannot prepare {}", dir.display()))
                .because(&error)
                .hint("make room there or mend its permissions")
        })?;
        Ok(Self { fifo, browser })
    }
}

fn make_scripts(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(dir)?;
    for name in NAMES {
        let path = dir.join(name);
        if std::fs::read(&path).is_ok_and(|text| text == SCRIPT.as_bytes()) {
            continue;
        }
        // Other sessions of this server may be executing it: a whole new file takes its place.
        let mut new = tempfile::NamedTempFile::new_in(dir)?;
        new.write_all(SCRIPT.as_bytes())?;
        new.as_file().set_permissions(Permissions::from_mode(0o755))?;
        new.persist(&path)?;
    }
    Ok(())
}

/// Opened for reading and writing, so that no writer ever waits for a reader and no end comes when one closes (fifo(7)).
/// Opened before the server starts: what it puts in its place later reaches nobody.
fn make_fifo(path: &Path) -> io::Result<OwnedFd> {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600))?;
    let fifo = OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK | O_NOFOLLOW).open(path)?;
    Ok(fifo.into())
}

fn equip(ruleset: &mut Ruleset, dir: &Path, fifo: &Path) -> bool {
    let rule = PathRule { path: dir.to_owned(), access: Access::ReadExecute };
    if let Some(Files { wide, narrow, .. }) = &mut ruleset.files {
        wide.push(rule.clone());
        narrow.push(rule);
    }
    let take = |env: &mut Vec<(OsString, OsString)>, name: &str| -> Option<OsString> {
        let at = env.iter().position(|(known, _)| known == name)?;
        Some(env.remove(at).1)
    };
    let path = take(&mut ruleset.env, "PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let _ = take(&mut ruleset.env, "BROWSER");
    let front: [&OsStr; 3] = [dir.as_os_str(), OsStr::new(":"), &path];
    ruleset.env.push(("PATH".into(), front.into_iter().collect()));
    ruleset.env.push(("BROWSER".into(), dir.join("xdg-open").into()));
    ruleset.env.push((FIFO_VARIABLE.into(), PathBuf::from(fifo).into()));
    ruleset.files.is_some()
}

/// Reads addresses until the session ends.
///
/// # Errors
/// When the FIFO cannot be polled.
pub(super) fn serve(inner: &Rc<Inner>, shim: Shim) -> io::Result<()> {
    let fifo = pipe::Receiver::from_owned_fd(shim.fifo)?;
    inner.spawn(read(Rc::clone(inner), fifo, shim.browser));
    Ok(())
}

async fn read(inner: Rc<Inner>, mut fifo: pipe::Receiver, browser: Option<OsString>) {
    let mut rate = Rate::new(PAGES_MAX, PAGES_WINDOW);
    let mut lines = Lines::default();
    let mut chunk = [0; 4096];
    loop {
        let Ok(length @ 1..) = fifo.read(&mut chunk).await else { return };
        for line in lines.add(chunk.get(..length).unwrap_or_default()) {
            wanted(&inner, &line, browser.as_deref(), &mut rate).await;
        }
    }
}

async fn wanted(inner: &Inner, line: &str, browser: Option<&OsStr>, rate: &mut Rate) {
    let during = inner.ledger.calls();
    let refused = |shown: &str, refusal: &Refusal| {
        inner.ledger.browser("refused", shown, Some(refusal), during.clone());
    };
    let page = match Page::parse(line) {
        Ok(page) => page,
        Err(why) => return refused("(not shown)", &because(why.to_owned())),
    };
    let hosts: Vec<&str> = inner.shared.settings.open_hosts.iter().map(String::as_str).collect();
    if !Judge::opens(&hosts, &page.host) {
        return refused(&page.shown, &not_granted(&page));
    }
    if !rate.take(Instant::now()) {
        let why = format!("more than {PAGES_MAX} pages in {} seconds", PAGES_WINDOW.as_secs());
        return refused(&page.shown, &because(why));
    }
    match browser::open(browser, &page.address).await {
        Ok(()) => inner.ledger.browser("opened", &page.shown, None, during),
        Err(why) => inner.ledger.browser("failed", &page.shown, Some(&because(why)), during),
    }
}

fn because(why: String) -> Refusal {
    Refusal { what: String::new(), why, fragment: None }
}

fn not_granted(page: &Page) -> Refusal {
    Refusal {
        what: page.host.clone(),
        why: "no grant names this host".to_owned(),
        fragment: Some(format!("[net]\nopen = [{{ host = \"{}\", reason = \"…\" }}]", page.host)),
    }
}

/// Bytes → lines within bounds; a line over the limit is thrown away.
#[derive(Debug, Default)]
struct Lines {
    begun: Vec<u8>,
    too_long: bool,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            self.too_long |= self.begun.len() + text.len() > PAGE_BYTES_MAX;
            if !self.too_long {
                self.begun.extend_from_slice(text);
            }
            if ends {
                let line = std::mem::take(&mut self.begun);
                if !std::mem::take(&mut self.too_long) && !line.is_empty() {
                    whole.push(String::from_utf8_lossy(&line).into_owned());
                }
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests;

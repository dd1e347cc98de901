//! The server's stderr: capped, masked, without control characters, never parsed.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use stockade_policy::detect::Engine;
use tokio::io::AsyncWriteExt;

use super::ends::{Reader, Writer};
use super::lines::{Line, LineReader};
use crate::commands::screen::is_invisible;

/// Longer lines are cut.
const LINE_BYTES_MAX: usize = 16 << 10;
/// Taken off a cut line's end: longer than any token that is recognised by its prefix.
const CUT_BYTES: usize = 512;
/// Passed on in one session at the most.
const SESSION_BYTES_MAX: u64 = 16 << 20;
/// Kept for the answers that are made up when the server dies.
const TAIL_BYTES: usize = 2 << 10;

/// What has been read so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    tail: VecDeque<String>,
    tail_bytes: usize,
    bytes: u64,
    withheld: u64,
}

impl Seen {
    /// The masked end, at most 2 KiB.
    pub(super) fn tail(&self) -> String {
        let joined = self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        let from = joined.len().saturating_sub(TAIL_BYTES);
        let from = (from..=joined.len()).find(|&at| joined.is_char_boundary(at)).unwrap_or(joined.len());
        joined[from..].to_owned()
    }

    /// Bytes read, and of these the ones not passed on.
    pub(super) fn amounts(&self) -> (u64, u64) {
        (self.bytes, self.withheld)
    }

    fn add(&mut self, line: &str) {
        self.tail_bytes += line.len();
        self.tail.push_back(line.to_owned());
        while self.tail_bytes > TAIL_BYTES && self.tail.len() > 1 {
            self.tail_bytes -= self.tail.pop_front().map_or(0, |line| line.len());
        }
    }
}

/// Reads the server's stderr to its end, passing it on to ours.
pub(super) async fn pump(
    source: Reader,
    mut out: Option<Writer>,
    engine: Arc<Engine>,
    seen: Rc<RefCell<Seen>>,
) {
    let mut lines = LineReader::new(source, LINE_BYTES_MAX);
    let mut armour = Armour::default();
    loop {
        let (bytes, length) = match lines.next().await {
            Ok(Line::Whole) => {
                (lines.bytes().strip_suffix(b"\n").unwrap_or_default().to_vec(), lines.bytes().len() as u64)
            }
            Ok(Line::Oversize { mut prefix, bytes, .. }) => {
                // A token that the cut went through could not be recognised: its beginning goes too.
                prefix.truncate(LINE_BYTES_MAX - CUT_BYTES);
                prefix.extend_from_slice(" … (cut)".as_bytes());
                (prefix, bytes + 1)
            }
            Ok(Line::Unterminated(rest)) => {
                let length = rest.len() as u64;
                (rest, length)
            }
            Ok(Line::End) | Err(_) => return,
        };
        let text = clean(&String::from_utf8_lossy(&bytes));
        let masked = armour.hide(engine.mask(&text));
        let over = {
            let mut seen = seen.borrow_mut();
            seen.bytes += length;
            seen.add(&masked);
            let over = seen.bytes > SESSION_BYTES_MAX;
            if over || out.is_none() {
                seen.withheld += length;
            }
            over
        };
        if over {
            if let Some(mut writer) = out.take() {
                let _ = writer
                    .write_all(b"stockade: the server's stderr went over 16 MiB; the rest is not shown\n")
                    .await;
            }
            continue;
        }
        if let Some(writer) = &mut out {
            // Nobody reads our stderr any more: keep emptying the server's, so that it never blocks.
            if writer.write_all(format!("{masked}\n").as_bytes()).await.is_err()
                || writer.flush().await.is_err()
            {
                out = None;
            }
        }
    }
}

/// Whether we stand inside a private key in PEM form (RFC 7468), which is spread over many lines.
#[derive(Debug, Default)]
struct Armour {
    inside: bool,
}

impl Armour {
    /// The line, or what stands for it while a key is passing.
    fn hide<'t>(&mut self, line: Cow<'t, str>) -> Cow<'t, str> {
        // The engine has masked the first line already if it knew it; the words of a key's end are never masked.
        let begins = line.contains("PRIVATE KEY-----") && line.contains("-----BEGIN")
            || line.contains("[REDACTED:private-key:");
        let ends = line.contains("-----END");
        let hidden = self.inside || begins;
        self.inside = hidden && !ends;
        if hidden && !line.contains("[REDACTED:") {
            Cow::Borrowed("[REDACTED: part of a private key]")
        } else {
            line
        }
    }
}

/// Without escape sequences (ECMA-48 CSI and OSC) and control characters: a log viewer is a terminal too.
fn clean(text: &str) -> String {
    if !text.chars().any(|c| (c.is_control() && c != '\t') || is_invisible(c)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\u{1b}', Some('[')) => {
                chars.next();
                while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {}
            }
            ('\u{1b}', Some(']')) => while chars.next().is_some_and(|c| c != '\u{7}' && c != '\u{1b}') {},
            ('\t', _) => out.push('\t'),
            (c, _) if c.is_control() || is_invisible(c) => {}
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_control_characters_are_dropped() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m\tplain\r\u{8}"), "red\tplain");
        assert_eq!(clean("\u{1b}]0;title\u{7}text"), "text");
    }

    #[test]
    fn a_private_key_is_hidden_over_all_its_lines() {
        let mut armour = Armour::default();
        let lines = [
            "before",
            "-----BEGIN RSA PRIVATE KEY-----",
            "MIIEow",
            "IBAAKC",
            "-----END RSA PRIVATE KEY-----",
            "after",
        ];
        let shown: Vec<String> = lines.map(|line| armour.hide(Cow::Borrowed(line)).into_owned()).to_vec();
        assert_eq!((&*shown[0], &*shown[5]), ("before", "after"));
        assert!(shown[1..5].iter().all(|line| line == "[REDACTED: part of a private key]"), "{shown:?}");
    }

    #[test]
    fn the_tail_is_the_end_and_bounded() {
        let mut seen = Seen::default();
        for n in 0..1000 {
            seen.add(&format!("line {n} é"));
        }
        let tail = seen.tail();
        assert!(tail.len() <= TAIL_BYTES && tail.ends_with("line 999 é"), "{tail}");
    }
}

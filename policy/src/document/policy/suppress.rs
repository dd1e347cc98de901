//! One `[[suppress]]`: a finding that somebody answers for, for a time.

use super::detectors::KnownDetectors;
use super::parse::{DIRECTIONS, Ids, owned, sentence};
use super::times::until;
use super::{Directions, Suppression, Term};
use crate::document::identity::identity_patterns;
use crate::document::reader::{Reader, Section, Text, shown};
use crate::rules::UnixTime;

/// What [`hash`] takes, for the schema.
pub(super) const HASH_PATTERN: &str = "^[0-9a-f]{8}$";
/// What `until` takes, for the schema.
pub(super) const UNTIL_PATTERN: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}Z)?$";
/// What [`path`] takes, for the schema.
pub(super) const PATH_PATTERN: &str = r"^[/*]";
const NOT_YET: &[&str] =
    &["when", "prompts", "resources", "clients", "users", "groups", "confidence", "class"];
const DAY_MS: u64 = 24 * 3_600_000;
/// Whoever answers for something looks at it again within a year. A day more, for `until` names a day's end.
const TERM_MAX_MS: u64 = 367 * DAY_MS;

pub(super) fn suppression(
    r: &mut Reader<'_>,
    mut s: Section<'_>,
    ids: &mut Ids,
    known: &KnownDetectors<'_>,
) -> Option<Suppression> {
    let (line, at) = (r.line(s.at), s.at);
    let id = ids.read(r, &mut s);
    let detect = s.names(r, "detect").into_iter().filter(|text| known.check(r, text)).collect();
    let hash = s.string(r, "hash").map(|text| hash(r, text));
    if s.value("detect").is_none() && s.value("hash").is_none() {
        let remedy = "write the detector, `detect = [\"secret/…\"]`, or the hash that `stockade log` shows, \
                      `hash = \"3fa9c1d2\"`; best both";
        r.lacking(at, "[[suppress]] has neither `detect` nor `hash`", Some(remedy.to_owned()));
    }
    let path = s.string(r, "path").map(|text| path(r, text));
    let servers = s.names(r, "servers");
    let servers = identity_patterns(r, &servers);
    let tools = owned(s.names(r, "tools"));
    let direction = s.word(r, "direction", DIRECTIONS).unwrap_or(Directions::Both);
    let author = s.required(r, "author", "say who answers for it: `author = \"Ada Lovelace\"`");
    let author = author.and_then(|text| sentence(r, text));
    let reason = s.required(r, "reason", "say in one sentence why this is no finding");
    let reason = reason.and_then(|text| sentence(r, text));
    let until = s.required(r, "until", "say when somebody looks at it again, at most a year ahead");
    let until = until.and_then(|text| end(r, text));
    s.close(r, NOT_YET);
    let hash = hash.map_or(Some(None), |hash| hash.map(Some))?;
    let path = path.map_or(Some(None), |path| path.map(Some))?;
    Some(Suppression {
        id: id?,
        detect: owned(detect),
        hash,
        path,
        servers,
        tools,
        direction,
        author: author?,
        reason: reason?,
        until: until?,
        line,
    })
}

fn hash(r: &mut Reader<'_>, text: Text<'_>) -> Option<[u8; 8]> {
    let digits = <[u8; 8]>::try_from(text.text.as_bytes()).ok();
    let digits = digits.filter(|hash| hash.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    if digits.is_none() {
        let remedy = "write the eight digits that `stockade dlp report` shows, as in `3fa9c1d2`".to_owned();
        // What stands there may be the very value.
        r.wrong(text.at, "`hash` is eight hex digits in lower case", Some(remedy));
    }
    digits
}

fn path(r: &mut Reader<'_>, text: Text<'_>) -> Option<String> {
    if text.text.starts_with(['/', '*']) {
        return Some(text.text.to_owned());
    }
    let what = format!("`path` cannot be `{}`", shown(text.text));
    let remedy =
        "write it as `stockade log --json` does: `/params/arguments/content`; `*` is any run".to_owned();
    r.wrong(text.at, what, Some(remedy));
    None
}

fn end(r: &mut Reader<'_>, text: Text<'_>) -> Option<UnixTime> {
    let moment = until(text.text);
    if moment.is_none() {
        let remedy = "write a day, \"2026-12-31\" (its last), or a moment, \"2026-12-31T18:00Z\"".to_owned();
        r.wrong(text.at, format!("`until` cannot be `{}`", shown(text.text)), Some(remedy));
    }
    moment
}

impl Suppression {
    /// What its end means at this time.
    #[must_use]
    pub fn term(&self, now: UnixTime) -> Term {
        match self.until.0.checked_sub(now.0) {
            None | Some(0) => Term::Expired,
            Some(left) if left > TERM_MAX_MS => Term::TooLong,
            Some(_) => Term::Holds,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::document::policy::{PolicyDocument, Term};
    use crate::rules::UnixTime;

    #[test]
    fn every_mistake_is_told_and_a_value_in_the_place_of_its_hash_is_not_repeated() {
        let value = ["ghp", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"].join("_");
        let text = format!(
            "version = 1\n[[suppress]]\nid = \"a\"\nhash = \"{value}\"\npath = \"params.text\"\nauthor = \"\"\nuntil = \
             \"soon\"\n[[suppress]]\nid = \"b\"\nreason = \"r\"\nauthor = \"A\"\nuntil = \"2026-12-31\"\nwhen = \"true\"\n\
             [[suppress]]\nid = \"b\"\ndetect = [\"secret/nobody\"]\nauthor = \"A\"\nreason = \"r\"\nuntil = \"2026-12-31\"\n"
        );
        let mistakes = PolicyDocument::parse("p", &text).expect_err("mistakes");
        assert!(!mistakes.to_string().contains(&value), "{mistakes}");
        let told = mistakes.mistakes.iter().map(|m| format!("{}:{}", m.line, m.what)).collect::<Vec<_>>();
        for expected in [
            "4:`hash` is eight hex digits",
            "5:`path` cannot be `params.text`",
            "6:`author` is empty",
            "2:[[suppress]] has no `reason`",
            "7:`until` cannot be `soon`",
            "8:[[suppress]] has neither `detect` nor `hash`",
            "13:",
            "15:the id `b` is already used",
            "16:this version has no detector `secret/nobody`",
        ] {
            assert!(told.iter().any(|told| told.starts_with(expected)), "{expected}: {told:#?}");
        }
    }

    #[test]
    fn a_suppression_ends_with_its_day_and_nobody_answers_for_more_than_a_year() {
        let text = "version = 1\n[[suppress]]\nid = \"a\"\nhash = \"0123abcd\"\nauthor = \"A\"\nreason = \"r\"\nuntil = \
                    \"2026-12-31\"\n";
        let document = PolicyDocument::parse("p", text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let [one] = &document.suppressions[..] else { panic!("one") };
        let end = one.until.0;
        assert_eq!(one.term(UnixTime(end - 1)), Term::Holds);
        assert_eq!(one.term(UnixTime(end)), Term::Expired);
        assert_eq!(one.term(UnixTime(end - 366 * 24 * 3_600_000)), Term::Holds);
        assert_eq!(one.term(UnixTime(end - 368 * 24 * 3_600_000)), Term::TooLong);
    }
}

//! Walks a message: hands each key, string and number to the stages, in every reading that it has, and turns what they
//! find into findings.

use std::ops::Range;

use super::budget::Spent;
use super::context::{KeyContext, NameSet, inside};
use super::custom::{Row, Rows};
use super::engine::{Engine, Wanted};
use super::finding::{Confidence, Finding, Place, length_class};
use super::found::{Found, merge, settle};
use super::heads;
use super::memo::{MEMO_BYTES_MAX, Memo};
use super::placeholder;
use super::readings::{self, Known, Places, Reading, Readings};
use super::stages::{Prose, Stages, Subject};
use super::text::{RawCursor, decode};
use crate::wire::{Frame, Token, TokenKind, nested};

/// How often a text is read anew within a reading of it (base64 in base64), and JSON within JSON.
const DEPTH_MAX: u8 = 3;
/// Readings of a message may have so many times its size,
const READ_TIMES: usize = 2;
/// and so much more, for compressed text is short.
const READ_MORE: usize = 64 << 10;
/// A number of fewer digits within JSON in a string is no finding.
const NUMBER_MIN: usize = 7;
/// Quotes and blanks around a value that was read anew.
const AROUND_MAX: usize = 8;

/// One message under scan.
#[derive(Debug)]
pub(super) struct Walk<'e, 'o> {
    engine: &'e Engine,
    stages: Stages<'e>,
    findings: &'o mut Vec<Finding>,
    /// What was found in the text at hand.
    found: Vec<Found>,
    /// How many bytes of readings there may still be.
    room: usize,
    /// A reading was left out because there was no room for it.
    unread: bool,
    /// Memory for decoded strings, one for each level.
    decoded: Vec<Vec<u8>>,
    /// Memory for JSON in strings, one for each level.
    tapes: Vec<Vec<Token>>,
    /// Strings of JSON in strings that need not be looked at again.
    memo: Memo,
    /// Values of the organisation's tables in the strings before.
    rows: Rows,
}

/// How a text came about.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// JSON texts that it stands in.
    json: u8,
    /// Readings that led to it.
    read: u8,
    /// It stands in a text as it is, whose readings hold its own.
    plain: bool,
}

/// What is known while the readings of a text are gone through.
struct Sight<'w, 'e> {
    stages: &'w Stages<'e>,
    found: &'w [Found],
    room: usize,
}

impl<'e, 'o> Walk<'e, 'o> {
    /// Findings are appended to `findings`.
    pub(super) fn new(engine: &'e Engine, wanted: &'e Wanted, findings: &'o mut Vec<Finding>) -> Self {
        Self {
            engine,
            stages: engine.stages(wanted),
            findings,
            found: Vec::new(),
            room: 0,
            unread: false,
            decoded: Vec::new(),
            tapes: Vec::new(),
            memo: Memo::default(),
            rows: Rows::default(),
        }
    }

    /// Plain text.
    pub(super) fn plain(mut self, text: &[u8]) -> Result<(), Spent> {
        self.room = READ_TIMES * text.len() + READ_MORE;
        let scanned = self.text(&Subject { text, key: &[], names: &NameSet::default() }, Level::default());
        self.report(&(0..text.len()));
        scanned.and_then(|()| self.end())
    }

    /// Every key, string and number of a frame.
    pub(super) fn frame(mut self, frame: &Frame<'_>) -> Result<(), Spent> {
        self.room = READ_TIMES * frame.bytes.len() + READ_MORE;
        let from = self.findings.len();
        let scanned = self.tokens(frame);
        let engine = self.engine;
        std::mem::take(&mut self.rows).finish(self.findings, from, |row| row_finding(engine, frame, row));
        scanned.and_then(|()| self.end())
    }

    fn tokens(&mut self, frame: &Frame<'_>) -> Result<(), Spent> {
        let mut context = KeyContext::default();
        for token in frame.tape {
            self.rows.begin();
            let scanned = self.token(frame, token, &mut context, Level::default());
            if token.kind == TokenKind::Key {
                self.found.iter_mut().for_each(|found| found.place = Place::Key);
            }
            self.report(&(token.start as usize..token.end as usize));
            scanned?;
            let stages = &mut self.stages;
            self.rows.join(frame, token, |one, other| stages.row_of(one, other))?;
        }
        Ok(())
    }

    fn end(self) -> Result<(), Spent> {
        if self.unread { Err(Spent) } else { Ok(()) }
    }

    /// What is found stands in the frame's bytes.
    fn token<'f>(
        &mut self,
        frame: &Frame<'f>,
        token: &Token,
        context: &mut KeyContext<'f>,
        level: Level,
    ) -> Result<(), Spent> {
        match token.kind {
            TokenKind::Key => {
                let no_names = NameSet::default();
                self.string(frame, token, Subject { text: &[], key: &[], names: &no_names }, level)?;
                context.key(frame, token, self.stages.names);
            }
            TokenKind::String => {
                context.value(token);
                let subject = Subject { text: &[], key: context.key_text(), names: context.names() };
                self.string(frame, token, subject, level)?;
                context.string(frame, token, self.stages.names);
            }
            TokenKind::Number => {
                context.value(token);
                // What a short one could be was seen in the text that the number stands in.
                if level.json == 0 || (token.end - token.start) as usize >= NUMBER_MIN {
                    self.number(frame, token, context)?;
                }
            }
            TokenKind::Object | TokenKind::Array | TokenKind::Bool | TokenKind::Null => context.value(token),
        }
        Ok(())
    }

    /// A string or key: the raw bytes themselves where nothing is escaped, else their decoded text.
    fn string(
        &mut self,
        frame: &Frame<'_>,
        token: &Token,
        subject: Subject<'_>,
        level: Level,
    ) -> Result<(), Spent> {
        let raw = inside(frame, token);
        let (from, base) = (self.found.len(), token.start as usize + 1);
        if !token.escaped {
            // It was seen in the text that the JSON is, with its key before it: only what its key is called could add
            // to that.
            let short = level.json > 0 && raw.len() <= MEMO_BYTES_MAX && subject.names.is_empty();
            if short && let Some(names) = self.memo.names(raw) {
                self.stages.names = names;
                return Ok(());
            }
            let level = Level { plain: level.json > 0, ..level };
            let scanned = self.text(&Subject { text: raw, ..subject }, level);
            if short && self.found.len() == from {
                self.memo.remember(raw, self.stages.names);
            }
            for found in &mut self.found[from..] {
                found.span = base + found.span.start..base + found.span.end;
            }
            return scanned;
        }
        let mut decoded = self.decoded.pop().unwrap_or_default();
        decoded.clear();
        decode(raw, &mut decoded);
        let scanned = self.text(&Subject { text: &decoded, ..subject }, level);
        if self.found.len() > from {
            let mut cursor = RawCursor::new(raw);
            for found in &mut self.found[from..] {
                let within = cursor.raw_span(&found.span);
                found.span = base + within.start..base + within.end;
            }
        }
        self.decoded.push(decoded);
        scanned
    }

    fn number(&mut self, frame: &Frame<'_>, token: &Token, context: &KeyContext<'_>) -> Result<(), Spent> {
        let span = token.start as usize..token.end as usize;
        let Some(text) = frame.bytes.get(span.clone()) else { return Ok(()) };
        let from = self.found.len();
        let (key, names) = (context.key_text(), context.names());
        let scanned = self.stages.number(&Subject { text, key, names });
        self.note(text);
        for found in &mut self.found[from..] {
            found.place = Place::Number;
            found.span = span.start + found.span.start..span.start + found.span.end;
        }
        scanned
    }

    /// A text in all its readings; what is found is in order of its place.
    fn text(&mut self, subject: &Subject<'_>, level: Level) -> Result<(), Spent> {
        let from = self.found.len();
        self.stages.prose = if level.plain || level.read > 0 { Prose::Skipped } else { Prose::Read };
        let scanned = self.stages.text(subject);
        self.note(subject.text);
        scanned?;
        if level.plain || subject.text.len() < readings::TEXT_MIN {
            return Ok(());
        }
        // The names in the text itself are what counts for the next value.
        let names = self.stages.names;
        let mut read = self.other_readings(subject, level, from);
        if read.is_ok() {
            read = self.nested(subject.text, level, from);
        }
        self.stages.names = names;
        merge(&mut self.found, from);
        read
    }

    fn other_readings(&mut self, subject: &Subject<'_>, level: Level, from: usize) -> Result<(), Spent> {
        if level.read >= DEPTH_MAX {
            return Ok(());
        }
        let noted = self.found.len();
        let mut readings = Readings::of(subject.text);
        loop {
            let sight = Sight { stages: &self.stages, found: &self.found[from..noted], room: self.room };
            let Some(Reading { text, places }) = readings.next(&sight) else { return Ok(()) };
            let Some(room) = self.room.checked_sub(text.len()) else {
                self.unread = true;
                continue;
            };
            self.room = room;
            let is_value = places.all(text.len()).len() + AROUND_MAX >= subject.text.len();
            let names = if is_value { subject.names } else { &NameSet::default() };
            let read_from = self.found.len();
            let level = Level { read: level.read + 1, ..level };
            let scanned = self.text(&Subject { text: &text, key: subject.key, names }, level);
            self.keep(read_from, &places);
            scanned?;
        }
    }

    /// JSON in a string: its keys are context, and its strings have escapes of their own.
    fn nested(&mut self, text: &[u8], level: Level, from: usize) -> Result<(), Spent> {
        let bracket = |byte: Option<&u8>, brackets: [u8; 2]| byte.is_some_and(|b| brackets.contains(b));
        let trimmed = text.trim_ascii();
        let may_be = bracket(trimmed.first(), *b"{[") && bracket(trimmed.last(), *b"}]");
        if level.json >= DEPTH_MAX || !may_be {
            return Ok(());
        }
        let Ok(text) = std::str::from_utf8(text) else { return Ok(()) };
        let mut tape = self.tapes.pop().unwrap_or_default();
        let mut scanned = Ok(());
        if let Some(json) = nested::frame(text, &mut tape) {
            settle(&mut self.found, from, &json);
            let mut context = KeyContext::default();
            let level = Level { json: level.json + 1, ..level };
            scanned = json.tape.iter().try_for_each(|token| self.token(&json, token, &mut context, level));
        }
        self.tapes.push(tape);
        scanned
    }

    /// Takes the hits of the stages over; also those that were found before the budget was used up.
    fn note(&mut self, text: &[u8]) {
        self.rows.take(&mut self.stages.edges);
        if self.stages.hits.is_empty() {
            return;
        }
        let from = self.found.len();
        for hit in &mut self.stages.hits {
            hit.span = whole_characters(text, &hit.span);
            if placeholder::covers(text, &hit.span, |name| self.engine.is_placeholder_name(name)) {
                continue;
            }
            let value = &text[hit.span.clone()];
            let chars = value.iter().filter(|b| *b & 0xc0 != 0x80).take(64).count();
            self.found.push(Found {
                source: hit.source,
                confidence: hit.confidence,
                place: Place::Text,
                span: hit.span.clone(),
                length_class: length_class(chars),
                hash: self.engine.hash(value),
            });
        }
        merge(&mut self.found, from);
    }

    /// Moves what was found in a reading to where the reading comes from. What stands there as it is was found there
    /// already; of the rest only what is sure counts, for decoded text is full of chance.
    fn keep(&mut self, from: usize, places: &Places) {
        if self.found.len() == from {
            return;
        }
        let mut read = self.found.split_off(from);
        read.retain_mut(|found| {
            let is_pii = self.engine.name(found.source).starts_with("pii/");
            let least = if is_pii { Confidence::High } else { Confidence::Medium };
            let counts = found.confidence >= least && places.differs_near(&found.span);
            (found.span, found.place) = (places.outer(&found.span), Place::Text);
            counts
        });
        self.found.append(&mut read);
    }

    /// Turns what was found in a token into findings.
    fn report(&mut self, token: &Range<usize>) {
        for found in self.found.drain(..) {
            self.findings.push(Finding {
                detector: self.engine.name(found.source),
                confidence: found.confidence,
                place: found.place,
                raw: found.span,
                token: token.clone(),
                length_class: found.length_class,
                hash: found.hash,
            });
        }
    }
}

/// The span, widened to whole characters: a rule that looks so many bytes far may end within one, and what is put in the
/// stead of half a character is no text.
fn whole_characters(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let goes_on = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let before = (1..=span.start).take(3).take_while(|back| goes_on(&(span.start + 1 - back))).count();
    let behind = (span.end..).take(3).take_while(goes_on).count();
    span.start - before..span.end + behind
}

/// A value of a row whose other value stands in another string.
fn row_finding(engine: &Engine, frame: &Frame<'_>, row: Row) -> Finding {
    let mut value = Vec::new();
    decode(frame.bytes.get(row.raw.clone()).unwrap_or(&[]), &mut value);
    Finding {
        detector: engine.name(engine.table_detector(row.table)),
        confidence: row.confidence,
        place: row.place,
        raw: row.raw,
        token: row.token,
        length_class: length_class(value.iter().filter(|b| *b & 0xc0 != 0x80).count()),
        hash: engine.hash(&value),
    }
}

impl Known for Sight<'_, '_> {
    fn room(&self) -> usize {
        self.room
    }

    fn begins(&self, head: &[u8]) -> bool {
        heads::may_begin(head) && self.stages.may_begin(head)
    }

    fn covers(&self, run: &Range<usize>) -> bool {
        if self.found.is_empty() {
            return false;
        }
        let before = self.found.partition_point(|found| found.span.start <= run.start);
        // Few findings start before a run and end behind it.
        self.found[..before].iter().rev().take(4).any(|found| {
            found.confidence >= Confidence::Medium
                && !found.is_generic()
                && run.end <= found.span.end
                && found.span.len() <= 2 * run.len()
        })
    }
}

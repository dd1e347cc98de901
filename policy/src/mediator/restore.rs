//! Placeholders that come back: what was redacted on its way to the client is put back on its way to the server that it came
//! from, and to no other.

use std::collections::BTreeSet;
use std::ops::Range;

use super::action::{Turn, Without};
use super::content::Scan;
use super::edit::{Edit, splice};
use super::reply::json_string;
use super::session::Mediator;
use super::vault::{Kept, Value};
use crate::detect::{Finding, RawCursor, Sighting, decode, may_hold};
use crate::rules::Ruling;
use crate::verdict::Content;
use crate::wire::{Direction, Frame, Node, Parser, Shape, Token, TokenKind};

/// Members of a request's params in which values are put back: what a server takes as data.
const DATA_MEMBERS: [&str; 4] = ["arguments", "argument", "context", "inputResponses"];

/// What is known of the line at hand beside its frame.
#[derive(Debug, Default)]
pub(super) enum Restoring {
    /// No placeholder stands in it, or none that is put back.
    #[default]
    Nothing,
    /// One stands in it that cannot be put back: the line goes no further.
    Held(Ruling<Content>),
    /// Values were put back.
    Done(Box<Restored>),
}

/// A line in which values were put back.
#[derive(Debug)]
pub(super) struct Restored {
    /// What was found in the line as the client sent it, with the places of the line as it goes on.
    scan: Option<Scan>,
    /// Keyed hashes of the values: they may go where they came from.
    hashes: BTreeSet<[u8; 8]>,
    /// The params as the client sent them: what records and people are shown.
    params: Box<[u8]>,
    /// The member `arguments` of these.
    arguments: Option<Box<[u8]>>,
}

/// Why a placeholder goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    Foreign,
    Ambiguous,
    Damaged,
    Place,
    Tool,
}

/// Where values may be put back in a line, and for which tool.
struct Site<'f> {
    data: Vec<Range<usize>>,
    tool: Option<std::borrow::Cow<'f, str>>,
}

impl Mediator {
    /// A line of the client on its way: with its values put back, if placeholders of this session stand in it.
    pub(super) fn sent_by_client(&mut self, frame: &Frame<'_>, turn: &mut Turn<'_>) {
        let restored = match self.without {
            Without::Dlp => Ok(Vec::new()),
            _ => self.put_back(frame),
        };
        match restored {
            Ok(back) if back.is_empty() => self.message(frame, turn),
            Ok(back) => self.restored(frame, back, turn),
            Err(obstacle) => self.held(frame, obstacle.rule(), obstacle.text().to_owned(), turn),
        }
        self.restoring = Restoring::Nothing;
    }

    /// Remembers the placeholders that a line of the server holds as they are: they may go back as they are.
    pub(super) fn note_literals(&mut self, frame: &Frame<'_>) {
        for token in candidates(frame) {
            let text = frame.token_text(token);
            for sighting in self.engine.placeholders(text.as_bytes()) {
                self.vault.note_literal(&text[sighting.span().clone()]);
            }
        }
    }

    /// What was found in the line as the client sent it, if values were put back in it since.
    pub(super) fn scanned_before(&mut self) -> Option<Scan> {
        match &mut self.restoring {
            Restoring::Done(restored) => restored.scan.take(),
            Restoring::Nothing | Restoring::Held(_) => None,
        }
    }

    /// Whether what was found is a value that was put back.
    pub(super) fn was_put_back(&self, finding: &Finding) -> bool {
        matches!(&self.restoring, Restoring::Done(restored) if restored.hashes.contains(&finding.hash))
    }

    /// The params of the request at hand as the client sent them, where that is not what goes on.
    pub(super) fn params_as_sent(&self) -> Option<&[u8]> {
        match &self.restoring {
            Restoring::Done(restored) => Some(&restored.params),
            Restoring::Nothing | Restoring::Held(_) => None,
        }
    }

    /// Arguments as the client sent them, where that is not what goes on.
    pub(super) fn arguments_as_sent(&self) -> Option<Option<&[u8]>> {
        match &self.restoring {
            Restoring::Done(restored) => Some(restored.arguments.as_deref()),
            Restoring::Nothing | Restoring::Held(_) => None,
        }
    }

    fn held(&mut self, frame: &Frame<'_>, rule: &'static str, text: String, turn: &mut Turn<'_>) {
        self.restoring = Restoring::Held(self.policy.held(rule, text));
        self.message(frame, turn);
    }

    fn restored(&mut self, frame: &Frame<'_>, back: Vec<(Edit, Value)>, turn: &mut Turn<'_>) {
        // What the client itself says is searched as it says it: what is put back came from the server.
        let mut scan = self.scan(frame, Direction::ToServer);
        let values = back.len();
        let (edits, back): (Vec<Edit>, Vec<Value>) = back.into_iter().unzip();
        scan.shift(&edits);
        let params = frame.body();
        let raw = |node: Option<Node>| node.and_then(|node| frame.bytes.get(frame.span(node)));
        let restored = Restored {
            scan: Some(scan),
            hashes: back.iter().flat_map(|value| value.found.iter().map(|(_, hash)| *hash)).collect(),
            params: raw(params).unwrap_or_default().into(),
            arguments: raw(params.and_then(|params| frame.get(params, "arguments"))).map(Box::from),
        };
        let bytes = splice(frame.bytes, edits);
        let mut parser = Parser::default();
        let outcome = parser.parse(&bytes, Direction::ToServer, &self.to_server);
        match outcome {
            Ok(mut whole) => {
                whole.repairs = frame.repairs;
                self.restoring = Restoring::Done(Box::new(restored));
                turn.restored = values;
                self.message(&whole, turn);
            }
            Err(refused) => {
                let text =
                    format!("with the redacted values put back it would be refused: {}", refused.reason);
                self.held(frame, "placeholder/line", text, turn);
            }
        }
    }

    /// What has to be replaced in a line of the client so that the server gets its own values.
    fn put_back(&self, frame: &Frame<'_>) -> Result<Vec<(Edit, Value)>, Obstacle> {
        let mut back = Vec::new();
        let mut site = None;
        for token in candidates(frame) {
            let text = frame.token_text(token);
            let mut sightings = self.engine.placeholders(text.as_bytes());
            if sightings.is_empty() {
                continue;
            }
            sightings.sort_by_key(|sighting| sighting.span().start);
            let site = site.get_or_insert_with(|| Site::of(frame));
            let inside = token.start as usize + 1..(token.end as usize).saturating_sub(1);
            let mut cursor = RawCursor::new(frame.bytes.get(inside.clone()).unwrap_or_default());
            for sighting in sightings {
                let Some((span, value)) = self.value_of(&text, sighting, (site, token))? else { continue };
                let raw = cursor.raw_span(&span);
                let range = inside.start + raw.start..inside.start + raw.end;
                back.push(((range, in_string(&value.text).into()), value));
            }
        }
        Ok(back)
    }

    /// The value that a placeholder stands for, and what of the text it takes the place of; `None` if the placeholder goes on
    /// as it is.
    fn value_of(
        &self,
        text: &str,
        sighting: Sighting,
        (site, token): (&Site<'_>, &Token),
    ) -> Result<Option<(Range<usize>, Value)>, Obstacle> {
        let span = sighting.span().clone();
        let value = match self.vault.get(&text[span.clone()]) {
            None if matches!(sighting, Sighting::Whole(_)) => return Err(Obstacle::Foreign),
            None => return Err(Obstacle::Damaged),
            Some(Kept::Ambiguous) => return Err(Obstacle::Ambiguous),
            Some(Kept::Literal) => return Ok(None),
            Some(Kept::Value(value)) => value,
        };
        let place = token.start as usize..token.end as usize;
        let is_data = site.data.iter().any(|data| data.start <= place.start && place.end <= data.end);
        if token.kind != TokenKind::String || !is_data {
            return Err(Obstacle::Place);
        }
        let detectors = value.found.iter().map(|(detector, _)| &**detector);
        if !self.policy.may_restore(&self.facts.identities, detectors, site.tool.as_deref()) {
            return Err(Obstacle::Tool);
        }
        Ok(Some((with_quotes(text, span, &value.quote), value.clone())))
    }
}

impl<'f> Site<'f> {
    fn of(frame: &Frame<'f>) -> Self {
        let span = |node| frame.span(node);
        match &frame.shape {
            Shape::Request { method, params: Some(params), .. } => {
                let data = DATA_MEMBERS.iter().filter_map(|member| frame.get(*params, member)).map(span);
                let tool =
                    (method == "tools/call").then(|| frame.text(frame.get(*params, "name")?)).flatten();
                Self { data: data.collect(), tool }
            }
            // Answers of the client: of its model, of its user.
            Shape::Response { .. } => Self { data: frame.body().map(span).into_iter().collect(), tool: None },
            Shape::Request { .. } | Shape::Notification { .. } => Self { data: Vec::new(), tool: None },
        }
    }
}

impl Obstacle {
    fn rule(self) -> &'static str {
        match self {
            Self::Foreign => "placeholder/foreign",
            Self::Ambiguous => "placeholder/ambiguous",
            Self::Damaged => "placeholder/damaged",
            Self::Place => "placeholder/place",
            Self::Tool => "placeholder/tool",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Foreign => {
                "a placeholder in it stands for a value that this server did not give in this session, so the value \
                 cannot be put back; read it again from this server, or leave it out"
            }
            Self::Ambiguous => {
                "a placeholder in it stands for more than one text of this server, so it is not known which to put \
                 back; change only the part of the file around it, or leave it out"
            }
            Self::Damaged => {
                "a placeholder in it is cut, changed or encoded, so the value cannot be put back; repeat it letter for \
                 letter, with its brackets, or leave it out"
            }
            Self::Place => {
                "a placeholder stands where no value is put back: only values of arguments and answers are"
            }
            Self::Tool => "the rule that redacted a value of it does not let the value go to this tool",
        }
    }
}

impl Sighting {
    fn span(&self) -> &Range<usize> {
        match self {
            Self::Whole(span) | Self::Damaged(span) => span,
        }
    }
}

/// Strings and keys in which a placeholder may stand.
fn candidates<'a>(frame: &'a Frame<'_>) -> impl Iterator<Item = &'a Token> {
    // Nearly no line holds one: two quick passes say so.
    let plainly = may_hold(frame.bytes);
    let may = plainly || memchr::memmem::find(frame.bytes, br"\u00").is_some();
    let tape = if may { frame.tape } else { &[] };
    tape.iter().filter(move |token| {
        let raw = frame.bytes.get(token.start as usize..token.end as usize).unwrap_or_default();
        match token.kind {
            TokenKind::String | TokenKind::Key => {
                (plainly && may_hold(raw))
                    || (token.escaped
                        && memchr::memmem::find(raw, br"\u00").is_some()
                        && may_hold_decoded(raw))
            }
            TokenKind::Object | TokenKind::Array | TokenKind::Number | TokenKind::Bool | TokenKind::Null => {
                false
            }
        }
    })
}

fn may_hold_decoded(raw: &[u8]) -> bool {
    let mut text = Vec::new();
    decode(raw, &mut text);
    may_hold(&text)
}

/// The span of a placeholder, with the quotes that it brought along if they stand around it.
fn with_quotes(text: &str, span: Range<usize>, quote: &str) -> Range<usize> {
    if !quote.is_empty() && text[..span.start].ends_with(quote) && text[span.end..].starts_with(quote) {
        span.start - quote.len()..span.end + quote.len()
    } else {
        span
    }
}

/// A text as it stands inside of a JSON string.
fn in_string(text: &str) -> String {
    let quoted = json_string(text);
    quoted[1..quoted.len() - 1].to_owned()
}

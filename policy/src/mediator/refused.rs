//! Lines that are no messages: refused by the grammar, too long, without an end, or noise.

use super::action::{Action, Now, Peer, Turn};
use super::pending::Owner;
use super::record::{Record, built_in, cut, shown_id};
use super::reply;
use super::session::Mediator;
use super::tally::Dropped;
use crate::wire::{Id, IdKey, LineEnds, Parser, Refusal, Refused, Shape};

/// Longest line whose text is shown on record, in bytes: masking has to see a secret as a whole.
const NOISE_SHOWN_BYTES_MAX: usize = 4096;
const NOISE_CHARS_MAX: usize = 120;

/// Which JSON-RPC code, what was wrong and how to mend it.
struct Complaint {
    code: i32,
    rule: String,
    text: String,
}

impl Mediator {
    /// A line longer than the limit: its first and last bytes and its whole length. Answered under its id.
    #[expect(
        clippy::too_many_arguments,
        reason = "a line that was never kept whole: its ends and its length"
    )]
    pub fn oversize(
        &mut self,
        from: Peer,
        ends: LineEnds<'_>,
        bytes: u64,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        actions.clear();
        let bytes_shown = usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut turn = Turn { from, bytes: bytes_shown, now, restored: 0, actions };
        let refused = Parser::refuse_oversize(ends, from.direction());
        let limit = self.limits(from).frame_bytes_max;
        let text = format!(
            "the message has {bytes} bytes, and the limit to the {} is {limit}; send it in smaller parts",
            from.other().word()
        );
        self.count(refused.reason);
        let complaint = Complaint { code: reply::SHAPE, rule: "wire/oversize".to_owned(), text };
        self.complain(&refused, &complaint, &mut turn);
    }

    /// Bytes before the end of input without a LF: checked, recorded, never forwarded. Some servers would run such a
    /// line and some would not.
    pub fn unterminated(&mut self, from: Peer, line: &[u8], now: Now, actions: &mut Vec<Action>) {
        actions.clear();
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let mut turn = Turn { from, bytes: line.len(), now, restored: 0, actions };
        let mut parser = std::mem::take(&mut self.parser);
        let refused = match parser.parse(line, from.direction(), self.limits(from)) {
            Ok(frame) => {
                let (id, is_call) = match &frame.shape {
                    Shape::Request { id, .. } => (Some(id.raw.to_vec()), true),
                    Shape::Notification { .. } => (None, true),
                    Shape::Response { id, .. } => (Some(id.raw.to_vec()), false),
                };
                Refused { reason: Refusal::Syntax, offset: line.len(), id, is_call }
            }
            Err(refused) => refused,
        };
        parser.shrink();
        self.parser = parser;
        let text = "the input ended before the line did; end every message with a line feed".to_owned();
        let complaint = Complaint { code: reply::SYNTAX, rule: "wire/unterminated".to_owned(), text };
        self.complain(&refused, &complaint, &mut turn);
    }

    /// A line that the grammar refuses.
    pub(super) fn refused_line(&mut self, refused: &Refused, line: &[u8], turn: &mut Turn<'_>) {
        if refused.reason == Refusal::Empty {
            return;
        }
        self.count(refused.reason);
        if turn.from == Peer::Server && refused.id.is_none() && refused.reason == Refusal::Syntax {
            return self.noise(line, turn);
        }
        let complaint = Complaint {
            code: if is_syntax(refused.reason) { reply::SYNTAX } else { reply::SHAPE },
            rule: format!("wire/{}", refused.reason.code()),
            text: format!("{} (at byte {}); {}", refused.reason, refused.offset, remedy(refused.reason)),
        };
        self.complain(refused, &complaint, turn);
    }

    /// A line of the server that is no message at all.
    pub(super) fn noise(&mut self, line: &[u8], turn: &mut Turn<'_>) {
        if !self.tally.admits(Dropped::Noise, turn.from) {
            return;
        }
        let text = if line.len() > NOISE_SHOWN_BYTES_MAX {
            format!("not a message: {} bytes of text", line.len())
        } else {
            let text = String::from_utf8_lossy(line);
            format!("not a message: {}", cut(&self.engine.mask(text.trim()), NOISE_CHARS_MAX))
        };
        let record = Record::refused(turn, "wire/noise", text);
        turn.record(record);
    }

    /// Tells whoever waits: the sender of a call, or the one whose request the line would have answered. An id that
    /// could not be read is answered by nobody (an error with `id: null` breaks the TypeScript SDK's clients).
    fn complain(&mut self, refused: &Refused, complaint: &Complaint, turn: &mut Turn<'_>) {
        let Complaint { code, rule, text } = complaint;
        let id = refused.id.as_deref().map(|raw| Id { raw });
        let mut record = Record::refused(turn, "", text.clone());
        record.verdict = built_in(rule.clone(), text.clone());
        record.request_id = id.map(|id| shown_id(&self.engine, &id.key()));
        let mut dropped = if id.is_some() { Some(Dropped::Refused) } else { Some(Dropped::Noise) };
        match id {
            Some(id) if refused.is_call => {
                // An error under an id in flight would be taken for the answer to the first request.
                let in_flight =
                    id.key_as_read().is_some_and(|key| self.pending.get(turn.from.into(), &key).is_some());
                if !in_flight {
                    let message =
                        format!("refused: {text}. Nothing was sent to the {}", turn.from.other().word());
                    turn.answer(reply::error(id.raw, *code, &message, &[("rule", rule)]));
                }
            }
            Some(id) => {
                if let Some(key) = id.sound_key()
                    && let Some((method, item)) = self.withdraw(id.raw, &key, complaint, turn)
                {
                    record.method = Some(method);
                    record.item = item;
                    // It ended a request, so there cannot be more of them than requests.
                    dropped = None;
                }
            }
            None => {}
        }
        match dropped {
            Some(kind) => self.record_dropped(kind, record, turn),
            None => turn.record(record),
        }
    }

    /// An answer that cannot be let through: the one who waits for it learns why.
    fn withdraw(
        &mut self,
        id: &[u8],
        key: &IdKey,
        complaint: &Complaint,
        turn: &mut Turn<'_>,
    ) -> Option<(String, Option<String>)> {
        let waiting = turn.from.other();
        let Some(entry) = self.pending.take(waiting.into(), key) else {
            // One of ours may wait for it: it will not come.
            let ours = (turn.from == Peer::Server).then(|| self.pending.take(Owner::Stockade, key)).flatten();
            return ours.map(|entry| (entry.method.into_owned(), None));
        };
        let message = format!(
            "the answer of the {} was refused: {}. The request itself may have been carried out",
            turn.from.word(),
            complaint.text
        );
        turn.send(waiting, reply::error(id, reply::BAD_SERVER, &message, &[("rule", &complaint.rule)]));
        Some((entry.method.into_owned(), entry.item.map(String::from)))
    }

    fn count(&mut self, reason: Refusal) {
        match self.refusals.iter_mut().find(|(counted, _)| *counted == reason) {
            Some((_, times)) => *times += 1,
            None => self.refusals.push((reason, 1)),
        }
    }
}

/// Whether the line is no JSON, as opposed to JSON that is no message.
fn is_syntax(reason: Refusal) -> bool {
    matches!(
        reason,
        Refusal::Bom
            | Refusal::NotUtf8
            | Refusal::BareCr
            | Refusal::LineFeed
            | Refusal::ControlCharacter
            | Refusal::Syntax
            | Refusal::NumberForm
            | Refusal::LoneSurrogate
            | Refusal::TrailingGarbage
    )
}

/// How the sender mends it.
fn remedy(reason: Refusal) -> &'static str {
    match reason {
        Refusal::Empty | Refusal::Oversize | Refusal::TooManyValues => "send less in one message",
        Refusal::Bom => "send plain UTF-8 without a byte order mark",
        Refusal::NotUtf8 => "send UTF-8",
        Refusal::BareCr | Refusal::LineFeed | Refusal::ControlCharacter => {
            "escape control characters in strings"
        }
        Refusal::Syntax => "send one JSON object on one line",
        Refusal::NumberForm => "write numbers as RFC 8259 does",
        Refusal::NumberRange => "send such a number as a string",
        Refusal::LoneSurrogate => "escape characters beyond U+FFFF as a pair, or send them as UTF-8",
        Refusal::TooDeep => "nest less deeply",
        Refusal::DuplicateKey => "write every key once",
        Refusal::TrailingGarbage | Refusal::Batch => "send every message on a line of its own",
        Refusal::NotAnObject => "send an object",
        Refusal::JsonrpcVersion => "write \"jsonrpc\":\"2.0\"",
        Refusal::EnvelopeKey => "use only jsonrpc, id, method, params, result and error, in these letters",
        Refusal::ParamsKey => "write the keys of params as the protocol does",
        Refusal::ProtoKey => "leave this key out",
        Refusal::Shape => "send a method, a result or an error, and only one of them",
        Refusal::IdForm => "use a string of at most 256 bytes or an integer within 2^53",
        Refusal::IdReserved => "use another id",
        Refusal::NotificationWithId => "leave the id of a notification out",
        Refusal::CallWithoutId | Refusal::ResponseWithoutId => "give it an id",
        Refusal::MethodForm => "write the method as the protocol does",
        Refusal::ParamsForm => "make params an object or leave it out",
        Refusal::ErrorForm => "make error an object with an integer code",
    }
}

//! Why a line is not forwarded.

use std::fmt;

use thiserror::Error;

/// Reasons to refuse a line; the text fits after "refused: ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum Refusal {
    /// Nothing but white space. No peer expects an answer to it.
    #[error("the line is empty")]
    Empty,
    /// Longer than the limit of its direction, as it came or after its separators were escaped.
    #[error("the line is longer than the limit")]
    Oversize,
    /// A byte order mark in front of the message.
    #[error("the line starts with a byte order mark, which some readers skip and others refuse")]
    Bom,
    /// Bytes that are not UTF-8.
    #[error("the line is not valid UTF-8")]
    NotUtf8,
    /// A carriage return before the end of the line.
    #[error("a carriage return stands inside the line, where some readers end the message")]
    BareCr,
    /// A line feed inside what was handed over as one line.
    #[error("a line feed stands inside the line")]
    LineFeed,
    /// A control character inside a string.
    #[error("a string holds a raw control character")]
    ControlCharacter,
    /// Not JSON for any other reason.
    #[error("the line is not valid JSON")]
    Syntax,
    /// `NaN`, `Infinity`, a leading zero, `1.`, `+1`, hexadecimal.
    #[error("a number is not in JSON's form")]
    NumberForm,
    /// Overflows a double: an error, infinity or exact, depending on the reader.
    #[error("a number is too large for a double, so readers disagree about its value")]
    NumberRange,
    /// Half of a surrogate pair as an escape.
    #[error("a string holds half of a surrogate pair")]
    LoneSurrogate,
    /// Objects and arrays nested deeper than the limit.
    #[error("the message is nested too deep")]
    TooDeep,
    /// More values than the tape may record.
    #[error("the message holds too many values")]
    TooManyValues,
    /// The same key twice in one object, compared decoded.
    #[error("an object holds the same key twice")]
    DuplicateKey,
    /// Something behind the message.
    #[error("something follows the message on the same line")]
    TrailingGarbage,
    /// An array of messages.
    #[error("the line is a batch, and only sessions of 2025-03-26 have those, of 1 to 256 objects")]
    Batch,
    /// Anything else that is not an object.
    #[error("the line is not a JSON object")]
    NotAnObject,
    /// `jsonrpc` missing or not the string `2.0`.
    #[error("`jsonrpc` is not the string \"2.0\"")]
    JsonrpcVersion,
    /// A key of the envelope that is none of the six, or looks like one of them.
    #[error("the envelope holds a key that is not one of JSON-RPC's, or only looks like one")]
    EnvelopeKey,
    /// A key of the params, or of their `ref`, or its type that looks like a known one.
    #[error("`params` holds a key or a type of reference that differs from a known one only in case")]
    ParamsKey,
    /// `__proto__` in the envelope or in the params.
    #[error("the key `__proto__` could change the names that the receiver sees")]
    ProtoKey,
    /// More than one of request, result and error, or none.
    #[error("the message is not exactly one of request, notification, result and error")]
    Shape,
    /// Neither a string of at most 256 bytes nor an integer within ±(2^53−1).
    #[error("the id is neither a short string nor an integer that every reader keeps")]
    IdForm,
    /// A request under an id of ours.
    #[error("the id starts with `stockade:`, which is reserved")]
    IdReserved,
    /// `notifications/…` with an id.
    #[error("a notification carries an id")]
    NotificationWithId,
    /// A request without an id: some servers would run it and nobody would see the answer.
    #[error("a request carries no id")]
    CallWithoutId,
    /// A result or error without an id.
    #[error("an answer carries no id")]
    ResponseWithoutId,
    /// A method that is no string, empty, padded, or looks like a known one.
    #[error("the method is not a plain name, or only looks like a known one")]
    MethodForm,
    /// Params that are neither an object nor `null`.
    #[error("`params` is not an object")]
    ParamsForm,
    /// An error that is no object, or, to the server, whose code is no integer.
    #[error("`error` is not an object with an integer code")]
    ErrorForm,
}

impl Refusal {
    /// All reasons, in the order in which they are noticed.
    pub const ALL: [Self; 30] = [
        Self::Empty,
        Self::Oversize,
        Self::Bom,
        Self::NotUtf8,
        Self::BareCr,
        Self::LineFeed,
        Self::ControlCharacter,
        Self::Syntax,
        Self::NumberForm,
        Self::NumberRange,
        Self::LoneSurrogate,
        Self::TooDeep,
        Self::TooManyValues,
        Self::DuplicateKey,
        Self::TrailingGarbage,
        Self::Batch,
        Self::NotAnObject,
        Self::JsonrpcVersion,
        Self::EnvelopeKey,
        Self::ParamsKey,
        Self::ProtoKey,
        Self::Shape,
        Self::IdForm,
        Self::IdReserved,
        Self::NotificationWithId,
        Self::CallWithoutId,
        Self::ResponseWithoutId,
        Self::MethodForm,
        Self::ParamsForm,
        Self::ErrorForm,
    ];

    /// The stable name used in events and tests.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Oversize => "oversize",
            Self::Bom => "bom",
            Self::NotUtf8 => "not-utf8",
            Self::BareCr => "bare-cr",
            Self::LineFeed => "line-feed",
            Self::ControlCharacter => "control-character",
            Self::Syntax => "syntax",
            Self::NumberForm => "number-form",
            Self::NumberRange => "number-range",
            Self::LoneSurrogate => "lone-surrogate",
            Self::TooDeep => "too-deep",
            Self::TooManyValues => "too-many-values",
            Self::DuplicateKey => "duplicate-key",
            Self::TrailingGarbage => "trailing-garbage",
            Self::Batch => "batch",
            Self::NotAnObject => "not-an-object",
            Self::JsonrpcVersion => "jsonrpc-version",
            Self::EnvelopeKey => "envelope-key",
            Self::ParamsKey => "params-key",
            Self::ProtoKey => "proto-key",
            Self::Shape => "shape",
            Self::IdForm => "id-form",
            Self::IdReserved => "id-reserved",
            Self::NotificationWithId => "notification-with-id",
            Self::CallWithoutId => "call-without-id",
            Self::ResponseWithoutId => "response-without-id",
            Self::MethodForm => "method-form",
            Self::ParamsForm => "params-form",
            Self::ErrorForm => "error-form",
        }
    }
}

/// A refused line: why, where, and what can be answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused {
    /// The reason.
    pub reason: Refusal,
    /// Byte offset at which it was noticed, in the line as it came.
    pub offset: usize,
    /// Raw JSON of the id, if exactly one could be read: the answer goes out under it.
    pub id: Option<Vec<u8>>,
    /// The line has a `method`, as far as could be read: a request or notification, not an answer.
    pub is_call: bool,
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.as_deref().map(String::from_utf8_lossy);
        f.debug_struct("Refused")
            .field("reason", &self.reason)
            .field("offset", &self.offset)
            .field("id", &id)
            .field("is_call", &self.is_call)
            .finish()
    }
}

/// A mistake and where it stands in the text that was being parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: Refusal,
    pub(super) at: usize,
}

impl Fault {
    pub(super) fn new(reason: Refusal, at: usize) -> Self {
        Self { reason, at }
    }
}

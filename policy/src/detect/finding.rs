//! What the engine finds, and what is said about it. A finding never holds the value.

use std::borrow::Cow;
use std::ops::Range;

use super::placeholder;

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Shape alone.
    Low,
    /// Shape and context, or a weak check.
    Medium,
    /// A vendor's own prefix, or a check digit with context.
    High,
}

/// What a finding stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A string value.
    Text,
    /// An object key.
    Key,
    /// A number.
    Number,
    /// The start of a string that goes on what an earlier text began: the finding is of both, its place that of the later part.
    Continued,
}

/// One thing found. Never holds the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `secret/github-pat`, `pii/payment-card`, `keyword/projects`, `injection/hidden-text`.
    pub detector: Cow<'static, str>,
    /// How sure.
    pub confidence: Confidence,
    /// What it stands in.
    pub place: Place,
    /// Raw byte span of the finding in [`crate::wire::Frame::bytes`], inside the token (without its quotes).
    pub raw: Range<usize>,
    /// Raw byte span of the whole token, quotes included.
    pub token: Range<usize>,
    /// Length class of the value: 0 for 1–7 characters, 1 for 8–15, 2 for 16–31, 3 for 32–63, 4 for more.
    pub length_class: u8,
    /// First eight hex digits of HMAC-SHA256 of the value under the installation's key: equal values match across events.
    pub hash: [u8; 8],
}

impl Finding {
    /// The part of the detector's name before the slash.
    #[must_use]
    pub fn class(&self) -> &str {
        self.detector.split_once('/').map_or(&*self.detector, |(class, _)| class)
    }

    /// What stands in the value's stead: `[REDACTED:github-pat:3fa9c1d2]`.
    #[must_use]
    pub fn placeholder(&self) -> String {
        let short = self.detector.split_once('/').map_or(&*self.detector, |(_, short)| short);
        placeholder::text(short, self.hash)
    }
}

/// Length class of a value of so many characters.
pub(super) fn length_class(chars: usize) -> u8 {
    match chars {
        0..8 => 0,
        8..16 => 1,
        16..32 => 2,
        32..64 => 3,
        _ => 4,
    }
}

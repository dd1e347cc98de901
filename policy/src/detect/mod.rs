//! Finds secrets, personal data, keywords and hidden text in the strings of a message.
//!
//! The pipeline: keyword prefilter over each decoded string → rule on a window around the hit → validators →
//! false-positive stage → finding. Detectors are data (`profiles/detectors/*.toml`), turned into tables at build time.

mod about;
mod any_of;
mod armour;
mod budget;
mod card;
mod checks;
mod context;
mod custom;
mod dotted;
mod email;
mod engine;
mod false_positive;
mod finding;
mod found;
mod generic;
mod hash;
mod heads;
mod hidden;
mod jwt;
mod keywords;
mod memo;
mod nested;
mod phrase;
mod pii;
mod placeholder;
mod prefilter;
mod readings;
mod stages;
mod tables;
mod text;
mod vendor;
mod walk;
mod window;

#[cfg(test)]
mod tests;

pub use about::{About, about_built_in};
pub(crate) use custom::ENVIRONMENT;
pub use custom::{
    Canary, CustomData, EnvironmentSecret, ExactClass, ExactData, FingerprintError, FingerprintReport,
    Fingerprints, FingerprintsRefused, Matching, PLANTED_CHARS_MIN, RegexRefused, can_be_guessed,
    canary_detector, check_regex,
};
pub use engine::{Engine, EngineError, ScanEnd, Wanted, built_in_names};
pub use finding::{Confidence, Finding, Place};
pub use hash::HashKey;
pub use keywords::KeywordList;
pub(crate) use nested::quote;
pub(crate) use placeholder::{Sighting, may_hold};
pub(crate) use text::{RawCursor, decode};

//! Lines to be pasted into a profile: what a denial prints.

use super::Profile;
use super::parse::{Base, Extent, read};
use crate::document::Mistakes;
use crate::document::reader::Reader;

impl Profile {
    /// Reads lines that are to be pasted into a profile, as a profile without a name.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse_fragment(file: &str, text: &str) -> Result<Self, Mistakes> {
        read(file, text, Extent::Fragment, &|_| Base::Unknown)
    }
}

/// Whether a text is no whole profile: it holds grants or the like, and says neither what it is called nor what it is for.
#[must_use]
pub fn is_fragment(text: &str) -> bool {
    const OF_A_PROFILE: [&str; 5] = ["name", "description", "extends", "identity", "version"];
    let (_, members) = Reader::open(text);
    !members.is_empty() && !members.iter().any(|member| OF_A_PROFILE.contains(&member.key.as_str()))
}

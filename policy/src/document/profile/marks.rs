//! `optional = true`: which grants of a file its main function does not need, and whether the others are needed by its
//! examples.

use std::borrow::Cow;

use super::Profile;
use super::examples::{self, Example};
use super::fold::remove;
use crate::document::reader::{Reader, Section};

/// Whether the main function of a server needs a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Needed,
    Optional,
}

/// A grant of a file's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// As `remove` names it.
    pub(super) what: String,
    pub(super) need: Need,
}

impl Mark {
    /// Reads `optional` of the grant.
    pub(super) fn read(r: &mut Reader<'_>, grant: &mut Section<'_>) -> Need {
        match grant.boolean(r, "optional") {
            Some(true) => Need::Optional,
            Some(false) | None => Need::Needed,
        }
    }
}

/// The optional grants of a base and of a file that extends it. A grant that both hold is what the file says.
pub(super) fn folded(base: &[Cow<'static, str>], own: &[Mark]) -> Cow<'static, [Cow<'static, str>]> {
    let said = |what: &str| own.iter().any(|mark| mark.what == what);
    let kept = base.iter().filter(|what| !said(what)).cloned();
    let added = own.iter().filter(|mark| mark.need == Need::Optional).map(|mark| mark.what.clone().into());
    Cow::Owned(kept.chain(added).collect())
}

/// Grants without which every example comes out as before, and which are not optional.
pub(super) fn unneeded(profile: &Profile, own: &[Mark], examples: &[Example<'_>]) -> Vec<String> {
    let needed = |mark: &&Mark| {
        let mut less = profile.clone();
        remove(&mut less, &mark.what);
        mark.need == Need::Optional || !examples.iter().all(|example| examples::holds(example, &less))
    };
    own.iter().filter(|mark| !needed(mark)).map(|mark| mark.what.clone()).collect()
}

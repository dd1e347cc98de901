//! Events about definitions. A tool that is new or changed is a decision about a list, on record as `definition`.

use serde::Serialize;

/// Most names in one event.
pub(super) const NAMED_MAX: usize = 20;

/// `definitions.pinned`: what was seen first holds from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DefinitionsPinned {
    /// How many tools.
    pub(crate) tools: usize,
    /// The first of them.
    pub(crate) names: Vec<String>,
}

/// `definitions.unkept`: what was seen could not be stored, or what is stored not be read.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DefinitionsUnkept {
    /// Why.
    pub(crate) why: String,
}

/// `definitions.approved`, `definitions.forgotten`: what a person decided. Whose processes asked stands in `who`.
#[derive(Debug, Serialize)]
pub(super) struct DefinitionsDecided<'a> {
    /// The name of the pin.
    pub(super) pin: &'a str,
    /// Who: the user of the operating system.
    pub(super) by: &'a str,
    /// The terminal at which that was.
    pub(super) terminal: &'a str,
    /// What was agreed to: name and hash.
    pub(super) definitions: Vec<String>,
}

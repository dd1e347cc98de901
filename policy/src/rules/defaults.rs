//! What the layers say of everything that no rule names: `[defaults]`, across all of them.

use std::borrow::Cow;

use super::layer::{Answer, Speaker};
use super::{Layer, Origin, Policy, Ruling};
use crate::document::policy::{
    BareServers, Defaults, FullDisk, Mode, Packages, ProjectFiles, UnknownMethods,
};
use crate::verdict::{Access, Reason};

impl Policy {
    /// Are flags allowed to widen the jail?
    pub fn grants_by_flag(&self) -> Ruling<Access> {
        let text = "this policy does not let flags of the command line widen the jail";
        self.by_default("grants-by-flag", text, |defaults| defaults.grants_by_flag)
    }

    /// What becomes of a tool whose definition changed.
    pub fn changed_tools(&self) -> Ruling<Access> {
        let text = "the definition of this tool changed";
        self.by_default("changed-tools", text, |defaults| defaults.changed_tools)
    }

    /// What becomes of a tool that was added after the first look.
    pub fn new_tools(&self) -> Ruling<Access> {
        let text = "this tool was added after the first look";
        self.by_default("new-tools", text, |defaults| defaults.new_tools)
    }

    /// May a person answer what an `ask` rule asks?
    pub fn approvals(&self) -> Ruling<Access> {
        let text = "this policy does not let anybody answer what its rules ask";
        self.by_default("approvals", text, |defaults| defaults.approvals)
    }

    /// May a person pause the policy for one server (`stockade pause`)? Layers of the organisation have to say so themselves,
    /// those of the user's own only if not.
    pub fn pause(&self) -> Ruling<Access> {
        let text = "this policy is not to be paused";
        let unless_said = |origin| match origin {
            Origin::Organisation | Origin::Group => Access::Deny,
            Origin::User | Origin::Flag | Origin::BuiltIn | Origin::Project => Access::Allow,
        };
        // A layer that only monitors has its say too: to be paused is not to be refused something.
        self.by_default_of("pause", text, |layer| {
            (Mode::Enforce, layer.document.defaults.pause.unwrap_or_else(|| unless_said(layer.origin)))
        })
    }

    /// The same policy with every layer in monitor mode: it stops nothing, and says what it would have stopped.
    #[must_use]
    pub fn monitoring(&self) -> Self {
        let mut layers = self.layers.clone();
        for layer in &mut layers {
            layer.document.mode = Mode::Monitor;
        }
        Self::compose(layers)
    }

    /// What happens to unknown methods. A layer in monitor mode stops nothing, these included.
    #[must_use]
    pub fn unknown_methods(&self) -> UnknownMethods {
        let denied = self.enforcing().any(|d| d.defaults.unknown_methods == UnknownMethods::Deny);
        if denied || self.layers.is_empty() { UnknownMethods::Deny } else { UnknownMethods::Forward }
    }

    /// What a full disk means. A layer in monitor mode stops nothing, a full disk included.
    #[must_use]
    pub fn full_disk(&self) -> FullDisk {
        let stops = self.enforcing().any(|d| d.defaults.full_disk == FullDisk::Stop);
        if stops || self.layers.is_empty() { FullDisk::Stop } else { FullDisk::DropOldest }
    }

    /// What becomes of servers that clients run without Stockade: stopped if any layer in force says so. A project stops nothing: its
    /// policy is for what runs in it.
    #[must_use]
    pub fn bare_servers(&self) -> BareServers {
        let said = self
            .layers
            .iter()
            .filter(|layer| layer.origin != Origin::Project && layer.document.mode == Mode::Enforce);
        said.map(|layer| layer.document.defaults.bare_servers).max().unwrap_or(BareServers::Record)
    }

    /// What becomes of servers that a project's files name: the most that any layer in force says, but for the project's own.
    #[must_use]
    pub fn project_files(&self) -> ProjectFiles {
        let said = self
            .layers
            .iter()
            .filter(|layer| layer.origin != Origin::Project && layer.document.mode == Mode::Enforce);
        said.map(|layer| layer.document.defaults.project_files).max().unwrap_or_default()
    }

    /// What becomes of newer packages: the strictest that any layer says, `ask` where none does. A layer in monitor mode
    /// has its say too: this stops no traffic.
    #[must_use]
    pub fn packages(&self) -> Packages {
        let said = self.layers.iter().filter_map(|layer| layer.document.defaults.packages);
        said.max().unwrap_or(Packages::Ask)
    }

    /// The profile for a server that no profile matches, from the furthest layer that names one. A project names none:
    /// another profile may be a wider one.
    #[must_use]
    pub fn default_profile(&self) -> &str {
        let trusted = self.layers.iter().filter(|layer| layer.origin != Origin::Project);
        trusted.filter_map(|layer| layer.document.defaults.profile.as_deref()).next().unwrap_or("default")
    }

    fn by_default(
        &self,
        rule: &'static str,
        text: &'static str,
        word: impl Fn(&Defaults) -> Access,
    ) -> Ruling<Access> {
        self.by_default_of(rule, text, |layer| (layer.document.mode, word(&layer.document.defaults)))
    }

    fn by_default_of(
        &self,
        rule: &'static str,
        text: &'static str,
        word: impl Fn(&Layer) -> (Mode, Access),
    ) -> Ruling<Access> {
        let answers = self.layers.iter().map(|layer| {
            let (mode, verdict) = word(layer);
            let (rule, text, layer_word) = (rule.into(), text.into(), layer.origin.word().into());
            let reason = Cow::Owned(Reason { rule, text, layer: layer_word });
            let reason = (verdict != Access::Allow).then_some(reason);
            Answer { mode, verdict, reason, speaker: Speaker::Default }
        });
        self.join(Access::Allow, Access::Deny, answers)
    }
}

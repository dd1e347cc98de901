//! What an organisation expects servers to say of themselves: hashes of definitions that somebody looked at.
//!
//! Of the baselines in one layer about one server any may fit (there is one a version, say); every layer that has one has to be
//! content. What a layer expects, it also vouches for, unless nobody needs to have agreed to it: `--policy` and a
//! project's file only tighten, and a layer that monitors decides nothing.

use std::collections::BTreeMap;

use super::identity::{Identities, IdentityPattern};
use super::layer::{any, identities, reason};
use super::{Origin, Policy};
use crate::document::policy::{Baseline, Mode};
use crate::verdict::Reason;

/// What is held against baselines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defined<'a> {
    /// What the server says of itself.
    Server,
    /// A tool, by its name.
    Tool(&'a str),
}

/// What the baselines in force say about a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// None is about it, or nobody's word is enough.
    Silent,
    /// It is as expected: the id of the baseline that vouches for it.
    Met(String),
    /// A baseline knows it, and knows it otherwise.
    Differs(Reason),
    /// A baseline lists this server's tools, and this is none of them.
    Unlisted(Reason),
}

/// One `[[baseline]]`, compiled.
#[derive(Clone, Debug)]
pub(super) struct CompiledBaseline {
    servers: Vec<IdentityPattern>,
    server: Option<String>,
    tools: Option<BTreeMap<String, String>>,
    reason: Reason,
    vouches: bool,
}

impl CompiledBaseline {
    pub(super) fn new(baseline: &Baseline, origin: Origin, mode: Mode) -> Self {
        let is_trusted = matches!(origin, Origin::Organisation | Origin::Group | Origin::User);
        Self {
            servers: identities(&baseline.servers),
            server: baseline.server.clone(),
            tools: baseline.tools.clone(),
            reason: reason(&baseline.id, &baseline.reason, origin),
            vouches: is_trusted && mode == Mode::Enforce,
        }
    }

    /// `None`: it says nothing about such things.
    fn expects(&self, defined: Defined<'_>, sha256: Option<&str>) -> Option<Fit> {
        let expected = match defined {
            Defined::Server => Some(self.server.as_deref()?),
            Defined::Tool(name) => self.tools.as_ref()?.get(name).map(String::as_str),
        };
        Some(match (expected, sha256) {
            (None, _) => Fit::Unlisted,
            // What was not seen yet cannot differ, and cannot be vouched for.
            (Some(_), None) => Fit::Unseen,
            (Some(expected), Some(seen)) if expected == seen => Fit::Met,
            (Some(_), Some(_)) => Fit::Differs,
        })
    }
}

/// How a definition fits one baseline, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Met,
    Unseen,
    Differs,
    Unlisted,
}

impl Policy {
    /// What the baselines in force say about a definition with this hash (`None`: it was not seen yet).
    #[must_use]
    pub fn expectation(
        &self,
        identities: &[String],
        defined: Defined<'_>,
        sha256: Option<&str>,
    ) -> Expectation {
        if self.compiled.iter().all(|layer| layer.baselines.is_empty()) {
            return Expectation::Silent;
        }
        let identities = Identities::new(identities);
        let mut vouched = None;
        for layer in &self.compiled {
            let about = layer.baselines.iter().filter(|one| any(&one.servers, &identities));
            let fits = about.filter_map(|one| Some((one.expects(defined, sha256)?, one)));
            match fits.min_by_key(|(fit, _)| *fit) {
                Some((Fit::Met, one)) if one.vouches && vouched.is_none() => {
                    vouched = Some(one.reason.rule.clone().into_owned());
                }
                None | Some((Fit::Met | Fit::Unseen, _)) => {}
                Some((Fit::Differs, one)) => return Expectation::Differs(one.reason.clone()),
                Some((Fit::Unlisted, one)) => return Expectation::Unlisted(one.reason.clone()),
            }
        }
        vouched.map_or(Expectation::Silent, Expectation::Met)
    }
}

//! A DLP rule, compiled.

use super::Origin;
use super::identity::{Identities, IdentityPattern};
use super::layer::{any, identities, patterns, reason};
use super::pattern::Pattern;
use crate::detect::{Confidence, Finding};
use crate::document::policy::{Destinations, Directions, DlpRule};
use crate::verdict::{Content, Reason};
use crate::wire::Direction;

/// What is done about some findings.
#[derive(Clone, Debug)]
pub(super) struct ContentRule {
    pub(super) action: Content,
    pub(super) reason: Reason,
    pub(super) destinations: Destinations,
    detect: Vec<Pattern>,
    direction: Directions,
    confidence: Confidence,
    servers: Vec<IdentityPattern>,
    except: Vec<IdentityPattern>,
    /// Tools that what it redacted may go back to; empty means all of the server that it came from.
    restore_to: Vec<Pattern>,
}

impl ContentRule {
    pub(super) fn new(rule: &DlpRule, origin: Origin) -> Self {
        Self {
            action: rule.action,
            destinations: rule.destinations,
            detect: patterns(&rule.detect),
            direction: rule.direction,
            confidence: rule.confidence,
            servers: identities(&rule.servers),
            except: identities(&rule.except_servers),
            restore_to: patterns(&rule.restore_to),
            reason: reason(&rule.id, &rule.reason, origin),
        }
    }

    /// Whether it speaks about messages of this server in this direction at all.
    pub(super) fn looks(&self, identities: &Identities<'_>, direction: Direction) -> bool {
        let that_way = match self.direction {
            Directions::Both => true,
            Directions::ToServer => direction == Direction::ToServer,
            Directions::ToClient => direction == Direction::ToClient,
        };
        that_way
            && any(&self.servers, identities)
            && !self.except.iter().any(|pattern| pattern.matches(identities))
    }

    pub(super) fn may_restore(&self, tool: Option<&str>) -> bool {
        self.restore_to.is_empty()
            || tool.is_some_and(|tool| self.restore_to.iter().any(|pattern| pattern.matches(tool)))
    }

    pub(super) fn names(&self, finding: &Finding) -> bool {
        finding.confidence >= self.confidence && self.names_detector(&finding.detector)
    }

    pub(super) fn names_detector(&self, detector: &str) -> bool {
        self.detect.iter().any(|pattern| pattern.matches(detector))
    }
}

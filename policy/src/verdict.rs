//! Verdicts: two axes, each ordered from lenient to strict.

use std::borrow::Cow;

/// May this call, item or server be used at all?
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Nothing stands against it.
    Allow,
    /// A person has to agree first, outside of the client.
    Ask,
    /// It is not to be used.
    Deny,
}

/// What is done about the findings in a message.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// Nothing was found, or nothing that a rule names.
    Pass,
    /// Recorded, and forwarded as it is.
    Monitor,
    /// Forwarded with the finding replaced.
    Redact,
    /// Not forwarded.
    Block,
}

impl Access {
    /// The word used in policies, events and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

impl Content {
    /// The word used in policies, events and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Monitor => "monitor",
            Self::Redact => "redact",
            Self::Block => "block",
        }
    }
}

/// Why a verdict is what it is: the rule that decided, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Id of the deciding rule (`no-merge`), or a built-in id such as `default`, `wire/duplicate-key`.
    pub rule: Cow<'static, str>,
    /// One sentence for the user and the model, without a full stop at its end.
    pub text: Cow<'static, str>,
    /// Which layer the rule stands in (`organisation`, `user`, `--policy`, `built-in`).
    pub layer: Cow<'static, str>,
}

/// The outcome for one message: the strictest of each axis, with its proof.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The strictest access verdict.
    pub access: Access,
    /// The strictest content verdict.
    pub content: Content,
    /// The rule that was strictest; `None` when nothing spoke (plain allow and pass).
    pub reason: Option<Reason>,
    /// What would have been refused under `mode = "enforce"` but is only recorded, because its layer says `monitor`.
    pub would_have: Option<Reason>,
}

impl Verdict {
    /// Allow and pass, by nobody in particular.
    pub const CLEAR: Self =
        Self { access: Access::Allow, content: Content::Pass, reason: None, would_have: None };

    /// Whether the message must not reach its receiver: denied, blocked, or waiting for a person.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.access != Access::Allow || self.content == Content::Block
    }

    /// The one word that a table shows: `deny`, `ask`, `block`, `redact`, `monitor` or `allow`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.access, self.content) {
            (Access::Allow, Content::Pass) => "allow",
            (Access::Allow, content) => content.word(),
            (access, _) => access.word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(access: Access, content: Content) -> Verdict {
        Verdict { access, content, ..Verdict::CLEAR }
    }

    #[test]
    fn each_axis_runs_from_lenient_to_strict() {
        assert!(Access::Allow < Access::Ask && Access::Ask < Access::Deny);
        let content = [Content::Pass, Content::Monitor, Content::Redact, Content::Block];
        assert!(content.is_sorted_by(|lenient, strict| lenient < strict));
    }

    #[test]
    fn what_is_denied_asked_about_or_blocked_does_not_go_on() {
        for refused in [
            verdict(Access::Deny, Content::Pass),
            verdict(Access::Ask, Content::Redact),
            verdict(Access::Allow, Content::Block),
        ] {
            assert!(refused.refuses(), "{refused:?}");
        }
        for content in [Content::Pass, Content::Monitor, Content::Redact] {
            assert!(!verdict(Access::Allow, content).refuses(), "{content:?}");
        }
    }

    #[test]
    fn a_table_shows_access_before_content() {
        for (access, content, word) in [
            (Access::Allow, Content::Pass, "allow"),
            (Access::Allow, Content::Monitor, "monitor"),
            (Access::Allow, Content::Block, "block"),
            (Access::Ask, Content::Redact, "ask"),
            (Access::Deny, Content::Block, "deny"),
        ] {
            assert_eq!(verdict(access, content).word(), word);
        }
    }
}

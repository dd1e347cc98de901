//! The policy of `demo`: a starting policy that lets the demo's own rogue server start.

use stockade_policy::rules::Policy;

use crate::cli::StartingPolicy;
use crate::error::Failure;
use crate::policies;

/// Identity of the demo's rogue server, and the rule by which the demo approves it: `strict` starts nothing unknown.
pub(super) const DEMO_IDENTITY: &str = "demo:rogue-server";
const DEMO_RULE: &str = r#"
[[rule]]
id = "demo-server"
effect = "allow"
servers = ["demo:rogue-server"]
reason = "The demo approves its own rogue server, so that the other protections can be seen"
"#;

/// A starting policy with what the demo adds.
pub(super) fn of_the_demo(policy: StartingPolicy) -> Result<Policy, Failure> {
    policies::starting(policy, DEMO_RULE)
}

//! The layers, and a plan that carries only the first of them.

use clap::ValueEnum;
use stockade_sandbox::{Limits, Need, Network, Required};

use crate::host::Facts;
use crate::plan::Plan;

/// What stands between a client and its server, in the order in which it is added. Each stands upon those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Layer {
    /// Processes of its own and the filter of system calls
    SystemCalls,
    /// Limits on processes, memory, files, time
    Limits,
    /// The variables of the profile alone
    Environment,
    /// The network and the sockets of the profile alone
    Network,
    /// The files of the profile alone
    Files,
    /// The relay with its strict grammar, under a policy that stops nothing
    Relay,
    /// The policy in force: access and contents
    Policy,
}

impl Layer {
    /// All, in their order.
    pub const ALL: [Self; 7] = [
        Self::SystemCalls,
        Self::Limits,
        Self::Environment,
        Self::Network,
        Self::Files,
        Self::Relay,
        Self::Policy,
    ];

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::SystemCalls => "system calls",
            Self::Limits => "limits",
            Self::Environment => "environment",
            Self::Files => "files",
            Self::Network => "network",
            Self::Relay => "relay",
            Self::Policy => "policy and DLP",
        }
    }

    /// Whether the messages of such a session are mediated.
    pub fn is_mediated(self) -> bool {
        self >= Self::Relay
    }

    /// Takes from a plan what this layer has not yet. What a profile requires cannot be required of such a jail.
    pub fn loosen(self, plan: &mut Plan, facts: &Facts) {
        let rules = &mut plan.ruleset;
        if self < Self::Network {
            rules.network = Network::DangerousHost;
        }
        if self < Self::Files {
            rules.files = None;
        }
        if self < Self::Environment {
            rules.env = facts.env.clone().into_iter().collect();
        }
        if self < Self::Limits {
            rules.limits = unlimited();
        }
        if self < Self::Files {
            rules.required =
                Required { fs: Need::BestEffort, net: Need::BestEffort, process: Need::BestEffort };
        }
    }
}

/// As many as the system gives: the jail lowers what it is asked for to what this process itself may have.
fn unlimited() -> Limits {
    const FAR: u64 = 1 << 40;
    Limits { open_files: FAR, file_bytes: FAR, processes: 1 << 20, cpu_seconds: None, memory_bytes: None }
}

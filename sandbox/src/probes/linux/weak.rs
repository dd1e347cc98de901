//! Jails out of which something is taken, for the test that sees the probes notice.

use crate::weaken::{Weakness, take_out};
use crate::{Ruleset, TreeEnd};

/// Takes out what the words say, of this process's jails or of this ruleset.
pub(super) fn weakened<'a>(mut ruleset: Ruleset, words: impl Iterator<Item = &'a str>) -> Ruleset {
    let mut out = Vec::new();
    for word in words {
        match word {
            "environment" => ruleset.env = std::env::vars_os().collect(),
            "tree" => ruleset.tree_end = TreeEnd::DangerousLeave,
            "landlock" => out.push(Weakness::Landlock),
            "descriptors" => out.push(Weakness::Descriptors),
            "limits" => out.push(Weakness::Limits),
            "view" => out.push(Weakness::View),
            "capabilities" => out.push(Weakness::Capabilities),
            "ipc" => out.push(Weakness::IpcNamespace),
            numbered => out.extend(with_number(numbered)),
        }
    }
    take_out(out);
    ruleset
}

fn with_number(word: &str) -> Option<Weakness> {
    let (word, number) = word.split_once(' ')?;
    let number = number.parse().ok()?;
    match word {
        "call" => Some(Weakness::Call(number)),
        "landlock-after" => Some(Weakness::LandlockAfter(number)),
        _ => None,
    }
}

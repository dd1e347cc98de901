//! What a session of a trial gave, and in what two of them differ.

use serde::{Deserialize, Serialize};

use super::{Expected, Row};

/// How one session went.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Played {
    /// Names of its tools, sorted.
    pub tools: Vec<String>,
    /// What came for each call, until a fault.
    pub answers: Vec<Answer>,
    /// What ended it early.
    pub fault: Option<Fault>,
    /// The end of what the server wrote to stderr.
    pub stderr: String,
}

/// What came for a call.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub ended: Expected,
    /// Its text, with the working directory as `${cwd}`.
    pub text: String,
}

/// Why a session ended early.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Fault {
    /// At which request.
    pub at: String,
    /// Why.
    pub why: String,
}

/// One thing in which a session is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It ended early.
    Fault(Fault),
    /// It listed so many tools.
    ToolCount(usize),
    /// These tools are missing, those are new.
    Tools(Vec<String>, Vec<String>),
    /// A call ended in another way.
    Ended(String, Answer),
    /// An answer lacks a text.
    Lacks(String, String, Answer),
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fault(Fault { at, why }) => write!(f, "{at}: {why}"),
            Self::ToolCount(count) => write!(f, "lists {count} tools"),
            Self::Tools(missing, new) => {
                write!(f, "tools missing: [{}], new: [{}]", missing.join(" "), new.join(" "))
            }
            Self::Ended(tool, answer) => {
                write!(f, "{tool}: {}: {}", answer.ended.words(), beginning(&answer.text))
            }
            Self::Lacks(tool, text, answer) => {
                write!(f, "{tool}: `{text}` is not in: {}", beginning(&answer.text))
            }
        }
    }
}

/// In what a session is not what the row says; and, if there is another, in what it differs from that.
pub fn differences(row: &Row, played: &Played, other: Option<&Played>) -> Vec<Difference> {
    let mut found: Vec<_> = played.fault.iter().cloned().map(Difference::Fault).collect();
    let listed = !played.tools.is_empty();
    if listed && played.tools.len() != row.tools {
        found.push(Difference::ToolCount(played.tools.len()));
    }
    if let Some(other) = other.filter(|other| listed && other.tools != played.tools) {
        let lacking = |from: &Played, in_: &Played| {
            let names = from.tools.iter().filter(|name| !in_.tools.contains(name));
            names.cloned().collect::<Vec<_>>()
        };
        found.push(Difference::Tools(lacking(other, played), lacking(played, other)));
    }
    for (call, answer) in row.calls.iter().zip(&played.answers) {
        if answer.ended != call.error {
            found.push(Difference::Ended(call.tool.clone(), answer.clone()));
        } else if let Some(text) = call.contains.iter().find(|text| !answer.text.contains(*text)) {
            found.push(Difference::Lacks(call.tool.clone(), text.clone(), answer.clone()));
        }
    }
    found
}

fn beginning(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARS_MAX).collect();
    if text.chars().count() > CHARS_MAX { format!("{line}…") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trials::Table;

    fn good(row: &Row) -> Played {
        let answer =
            |call: &crate::trials::table::Call| Answer { ended: call.error, text: call.contains.join(" ") };
        let tools = (0..row.tools).map(|n| format!("t{n:03}")).collect();
        Played { tools, answers: row.calls.iter().map(answer).collect(), ..Played::default() }
    }

    #[test]
    fn each_thing_that_is_not_as_it_has_to_be_is_a_difference() {
        let row = Table::load(None).expect("parses").servers.swap_remove(0);
        let bare = good(&row);
        assert_eq!(differences(&row, &bare, Some(&bare)), []);
        let changed = |change: &dyn Fn(&mut Played)| {
            let mut played = bare.clone();
            change(&mut played);
            differences(&row, &played, Some(&bare))
        };
        let fault = Fault { at: "initialize".into(), why: "the server went away".into() };
        assert!(matches!(&changed(&|p| p.fault = Some(fault.clone()))[..], [Difference::Fault(_)]));
        assert!(matches!(&changed(&|p| p.tools[0] = "other".into())[..], [Difference::Tools(..)]));
        let fewer = changed(&|p| drop(p.tools.pop()));
        assert!(matches!(&fewer[..], [Difference::ToolCount(_), Difference::Tools(..)]), "{fewer:?}");
        assert!(matches!(&changed(&|p| p.answers[0].ended = Expected::Tool)[..], [Difference::Ended(..)]));
        assert!(matches!(&changed(&|p| p.answers[0].text.clear())[..], [Difference::Lacks(..)]));
    }
}

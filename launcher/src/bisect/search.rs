//! PURE: from attempts to the layer that breaks a call and to the least that mends it.

use serde_json::Value;

use super::layer::Layer;
use super::minimal::minimal;

/// Layers that may break one after the other before the search gives up: a server that needs more needs a profile.
const ROUNDS_MAX: usize = 6;

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A result that is no error.
    Answer(Value),
    /// A tool's own error: `isError`.
    ToolError(String),
    /// A JSON-RPC error.
    Error {
        /// Its code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// No answer: why, and the end of what the server wrote to stderr.
    Silence(String),
}

impl Outcome {
    /// In a line.
    pub fn words(&self) -> String {
        match self {
            Self::Answer(_) => "works".to_owned(),
            Self::ToolError(text) => format!("the tool says: {text}"),
            Self::Error { code, message } => format!("error {code}: {message}"),
            Self::Silence(why) => why.clone(),
        }
    }

    /// Whether this is what came of it bare. An answer's content counts only if it is the same each time.
    fn is_like(&self, bare: &Self, steady: bool) -> bool {
        match (self, bare) {
            (Self::Answer(one), Self::Answer(other)) => !steady || one == other,
            (Self::ToolError(_), Self::ToolError(_)) => true,
            (Self::Error { code, .. }, Self::Error { code: other, .. }) => code == other,
            (Self::Silence(_), Self::Silence(_)) => true,
            _ => false,
        }
    }
}

/// A limit that can be raised alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its key in `[limits]`.
    pub key: &'static str,
    /// A value as TOML that is far more than any server needs.
    pub far: &'static str,
}

/// Where a session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// As the client would start it today.
    Bare,
    /// With these layers and these lines added to the profile.
    Contained {
        /// The last of its layers.
        layer: Layer,
        /// Lines of a profile; empty for none.
        fragment: String,
    },
}

/// What came of one attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The call's outcome.
    pub outcome: Outcome,
    /// What would have to be granted for all that was refused in it; see [`Candidates`].
    pub refused: Candidates,
    /// What was refused and no grant allows, in words.
    pub ungrantable: Vec<String>,
}

/// Grants that may mend, one line of a profile each, as `(table, key, item)`: written together they give a fragment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates(pub Vec<Candidate>);

/// One item of one list, or one scalar, of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// `fs`
    pub table: String,
    /// `read`
    pub key: String,
    /// `{ path = "/x", reason = "…" }` of a list, or the value of a scalar.
    pub item: String,
    /// Whether the key holds a list.
    pub is_list: bool,
}

impl Candidates {
    /// These lines as a fragment of a profile; each table and each list once, the last scalar counts.
    pub fn fragment(candidates: &[Candidate]) -> String {
        let mut out = String::new();
        let mut tables: Vec<&str> = Vec::new();
        for one in candidates {
            if !tables.contains(&one.table.as_str()) {
                tables.push(&one.table);
            }
        }
        for table in tables {
            out.push_str(&format!("[{table}]\n"));
            let here = || candidates.iter().filter(|one| one.table == table);
            let mut keys: Vec<&str> = Vec::new();
            for one in here() {
                if !keys.contains(&one.key.as_str()) {
                    keys.push(&one.key);
                }
            }
            for key in keys {
                let mut items: Vec<&str> = Vec::new();
                for one in here().filter(|one| one.key == key) {
                    if !items.contains(&one.item.as_str()) {
                        items.push(&one.item);
                    }
                }
                let is_list = here().any(|one| one.key == key && one.is_list);
                match (is_list, items.last()) {
                    (true, _) => out.push_str(&format!("{key} = [{}]\n", items.join(", "))),
                    (false, Some(last)) => out.push_str(&format!("{key} = {last}\n")),
                    (false, None) => {}
                }
            }
        }
        out
    }
}

/// How attempts are made.
pub trait Tries {
    /// Why an attempt could not be made at all.
    type Error;

    /// Starts the server, makes the call, ends the server.
    ///
    /// # Errors
    /// When it cannot be tried.
    fn attempt(&mut self, stand: &Stand) -> Result<Attempt, Self::Error>;

    /// What may mend this layer besides what was refused: names of variables, limits.
    fn more_candidates(&self, layer: Layer) -> Vec<Candidate>;
}

/// One layer that breaks the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The layer.
    pub layer: Layer,
    /// What came of the call with it.
    pub outcome: Outcome,
    /// The least that mends it, tried out; `None` if no grant does.
    pub mend: Option<String>,
    /// What was refused and no grant allows.
    pub ungrantable: Vec<String>,
}

/// One layer that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub layer: Layer,
    /// How many grants were there already, for layers that broke before.
    pub granted: usize,
    /// What came of the call.
    pub outcome: Outcome,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What came of it bare.
    pub bare: Outcome,
    /// Whether the bare answer is the same each time.
    pub steady: bool,
    /// Each attempt with one layer more, in their order, and again from each layer that was mended on.
    pub steps: Vec<Step>,
    /// The layers that break it, in their order.
    pub findings: Vec<Finding>,
    /// Whether, with all that mends, the whole gives what bare gives. True too if nothing breaks.
    pub mended: bool,
}

/// Tries the call bare, then with one layer after the other, and looks for the least that mends each that breaks it.
///
/// # Errors
/// When an attempt cannot be made.
pub fn search<T: Tries>(tries: &mut T) -> Result<Report, T::Error> {
    let bare = tries.attempt(&Stand::Bare)?.outcome;
    let again = tries.attempt(&Stand::Bare)?.outcome;
    let steady = bare == again;
    let mut report = Report { bare, steady, steps: Vec::new(), findings: Vec::new(), mended: false };
    let mut granted: Vec<Candidate> = Vec::new();
    let mut from = 0;
    for _ in 0..ROUNDS_MAX {
        let Some((at, broken)) = first_broken(tries, &mut report, from, &granted)? else {
            report.mended = true;
            return Ok(report);
        };
        let layer = Layer::ALL[at];
        let mend = mend(tries, &report, layer, &granted, &broken)?;
        report.findings.push(Finding {
            layer,
            outcome: broken.outcome,
            mend: mend.as_deref().map(Candidates::fragment),
            ungrantable: broken.ungrantable,
        });
        match mend {
            Some(more) => granted.extend(more),
            None => return Ok(report),
        }
        from = at;
    }
    Ok(report)
}

fn first_broken<T: Tries>(
    tries: &mut T,
    report: &mut Report,
    from: usize,
    granted: &[Candidate],
) -> Result<Option<(usize, Attempt)>, T::Error> {
    for (at, layer) in Layer::ALL.into_iter().enumerate().skip(from) {
        let stand = Stand::Contained { layer, fragment: Candidates::fragment(granted) };
        let attempt = tries.attempt(&stand)?;
        report.steps.push(Step { layer, granted: granted.len(), outcome: attempt.outcome.clone() });
        if !attempt.outcome.is_like(&report.bare, report.steady) {
            return Ok(Some((at, attempt)));
        }
    }
    Ok(None)
}

/// The least that makes the call work in this layer.
fn mend<T: Tries>(
    tries: &mut T,
    report: &Report,
    layer: Layer,
    granted: &[Candidate],
    broken: &Attempt,
) -> Result<Option<Vec<Candidate>>, T::Error> {
    let mut candidates = broken.refused.0.clone();
    candidates.extend(tries.more_candidates(layer));
    // What was refused once is granted, and shows what comes after it: a server that cannot read its configuration does
    // not get to its data.
    for _ in 0..ROUNDS_MAX {
        let all: Vec<Candidate> = granted.iter().chain(&candidates).cloned().collect();
        let attempt = tries.attempt(&Stand::Contained { layer, fragment: Candidates::fragment(&all) })?;
        if attempt.outcome.is_like(&report.bare, report.steady) {
            break;
        }
        let new: Vec<Candidate> =
            attempt.refused.0.into_iter().filter(|one| !candidates.contains(one)).collect();
        if new.is_empty() {
            return Ok(None);
        }
        candidates.extend(new);
    }
    let mut works = |chosen: &[usize]| -> Result<bool, T::Error> {
        let some = chosen.iter().filter_map(|&at| candidates.get(at));
        let all: Vec<Candidate> = granted.iter().chain(some).cloned().collect();
        let stand = Stand::Contained { layer, fragment: Candidates::fragment(&all) };
        Ok(tries.attempt(&stand)?.outcome.is_like(&report.bare, report.steady))
    };
    let found = minimal(candidates.len(), &mut works)?;
    Ok(found.map(|chosen| chosen.into_iter().filter_map(|at| candidates.get(at).cloned()).collect()))
}

#[cfg(test)]
mod tests;

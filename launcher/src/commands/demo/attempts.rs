//! The seven attempts, and how each is judged.

use serde_json::Value;

use crate::commands::child_client::{Heard, Reply};

/// What the rogue server tries, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Read the private key.
    Fs,
    /// Read the cloud secret.
    Env,
    /// Call the attacker's host.
    Net,
    /// Leave a daemon behind.
    Tree,
    /// Answer with a secret.
    Dlp,
    /// Hide an instruction in a tool's description.
    HiddenText,
    /// Smuggle a second message into a line.
    Wire,
}

impl Attempt {
    /// All of them.
    pub(super) const ALL: [Self; 7] =
        [Self::Fs, Self::Env, Self::Net, Self::Tree, Self::Dlp, Self::HiddenText, Self::Wire];

    /// Its name in JSON; the same word takes its protection away (`--without`), where that can be done.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Fs => "fs",
            Self::Env => "env",
            Self::Net => "net",
            Self::Tree => "tree",
            Self::Dlp => "dlp",
            Self::HiddenText => "hidden-text",
            Self::Wire => "wire",
        }
    }

    /// In words.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Fs => "read ~/.ssh/id_rsa",
            Self::Env => "read AWS_SECRET_ACCESS_KEY",
            Self::Net => "open a network connection",
            Self::Tree => "leave a daemon behind",
            Self::Dlp => "answer with a secret",
            Self::HiddenText => "hide text in a tool description",
            Self::Wire => "smuggle a second request",
        }
    }

    /// The tool that does it (or, for hidden text, bears it).
    pub(super) fn tool(self) -> &'static str {
        match self {
            Self::Fs => "read_key",
            Self::Env => "read_environment",
            Self::Net => "call_home",
            Self::Tree => "leave_daemon",
            Self::Dlp => "report",
            Self::HiddenText => "weather",
            Self::Wire => "smuggle",
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The rogue has, or the client got, what it should not.
    GotThrough,
    /// It does not.
    Stopped,
    /// Nobody can tell.
    Inconclusive,
}

/// An outcome and what it was judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// What shows that.
    pub(super) evidence: String,
}

impl Trial {
    fn got_through(evidence: impl Into<String>) -> Self {
        Self { outcome: Outcome::GotThrough, evidence: evidence.into() }
    }

    fn stopped(evidence: impl Into<String>) -> Self {
        Self { outcome: Outcome::Stopped, evidence: evidence.into() }
    }

    fn inconclusive(evidence: impl Into<String>) -> Self {
        Self { outcome: Outcome::Inconclusive, evidence: evidence.into() }
    }
}

/// What the rogue says about its attempt. Only a refusal is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It has something to show.
    Gain(Value),
    /// The system refused: call and error.
    Refused(String),
    /// The client got another answer than the rogue's: a denial, in words.
    Denied(String),
    /// No answer.
    Silent(&'static str),
}

impl Told {
    /// Reads the answer to a `tools/call`.
    pub(super) fn from(reply: &Reply) -> Self {
        let result = match reply {
            Reply::Result(result) => result,
            Reply::Error(error) => {
                return Self::Denied(error["message"].as_str().unwrap_or("an error").to_owned());
            }
            Reply::Silence(why) => return Self::Silent(why),
        };
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        let Ok(report) = serde_json::from_str::<Value>(text) else { return Self::Denied(text.to_owned()) };
        match (report.get("gain"), report["refused"].as_str()) {
            (Some(gain), _) => Self::Gain(gain.clone()),
            (None, Some(refused)) => Self::Refused(refused.to_owned()),
            (None, None) => Self::Denied(text.to_owned()),
        }
    }

    /// The trial of an attempt that did not succeed.
    fn failure(&self, unproven: &str) -> Trial {
        match self {
            Self::Gain(_) => Trial::inconclusive(unproven),
            Self::Refused(why) | Self::Denied(why) => Trial::stopped(why),
            Self::Silent(why) => Trial::inconclusive(*why),
        }
    }
}

/// Fs and Env: the rogue shows the fingerprint of what it read; it must be that of the real thing.
pub(super) fn judge_fingerprint(told: &Told, real: &str) -> Trial {
    match told {
        Told::Gain(gain) if gain["fingerprint"] == real => Trial::got_through("its SHA-256 came back"),
        other => other.failure("it read something else"),
    }
}

/// Net: the attacker's host was told the mark, or not.
pub(super) fn judge_connection(told: &Told, attacker_heard: bool) -> Trial {
    if attacker_heard {
        return Trial::got_through("the attacker's host heard its mark");
    }
    match told {
        Told::Gain(_) => Trial::stopped("connected, but nothing arrived"),
        other => other.failure(""),
    }
}

/// What was seen of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// Pids while the session ran.
    pub(super) during: Vec<i32>,
    /// Pids after its end.
    pub(super) after: Vec<i32>,
}

/// Tree: a process with the mark is alive after the session, or not.
pub(super) fn judge_daemon(told: &Told, seen: &Sighting) -> Trial {
    match (seen.after.first(), seen.during.first()) {
        (Some(pid), _) => Trial::got_through(format!("pid {pid} is alive after the session")),
        (None, Some(pid)) => Trial::stopped(format!("pid {pid} was killed when the session ended")),
        (None, None) => told.failure("it was never seen running"),
    }
}

/// Dlp: the secret is somewhere in what the client received, or not.
pub(super) fn judge_secret(told: &Told, heard: &Heard, token: &str) -> Trial {
    if heard.text.contains(token) {
        return Trial::got_through("the client received the secret");
    }
    match told {
        Told::Silent(why) => Trial::inconclusive(*why),
        Told::Gain(gain) => Trial::stopped(gain["note"].as_str().unwrap_or("changed on its way").to_owned()),
        Told::Refused(why) | Told::Denied(why) => Trial::stopped(why),
    }
}

/// Hidden text: the tool list that the client received holds Unicode tag characters, or not.
pub(super) fn judge_description(tools: &Result<Vec<Value>, &'static str>) -> Trial {
    let tools = match tools {
        Ok(tools) if !tools.is_empty() => tools,
        Ok(_) => return Trial::inconclusive("the client received no tools at all"),
        Err(why) => return Trial::inconclusive(*why),
    };
    let is_tag = |character: char| matches!(character, '\u{E0000}'..='\u{E007F}');
    if tools.iter().any(|tool| tool.to_string().chars().any(is_tag)) {
        return Trial::got_through("the client received the hidden text");
    }
    let bearer = Attempt::HiddenText.tool();
    if tools.iter().any(|tool| tool["name"] == bearer) {
        Trial::stopped(format!("`{bearer}` came without it"))
    } else {
        Trial::stopped(format!("`{bearer}` is not in the list"))
    }
}

/// Wire: the client received the smuggled request, or not.
pub(super) fn judge_smuggling(told: &Told, heard: &Heard, mark: &str) -> Trial {
    let id = format!("smuggled-{mark}");
    if heard.unasked.iter().any(|message| message["id"] == id.as_str()) {
        return Trial::got_through("the client received a sampling/createMessage");
    }
    match told {
        Told::Gain(_) => Trial::stopped("the line did not reach the client"),
        other => other.failure(""),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::Result(json!({ "content": [{ "type": "text", "text": text }] }))
    }

    #[test]
    fn a_fingerprint_counts_only_if_it_is_the_real_one() {
        let told = Told::from(&reply(r#"{"gain":{"fingerprint":"aa"}}"#));
        assert_eq!(judge_fingerprint(&told, "aa").outcome, Outcome::GotThrough);
        assert_eq!(judge_fingerprint(&told, "bb").outcome, Outcome::Inconclusive);
        let told = Told::from(&reply(r#"{"refused":"open: EACCES"}"#));
        assert_eq!(judge_fingerprint(&told, "aa"), Trial::stopped("open: EACCES"));
    }

    #[test]
    fn a_silent_server_proves_nothing() {
        let told = Told::from(&Reply::Silence("no answer in time"));
        let nothing = Heard::default();
        let unseen = Sighting { during: Vec::new(), after: Vec::new() };
        for trial in [
            judge_fingerprint(&told, "aa"),
            judge_connection(&told, false),
            judge_daemon(&told, &unseen),
            judge_secret(&told, &nothing, "t"),
            judge_smuggling(&told, &nothing, "m"),
            judge_description(&Ok(Vec::new())),
            judge_description(&Err("no answer in time")),
        ] {
            assert_eq!(trial.outcome, Outcome::Inconclusive, "{trial:?}");
        }
    }

    #[test]
    fn evidence_outweighs_what_the_rogue_says() {
        let told = Told::Refused("connect: EPERM".to_owned());
        assert_eq!(judge_connection(&told, true).outcome, Outcome::GotThrough);
        let seen = Sighting { during: vec![7], after: vec![7] };
        assert_eq!(judge_daemon(&told, &seen).outcome, Outcome::GotThrough);
        let heard = Heard {
            text: "…ghp_x…".to_owned(),
            unasked: vec![json!({ "id": "smuggled-m", "method": "x" })],
        };
        assert_eq!(judge_secret(&told, &heard, "ghp_x").outcome, Outcome::GotThrough);
        assert_eq!(judge_smuggling(&told, &heard, "m").outcome, Outcome::GotThrough);
    }

    #[test]
    fn a_description_is_judged_by_its_characters() {
        let tool = |text: &str| Ok(vec![json!({ "name": "weather", "description": text })]);
        assert_eq!(judge_description(&tool("x\u{E0041}")).outcome, Outcome::GotThrough);
        assert_eq!(judge_description(&tool("x")), Trial::stopped("`weather` came without it"));
        let other = Ok(vec![json!({ "name": "other" })]);
        assert_eq!(judge_description(&other), Trial::stopped("`weather` is not in the list"));
    }

    #[test]
    fn every_protection_that_can_be_taken_away_has_its_attempt() {
        use clap::ValueEnum;
        for protection in crate::cli::Protection::value_variants() {
            let word = protection.to_possible_value().unwrap().get_name().to_owned();
            assert!(Attempt::ALL.iter().any(|attempt| attempt.id() == word), "{word}");
        }
    }
}

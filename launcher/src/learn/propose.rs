//! From the evidence of several runs to a profile that is in order.

use std::collections::BTreeMap;

use stockade_policy::document::profile::Profile;

use super::case::Case;
use super::evidence::Evidence;
use super::wanted::{Bench, Wanted, wanted};
use super::{sources, write};
use crate::error::{Failure, Kind};
use crate::host::FileTree;
use crate::plan::ClosedPlaces;

/// A proposed profile.
#[derive(Debug)]
pub struct Proposal {
    /// Its text.
    pub text: String,
    /// The text, read.
    pub profile: Profile,
}

/// The least profile for what was seen. `name` is what it is to be called.
///
/// # Errors
/// When the server cannot be planned for; a name that no profile can have.
pub fn propose(
    case: &Case,
    (runs, unread): &(Vec<Evidence>, usize),
    name: Option<&str>,
) -> Result<Proposal, Failure> {
    let base = case.base()?;
    let wanted = beyond(case, base, runs)?;
    let head = write::Head {
        name: name.map_or_else(|| default_name(&case.resolved.name), str::to_owned),
        description: format!(
            "{}: what it was seen to need in {} of `stockade learn`",
            case.resolved.name,
            counted(runs.len(), "run")
        ),
        extends: base.name.to_string(),
        identity: identity(&case.resolved.identities),
        from: from(runs),
        mentions: mentions(case, base),
        blind: blind(runs, *unread),
        unix_private: base.unix_private != Some(true),
        upload: base.limits.upload_bytes.is_none(),
    };
    let text = write::profile(&head, &wanted);
    let profile = Profile::parse("the proposal", &text, &|name| case.find(name)).map_err(|mistakes| {
        let failure = Failure::from(mistakes);
        if name.is_some() { failure } else { Failure { kind: Kind::Software, ..failure } }
    })?;
    Ok(Proposal { text, profile })
}

/// What the runs ask for beyond a profile.
pub(super) fn beyond(case: &Case, base: &Profile, runs: &[Evidence]) -> Result<Wanted, Failure> {
    let names = case.names()?;
    let plan = case.plan(base)?;
    let places = ClosedPlaces::of(case.facts(), &FileTree);
    Ok(wanted(runs, &Bench { names: &names, places: &places, base, plan: &plan }))
}

/// Not the server's own name: a profile of yours that is called like a built-in one takes its place.
fn default_name(server: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let name: String = server.chars().map(plain).take(50).collect();
    format!("{}-learnt", name.trim_matches('-'))
}

/// The package without its version, else the file.
fn identity(identities: &[String]) -> Vec<String> {
    let package = identities.iter().find(|identity| identity.starts_with("pkg:"));
    let bare = |purl: &str| match purl.rfind('@') {
        Some(at) if at > purl.rfind('/').unwrap_or(0) + 1 => purl[..at].to_owned(),
        _ => purl.to_owned(),
    };
    match package {
        Some(purl) => vec![bare(purl)],
        None => identities.last().cloned().into_iter().collect(),
    }
}

fn from(runs: &[Evidence]) -> Vec<String> {
    let (first, last) = (runs.first(), runs.last());
    let when = |run: Option<&Evidence>| run.map_or("", |run| run.began.get(..10).unwrap_or("")).to_owned();
    let files: usize = runs.iter().map(|run| run.files.len()).sum();
    let hosts: usize = runs.iter().map(|run| run.hosts.len()).sum();
    let files =
        if files == 1 { "1 file or directory".to_owned() } else { format!("{files} files or directories") };
    vec![format!(
        "Learnt from {} ({} to {}): {files} and {} beyond what every server has.",
        counted(runs.len(), "run"),
        when(first),
        when(last),
        counted(hosts, "destination"),
    )]
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Variables that the source mentions and the server does not get anyway.
fn mentions(case: &Case, base: &Profile) -> BTreeMap<String, String> {
    let mut mentions = sources::mentions(&case.resolved);
    let passed = |name: &str| {
        let by_pattern = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        base.env_pass.iter().any(|pattern| by_pattern(pattern))
            || base.env_set.iter().any(|set| set.name == name)
            || case.entry_env().iter().any(|own| own == name)
    };
    mentions.retain(|name, _| !passed(name));
    mentions
}

/// What nobody may take for not needed.
fn blind(runs: &[Evidence], unread: usize) -> Vec<String> {
    let mut blind = vec![
        "stat, rename, unlink, mkdir, chmod and the like by path; what /proc leads to; variables that are read from the \
         environment; files of what was not called in any of these runs"
            .to_owned(),
    ];
    let of = |is: &dyn Fn(&Evidence) -> bool| runs.iter().filter(|run| is(run)).count();
    let unseen = of(&|run| !run.files_seen);
    if unseen > 0 {
        blind.push(format!(
            "all files in {} of these runs: there is no supervisor in that backend (`static`), or none on this host",
            counted(unseen, "run")
        ));
    }
    if of(&|run| run.backend == "namespaces") > 0 {
        blind.push(
            "in the private view of `namespaces`, what is not open while learning is not there: a program that looks before \
             it opens is not seen to open it, and ports that are not open are refused without a word. With --backend notify \
             both are seen"
                .to_owned(),
        );
    }
    let mut unreadable: Vec<&str> = runs.iter().flat_map(|run| &run.unreadable).map(String::as_str).collect();
    unreadable.sort_unstable();
    unreadable.dedup();
    if !unreadable.is_empty() {
        blind.push(format!(
            "what these programs opened, which you may run and not read: {}",
            unreadable.join(", ")
        ));
    }
    let sum = |of: fn(&Evidence) -> u64| runs.iter().map(of).sum::<u64>();
    let counts = [
        (sum(|run| run.lost), "opened files, destinations or refusals beyond what is kept of one run"),
        (sum(|run| run.hidden), "openings of paths that hold what looks like a secret"),
        (sum(|run| run.gone), "openings of files that were gone at the end of the run"),
        (unread as u64, "records of earlier runs that cannot be read"),
    ];
    blind.extend(
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")),
    );
    for refused in runs.iter().flat_map(|run| &run.refused) {
        let mut said = format!("refused while learning, and so what follows from it: {}", refused.words);
        match (&refused.fragment, &refused.instead) {
            (Some(fragment), _) => said.push_str(&format!(
                "; these lines would allow it: {}",
                fragment.split_whitespace().collect::<Vec<_>>().join(" ")
            )),
            (None, Some(instead)) => said.push_str(&format!(" ({instead})")),
            (None, None) => {}
        }
        if !blind.contains(&said) {
            blind.push(said);
        }
    }
    blind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_is_called_like_no_built_in_profile_and_is_for_every_version() {
        assert_eq!(default_name("mcp server/x"), "mcp-server-x-learnt");
        assert_eq!(
            identity(&["pkg:npm/%40a/b@1.2".to_owned(), "file:sha256:00".to_owned()]),
            ["pkg:npm/%40a/b"]
        );
        assert_eq!(identity(&["pkg:npm/%40a/b".to_owned()]), ["pkg:npm/%40a/b"]);
        assert_eq!(identity(&["file:sha256:00".to_owned()]), ["file:sha256:00"]);
    }
}

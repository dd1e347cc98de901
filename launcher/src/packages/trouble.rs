//! What went wrong in a fetch, for people: what the package manager said, without credentials, and the way on.

use super::fetch::Doing;
use super::jail::Ended;
use super::source::Source;
use crate::error::{Failure, Kind};

/// Lines of a package manager that are worth showing.
const LINES_MAX: usize = 6;

/// Words by which npm, uv and pip say that a file is not what its hash says.
const OTHER_CONTENT: [&str; 4] = ["EINTEGRITY", "Hash mismatch", "DO NOT MATCH THE HASHES", "hash mismatch"];
/// Words by which uv and pip say that there is no wheel.
const NO_WHEEL: [&str; 5] = [
    "no usable wheels",
    "no wheels with a matching",
    "has no wheels",
    "No matching distribution found",
    "building from source is disabled",
];

/// The failure of one step.
pub(crate) fn of(ended: &Ended, doing: Doing, source: &Source, secrets: &[String]) -> Failure {
    let name = source.asked.name();
    let said = shown(&ended.said, secrets);
    if OTHER_CONTENT.iter().any(|word| ended.said.contains(word)) {
        return changed(name, &said);
    }
    let what = match doing {
        Doing::Resolve => format!("cannot resolve `{name}`"),
        Doing::Install => format!("cannot fetch `{name}`"),
        Doing::Scripts => format!("the install scripts of `{name}` failed"),
    };
    let mut failure = Failure::new(Kind::Software, what);
    if !said.is_empty() {
        failure = failure.cause(said);
    }
    if !ended.refused.is_empty() {
        failure = failure
            .cause(format!(
                "the jail of the fetch reaches the configured registry alone, not {}",
                ended.refused.join(", ")
            ))
            .hint(
                "if the registry serves its files from there, grant it in a profile `fetch` of your own: \
                 `stockade profile show fetch` shows the form",
            );
    }
    if doing == Doing::Scripts {
        failure = failure.hint("install scripts run without network; a package that downloads in them has to be installed by hand");
    } else if source.ecosystem() == "pypi" && NO_WHEEL.iter().any(|word| ended.said.contains(word)) {
        failure = failure.hint(
            "if a package of the tree has no wheel, its own build would have to run: grant it with `[install] scripts = true` \
             in the server's profile",
        );
    }
    failure.hint(format!("nothing was installed or changed; the registry is {}", source.registry))
}

/// Other content under a version that is pinned.
fn changed(name: &str, said: &str) -> Failure {
    Failure::new(Kind::Permission, format!("`{name}` changed without a version: it is not started"))
        .cause(said.to_owned())
        .cause(
            "the registry serves other content under a version whose content is known; registries rule this out, so either \
             somebody has replaced it, or a proxy in between alters files",
        )
        .hint("ask the publisher, or compare with another network, before you trust it")
        .hint("`stockade pins list` shows what is pinned; `stockade pins forget` gives the old content up")
}

/// The package manager reported success and left something else.
pub(crate) fn not_as_pinned(purl: &str) -> Failure {
    Failure::new(Kind::Permission, format!("what was installed for {purl} is not what is pinned"))
        .cause("npm's own record of the tree differs from the lock file that it was given")
        .hint("nothing was kept; try again, and report this if it stays")
}

/// The last lines, without what may stand in no message.
fn shown(said: &str, secrets: &[String]) -> String {
    let mut text = said.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret.as_str(), "[hidden]");
    }
    let strip = |line: &str| -> String {
        let line = line.trim();
        let line = ["npm error ", "npm ERR! ", "error: ", "ERROR: "]
            .iter()
            .find_map(|head| line.strip_prefix(head))
            .unwrap_or(line);
        harmless(line)
    };
    let noise = |line: &String| {
        line.is_empty()
            || line.contains("complete log of this run")
            || line.starts_with("npm notice")
            || line == "npm error"
    };
    let lines: Vec<String> = text.lines().map(strip).filter(|line| !noise(line)).collect();
    let lines: Vec<String> =
        lines.into_iter().take(LINES_MAX).map(|line| line.chars().take(300).collect()).collect();
    lines.join("\n")
}

/// Without anything that a terminal obeys.
fn harmless(line: &str) -> String {
    line.chars().filter(|c| !c.is_control() && !crate::commands::screen::is_invisible(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_what_is_shown() {
        let text = shown(
            "npm error code E401\nnpm error token canary rejected\nnpm error\n",
            &["canary".to_owned()],
        );
        assert_eq!(text, "code E401\ntoken [hidden] rejected");
    }
}

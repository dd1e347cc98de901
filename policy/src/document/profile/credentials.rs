//! `[dlp] own`: the credentials that are a server's own job.

use super::fold::Own;
use crate::detect::built_in_names;
use crate::document::reader::{Reader, Section, Text, shown};
use crate::document::suggest::did_you_mean;
use crate::rules::Pattern;

const NOT_YET: &[&str] = &["detect", "action", "restore", "suppress", "to_client"];
/// Class of the detectors that can be somebody's: personal data and words belong to no vendor.
const CLASS: &str = "secret/";
/// A pattern says whose they are before its first star: `secret/*` would be everybody's.
const LITERAL_MIN: usize = 3;

pub(super) fn dlp(r: &mut Reader<'_>, top: &mut Section<'_>, own: &mut Own<'_>) {
    let Some(mut dlp) = top.table(r, "dlp") else {
        return;
    };
    for text in dlp.strings(r, "own") {
        if is_somebodys(r, text) {
            own.own_credentials.push(text.text.to_owned());
        }
    }
    dlp.close(r, NOT_YET);
}

fn is_somebodys(r: &mut Reader<'_>, text: Text<'_>) -> bool {
    let literal = text.text.split('*').next().unwrap_or_default();
    let vendor = literal.strip_prefix(CLASS).unwrap_or_default();
    if vendor.chars().count() < LITERAL_MIN {
        let remedy =
            "name the vendor's credentials, as in `secret/github-*`; `stockade dlp detectors` lists them";
        let what = format!("`own` cannot hold `{}`", shown(text.text));
        r.wrong(text.at, what, Some(remedy.to_owned()));
        return false;
    }
    let pattern = Pattern::new(text.text);
    let is_known = built_in_names().any(|name| pattern.matches(name));
    if !is_known {
        let remedy = did_you_mean(text.text, built_in_names())
            .unwrap_or_else(|| "`stockade dlp detectors` lists them".to_owned());
        r.wrong(text.at, format!("this version has no detector `{}`", shown(text.text)), Some(remedy));
    }
    is_known
}

#[cfg(test)]
mod tests {
    use crate::document::profile::Profile;

    fn profile(lines: &str, base: Option<&Profile>) -> Result<Profile, String> {
        let text = format!("name = \"p\"\ndescription = \"d\"\n{lines}");
        Profile::parse("p", &text, &|_| base.cloned()).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn credentials_are_folded_and_removed_like_grants() {
        let base = profile("[dlp]\nown = [\"secret/github-*\", \"secret/npm-*\"]\n", None).expect("in order");
        let more = "extends = \"b\"\nremove = [\"secret/npm-*\"]\n[dlp]\nown = [\"secret/gitlab-pat\", \"secret/github-*\"]\n";
        let folded = profile(more, Some(&base)).expect("in order");
        assert_eq!(*folded.own_credentials, ["secret/github-*", "secret/gitlab-pat"]);
    }

    #[test]
    fn whole_classes_personal_data_and_what_no_detector_finds_are_nobodys_job() {
        for wrong in
            ["*", "secret/*", "secret/gi*", "pii/email", "keyword/projects", "secret/nobody-*", "github-pat"]
        {
            let told = profile(&format!("[dlp]\nown = [\"{wrong}\"]\n"), None).expect_err(wrong);
            assert!(told.contains("p:4:"), "{wrong}: {told}");
        }
    }
}

//! `stockade profile show`: a profile with its bases folded in, and why each grant stands in it.

use std::io::Write;

use stockade_policy::document::profile::{PathGrant, Profile, Require};

use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::profiles::Available;

use super::screen::{Ink, Screen, columns, labelled, pad};

/// Prints one profile.
pub(super) fn show(name: &str) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let available = Available::load(&facts.system_dir, &facts.config_dir, facts.uid)?;
    let profile = available.named(name).map_err(|failure| match nearest(name, &available.names()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure,
    })?;
    let text = text(profile, Screen::of_stdout());
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the profile").because(&error))?;
    Ok(Exit::Ok)
}

/// The name that looks most like a mistyped one.
fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    similar::get_close_matches(name, names, 1, 0.6).pop()
}

fn text(profile: &Profile, screen: Screen) -> String {
    let mut text = format!("{}\n", screen.ink(Ink::Strong, &profile.name));
    text.push_str(&labelled("", 0, &profile.description, screen.width));
    if !profile.bases.is_empty() {
        text.push_str(&labelled("extends", 9, &profile.bases.join(", "), screen.width));
    }
    section(
        &mut text,
        screen,
        "For servers",
        &lines(&profile.identity),
        "those that no other profile is for",
    );
    let grants =
        [("Read", &profile.read), ("Read and write", &profile.write), ("Read and execute", &profile.exec)];
    for (title, grants) in grants {
        write_grants(&mut text, screen, title, grants);
    }
    section(&mut text, screen, "Network", &[], "none: this version grants no hosts yet");
    section(&mut text, screen, "Environment passed on", &lines(&profile.env_pass), "nothing");
    let set: Vec<String> = profile.env_set.iter().map(|set| format!("{}={}", set.name, set.value)).collect();
    section(&mut text, screen, "Environment set", &set, "nothing");
    section(&mut text, screen, "Limits", &limits(profile), "the built-in ones");
    let requires =
        [("fs", profile.require_fs), ("net", profile.require_net), ("process", profile.require_process)].map(
            |(name, require)| match require {
                Require::Full => format!("{}full, or the server is not started", pad(name, 10)),
                Require::BestEffort => {
                    format!("{}as far as the host can; what is missing is reported", pad(name, 10))
                }
            },
        );
    section(&mut text, screen, "Required of the host", &requires, "");
    text
}

fn lines(words: &[std::borrow::Cow<'static, str>]) -> Vec<String> {
    words.iter().map(|word| word.clone().into_owned()).collect()
}

fn section(text: &mut String, screen: Screen, title: &str, lines: &[String], none: &str) {
    text.push_str(&format!("\n{}\n", screen.ink(Ink::Strong, title)));
    if lines.is_empty() {
        text.push_str(&labelled("", 2, none, screen.width));
    }
    for line in lines {
        text.push_str(&labelled("", 2, line, screen.width));
    }
}

fn write_grants(text: &mut String, screen: Screen, title: &str, grants: &[PathGrant]) {
    text.push_str(&format!("\n{}\n", screen.ink(Ink::Strong, title)));
    if grants.is_empty() {
        text.push_str("  nothing\n");
        return;
    }
    let widest = grants.iter().map(|grant| columns(&grant.path)).max().unwrap_or(0).min(screen.width * 2 / 5);
    for grant in grants {
        let path = format!("  {}", grant.path);
        if columns(&grant.path) > widest {
            // Too long to stand beside its reason: the reason goes below it.
            text.push_str(&format!("{path}\n{}", labelled("", widest + 4, &grant.reason, screen.width)));
        } else {
            text.push_str(&labelled(&path, widest + 4, &grant.reason, screen.width));
        }
    }
}

fn limits(profile: &Profile) -> Vec<String> {
    let limits = &profile.limits;
    let number = |limit: Option<u64>| limit.map(|limit| limit.to_string());
    [
        ("open files per process", number(limits.open_files)),
        ("per written file", limits.file_bytes.map(size)),
        ("processes and threads", number(limits.processes)),
        ("of memory (not enforced by this version)", limits.memory_bytes.map(size)),
        ("CPU seconds per process", number(limits.cpu_seconds)),
    ]
    .into_iter()
    .filter_map(|(what, limit)| Some(format!("{} {what}", limit?)))
    .collect()
}

/// Bytes in the largest unit that divides them.
fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(bits, _)| bytes >> bits << bits == bytes && bytes >> bits > 0) {
        Some((bits, unit)) => format!("{} {unit}", bytes >> bits),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_its_like_and_nonsense_does_not() {
        let names = ["default", "server-everything"];
        assert_eq!(nearest("defualt", &names), Some("default"));
        assert_eq!(nearest("zzz", &names), None);
    }

    #[test]
    fn every_grant_is_shown_with_its_reason() {
        let grant =
            |path: &'static str, reason: &'static str| PathGrant { path: path.into(), reason: reason.into() };
        let file = "name = \"x\"\ndescription = \"For a test.\"\n";
        let mut profile = Profile::parse("x.toml", file, &|_| None).unwrap();
        profile.read = vec![grant("/usr/share", "time zones"), grant("/etc/ssl", "certificates")].into();
        profile.limits.processes = Some(64);
        profile.limits.memory_bytes = Some(512 << 20);
        for width in [60, 80] {
            let text = text(&profile, Screen::plain(width));
            for part in [
                "/usr/share",
                "time zones",
                "/etc/ssl",
                "certificates",
                "64 processes",
                "512 MiB of memory",
                "no hosts yet",
            ] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }
}

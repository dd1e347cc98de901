//! Opening a page outside, with the programs that the user's own environment names. Never by way of a shell.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::sync::oneshot;

/// What fails within this time failed; a browser that still runs then has opened the page.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tries `$BROWSER`'s programs, then `xdg-open`. The address begins with http, so it cannot be an option.
pub(super) async fn open(browser: Option<&OsStr>, address: &str) -> Result<(), String> {
    let mut why = Vec::new();
    for words in programs(browser, address) {
        match run(&words).await {
            Ok(()) => return Ok(()),
            Err(error) => why.push(error),
        }
    }
    Err(why.join("; "))
}

/// Command lines. `BROWSER` is a list with colons, each item a program with arguments, in which `%s` stands for the address
/// (as Python's `webbrowser` and xdg-open read it).
fn programs(browser: Option<&OsStr>, address: &str) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = browser
        .and_then(OsStr::to_str)
        .unwrap_or("")
        .split(':')
        .map(|item| item.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|words| !words.is_empty())
        .collect();
    all.push(vec!["xdg-open".to_owned()]);
    for words in &mut all {
        let mut named = false;
        for word in words.iter_mut().skip(1) {
            named |= word.contains("%s");
            *word = word.replace("%s", address);
        }
        if !named {
            words.push(address.to_owned());
        }
    }
    all
}

async fn run(words: &[String]) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else { return Err("no program".to_owned()) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // A client that kills our group at its end must not close the user's browser.
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let (tell, told) = oneshot::channel::<std::io::Result<ExitStatus>>();
    // A thread of its own and not of the runtime: a browser may run for days, and the runtime waits for its threads.
    std::thread::spawn(move || tell.send(child.wait()));
    match tokio::time::timeout(PATIENCE, told).await {
        Ok(Ok(Ok(status))) if !status.success() => Err(format!("`{program}` failed: {status}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_stands_where_the_variable_says_and_words_stay_words() {
        let all = programs(Some(OsStr::new("/opt/b --tab %s:  lynx :")), "https://a.example/?x=$(id)&y=;z");
        let expected: [&[&str]; 3] = [
            &["/opt/b", "--tab", "https://a.example/?x=$(id)&y=;z"],
            &["lynx", "https://a.example/?x=$(id)&y=;z"],
            &["xdg-open", "https://a.example/?x=$(id)&y=;z"],
        ];
        assert_eq!(all, expected);
        assert_eq!(programs(None, "https://a.example/"), [["xdg-open", "https://a.example/"]]);
    }
}

//! A profile's grants on their way to the jail of the probes: lines `KEY WORD PATH` among the facts of the stage.

use std::path::{Path, PathBuf};

use crate::probes::Beside;
use crate::{Access, Closed, ClosedPlace, Doors, Files, PathRule, UnixReach, UnixRule};

const WIDE: &str = "beside-wide";
const NARROW: &str = "beside-narrow";
const LISTED: &str = "beside-listed";
const CLOSED: &str = "beside-closed";
const OUT: &str = "beside-out";
const IN: &str = "beside-in";
const UNIX: &str = "beside-unix";

/// As facts. A path that is no text is left out, and with it a grant: less is granted then, never more.
pub(super) fn lines(beside: &Beside) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut say = |key, word: &str, path: &Path| {
        if let Some(path) = path.to_str().filter(|path| !path.contains('\n')) {
            lines.push((key, format!("{word} {path}")));
        }
    };
    if let Some(files) = &beside.files {
        for (key, rules) in [(WIDE, &files.wide), (NARROW, &files.narrow)] {
            for rule in rules {
                say(key, access_word(rule.access), &rule.path);
            }
        }
        for path in &files.listed {
            say(LISTED, "list", path);
        }
        for place in &files.closed {
            say(CLOSED, closed_word(place.closed), &place.path);
        }
    }
    for rule in &beside.unix {
        say(UNIX, reach_word(rule.reach), &rule.path);
    }
    let ports = |key, ports: &[u16]| ports.iter().map(|port| (key, port.to_string())).collect::<Vec<_>>();
    lines.extend(ports(OUT, &beside.doors.ports));
    lines.extend(ports(IN, &beside.doors.listen));
    lines
}

/// From the facts.
pub(super) fn read(facts: &str) -> Beside {
    let mut files = Files::plain(Vec::new());
    let (mut doors, mut unix) = (Doors::default(), Vec::new());
    for (key, rest) in facts.lines().filter_map(|line| line.split_once(' ')) {
        let (word, path) = rest.split_once(' ').unwrap_or((rest, ""));
        let path = PathBuf::from(path);
        match key {
            WIDE => files.wide.extend(access(word).map(|access| PathRule { path, access })),
            NARROW => files.narrow.extend(access(word).map(|access| PathRule { path, access })),
            LISTED => files.listed.push(path),
            CLOSED => {
                let known = [Closed::ForWriting, Closed::Contents];
                let closed = known.into_iter().find(|one| closed_word(*one) == word);
                let closed = closed.unwrap_or(Closed::Entirely);
                files.closed.push(ClosedPlace { path, closed });
            }
            UNIX => {
                let below = word == reach_word(UnixReach::Below);
                let reach = if below { UnixReach::Below } else { UnixReach::Socket };
                unix.push(UnixRule { path, reach });
            }
            OUT => doors.ports.extend(rest.parse::<u16>()),
            IN => doors.listen.extend(rest.parse::<u16>()),
            _ => {}
        }
    }
    Beside { files: Some(files), doors, unix }
}

fn access_word(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::ReadExecute => "execute",
        Access::ReadWrite => "write",
    }
}

fn access(word: &str) -> Option<Access> {
    [Access::Read, Access::ReadExecute, Access::ReadWrite].into_iter().find(|one| access_word(*one) == word)
}

fn closed_word(closed: Closed) -> &'static str {
    match closed {
        Closed::Entirely => "entirely",
        Closed::Contents => "contents",
        Closed::ForWriting => "writing",
    }
}

fn reach_word(reach: UnixReach) -> &'static str {
    match reach {
        UnixReach::Socket => "socket",
        UnixReach::Below => "below",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_come_back_as_they_went() {
        let rule = |path: &str, access| PathRule { path: path.into(), access };
        let files = Files {
            wide: vec![rule("/a b", Access::Read), rule("/x", Access::ReadExecute)],
            narrow: vec![rule("/n", Access::ReadWrite)],
            closed: vec![
                ClosedPlace { path: "/a b/.ssh".into(), closed: Closed::Entirely },
                ClosedPlace { path: "/a b/.env".into(), closed: Closed::Contents },
                ClosedPlace { path: "/n/.git/hooks".into(), closed: Closed::ForWriting },
            ],
            listed: vec!["/l m".into()],
            scratch: None,
        };
        let unix = vec![UnixRule { path: "/run/s".into(), reach: UnixReach::Below }];
        let beside =
            Beside { files: Some(files), doors: Doors { ports: vec![443, 80], listen: vec![3000] }, unix };
        let text: String = lines(&beside).iter().map(|(key, value)| format!("{key} {value}\n")).collect();
        assert_eq!(read(&text), beside);
    }
}

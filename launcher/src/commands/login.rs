//! `stockade login …`: a server's own logins, which its private home hides, given by a person at a terminal.

use std::io::{self, Write};
use std::time::SystemTime;

use serde_json::{Value, json};
use stockade_policy::document::profile::Login;

use super::screen::{Screen, columns, harmless, labelled, pad};
use super::terminal::Terminal;
use crate::cli::LoginCommand;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::logins::{self, Offer, Standing, State, Subject, Survey, Way, shown};

/// What is left out of a copy is named, as far as anybody reads that.
const LEFT_OUT_NAMED: usize = 8;

/// Carries out one of them.
pub(super) fn login(command: &LoginCommand) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    match command {
        LoginCommand::List { json } => list(&facts, *json),
        LoginCommand::Copy { server } => give(server, Gift::Copy, &facts),
        LoginCommand::Share { server } => give(server, Gift::Share, &facts),
        LoginCommand::Never { server } => never(server, &facts),
        LoginCommand::Forget { server } => forget(server, &facts),
    }
}

/// How a login is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gift {
    Copy,
    Share,
}

fn list(facts: &Facts, as_json: bool) -> Result<Exit, Failure> {
    let subjects = logins::subjects(facts)?;
    let place = |login: &Login| shown(&logins::source(login, facts), &facts.home);
    if as_json {
        let row = |subject: &Subject, login: &Login| {
            let decision = subject.record.decision(&login.path);
            json!({
                "key": subject.record.key, "server": subject.record.server, "id": subject.record.id,
                "profile": subject.profile.name, "place": place(login), "what": login.reason,
                "state": word(subject.state(login, facts)), "decided": decision.map(|one| &one.at),
            })
        };
        let rows = subjects
            .iter()
            .flat_map(|subject| subject.profile.logins.iter().map(move |login| row(subject, login)));
        return print(&format!("{:#}\n", rows.collect::<Value>()));
    }
    let screen = Screen::of_stdout();
    let mut out = String::new();
    for subject in &subjects {
        let Subject { record, profile } = subject;
        let id = record.id.as_deref().map(|id| format!(" ({id})")).unwrap_or_else(String::new);
        out.push_str(&format!(
            "{}{}, profile {}: {}\n",
            harmless(&record.server),
            harmless(&id),
            profile.name,
            record.key
        ));
        let wide = profile.logins.iter().map(|login| columns(&place(login))).max().unwrap_or(0);
        for login in profile.logins.iter() {
            let decided =
                record.decision(&login.path).map(|one| format!(", {}", one.at)).unwrap_or_else(String::new);
            let label = format!("  {}", pad(&place(login), wide));
            let words =
                format!("{}{decided}: {}", in_words(subject.state(login, facts)), harmless(&login.reason));
            out.push_str(&labelled(&label, wide + 4, &words, screen.width));
        }
    }
    if out.is_empty() {
        out.push_str("no server was started yet whose profile names a login of its own\n");
    }
    print(&out)
}

fn word(state: State) -> &'static str {
    match state {
        State::Absent => "absent",
        State::Waiting => "waiting",
        State::Private => "private",
        State::InPlace => "granted",
        State::Decided(Way::Copied) => "copied",
        State::Decided(Way::SharedRead | Way::SharedWrite) => "shared",
        State::Decided(Way::Never) => "never",
    }
}

fn in_words(state: State) -> &'static str {
    match state {
        State::Absent => "you have none",
        State::Waiting => "not decided, and not given",
        State::Private => "not decided; it has one of its own in its private home",
        State::InPlace => "not decided; its profile grants it in its place",
        State::Decided(way) => way.words(),
    }
}

/// Copies or shares each login of a server that the person at the terminal agrees to.
fn give(server: &str, gift: Gift, facts: &Facts) -> Result<Exit, Failure> {
    let subject = logins::subject(server, facts)?;
    let mut terminal = Terminal::open()?;
    let mut offered = 0;
    let mut given = 0;
    let all = subject.profile.logins.iter();
    let meant: Vec<&Login> = all.filter(|login| gift == Gift::Copy || login.share.is_some()).collect();
    if meant.is_empty() {
        let what = format!("no login of {} can be shared", harmless(&subject.record.server));
        return Err(Failure::new(Kind::Usage, what)
            .cause("its profile lets them be copied alone")
            .hint(format!("`stockade login copy {}` gives a copy", subject.record.key)));
    }
    for login in meant {
        // The server has it where it looks for it.
        if subject.state(login, facts) == State::InPlace {
            continue;
        }
        let Some(offer) = subject.offer(login, facts)? else { continue };
        offered += 1;
        terminal.show(&described(&subject, &offer, gift, facts))?;
        let question = match gift {
            Gift::Copy => "Give it a copy?",
            Gift::Share => "Let it use the place itself, in every session from now on?",
        };
        if !terminal.agrees(question)? {
            continue;
        }
        given += 1;
        let place = shown(&offer.from, &facts.home);
        let done = match gift {
            Gift::Copy => {
                let copied = subject.copy(&offer, facts)?;
                format!("{place}: copied, {}\n", amount(&copied))
            }
            Gift::Share => format!("{place}: {}\n", subject.share(&offer, facts)?.words()),
        };
        print(&done)?;
    }
    if offered == 0 {
        return Err(Failure::new(
            Kind::Usage,
            format!("there is no login to give to {}", harmless(&subject.record.server)),
        )
        .cause("you have nothing in the places that its profile names, or it grants them already")
        .hint("`stockade login list` shows them"));
    }
    if given == 0 {
        return Err(unchanged());
    }
    print("a server that runs sees it when it is started anew\n")
}

/// What a person has to know before the answer.
fn described(subject: &Subject, offer: &Offer<'_>, gift: Gift, facts: &Facts) -> String {
    let Offer { login, from, real, found, standing, .. } = offer;
    let mut text = format!("{}: {}\n", shown(from, &facts.home), harmless(&login.reason));
    if real != from {
        text.push_str(&format!("  leads to    {}\n", shown(real, &facts.home)));
    }
    text.push_str(&format!(
        "  given to    {} (profile {})\n",
        harmless(&subject.record.server),
        subject.profile.name
    ));
    text.push_str(&format!("  holds       {}\n", amount(found)));
    if gift == Gift::Copy {
        let shown_names = found.left_out.iter().take(LEFT_OUT_NAMED);
        for (path, what) in shown_names {
            text.push_str(&format!("  left out    {}: {what}\n", harmless(&path.display().to_string())));
        }
        if found.left_out.len() > LEFT_OUT_NAMED {
            text.push_str(&format!("  left out    {} more\n", found.left_out.len() - LEFT_OUT_NAMED));
        }
    }
    match standing {
        Standing::Free => {}
        Standing::Link(_) => text.push_str("  in its home a link stands there; it is kept beside it\n"),
        Standing::Taken(own) => {
            let newer = if own.newest > found.newest { ", and it is NEWER than yours" } else { "" };
            text.push_str(&format!(
                "  in its home {} stand there{newer}; they are kept beside it\n",
                amount(own)
            ));
        }
    }
    text
}

/// `3 files, 1234 bytes, the newest 2 days ago`
fn amount(found: &Survey) -> String {
    let files =
        format!("{} file{}, {} bytes", found.files, if found.files == 1 { "" } else { "s" }, found.bytes);
    match found.newest {
        Some(newest) => format!("{files}, the newest {}", logins::age(newest, SystemTime::from(host::now()))),
        None => files,
    }
}

fn never(server: &str, facts: &Facts) -> Result<Exit, Failure> {
    let subject = logins::subject(server, facts)?;
    let mut terminal = Terminal::open()?;
    let places: Vec<String> = subject
        .profile
        .logins
        .iter()
        .map(|login| shown(&logins::source(login, facts), &facts.home))
        .collect();
    let (server, places) = (harmless(&subject.record.server), places.join(", "));
    if !terminal.agrees(&format!(
        "Never tell of {places} again, and let {server} have nothing of it (what it was given is removed)?"
    ))? {
        return Err(unchanged());
    }
    for login in subject.profile.logins.iter() {
        if let Some(decision) = subject.record.decision(&login.path) {
            subject.forget(decision, Some(login), facts)?;
        }
        subject.never(login, facts)?;
    }
    print(&format!("{places}: never\n"))
}

fn forget(server: &str, facts: &Facts) -> Result<Exit, Failure> {
    let subject = logins::subject(server, facts)?;
    let decisions = subject.record.decisions.clone();
    if decisions.is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            format!("nothing was decided about logins of {}", harmless(&subject.record.server)),
        ));
    }
    let mut terminal = Terminal::open()?;
    for decision in &decisions {
        let line =
            format!("{}: {}, {}\n", shown(&decision.from, &facts.home), decision.way.words(), decision.at);
        terminal.show(&line)?;
    }
    if !terminal.agrees("Take this back, and remove what the server was given?")? {
        return Err(unchanged());
    }
    for decision in &decisions {
        let login = subject.profile.logins.iter().find(|login| login.path == decision.path);
        subject.forget(decision, login, facts)?;
        print(&format!("{}: forgotten\n", shown(&decision.from, &facts.home)))?;
    }
    Ok(Exit::Ok)
}

fn unchanged() -> Failure {
    Failure::new(Kind::Permission, "nothing was changed").cause("the answer was not `y`")
}

fn print(text: &str) -> Result<Exit, Failure> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))?;
    Ok(Exit::Ok)
}

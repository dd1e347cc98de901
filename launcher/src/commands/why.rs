//! `stockade why`: the whole story of one recorded event, from what is on record and what the policy files say now.

mod story;

use std::io::{self, Write};

use serde_json::json;

use super::approve::{events, nothing};
use super::screen::Screen;
use crate::approvals::{self, Found, Named, SessionState};
use crate::cli::WhyArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::requests;
use crate::telemetry::StoredEvent;
use story::Story;

/// Events of the same session that are shown before and after it.
const NEIGHBOURS: usize = 3;

/// Tells it.
pub(super) fn why(args: &WhyArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let all = events(&facts)?;
    let (event, others) = match approvals::find(&all, &Named::of(args.id.as_deref())) {
        Found::One(event) => (*event, Vec::new()),
        // The code of a refusal is looked up soon after it; the others are named.
        Found::Several(mut found) => {
            let Some(latest) = found.pop() else { return Err(nothing("")) };
            (latest, found)
        }
        Found::Nothing => match &args.id {
            Some(code) => return Err(nothing(code)),
            None => {
                return Err(Failure::new(Kind::Usage, "nothing was refused as far as is on record")
                    .hint("`stockade log` shows what was decided; `stockade why ID` tells of any event"));
            }
        },
    };
    let place = requests::place(&event, &all, &facts);
    let story = Story {
        neighbours: neighbours(&event, &all),
        session: SessionState::of(event.who("session"), &all),
        approvable: event.what("access") == "ask" && event.value["what"]["asked"].is_object(),
        arguments: approvals::arguments_of(&facts.state_dir, event.who("session"), kept_as(&event)),
        event: &event,
        others: &others,
        place: place.as_ref(),
    };
    let text = if args.json {
        let place = place.as_ref().map(|place| json!({ "file": place.file, "line": place.line }));
        let neighbours = story.neighbours.iter().map(|(event, _)| &event.value).collect::<Vec<_>>();
        let others = others.iter().map(|event| &event.value["id"]).collect::<Vec<_>>();
        format!(
            "{:#}\n",
            json!({ "event": event.value, "rule_at": place, "around": neighbours, "same_code": others })
        )
    } else {
        story.text(Screen::of_stdout())
    };
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Kind::Software, "cannot write the answer").because(&error))?;
    Ok(Exit::Ok)
}

/// The name under which arguments are kept: a refusal's code, or the id of the answer of a call that failed.
fn kept_as(event: &StoredEvent) -> &str {
    match event.what("code") {
        "" => event.value["id"].as_str().unwrap_or(""),
        code => code,
    }
}

/// What stands around it in its session.
fn neighbours<'e>(event: &'e StoredEvent, all: &'e [StoredEvent]) -> Vec<(&'e StoredEvent, story::Side)> {
    let session: Vec<_> = all.iter().filter(|one| one.who("session") == event.who("session")).collect();
    let Some(at) = session.iter().position(|one| one.value["id"] == event.value["id"]) else {
        return Vec::new();
    };
    let around = session
        .iter()
        .enumerate()
        .skip(at.saturating_sub(NEIGHBOURS))
        .take(at.min(NEIGHBOURS) + NEIGHBOURS + 1);
    around.map(|(n, one)| (*one, if n == at { story::Side::Itself } else { story::Side::Beside })).collect()
}

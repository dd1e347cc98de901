//! PURE: what a session saw → what is kept of it.

use stockade_policy::mediator::{Others, Said, Sighting, Sightings, Standing};

use super::pin::{Approved, Definition, Entry, How, ServerPins, Waiting};

/// Most tools of one server.
const TOOLS_MAX: usize = 4096;
/// Most bytes of texts of one server; beyond, hashes have to do.
const TEXT_BYTES_MAX: usize = 8 << 20;

/// Names of tools that were pinned because nobody had seen any before.
pub(super) fn apply(pins: &mut ServerPins, sightings: &Sightings, others: Others, now: &str) -> Vec<String> {
    let is_first_look = !pins.settled && others == Others::FirstUse;
    let mut room = TEXT_BYTES_MAX.saturating_sub(
        pins.entries().flat_map(Entry::definitions).map(Definition::text_bytes).sum::<usize>(),
    );
    let mut pinned = Vec::new();
    for sighting in &sightings.seen {
        let has_room = pins.tools.len() < TOOLS_MAX;
        let (entry, is_first) = match &sighting.said {
            // The server itself cannot be added by anybody.
            Said::Server => {
                let is_first = pins.says.is_none();
                (pins.says.get_or_insert_with(|| Entry::first(now)), is_first)
            }
            Said::Tool(name) if has_room || pins.tools.contains_key(name) => {
                (pins.tools.entry(name.clone()).or_insert_with(|| Entry::first(now)), is_first_look)
            }
            Said::Tool(_) => continue,
        };
        if note(entry, sighting, is_first, (&mut room, now)) == Noted::Pinned
            && let Said::Tool(name) = &sighting.said
        {
            pinned.push(name.clone());
        }
    }
    if let Some(listed) = &sightings.listed {
        pins.settled = true;
        for (name, entry) in &mut pins.tools {
            entry.offered = listed.contains(name);
        }
    }
    pinned
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Noted {
    /// It holds now because it was the first.
    Pinned,
    /// Anything else.
    Otherwise,
}

fn note(entry: &mut Entry, sighting: &Sighting, is_first: bool, (room, now): (&mut usize, &str)) -> Noted {
    let sha256 = &sighting.sha256;
    let is_approved = entry.approved.as_ref().is_some_and(|approved| approved.definition.sha256 == *sha256);
    let is_waiting = entry.waiting.as_ref().is_some_and(|waiting| waiting.definition.sha256 == *sha256);
    if is_approved {
        entry.waiting = None;
        return Noted::Otherwise;
    }
    let how = match (sighting.standing, &sighting.baseline) {
        (Standing::Approved, Some(baseline)) => Some((How::Baseline, baseline.clone())),
        // Judged as the first, and it is: another session may have been faster with another one.
        (Standing::Approved, None) if is_first && entry.approved.is_none() && entry.waiting.is_none() => {
            Some((How::FirstUse, String::new()))
        }
        _ => None,
    };
    if how.is_none() && is_waiting {
        return Noted::Otherwise;
    }
    let own = entry.waiting.take().filter(|_| is_waiting).map(|waiting| waiting.definition);
    let definition = own.unwrap_or_else(|| {
        let text = sighting.text.clone().filter(|text| text.len() <= *room);
        *room -= text.as_ref().map_or(0, String::len);
        Definition { sha256: sha256.clone(), text }
    });
    match how {
        Some((how, by)) => {
            let at = now.to_owned();
            entry.approved =
                Some(Approved { definition, at, how, by, terminal: None, processes: Vec::new() });
            if how == How::FirstUse { Noted::Pinned } else { Noted::Otherwise }
        }
        None => {
            entry.waiting = Some(Waiting { definition, since: now.to_owned() });
            Noted::Otherwise
        }
    }
}

#[cfg(test)]
mod tests;

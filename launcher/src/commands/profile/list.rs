//! `stockade profile list`.

use serde_json::json;
use stockade_policy::document::profile::Profile;

use crate::commands::screen::{Ink, Screen, columns, harmless, labelled};
use crate::error::Failure;
use crate::exit::Exit;
use crate::host::Facts;
use crate::profiles::{Available, Home};

/// Prints every profile that a server could get.
pub(super) fn list(as_json: bool) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let available = Available::load(&facts.system_dir, &facts.config_dir, facts.uid)?;
    let profiles: Vec<_> = available.listed().collect();
    super::print(&if as_json { json_text(&profiles) } else { text(&profiles, Screen::of_stdout()) })
}

fn json_text(profiles: &[(&Profile, Home<'_>)]) -> String {
    let items: Vec<_> = profiles
        .iter()
        .map(|(profile, home)| {
            json!({
                "name": profile.name,
                "description": profile.description,
                "extends": profile.bases,
                "identity": profile.identity,
                "from": home.word(),
                "file": home.file(),
            })
        })
        .collect();
    format!("{:#}\n", json!(items))
}

fn text(profiles: &[(&Profile, Home<'_>)], screen: Screen) -> String {
    let widest = profiles.iter().map(|(profile, _)| columns(&profile.name)).max().unwrap_or(0);
    let mut text = String::new();
    for kind in [Home::ORGANISATION, Home::YOURS, Home::BUILT_IN] {
        let of_kind: Vec<_> = profiles.iter().filter(|(_, home)| home.word() == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let title = match kind {
            Home::ORGANISATION => "The organisation's (these come first)",
            Home::YOURS => "Yours",
            _ => "Built in",
        };
        let gap = if text.is_empty() { "" } else { "\n" };
        text.push_str(&format!("{gap}{}\n", screen.ink(Ink::Strong, title)));
        for (profile, _) in of_kind {
            let label = format!("  {}", profile.name);
            text.push_str(&labelled(&label, widest + 4, &harmless(&profile.description), screen.width));
            for identity in profile.identity.iter() {
                text.push_str(&labelled("", widest + 4, &format!("for {identity}"), screen.width));
            }
        }
    }
    text
}

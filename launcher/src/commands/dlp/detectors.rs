//! `dlp detectors`: what there is to find.

use serde_json::{Value, json};
use stockade_policy::detect::{About, about_built_in};

use super::{print, word};
use crate::commands::screen::{Ink, Screen, cut, harmless};
use crate::error::{Failure, Kind};
use crate::exit::Exit;

/// Lists those that the pattern names.
pub(super) fn list(pattern: Option<&str>, as_json: bool) -> Result<Exit, Failure> {
    let all: Vec<&About> = about_built_in(pattern.unwrap_or("*")).collect();
    if all.is_empty() {
        let pattern = harmless(pattern.unwrap_or("*"));
        return Err(Failure::new(Kind::Usage, format!("no detector is called `{pattern}`"))
            .hint("`stockade dlp detectors` lists them; `*` is any run of characters"));
    }
    if as_json {
        let row = |about: &&About| {
            json!({
                "name": about.name, "vendor": about.vendor, "source": about.source, "confidence": word(about.confidence),
                "key": about.example_key, "example": about.example,
            })
        };
        print(&format!("{:#}\n", all.iter().map(row).collect::<Value>()))?;
        return Ok(Exit::Ok);
    }
    let screen = Screen::of_stdout();
    let mut out = String::new();
    for about in &all {
        out.push_str(&format!(
            "{}  {}\n",
            screen.ink(Ink::Strong, about.name),
            screen.ink(Ink::Faint, &format!("{}, {}", about.vendor, word(about.confidence)))
        ));
        out.push_str(&format!(
            "  {}\n  {}\n",
            about.source,
            cut(&example(about), screen.width.saturating_sub(2))
        ));
    }
    let of = |class: &str| all.iter().filter(|about| about.name.starts_with(class)).count();
    out.push_str(&format!(
        "{} detectors: {} of secrets, {} of personal data, {} of instructions and hidden text\n",
        all.len(),
        of("secret/"),
        of("pii/"),
        of("injection/")
    ));
    print(&out)?;
    Ok(Exit::Ok)
}

/// On one line.
fn example(about: &About) -> String {
    let text = about.example.replace('\n', "\\n");
    harmless(&if about.example_key.is_empty() { text } else { format!("{}: {text}", about.example_key) })
}

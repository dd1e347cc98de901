//! A call that is only asked about: what is known of it, from a command line or a table.

use stockade_policy::document::policy::{ASKED, About, PolicyCase};
use stockade_policy::rules::{Arguments, Circumstances, UnixTime};
use stockade_policy::wire::{Direction, Limits, Parser};

use crate::cli::PolicyAbout;
use crate::error::{Failure, Kind};

/// A call, owned.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) server: Vec<String>,
    pub(super) about: About,
    pub(super) args: Option<String>,
    pub(super) client: Option<String>,
    pub(super) user: Option<String>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) device: Option<String>,
    pub(super) at: Option<UnixTime>,
}

impl Call {
    /// As a table has it: what the table does not say is not known.
    pub(super) fn of_case(case: &PolicyCase) -> Self {
        Self {
            server: case.server.clone(),
            about: case.about.clone(),
            args: case.args.clone(),
            client: case.client.clone(),
            user: case.user.clone(),
            groups: case.groups.clone(),
            device: case.device.clone(),
            at: case.at,
        }
    }

    /// What conditions may look at. Whoever asks about a call without saying its arguments asks about one without any;
    /// annotations are known of tools that a server has listed, and nobody has asked one here.
    pub(super) fn circumstances(&self) -> Circumstances<'_> {
        Circumstances {
            arguments: self.args.as_deref().map_or(Arguments::None, Arguments::Json),
            annotations: None,
            client: self.client.as_deref(),
            user: self.user.as_deref(),
            groups: self.groups.as_deref(),
            device: self.device.as_deref(),
            now: self.at,
        }
    }
}

/// What the command line asks about.
pub(super) fn about(about: &PolicyAbout) -> About {
    let PolicyAbout { tool, prompt, resource, template, feature, page } = about.clone();
    let feature =
        feature.and_then(|word| ASKED.iter().find(|(known, _)| *known == word).map(|(_, asked)| *asked));
    tool.map(About::Tool)
        .or_else(|| prompt.map(About::Prompt))
        .or_else(|| resource.map(About::Resource))
        .or_else(|| template.map(About::Template))
        .or_else(|| page.map(About::Page))
        .or_else(|| feature.map(About::Feature))
        .unwrap_or(About::Server)
}

/// In words: `the tool read_file`.
pub(super) fn in_words(about: &About) -> String {
    let asked = |asked| ASKED.iter().find(|(_, known)| *known == asked).map_or("", |(word, _)| *word);
    match about {
        About::Server => "the start of the server".to_owned(),
        About::Tool(name) => format!("the tool {name}"),
        About::Prompt(name) => format!("the prompt {name}"),
        About::Resource(uri) => format!("the resource {uri}"),
        About::Template(template) => format!("the template {template}"),
        About::Page(origin) => format!("a page of {origin}"),
        About::Feature(feature) => asked(*feature).to_owned(),
    }
}

/// Arguments have to pass the grammar that those of a real call have to pass, and be an object.
pub(super) fn checked_arguments(args: &str) -> Result<(), Failure> {
    let wrong = |why: String| {
        Failure::new(Kind::Usage, "these arguments are none that a call could have")
            .cause(why)
            .hint("write a JSON object: '{\"base\": \"main\"}'")
    };
    if !args.trim_start().starts_with('{') {
        return Err(wrong("they are no JSON object".to_owned()));
    }
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x","arguments":{args}}}}}"#
    );
    let mut parser = Parser::default();
    let limits = Limits::of(Direction::ToServer);
    let parsed = parser.parse(line.as_bytes(), Direction::ToServer, &limits);
    let frame = parsed.map_err(|refused| wrong(refused.reason.code().to_owned()))?;
    // A text that closes its own object could carry members of the call behind it.
    let whole =
        frame.body().and_then(|params| frame.get(params, "arguments")).map(|node| frame.span(node).len());
    if whole != Some(args.trim().len()) {
        return Err(wrong("there is more than one JSON object".to_owned()));
    }
    Ok(())
}

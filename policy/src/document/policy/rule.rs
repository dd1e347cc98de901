//! One `[[rule]]`.

use super::parse::{ACCESS, Ids, owned, sentence};
use super::times::times;
use super::{Feature, Rule};
use crate::document::identity::identity_patterns;
use crate::document::reader::{Reader, Section, Text, shown};
use crate::document::suggest::{did_you_mean, one_of};
use crate::rules::{Condition, Name};

/// `elicitation` is both ways of asking: whoever forbids questions to the user means those by a page too.
pub(super) const FEATURES: &[(&str, &[Feature])] = &[
    ("sampling", &[Feature::Sampling]),
    ("elicitation", &[Feature::ElicitationForm, Feature::ElicitationUrl]),
    ("elicitation-form", &[Feature::ElicitationForm]),
    ("elicitation-url", &[Feature::ElicitationUrl]),
    ("roots", &[Feature::Roots]),
];

// Keys that the design knows and this version does not: each is refused by name, because a condition or a limit that
// is silently passed over makes a rule wider than its author wrote it.
const NOT_YET: &[&str] =
    &["completions", "methods", "clients", "users", "groups", "devices", "expires", "may_relax", "except"];

pub(super) fn rule(r: &mut Reader<'_>, mut s: Section<'_>, ids: &mut Ids) -> Option<Rule> {
    let line = r.line(s.at);
    let id = ids.read(r, &mut s);
    let effect = s.required(r, "effect", "write `effect = \"deny\"`, \"ask\" or \"allow\"").is_some();
    let effect = if effect { s.word(r, "effect", ACCESS) } else { None };
    let servers = s.names(r, "servers");
    let servers = identity_patterns(r, &servers);
    let tools = owned(s.names(r, "tools"));
    let prompts = owned(s.names(r, "prompts"));
    let resources = resources(r, &mut s);
    let templates = owned(s.names(r, "templates"));
    let features = features(r, &mut s);
    let origins = origins(r, &mut s, &features);
    let named = [&tools, &prompts, &resources, &templates].map(|names| !names.is_empty());
    let [has_tools, has_prompts, others @ ..] = named;
    let has_others = others.contains(&true) || !features.is_empty();
    let when = condition(r, &mut s, |name| match name {
        Name::Args => (has_tools || has_prompts) && !has_others,
        Name::Tool | Name::Annotations => has_tools && !has_prompts && !has_others,
        _ => true,
    });
    let times = times(r, &mut s);
    let reason = s.required(r, "reason", "say in one sentence why: users and models will read it");
    let reason = reason.and_then(|text| sentence(r, text));
    s.close(r, NOT_YET);
    Some(Rule {
        id: id?,
        effect: effect?,
        servers,
        tools,
        prompts,
        resources,
        templates,
        features,
        origins,
        when,
        times,
        reason: reason?,
        line,
    })
}

/// A condition, compiled. What it looks at has to be there for everything that the rule names: a rule about resources
/// that asks for arguments would refuse them all, since they have none.
fn condition(r: &mut Reader<'_>, s: &mut Section<'_>, fits: impl Fn(Name) -> bool) -> Option<Condition> {
    let text = s.string(r, "when")?;
    match Condition::compile(text.text) {
        Ok(condition) => {
            for name in Name::ALL.into_iter().filter(|name| condition.asks_for(*name) && !fits(*name)) {
                let what = format!("`{}` is not known of everything that this rule is about", name.word());
                let remedy = match name {
                    Name::Args => "name tools or prompts in this rule, and nothing else",
                    _ => "name tools in this rule, and nothing else",
                };
                r.wrong(text.at, what, Some(remedy.to_owned()));
            }
            Some(condition)
        }
        Err(mistakes) => {
            for mistake in mistakes {
                r.wrong(r.within(text.at, mistake.at), mistake.what, mistake.remedy);
            }
            None
        }
    }
}

/// URIs are compared in canonical form; a pattern in any other form protects nothing, so it is a mistake.
fn resources(r: &mut Reader<'_>, s: &mut Section<'_>) -> Vec<String> {
    let patterns = s.names(r, "resources");
    for Text { text, at } in &patterns {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        let named = scheme.filter(|scheme| !scheme.is_empty() && scheme.chars().all(is_scheme));
        if named.is_none() && !text.starts_with('*') {
            let remedy = "write the whole URI, such as \"file:///srv/*\", or begin with `*`".to_owned();
            r.wrong(*at, format!("`{}` matches no URI: it has no scheme", shown(text)), Some(remedy));
            continue;
        }
        let odd = match named {
            Some(scheme) if scheme.chars().any(|c| c.is_ascii_uppercase()) => {
                Some("a scheme in capital letters")
            }
            _ if has_dot_segment(text) => Some("a segment of dots"),
            _ if text.to_ascii_lowercase().contains("%2e") => Some("an escaped dot"),
            _ => None,
        };
        if let Some(odd) = odd {
            let remedy =
                "write it as it is after `..`, escapes and capitals of the host are resolved".to_owned();
            let what = format!("`{}` has {odd}: URIs are compared in canonical form", shown(text));
            r.wrong(*at, what, Some(remedy));
        }
    }
    owned(patterns)
}

fn is_scheme(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '*')
}

fn has_dot_segment(uri: &str) -> bool {
    let path = uri.split(['?', '#']).next().unwrap_or(uri);
    path.split('/').skip(1).any(|segment| matches!(segment, "." | ".."))
}

fn features(r: &mut Reader<'_>, s: &mut Section<'_>) -> Vec<Feature> {
    let known = FEATURES.iter().map(|(word, _)| *word);
    let mut features = Vec::<Feature>::new();
    for Text { text, at } in s.names(r, "features") {
        match FEATURES.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => {
                let new = meaning.iter().filter(|feature| !features.contains(*feature)).copied();
                let new = new.collect::<Vec<_>>();
                features.extend(new);
            }
            None => {
                let remedy = did_you_mean(text, known.clone())
                    .unwrap_or_else(|| format!("use {}", one_of(known.clone())));
                r.wrong(at, format!("there is no feature `{}`", shown(text)), Some(remedy));
            }
        }
    }
    features
}

fn origins(r: &mut Reader<'_>, s: &mut Section<'_>, features: &[Feature]) -> Vec<String> {
    let patterns = s.names(r, "origins");
    if let Some(first) = patterns.first()
        && features != [Feature::ElicitationUrl]
    {
        let remedy = "give the rule `features = [\"elicitation-url\"]` and nothing else".to_owned();
        r.wrong(first.at, "`origins` narrows elicitation by URL, and nothing else", Some(remedy));
    }
    for Text { text, at } in &patterns {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_origin = host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@']));
        if *text != "*" && (!is_origin || text.chars().any(|c| c.is_ascii_uppercase())) {
            let remedy = "write scheme, host and, if it is not the usual one, port, in lower case: \
                          \"https://login.example.org\""
                .to_owned();
            r.wrong(*at, format!("`{}` is no origin", shown(text)), Some(remedy));
        }
    }
    owned(patterns)
}

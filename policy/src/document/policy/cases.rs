//! Tables of tests for policies, written by whoever writes the policy: a call, and what is to become of it.

use super::parse::{ACCESS, owned};
use crate::document::Mistakes;
use crate::document::reader::{Reader, Section, shown};
use crate::document::tree::Kind;
use crate::rules::UnixTime;
use crate::verdict::Access;

/// One `[[test]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyCase {
    /// What it shows, for people.
    pub name: String,
    /// Identities of the server.
    pub server: Vec<String>,
    /// What is asked about.
    pub about: About,
    /// The arguments, as JSON.
    pub args: Option<String>,
    /// Name of the client.
    pub client: Option<String>,
    /// Login name.
    pub user: Option<String>,
    /// Groups.
    pub groups: Option<Vec<String>>,
    /// Name of the machine.
    pub device: Option<String>,
    /// When.
    pub at: Option<UnixTime>,
    /// The verdict that it expects.
    pub expect: Access,
    /// The rule that is to decide; `None` leaves that open.
    pub rule: Option<String>,
    /// Line in its file, from 1.
    pub line: usize,
}

/// What a test or a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// The server as a whole.
    Server,
    /// A tool.
    Tool(String),
    /// A prompt.
    Prompt(String),
    /// A resource.
    Resource(String),
    /// A URI template.
    Template(String),
    /// `sampling`, `roots`, `elicitation-form`.
    Feature(Asked),
    /// A page that the user is sent to, by its origin.
    Page(String),
}

/// A feature of the client that needs no more words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `sampling`
    Sampling,
    /// `roots`
    Roots,
    /// `elicitation-form`
    Form,
}

/// Words of [`Asked`].
pub const ASKED: [(&str, Asked); 3] =
    [("sampling", Asked::Sampling), ("roots", Asked::Roots), ("elicitation-form", Asked::Form)];

/// A file of such tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyCases {
    /// Policy files that are tested, furthest first; empty means those of this machine.
    pub policies: Vec<String>,
    /// The tests, in file order.
    pub cases: Vec<PolicyCase>,
}

impl PolicyCases {
    /// The text of a file of tests → its value.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse(file: &str, text: &str) -> Result<Self, Mistakes> {
        let (mut reader, members) = Reader::open(text);
        let r = &mut reader;
        let mut top = Section::whole(&members);
        match top.value("version").map(|node| (node.at, &node.kind)) {
            Some((_, Kind::Integer(Some(1)))) => {}
            None => r.lacking(
                0,
                "the file has no `version`",
                Some("write `version = 1` in its first line".into()),
            ),
            Some((at, _)) => r.wrong(at, "`version` must be the number 1", None),
        }
        let policies = owned(top.strings(r, "policies"));
        let sections = top.tables(r, "test");
        if sections.is_empty() {
            r.lacking(0, "the file has no [[test]]", None);
        }
        let cases = sections.into_iter().filter_map(|section| case(r, section)).collect();
        top.close(r, &[]);
        reader.finish(file, Some(Self { policies, cases }))
    }
}

fn case(r: &mut Reader<'_>, mut s: Section<'_>) -> Option<PolicyCase> {
    let (line, at) = (r.line(s.at), s.at);
    let name = s.required(r, "name", "say what it shows").map(|text| text.text.to_owned());
    let server = owned(s.strings(r, "server"));
    let about = about(r, &mut s, at);
    let mut text = |r: &mut Reader<'_>, key| s.string(r, key).map(|text| text.text.to_owned());
    let (args, client, user, device) =
        (text(r, "args"), text(r, "client"), text(r, "user"), text(r, "device"));
    let groups = s.value("groups").is_some().then(|| owned(s.strings(r, "groups")));
    let at = s.string(r, "at").and_then(|text| {
        let moment = moment(text.text);
        if moment.is_none() {
            let remedy = "write \"2026-12-31T18:00Z\"".to_owned();
            r.wrong(text.at, format!("`at` cannot be `{}`", shown(text.text)), Some(remedy));
        }
        moment
    });
    let expect = s.required(r, "expect", "write `expect = \"deny\"`, \"ask\" or \"allow\"").is_some();
    let expect = if expect { s.word(r, "expect", ACCESS) } else { None };
    let rule = s.string(r, "rule").map(|text| text.text.to_owned());
    s.close(r, &["finding", "layer"]);
    let (name, about, expect) = (name?, about?, expect?);
    Some(PolicyCase { name, server, about, args, client, user, groups, device, at, expect, rule, line })
}

/// A key, and what it makes of its text.
type Named = (&'static str, fn(String) -> About);

fn about(r: &mut Reader<'_>, s: &mut Section<'_>, at: usize) -> Option<About> {
    let mut found = Vec::new();
    let of: [Named; 5] = [
        ("tool", About::Tool),
        ("prompt", About::Prompt),
        ("resource", About::Resource),
        ("template", About::Template),
        ("page", About::Page),
    ];
    for (key, about) in of {
        found.extend(s.string(r, key).map(|text| about(text.text.to_owned())));
    }
    found.extend(s.word(r, "feature", &ASKED).map(About::Feature));
    if found.len() > 1 {
        r.wrong(at, "a test is about one thing", Some("make a test for each".to_owned()));
        return None;
    }
    Some(found.pop().unwrap_or(About::Server))
}

/// `2026-12-31T18:00Z`
#[must_use]
pub fn moment(text: &str) -> Option<UnixTime> {
    text.contains('T').then(|| super::times::until(text)).flatten()
}

impl About {
    /// As rules know it.
    #[must_use]
    pub fn item(&self) -> crate::rules::Item<'_> {
        use crate::rules::{Elicited, Item};
        match self {
            Self::Server => Item::Server,
            Self::Tool(name) => Item::Tool(name),
            Self::Prompt(name) => Item::Prompt(name),
            Self::Resource(uri) => Item::Resource(uri),
            Self::Template(template) => Item::Template(template),
            Self::Page(origin) => Item::Elicitation(Elicited::Url { origin: Some(origin) }),
            Self::Feature(Asked::Sampling) => Item::Sampling,
            Self::Feature(Asked::Roots) => Item::Roots,
            Self::Feature(Asked::Form) => Item::Elicitation(Elicited::Form),
        }
    }
}

//! Random documents in random dress: wrapping and unwrapping gives the same bytes, whatever happened elsewhere meanwhile.

use super::tests::{unwrapped, wrapped};
use super::*;
use crate::clients::entry::Scope;
use crate::clients::journal::Record;
use crate::clients::propose::{Request, Way, propose};
use crate::clients::registry::first_of;

const ROUNDS: u64 = 2_000;

/// xorshift64*: the same documents on every machine.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    pub(super) fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// How a document is dressed.
struct Tailor {
    dice: Dice,
    line_end: &'static str,
    indent: &'static str,
    style: Style,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Compact,
    Lines,
    Wild,
}

impl Tailor {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            dice.below(2);
        }
        let style = [Style::Compact, Style::Lines, Style::Wild][dice.below(3)];
        let line_end = dice.one(&["\n", "\r\n"]);
        let indent = dice.one(&["  ", "    ", "\t"]);
        Self { dice, line_end, indent, style }
    }

    /// Between two tokens.
    fn gap(&mut self, depth: usize) -> String {
        match self.style {
            Style::Compact => String::new(),
            Style::Lines => format!("{}{}", self.line_end, self.indent.repeat(depth)),
            Style::Wild => (0..self.dice.below(4))
                .map(|_| {
                    let line = format!("// x, \"y\" }}]{}", self.line_end);
                    let gaps = ["", " ", "\t", self.line_end, "/* , */", "/* \" */", &line, "  "];
                    gaps[self.dice.below(gaps.len())].to_owned()
                })
                .collect(),
        }
    }

    fn comma(&mut self, depth: usize) -> String {
        let wild = self.style == Style::Wild;
        format!("{},{}", if wild { self.gap(depth) } else { String::new() }, self.gap(depth))
    }

    fn bracketed(&mut self, brackets: (&str, &str), parts: &[String], depth: usize) -> String {
        if parts.is_empty() {
            let inside = if self.style == Style::Wild { self.gap(depth) } else { String::new() };
            return format!("{}{inside}{}", brackets.0, brackets.1);
        }
        let mut out = format!("{}{}", brackets.0, self.gap(depth + 1));
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                out.push_str(&self.comma(depth + 1));
            }
            out.push_str(part);
        }
        if self.style == Style::Wild && self.dice.one_in(3) {
            out.push(',');
        }
        out.push_str(&self.gap(depth));
        out + brackets.1
    }

    fn member(&mut self, key: &str, value: &str, depth: usize) -> String {
        let (before, after) = match self.style {
            Style::Compact => (String::new(), String::new()),
            Style::Lines => (String::new(), " ".to_owned()),
            Style::Wild => (self.gap(depth), self.gap(depth)),
        };
        format!("{}{before}:{after}{value}", self.string(key))
    }

    /// A string in one of its many spellings.
    fn string(&mut self, text: &str) -> String {
        let mut out = String::from("\"");
        for c in text.chars() {
            if c.is_ascii_alphanumeric() && self.dice.one_in(40) {
                out.push_str(&format!("\\u{:04x}", c as u32));
            } else if c == '/' && self.dice.one_in(2) {
                out.push_str("\\/");
            } else {
                let quoted = quoted(&c.to_string());
                out.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
        out.push('"');
        out
    }

    fn word(&mut self) -> String {
        let words = [
            "npx",
            "-y",
            "--",
            "run",
            "",
            "a b",
            "C:\\x\\y",
            "/opt/s/index.js",
            "ü🦀",
            "tab\there",
            "${VAR}",
            "[,]",
            "//",
        ];
        self.dice.one(&words).to_owned()
    }

    fn scalar(&mut self) -> String {
        let scalars = [
            "null",
            "true",
            "-0.5e+10",
            "\"\\ud83d\"",
            "{}",
            "[ ]",
            "\"mcpServers\"",
            "1e400",
            "[[],{\"a\":1,\"a\":2}]",
        ];
        self.dice.one(&scalars).to_owned()
    }

    /// `command` and `args` among other members, in any order.
    fn entry(&mut self, depth: usize) -> String {
        let program = loop {
            let program = self.word();
            if !program.is_empty() {
                break program;
            }
        };
        let program = self.string(&program);
        let mut parts = vec![self.member("command", &program, depth + 1)];
        if !self.dice.one_in(4) {
            let words: Vec<String> = (0..self.dice.below(5)).map(|_| self.word()).collect();
            let words: Vec<String> = words.iter().map(|word| self.string(word)).collect();
            let list = self.bracketed(("[", "]"), &words, depth + 1);
            parts.push(self.member("args", &list, depth + 1));
        }
        for key in ["env", "disabled", "timeout"] {
            if self.dice.one_in(2) {
                let value = self.scalar();
                let at = self.dice.below(parts.len() + 1);
                let member = self.member(key, &value, depth + 1);
                parts.insert(at, member);
            }
        }
        self.bracketed(("{", "}"), &parts, depth)
    }

    fn servers(&mut self, depth: usize) -> String {
        let names = ["a", "b c", "d/e", "ü", "--", "f\\g"];
        let count = self.dice.below(4);
        let mut members = Vec::new();
        for name in &names[..count] {
            let value = match self.dice.below(6) {
                0 => "{\"url\": \"https://x.example\"}".to_owned(),
                _ => self.entry(depth + 1),
            };
            members.push(self.member(name, &value, depth + 1));
        }
        self.bracketed(("{", "}"), &members, depth)
    }

    fn document(&mut self) -> String {
        let servers = self.servers(1);
        let mut parts = vec![self.member("mcpServers", &servers, 1)];
        if self.dice.one_in(2) {
            let servers = self.servers(3);
            let member = self.member("mcpServers", &servers, 3);
            let project = self.bracketed(("{", "}"), &[member], 2);
            let member = self.member("/p/q", &project, 2);
            let projects = self.bracketed(("{", "}"), &[member], 1);
            parts.push(self.member("projects", &projects, 1));
        }
        for _ in 0..self.dice.below(3) {
            let value = self.scalar();
            let at = self.dice.below(parts.len() + 1);
            let member = self.member("dup", &value, 1);
            parts.insert(at, member);
        }
        let body = self.bracketed(("{", "}"), &parts, 0);
        let head = if self.style == Style::Wild { self.gap(0) } else { String::new() };
        let mark = if self.dice.one_in(3) { "\u{feff}" } else { "" };
        format!("{mark}{head}{body}{}", self.gap(0))
    }
}

fn way(way: Way) -> Request {
    Request { way, server: None }
}

/// The journal after wrapping `text`, by place, and the new text.
fn wrap_with_journal(text: &str) -> (String, BTreeMap<Place, Record>) {
    let request = way(Way::Wrap { launcher: "/usr/bin/stockade".to_owned() });
    let client = first_of("claude-code");
    let proposal = propose(client, text.as_bytes(), &request, &|_| None).unwrap();
    let records = proposal.changed.iter().map(|changed| {
        let texts = (changed.before.as_str(), changed.after.as_str());
        let file = std::path::Path::new("/f");
        (changed.place.clone(), Record::new(String::new(), String::new(), file, &changed.place, texts))
    });
    (proposal.text.clone(), records.collect())
}

fn unwrap_with_journal(text: &str, journal: &BTreeMap<Place, Record>) -> String {
    let client = first_of("claude-code");
    propose(client, text.as_bytes(), &way(Way::Unwrap), &|place| journal.get(place).cloned()).unwrap().text
}

/// Somebody else's edit: members and comments around the servers, and another server.
fn edited_elsewhere(dice: &mut Dice, text: &str) -> String {
    let document = Document::parse(text.as_bytes(), Format::Json).unwrap();
    let root = document.root().unwrap();
    let members = document.members(&root).unwrap();
    let servers = members.iter().find(|member| member.name.as_deref() == Some("mcpServers")).unwrap();
    let mut splices =
        vec![Splice { span: root.start + 1..root.start + 1, with: "/* é */\"n\":[1],".to_owned() }];
    if dice.one_in(2) {
        let at = root.end;
        splices.push(Splice { span: at..at, with: "\r\n// more\r\n".to_owned() });
    }
    if dice.one_in(2) && !document.members(&servers.value).unwrap().is_empty() {
        let at = servers.value.start + 1;
        splices.push(Splice { span: at..at, with: "\"new\":{\"command\":\"n\",\"args\":[]},".to_owned() });
    }
    apply(text, splices)
}

/// An edit inside of every local entry that leaves `command` and `args` alone.
fn edited_inside(text: &str) -> String {
    let document = Document::parse(text.as_bytes(), Format::Json).unwrap();
    let entries = entry::entries(&document, first_of("claude-code").1.layouts).unwrap();
    let local = entries.iter().filter(|entry| launch_of(&entry.shape).is_some());
    let splice = |entry: &Entry| {
        let at = entry.span.start + 1;
        Splice { span: at..at, with: " \"cwd\" : \"/x\" , ".to_owned() }
    };
    apply(text, local.map(splice).collect())
}

#[test]
fn random_documents_come_back_byte_for_byte_with_the_journal() {
    let mut wrapped_entries = 0;
    for seed in 0..ROUNDS {
        let mut tailor = Tailor::new(seed);
        let text = tailor.document();
        let (new, journal) = wrap_with_journal(&text);
        wrapped_entries += journal.len();
        assert_eq!(unwrap_with_journal(&new, &journal), text, "seed {seed}");
        let mut dice = Dice(seed + 1);
        let expected = edited_elsewhere(&mut dice, &text);
        let mut dice = Dice(seed + 1);
        let edited = edited_elsewhere(&mut dice, &new);
        assert_eq!(unwrap_with_journal(&edited, &journal), expected, "seed {seed}");
        // With an edit inside of the entry the removed `args` may leave no more than an empty list behind comments.
        let back = unwrap_with_journal(&edited_inside(&new), &journal);
        let expected = edited_inside(&text);
        if back != expected {
            assert!(text.contains("/*") || text.contains("//"), "seed {seed}: {back} instead of {expected}");
            same_starts(&back, &expected, seed);
        }
    }
    assert!(wrapped_entries > 1_000, "the documents are too poor: {wrapped_entries}");
}

#[test]
fn random_documents_come_back_byte_for_byte_without_any_journal_if_they_had_args() {
    let mut exact = 0;
    for seed in 0..ROUNDS {
        let text = Tailor::new(seed ^ 0xabcd).document();
        let new = wrapped(&text);
        let back = unwrapped(&new, ArgsBefore::Present);
        if every_entry_has_args(&text) {
            assert_eq!(back, text, "seed {seed}");
            exact += 1;
        } else {
            same_starts(&back, &text, seed);
        }
    }
    assert!(exact > 500, "the documents are too poor: {exact}");
}

fn every_entry_has_args(text: &str) -> bool {
    let document = Document::parse(text.as_bytes(), Format::Json).unwrap();
    let entries = entry::entries(&document, first_of("claude-code").1.layouts).unwrap();
    entries.iter().all(|entry| launch_of(&entry.shape).is_none_or(|launch| launch.args.is_some()))
}

/// The same entries in the same places, with the same command lines.
fn same_starts(left: &str, right: &str, seed: u64) {
    let starts = |text: &str| -> Vec<(Scope, String, Option<Vec<String>>)> {
        let document = Document::parse(text.as_bytes(), Format::Json).unwrap();
        let entries = entry::entries(&document, first_of("claude-code").1.layouts).unwrap();
        let words = |launch: &Launch| launch.words().into_iter().map(str::to_owned).collect();
        let entry = |entry: Entry| (entry.place.scope, entry.place.name, launch_of(&entry.shape).map(words));
        entries.into_iter().map(entry).collect()
    };
    assert_eq!(starts(left), starts(right), "seed {seed}");
}

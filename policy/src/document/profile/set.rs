//! Several profile files that may extend each other, in any order.

use std::collections::HashMap;

use super::Profile;
use super::parse::{Base, parse};
use crate::document::reader::{Reader, Section};
use crate::document::{Mistake, Mistakes};

/// One profile file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As the user knows it: a path, or `built-in linux`.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// Parses all files. `known` finds profiles outside of the set (a file of the set with the same name comes first).
/// The profiles stand in the order of their files; every file that is missing among them is among the mistakes.
#[must_use]
pub fn parse_all(
    sources: &[Source],
    known: &dyn Fn(&str) -> Option<Profile>,
) -> (Vec<Profile>, Vec<Mistakes>) {
    let mut set = Set { sources, heads: HashMap::new(), known, results: vec![None; sources.len()] };
    let mut doubles = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let head = Head::of(&source.text);
        if let Some(first) = head.name.as_ref().and_then(|name| set.heads.get(name)) {
            doubles.push((index, head.line, *first));
            continue;
        }
        if let Some(name) = head.name {
            set.heads.insert(name, index);
        }
    }
    for index in 0..sources.len() {
        set.read(index, &mut Vec::new());
    }
    let mut profiles = Vec::new();
    let mut mistakes = Vec::new();
    for (index, result) in set.results.into_iter().enumerate() {
        let double = doubles.iter().find(|(double, ..)| *double == index);
        match (double, result) {
            (Some((_, line, first)), _) => mistakes.push(Mistakes {
                file: sources[index].file.clone(),
                mistakes: vec![Mistake {
                    line: *line,
                    column: 1,
                    what: format!("{} has the same name", sources[*first].file),
                    remedy: Some("choose another, or remove one of the files".to_owned()),
                }],
            }),
            (None, Some(Ok(profile))) => profiles.push(profile),
            (None, Some(Err(mistake))) => mistakes.push(mistake),
            (None, None) => {}
        }
    }
    (profiles, mistakes)
}

struct Set<'s> {
    sources: &'s [Source],
    /// Name → index of its file.
    heads: HashMap<String, usize>,
    known: &'s dyn Fn(&str) -> Option<Profile>,
    results: Vec<Option<Result<Profile, Mistakes>>>,
}

impl Set<'_> {
    /// Reads a file after the one that it extends. `way` holds the files that are being read, outermost first.
    fn read(&mut self, index: usize, way: &mut Vec<usize>) {
        if self.results[index].is_some() {
            return;
        }
        way.push(index);
        let head = Head::of(&self.sources[index].text);
        let inside = head.extends.as_ref().and_then(|base| self.heads.get(base)).copied();
        let cycle = inside.and_then(|base| way.iter().position(|&on_the_way| on_the_way == base));
        if let (Some(base), None) = (inside, cycle) {
            self.read(base, way);
        }
        let Source { file, text } = &self.sources[index];
        let result = parse(file, text, &|name| match (inside, cycle) {
            (_, Some(start)) => Base::Cycle(self.names(&way[start..way.len() - 1])),
            (Some(base), None) => match &self.results[base] {
                Some(Ok(profile)) => Base::Found(Box::new(profile.clone())),
                _ => Base::Mistaken,
            },
            (None, None) => match (self.known)(name) {
                Some(profile) => Base::Found(Box::new(profile)),
                None => Base::Unknown,
            },
        });
        self.results[index] = Some(result);
        way.pop();
    }

    fn names(&self, indices: &[usize]) -> Vec<String> {
        indices.iter().filter_map(|&index| Head::of(&self.sources[index].text).name).collect()
    }
}

/// The two keys that have to be known before a file can be read as a whole.
struct Head {
    name: Option<String>,
    /// Line of the name.
    line: usize,
    extends: Option<String>,
}

impl Head {
    fn of(text: &str) -> Self {
        let (mut r, members) = Reader::open(text);
        let mut top = Section::whole(&members);
        let name = top.string(&mut r, "name");
        let line = name.map_or(1, |name| r.line(name.at));
        let extends = top.string(&mut r, "extends").map(|text| text.text.to_owned());
        Self { name: name.map(|text| text.text.to_owned()), line, extends }
    }
}

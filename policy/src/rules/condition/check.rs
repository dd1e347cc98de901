//! The text of a condition → an expression whose evaluation is bounded, and what it needs.
//!
//! Bounded means: at most [`NODES_MAX`] nodes; a walk over a list never inside another one, and never with a look at all
//! the arguments in it; nothing that builds lists; no function but those in [`FUNCTIONS`] (no regular expressions, no dates).

use std::collections::BTreeSet;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr};
use cel::parser::{ParseError, PrattParser};

use super::values::{ANNOTATIONS, NOW};
use super::{ConditionMistake, Name};
use crate::document::suggest::{did_you_mean, one_of};

const NODES_MAX: usize = 200;
const BYTES_MAX: usize = 4_000;
/// Deepest nesting of brackets and operators: the parser and the evaluator call themselves.
const DEPTH_MAX: u16 = 48;

/// What can be called by name. All of them take time linear in what they are given.
const FUNCTIONS: [&str; 8] =
    ["size", "contains", "startsWith", "endsWith", "lowerAscii", "int", "double", "string"];

/// What stands for operators and macros in the tree.
const OPERATORS: [&str; 19] = [
    "_?_:_",
    "_&&_",
    "_||_",
    "!_",
    "_-_",
    "_+_",
    "_*_",
    "_/_",
    "_%_",
    "_==_",
    "_!=_",
    "_>=_",
    "_<=_",
    "_>_",
    "_<_",
    "-_",
    "_[_]",
    "@in",
    "@not_strictly_false",
];

/// What a condition looks at.
#[derive(Debug)]
pub(super) struct Needs {
    pub(super) names: BTreeSet<Name>,
    pub(super) arguments: Wanted,
    /// Every key that it names: these may be shown.
    pub(super) keys: BTreeSet<String>,
}

/// Which of the arguments.
#[derive(Debug)]
pub(super) enum Wanted {
    Members(BTreeSet<String>),
    All,
}

pub(super) fn parse(source: &str) -> Result<(IdedExpr, Needs), Vec<ConditionMistake>> {
    if source.len() > BYTES_MAX {
        let what = format!("a condition has at most {BYTES_MAX} bytes");
        return Err(vec![ConditionMistake { at: 0, what, remedy: None }]);
    }
    let parser = PrattParser::new().max_recursion_depth(DEPTH_MAX);
    let expression = parser
        .parse(source)
        .map_err(|errors| errors.errors.iter().map(|error| syntax(source, error)).collect::<Vec<_>>())?;
    let mut walk = Walk::new(source);
    walk.expression(&expression, Place::Outside);
    if walk.nodes > NODES_MAX {
        let remedy = Some("make two rules of it".to_owned());
        walk.wrong(
            "",
            format!("a condition has at most {NODES_MAX} parts, and this one {}", walk.nodes),
            remedy,
        );
    }
    if walk.mistakes.is_empty() { Ok((expression, walk.needs)) } else { Err(walk.mistakes) }
}

fn syntax(source: &str, error: &ParseError) -> ConditionMistake {
    let line = usize::try_from(error.pos.0 - 1).unwrap_or(0);
    let column = usize::try_from(error.pos.1 - 1).unwrap_or(0);
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    // Lines and columns count from 1, columns in bytes.
    let at = source.floor_char_boundary((start + column).min(source.len()));
    let said = error.msg.trim_start_matches("Syntax error:").trim().replace('\n', " ");
    ConditionMistake { at, what: format!("this condition cannot be read: {said}"), remedy: None }
}

/// Where in the expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    /// In what is evaluated for every element of a list.
    Walking,
}

struct Walk<'s> {
    source: &'s str,
    nodes: usize,
    /// Names that comprehensions give.
    given: Vec<String>,
    needs: Needs,
    mistakes: Vec<ConditionMistake>,
}

impl<'s> Walk<'s> {
    fn new(source: &'s str) -> Self {
        let needs = Needs {
            names: BTreeSet::new(),
            arguments: Wanted::Members(BTreeSet::new()),
            keys: BTreeSet::new(),
        };
        Self { source, nodes: 0, given: Vec::new(), needs, mistakes: Vec::new() }
    }

    fn wrong(&mut self, word: &str, what: impl Into<String>, remedy: Option<String>) {
        let mistake = ConditionMistake { at: place_of(self.source, word), what: what.into(), remedy };
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    /// The parser bounds the depth, so this recursion is bounded as well.
    fn expression(&mut self, node: &IdedExpr, place: Place) {
        self.nodes += 1;
        match &node.expr {
            Expr::Ident(name) => self.ident(name, place),
            Expr::Select(select) => self.select(select, place),
            Expr::Call(call) => self.call(call, place),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, place),
            Expr::List(list) => list.elements.iter().for_each(|element| self.expression(element, place)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.expression(&entry.key, place);
                        self.expression(&entry.value, place);
                    }
                }
            }
            Expr::Literal(_) => {}
            Expr::Struct(made) => {
                self.wrong(&made.type_name, "a condition makes no messages", None);
            }
            Expr::Unspecified => self.wrong("", "this condition is empty", None),
        }
    }

    fn ident(&mut self, name: &str, place: Place) {
        if self.given.iter().any(|given| given == name) {
            return;
        }
        let Some(known) = Name::ALL.into_iter().find(|known| known.word() == name) else {
            let words = Name::ALL.map(Name::word);
            let remedy = did_you_mean(name, words).unwrap_or_else(|| format!("use {}", one_of(words)));
            return self.wrong(name, format!("a condition knows no `{name}`"), Some(remedy));
        };
        self.needs.names.insert(known);
        if known == Name::Args {
            self.needs.arguments = Wanted::All;
            self.no_arguments_while(place);
        }
    }

    fn no_arguments_while(&mut self, place: Place) {
        if place == Place::Walking {
            let what = "`args` cannot be looked at for every element of a list: nothing would bound the work";
            self.wrong("args", what, Some("compare the elements with texts and numbers".to_owned()));
        }
    }

    /// `args.base`, `now.hour`, `has(args.base)`
    fn select(&mut self, select: &SelectExpr, place: Place) {
        self.needs.keys.insert(select.field.clone());
        self.member(&select.operand, Some(&select.field), place);
    }

    /// A member of a value, if its name is written out.
    fn member(&mut self, operand: &IdedExpr, field: Option<&str>, place: Place) {
        let Expr::Ident(name) = &operand.expr else { return self.expression(operand, place) };
        let is_given = self.given.iter().any(|given| given == name);
        let known = Name::ALL.into_iter().find(|known| known.word() == name && !is_given);
        let (Some(known), Some(field)) = (known, field) else { return self.expression(operand, place) };
        self.nodes += 1;
        self.needs.names.insert(known);
        let fields: &[&str] = match known {
            Name::Args => {
                if let Wanted::Members(names) = &mut self.needs.arguments {
                    names.insert(field.to_owned());
                }
                return self.no_arguments_while(place);
            }
            Name::Annotations => &ANNOTATIONS,
            Name::Now => &NOW,
            _ => &[],
        };
        if fields.is_empty() {
            self.wrong(field, format!("`{}` is a text or a list and has no `{field}`", known.word()), None);
        } else if !fields.contains(&field) {
            let fields = fields.iter().copied();
            let remedy =
                did_you_mean(field, fields.clone()).unwrap_or_else(|| format!("use {}", one_of(fields)));
            self.wrong(field, format!("`{}` has no `{field}`", known.word()), Some(remedy));
        }
    }

    fn call(&mut self, call: &CallExpr, place: Place) {
        let name = call.func_name.as_str();
        if !FUNCTIONS.contains(&name) && !OPERATORS.contains(&name) {
            let remedy = match name {
                "matches" => {
                    "use `startsWith`, `endsWith` or `contains`: there are no regular expressions".to_owned()
                }
                "timestamp" | "duration" => "use `now.hour` and the like, or `until` of the rule".to_owned(),
                _ => did_you_mean(name, FUNCTIONS).unwrap_or_else(|| format!("use {}", one_of(FUNCTIONS))),
            };
            self.wrong(name, format!("a condition cannot call `{name}`"), Some(remedy));
        }
        if let (None, "_[_]", [operand, index]) = (&call.target, name, &call.args[..]) {
            let field = match &index.expr {
                Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
                _ => None,
            };
            self.needs.keys.extend(field.map(str::to_owned));
            self.member(operand, field, place);
            return self.expression(index, place);
        }
        // `"base" in args` asks for one argument.
        if let ("@in", [key, operand]) = (name, &call.args[..])
            && let Expr::Literal(LiteralValue::String(text)) = &key.expr
            && matches!(&operand.expr, Expr::Ident(of) if of == Name::Args.word())
        {
            self.expression(key, place);
            return self.member(operand, Some(text.inner()), place);
        }
        call.target.iter().for_each(|target| self.expression(target, place));
        call.args.iter().for_each(|argument| self.expression(argument, place));
    }

    /// `args.paths.all(path, path.startsWith("/srv/"))`
    fn comprehension(&mut self, walked: &ComprehensionExpr, place: Place) {
        if place == Place::Walking {
            self.wrong(
                "",
                "a list cannot be walked for every element of another: nothing would bound the work",
                Some("make two rules of it".to_owned()),
            );
        }
        if matches!(walked.accu_init.expr, Expr::List(_)) {
            let remedy = Some("use `all`, `exists` or `exists_one`".to_owned());
            let word = if contains_word(self.source, "map") { "map" } else { "filter" };
            self.wrong(word, "`map` and `filter` build lists, whose size nothing bounds", remedy);
        }
        let names = [Some(&walked.iter_var), walked.iter_var2.as_ref()];
        for name in names.into_iter().flatten() {
            if Name::ALL.iter().any(|known| known.word() == name) {
                let what =
                    format!("an element cannot be called `{name}`: that is the name of something else");
                self.wrong(name, what, None);
            }
        }
        self.expression(&walked.iter_range, place);
        let before = self.given.len();
        self.given.extend(names.into_iter().flatten().cloned());
        self.given.push(walked.accu_var.clone());
        for part in [&walked.accu_init, &walked.loop_cond, &walked.loop_step, &walked.result] {
            self.expression(part, Place::Walking);
        }
        self.given.truncate(before);
    }
}

fn contains_word(source: &str, word: &str) -> bool {
    !word.is_empty() && words(source).any(|(_, found)| found == word)
}

/// The first place of a word outside of quotes; the start where there is none.
fn place_of(source: &str, word: &str) -> usize {
    words(source).find(|(_, found)| *found == word).map_or(0, |(at, _)| at)
}

/// Runs of letters, digits and `_` outside of quotes, with their places.
fn words(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut quote = None;
    let mut escaped = false;
    let mut start = None;
    let mut words = Vec::new();
    for (at, c) in source.char_indices().chain([(source.len(), ' ')]) {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            _ => {}
        }
        if quote.is_none() && (c.is_alphanumeric() || c == '_') {
            start.get_or_insert(at);
        } else if let Some(start) = start.take() {
            words.push((start, &source[start..at]));
        }
    }
    words.into_iter()
}

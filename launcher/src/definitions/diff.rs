//! PURE: two definitions → what differs, field by field, as lines that a person reads.

use serde_json::Value;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;
/// More pairs of lines than this are not compared one by one.
const PAIRS_MAX: usize = 4_000_000;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// `description`, `inputSchema`, …
    pub(crate) name: String,
    /// What differs in it.
    pub(crate) lines: Vec<Line>,
}

/// One line, as it is: whoever prints it makes it harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// In both.
    Same(String),
    /// No longer.
    Old(String),
    /// Not before.
    New(String),
    /// So many lines that are the same are left out.
    Skipped(usize),
}

/// What differs between two definitions: JSON in one spelling, or nothing. `None`: there is a text that is no object.
pub(crate) fn fields(old: Option<&str>, new: Option<&str>) -> Option<Vec<Field>> {
    let read = |text: Option<&str>| match text.map(serde_json::from_str::<Value>) {
        None => Some(serde_json::Map::new()),
        Some(Ok(Value::Object(members))) => Some(members),
        Some(_) => None,
    };
    let (old, new) = (read(old)?, read(new)?);
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_by_key(|name| (rank(name), name.as_str()));
    names.dedup();
    let differ = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let field = |name: &String| {
        // `1` and `"1"` are written alike, and so is nothing and an empty text.
        let (mut before, mut after) = (written(old.get(name)), written(new.get(name)));
        if before == after {
            (before, after) = (raw(old.get(name)), raw(new.get(name)));
        }
        Field { name: name.clone(), lines: with_context(compare(&before, &after)) }
    };
    Some(differ.map(field).collect())
}

/// What people read first stands first.
fn rank(name: &str) -> usize {
    const FIRST: [&str; 10] = [
        "name",
        "title",
        "description",
        "instructions",
        "serverInfo",
        "inputSchema",
        "outputSchema",
        "annotations",
        "execution",
        "_meta",
    ];
    FIRST.iter().position(|known| *known == name).unwrap_or(FIRST.len())
}

/// A text as it reads, everything else as JSON over several lines.
fn written(value: Option<&Value>) -> Vec<String> {
    match value {
        None => Vec::new(),
        Some(Value::String(text)) => text.split('\n').map(str::to_owned).collect(),
        Some(other) => format!("{other:#}").split('\n').map(str::to_owned).collect(),
    }
}

fn raw(value: Option<&Value>) -> Vec<String> {
    value.iter().map(ToString::to_string).collect()
}

/// The longest common subsequence of lines, where that is not too much work.
fn compare(old: &[String], new: &[String]) -> Vec<Line> {
    let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old_mid, new_mid) = (&old_rest[..old_rest.len() - tail], &new_rest[..new_rest.len() - tail]);
    let mut lines: Vec<Line> = old[..head].iter().cloned().map(Line::Same).collect();
    if old_mid.len().saturating_mul(new_mid.len()) > PAIRS_MAX {
        lines.extend(old_mid.iter().cloned().map(Line::Old));
        lines.extend(new_mid.iter().cloned().map(Line::New));
    } else {
        lines.extend(by_subsequence(old_mid, new_mid));
    }
    lines.extend(old_rest[old_rest.len() - tail..].iter().cloned().map(Line::Same));
    lines
}

fn by_subsequence(old: &[String], new: &[String]) -> Vec<Line> {
    // `longest[i][j]`: of what stands from `old[i]` and from `new[j]` on.
    let width = new.len() + 1;
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i] == new[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Same(old[i].clone()));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1])
        {
            lines.push(Line::Old(old[i].clone()));
            i += 1;
        } else {
            lines.push(Line::New(new[j].clone()));
            j += 1;
        }
    }
    lines
}

/// Leaves out what is the same and far from every change.
fn with_context(lines: Vec<Line>) -> Vec<Line> {
    let changes: Vec<usize> = (0..lines.len()).filter(|at| !matches!(lines[*at], Line::Same(_))).collect();
    let is_near = |at: usize| {
        let after = changes.partition_point(|change| *change < at);
        let near = |change: Option<&usize>| change.is_some_and(|change| change.abs_diff(at) <= CONTEXT);
        near(changes.get(after)) || near(after.checked_sub(1).and_then(|before| changes.get(before)))
    };
    let mut shown = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        match (is_near(at), shown.last_mut()) {
            (true, _) => shown.push(line),
            (false, Some(Line::Skipped(count))) => *count += 1,
            (false, _) => shown.push(Line::Skipped(1)),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(old: &str, new: &str) -> Vec<(String, Vec<String>)> {
        let line = |line: &Line| match line {
            Line::Same(text) => format!(" {text}"),
            Line::Old(text) => format!("-{text}"),
            Line::New(text) => format!("+{text}"),
            Line::Skipped(count) => format!("@{count}"),
        };
        let fields = fields(Some(old), Some(new)).unwrap();
        fields.into_iter().map(|field| (field.name, field.lines.iter().map(line).collect())).collect()
    }

    #[test]
    fn each_field_that_differs_is_shown_and_no_other() {
        let old =
            r#"{"_meta":{"a":1},"annotations":{"readOnlyHint":true},"description":"one\ntwo","name":"a"}"#;
        let new =
            r#"{"annotations":{"readOnlyHint":false},"description":"one\nthree","name":"a","title":"T"}"#;
        let of = |name: &str, lines: &[&str]| {
            (name.to_owned(), lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            changed(old, new),
            [
                of("title", &["+T"]),
                of("description", &[" one", "-two", "+three"]),
                of("annotations", &[" {", "-  \"readOnlyHint\": true", "+  \"readOnlyHint\": false", " }"]),
                of("_meta", &["-{", "-  \"a\": 1", "-}"]),
            ]
        );
        assert_eq!(changed(old, old), []);
    }

    #[test]
    fn what_is_written_alike_is_told_apart() {
        assert_eq!(
            changed(r#"{"x":1}"#, r#"{"x":"1"}"#),
            [("x".to_owned(), vec!["-1".to_owned(), "+\"1\"".to_owned()])]
        );
        assert_eq!(changed("{}", r#"{"x":""}"#).len(), 1);
        assert_eq!(changed(r#"{"x":1}"#, r#"{"x":1.0}"#).len(), 1);
    }

    #[test]
    fn a_change_in_the_midst_of_a_long_text_is_shown_with_what_stands_around_it() {
        let text = |special: &str| {
            let lines = (0..40).map(|n| if n == 20 { special.to_owned() } else { format!("line {n}") });
            Value::from(lines.collect::<Vec<_>>().join("\n")).to_string()
        };
        let old = format!(r#"{{"description":{}}}"#, text("good"));
        let new = format!(r#"{{"description":{}}}"#, text("evil"));
        let lines = &changed(&old, &new)[0].1;
        assert_eq!(lines.len(), 1 + 3 + 2 + 3 + 1, "{lines:?}");
        assert_eq!((&*lines[0], &*lines[4], &*lines[5]), ("@17", "-good", "+evil"));
    }

    #[test]
    fn texts_without_anything_in_common_take_no_more_than_so_much_work() {
        let many = |word: &str| (0..30_000).map(|n| format!("{word}{n}")).collect::<Vec<_>>();
        let lines = compare(&many("a"), &many("b"));
        assert_eq!(lines.len(), 60_000);
    }

    #[test]
    fn something_and_nothing_differ_in_everything() {
        let fields = fields(None, Some(r#"{"description":"d","name":"n"}"#)).unwrap();
        assert_eq!(fields.iter().map(|field| &*field.name).collect::<Vec<_>>(), ["name", "description"]);
        assert_eq!(super::fields(Some("[1]"), None), None);
    }
}

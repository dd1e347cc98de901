//! "Did you mean …?"

/// A remedy that names the word of `known` nearest to `written`, if one is near enough to be meant.
pub(crate) fn did_you_mean<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    // A third of the word's letters, at least one: `serer` is `server`, `x` is nothing.
    let near_enough = (written.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|word| (edit_distance(written, word), word))
        .filter(|(distance, _)| *distance <= near_enough)
        .min()
        .map(|(_, word)| format!("did you mean `{word}`?"))
}

/// `a`, `b` or `c`, each in backticks.
pub(crate) fn one_of<'k>(words: impl IntoIterator<Item = &'k str>) -> String {
    let words = words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Letters to insert, remove, replace or swap with their neighbour (optimal string alignment distance).
fn edit_distance(a: &str, b: &str) -> usize {
    // Longer words are no typing mistakes, and the table below grows with the product of both lengths.
    const LONGEST: usize = 64;
    let a = a.chars().take(LONGEST + 1).collect::<Vec<_>>();
    let b = b.chars().take(LONGEST + 1).collect::<Vec<_>>();
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX;
    }
    let mut before = vec![0; b.len() + 1];
    let mut last = (0..=b.len()).collect::<Vec<_>>();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_different_word_is_not() {
        let known = ["server", "servers", "tools"];
        assert_eq!(did_you_mean("serer", known).as_deref(), Some("did you mean `server`?"));
        assert_eq!(did_you_mean("sevrer", known).as_deref(), Some("did you mean `server`?"));
        assert_eq!(did_you_mean("banana", known), None);
        assert_eq!(did_you_mean(&"x".repeat(10_000), known), None);
    }

    #[test]
    fn swapped_neighbours_are_one_edit() {
        assert_eq!(edit_distance("form", "from"), 1);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn choices_are_listed_as_people_list_them() {
        assert_eq!(one_of(["a"]), "`a`");
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}

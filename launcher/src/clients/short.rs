//! `run ID`: the server's own command line, from the journal.

use std::collections::BTreeSet;
use std::path::Path;

use crate::clients::entry;
use crate::clients::journal::{Journal, Record};
use crate::error::{Failure, Kind};
use crate::host::Facts;

/// The command line that a short entry of this id stands for. `None`: the word is no id, but a command.
///
/// # Errors
/// When the journal knows none, or different ones.
pub(crate) fn command_of(word: &str, facts: &Facts) -> Option<Result<Vec<String>, Failure>> {
    entry::is_id(word).then(|| known(word, Journal::peek(&facts.state_dir).of_id(word), &facts.cwd))
}

fn known(id: &str, mut records: Vec<Record>, cwd: &Path) -> Result<Vec<String>, Failure> {
    // The entry of the project that we were started in goes before the user's.
    let depth = |record: &Record| {
        let project = record.project.as_deref().map(Path::new);
        project.map_or(Some(0), |path| cwd.starts_with(path).then(|| 1 + path.components().count()))
    };
    records.retain(|record| !record.words.is_empty() && depth(record).is_some());
    let nearest = records.iter().filter_map(depth).max();
    records.retain(|record| depth(record) == nearest);
    let commands: BTreeSet<Vec<String>> = records.into_iter().map(|record| record.words).collect();
    let mut commands = commands.into_iter();
    match (commands.next(), commands.next()) {
        (Some(words), None) => Ok(words),
        (None, _) => Err(Failure::new(Kind::Config, format!("nothing is known of the server `{id}`"))
            .cause(
                "its entry says `run ID` alone, and the journal in the state directory has no record of it",
            )
            .hint("write the server's own command into the entry and call `stockade wrap --short` again")),
        (Some(_), Some(_)) => {
            Err(Failure::new(Kind::Config, format!("different servers are known as `{id}`"))
                .cause("the journal has several records of it")
                .hint("`stockade unwrap` and `stockade wrap` of that client leave one"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::entry::{Place, Scope};

    fn record(file: &str, scope: Scope, words: &[&str]) -> Record {
        let place = Place { scope, name: "a".to_owned() };
        let record =
            Record::new(String::new(), "cursor/a".to_owned(), Path::new(file), &place, ("{}", "{ }"));
        record.with_words(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn the_nearest_record_says_what_is_started_and_two_different_ones_say_nothing() {
        let user = || record("/f", Scope::User, &["u"]);
        let project = || record("/f", Scope::Project("/p".to_owned()), &["p"]);
        let known = |records: Vec<Record>, cwd: &str| known("cursor/a", records, Path::new(cwd)).ok();
        assert_eq!(known(vec![user()], "/"), Some(vec!["u".to_owned()]));
        assert_eq!(known(vec![user(), project()], "/p/x"), Some(vec!["p".to_owned()]));
        assert_eq!(known(vec![user(), project()], "/q"), Some(vec!["u".to_owned()]));
        assert_eq!(known(vec![user(), record("/g", Scope::User, &["v"])], "/"), None);
        assert_eq!(known(vec![user(), record("/g", Scope::User, &["u"])], "/"), Some(vec!["u".to_owned()]));
        assert_eq!(known(vec![record("/f", Scope::User, &[])], "/"), None, "of an older version");
        assert_eq!(known(Vec::new(), "/"), None);
    }
}

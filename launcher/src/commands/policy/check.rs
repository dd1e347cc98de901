//! `stockade policy check`.

use std::io::Write;
use std::path::Path;

use stockade_policy::document::policy::{PolicyDocument, Term};

use super::suppressions::why_idle;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host;
use crate::policies;

/// Checks a policy file and reports every mistake in it.
pub(super) fn check(file: &Path) -> Result<Exit, Failure> {
    let text = host::read_text(file)?;
    match PolicyDocument::parse(&file.display().to_string(), &text) {
        Ok(document) => {
            let exit = terms(file, &document);
            if exit == Exit::NotInOrder {
                return Ok(exit);
            }
            let _ = writeln!(
                std::io::stdout(),
                "{}: in order ({} rules, {} DLP rules, {} suppressions, {} keyword lists)",
                file.display(),
                document.rules.len(),
                document.dlp.len(),
                document.suppressions.len(),
                document.keywords.len()
            );
            Ok(exit)
        }
        Err(mistakes) => {
            let mut failure = Failure::from(mistakes);
            failure.kind = Kind::Config;
            failure.hints = vec!["mend the lines above and check again".to_owned()];
            failure.report();
            Ok(Exit::NotInOrder)
        }
    }
}

/// Says which suppressions have no effect. One that has ended did what it was written for; one that ends too late never
/// began to.
fn terms(file: &Path, document: &PolicyDocument) -> Exit {
    let Some(now) = policies::unix_now() else { return Exit::Ok };
    let mut exit = Exit::Ok;
    for one in &document.suppressions {
        let Some(why) = why_idle(one, now) else { continue };
        let mark = match one.term(now) {
            Term::TooLong => {
                exit = Exit::NotInOrder;
                "error"
            }
            Term::Expired | Term::Holds => "note",
        };
        let _ = writeln!(std::io::stderr(), "{mark}: {}:{}: {why}", file.display(), one.line);
    }
    exit
}

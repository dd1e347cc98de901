//! `stockade policy check`.

use std::io::Write;
use std::path::Path;

use stockade_policy::document::policy::PolicyDocument;

use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host;

/// Checks a policy file and reports every mistake in it.
pub(super) fn check(file: &Path) -> Result<Exit, Failure> {
    let text = host::read_text(file)?;
    match PolicyDocument::parse(&file.display().to_string(), &text) {
        Ok(document) => {
            let _ = writeln!(
                std::io::stdout(),
                "{}: in order ({} rules, {} DLP rules, {} keyword lists)",
                file.display(),
                document.rules.len(),
                document.dlp.len(),
                document.keywords.len()
            );
            Ok(Exit::Ok)
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

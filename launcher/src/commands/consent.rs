//! Asking a person before something runs outside of any jail.

use std::io::{self, IsTerminal, Write};

use crate::error::{Failure, Kind};

/// Asks on the terminal; `why` says what it is needed for.
///
/// # Errors
/// When nobody can be asked, or nobody agrees.
pub(super) fn ask(question: &str, why: &str) -> Result<(), Failure> {
    let refused = |cause: &str| {
        Failure::new(Kind::Permission, "nothing was started")
            .cause(cause)
            .hint(format!("{why}; --yes agrees to that without being asked"))
    };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(refused("nobody can be asked here: stdin or stderr is no terminal"));
    }
    let mut answer = String::new();
    let asked = io::stderr().write_all(question.as_bytes()).and_then(|()| io::stdin().read_line(&mut answer));
    match asked {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        Ok(_) => Err(refused("you did not agree")),
        Err(error) => Err(refused(&error.to_string())),
    }
}

//! A shell's words, where they are nothing but words. Anything that a shell would do something about (an expansion, a
//! redirection, a second command) is refused: guessing what it comes to would name the wrong program.

/// One plain command: `VAR=value` before it, and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plain {
    /// Variables set for it.
    pub(super) set: Vec<(String, String)>,
    /// The words; never empty.
    pub(super) words: Vec<String>,
}

/// Words that begin a compound command, and those that a shell carries out itself.
const NOT_PROGRAMS: &[&str] = &[
    "!", "{", "}", "[[", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function",
    "if", "in", "select", "then", "time", "until", "while", ".", ":", "[", "alias", "bg", "break", "builtin",
    "cd", "command", "continue", "declare", "echo", "eval", "exec", "exit", "export", "false", "fg",
    "getopts", "hash", "jobs", "kill", "let", "local", "popd", "printf", "pushd", "pwd", "read", "readonly",
    "return", "set", "shift", "shopt", "source", "test", "times", "trap", "true", "type", "typeset",
    "ulimit", "umask", "unalias", "unset", "wait",
];
/// The one plain command that `script` is, if it is one (POSIX.1-2017, XCU 2.2 and 2.9.1).
pub(super) fn plain_command(script: &str) -> Option<Plain> {
    let mut words = split(script)?.into_iter().peekable();
    let mut set = Vec::new();
    while let Some(word) = words.peek() {
        let Some((name, value)) = word.assignment() else { break };
        set.push((name.to_owned(), value.to_owned()));
        words.next();
    }
    // `exec CMD` is CMD, but for its own options.
    let is_exec = words.peek().is_some_and(|word| word.text == "exec" && word.quoted_from.is_none());
    if is_exec {
        words.next();
    }
    let words: Vec<String> = words.map(|word| word.text).collect();
    let first = words.first()?;
    let shells_own = NOT_PROGRAMS.contains(&first.as_str());
    let of_exec = is_exec && first.starts_with('-');
    let is_program = !shells_own && !first.is_empty() && !of_exec;
    is_program.then_some(Plain { set, words })
}

/// The words of a text without anything special in it (`env -S`).
pub(super) fn plain_words(text: &str) -> Option<Vec<String>> {
    Some(split(text)?.into_iter().map(|word| word.text).collect())
}

/// A word, and where in it the first quoted character stands.
#[derive(Default)]
struct Word {
    text: String,
    quoted_from: Option<usize>,
}

impl Word {
    /// `NAME=value`, if name and `=` are not quoted.
    fn assignment(&self) -> Option<(&str, &str)> {
        let (name, value) = self.text.split_once('=')?;
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let plain = self.quoted_from.is_none_or(|at| at > name.len());
        (is_name && plain).then_some((name, value))
    }

    fn quoted(&mut self) {
        self.quoted_from.get_or_insert(self.text.len());
    }
}

fn split(script: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = script.trim_end_matches(['\n', ' ', '\t']).chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                word.quoted();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.text.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                word.quoted();
                double_quoted(&mut chars, &mut word.text)?;
            }
            '\\' => match chars.next()? {
                '\n' => {}
                c => {
                    let word = word.get_or_insert_default();
                    word.quoted();
                    word.text.push(c);
                }
            },
            c if is_special(c, word.as_ref()) => return None,
            c => word.get_or_insert_default().text.push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// Up to the closing quote; `None` for an expansion or a quote that never closes.
fn double_quoted(chars: &mut std::str::Chars<'_>, text: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            '"' => return Some(()),
            '$' | '`' => return None,
            '\\' => match chars.next()? {
                '\n' => {}
                c @ ('$' | '`' | '"' | '\\') => text.push(c),
                c => text.extend(['\\', c]),
            },
            // In an interactive bash this is history; elsewhere it is itself.
            c => text.push(c),
        }
    }
}

/// Would a shell do something about this character, unquoted here?
fn is_special(c: char, word: Option<&Word>) -> bool {
    let begins = word.is_none();
    match c {
        '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | ']' | '{' | '}' | '\n'
        | '\r' => true,
        // A comment, a home directory, a path (zsh): at the beginning of a word; `~` also after `=` and `:`.
        '#' | '=' => begins,
        '~' => word.is_none_or(|word| word.text.ends_with(['=', ':'])),
        c => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Option<Vec<String>> {
        plain_command(script).map(|plain| plain.words)
    }

    #[test]
    fn quotes_and_escapes_are_read_as_posix_has_them() {
        for (script, expected) in [
            ("npx -y x", &["npx", "-y", "x"][..]),
            (" a\t b \n", &["a", "b"]),
            ("a 'b c' \"d e\" f\\ g", &["a", "b c", "d e", "f g"]),
            (r#"a "x\"y\\z\q" '\n'"#, &["a", r#"x"y\z\q"#, r"\n"]),
            ("a b'c'\"d\"e ''", &["a", "bcde", ""]),
            ("a x#y u~v --opt=1", &["a", "x#y", "u~v", "--opt=1"]),
            ("exec npx x", &["npx", "x"]),
            ("a \"it is !\" 100%", &["a", "it is !", "100%"]),
        ] {
            let expected: Vec<String> = expected.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(words(script), Some(expected), "{script}");
        }
    }

    #[test]
    fn what_a_shell_would_do_something_about_is_no_plain_command() {
        for script in [
            "",
            " ",
            "a && b",
            "a; b",
            "a | b",
            "a &",
            "a > f",
            "a < f",
            "a $X",
            "a \"$X\"",
            "a `b`",
            "a \"`b`\"",
            "(a)",
            "{ a; }",
            "a *",
            "a ?",
            "a [x]",
            "a {b,c}",
            "a ~",
            "a ~/x",
            "A=~/x b",
            "# a",
            "a # b",
            "a\nb",
            "cd /x",
            "exec -a x y",
            "if a",
            "! a",
            "A=b",
            "source x",
            ". x",
            "eval a",
            "'a",
            "\"a",
            "a\\",
            "=ls",
            "a\u{1b}",
            "echo x",
            "''",
            "a\rb",
        ] {
            assert_eq!(plain_command(script), None, "{script:?}");
        }
    }

    #[test]
    fn assignments_before_the_command_are_set_and_no_others() {
        let plain = plain_command("A=1 B='x y' C= cmd D=2").unwrap();
        let set: Vec<(&str, &str)> = plain.set.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(set, [("A", "1"), ("B", "x y"), ("C", "")]);
        assert_eq!(plain.words, ["cmd", "D=2"]);
        assert_eq!(plain_command("'A'=1 x").unwrap().words, ["A=1", "x"], "a quoted name is a word");
        assert_eq!(plain_command("1A=1 x").unwrap().words, ["1A=1", "x"]);
    }
}

//! Text for a person's terminal: its width, its colours, and strings of strangers made harmless.

use std::io::IsTerminal;
use std::os::fd::AsFd;

/// What stdout can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    /// Columns.
    pub(super) width: usize,
    paint: Paint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paint {
    Colour,
    Plain,
}

/// What a piece of text means; each is also said in words, so nothing is lost without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// In order, stopped.
    Good,
    /// Got through, missing.
    Bad,
    /// Partly, undecided.
    Warn,
    /// A heading.
    Strong,
    /// Less important.
    Faint,
}

impl Screen {
    /// Width taken where nothing says how wide the screen is.
    const WIDTH_ASSUMED: usize = 100;

    /// Stdout as it is: colours on a terminal only, unless `NO_COLOR` is set (<https://no-color.org>: to anything
    /// but the empty string) or the terminal calls itself `dumb`.
    pub(super) fn of_stdout() -> Self {
        Self::of(&std::io::stdout())
    }

    /// The same of stderr.
    pub(super) fn of_stderr() -> Self {
        Self::of(&std::io::stderr())
    }

    fn of(stream: &(impl IsTerminal + AsFd)) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let terminal = stream.is_terminal();
        let paint = if terminal && !set("NO_COLOR") && !dumb { Paint::Colour } else { Paint::Plain };
        let columns = || std::env::var("COLUMNS").ok()?.parse::<usize>().ok();
        let width = terminal_size::terminal_size_of(stream)
            .map(|(width, _)| usize::from(width.0))
            .or_else(columns)
            .unwrap_or(Self::WIDTH_ASSUMED);
        // Narrower cannot hold a table; wider lines than 160 are hard to read.
        Self { width: width.clamp(40, 160), paint }
    }

    /// A screen without colours.
    #[cfg(test)]
    pub(super) fn plain(width: usize) -> Self {
        Self { width, paint: Paint::Plain }
    }

    /// `text` in `ink`, if there are colours.
    pub(super) fn ink(self, ink: Ink, text: &str) -> String {
        let code = match (self.paint, ink) {
            (Paint::Plain, _) => return text.to_owned(),
            (Paint::Colour, Ink::Good) => "32",
            (Paint::Colour, Ink::Bad) => "1;31",
            (Paint::Colour, Ink::Warn) => "33",
            (Paint::Colour, Ink::Strong) => "1",
            (Paint::Colour, Ink::Faint) => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// One line without anything that a terminal obeys or an eye cannot see: control characters and line breaks become
/// spaces (runs of them one), invisible ones (zero-width, bidi, tags, variation selectors) go.
pub(crate) fn harmless(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if is_invisible(character) {
            continue;
        }
        if character.is_control() || character.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else {
            line.push(character);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Characters that take part in no readable text: they only change, or hide, what stands around them.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180E}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Columns that `text` takes: two for wide East Asian characters and emoji, none for combining marks.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(char_columns).sum()
}

fn char_columns(character: char) -> usize {
    match character as u32 {
        0x0300..=0x036F | 0x1AB0..=0x1AFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F => 0,
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0x33FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF => 2,
        0xA000..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 => 2,
        0xFFE0..=0xFFE6 | 0x1F300..=0x1F64F | 0x1F680..=0x1F6FF | 0x1F900..=0x1FAFF | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// `text` cut to `width` columns, with an ellipsis if something was cut.
pub(super) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut line = String::new();
    let mut used = 0;
    for character in text.chars() {
        let wide = char_columns(character);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        line.push(character);
    }
    line.truncate(line.trim_end().len());
    if width > 0 {
        line.push('…');
    }
    line
}

/// `text` followed by spaces up to `width` columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// `text` in lines of at most `width` columns, broken at spaces; a longer word is broken where it must.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        let joined = columns(&line) + columns(&word) + usize::from(!line.is_empty());
        if joined > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        while columns(&word) > width {
            let head: String = fitting(&word, width);
            word = word.split_off(head.len());
            lines.push(head);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// The longest beginning of `word` that fits, but at least one character.
fn fitting(word: &str, width: usize) -> String {
    let mut used = 0;
    let head: String = word
        .chars()
        .take_while(|&character| {
            used += char_columns(character);
            used <= width
        })
        .collect();
    if head.is_empty() { word.chars().take(1).collect() } else { head }
}

/// `text` wrapped below a label: the label stands before the first line, the others are indented as far.
pub(super) fn labelled(label: &str, label_width: usize, text: &str, width: usize) -> String {
    let mut out = String::new();
    for (n, line) in wrap(text, width.saturating_sub(label_width)).iter().enumerate() {
        let head = if n == 0 { label } else { "" };
        out.push_str(pad(&format!("{}{line}", pad(head, label_width)), 0).trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_stranger_reaches_the_terminal_as_a_command() {
        assert_eq!(harmless("a\x1b[2Jb\r\n\tc\u{9b}d"), "a [2Jb c d");
        assert_eq!(harmless("say\u{200b} it\u{e0041}\u{e0042}\u{202e}"), "say it");
    }

    #[test]
    fn a_cut_line_fits_and_says_that_it_was_cut() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語です", 6), "日本…");
    }

    #[test]
    fn wrapped_lines_are_never_wider_than_asked() {
        for width in 1..20 {
            for line in wrap("one three averyveryverylongword 日本語 x", width) {
                assert!(columns(&line) <= width.max(2), "{line:?} at {width}");
            }
        }
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
    }

    #[test]
    fn a_label_stands_once_and_its_text_is_indented() {
        assert_eq!(labelled("why", 5, "one two three", 12), "why  one two\n     three\n");
    }

    #[test]
    fn without_colours_ink_changes_nothing() {
        assert_eq!(Screen::plain(80).ink(Ink::Bad, "x"), "x");
    }
}

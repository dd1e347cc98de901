//! Names of people behind words like `full_name` or `Mrs.`.

use std::ops::Range;

use super::list::List;
use super::prose_words::PARTICLES;

/// Most bytes between the word and the name.
const GAP_MAX: usize = 8;
/// Most words of a name.
const WORDS_MAX: usize = 4;
/// Longest word of a name.
const WORD_MAX: usize = 24;

/// Capitalised words that begin no name: labels, types, and the first words of sentences.
static NO_NAMES: List = List::new(&[
    "a",
    "account",
    "address",
    "all",
    "an",
    "and",
    "any",
    "api",
    "array",
    "black",
    "blue",
    "bool",
    "boolean",
    "brown",
    "cell",
    "city",
    "class",
    "code",
    "column",
    "company",
    "contact",
    "country",
    "customer",
    "data",
    "date",
    "default",
    "description",
    "details",
    "display",
    "do",
    "doe",
    "each",
    "email",
    "empty",
    "enter",
    "error",
    "example",
    "false",
    "field",
    "file",
    "first",
    "for",
    "format",
    "from",
    "full",
    "function",
    "gender",
    "given",
    "green",
    "group",
    "guid",
    "has",
    "header",
    "hello",
    "how",
    "i",
    "id",
    "if",
    "in",
    "info",
    "int",
    "integer",
    "invalid",
    "is",
    "it",
    "item",
    "key",
    "label",
    "last",
    "list",
    "long",
    "map",
    "max",
    "middle",
    "min",
    "missing",
    "must",
    "my",
    "n",
    "na",
    "name",
    "new",
    "no",
    "none",
    "not",
    "null",
    "number",
    "object",
    "of",
    "on",
    "only",
    "optional",
    "or",
    "order",
    "our",
    "page",
    "password",
    "patient",
    "phone",
    "please",
    "property",
    "record",
    "red",
    "required",
    "result",
    "row",
    "see",
    "select",
    "set",
    "should",
    "some",
    "state",
    "status",
    "str",
    "street",
    "string",
    "table",
    "test",
    "text",
    "that",
    "the",
    "there",
    "these",
    "they",
    "this",
    "title",
    "to",
    "true",
    "type",
    "undefined",
    "unknown",
    "use",
    "user",
    "username",
    "value",
    "var",
    "varchar",
    "view",
    "we",
    "what",
    "when",
    "where",
    "which",
    "white",
    "who",
    "why",
    "with",
    "yes",
    "you",
    "your",
    "zip",
]);

/// The name that begins within a few bytes behind `from`.
pub(super) fn behind(text: &[u8], from: usize) -> Option<Range<usize>> {
    let start = from + gap_len(&text[from..], from)?;
    let (mut end, mut next, mut words, mut letters) = (start, start, 0, 0);
    while words < WORDS_MAX {
        let len = word_len(&text[next..]);
        let word = &text[next..next + len];
        if len == 0 || !(is_capitalised(word) || (words > 0 && PARTICLES.has(word))) {
            break;
        }
        if NO_NAMES.has(word) {
            break;
        }
        if is_capitalised(word) {
            end = next + len;
            letters += if len > 1 { 1 } else { 0 };
        }
        words += 1;
        next += len;
        next += match &text[next..] {
            [b'.', b' ', ..] if len <= 2 => 2,
            [b' ', ..] => 1,
            _ => break,
        };
    }
    let dotted = text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(u8::is_ascii_alphanumeric);
    let cut_off =
        dotted || text.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || b"_(=/\\@[{:<".contains(b));
    (letters > 0 && !cut_off && end - start >= 3).then_some(start..end)
}

/// What stands between: quotes, colons, an equals sign, `is`; for the value of a key nothing.
fn gap_len(rest: &[u8], from: usize) -> Option<usize> {
    let sign = |b: &u8| b" \"':=>.\t|*".contains(b);
    let mut len = rest.iter().take(GAP_MAX).take_while(|b| sign(b)).count();
    if rest[len..].starts_with(b"is ") {
        len += 3;
        len += rest[len..].iter().take(2).take_while(|b| sign(b)).count();
    }
    ((len > 0 || from == 0) && len < GAP_MAX).then_some(len)
}

fn word_len(rest: &[u8]) -> usize {
    let letter = |b: &u8| {
        b.is_ascii_alphabetic() || *b >= 0xc3 || (0x80..0xc0).contains(b) || *b == b'\'' || *b == b'-'
    };
    let len = rest.iter().take(WORD_MAX + 1).take_while(|b| letter(b)).count();
    if len > WORD_MAX { 0 } else { len }
}

/// A capital and small letters behind it, a single capital, or letters beyond ASCII.
fn is_capitalised(word: &[u8]) -> bool {
    let Some(first) = std::str::from_utf8(word).ok().and_then(|w| w.chars().next()) else { return false };
    let rest = &word[first.len_utf8()..];
    first.is_uppercase()
        && (rest.is_empty() || rest.iter().any(|b| b.is_ascii_lowercase() || *b >= 0x80) || word.len() > 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        behind(text.as_bytes(), 0).map(|span| &text[span])
    }

    #[test]
    fn names_are_taken_whole() {
        for (text, name) in [
            ("\": \"Lena Wirth\", \"age\"", "Lena Wirth"),
            (": Anna-Maria van der Berg\n", "Anna-Maria van der Berg"),
            (". Živković is here", "Živković"),
            (" is Alvir D. Pušaver, and", "Alvir D. Pušaver"),
            ("=O'Neil&", "O'Neil"),
            ("Beatrix Veres", "Beatrix Veres"),
        ] {
            assert_eq!(found(text), Some(name), "{text}");
        }
    }

    #[test]
    fn labels_types_and_code_are_no_names() {
        for text in [
            "\": \"string\"",
            ": First Name",
            " = String",
            ": None,",
            "\": {\"type\"",
            " String name;",
            ": Last",
            " = getName()",
            ": NULL",
            ": Foo.bar(",
            "\nThe",
            " X",
            ": Option<String>",
            ": Module_x",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}

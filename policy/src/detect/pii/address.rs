//! Postal addresses: behind words like `address`, and around words like `Street`, `rue` or `P.O. Box`.

use std::ops::Range;

use super::list::List;

/// Longest address.
const ADDRESS_MAX: usize = 110;
/// How far before a street's word its house number is looked for.
const BEFORE_MAX: usize = 48;
/// Most words between the house number and the street's word, and behind it.
const WORDS_MAX: usize = 5;

/// A word of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// A house number, a post code.
    Number,
    /// A capitalised word.
    Capital,
    /// `of`, `de la`, `van`: small words within addresses.
    Small,
    /// Anything else.
    Other,
}

static SMALL: List = List::new(&[
    "de", "la", "le", "les", "du", "des", "del", "der", "den", "van", "von", "of", "the", "and", "am", "an",
    "zu", "di", "da", "st", "apt", "nan", "ul", "do", "dos", "e", "et", "und", "i", "y", "zum", "zur", "dem",
    "na", "nad",
]);

/// A street's word that stands before its name: `12 Rue Tasso`.
static LEADING: List = List::new(&[
    "avenue",
    "rue",
    "via",
    "viale",
    "calle",
    "avenida",
    "rua",
    "piazza",
    "corso",
    "boulevard",
    "chemin",
    "allée",
    "quai",
    "plaza",
    "paseo",
    "travessa",
    "impasse",
]);
/// A street's word of its own behind a name and before the number: `Prager Straße 12`.
static TRAILING: List =
    List::new(&["straße", "strasse", "str", "platz", "allee", "gasse", "straat", "laan", "plein", "weg"]);
/// A part of a house.
static FLATS: List = List::new(&["apt", "apartment", "suite"]);

/// The address that begins within a few bytes behind `from`.
pub(super) fn behind(text: &[u8], from: usize) -> Option<Range<usize>> {
    let sign = |b: &u8| b" \"':=>-\t\n|*".contains(b);
    let gap = text[from..].iter().take(16).take_while(|b| sign(b)).count();
    let mut start = from + gap;
    for lead in [&b"is "[..], b"at ", b"to ", b"in ", b"on "] {
        if text[start..].starts_with(lead) {
            start += lead.len();
        }
    }
    let end = tail_end(text, start);
    let (mut numbers, mut capitals, mut at) = (0, 0, start);
    while let Some((word, span)) = next_word(text, at, end) {
        numbers += usize::from(word == Word::Number);
        capitals += usize::from(word == Word::Capital);
        at = span.end;
    }
    let first = next_word(text, start, end).map(|(word, _)| word);
    let begins = matches!(first, Some(Word::Number | Word::Capital));
    ((gap > 0 || from == 0) && begins && numbers > 0 && capitals > 0 && end - start >= 8)
        .then_some(start..end)
}

/// The address around the street's word that ends at `end`.
pub(super) fn around(text: &[u8], word_end: usize) -> Option<Range<usize>> {
    let word_start = word_end - text[..word_end].iter().rev().take(24).take_while(|b| is_letter(**b)).count();
    let name = &text[word_start..word_end];
    let before = house_before(text, word_start)
        .or_else(|| is_any(name, &FLATS).then(|| flat_before(text, word_start, word_end)).flatten())
        .or_else(|| is_any(name, &LEADING).then(|| led(text, word_start, word_end)).flatten());
    let behind = house_behind(text, &(word_start..word_end));
    match (before, behind) {
        (Some(start), _) => Some(start..tail_end(text, word_end).max(word_end)),
        (None, Some(_)) => Some(word_start..tail_end(text, word_end)),
        _ => {
            let start = is_any(name, &TRAILING).then(|| named(text, word_start, word_end)).flatten()?;
            Some(start..tail_end(text, word_end))
        }
    }
}

/// The address whose street's name ends at `word_end`, behind a house number: `12 Harrow Close`.
pub(super) fn before(text: &[u8], word_end: usize) -> Option<Range<usize>> {
    let word_start = word_end - text[..word_end].iter().rev().take(24).take_while(|b| is_letter(**b)).count();
    let capital = kind(&text[word_start..word_end]) == Word::Capital;
    let start = house_before(text, word_start).filter(|_| capital)?;
    Some(start..tail_end(text, word_end).max(word_end))
}

/// `12 Rue Tasso`: a house number right before the street's word, and a capitalised name right behind.
fn led(text: &[u8], word_start: usize, word_end: usize) -> Option<usize> {
    let named = text[word_end..].starts_with(b" ") && kind(&text[word_start..word_end]) == Word::Capital;
    let (word, _) = next_word(text, word_end + 1, text.len().min(word_end + BEFORE_MAX)).filter(|_| named)?;
    let span = word_before(text, word_start)?;
    (word == Word::Capital && kind(&text[span.clone()]) == Word::Number && is_house_at(text, &span))
        .then_some(span.start)
}

/// `Prager Strasse 12`: a capitalised name right before the street's word, and a house number right behind.
fn named(text: &[u8], word_start: usize, word_end: usize) -> Option<usize> {
    let name = word_before(text, word_start).filter(|span| kind(&text[span.clone()]) == Word::Capital)?;
    let behind = word_end + usize::from(text.get(word_end) == Some(&b'.'));
    let (word, house) = next_word(text, behind, text.len().min(behind + 8))?;
    let touches = house.start == behind + 1
        && text[behind] == b' '
        && kind(&text[word_start..word_end]) == Word::Capital;
    (touches && word == Word::Number && is_house_at(text, &house)).then_some(name.start)
}

/// `12 rua tasso 3 apt. 9`, in small letters as well: a number, words, and a number or a street's word right before the flat,
/// which has a number.
fn flat_before(text: &[u8], word_start: usize, word_end: usize) -> Option<usize> {
    let (flat, _) = next_word(text, word_end, text.len().min(word_end + 8))?;
    let mut span = word_before(text, word_start)?;
    let closes = kind(&text[span.clone()]) == Word::Number || is_any(&text[span.clone()], &LEADING);
    if flat != Word::Number || !closes {
        return None;
    }
    let mut words = 0;
    for _ in 0..WORDS_MAX {
        span = word_before(text, span.start)?;
        match kind(&text[span.clone()]) {
            Word::Number if words > 0 => return is_house_at(text, &span).then_some(span.start),
            Word::Number => return None,
            _ => words += 1,
        }
    }
    None
}

/// The word before `at`, with a blank, a comma or a line end between them.
fn word_before(text: &[u8], at: usize) -> Option<Range<usize>> {
    let floor = at.saturating_sub(BEFORE_MAX);
    let gap = text[floor..at].iter().rev().take(3).take_while(|b| b" ,\n".contains(b)).count();
    let end = at - gap;
    let len = text[floor..end].iter().rev().take_while(|b| is_letter(**b) || b.is_ascii_digit()).count();
    ((1..3).contains(&gap) && len > 0).then_some(end - len..end)
}

/// Whether the list holds the word; letters beyond ASCII have capitals too.
fn is_any(word: &[u8], list: &List) -> bool {
    if word.is_ascii() {
        return list.has(word);
    }
    std::str::from_utf8(word).is_ok_and(|word| list.has(word.to_lowercase().as_bytes()))
}

/// Where an address begins whose street's word (or `Apt.`) begins at `word_start`: at the house number before a few
/// capitalised words.
fn house_before(text: &[u8], word_start: usize) -> Option<usize> {
    let floor = word_start.saturating_sub(BEFORE_MAX);
    let (mut at, mut capitals, mut behind_number) = (word_start, 0, None);
    for _ in 0..=WORDS_MAX {
        let gap = text[floor..at].iter().rev().take(3).take_while(|b| b" ,.\n".contains(b)).count();
        let end = at - gap;
        let len = text[floor..end].iter().rev().take_while(|b| is_letter(**b) || b.is_ascii_digit()).count();
        let span = end - len..end;
        match kind(&text[span.clone()]) {
            _ if gap == 0 || gap > 2 => break,
            Word::Number if !is_house_at(text, &span) => return None,
            Word::Number if capitals > 0 => return Some(span.start),
            Word::Number if behind_number.is_none() => behind_number = Some(span.start),
            Word::Capital => capitals += 1,
            Word::Small => {}
            _ => break,
        }
        at = span.start;
    }
    // `Kesk 53, Suite 3`: the number stands behind the street.
    (behind_number.is_some() && capitals > 0).then_some(at)
}

/// Where the house number behind the street's word ends: `rue de la Paix 12`, `Hauptstraße 12a`.
fn house_behind(text: &[u8], word: &Range<usize>) -> Option<usize> {
    let limit = text.len().min(word.end + BEFORE_MAX);
    // The street's word is the name as well, or a box, or a capitalised word must stand between.
    let name = &text[word.clone()];
    let names_itself = name.eq_ignore_ascii_case(b"box") || (name.len() >= 8 && kind(name) == Word::Capital);
    let (mut at, mut capitals) = (word.end, usize::from(names_itself));
    for _ in 0..WORDS_MAX {
        let (word, span) = next_word(text, at, limit)?;
        let gap = &text[at..span.start];
        if gap.is_empty() || gap.len() > 2 || !gap.iter().all(|b| b" .,".contains(b)) {
            return None;
        }
        match word {
            Word::Number => return (capitals > 0 && is_house_at(text, &span)).then_some(span.end),
            Word::Capital => capitals += 1,
            Word::Small => {}
            Word::Other => return None,
        }
        at = span.end;
    }
    None
}

/// Whether a house number stands there by itself: no price, version or part of a longer number.
fn is_house_at(text: &[u8], span: &Range<usize>) -> bool {
    let touched = span.start.checked_sub(1).is_some_and(|at| b"$#.-_:/=+".contains(&text[at]));
    let goes_on = matches!(&text[span.end..], [b'.' | b':' | b'%' | b'/', next, ..] if next.is_ascii_digit())
        || matches!(text.get(span.end), Some(b'%' | b'_' | b'='));
    !touched && !goes_on && is_house(&text[span.clone()])
}

/// Up to five digits, perhaps with a letter.
fn is_house(word: &[u8]) -> bool {
    let digits = word.iter().take_while(|b| b.is_ascii_digit()).count();
    (1..=5).contains(&digits) && word.len() - digits <= 1
}

/// Where an address ends: at the first word that is neither a number nor capitalised, at a full stop, a quote, an empty
/// line.
fn tail_end(text: &[u8], from: usize) -> usize {
    let limit = text.len().min(from + ADDRESS_MAX);
    let (mut at, mut end) = (from, from);
    while let Some((word, span)) = next_word(text, at, limit) {
        let gap = &text[at..span.start];
        let lines = gap.iter().filter(|b| **b == b'\n').count();
        let plain = gap.iter().all(|b| b" ,.\n\r'#/->?".contains(b)) && gap.len() <= 6 && lines < 2;
        let sentence = gap.starts_with(b". ") && at > from && at - last_word_start(text, at) > 4;
        if !plain || sentence || word == Word::Other {
            break;
        }
        if word != Word::Small {
            end = span.end;
        }
        at = span.end;
    }
    end
}

fn last_word_start(text: &[u8], end: usize) -> usize {
    end - text[..end].iter().rev().take(32).take_while(|b| is_letter(**b)).count()
}

/// The next word in `at..limit`.
fn next_word(text: &[u8], at: usize, limit: usize) -> Option<(Word, Range<usize>)> {
    let window = text.get(at..limit)?;
    let start = at + window.iter().position(|b| is_letter(*b) || b.is_ascii_digit())?;
    let len = text[start..limit]
        .iter()
        .take_while(|b| is_letter(**b) || b.is_ascii_digit() || **b == b'\'')
        .count();
    Some((kind(&text[start..start + len]), start..start + len))
}

fn kind(word: &[u8]) -> Word {
    let text = std::str::from_utf8(word).unwrap_or("");
    let ordinal = ["st", "nd", "rd", "th"].iter().any(|end| text.ends_with(end));
    match text.chars().next() {
        // `5th Avenue`.
        Some(first) if first.is_ascii_digit() && ordinal => Word::Capital,
        Some(first) if first.is_ascii_digit() => Word::Number,
        Some(first) if first.is_uppercase() => Word::Capital,
        Some(_) if SMALL.has(word) => Word::Small,
        _ => Word::Other,
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn street(text: &str, word: &str) -> Option<String> {
        let end = text.find(word).expect("the word is in the text") + word.len();
        around(text.as_bytes(), end).map(|span| text[span].to_owned())
    }

    fn said(text: &str) -> Option<&str> {
        behind(text.as_bytes(), 0).map(|span| &text[span])
    }

    #[test]
    fn a_street_has_a_house_number() {
        for (text, word, address) in [
            ("to 12 Oak Hill Road, Leeds LS1 4AP. Then", "Road", "12 Oak Hill Road, Leeds LS1 4AP"),
            ("lives at 9858 Hounslow Rd\n Suite 603\n Salem", "Rd", "9858 Hounslow Rd\n Suite 603\n Salem"),
            ("in der Hauptstraße 12a, 10115 Berlin und", "straße", "Hauptstraße 12a, 10115 Berlin"),
            ("au 12 rue de la Paix, 75002 Paris, France", "rue", "rue de la Paix, 75002 Paris, France"),
            ("in Via Tasso 129, Roma.", "Via", "Via Tasso 129, Roma"),
            ("at P.O. Box 104, Salem", "Box", "Box 104, Salem"),
            ("at 3968 Kesk 53\n Suite 343\n Tartu", "Suite", "3968 Kesk 53\n Suite 343\n Tartu"),
            ("at 14 5th Avenue, New York", "Avenue", "14 5th Avenue, New York"),
            ("Prager Strasse 36\nDresden", "Strasse", "Prager Strasse 36\nDresden"),
            ("enter on 12 Rue Tasso, please", "Rue", "12 Rue Tasso"),
            ("send it to 12 rua tasso 3 apt. 9", "apt", "12 rua tasso 3 apt. 9"),
        ] {
            let found = street(text, word);
            assert!(
                found.as_deref().is_some_and(|f| f.contains(address) || address.contains(f)),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn other_streets_are_no_addresses() {
        for (text, word) in [
            ("walk down the street", "street"),
            ("Wall Street rose", "Street"),
            ("version 2.12 of the Road", "Road"),
            ("on 3 lanes of road", "road"),
            ("via OAuth 2.0", "via"),
            ("via 12 hops", "via"),
            ("Drive 12", "Drive"),
            ("in Suite 3", "Suite"),
            ("ran 12 tests in suite 3", "suite"),
            ("Our Strasse is long", "Strasse"),
            ("12 rue songs", "rue"),
        ] {
            assert_eq!(street(text, word), None, "{text}");
        }
    }

    #[test]
    fn some_words_of_streets_stand_behind_their_name_alone() {
        let found = |text: &str, word: &str| {
            let end = text.find(word).expect("the word is in the text") + word.len();
            before(text.as_bytes(), end).map(|span| text[span].to_owned())
        };
        assert_eq!(found("at 12 Harrow Close, Leeds", "Close").as_deref(), Some("12 Harrow Close, Leeds"));
        for text in ["Click Close 12 Times", "12 windows close", "Close", "1.2 Harrow Close"] {
            assert_eq!(found(text, if text.contains("Close") { "Close" } else { "close" }), None, "{text}");
        }
    }

    #[test]
    fn an_address_is_a_number_and_capitalised_words() {
        assert_eq!(
            said(": 68954 Geddingmoor 24 Apt. 835, Nemesvámos, Hungary"),
            Some("68954 Geddingmoor 24 Apt. 835, Nemesvámos, Hungary")
        );
        assert_eq!(said("\": \"Dunajska 56, Studenec\""), Some("Dunajska 56, Studenec"));
        for text in [": localhost:8080", "=0x7fff5694", ": 10.0.0.1", " of the function", ": String", ": 12"]
        {
            assert_eq!(said(text), None, "{text}");
        }
    }
}

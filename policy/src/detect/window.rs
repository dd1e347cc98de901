//! The rule on a window around a hit of the prefilter: bodies made of runs and fixed texts, taken greedily. The build
//! refuses bodies for which greed could go wrong, so nothing is ever tried twice.

use std::ops::Range;

use super::tables::{Form, Segment};

/// Most characters between the name of a value and the value.
const GAP_MAX: usize = 24;

/// A prefix and the body behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Formed {
    /// Both.
    pub(super) span: Range<usize>,
    /// Where the body's last run has its least length: what stands behind it may be no part of the token. The end, if
    /// the token began before the hit.
    pub(super) own_end: usize,
}

/// Where a body ends, and where the shortest that begins alike does.
struct Ends {
    end: usize,
    own_end: usize,
}

/// Matches a prefix at `hit` and the body behind it.
///
/// The character before the prefix must not belong to the body's first run: so only the first of many prefixes in one
/// run starts a match, which keeps hostile text linear. Where nothing matches, the answer is how many bytes were looked
/// at, for they cost steps as well.
pub(super) fn form(form: &Form, text: &[u8], hit: &Range<usize>) -> Result<Formed, usize> {
    let Form { lead, body, .. } = form;
    let start = match lead {
        None => hit.start,
        Some(lead) => before(lead, text, hit.start)?,
    };
    let touches =
        |byte: u8| if lead.is_some() { byte.is_ascii_alphanumeric() } else { is_inside(body, byte) };
    // What begins with a sign (`/hooks/`) does not go on with the word before it.
    let is_apart = lead.is_none() && !is_inside(body, text[start]);
    if start > 0 && !is_apart && touches(text[start - 1]) && !follows_escape(text, start) {
        return Err(hit.start - start);
    }
    let Ends { end, own_end } = self::body(body, text, hit.end)?;
    let own_end = if lead.is_some() { end } else { own_end };
    Ok(Formed { span: start..end, own_end })
}

/// Where a run that ends at `end` starts.
fn before(lead: &Segment, text: &[u8], end: usize) -> Result<usize, usize> {
    let Segment::Run { set, min, max } = lead else { return Err(0) };
    let (min, max) = (usize::from(*min), usize::from(*max));
    let run = text[..end].iter().rev().take(max + 1).take_while(|b| set.contains(**b)).count();
    if (min..=max).contains(&run) { Ok(end - run) } else { Err(run) }
}

/// Matches a value behind its name, which ends at `name_end`; the span of the value.
pub(super) fn assigned(value: &[Segment], text: &[u8], name_end: usize) -> Option<Range<usize>> {
    let window = &text[name_end..text.len().min(name_end + GAP_MAX)];
    let gap = window.iter().take_while(|b| is_gap(**b)).count();
    if gap == 0 {
        return None;
    }
    let start = name_end + gap;
    self::body(value, text, start).ok().map(|ends| start..ends.end)
}

/// Matches a value that is the text itself, apart from quotes and spaces around it.
pub(super) fn whole(value: &[Segment], text: &[u8]) -> Option<Range<usize>> {
    let start = text.iter().take(GAP_MAX).take_while(|b| is_gap(**b)).count();
    let Ends { end, .. } = self::body(value, text, start).ok()?;
    let rest = &text[end..];
    (rest.len() <= GAP_MAX && rest.iter().all(|b| is_gap(*b))).then_some(start..end)
}

/// Matches a value that starts at `at`, whatever stands before it; else how many bytes were looked at.
pub(super) fn exact(value: &[Segment], text: &[u8], at: usize) -> Result<Range<usize>, usize> {
    self::body(value, text, at).map(|ends| at..ends.end)
}

/// Whether `byte` may stand in the first run of a body: then what starts behind it is no start.
pub(super) fn is_inside(value: &[Segment], byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || in_first_run(value, byte)
}

/// Whether the letters before `at` are the end of an escape in text that is itself escaped (`\n`, `%3D`, `\u0022`,
/// `\x1b[0m`): then they do not belong to the word that starts at `at`.
#[inline]
pub(super) fn follows_escape(text: &[u8], at: usize) -> bool {
    let may_end = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'n' | b't' | b'r' | b'm');
    at > 0 && may_end(text[at - 1]) && ends_escape(text, at)
}

fn ends_escape(text: &[u8], at: usize) -> bool {
    match &text[..at] {
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => true,
        [.., b'm'] => ends_colour(&text[at.saturating_sub(6)..at]),
        // `%3D`, `\x3D`, `\u003D`
        [.., sign @ (b'%' | b'x'), one, two] if one.is_ascii_hexdigit() && two.is_ascii_hexdigit() => {
            *sign == b'%' || text[..at - 3].ends_with(b"\\")
        }
        [.., b'\\', b'u', a, b, c, d] => [a, b, c, d].iter().all(|b| b.is_ascii_hexdigit()),
        _ => false,
    }
}

/// The end of a colour sequence, `\x1b[0m`.
fn ends_colour(before: &[u8]) -> bool {
    let Some((b'm', head)) = before.split_last() else { return false };
    let digits = head.iter().rev().take_while(|b| b.is_ascii_digit() || **b == b';').count();
    head[..head.len() - digits].ends_with(b"[")
}

/// Where the body that starts at `at` ends; the character behind it must not belong to its last part. Else how many
/// bytes were looked at.
fn body(body: &[Segment], text: &[u8], at: usize) -> Result<Ends, usize> {
    let (mut end, mut own_end) = (at, at);
    for segment in body {
        match segment {
            Segment::Text(fixed) => {
                if !text[end..].starts_with(fixed.as_bytes()) {
                    return Err(end - at);
                }
                end += fixed.len();
                own_end = end;
            }
            Segment::Run { set, min, max } => {
                let (min, max) = (usize::from(*min), usize::from(*max));
                let run = text[end..].iter().take(max).take_while(|b| set.contains(**b)).count();
                if run < min {
                    return Err(end + run - at);
                }
                own_end = end + min;
                end += run;
            }
        }
    }
    let goes_on = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(body.last(), Some(Segment::Run { set, .. }) if set.contains(byte))
    };
    if text.get(end).is_some_and(|b| goes_on(*b)) { Err(end - at) } else { Ok(Ends { end, own_end }) }
}

/// `=` begins no value: it is the padding at an end, and before a value it assigns.
fn in_first_run(body: &[Segment], byte: u8) -> bool {
    byte != b'=' && matches!(body.first(), Some(Segment::Run { set, .. }) if set.contains(byte))
}

/// What stands between a name and its value: `=`, `:`, quotes, brackets, a cell of a table.
fn is_gap(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`=:>,([|\\".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Confidence;
    use super::super::tables::{CharSet, Check};
    use super::*;

    /// 0-9 and a-z.
    const SET: CharSet = CharSet(0x07ff_fffe_0000_0000_03ff_0000_0000_0000);
    const BODY: &[Segment] = &[
        Segment::Run { set: SET, min: 2, max: 4 },
        Segment::Text("-"),
        Segment::Run { set: SET, min: 3, max: 3 },
    ];

    fn found(text: &str) -> Option<&str> {
        let at = text.find("key_").expect("the prefix is in the text");
        form(&of(None, BODY), text.as_bytes(), &(at..at + 4)).ok().map(|formed| &text[formed.span])
    }

    fn of(lead: Option<Segment>, body: &'static [Segment]) -> Form {
        Form { detector: 0, confidence: Confidence::High, check: Check::None, lead, body }
    }

    #[test]
    fn a_body_is_taken_whole_or_not_at_all() {
        assert_eq!(found("x key_ab-123."), Some("key_ab-123"));
        assert_eq!(found("key_abcd-123"), Some("key_abcd-123"));
        assert_eq!(found("key_abcde-123"), None, "the run is too long");
        assert_eq!(found("key_a-123"), None, "the run is too short");
        assert_eq!(found("key_ab-1234"), None, "the last run goes on");
        assert_eq!(found("key_ab-123Z"), None, "a letter touches the end");
        assert_eq!(found("monkey_ab-123"), None, "a letter touches the start");
    }

    #[test]
    fn a_token_may_begin_before_its_mark_and_end_with_a_text() {
        let lead = || Some(Segment::Run { set: SET, min: 3, max: 4 });
        let found = |form: &Form, text: &str| {
            let at = text.find("Q~").expect("the mark is in the text");
            super::form(form, text.as_bytes(), &(at..at + 2)).ok().map(|formed| text[formed.span].to_owned())
        };
        let tail = of(lead(), &[Segment::Run { set: SET, min: 3, max: 3 }, Segment::Text("==")]);
        assert_eq!(found(&tail, "x abcQ~123==;").as_deref(), Some("abcQ~123=="));
        assert_eq!(found(&tail, "x abcQ~123;"), None, "the text at the end is missing");
        assert_eq!(found(&tail, "x abcQ~123==x"), None, "a letter touches the end");
        assert_eq!(found(&tail, "x abQ~123=="), None, "the lead is too short");
        assert_eq!(found(&tail, "x abcdeQ~123=="), None, "the lead is too long");
        assert_eq!(found(&tail, "XabcQ~123=="), None, "a letter touches the start");
        let bare = of(lead(), &[]);
        assert_eq!(found(&bare, "x abcdQ~ y").as_deref(), Some("abcdQ~"));
        assert_eq!(found(&bare, "x abcdQ~y"), None);
    }

    #[test]
    fn an_escape_before_the_prefix_is_no_letter() {
        for text in [
            r"a\nkey_ab-123",
            "a%3Dkey_ab-123",
            r"\u0022key_ab-123",
            r"\x22key_ab-123",
            "\x1b[0;31mkey_ab-123",
        ] {
            assert_eq!(found(text), Some("key_ab-123"), "{text}");
        }
        assert_eq!(found("nkey_ab-123"), None);
    }

    #[test]
    fn a_value_follows_its_name_or_is_the_whole_text() {
        let value = &BODY[2..];
        assert_eq!(assigned(value, b"name = \"abc\"", 4), Some(8..11));
        assert_eq!(assigned(value, b"nameabc", 4), None, "nothing stands between");
        assert_eq!(whole(value, b" 'abc' "), Some(2..5));
        assert_eq!(whole(value, b"abc def"), None);
    }
}

//! From a name in a text to the value it is given: `password = "…"`, `--token …`, `<secret>…</secret>`,
//! `{"name": "API_KEY", "value": "…"}`, `("X-Api-Key", "…")`, `the password is …`.

use std::ops::Range;

/// Most spaces in a row between name, sign and value: columns of a file may be aligned.
const SPACES_MAX: usize = 32;
/// Longest value.
const VALUE_MAX: usize = 1024;
/// Longest type between a name and its value (`token: Option<String> = …`), or call around a value.
const TYPE_MAX: usize = 48;
/// Calls whose argument is the value.
const WRAPPERS: &[&str] = words! {
    some from new str bytes string secretstr secretstring securestring b64decode into quote sensitive
    secret password ref tostring just plaintext
};
/// Calls whose second argument is the value where the first is not set.
const DEFAULTS: &[&str] = words! {
    getenv env get fetch get_env config getstring setdefault getproperty
};

/// What ends a value without quotes, what a call or a type is made of, and what begins a sign.
const ENDS_BARE: [bool; 256] = ends_bare();
const IN_PATH: [bool; 256] = table(b"_.: 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
const IN_TYPE: [bool; 256] =
    table(b"_<>&'[]?|. :0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

/// For each byte, whether it is one of these.
pub(super) const fn table(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

const fn ends_bare() -> [bool; 256] {
    let mut ends = table(b" \"'`<>()[]{},;|&\\\x7f");
    let mut control = 0;
    while control < b' ' {
        ends[control as usize] = true;
        control += 1;
    }
    ends
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Between quotes, between tags, or the whole of a JSON value.
    Quoted,
    /// Without quotes, up to the end of its line or of its field: a file of settings.
    Line,
    /// Without quotes, in the midst of something else: perhaps a piece of a program.
    Bare,
    /// Behind a space only, as after an option of a command.
    Option,
    /// Behind a space only, in a sentence or a list.
    Spaced,
    /// "the password is …"
    Prose,
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) span: Range<usize>,
    pub(super) style: Style,
}

/// What joins a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Assign,
    Colon,
    Compare,
    Comma,
    Call,
    Tag,
    Cell,
    Space,
    Is,
}

/// The value that the name at `name` is given.
pub(super) fn assigned(text: &[u8], name: &Range<usize>) -> Option<Value> {
    let mut cursor = Cursor { text, at: name.end };
    let before = name.start.checked_sub(1).map_or(b' ', |at| text[at]);
    let closed = cursor.quote();
    cursor.skip(b"])", 2);
    let sign = cursor.sign(closed.is_some(), &text[name.clone()], before)?;
    cursor.white(sign == Sign::Tag);
    if sign == Sign::Colon {
        cursor.skip_type();
    }
    let is_option = text[name.start] == b'-' || before == b'-' || is_option_in_full(text, name);
    match sign {
        // `verify("password", "…")` compares two texts.
        Sign::Comma if is_argument_of_a_test(&text[..name.start]) => None,
        Sign::Comma | Sign::Call | Sign::Compare => cursor.quoted(),
        Sign::Space if is_option => {
            if cursor.take(b"-p") {
                cursor.spaces();
            }
            cursor.either(Style::Option)
        }
        Sign::Space => cursor.either(Style::Spaced),
        Sign::Is => cursor.either(Style::Prose),
        Sign::Tag => cursor.tagged(),
        Sign::Assign | Sign::Colon | Sign::Cell => {
            cursor.skip(b"[(", 2);
            cursor.spaces();
            cursor.either(Style::Bare)
        }
    }
}

/// The value behind a space or an `=` that ends at `at`, in quotes or without.
pub(super) fn option(text: &[u8], at: usize) -> Option<Value> {
    let mut cursor = Cursor { text, at };
    cursor.spaces();
    cursor.take(b"=");
    cursor.spaces();
    cursor.either(Style::Option)
}

/// The value that fills `text`, apart from quotes and spaces around it.
pub(super) fn whole(text: &[u8]) -> Option<Value> {
    let junk = |b: &&u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`');
    let lead = text.iter().take(8).take_while(junk).count();
    let tail = text[lead..].iter().rev().take(8).take_while(junk).count();
    let span = lead..text.len() - tail;
    (!span.is_empty() && span.len() <= VALUE_MAX).then_some(Value { span, style: Style::Quoted })
}

/// A quotation mark, perhaps with backslashes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quote {
    mark: u8,
    backslashes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    fn take(&mut self, fixed: &[u8]) -> bool {
        let taken = self.rest().get(..fixed.len()).is_some_and(|head| head.eq_ignore_ascii_case(fixed));
        self.at += if taken { fixed.len() } else { 0 };
        taken
    }

    fn skip(&mut self, set: &[u8], max: usize) {
        self.at += self.rest().iter().take(max).take_while(|b| set.contains(b)).count();
    }

    fn spaces(&mut self) -> usize {
        let count = self.rest().iter().take(SPACES_MAX).take_while(|b| matches!(b, b' ' | b'\t')).count();
        self.at += count;
        count
    }

    /// Spaces, and line breaks where they mean as little.
    fn white(&mut self, lines: bool) {
        if lines {
            self.at += self.rest().iter().take(SPACES_MAX).take_while(|b| b.is_ascii_whitespace()).count();
        } else {
            self.spaces();
        }
    }

    fn quote(&mut self) -> Option<Quote> {
        let backslashes = self.rest().iter().take(3).take_while(|b| **b == b'\\').count();
        let mark = *self.rest().get(backslashes)?;
        matches!(mark, b'"' | b'\'' | b'`').then(|| {
            self.at += backslashes + 1;
            Quote { mark, backslashes }
        })
    }

    fn sign(&mut self, closed: bool, name: &[u8], before: u8) -> Option<Sign> {
        if let Some(sign) = self.value_field() {
            return Some(sign);
        }
        if !closed && before == b'<' && self.tag_end() {
            return Some(Sign::Tag);
        }
        let direct = self.rest().first() == Some(&b'(');
        let constant = name.contains(&b'_') && !name.iter().any(u8::is_ascii_lowercase);
        let spaces = self.spaces();
        if let Some(sign) = self.operator() {
            return Some(sign);
        }
        if (closed || constant) && self.take(b",") {
            return Some(Sign::Comma);
        }
        if direct && !closed && self.take(b"(") {
            return Some(Sign::Call);
        }
        if !closed && spaces > 0 && self.take(b"|") {
            return Some(Sign::Cell);
        }
        if spaces == 0 || closed {
            return None;
        }
        self.take(b"- ");
        let is = matches!(self.rest().first(), Some(b'i' | b'e' | b'w' | b'I' | b'E' | b'W'))
            && [&b"is "[..], b"is: ", b"ist ", b"est ", b"es ", b"was "].iter().any(|word| self.take(word));
        Some(if is { Sign::Is } else { Sign::Space })
    }

    /// What assigns or compares.
    fn operator(&mut self) -> Option<Sign> {
        let (len, sign) = match self.rest() {
            [b'=' | b'!', b'=', b'=', ..] => (3, Sign::Compare),
            [b'=' | b'!', b'=', ..] => (2, Sign::Compare),
            [b'|', b'|', b'=', ..] => (3, Sign::Assign),
            [b'=', b'>', ..] | [b':' | b'?', b'=', ..] => (2, Sign::Assign),
            [b'=', ..] => (1, Sign::Assign),
            [b':', ..] => (1, Sign::Colon),
            _ => return None,
        };
        self.at += len;
        // `":= "` and `: "` may follow each other in what people type.
        self.take(b"=");
        Some(sign)
    }

    /// `…", "value": `, `…" value=`, and a line `value: ` below the name.
    fn value_field(&mut self) -> Option<Sign> {
        let mut ahead = *self;
        let gap = |b: &&u8| b.is_ascii_whitespace() || matches!(b, b',' | b'"' | b'\'' | b'\\');
        let skipped = ahead.rest().iter().take(SPACES_MAX).take_while(gap).count();
        ahead.at += skipped;
        if !ahead.take(b"value") || (skipped == 0 && ahead.quote().is_none()) {
            return None;
        }
        ahead.quote();
        ahead.spaces();
        if !ahead.take(b":") && !ahead.take(b"=") {
            return None;
        }
        *self = ahead;
        Some(Sign::Assign)
    }

    /// The end of a tag, perhaps with attributes before it.
    fn tag_end(&mut self) -> bool {
        let window = &self.rest()[..self.rest().len().min(TYPE_MAX)];
        let attributes = matches!(window.first(), Some(b'>' | b' '));
        let Some(end) = memchr::memchr2(b'>', b'<', window).filter(|end| attributes && window[*end] == b'>')
        else {
            return false;
        };
        self.at += end + 1;
        true
    }

    /// The type between a colon and the value: `: &str = "…"`.
    fn skip_type(&mut self) {
        let Some(len) = self.all_before(b'=', &IN_TYPE) else { return };
        let mut ahead = Self { text: self.text, at: self.at + len + 1 };
        if len > 0 && !ahead.take(b"=") {
            ahead.spaces();
            if ahead.opening().is_some() || ahead.wrapped() {
                *self = Self { at: self.at + len + 1, ..*self };
                self.spaces();
            }
        }
    }

    /// Whether a call follows.
    fn wrapped(&self) -> bool {
        self.all_before(b'(', &IN_PATH).is_some_and(|path| path > 0)
    }

    /// How many bytes stand before the next `sign`, if it is near and all of them are of the set, which does not hold the
    /// sign: mostly there is none.
    fn all_before(&self, sign: u8, set: &[bool; 256]) -> Option<usize> {
        let rest = self.rest();
        let len = memchr::memchr(sign, &rest[..rest.len().min(TYPE_MAX + 1)])?;
        rest[..len].iter().all(|b| set[usize::from(*b)]).then_some(len)
    }

    fn either(&mut self, bare: Style) -> Option<Value> {
        self.quoted().or_else(|| self.called()).or_else(|| self.bare(bare))
    }

    /// The quote that opens a literal, perhaps with a letter that says what kind of literal.
    fn opening(&mut self) -> Option<Quote> {
        let from = self.at;
        if let [b'b' | b'r' | b'u' | b'f' | b'L' | b'@' | b'B' | b'R' | b'U', b'"' | b'\'', ..] = self.rest()
        {
            self.at += 1;
        }
        let quote = self.quote();
        if quote.is_none() {
            self.at = from;
        }
        quote
    }

    fn quoted(&mut self) -> Option<Value> {
        let mut ahead = *self;
        let Quote { mark, backslashes } = ahead.opening()?;
        let start = ahead.at;
        let window = &self.text[start..self.text.len().min(start + VALUE_MAX)];
        let mut from = 0;
        loop {
            let at = from + memchr::memchr2(mark, b'\n', &window[from..])?;
            if window[at] == b'\n' {
                return None;
            }
            let escapes = window[..at].iter().rev().take_while(|b| **b == b'\\').count();
            // Within a literal that is itself escaped, the mark that closes it has as many backslashes.
            if escapes == backslashes || (backslashes == 0 && escapes.is_multiple_of(2)) {
                let value = &window[..at - backslashes.min(escapes)];
                self.at = start + at + 1;
                if self.goes_on(mark) {
                    return None;
                }
                let lead = value.len() - value.trim_ascii_start().len();
                let span = start + lead..start + lead.max(value.trim_ascii_end().len());
                return Some(Value { span, style: Style::Quoted });
            }
            from = at + 1;
        }
    }

    /// Whether something is appended to the literal: then it is no value of its own.
    fn goes_on(&self, mark: u8) -> bool {
        let rest = self.rest().trim_ascii_start();
        match rest {
            [b'+', b'=', ..] => false,
            [b'+', ..] => true,
            [b'%', after, ..] => mark != b'`' && (*after == b' ' || *after == b'('),
            [b'.', after, ..] => after.is_ascii_alphabetic() && rest.starts_with(b".format"),
            _ => false,
        }
    }

    /// A call around the literal, or a call that names a default.
    fn called(&mut self) -> Option<Value> {
        let path = self.all_before(b'(', &IN_PATH)?;
        let mut ahead = Self { at: self.at + path + 1, ..*self };
        let name = self.rest()[..path].rsplit(|b| matches!(b, b'.' | b':' | b' ')).next()?;
        let is = |list: &[&str]| list.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
        ahead.spaces();
        if is(DEFAULTS) {
            ahead.quoted()?;
            ahead.spaces();
            if !ahead.take(b",") {
                return None;
            }
            ahead.spaces();
            return ahead.quoted();
        }
        if is(WRAPPERS) { ahead.quoted() } else { None }
    }

    /// A value without quotes.
    fn bare(&mut self, style: Style) -> Option<Value> {
        let start = self.at;
        let rest = self.rest();
        let len = rest.iter().take(VALUE_MAX + 1).take_while(|b| !is_end(**b)).count();
        let end = &rest[len.min(rest.len())..];
        if len == 0
            || len > VALUE_MAX
            || matches!(end, [b'(' | b'[' | b'{', ..])
            || (end.starts_with(b"<") && !end.starts_with(b"</"))
        {
            return None;
        }
        let mut span = start..start + len;
        while span.len() > 1 && matches!(self.text[span.end - 1], b'.' | b':') {
            span.end -= 1;
        }
        let closes = end.iter().find(|b| !matches!(b, b' ' | b'\t')).is_none_or(|b| {
            matches!(b, b'\n' | b'\r' | b'"' | b'\'' | b'#' | b'&' | b'\\' | b'<')
                || (*b == b';' && end[0] == b';')
        });
        // `token request_id=…`: a field of its own.
        let value = &self.text[span.clone()];
        let padding = value.iter().rev().take_while(|b| **b == b'=').count();
        if style == Style::Spaced && value[..value.len() - padding].contains(&b'=') {
            return None;
        }
        let style = if style == Style::Bare && closes { Style::Line } else { style };
        Some(Value { span, style })
    }

    /// The text of an element.
    fn tagged(&mut self) -> Option<Value> {
        let rest = self.rest();
        let window = &rest[..rest.len().min(VALUE_MAX)];
        let len = memchr::memchr(b'<', window)?;
        let value = window[..len].trim_ascii_end();
        (!value.is_empty() && rest[len..].starts_with(b"</"))
            .then(|| Value { span: self.at..self.at + value.len(), style: Style::Quoted })
    }
}

/// Words of commands behind which a value stands as behind an option: `sshpass -p`, `ENV` of a Dockerfile.
fn is_option_in_full(text: &[u8], name: &Range<usize>) -> bool {
    let (word, before) = (&text[name.clone()], &text[..name.start]);
    word.starts_with(b"ConvertTo-") || word == b"sshpass" || before.ends_with(b"ENV ")
}

/// Whether what is called before the name hashes or compares its arguments.
fn is_argument_of_a_test(before: &[u8]) -> bool {
    let Some((b'"' | b'\'', before)) = before.split_last() else { return false };
    let Some((b'(', before)) = before.split_last() else { return false };
    let name =
        before.iter().rev().take(TYPE_MAX).take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let callee = &before[before.len() - name..];
    ["hash", "check", "verify", "compare", "equal", "assert", "match", "expect", "valid", "encrypt"]
        .iter()
        .any(|part| callee.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes())))
}

fn is_end(byte: u8) -> bool {
    ENDS_BARE[usize::from(byte)]
}

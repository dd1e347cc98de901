//! One spelling for equal JSON: members in the order of their names, strings without needless escapes, no white space.
//!
//! A client that writes a call again may order and escape it otherwise. Numbers stay as they are written: `1` and `1.0` are one
//! number to some readers and two to others. The text was let through by the grammar (no key twice, bounded depth); what is
//! not JSON all the same has no such spelling.

use std::ops::Range;

/// Deeper than the grammar lets anything be.
const DEPTH_MAX: usize = 256;

/// The one spelling of `json`, without the member `left_out` of the outermost object.
pub(super) fn without(json: &[u8], left_out: &str) -> Option<Vec<u8>> {
    let mut walk = Walk { json, at: 0 };
    let mut out = Vec::with_capacity(json.len());
    walk.value(&mut out, 0, left_out)?;
    walk.space();
    (walk.at == json.len()).then_some(out)
}

/// Where the value of a member of the outermost object stands.
pub(super) fn member(json: &[u8], name: &str) -> Option<Range<usize>> {
    let mut walk = Walk { json, at: 0 };
    walk.space();
    walk.eat(b'{')?;
    walk.space();
    while walk.peek()? != b'}' {
        let key = walk.key()?;
        let start = walk.at;
        walk.value(&mut Vec::new(), 1, "")?;
        if key == name {
            return Some(start..walk.at);
        }
        walk.comma(b'}')?;
    }
    None
}

struct Walk<'j> {
    json: &'j [u8],
    at: usize,
}

impl Walk<'_> {
    fn value(&mut self, out: &mut Vec<u8>, depth: usize, left_out: &str) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.space();
        match self.peek()? {
            b'{' => self.object(out, depth, left_out),
            b'[' => self.array(out, depth),
            b'"' => {
                write_string(&self.string()?, out);
                Some(())
            }
            _ => {
                let start = self.at;
                let is_end = |byte: u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                while self.peek().is_some_and(|byte| !is_end(byte)) {
                    self.at += 1;
                }
                let word = self.json.get(start..self.at).filter(|word| !word.is_empty())?;
                out.extend_from_slice(word);
                Some(())
            }
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize, left_out: &str) -> Option<()> {
        self.eat(b'{')?;
        let mut members: Vec<(String, Vec<u8>)> = Vec::new();
        self.space();
        while self.peek()? != b'}' {
            let key = self.key()?;
            let mut value = Vec::new();
            self.value(&mut value, depth + 1, "")?;
            if depth > 0 || left_out.is_empty() || key != left_out {
                members.push((key, value));
            }
            self.comma(b'}')?;
        }
        self.at += 1;
        members.sort();
        out.push(b'{');
        for (n, (key, value)) in members.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            write_string(key, out);
            out.push(b':');
            out.extend_from_slice(value);
        }
        out.push(b'}');
        Some(())
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.eat(b'[')?;
        out.push(b'[');
        self.space();
        let mut first = true;
        while self.peek()? != b']' {
            if !std::mem::replace(&mut first, false) {
                out.push(b',');
            }
            self.value(out, depth + 1, "")?;
            self.comma(b']')?;
        }
        self.at += 1;
        out.push(b']');
        Some(())
    }

    /// A name and its colon.
    fn key(&mut self) -> Option<String> {
        let key = self.string()?;
        self.space();
        self.eat(b':')?;
        self.space();
        Some(key)
    }

    /// What stands between two members or elements, or nothing before `end`.
    fn comma(&mut self, end: u8) -> Option<()> {
        self.space();
        match self.peek()? {
            b',' => {
                self.at += 1;
                self.space();
                // A comma before the end is no JSON.
                (self.peek()? != end).then_some(())
            }
            byte => (byte == end).then_some(()),
        }
    }

    /// A string, decoded.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.eat(b'"')?;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        serde_json::from_slice(self.json.get(start..self.at)?).ok()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn eat(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    // A string can always be written as JSON, and a `Vec` takes everything.
    let written = serde_json::to_writer(&mut *out, text);
    debug_assert!(written.is_ok(), "{written:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt(json: &str) -> Option<String> {
        without(json.as_bytes(), "_meta").map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn equal_json_has_one_spelling() {
        let one = r#" {"b" : [1, {"y":true,"x":null} ], "a":"\u0041\/\n" , "_meta":{"progressToken":7}} "#;
        let other = r#"{"a":"A/\u000a","b":[1,{"x":null,"y":true}]}"#;
        assert_eq!(spelt(one).unwrap(), r#"{"a":"A/\n","b":[1,{"x":null,"y":true}]}"#);
        assert_eq!(spelt(one), spelt(other));
        assert_eq!(spelt("[]").unwrap(), "[]");
        assert_eq!(spelt("{}").unwrap(), "{}");
    }

    #[test]
    fn what_some_reader_tells_apart_stays_apart() {
        for (one, other) in [
            ("[1]", "[1.0]"),
            ("[18446744073709551617]", "[18446744073709551618]"),
            ("[1,2]", "[2,1]"),
            (r#"["1"]"#, "[1]"),
            (r#"{"a":{"_meta":1}}"#, r#"{"a":{"_meta":2}}"#),
            (r#"{"a":[[[[[1]]]]]}"#, r#"{"a":[[[[[2]]]]]}"#),
            (r#"{"a":null}"#, "{}"),
            (r#"["a\",\"b"]"#, r#"["a","b"]"#),
        ] {
            assert_ne!(spelt(one).unwrap(), spelt(other).unwrap(), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_json_has_none() {
        for text in ["", "{", "[1,]", "{\"a\":1,}", "{\"a\"}", "\"a", "\"\\", "1 2", "[1 2]", "{\"a\" 1}"] {
            assert_eq!(spelt(text), None, "{text}");
        }
        assert_eq!(spelt(&"[".repeat(10_000)), None);
    }

    #[test]
    fn a_member_is_found_by_its_decoded_name() {
        let json = br#"{"name":"x","argument\u0073":{"a":[1,"}"]},"z":1}"#;
        assert_eq!(&json[member(json, "arguments").unwrap()], br#"{"a":[1,"}"]}"#);
        assert_eq!(member(json, "missing"), None);
        assert_eq!(member(b"[]", "a"), None);
    }
}

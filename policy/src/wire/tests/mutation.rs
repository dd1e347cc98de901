//! Mutated lines: nothing panics, and what passes is read alike by an independent reader.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::*;
use crate::wire::{Frame, Id, IdKey, Shape};

const LINES: u32 = 20_000;

const SEEDS: &[&str] = &[
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":[1,2.5e3,"x\n"]}}}"#,
    r#"{"jsonrpc":"2.0","id":"abc","method":"resources/read","params":{"uri":"file:///a","_meta":{"p":null}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":0.5}}"#,
    r#"{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"\ud83d\ude00 caf\u00e9"}],"isError":false}}"#,
    r#"{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"no","data":[[[]],{}]}}"#,
    "{\"id\":-5,\"method\":\"prompts/get\",\"jsonrpc\":\"2.0\",\"params\":{\"name\":\"é\u{2028}\u{85}😀\"}}\r",
];

const PIECES: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\t",
    "\r",
    "\n",
    "\0",
    "0",
    "1",
    "-",
    ".",
    "e",
    "E",
    "+",
    "null",
    "true",
    "false",
    "NaN",
    "1e400",
    "\\u",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude00",
    "\u{2028}",
    "\u{85}",
    "\u{feff}",
    "\"id\":",
    "\"id\":1,",
    "\"i\\u0064\":2,",
    "\"Method\":\"x\",",
    "\"params\":{},",
    "\"name\":\"u\",",
    "\"a\":1,",
    "\"__proto__\":1,",
    "\"result\":{},",
    "\"error\":null,",
    "\"x\":[],",
    "{\"a\":1}",
    "[1,2]",
    "\"jsonrpc\":\"2.0\",",
];

/// Marsaglia's xorshift, so that a failure comes back with the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }

    fn mutate(&mut self, line: &mut Vec<u8>) {
        let at = self.below(line.len() + 1);
        let until = (at + 1 + self.below(12)).min(line.len());
        match self.below(8) {
            0 => line.truncate(at),
            1 => drop(line.drain(at.min(until)..until)),
            2 => {
                let copy = line[at.min(until)..until].to_vec();
                let to = self.below(line.len() + 1);
                line.splice(to..to, copy);
            }
            3 if at < line.len() => line[at] = u8::try_from(self.below(256)).unwrap(),
            4 if at < line.len() => line[at] ^= 1 << self.below(8),
            _ => {
                let piece = PIECES[self.below(PIECES.len())];
                line.splice(at..at, piece.bytes());
            }
        }
    }
}

#[test]
fn mutated_lines_never_panic_and_what_passes_is_read_alike() {
    let mut random = Random(0x5EED_5EED_5EED_5EED);
    let mut parser = Parser::default();
    let (mut passed, mut refused) = (0u32, BTreeSet::new());
    for number in 0..LINES {
        let mut line = SEEDS[random.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            random.mutate(&mut line);
        }
        for direction in BOTH {
            match parser.parse(&line, direction, &Limits::of(direction)) {
                Ok(frame) => {
                    passed += 1;
                    check(&frame, &format!("line {number}: {}", String::from_utf8_lossy(&line)));
                }
                Err(found) => {
                    assert!(found.offset <= line.len());
                    refused.insert(found.reason);
                }
            }
            let _ = Parser::refuse_oversize(LineEnds { prefix: &line, suffix: &line }, direction);
        }
    }
    // A generator that only makes rubbish, or none, would prove nothing.
    assert!(passed > LINES / 10, "{passed}");
    assert!(refused.len() > 20, "{refused:?}");
}

fn check(frame: &Frame<'_>, about: &str) {
    let bytes = frame.bytes;
    let read: Value = serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {about}"));
    assert!(!bytes.contains(&b'\n') && !bytes[..bytes.len() - 1].contains(&b'\r'), "{about}");
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(!text.contains(['\u{2028}', '\u{2029}', '\u{85}']), "{about}");
    NoDuplicates.deserialize(&mut serde_json::Deserializer::from_slice(bytes)).expect(about);
    let keys: BTreeSet<String> = frame.members(frame.root()).map(|(key, ..)| key.into_owned()).collect();
    let keys_read: BTreeSet<String> = read.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, keys_read, "{about}");
    let method = match &frame.shape {
        Shape::Request { method, .. } | Shape::Notification { method, .. } => Some(method.as_ref()),
        Shape::Response { .. } => None,
    };
    assert_eq!(method, read.get("method").and_then(Value::as_str), "{about}");
    let id = match &frame.shape {
        Shape::Request { id, .. } | Shape::Response { id, .. } => Some(id.key()),
        Shape::Notification { .. } => None,
    };
    let id_read = read.get("id").map(|id| match id {
        Value::String(text) => IdKey::Text(text.as_str().into()),
        other => IdKey::Number(other.as_i64().expect(about)),
    });
    assert_eq!(id, id_read, "{about}");
    for token in frame.tape {
        let raw = &bytes[token.start as usize..token.end as usize];
        assert!(matches!(raw.first(), Some(b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')));
    }
    if let Shape::Request { id: Id { raw }, .. } = frame.shape {
        assert!(serde_json::from_slice::<Value>(raw).is_ok(), "{about}");
    }
}

/// Walks any JSON with serde's own reader and fails where an object holds a key twice.
struct NoDuplicates;

impl<'de> DeserializeSeed<'de> for NoDuplicates {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NoDuplicates {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !keys.insert(key) {
                return Err(A::Error::custom("a key stands twice"));
            }
            map.next_value_seed(Self)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

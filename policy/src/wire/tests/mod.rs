//! The grammar as sentences.

mod envelope;
mod frame;
mod grammar;
mod mutation;
mod refused;
mod repair;

use super::{Direction, Limits, LineEnds, Parser, Refusal, Refused};

const BOTH: [Direction; 2] = [Direction::ToServer, Direction::ToClient];

/// The bytes that would be forwarded, or the refusal.
fn parse(line: impl AsRef<[u8]>, direction: Direction) -> Result<String, Refused> {
    let mut parser = Parser::default();
    let frame = parser.parse(line.as_ref(), direction, &Limits::of(direction))?;
    Ok(String::from_utf8(frame.bytes.to_vec()).unwrap())
}

fn refusal(line: impl AsRef<[u8]>, direction: Direction) -> Option<Refusal> {
    parse(line, direction).err().map(|refused| refused.reason)
}

#[track_caller]
fn refused_both_ways(line: impl AsRef<[u8]>, reason: Refusal) {
    let line = line.as_ref();
    for direction in BOTH {
        let found = refusal(line, direction);
        assert_eq!(found, Some(reason), "{direction:?} {}", String::from_utf8_lossy(line));
    }
}

#[track_caller]
fn forwarded_both_ways(line: impl AsRef<[u8]>) {
    let line = line.as_ref();
    assert!(serde_json::from_slice::<serde_json::Value>(line).is_ok(), "{}", String::from_utf8_lossy(line));
    for direction in BOTH {
        let forwarded = parse(line, direction).map(String::into_bytes);
        assert_eq!(forwarded.as_deref(), Ok(line), "{direction:?} {}", String::from_utf8_lossy(line));
    }
}

/// A call whose arguments are `arguments`.
fn call(arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{arguments}}}}}"#
    )
}

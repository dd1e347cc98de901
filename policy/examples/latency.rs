//! How long the slowest messages take: `cargo run --release -p stockade-policy --example latency [COUNT [BYTES]]` scans so many
//! messages of each kind of ordinary work, no two alike, and says what half of them, 99 % and 99.9 % stay within.
#![expect(clippy::print_stdout, reason = "an example reports on stdout")]

#[path = "../tests/ordinary_work/code.rs"]
mod code;
#[path = "../tests/ordinary_work/data.rs"]
mod data;
#[path = "../tests/ordinary_work/dice.rs"]
mod dice;
#[path = "../tests/ordinary_work/kinds.rs"]
mod kinds;
#[path = "../tests/ordinary_work/prose.rs"]
mod prose;
#[path = "../tests/ordinary_work/words.rs"]
mod words;

use std::hint::black_box;
use std::time::Instant;

use stockade_policy::detect::{Engine, HashKey};
use stockade_policy::wire::{Direction, Limits, Parser};

/// Messages of each kind, unless said.
const COUNT: usize = 5_000;
/// Their size, unless said.
const BYTES: usize = 1_000;
/// Scanned first and not counted: a session is ready before its first message.
const WARM_UP: usize = 50;

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>().expect("a number"));
    let (count, bytes) = (args.next().unwrap_or(COUNT).max(1), args.next().unwrap_or(BYTES));
    let engine = Engine::new(&[], HashKey([1; 32])).expect("the engine compiles");
    let kinds: Vec<Vec<String>> =
        kinds::KINDS.iter().map(|(_, make)| messages(*make, count + WARM_UP, bytes)).collect();
    // By turns, as messages come: the caches hold what the kind before left.
    let mut times = vec![Vec::with_capacity(count); kinds.len()];
    let mut parser = Parser::default();
    for at in 0..count + WARM_UP {
        for (lines, times) in kinds.iter().zip(&mut times) {
            let took = scan(&engine, &mut parser, &lines[at]);
            if at >= WARM_UP {
                times.push(took);
            }
        }
    }
    println!("{count} messages of {bytes} bytes each, from the bytes of a line to its findings; µs");
    println!("{:14}{:>9}{:>9}{:>9}{:>9}", "", "p50", "p99", "p99.9", "worst");
    for ((name, _), times) in kinds::KINDS.iter().zip(&mut times) {
        told(name, times);
    }
    told("all", &mut times.concat());
}

/// Texts of one kind, one behind the other, cut into messages.
fn messages(make: kinds::Make, count: usize, bytes: usize) -> Vec<String> {
    let (mut dice, mut text) = (dice::Dice::new(23), String::new());
    let mut message = || {
        while text.len() < bytes {
            text += &make(&mut dice);
            text.push('\n');
        }
        let rest = text.split_off(text.floor_char_boundary(bytes));
        let body = serde_json::to_string(&std::mem::replace(&mut text, rest)).expect("a string is JSON");
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":{body}}}],"isError":false}}}}"#
        )
    };
    (0..count).map(|_| message()).collect()
}

/// In microseconds.
fn scan(engine: &Engine, parser: &mut Parser, line: &str) -> f64 {
    let limits = Limits::of(Direction::ToClient);
    let mut findings = Vec::new();
    let started = Instant::now();
    let frame = parser.parse(line.as_bytes(), Direction::ToClient, &limits).expect("the line is well formed");
    let end = engine.scan(&frame, &mut findings);
    let took = started.elapsed();
    let _ = black_box((end, &findings));
    took.as_secs_f64() * 1e6
}

fn told(name: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    // Of a thousand parts so many lie at or below it.
    let within = |parts: usize| times[(times.len() * parts).div_ceil(1_000).max(1) - 1];
    println!("{name:14}{:9.1}{:9.1}{:9.1}{:9.1}", within(500), within(990), within(999), within(1_000));
}

//! Prints how fast the grammar reads: `cargo run --release -p stockade-policy --example parse_speed`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use stockade_policy::wire::{Direction, Limits, Parser};

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn main() {
    let text = "A sentence of plain words, such as a tool returns. ";
    let escaped = "a line of code;\\n\\tlet x = \\\"y\\\";\\n";
    let accented = "Ein Satz mit Umlauten – größer, schöner, «fließend». ";
    let samples = [
        ("1 KB message", call(&text.repeat(18)), 200_000),
        ("10 MB string", call(&text.repeat(200_000)), 50),
        ("10 MB string, many escapes", call(&escaped.repeat(270_000)), 20),
        ("10 MB string, not ASCII", call(&accented.repeat(170_000)), 20),
        ("1 MB of objects", objects(), 200),
        ("1 MB of pixels", pixels(), 200),
    ];
    println!("{:<28} {:>10} {:>10} {:>12}", "sample", "bytes", "MB/s", "µs/message");
    for (name, line, rounds) in samples {
        let (megabytes_per_s, message_us) = measure(line.as_bytes(), rounds);
        println!("{name:<28} {:>10} {megabytes_per_s:>10.0} {message_us:>12.2}", line.len());
    }
}

fn measure(line: &[u8], rounds: u32) -> (f64, f64) {
    let mut parser = Parser::default();
    let limits = Limits::of(Direction::ToClient);
    let mut parse = |line: &[u8]| {
        let frame = parser.parse(black_box(line), Direction::ToClient, &limits);
        black_box(frame.expect("samples are sound").tape.len());
    };
    parse(line);
    let start = Instant::now();
    for _ in 0..rounds {
        parse(line);
    }
    let elapsed_s = start.elapsed().as_secs_f64();
    let bytes = line.len() as f64 * f64::from(rounds);
    (bytes / 1e6 / elapsed_s, elapsed_s * 1e6 / f64::from(rounds))
}

fn call(text: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#)
}

fn objects() -> String {
    let mut rows = String::new();
    for row in 0..12_000 {
        let separator = if row == 0 { "" } else { "," };
        let _ = write!(
            rows,
            r#"{separator}{{"id":{row},"name":"item {row}","size":{},"tags":["a","b"],"ok":true,"next":null}}"#,
            row * 37
        );
    }
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"rows":[{rows}]}}}}"#)
}

fn pixels() -> String {
    let numbers: Vec<String> = (0..300_000).map(|i| (i * 7 % 256).to_string()).collect();
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"image":{{"pixels":[{}]}}}}}}"#, numbers.join(","))
}

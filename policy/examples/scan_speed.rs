//! How fast messages are parsed and scanned: `cargo run --release -p stockade-policy --example scan_speed`.
#![expect(clippy::print_stdout, reason = "an example reports on stdout")]

use std::hint::black_box;
use std::time::Instant;

use stockade_policy::detect::{Engine, HashKey, KeywordList};
use stockade_policy::wire::{Direction, Limits, Parser};

fn main() {
    let engine = Engine::new(&[], HashKey([1; 32])).expect("the engine compiles");
    let words = (0..5_000).map(|n| format!("codename{n:05}")).collect();
    let list = KeywordList { name: "names".to_owned(), words, whole_word: true };
    let with_words = Engine::new(&[list], HashKey([1; 32])).expect("the engine compiles");
    let started = Instant::now();
    black_box(Engine::new(&[], HashKey([1; 32])).expect("the engine compiles"));
    println!("built-in engine ready in {:.2} ms", started.elapsed().as_secs_f64() * 1e3);

    let prose = "The build took 12.5 seconds on 2024-05-06; ask the maintainers why `parse_line` is slow.\\n";
    let code =
        "    if let Some(next) = table.get(index + 1) { total += next.weight * 3; } // see issue 1482\\n";
    let ids = "0f8fad5b-d9cb-469f-a165-70867728950e,1145784930174189578,2026-01-02T03:04:05Z,17.25,-0.5\\n";
    let other = "Größe prüfen – 日本語のテキスト、テスト “quoted” naïve café 🙂 и немного кириллицы\\n";
    let json =
        r#"{\"id\": 1482, \"name\": \"parse_line\", \"labels\": [\"slow\", \"parser\"], \"open\": true}\n"#;
    for (name, text) in
        [("prose", prose), ("code", code), ("ids and dates", ids), ("not ASCII", other), ("JSON lines", json)]
    {
        for (size, rounds) in [(1 << 10, 20_000), (100 << 10, 300), (10 << 20, 15)] {
            let line = answer(text, size);
            let both = measure(&engine, &line, rounds);
            let words = measure(&with_words, &line, rounds);
            println!(
                "{name:14} {:>9} bytes: parse {:>9.1} µs, scan {:>9.1} µs ({:>5.0} MB/s), with 5,000 words {:>9.1} µs",
                line.len(),
                both.parse_us,
                both.scan_us,
                line.len() as f64 / both.scan_us,
                words.scan_us,
            );
        }
    }
}

struct Times {
    parse_us: f64,
    scan_us: f64,
}

/// An answer like that of a tool: some fields, and a text of about `bytes`.
fn answer(text: &str, bytes: usize) -> String {
    let body = text.repeat(bytes / text.len() + 1);
    let end = (0..=bytes.saturating_sub(220)).rev().find(|at| body.is_char_boundary(*at)).unwrap_or(0);
    // JSON lines end with a whole line, other texts with a whole escape.
    let whole = body[..end].rfind(r"}\n").filter(|_| text.starts_with('{'));
    let body = whole.map_or(body[..end].trim_end_matches('\\'), |at| &body[..=at]);
    format!(
        r#"{{"jsonrpc":"2.0","id":42,"result":{{"content":[{{"type":"text","text":"{body}"}}],"isError":false,"_meta":{{"tool":"read_file","path":"/srv/data/report.txt","size":48213,"modified":"2026-01-02T03:04:05Z","tags":["a","b"]}}}}}}"#
    )
}

/// Medians of parsing and scanning.
fn measure(engine: &Engine, line: &str, rounds: usize) -> Times {
    let limits = Limits::of(Direction::ToClient);
    let (mut parser, mut findings) = (Parser::default(), Vec::new());
    let (mut parse, mut scan) = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    for _ in 0..rounds {
        let started = Instant::now();
        let frame =
            parser.parse(line.as_bytes(), Direction::ToClient, &limits).expect("the line is well formed");
        let parsed = Instant::now();
        let end = engine.scan(&frame, &mut findings);
        scan.push(parsed.elapsed().as_secs_f64());
        parse.push((parsed - started).as_secs_f64());
        let _ = black_box(end);
    }
    assert!(findings.is_empty(), "the text must be clean: {findings:?}");
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] * 1e6
    };
    Times { parse_us: median(&mut parse), scan_us: median(&mut scan) }
}

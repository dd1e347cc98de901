//! What a table of 100,000 rows costs: `cargo run --release -p stockade-policy --example exact_speed`.
#![expect(clippy::print_stdout, reason = "an example reports on stdout")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use stockade_policy::detect::{CustomData, Engine, ExactClass, ExactData, Fingerprints, HashKey, Matching};
use stockade_policy::wire::{Direction, Limits, Parser};

const FIRST: [&str; 16] = [
    "Anna", "Bo", "Carla", "David", "Elin", "Frank", "Greta", "Hugo", "Ida", "Jonas", "Karin", "Lars",
    "Maria", "Nils", "Olga", "Peter",
];
const LAST: [&str; 16] = [
    "Berg", "Lind", "Holm", "Strand", "Dahl", "Falk", "Gran", "Hall", "Ek", "Nord", "Sand", "Vik", "Wall",
    "Alm", "Bro", "Rosen",
];

fn main() {
    let row = |n: usize| {
        let name = format!("{} {}{}", FIRST[n % 16], LAST[n / 16 % 16], LAST[n / 256 % 16].to_lowercase());
        let mail = format!("{}@mail.example", name.replace(' ', ".").to_lowercase());
        vec![name, format!("{:09}", n * 7919 % 1_000_000_000), format!("{n}.{mail}")]
    };
    let rows: Vec<Vec<String>> = (0..100_000).map(row).collect();
    let started = Instant::now();
    let (table, report) = Fingerprints::of_rows(&rows, Matching::Rows, [3; 32]).expect("rows");
    println!("made in {:.0} ms: {report:?}", started.elapsed().as_secs_f64() * 1e3);
    let bytes = table.to_bytes();
    let started = Instant::now();
    let table = Arc::new(Fingerprints::of_bytes(&bytes).expect("it is whole"));
    println!("{} KiB read in {:.1} ms", bytes.len() / 1024, started.elapsed().as_secs_f64() * 1e3);
    let exact = vec![ExactData { name: "people".to_owned(), class: ExactClass::Pii, table }];
    let key = HashKey([1; 32]);
    let without = Engine::new(&[], key.clone()).expect("the engine compiles");
    let with = Engine::with_custom(&CustomData { exact, ..CustomData::default() }, key).expect("it compiles");
    let prose =
        "The build took 12.5 seconds on 2024-05-06; ask the maintainers why Anna says `parse_line` is slow. ";
    let code =
        "    if let Some(next) = table.get(index + 1) { total += next.weight * 3; } // see issue 1482 ";
    let ids = "0f8fad5b-d9cb-469f-a165-70867728950e,1145784930174189578,2026-01-02T03:04:05Z,17.25,-0.5 ";
    for (name, text) in [("prose", prose), ("code", code), ("ids and dates", ids)] {
        for (size, rounds) in [(1 << 10, 2_000), (100 << 10, 40)] {
            let body = text.repeat(size / text.len() + 1);
            let line = format!(r#"{{"jsonrpc":"2.0","id":42,"result":{{"text":"{}"}}}}"#, &body[..size]);
            let (before, after) = (measure(&without, &line, rounds), measure(&with, &line, rounds));
            println!(
                "{name:14} {size:>7} bytes: {before:>8.1} µs without, {after:>8.1} µs with, {:.2} ns a byte more",
                (after - before) * 1e3 / size as f64
            );
        }
    }
}

/// Median of one scan, in microseconds.
fn measure(engine: &Engine, line: &str, rounds: usize) -> f64 {
    let (mut parser, mut findings) = (Parser::default(), Vec::new());
    let limits = Limits::of(Direction::ToClient);
    let frame = parser.parse(line.as_bytes(), Direction::ToClient, &limits).expect("the line is well formed");
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let started = Instant::now();
            let _ = black_box(engine.scan(&frame, &mut findings));
            started.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    findings.retain(|finding| finding.detector.contains("exact"));
    assert!(findings.is_empty(), "no row is in it: {findings:?}");
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

//! How fast detectors look through messages: `cargo bench -p stockade-policy --bench dlp`. `docs/speed.md` says what is aimed
//! at and what was measured.

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
mod texts;
#[path = "../tests/ordinary_work/words.rs"]
mod words;

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};

use kinds::KINDS;
use stockade_policy::detect::{Engine, HashKey};
use stockade_policy::wire::{Direction, Limits, Parser};
use texts::{KB, MB, OTHERS, WORST};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .configure_from_args();
    let engine = Engine::new(&[], HashKey([1; 32])).expect("the engine compiles");
    criterion.bench_function("ready", |bencher| {
        bencher.iter(|| Engine::new(&[], HashKey([1; 32])).expect("the engine compiles"));
    });
    for (name, make) in KINDS.iter().chain(OTHERS) {
        let mut group = criterion.benchmark_group(*name);
        for (size, bytes) in [("1 KB", KB), ("10 KB", 10 * KB), ("100 KB", 100 * KB)] {
            measure(&mut group, size, &engine, &texts::ordinary(*make, bytes));
        }
        group.finish();
    }
    // The same for all: ordinary work to compare with, then what is meant to be slow.
    let mut group = criterion.benchmark_group("10 MB");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for (name, make) in KINDS.iter().chain(OTHERS) {
        measure(&mut group, name, &engine, &texts::ordinary(*make, 10 * MB));
    }
    for (name, make) in WORST {
        measure(&mut group, &format!("worst: {name}"), &engine, &make(10 * MB));
    }
    group.finish();
    exact(&mut criterion);
    criterion.final_summary();
}

/// The same with tables of the organisation's beside it; what they cost is the difference to the kinds above.
fn exact(criterion: &mut Criterion) {
    for rows in [10_000, 500_000] {
        let engine = texts::engine_with_table(rows);
        let mut group = criterion.benchmark_group(format!("table of {rows} rows"));
        for (name, make) in KINDS {
            measure(&mut group, name, &engine, &texts::ordinary(*make, 100 * KB));
        }
        group.finish();
    }
}

/// From the bytes of a line to its findings.
fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, engine: &Engine, line: &str) {
    let limits = Limits { values_max: usize::MAX, ..Limits::of(Direction::ToClient) };
    let (mut parser, mut findings) = (Parser::default(), Vec::new());
    group.throughput(Throughput::Bytes(line.len() as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            findings.clear();
            let frame =
                parser.parse(line.as_bytes(), Direction::ToClient, &limits).expect("the line is well formed");
            let end = engine.scan(&frame, &mut findings);
            let _ = black_box((end, &findings));
        });
    });
}

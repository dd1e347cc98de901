//! Prints messages of ordinary work as JSON lines (`{"id": "log-3", "text": …}`), for `tests/bench/beside.py`:
//! `cargo run -p stockade-policy --example ordinary_work -- COUNT`, that many of each kind.
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

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100);
    for (kind, make) in kinds::KINDS {
        let mut dice = dice::Dice::new(1);
        for n in 0..count {
            println!("{}", serde_json::json!({"id": format!("{kind}-{n}"), "text": make(&mut dice)}));
        }
    }
}

//! How long a decision takes with ten rules and with a thousand: `cargo run --release --example decide_speed`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use stockade_policy::document::policy::PolicyDocument;
use stockade_policy::rules::{Arguments, Circumstances, Item, Layer, Origin, Policy};

const CALLS: u32 = 200_000;

/// Rules as security teams write them: most name a server and some tools, some name tools of any server.
fn policy(rules: usize) -> Policy {
    let mut text = "version = 1\n".to_owned();
    for n in 0..rules {
        let about = match n % 4 {
            0 => format!("servers = [\"pkg:npm/server-{n}\"]\ntools = [\"merge_*\", \"delete_*\"]"),
            1 => format!("servers = [\"pkg:npm/server-{n}@1.*\"]"),
            2 => format!("tools = [\"tool_{n}\", \"other_{n}\"]"),
            _ => format!("servers = [\"pkg:pypi/server-{n}\"]\ntools = [\"run_{n}\"]"),
        };
        let _ = write!(text, "[[rule]]\nid = \"r{n}\"\neffect = \"deny\"\nreason = \"r\"\n{about}\n");
    }
    text += "[[rule]]\nid = \"main\"\neffect = \"deny\"\nreason = \"r\"\ntools = [\"push\"]\nwhen = 'args.base == \"main\"'\n";
    let document = PolicyDocument::parse("bench", &text).expect("a policy");
    let layer = Layer { origin: Origin::User, name: "bench".to_owned(), document, sha256: String::new() };
    Policy::compose(vec![layer])
}

fn nanoseconds(policy: &Policy, tool: &str, arguments: Arguments<'_>) -> f64 {
    let identities = ["pkg:npm/server-0@1.0.0".to_owned(), "file:sha256:00".to_owned()];
    let call = Circumstances { arguments, ..Circumstances::default() };
    let started = Instant::now();
    for _ in 0..CALLS {
        let _ = black_box(policy.decide(black_box(&identities), Item::Tool(tool), &call));
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

#[expect(clippy::print_stdout, reason = "an example prints")]
fn main() {
    let cases = [
        ("no rule names it", "read_file", "{}"),
        ("denied", "merge_pull_request", "{}"),
        ("a condition", "push", "{\"base\":\"dev\"}"),
    ];
    println!("{:<20}{:>12}{:>12}", "ns a decision", "10 rules", "1000 rules");
    let (few, many) = (policy(10), policy(1_000));
    for (name, tool, args) in cases {
        let [few, many] = [&few, &many].map(|policy| nanoseconds(policy, tool, Arguments::Json(args)));
        println!("{name:<20}{few:>12.0}{many:>12.0}");
    }
}

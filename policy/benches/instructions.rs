//! How many instructions a line takes: `cargo bench -p stockade-policy --bench instructions [-- WORD]`. A count does not
//! hang on what else the machine does, so that two versions can be compared by it. Runs itself under valgrind's callgrind.
#![expect(clippy::print_stdout, reason = "a measurement reports on stdout")]

mod messages;

use std::process::Command;

use messages::{Class, Condition, Dlp, Form, KB, Sample, Session};

const RULES: usize = 200;

/// Marks the run that is counted; behind it stand the sample's number and how often it is passed.
const COUNTED: &str = "--counted";

struct Case {
    name: String,
    rules: usize,
    dlp: Dlp,
    condition: Condition,
    sample: Sample,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [mark, number, rounds] = words.as_slice()
        && mark == COUNTED
    {
        return pass(number.parse().expect("a number"), rounds.parse().expect("a number"));
    }
    let only = words.iter().find(|word| !word.starts_with('-'));
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("not measured: valgrind is not installed");
        return;
    }
    println!("{:>12} {:>14}  message", "instructions", "a byte");
    for (number, case) in cases().iter().enumerate() {
        if only.is_none_or(|word| case.name.contains(word.as_str())) {
            let rounds = if case.sample.line.len() > 50 * KB { 10 } else { 100 };
            let count = counted(number, rounds);
            println!("{count:>12.0} {:>14.2}  {}", count / case.sample.line.len() as f64, case.name);
        }
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, dlp) in [("plain", Dlp::Off), ("dlp", Dlp::On)] {
        for class in Class::ALL {
            for bytes in [KB, 100 * KB] {
                for form in Form::ALL.into_iter().filter(|form| class.takes(*form, bytes)) {
                    let sample = class.sample(form, bytes);
                    let name = format!("{word}/{}", sample.name);
                    cases.push(Case { name, rules: RULES, dlp, condition: Condition::None, sample });
                }
            }
        }
    }
    let calls = [
        ("10 rules", 10, Condition::None),
        ("1000 rules", 1_000, Condition::None),
        ("condition", RULES, Condition::Some),
    ];
    for (word, rules, condition) in calls {
        let sample = Class::Call.sample(Form::Text, KB);
        let name = format!("{word}/{}", sample.name);
        cases.push(Case { name, rules, dlp: Dlp::Off, condition, sample });
    }
    cases
}

/// Under callgrind: only what `measured_line` does is counted.
fn pass(number: usize, rounds: usize) {
    let Case { rules, dlp, condition, sample, .. } = cases().into_iter().nth(number).expect("a case");
    let mut session = Session::new(rules, dlp, condition);
    session.check(&sample);
    for _ in 1..rounds {
        session.before(&sample);
        session.measured_line(&sample);
        session.after(&sample);
    }
}

fn counted(number: usize, rounds: usize) -> f64 {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*::measured_line*"])
        .arg(program)
        .args([COUNTED, &number.to_string(), &rounds.to_string()])
        .output()
        .expect("valgrind starts");
    let said = String::from_utf8_lossy(&output.stderr);
    let total = said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    let total: f64 = total
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("callgrind gave no count: {said}"));
    total / rounds as f64
}

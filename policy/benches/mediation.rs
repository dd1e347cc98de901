//! How long a line takes from its bytes to the decision what becomes of it: `cargo bench -p stockade-policy --bench
//! mediation`. `docs/speed.md` says what is aimed at and what was measured.

mod messages;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};

use messages::{Class, Condition, Dlp, Form, KB, Sample, Session};

/// Rules of the policy where their number is not what is measured.
const RULES: usize = 200;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .configure_from_args();
    messages(&mut criterion, ("plain", Dlp::Off));
    messages(&mut criterion, ("dlp", Dlp::On));
    rules(&mut criterion);
    condition(&mut criterion);
    criterion.final_summary();
}

fn messages(criterion: &mut Criterion, (group, dlp): (&str, Dlp)) {
    let mut session = Session::new(RULES, dlp, Condition::None);
    for class in Class::ALL {
        for bytes in [KB, 10 * KB, 100 * KB] {
            for form in Form::ALL.into_iter().filter(|form| class.takes(*form, bytes)) {
                measure(criterion, group, &mut session, &class.sample(form, bytes));
            }
        }
    }
}

/// The same calls and lists under policies of different length.
fn rules(criterion: &mut Criterion) {
    let samples = [Class::Call.sample(Form::Text, KB), Class::ToolsList.sample(Form::Table, 10 * KB)];
    for count in [10, 200, 1_000] {
        let mut session = Session::new(count, Dlp::Off, Condition::None);
        for sample in &samples {
            measure(criterion, &format!("{count} rules"), &mut session, sample);
        }
    }
}

/// Calls whose arguments a rule looks at.
fn condition(criterion: &mut Criterion) {
    let mut session = Session::new(RULES, Dlp::Off, Condition::Some);
    for (form, bytes) in [(Form::Text, KB), (Form::Text, 100 * KB), (Form::Table, 100 * KB)] {
        measure(criterion, "condition", &mut session, &Class::Call.sample(form, bytes));
    }
}

fn measure(criterion: &mut Criterion, group: &str, session: &mut Session, sample: &Sample) {
    session.check(sample);
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Bytes(sample.line.len() as u64));
    group.bench_function(&sample.name, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut taken = Duration::ZERO;
            for _ in 0..rounds {
                session.before(sample);
                let started = Instant::now();
                session.measured_line(sample);
                taken += started.elapsed();
                session.after(sample);
            }
            taken
        });
    });
    group.finish();
}

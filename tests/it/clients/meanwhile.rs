//! Several at once: two wraps, and a client that writes all the time.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{FIXTURES, Home, STOCKADE, Said};

#[test]
fn two_wraps_at_once_do_not_interleave() {
    for _ in 0..5 {
        let home = Home::furnished();
        let wraps: Vec<_> = (0..4)
            .map(|_| {
                let mut command = home.command(Path::new(STOCKADE), &["wrap"]);
                command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
                command.spawn().unwrap()
            })
            .collect();
        let said: Vec<Said> =
            wraps.into_iter().map(|child| Said::from(child.wait_with_output().unwrap())).collect();
        assert!(said.iter().all(|said| said.code == 0));
        let wrapped: usize = said.iter().map(|said| said.stdout.matches("  wrapped\n").count()).sum();
        assert_eq!(wrapped, 8, "each entry is wrapped by exactly one of them");
        for fixture in &FIXTURES {
            assert_eq!(home.read(fixture.path), fixture.after(STOCKADE));
        }
        assert_eq!(home.stockade(&["unwrap"]).stdout.matches("restored, byte for byte").count(), 8);
        for fixture in &FIXTURES {
            assert_eq!(home.read(fixture.path).as_bytes(), fixture.before);
        }
    }
}

#[test]
fn a_client_that_writes_all_the_time_never_sees_half_a_file() {
    let home = Home::furnished();
    let path = home.path(".claude.json");
    let stop = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut turns: u64 = 0;
            loop {
                // One more turn after the last change of ours.
                let last = stop.load(Ordering::Relaxed);
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.starts_with("{\n") && text.ends_with('}'), "half a file: {text}");
                let start = text.find("\"numStartups\": ").unwrap() + 15;
                let end = start + text[start..].find(',').unwrap();
                turns += 1;
                let new = format!("{}{turns}{}", &text[..start], &text[end..]);
                let beside = path.with_extension("new");
                std::fs::write(&beside, new).unwrap();
                std::fs::rename(&beside, &path).unwrap();
                if last {
                    return turns;
                }
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
        });
        for _ in 0..10 {
            for verb in ["wrap", "unwrap"] {
                let said = home.stockade(&[verb, "--client", "claude-code"]);
                // Either it found a quiet moment, or it says that there was none.
                assert!(said.code == 0 || said.stdout.contains("keeps changing it"), "{}", said.stdout);
            }
        }
        stop.store(true, Ordering::Relaxed);
        client.join().unwrap()
    });
    assert!(written > 10, "the client wrote {written} times only");
    home.stockade(&["unwrap"]);
    let text = home.read(".claude.json");
    let before = std::str::from_utf8(FIXTURES[1].before).unwrap();
    assert_eq!(text.replace(&format!("\"numStartups\": {written}"), "\"numStartups\": 184"), before);
}

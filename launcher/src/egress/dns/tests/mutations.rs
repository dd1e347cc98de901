//! Questions with errors in them, from a fixed seed: nothing panics, and no ungranted name leaves or gets an address.

use super::super::answer;
use super::{Made, judge, question, question_with_edns};

/// xorshift64 (Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        const TELLING: [u8; 16] =
            [0, 1, 2, 12, 28, 33, 41, 63, 64, 0x7f, 0x80, 0xc0, 0xff, b'.', b'*', b'\\'];
        match self.below(2) {
            0 => TELLING[self.below(TELLING.len())],
            _ => self.below(256) as u8,
        }
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        match self.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, self.byte()),
            2 if !bytes.is_empty() => {
                bytes.remove(at);
            }
            3 => {
                let part = bytes[at..].to_vec();
                bytes.extend(part);
            }
            _ if !bytes.is_empty() => bytes[at] = self.byte(),
            _ => {}
        }
    }
}

/// Said in another way than the judge does.
fn is_granted(name: &str) -> bool {
    let labels = name.split('.').map(str::to_ascii_lowercase).collect::<Vec<_>>();
    let plain = labels
        .iter()
        .all(|l| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    let end = |count: usize| labels[labels.len().saturating_sub(count)..].join(".");
    plain && (end(3) == "api.example.org" || labels.len() > 2 && end(2) == "granted.test")
}

#[test]
fn mutated_questions_never_panic_and_never_reach_an_ungranted_name() {
    let grants = [("api.example.org", 443), ("*.granted.test", 443)];
    let names =
        ["api.example.org", "a.b.granted.test", "evil.test", "_x._tcp.api.example.org", "granted.test"];
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut dice = Dice(0x5eed_0008);
    let mut answered = 0;
    for round in 0..60_000 {
        let outside = Made { any: Some("93.184.216.34".parse().expect("v4")), ..Made::default() };
        let judge = judge(&grants);
        let (name, kind) =
            (names[dice.below(names.len())], [1, 1, 1, 28, 33, 16, 65, 12, 255][dice.below(9)]);
        let mut bytes = match dice.below(2) {
            0 => question(name, kind),
            _ => question_with_edns(name, kind, 1232),
        };
        for _ in 0..dice.below(4) {
            dice.mutate(&mut bytes);
        }
        let (answer, _) = runtime.block_on(answer(&bytes, &judge, &outside));
        let asked = outside.asked.borrow();
        assert!(asked.iter().all(|name| is_granted(name)), "round {round}: {asked:?} of {bytes:02x?}");
        let records = answer.get(6..8).map_or(0, |count| u16::from_be_bytes([count[0], count[1]]));
        if records > 0 {
            answered += 1;
            // It was asked for, and so granted; anything else is an address out of nowhere.
            assert_eq!(asked.len(), 1, "round {round}: {bytes:02x?}");
        }
        assert!(answer.is_empty() || answer.len() >= 12 && answer[..2] == bytes[..2], "round {round}");
    }
    assert!(answered > 2_000, "only {answered} questions were still good: the mutations prove nothing");
}

#[test]
fn mutated_replies_never_panic() {
    use super::super::reply::read;
    use super::super::wire::{Kind, query};
    let query = query(7, "_x._tcp.example.org", Kind::Srv).expect("a query");
    let mut good = question("_x._tcp.example.org", 33);
    good[..8].copy_from_slice(&[0, 7, 0x81, 0x80, 0, 1, 0, 2]);
    good.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01y\xc0\x14");
    good.extend(
        b"\x01y\xc0\x14\x00\x21\x00\x01\x00\x00\x00\x3c\x00\x0c\x00\x01\x00\x02\x69\x89\x03db1\xc0\x14",
    );
    assert_eq!(read(&query, &good).expect("a reply").services.len(), 1);
    let mut dice = Dice(0x5eed_0009);
    for _ in 0..200_000 {
        let mut bytes = good.clone();
        for _ in 0..=dice.below(4) {
            dice.mutate(&mut bytes);
        }
        if let Some(reply) = read(&query, &bytes) {
            assert!(reply.services.iter().all(|service| service.target.len() < 1024));
        }
    }
}

//! The messages in which detectors look for something: results of tools as the made-up work of `tests/ordinary_work` gives
//! them, in several sizes, and inputs that are as bad as an attacker can make them.

use std::fmt::Write as _;
use std::sync::Arc;

use stockade_policy::detect::{
    CustomData, Engine, ExactClass, ExactData, Fingerprints, HashKey, Matching, about_built_in,
};

use crate::dice::Dice;
use crate::kinds::Make;

pub(crate) const KB: usize = 1_000;
pub(crate) const MB: usize = 1_000 * KB;

/// Makes a message of about so many bytes.
type Build = fn(usize) -> String;

/// What ordinary messages hold beside the kinds of ordinary work.
pub(crate) const OTHERS: &[(&str, Make)] =
    &[("not ASCII", other_scripts), ("ids", ids), ("JSON lines", json_lines)];

/// What hostile messages hold.
pub(crate) const WORST: &[(&str, Build)] = &[
    ("all keywords", all_keywords),
    ("all digits", |bytes| digits("7", bytes)),
    ("digits in groups", |bytes| digits("4539 5787-6362.1486 ", bytes)),
    ("deep nesting", nested),
    ("long base64", |bytes| result(&Dice::new(7).base64(bytes as u64))),
    ("base64 of base64", base64_of_base64),
    ("names", |bytes| result(&"Anna Maria van der Berg and Jennifer, ".repeat(bytes / 38))),
    ("escapes", |bytes| digits("\\u0061%61&#97;", bytes)),
];

/// The result of a tool with a text of about `bytes`.
pub(crate) fn ordinary(make: Make, bytes: usize) -> String {
    let (mut dice, mut text) = (Dice::new(11), String::new());
    while text.len() < bytes {
        text += &make(&mut dice);
        text.push('\n');
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    result(&text)
}

/// All detectors, and a table of names, numbers and addresses.
pub(crate) fn engine_with_table(rows: usize) -> Engine {
    const FIRST: [&str; 8] = ["Anna", "Bo", "Carla", "David", "Elin", "Frank", "Greta", "Hugo"];
    const LAST: [&str; 8] = ["Berg", "Lind", "Holm", "Strand", "Dahl", "Falk", "Gran", "Hall"];
    let mut dice = Dice::new(5);
    let row = |n: usize| {
        let name = format!("{} {}{}", FIRST[n % 8], LAST[n / 8 % 8], LAST[n / 64 % 8].to_lowercase());
        let mail = format!("{}.{n}@mail.example", name.replace(' ', ".").to_lowercase());
        vec![name, format!("{:09}", dice.between(1, 1_000_000_000)), mail]
    };
    let rows: Vec<Vec<String>> = (0..rows).map(row).collect();
    let (table, _) = Fingerprints::of_rows(&rows, Matching::Rows, [3; 32]).expect("rows");
    let one = ExactData { name: "people".to_owned(), class: ExactClass::Pii, table: Arc::new(table) };
    let data = CustomData { exact: vec![one], ..CustomData::default() };
    Engine::with_custom(&data, HashKey([1; 32])).expect("the engine compiles")
}

fn result(text: &str) -> String {
    let text = serde_json::to_string(text).expect("a string is JSON");
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":{text}}}],"isError":false}}}}"#
    )
}

/// Sentences of several languages.
fn other_scripts(d: &mut Dice) -> String {
    const WORDS: &[&str] = &[
        "Größe",
        "prüfen",
        "über",
        "für",
        "naïve",
        "café",
        "déjà",
        "répondre",
        "niño",
        "señal",
        "ação",
        "não",
        "część",
        "źródło",
        "příklad",
        "verze",
        "größer",
        "данные",
        "ошибка",
        "проверить",
        "снова",
        "δεδομένα",
        "σφάλμα",
        "日本語",
        "設定を確認",
        "错误",
        "数据",
        "데이터",
        "오류",
        "نتيجة",
        "שגיאה",
        "–",
        "“zitiert”",
        "und",
        "the",
        "de",
        "la",
        "🙂",
        "✓",
    ];
    let mut text = String::new();
    for _ in 0..d.between(6, 18) {
        let _ = write!(text, "{} ", d.pick(WORDS));
    }
    text + "\n"
}

/// A row of identifiers, times and numbers.
fn ids(d: &mut Dice) -> String {
    let (uuid, time, hex) = (d.uuid(), d.time(), d.hex(40));
    let (number, more) = (d.next() >> 4, d.between(1, 99_999));
    format!("{uuid},{number},{time},{hex},{}.{},-0.{more}\n", more / 7, more % 100)
}

/// A row as JSON.
fn json_lines(d: &mut Dice) -> String {
    let (id, time) = (d.between(1, 1 << 20), d.time());
    format!(
        "{{\"id\": {id}, \"name\": \"parse_line\", \"labels\": [\"slow\", \"parser\"], \"open\": true, \"at\": \"{time}\"}}\n"
    )
}

/// The examples of all detectors, without what makes them whole: their keywords again and again.
fn all_keywords(bytes: usize) -> String {
    let heads = about_built_in("*").map(|about| about.example.chars().take(12).collect::<String>());
    let all = heads.collect::<Vec<_>>().join(" ");
    result(&all.repeat(bytes / all.len() + 1))
}

fn digits(unit: &str, bytes: usize) -> String {
    result(&unit.repeat(bytes / unit.len()))
}

/// As deep as a message may be, again and again.
fn nested(bytes: usize) -> String {
    let unit = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let all = vec![unit; bytes / 202].join(",");
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"structuredContent":{{"a":[{all}]}},"content":[]}}}}"#)
}

fn base64_of_base64(bytes: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |text: &str| -> String {
        let chunk = |chunk: &[u8]| {
            let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift & 63) as usize]))
        };
        text.as_bytes().chunks_exact(3).flat_map(chunk).collect()
    };
    let plain = "the quick brown fox is no secret at all; ".repeat(bytes / 41 * 9 / 16);
    result(&encode(&encode(&plain)))
}

//! The fuzz targets of `fuzz/`, with a plain mutator, a fixed seed and a fixed number of inputs: what can be said on every
//! machine and in every run. libFuzzer, which looks at what an input reaches, is run by hand (`fuzz/README.md`).

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use stockade_policy::detect::about_built_in;
use toml::de::DeTable;

const WIRE: &str = include_str!("../../tests/cases/wire.toml");

/// The same numbers on every run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    /// `input` with some of its bytes replaced, removed, doubled, or taken from another input or from `words`.
    fn mutated(&mut self, input: &[u8], others: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(24)).min(bytes.len());
            let part = match self.below(6) {
                0 => vec![u8::try_from(self.below(256)).expect("a byte")],
                1 => Vec::new(),
                2 => [&bytes[at..end], &bytes[at..end]].concat(),
                3 | 4 => words[self.below(words.len())].as_bytes().to_vec(),
                _ => {
                    let other = &others[self.below(others.len())];
                    let from = self.below(other.len() + 1);
                    other[from..(from + self.below(40)).min(other.len())].to_vec()
                }
            };
            let keeps = self.below(2) == 0;
            bytes.splice(at..if keeps { at } else { end }, part);
        }
        bytes
    }
}

fn run(target: fn(&[u8]), (seeds, words): (&[Vec<u8>], &[&str]), (seed, rounds): (u64, usize)) {
    let mut dice = Dice(seed);
    seeds.iter().for_each(|input| target(input));
    for _ in 0..rounds {
        let mut input = seeds[dice.below(seeds.len())].clone();
        for _ in 0..=dice.below(2) {
            input = dice.mutated(&input, seeds, words);
        }
        target(&input);
    }
}

/// The lines of the table, but for the long ones.
fn lines() -> Vec<Vec<u8>> {
    let table = DeTable::parse(WIRE).expect("the table is TOML").into_inner();
    let cases = table.get("case").and_then(|cases| cases.get_ref().as_array()).expect("a list of cases");
    let line = |case: &toml::Spanned<toml::de::DeValue<'_>>| {
        let case = case.get_ref().as_table().expect("a table");
        let text = |key: &str| case.get(key).and_then(|text| text.get_ref().as_str()).map(str::to_owned);
        let byte = |pair: &[u8]| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex digits")
        };
        text("line")
            .map(String::into_bytes)
            .or_else(|| text("hex").map(|hex| hex.as_bytes().chunks_exact(2).map(byte).collect()))
    };
    let lines: Vec<Vec<u8>> = cases.iter().filter_map(line).collect();
    assert!(lines.len() > 80, "{}", lines.len());
    lines
}

const JSON_WORDS: [&str; 24] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\u{2028}",
    "\r",
    "\u{feff}",
    "\"id\":1",
    "\"method\":\"tools/call\"",
    "\"params\":{",
    "\"name\":\"merge_x\"",
    "1e999",
    "-0",
    "null",
    " Umbrella ",
    " Nightfall ",
    "\u{212a}",
];

#[test]
fn every_line_is_refused_or_reads_the_same_to_all() {
    run(targets::wire, (&lines(), &JSON_WORDS), (1, 60_000));
}

#[test]
fn every_session_holds_what_it_promises() {
    let dialogues = [
        ">{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n<{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"merge_x\"},{\"name\":\"b\",\"description\":\"a Umbrella b\"}]}}\n>{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"merge_x\",\"arguments\":{\"a\":\"of Umbrella it\"}}}",
        ">{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"roots\":{},\"sampling\":{}},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}\n<{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n<{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"roots/list\"}\n>{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"result\":{\"roots\":[{\"uri\":\"file:///private/x\"}]}}",
        ">{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"task\":{\"ttl\":1},\"arguments\":{},\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{}}}}}\n<{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"a\":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"form\",\"message\":\"m\",\"requestedSchema\":{\"type\":\"object\"}}}},\"requestState\":\"s\"}}\n>{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"arguments\":{},\"inputResponses\":{\"a\":{\"action\":\"accept\",\"content\":{}}},\"requestState\":\"s\"}}",
        ">{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{\"uri\":\"file:///private/x\"}}\n>{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"completion/complete\",\"params\":{\"ref\":{\"type\":\"ref/prompt\",\"name\":\"merge-a\"},\"argument\":{\"name\":\"a\",\"value\":\"b\"}}}\n>{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}\n>{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"file:///private/x\"]}}}",
        ">{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\",\"capabilities\":{},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}\n<{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-03-26\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n>[{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"merge_x\"}},{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"b\"}},{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}]\n<[{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"a Umbrella b\"}]}},{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}]",
    ];
    let mut seeds: Vec<Vec<u8>> = dialogues.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.extend(lines().into_iter().map(|line| [b">".as_slice(), &line].concat()));
    run(targets::mediate, (&seeds, &JSON_WORDS), (2, 40_000));
}

#[test]
fn every_uri_has_readings_that_stay_as_they_are() {
    let seeds = [
        "file:///a/b",
        "FILE://localhost/a%20b",
        "https://Example.com:443/a/%7Eb?q=1#f",
        "urn:a:b",
        "file:///a/./b//c",
        "test://x/%2Fy",
        "http://[::1]:80/",
        "x://user@host/%c3%a9",
        "file:///C:/a",
        "ws://a.example./",
        "a:b?c=%25",
    ];
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    let words = [
        "%2e", "%2F", "%25", "..", "/", "//", ".", ":", "@", "?", "#", "%00", "\\", "%5c", "\t", "xn--",
        "%c3", "\u{e9}", "[", "]", ":80", ":443", "127.1", "0x7f", ";", "%",
    ];
    run(targets::uri, (&seeds, &words), (3, 200_000));
}

#[test]
fn every_policy_file_is_refused_with_a_place_or_judges() {
    let files = ["default", "observe", "strict"].map(|name| {
        let file = format!("{}/../profiles/policies/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
    });
    let mut seeds = files.to_vec();
    seeds.push(
        b"version = 1\n[[rule]]\nid = \"a\"\neffect = \"ask\"\nreason = \"r\"\nservers = [\"pkg:npm/a@1.*\"]\ntools = [\"merge_*\"]\nwhen = 'args.a == 1 && has(args.b)'\nuntil = \"2027-01-01\"\ndays = [\"mon\"]\n[keywords.k]\nwords = [\"x\"]\n[[dlp]]\nid = \"d\"\ndetect = [\"keyword/k\"]\naction = \"block\"\n"
            .to_vec(),
    );
    let words = [
        "[[rule]]\n",
        "[[dlp]]\n",
        "[defaults]\n",
        "= ",
        "\"",
        "'",
        "[",
        "]",
        "\n",
        "#",
        "deny",
        "allow",
        "ask",
        "true",
        "-1",
        "1e9",
        "\"\"\"",
        "mode = \"monitor\"\n",
        "may_relax = [\"tools\"]\n",
        "*",
        "\u{e9}",
        "2027-01-01",
    ];
    run(targets::document, (&seeds, &words), (4, 8_000));
}

#[test]
fn every_condition_is_refused_or_gives_an_answer() {
    let seeds = [
        "args.a == 1",
        "has(args.b) && args.b.startsWith('x')",
        "args.c.all(x, x != 2)",
        "tool in ['a', 'merge_x']",
        "now.getHours() < 8",
        "'g' in groups",
        "user == 'ada' || device == ''",
        "args.path.contains('..') ? true : false",
        "size(args.c) > 2 && args.c[0] + 1 == 2",
        "args.n * 2.0 > 1e300",
        "annotations.readOnlyHint == true",
    ];
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    let words = [
        "args",
        "args.",
        "(",
        ")",
        "[",
        "]",
        "&&",
        "||",
        "!",
        "==",
        "<",
        "+",
        "-",
        "*",
        "/",
        "%",
        "?",
        ":",
        "'",
        "\"",
        "size(",
        ".all(x,",
        "has(",
        "0",
        "9223372036854775807",
        "1u",
        "1.5",
        "true",
        "null",
        "[1,2]",
        "{'a':1}",
        "in",
        "b'a'",
        ".matches('a')",
        "r'\\d'",
        "\\u0041",
        "((((((((",
    ];
    run(targets::condition, (&seeds, &words), (5, 20_000));
}

#[test]
fn every_text_is_searched_and_what_is_redacted_is_clean() {
    let mut seeds: Vec<Vec<u8>> =
        about_built_in("*").map(|about| about.example.as_bytes().to_vec()).collect();
    assert!(seeds.len() > 500, "{}", seeds.len());
    seeds.extend(lines());
    let words = [
        "password=",
        "\"",
        "\\",
        "\n",
        ": ",
        "{\"a\":",
        "}",
        "[",
        "]",
        ",",
        "4539578763621486",
        "+49 30 901820",
        "Mr. ",
        "Anna Lima",
        "\\u0041",
        "%41",
        "&#65;",
        "&amp;",
        "=",
        "Z2hwXw==",
        "67687",
        "\u{200b}",
        "\u{e0041}",
        "\u{441}",
        "\u{ff21}",
        "\"+\"",
        "@acme.io",
        "[REDACTED:",
        ":01ab23cd]",
        "IBAN ",
        "-----BEGIN ",
        "://",
        "\u{1b}[0m",
        "Umbrella",
        "1e5",
        "\u{202e}",
    ];
    run(targets::detect, (&seeds, &words), (6, 12_000));
}

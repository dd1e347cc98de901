//! The bytes of questions, answers and replies.

use super::super::reply;
use super::super::wire::{self, Code, Kind, Malformed, Service};
use super::{question, question_with_edns, seen};

#[test]
fn a_question_is_read_with_its_case() {
    let read = wire::parse(&question("API.example.ORG", 28)).expect("a question");
    assert_eq!((read.id, read.name.as_str(), read.kind), (0x1234, "API.example.ORG", Kind::Aaaa));
}

#[test]
fn every_kind_is_read_and_written_as_its_number() {
    for number in 0..=u16::MAX {
        assert_eq!(u16::from(Kind::from(number)), number);
    }
    let read = wire::parse(&question("example.org", 44)).expect("SSHFP, which we know nothing of");
    assert_eq!(read.kind, Kind::Other(44));
}

#[test]
fn an_answer_repeats_id_question_and_case() {
    let read = wire::parse(&question("eXample.ORG", 1)).expect("a question");
    let answer = wire::answer_addresses(&read, &["93.184.216.34".parse().expect("v4")]);
    let seen = seen(&answer);
    assert_eq!((seen.id, seen.code, seen.name.as_str()), (0x1234, 0, "eXample.ORG"));
    assert_eq!(seen.records, [(1, 60, vec![93, 184, 216, 34])]);
    assert_eq!(seen.edns_size, None);
}

#[test]
fn only_the_family_that_was_asked_for_is_answered_and_synthetic_addresses_are_short_lived() {
    let addresses = ["198.18.0.2", "2606:4700::1111", "198.20.0.1"].map(|a| a.parse().expect("an address"));
    let v4 = wire::parse(&question("example.org", 1)).expect("a question");
    let v4 = seen(&wire::answer_addresses(&v4, &addresses));
    assert_eq!(v4.records, [(1, 1, vec![198, 18, 0, 2]), (1, 60, vec![198, 20, 0, 1])]);
    let v6 = wire::parse(&question("example.org", 28)).expect("a question");
    assert_eq!(seen(&wire::answer_addresses(&v6, &addresses)).records.len(), 1);
}

#[test]
fn edns_is_answered_with_our_size_and_without_options() {
    let read = wire::parse(&question_with_edns("example.org", 1, 1232)).expect("a question");
    assert_eq!(seen(&wire::no_data(&read)).edns_size, Some(4096));
}

#[test]
fn an_answer_that_does_not_fit_is_cut_to_nothing_and_marked() {
    let many = (0..60_u32).map(|n| std::net::Ipv4Addr::from(0x0102_0300 + n).into()).collect::<Vec<_>>();
    let plain = wire::parse(&question("example.org", 1)).expect("a question");
    let cut = wire::answer_addresses(&plain, &many);
    assert!(cut.len() <= 512 && seen(&cut).is_truncated && seen(&cut).records.is_empty());
    let small = wire::parse(&question_with_edns("example.org", 1, 100)).expect("a question");
    assert!(
        seen(&wire::answer_addresses(&small, &many)).is_truncated,
        "512 bytes fit anywhere, 1,000 do not"
    );
    let large = wire::parse(&question_with_edns("example.org", 1, 1232)).expect("a question");
    let whole = seen(&wire::answer_addresses(&large, &many));
    assert!(!whole.is_truncated && whole.records.len() == 60);
    assert_eq!(seen(&wire::answer_addresses(&plain.on_stream(), &many)).records.len(), 60);
}

#[test]
fn a_dot_inside_of_a_label_is_none_between_labels() {
    let mut bytes = question("apiXexample.org", 1);
    bytes[16] = b'.';
    assert_eq!(wire::parse(&bytes).expect("a question").name, "api\\046example.org");
    bytes[16] = 0;
    assert_eq!(wire::parse(&bytes).expect("a question").name, "api\\000example.org");
}

#[test]
fn what_is_no_question_is_not_answered() {
    let mut answer = question("example.org", 1);
    answer[2] |= 0x80;
    for bytes in [&answer[..], &[], &[0; 11]] {
        let malformed = wire::parse(bytes).expect_err("no question");
        assert_eq!((malformed, malformed.answer()), (Malformed::Silent, Vec::new()));
    }
}

#[test]
fn what_cannot_be_read_is_answered_by_a_header() {
    let edit = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = question("example.org", 1);
        edit(&mut bytes);
        bytes
    };
    let cases = [
        ("a status request", edit(&|b| b[2] |= 0x10), Code::NotImplemented),
        ("no question", edit(&|b| b[5] = 0), Code::FormatError),
        ("two questions", edit(&|b| b[5] = 2), Code::FormatError),
        ("with answers", edit(&|b| b[7] = 1), Code::FormatError),
        ("an additional record that is not there", edit(&|b| b[11] = 1), Code::FormatError),
        ("bytes behind it", edit(&|b| b.push(0)), Code::FormatError),
        ("cut", edit(&|b| b.truncate(20)), Code::FormatError),
        ("a pointer for a name", edit(&|b| b[12] = 0xc0), Code::FormatError),
        ("a label of 64 bytes", edit(&|b| b[12] = 64), Code::FormatError),
        ("another class", edit(&|b| *b.last_mut().expect("a byte") = 3), Code::Refused),
        ("any class", edit(&|b| *b.last_mut().expect("a byte") = 255), Code::Refused),
    ];
    for (what, bytes, code) in cases {
        let malformed = wire::parse(&bytes).expect_err(what);
        let answer = malformed.answer();
        assert_eq!((answer.len(), &answer[..2], answer[3] & 15), (12, &bytes[..2], code as u8), "{what}");
        assert_eq!(answer[2] & 0x80, 0x80, "{what}");
    }
}

#[test]
fn a_name_of_more_than_255_bytes_is_none() {
    let label = "a".repeat(63);
    let name = [label.as_str(); 4].join(".");
    assert!(wire::parse(&question(&name[..253], 1)).is_ok());
    assert!(wire::parse(&question(&name, 1)).is_err());
}

/// A reply to `_x._tcp.example.org`, SRV: `records` are whole ones behind its question.
fn srv_reply(count: u8, records: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let query = wire::query(7, "_x._tcp.example.org", Kind::Srv).expect("a query");
    let mut reply = question("_X._tcp.Example.org", 33);
    reply[..8].copy_from_slice(&[0, 7, 0x81, 0x80, 0, 1, 0, count]);
    reply.extend(records);
    (query, reply)
}

const SRV: &[u8] = b"\xc0\x0c\x00\x21\x00\x01\x00\x00\x00\x3c\x00\x0c\x00\x01\x00\x02\x69\x89\x03db1\xc0\x14";

#[test]
fn a_service_is_read_with_its_compressed_target() {
    let (query, bytes) = srv_reply(1, SRV);
    let reply = reply::read(&query, &bytes).expect("a reply");
    let target = "db1.Example.org".to_owned();
    assert_eq!(reply.services, [Service { priority: 1, weight: 2, port: 27017, target }]);
}

#[test]
fn a_reply_to_something_else_is_none() {
    let (query, good) = srv_reply(1, SRV);
    for (at, byte) in [(0, 1), (2, 0x01), (2, 0x91), (5, 0), (5, 2), (13, b'y'), (33, 1)] {
        let mut bad = good.clone();
        bad[at] = byte;
        assert!(reply::read(&query, &bad).is_none(), "byte {at} = {byte}");
    }
}

#[test]
fn aliases_are_followed_and_other_owners_are_not_listened_to() {
    let mut records = Vec::new();
    // `_x._tcp.example.org` CNAME `y.example.org`, whose SRV is real; then one of `evil.test`.
    records.extend(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01y\xc0\x14");
    records.extend(b"\x01y\xc0\x14");
    records.extend(&SRV[2..]);
    records.extend(b"\x04evil\x04test\x00");
    records.extend(&SRV[2..]);
    let (query, bytes) = srv_reply(3, &records);
    assert_eq!(reply::read(&query, &bytes).expect("a reply").services.len(), 1);
}

#[test]
fn an_alias_of_itself_and_pointers_in_a_circle_come_to_an_end() {
    let (query, bytes) = srv_reply(1, b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x0c");
    assert!(reply::read(&query, &bytes).expect("a reply").services.is_empty());
    let here = bytes.len() as u8 - 14;
    for pointer in [here, here + 1, 200] {
        let (query, bytes) = srv_reply(1, &[&[0xc0, pointer], &SRV[2..]].concat());
        assert!(reply::read(&query, &bytes).is_none());
    }
    // One to a label, and from there back to before it: each leads further in front, or there is none.
    let (query, bytes) = srv_reply(1, &[&[1, b'a', 0xc0, here], &SRV[2..]].concat());
    assert!(reply::read(&query, &bytes).is_none());
}

#[test]
fn a_text_has_to_be_whole_strings() {
    let query = wire::query(7, "example.org", Kind::Txt).expect("a query");
    let reply = |data: &[u8]| {
        let mut bytes = question("example.org", 16);
        bytes[..8].copy_from_slice(&[0, 7, 0x81, 0x80, 0, 1, 0, 1]);
        bytes.extend(b"\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00");
        bytes.push(data.len() as u8);
        bytes.extend(data);
        reply::read(&query, &bytes).map(|reply| reply.texts)
    };
    assert_eq!(reply(b"\x02ab\x01c"), Some(vec![b"\x02ab\x01c".to_vec()]));
    assert_eq!(reply(b"\x03ab"), None);
    assert_eq!(reply(b""), None);
}

#[test]
fn no_query_is_written_for_what_is_no_name() {
    assert!(wire::query(7, "a..b", Kind::Txt).is_none());
    assert!(wire::query(7, "a\\046b", Kind::Txt).is_none());
    assert!(wire::query(7, &"a".repeat(64), Kind::Txt).is_none());
    assert!(wire::query(7, &["a"; 128].join("."), Kind::Txt).is_none());
}

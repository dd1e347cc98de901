//! PURE: datagrams that are no questions to a name server, told by what they look like.

const HEADER_BYTES: usize = 12;
/// QR and opcode of the second word: a question is neither an answer nor another operation (RFC 1035, section 4.1.1).
const NO_QUESTION: u8 = 0xf8;
/// STUN's magic cookie (RFC 8489, section 5).
const STUN: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// No QUIC client begins with less (RFC 9000, section 14.1).
const QUIC_BYTES_MIN: usize = 1_200;

/// What a datagram is if it is no question; `None` for one that a name server would look at: one question, no answer, no
/// authority.
pub fn other_protocol(datagram: &[u8]) -> Option<&'static str> {
    let counts = datagram.get(4..10);
    let is_question = datagram.len() >= HEADER_BYTES
        && datagram.get(2).is_some_and(|flags| flags & NO_QUESTION == 0)
        && counts == Some(&[0, 1, 0, 0, 0, 0]);
    (!is_question).then(|| looks_like(datagram))
}

fn looks_like(datagram: &[u8]) -> &'static str {
    let first = datagram.first().copied().unwrap_or(0);
    let is_record = |byte: u8| (20..64).contains(&byte);
    match datagram {
        _ if datagram.starts_with(b"M-SEARCH ") || datagram.starts_with(b"NOTIFY ") => "SSDP",
        [_, _, _, _, cookie @ ..] if cookie.starts_with(&STUN) && first < 4 => "STUN",
        // The version of DTLS 1.0 and of all that look like it (RFC 9147, section 4.1).
        [kind, 0xfe, 0xff | 0xfd, ..] if is_record(*kind) => "DTLS",
        // Both bits of a long header (RFC 9000, section 17.2).
        _ if first & 0xc0 == 0xc0 && datagram.len() >= QUIC_BYTES_MIN => "QUIC",
        // Mode 3 is a client's (RFC 5905, section 7.3).
        _ if first & 0x07 == 3 && matches!(datagram.len(), 48 | 68) => "NTP",
        _ => "no DNS",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(start: &[u8], bytes: usize) -> Vec<u8> {
        let mut all = start.to_vec();
        all.resize(bytes, 0);
        all
    }

    #[test]
    fn questions_are_left_to_the_name_server_however_odd() {
        let head = |flags: [u8; 2]| [&[0x12, 0x34], &flags[..], &[0, 1, 0, 0, 0, 0, 0, 1]].concat();
        for flags in [[1, 0], [1, 0x20], [0, 0], [1, 0x10]] {
            let mut question = head(flags);
            question.extend(b"\x01a\x07example\0\0\x01\0\x01");
            assert_eq!(other_protocol(&question), None, "{flags:?}");
            assert_eq!(other_protocol(&head(flags)), None, "a broken question is answered as one");
        }
    }

    #[test]
    fn other_protocols_are_told_from_questions_and_from_each_other() {
        let quic = sized(&[0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8], 1_200);
        let second = sized(&[0xd3, 0x6b, 0x33, 0x43, 0xcf, 8, 1, 2, 3, 4], 1_252);
        let stun = [&[0, 1, 0, 0][..], &STUN, &[7; 12]].concat();
        let cases: [(&[u8], &str); 9] = [
            (&quic, "QUIC"),
            (&second, "QUIC"),
            (&sized(&[0x23], 48), "NTP"),
            (&stun, "STUN"),
            (&sized(&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0], 100), "DTLS"),
            (b"M-SEARCH * HTTP/1.1\r\n\r\n", "SSDP"),
            // An answer.
            (&[0x12, 0x34, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0], "no DNS"),
            (b"x", "no DNS"),
            (b"", "no DNS"),
        ];
        for (datagram, kind) in cases {
            assert_eq!(other_protocol(datagram), Some(kind), "{datagram:?}");
        }
    }
}

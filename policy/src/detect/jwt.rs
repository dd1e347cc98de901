//! JSON Web Tokens: the first part must be a JOSE header.

/// Whether `token` starts with a base64url part that is a JSON object with an `alg` (RFC 7515, section 4.1.1: it must
/// be there).
pub(super) fn has_jose_header(token: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'.', token) else { return false };
    let Some(header) = decode_base64url(&token[..end]) else { return false };
    let Ok(serde_json::Value::Object(header)) = serde_json::from_slice(&header) else { return false };
    header.get("alg").is_some_and(serde_json::Value::is_string)
}

/// Base64url without padding (RFC 4648, section 5).
fn decode_base64url(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_its_algorithm() {
        assert!(has_jose_header(b"eyJhbGciOiJIUzI1NiJ9.e30.x"), "{}", r#"{"alg":"HS256"}"#);
        assert!(!has_jose_header(b"eyJhIjoiSFMyNTYifQ.e30.x"), "{}", r#"{"a":"HS256"}"#);
        assert!(!has_jose_header(b"eyJhbGciOjF9.e30.x"), "{}", r#"{"alg":1}"#);
        assert!(!has_jose_header(b"eyJhbGciOiJI.e30.x"), "cut off");
        assert!(!has_jose_header(b"eyJhbGciOiJIUzI1NiJ9"), "one part only");
    }
}

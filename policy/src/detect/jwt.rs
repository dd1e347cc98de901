//! JSON Web Tokens: a JOSE header, a claims object, and a signature or none.

/// Shortest signature in characters; the shortest registered algorithm (HS256) has 43, and words like `signature` are
/// what documentation writes there.
const SIGNATURE_MIN: usize = 20;

/// Whether the token's first part is a JSON object with an `alg` (RFC 7515, section 4.1.1: it must be there), the
/// second begins an object (RFC 7519, section 7.2), and the third is empty or long enough.
pub(super) fn is_json_web_token(token: &[u8]) -> bool {
    let mut parts = token.split(|b| *b == b'.');
    let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    if !(signature.is_empty() || signature.len() >= SIGNATURE_MIN) {
        return false;
    }
    // Four characters are three bytes, which is enough to see the bracket, and spaces before it are not written.
    let begins_object =
        claims.get(..4).and_then(decode_base64url).is_some_and(|bytes| bytes.starts_with(b"{"));
    begins_object && has_algorithm(header)
}

fn has_algorithm(header: &[u8]) -> bool {
    let Some(header) = decode_base64url(header) else { return false };
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

    const REST: &str = "eyJzdWIiOiJ1In0.sNZb7xT7IwGaGsCKwscoEMm4o";

    fn token(header: &str) -> bool {
        is_json_web_token(format!("{header}.{REST}").as_bytes())
    }

    #[test]
    fn a_header_names_its_algorithm() {
        assert!(token("eyJhbGciOiJIUzI1NiJ9"), "{}", r#"{"alg":"HS256"}"#);
        assert!(!token("eyJhIjoiSFMyNTYifQ"), "{}", r#"{"a":"HS256"}"#);
        assert!(!token("eyJhbGciOjF9"), "{}", r#"{"alg":1}"#);
        assert!(!token("eyJhbGciOiJI"), "cut off");
    }

    #[test]
    fn claims_and_signature_are_no_mere_words() {
        assert!(is_json_web_token(b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1In0."), "no signature");
        assert!(!is_json_web_token(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.signature"));
        assert!(!is_json_web_token(b"eyJhbGciOiJIUzI1NiJ9.payload.sNZb7xT7IwGaGsCKwscoEMm4o"));
        assert!(!is_json_web_token(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0"), "two parts only");
    }
}

//! JSON Web Tokens: a JOSE header, a claims object, and a signature or none.

/// Shortest signature of a token, in characters, which may have been cut: words like `signature` are what
/// documentation writes there.
const SIGNATURE_MIN: usize = 16;
/// Length of the shortest registered signature (HS256, 32 bytes). With one of these the middle may be anything: what
/// is signed need not be claims.
const SIGNATURE_WHOLE: usize = 43;

/// Whether the token's first part is a JSON object with an `alg` (RFC 7515, section 4.1.1: it must be there), the
/// second begins an object (RFC 7519, section 7.2), and the third is long enough or rightly empty.
pub(super) fn is_json_web_token(token: &[u8]) -> bool {
    let mut parts = token.split(|b| *b == b'.');
    let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    // Four characters are three bytes, which is enough to see the bracket, and spaces before it are not written.
    let begins_object =
        claims.get(..4).and_then(decode_base64url).is_some_and(|bytes| bytes.starts_with(b"{"));
    let long_enough = signature.len() >= SIGNATURE_MIN;
    (begins_object || signature.len() >= SIGNATURE_WHOLE)
        && (long_enough || signature.is_empty())
        && has_algorithm(header, long_enough)
}

/// Whether the header names an algorithm; without a signature it must be `none` (RFC 7519, section 6).
fn has_algorithm(header: &[u8], signed: bool) -> bool {
    let Some(header) = decode_base64url(header) else { return false };
    let Ok(serde_json::Value::Object(header)) = serde_json::from_slice(&header) else { return false };
    header.get("alg").and_then(|alg| alg.as_str()).is_some_and(|alg| signed || alg == "none")
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
        assert!(!is_json_web_token(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0."), "signed without a signature");
        assert!(!is_json_web_token(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.signature"));
        assert!(!is_json_web_token(b"eyJhbGciOiJIUzI1NiJ9.payload.sNZb7xT7IwGaGsCKwscoEMm4o"));
        assert!(!is_json_web_token(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0"), "two parts only");
    }
}

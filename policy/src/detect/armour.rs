//! Private keys in PEM armour (RFC 7468), and in the armour of OpenPGP, which looks the same.

use std::ops::Range;

use super::false_positive::is_made_up;

/// Longest label between `-----BEGIN ` and `-----`.
const LABEL_MAX: usize = 40;
/// The base64 text must begin within so many bytes: header lines (`Proc-Type:`, `Version:`) may come before it.
const LEAD_MAX: usize = 512;
/// Fewest base64 characters in a row that count as the key's text.
const BODY_MIN: usize = 24;

/// The block that begins at `hit` (`-----BEGIN`): to the end of its last line, or to the end of the text if that is
/// missing, for a cut key is still most of a key.
pub(super) fn private_key(text: &[u8], hit: &Range<usize>) -> Option<Range<usize>> {
    let label_start = hit.end;
    let window = &text[label_start..text.len().min(label_start + LABEL_MAX + 5)];
    let label = &window[..memchr::memmem::find(window, b"-----")?];
    let names_a_key = label.ends_with(b" PRIVATE KEY") || label.ends_with(b" PRIVATE KEY BLOCK");
    if !names_a_key || !label.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b' ') {
        return None;
    }
    let body = label_start + label.len() + 5;
    if !has_key_text(&text[body..text.len().min(body + LEAD_MAX)]) {
        return None;
    }
    Some(hit.start..end_of_block(text, body))
}

fn has_key_text(lead: &[u8]) -> bool {
    // What stands behind the next dashes belongs to another block.
    let lead = &lead[..memchr::memmem::find(lead, b"-----").unwrap_or(lead.len())];
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    lead.split(|b| !base64(b)).any(|run| {
        // In text that is itself escaped, the `n` of a `\n` sticks to the line behind it.
        run.len() >= BODY_MIN && !is_made_up(&run[1..])
    })
}

fn end_of_block(text: &[u8], body: usize) -> usize {
    let Some(last) = memchr::memmem::find(&text[body..], b"-----END").map(|at| body + at + 8) else {
        return text.len();
    };
    let line = &text[last..text.len().min(last + LABEL_MAX + 5)];
    memchr::memmem::find(line, b"-----").map_or(last, |at| last + at + 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEAq7BFUpkGp3";

    fn found(text: &str) -> Option<&str> {
        let at = text.find("-----BEGIN").expect("the armour is in the text");
        private_key(text.as_bytes(), &(at..at + 10)).map(|span| &text[span])
    }

    #[test]
    fn a_block_goes_from_begin_to_end() {
        let block = format!("-----BEGIN RSA PRIVATE KEY-----\n{LINE}\n{LINE}\n-----END RSA PRIVATE KEY-----");
        assert_eq!(found(&format!("key: {block} and so on")), Some(&*block));
        let escaped = block.replace('\n', "\\n");
        assert_eq!(found(&escaped), Some(&*escaped));
    }

    #[test]
    fn every_label_of_a_private_key_is_known() {
        for label in ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "] {
            let block =
                format!("-----BEGIN {label}PRIVATE KEY-----\n{LINE}\n-----END {label}PRIVATE KEY-----");
            assert_eq!(found(&block), Some(&*block));
        }
    }

    #[test]
    fn a_cut_block_goes_to_the_end_of_the_text() {
        let cut = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{LINE}\n{LINE}");
        assert_eq!(found(&cut), Some(&*cut));
    }

    #[test]
    fn public_keys_and_talk_about_keys_are_no_finding() {
        assert_eq!(found(&format!("-----BEGIN PUBLIC KEY-----\n{LINE}\n-----END PUBLIC KEY-----")), None);
        assert_eq!(found("it starts with -----BEGIN PRIVATE KEY----- and then base64 follows"), None);
        assert_eq!(found("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----"), None);
        let other = format!("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n{LINE}");
        assert_eq!(found(&other), None, "the base64 text stands behind the empty block");
    }
}

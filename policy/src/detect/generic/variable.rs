//! The secret in the value of an environment variable: by the variable's name, or because it looks drawn by chance.

use std::ops::Range;

use super::innocent::{is_stand_in, is_thing};
use super::login;
use super::name::{self, Topic};
use super::value::is_random;

/// What a value that no name gives away has to have at the least.
const RANDOM_BYTES_MIN: usize = 12;
/// How unlikely it has to be as text.
const RANDOM_BITS: i32 = 6;

/// Where the secret stands, if there is one: of a URL with a login it is the password.
pub(in crate::detect) fn secret_of_variable(name: &[u8], value: &[u8]) -> Option<Range<usize>> {
    let lead = value.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let span = lead..lead + value[lead..].trim_ascii_end().len();
    let secret = &value[span.clone()];
    if let Some(at) = memchr::memmem::find(secret, b"://") {
        let login = login::url(secret, &(at..at + 3));
        return login.map(|(_, within)| span.start + within.start..span.start + within.end);
    }
    if secret.is_empty() || is_stand_in(secret) || is_path(secret) {
        return None;
    }
    let named =
        name::judge(name).is_some_and(|(topic, _)| !matches!(topic, Topic::Key | Topic::Authorization));
    (named || is_random_value(secret, RANDOM_BYTES_MIN)).then_some(span)
}

/// Whether a value that nothing is known about looks drawn by chance, and is no id, address, file or number.
pub(in crate::detect) fn is_random_value(value: &[u8], length_min: usize) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_+/=.~!@#$%^&*".contains(byte);
    value.iter().all(plain)
        && value.iter().any(u8::is_ascii_digit)
        && !is_thing(value)
        && !is_path(value)
        && is_random(value, length_min, RANDOM_BITS)
}

/// `/run/secrets/token`, `~/.netrc`, `./key.pem`, and lists of them.
fn is_path(value: &[u8]) -> bool {
    let starts = [&b"/"[..], b"~/", b"./", b"../", b"file:"].iter().any(|start| value.starts_with(start));
    // Random text begins with a slash as well, but holds no words between slashes.
    starts && (value.iter().filter(|byte| **byte == b'/').count() > 1 || !is_random(value, 20, RANDOM_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret<'v>(name: &str, value: &'v str) -> Option<&'v str> {
        secret_of_variable(name.as_bytes(), value.as_bytes()).map(|span| &value[span])
    }

    #[test]
    fn what_is_named_like_a_secret_or_looks_random_is_one() {
        for (name, value) in [
            ("DB_PASSWORD", "correct horse battery"),
            ("PGPASSWORD", "correcthorsebattery"),
            ("GITHUB_TOKEN", "tok-of-the-build-farm"),
            ("OPENWEATHER_API_KEY", "4f1c0a9b7d3e52680c9d1e7f2a3b4c5d"),
            ("SOMETHING", "qX7vT2mK9wLp4ZdR"),
            ("CONFIG", "8f14e45fceea167a5a36dedd4bea2543"),
        ] {
            assert_eq!(secret(name, value), Some(value), "{name}");
        }
        assert_eq!(
            secret("DATABASE_URL", "postgres://app:vX9-kQ2mT7pLz4@db.corp.net:5432/app"),
            Some("vX9-kQ2mT7pLz4")
        );
        assert_eq!(secret("API_TOKEN", "  qX7vT2mK9wLp4ZdR\n"), Some("qX7vT2mK9wLp4ZdR"));
    }

    #[test]
    fn what_a_server_is_told_besides_is_none() {
        for (name, value) in [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"),
            ("HOME", "/home/anna"),
            ("LANG", "en_US.UTF-8"),
            ("TERM", "xterm-256color"),
            ("SECRET_FILE", "/run/secrets/db"),
            ("DB_PASSWORD", "/run/secrets/db_password"),
            ("API_KEY", "your-api-key-here"),
            ("API_KEY", "${API_KEY_OF_PROD}"),
            ("NODE_OPTIONS", "--max-old-space-size=4096"),
            ("API_URL", "https://api.corp.net/v2/projects"),
            ("REGION", "eu-central-1"),
            ("SESSION_ID", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
            ("STARTED", "2026-01-02T03:04:05Z"),
            ("MODEL", "claude-3-5-sonnet-20241022"),
            ("PROJECT", "customer-billing-service"),
            ("TOKEN_TYPE", "bearer-of-the-realm"),
            ("USER_EMAIL", "anna.smith@corp.example"),
            ("VERSION", "1.22.4-bullseye-slim"),
            ("HOSTNAME", "ip-10-0-12-34.eu-west-1.compute.internal"),
            ("DISPLAY", ":0"),
            ("EMPTY", ""),
        ] {
            assert_eq!(secret(name, value), None, "{name}={value}");
        }
    }
}

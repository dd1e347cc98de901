//! Logs, tickets, mails and pages.

use crate::dice::Dice;
use crate::words::{camel, constant, kebab, name, noun, path, sentence, snake, url};

pub(crate) fn log(d: &mut Dice) -> String {
    (0..d.between(12, 45))
        .map(|_| {
            let level = d.pick(&["INFO", "WARN", "ERROR", "DEBUG"]);
            let text = match d.between(0, 9) {
                0 => format!(
                    "request_id={} session={} key={} took {}ms",
                    d.uuid(),
                    d.hex(24),
                    kebab(d),
                    d.between(1, 4000)
                ),
                1 => format!("token expired for user {} (token_id={})", name(d), d.uuid()),
                2 => format!("password reset requested by {}: token sent", name(d)),
                3 => format!("GET {} 200 {} \"curl/{}\"", url(d), d.between(1, 99999), d.version()),
                4 => format!("commit {} pushed to {}", d.hex(40), kebab(d)),
                5 => format!(
                    "Accepted publickey for {} from 10.{}.{}.7 port {} ssh2: ED25519 SHA256:{}",
                    name(d),
                    d.between(0, 255),
                    d.between(0, 255),
                    d.between(1024, 65535),
                    d.base64(43)
                ),
                6 => format!("auth: {} failed: invalid credentials", snake(d)),
                7 => format!("digest: sha256:{} size: {}", d.hex(64), d.between(1, 9999)),
                _ => sentence(d),
            };
            format!("{} {level} {}::{} {text}\n", d.time(), snake(d), noun(d))
        })
        .collect()
}

pub(crate) fn ticket(d: &mut Dice) -> String {
    let mut out = format!("# {}-{}: {}\n\n", d.pick(&["OPS", "WEB", "API"]), d.between(1, 9999), sentence(d));
    for _ in 0..d.between(4, 14) {
        out += &match d.between(0, 8) {
            0 => format!("The password is not accepted after the {} changes.\n", noun(d)),
            1 => format!("- [ ] rotate the token of `{}` (see {})\n", kebab(d), url(d)),
            2 => format!("```\n{}: {} at {}:{}\n```\n", camel(d, true), snake(d), path(d), d.between(1, 900)),
            3 => format!("Set `{}` to your own API key, e.g. `{}=<key>`.\n", constant(d), constant(d)),
            4 => format!("Fixed in {} ({}).\n", d.hex(7), d.time()),
            5 => "The key is the same for both, the secret: patience.\n".to_owned(),
            _ => format!("{} {}\n", sentence(d), sentence(d)),
        };
    }
    out
}

pub(crate) fn mail(d: &mut Dice) -> String {
    let mut out = format!(
        "From: {} <{}@example.com>\nTo: {}@example.org\nDate: {}\nMessage-ID: <{}.{}@mail.example.com>\nSubject: {}\n\n",
        name(d),
        name(d),
        name(d),
        d.time(),
        d.hex(16),
        d.between(1, 99999),
        sentence(d)
    );
    for _ in 0..d.between(5, 18) {
        out += &format!("{} ", sentence(d));
    }
    out + "\nForgot your password? Ask for a new one: " + &url(d) + "\n"
}

pub(crate) fn page(d: &mut Dice) -> String {
    let mut out = format!("## {}\n\n", sentence(d));
    for _ in 0..d.between(5, 15) {
        out += &match d.between(0, 6) {
            0 => format!(
                "| `{}` | string | {} | `{}` |\n",
                snake(d),
                sentence(d),
                d.pick(&["none", "auto", "100", "bearer"])
            ),
            1 => format!(
                "```sh\nexport {}=your-token-here\n{} --token \"${}\" --{} {}\n```\n",
                constant(d),
                noun(d),
                constant(d),
                kebab(d),
                d.between(1, 99)
            ),
            2 => format!(
                "Connect with `postgres://user:password@localhost:5432/{}` or `https://{{user}}:{{token}}@example.com`.\n",
                noun(d)
            ),
            3 => format!("Authorization: Bearer <token>\nX-Request-Id: {}\n", d.uuid()),
            4 => format!("* **{}**: {}\n", camel(d, false), sentence(d)),
            _ => format!("{} {}\n", sentence(d), sentence(d)),
        };
    }
    out
}

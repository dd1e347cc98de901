//! Answers of programs: JSON, tables, lock files, settings, media.

use crate::dice::Dice;
use crate::words::{camel, constant, kebab, name, noun, sentence, snake, url};

/// An answer of an API, as JSON.
pub(crate) fn answer(d: &mut Dice) -> String {
    let rows: Vec<_> = (0..d.between(3, 14))
        .map(|_| {
            format!(
                "{{\"id\":\"{}\",\"{}_id\":{},\"node_id\":\"{}\",\"name\":\"{}\",\"created_at\":\"{}\",\"sha\":\"{}\",\"url\":\"{}\",\
                 \"etag\":\"W/\\\"{}\\\"\",\"token_type\":\"bearer\",\"token_count\":{},\"description\":\"{}\",\"{}\":{}}}",
                d.uuid(), noun(d), d.between(1, 9_999_999), d.characters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 20),
                kebab(d), d.time(), d.hex(40), url(d), d.hex(32), d.between(1, 9999), sentence(d), snake(d),
                d.pick(&["null", "true", "false", "0", "\"\"", "[]"]),
            )
        })
        .collect();
    format!(
        "{{\"items\":[{}],\"next_page_token\":\"{}\",\"cursor\":\"{}\"}}",
        rows.join(","),
        d.base64(32),
        d.base64(24)
    )
}

/// A schema that talks about secrets.
pub(crate) fn schema(d: &mut Dice) -> String {
    let fields: Vec<_> = (0..d.between(5, 16))
        .map(|_| {
            let key = if d.between(0, 3) == 0 {
                d.pick(&["password", "apiKey", "token", "client_secret"]).to_owned()
            } else {
                camel(d, false)
            };
            format!(
                "\"{key}\":{{\"type\":\"string\",\"format\":\"{}\",\"description\":\"{}\",\"default\":\"\"}}",
                d.pick(&["password", "uuid", "date-time"]),
                sentence(d)
            )
        })
        .collect();
    format!(
        "{{\"type\":\"object\",\"properties\":{{{}}},\"required\":[\"password\",\"{}\"]}}",
        fields.join(","),
        camel(d, false)
    )
}

/// A lock file of one of five package managers.
pub(crate) fn lock_file(d: &mut Dice) -> String {
    let kind = d.between(0, 5);
    (0..d.between(10, 30))
        .map(|_| {
            let (package, version) = (kebab(d), d.version());
            match kind {
                0 => format!("[[package]]\nname = \"{package}\"\nversion = \"{version}\"\nsource = \"registry+https://index.acme-labs.com/crates\"\nchecksum = \"{}\"\n\n", d.hex(64)),
                1 => format!("    \"node_modules/{package}\": {{\n      \"version\": \"{version}\",\n      \"integrity\": \"sha512-{}==\"\n    }},\n", d.base64(86)),
                2 => format!("{package}@^{version}:\n  version \"{version}\"\n  resolved \"https://registry.example.com/{package}-{version}.tgz#{}\"\n  integrity sha512-{}==\n\n", d.hex(40), d.base64(86)),
                3 => format!("example.com/{package} v{version} h1:{}=\nexample.com/{package} v{version}/go.mod h1:{}=\n", d.base64(43), d.base64(43)),
                _ => format!("{package}=={version} \\\n    --hash=sha256:{}\n", d.hex(64)),
            }
        })
        .collect()
}

/// Settings with the secrets left out.
pub(crate) fn settings(d: &mut Dice) -> String {
    let stand_in = |d: &mut Dice| {
        let name = constant(d);
        match d.between(0, 12) {
            0 => format!("${{{name}}}"),
            1 => "changeme".to_owned(),
            2 => format!("<your-{}>", kebab(d)),
            3 => format!("{{{{ .Values.{} }}}}", camel(d, false)),
            4 => "xxxxxxxxxxxxxxxx".to_owned(),
            5 => format!("YOUR_{name}"),
            6 => "\"\"".to_owned(),
            7 => "********".to_owned(),
            8 => format!("!vault {}", kebab(d)),
            9 => "null".to_owned(),
            10 => format!("/run/secrets/{}", snake(d)),
            _ => format!("${{{{ secrets.{name} }}}}"),
        }
    };
    let kind = d.between(0, 4);
    (0..d.between(15, 50))
        .map(|_| {
            let key = d.pick(&[
                "password",
                "api_key",
                "token",
                "secret",
                "client_secret",
                "auth_token",
                "key",
                "timeout",
                "host",
                "name",
            ]);
            let value = match key {
                "timeout" => d.between(1, 900).to_string(),
                "host" => format!("{}.example.com", noun(d)),
                "name" => kebab(d),
                _ => stand_in(d),
            };
            match kind {
                0 => format!("{}_{}={value}\n", constant(d), key.to_ascii_uppercase()),
                1 => format!("{}:\n  {key}: {value}\n", snake(d)),
                2 => format!("[{}]\n{key} = \"{}\"\n", snake(d), value.trim_matches('"')),
                _ => format!(
                    "- name: {}\n  valueFrom:\n    secretKeyRef:\n      name: {}\n      key: {}\n",
                    constant(d),
                    kebab(d),
                    kebab(d)
                ),
            }
        })
        .collect()
}

/// What people read on a screen, in several languages.
pub(crate) fn translations(d: &mut Dice) -> String {
    const TEXTS: &[&str] = &[
        "Password",
        "Passwort",
        "Mot de passe",
        "Contraseña",
        "Senha",
        "Wachtwoord",
        "Heslo",
        "Lösenord",
        "Adgangskode",
        "Parola",
        "パスワード",
        "Пароль",
        "密码",
        "Enter your password",
        "Passwort vergessen?",
        "Jelszó",
        "Salasana",
        "Şifre",
        "Hasło",
        "Token abgelaufen",
        "API-Schlüssel",
        "Clé secrète",
        "Your token has expired.",
        "New key",
        "Geheimnis",
    ];
    let rows: Vec<_> =
        (0..d.between(15, 60)).map(|_| format!("  \"{}\": \"{}\"", constant(d), d.pick(TEXTS))).collect();
    format!("{{\n{}\n}}", rows.join(",\n"))
}

/// Tables of numbers and ids.
pub(crate) fn table(d: &mut Dice) -> String {
    let comma = d.between(0, 2) == 0;
    let (open, joint, close) = if comma { ("", ",", "") } else { ("| ", " | ", " |") };
    let mut out =
        format!("{open}{}{close}\n", ["id", "key", "token", "name", "created", "amount", "hash"].join(joint));
    for _ in 0..d.between(10, 40) {
        let row = [
            d.between(1, 99_999).to_string(),
            kebab(d),
            snake(d),
            name(d).to_owned(),
            d.time(),
            format!("{}.{:02}", d.between(0, 9999), d.between(0, 100)),
            d.hex(16),
        ];
        out += &format!("{open}{}{close}\n", row.join(joint));
    }
    out
}

/// An image or a font within a text, a key that is public, a certificate.
pub(crate) fn media(d: &mut Dice) -> String {
    let body = d.base64(1200);
    match d.between(0, 5) {
        0 => {
            format!("<img alt=\"{}\" src=\"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA{body}\">", noun(d))
        }
        1 => format!(
            "{{\"type\":\"image\",\"mimeType\":\"image/jpeg\",\"data\":\"/9j/4AAQSkZJRgABAQAAAQABAAD{body}\"}}"
        ),
        2 => format!(
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} {}@example.com\nsha256 {}\n",
            d.base64(43),
            name(d),
            d.hex(64)
        ),
        3 => format!("-----BEGIN CERTIFICATE-----\nMIID{body}\n-----END CERTIFICATE-----\n"),
        _ => format!("@font-face {{ src: url(data:font/woff2;base64,d09GMgABAAAAA{body}) }}"),
    }
}

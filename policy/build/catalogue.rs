//! The detector files as values: read, and checked against everything that can be checked without scanning.
//! `tests/detector_examples.rs` reads the same values to try the examples.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use toml::de::DeTable;

use crate::fields::{Field, Fields, Notes};
use crate::personal::{self, Personal};
use crate::phrases::{Near, near, phrases};
use crate::shapes::{Segment, check_body, segment};

/// One detector.
#[derive(Debug)]
pub(crate) struct Detector {
    /// `secret/github-pat`
    pub(crate) name: String,
    /// Whose format it is.
    pub(crate) vendor: String,
    /// Where they document it.
    pub(crate) source: String,
    /// `Low`, `Medium` or `High`.
    pub(crate) confidence: &'static str,
    /// How it is found.
    pub(crate) rule: Rule,
    /// Words that raise the confidence to `High` when they stand in the key or shortly before.
    pub(crate) context: Vec<String>,
    /// Values printed in the vendor's documentation: no finding.
    pub(crate) known: Vec<String>,
    /// Texts in which it must find something.
    pub(crate) matches: Vec<Example>,
    /// Texts in which it must find nothing.
    pub(crate) not_matches: Vec<Example>,
}

/// A text, perhaps as the value of a key.
#[derive(Debug)]
pub(crate) struct Example {
    /// The key, if the key matters.
    pub(crate) key: Option<String>,
    /// The text.
    pub(crate) text: String,
}

/// How a detector finds.
#[derive(Debug)]
pub(crate) enum Rule {
    /// A vendor's own prefix and a body.
    Token(Vec<Form>),
    /// A value that only its name gives away.
    Assignment {
        /// Names of the value.
        keywords: Vec<String>,
        /// Its body.
        value: Vec<Segment>,
        /// Name of the validator.
        check: &'static str,
    },
    /// A value that only its vendor's name shortly before gives away.
    Vendor {
        /// Names of the vendor.
        keywords: Vec<String>,
        /// Bodies it may have.
        values: Vec<Vec<Segment>>,
        /// Name of the validator.
        check: &'static str,
    },
    /// PEM armour.
    Armour {
        /// How it begins.
        keywords: Vec<String>,
    },
    /// Word sequences, and an anchor with words near it.
    Phrases {
        /// A slot is a list of words; the flag says that any number of them may stand there.
        phrases: Vec<Vec<(bool, Vec<String>)>>,
        /// Anchors with their companions.
        near: Vec<Near>,
    },
    /// Payment cards.
    Card {
        /// First digits from, to, and the lengths issued there.
        ranges: Vec<(String, String, Vec<u16>)>,
        /// Numbers that payment services publish for tests.
        test_numbers: Vec<String>,
    },
    /// E-mail addresses.
    Email {
        /// Last labels of a host name.
        suffixes: Vec<String>,
        /// Local parts that are nobody.
        nobody: Vec<String>,
        /// Hosts reserved for examples.
        reserved: Vec<String>,
    },
    /// Text that people do not see.
    Hidden,
    /// Values that their place gives away.
    Generic {
        /// Name of the variant of `GenericRole`.
        role: &'static str,
        /// What makes the engine look.
        keywords: Vec<String>,
    },
    /// Personal data.
    Personal(Personal),
}

/// A prefix and what follows it.
#[derive(Debug)]
pub(crate) struct Form {
    /// Any of these, in this case.
    pub(crate) prefixes: Vec<String>,
    /// The run before the prefix, if the token begins before it.
    pub(crate) lead: Option<Segment>,
    /// The body.
    pub(crate) body: Vec<Segment>,
    /// Confidence of this form.
    pub(crate) confidence: &'static str,
    /// Name of the validator.
    pub(crate) check: &'static str,
}

impl Detector {
    fn is_personal(&self, kind: &str) -> bool {
        matches!(&self.rule, Rule::Personal(personal) if personal.kind == kind)
    }
}

const CHECKS: &[(&str, &str)] = &[
    ("none", "None"),
    ("random", "Random"),
    ("mixed", "Mixed"),
    ("key", "Key"),
    ("jwt", "Jwt"),
    ("base32-crc16", "Base32Crc16"),
];

/// Roles of the detectors of kind `generic`, with the variants of `GenericRole` and `GenericTrigger`.
pub(crate) const ROLES: &[(&str, &str, &str)] = &[
    ("password", "Password", "Name"),
    ("client-secret", "ClientSecret", "Name"),
    ("secret", "Secret", "Name"),
    ("token", "Token", "Name"),
    ("api-key", "ApiKey", "Name"),
    ("scheme", "Scheme", "Scheme"),
    ("url", "Url", "Url"),
    ("cookie", "Cookie", "Cookie"),
    ("option", "Option", "Option"),
    ("sql", "Sql", "Sql"),
    ("pgpass", "Pgpass", "Pgpass"),
    ("hash", "Hash", "Hash"),
    ("manifest", "Manifest", "Manifest"),
];

/// All detectors of a folder, or every mistake in it.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Detector>, Vec<String>> {
    let mut paths: Vec<_> = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(|e| e.ok().map(|e| e.path())).collect(),
        Err(e) => return Err(vec![format!("cannot list {}: {e}", folder.display())]),
    };
    paths.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    let (mut detectors, mut mistakes) = (Vec::new(), Vec::new());
    for path in &paths {
        let name = format!("profiles/detectors/{}", path.file_name().unwrap_or_default().to_string_lossy());
        match fs::read_to_string(path) {
            Ok(text) => read_file(&name, &text, &mut detectors, &mut mistakes),
            Err(e) => mistakes.push(format!("{name}: {e}")),
        }
    }
    check_all(&detectors, &mut mistakes);
    if mistakes.is_empty() { Ok(detectors) } else { Err(mistakes) }
}

/// The detectors of one file's text; what is wrong is appended to `mistakes`.
pub(crate) fn read_file(file: &str, text: &str, detectors: &mut Vec<Detector>, mistakes: &mut Vec<String>) {
    let mut notes = Notes { file, text, mistakes: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        notes.at(error.span().map_or(0, |s| s.start), error.message());
    }
    let top = Fields::new(table.get_ref(), 0..0, &["detector"], &mut notes);
    if let Some(list) = top.need("detector", &mut notes) {
        for item in list.list(&mut notes) {
            detectors.extend(detector(item, &mut notes));
        }
    }
    mistakes.append(&mut notes.mistakes);
}

fn detector(item: Field<'_>, notes: &mut Notes<'_>) -> Option<Detector> {
    const COMMON: [&str; 10] =
        ["name", "kind", "vendor", "source", "confidence", "context", "known", "match", "not_match", "form"];
    const KINDS: [&str; 12] = [
        "role",
        "keywords",
        "value",
        "values",
        "check",
        "phrase",
        "near",
        "range",
        "test_numbers",
        "suffixes",
        "nobody",
        "reserved",
    ];
    let fields = item.table(&[&COMMON[..], &KINDS[..], &personal::KEYS[..]].concat(), notes)?;
    let name = text_of(&fields, "name", notes);
    if !name.is_empty() && !well_named(&name) {
        notes.at(
            fields.start(),
            format!("`{name}` is not `secret/…`, `pii/…` or `injection/…` in a-z, 0-9 and `-`"),
        );
    }
    let vendor = text_of(&fields, "vendor", notes);
    if vendor.is_empty() {
        notes.at(fields.start(), "say whose format it is in `vendor`");
    }
    let source = text_of(&fields, "source", notes);
    if !source.starts_with("https://") {
        notes.at(fields.start(), "`source` must be the https:// address of the vendor's own documentation");
    }
    let confidence = fields.need("confidence", notes).and_then(|f| confidence(f, notes)).unwrap_or("Low");
    let rule = rule(&fields, confidence, notes);
    let (matches, not_matches) = (examples(&fields, "match", notes), examples(&fields, "not_match", notes));
    if matches.is_empty() || not_matches.is_empty() {
        notes.at(fields.start(), "a detector shows at least one text that matches and one that does not");
    }
    let context = words(&fields, "context", notes);
    let known = fields.get("known").map(|f| f.list(notes)).unwrap_or_default();
    let known = known.into_iter().filter_map(|f| f.pieces(notes)).collect();
    Some(Detector { name, vendor, source, confidence, rule: rule?, context, known, matches, not_matches })
}

fn rule(fields: &Fields<'_>, confidence: &'static str, notes: &mut Notes<'_>) -> Option<Rule> {
    let kind = fields.need("kind", notes)?;
    match kind.text(notes)? {
        "token" => {
            let forms = fields.need("form", notes)?.list(notes);
            Some(Rule::Token(forms.into_iter().filter_map(|f| form(f, confidence, notes)).collect()))
        }
        "assignment" => Some(Rule::Assignment {
            keywords: triggers(fields, "keywords", notes),
            value: body(fields, "value", notes)?,
            check: check(fields, "Random", notes),
        }),
        "vendor" => Some(Rule::Vendor {
            keywords: triggers(fields, "keywords", notes),
            values: bodies(fields, notes),
            check: check(fields, "Key", notes),
        }),
        "armour" => Some(Rule::Armour { keywords: triggers(fields, "keywords", notes) }),
        "phrases" => Some(Rule::Phrases { phrases: phrases(fields, notes), near: near(fields, notes) }),
        "card" => Some(Rule::Card {
            ranges: ranges(fields, notes),
            test_numbers: fields
                .need("test_numbers", notes)
                .map(|f| owned(f.texts(notes)))
                .unwrap_or_default(),
        }),
        "email" => Some(Rule::Email {
            suffixes: words(fields, "suffixes", notes),
            nobody: words(fields, "nobody", notes),
            reserved: words(fields, "reserved", notes),
        }),
        "hidden" => Some(Rule::Hidden),
        "generic" => {
            Some(Rule::Generic { role: role(fields, notes)?, keywords: triggers(fields, "keywords", notes) })
        }
        kind if personal::KINDS.contains(&kind) => personal::read(kind, fields, notes).map(Rule::Personal),
        other => {
            let known = "token, assignment, vendor, armour, phrases, card, email, hidden, generic";
            let personal = personal::KINDS.join(", ");
            notes.at(kind.start, format!("unknown kind `{other}` (known: {known}, {personal})"));
            None
        }
    }
}

fn role(fields: &Fields<'_>, notes: &mut Notes<'_>) -> Option<&'static str> {
    let field = fields.need("role", notes)?;
    let name = field.text(notes)?;
    let role = ROLES.iter().find(|(known, ..)| *known == name);
    if role.is_none() {
        let known: Vec<_> = ROLES.iter().map(|(known, ..)| *known).collect();
        notes.at(field.start, format!("unknown role `{name}` (known: {})", known.join(", ")));
    }
    role.map(|(_, variant, _)| *variant)
}

fn form(field: Field<'_>, base: &'static str, notes: &mut Notes<'_>) -> Option<Form> {
    let fields = field.table(&["prefixes", "lead", "body", "confidence", "check"], notes)?;
    let own = fields.get("confidence").and_then(|f| confidence(f, notes));
    Some(Form {
        prefixes: triggers(&fields, "prefixes", notes),
        lead: fields.get("lead").and_then(|f| lead(f, notes)),
        body: body(&fields, "body", notes)?,
        confidence: own.unwrap_or(base),
        check: check(&fields, "Random", notes),
    })
}

fn lead(field: Field<'_>, notes: &mut Notes<'_>) -> Option<Segment> {
    let lead = segment(field, notes)?;
    if matches!(lead, Segment::Text(_)) {
        notes.at(field.start, "a `lead` is a run of characters");
    }
    Some(lead)
}

fn body(fields: &Fields<'_>, key: &str, notes: &mut Notes<'_>) -> Option<Vec<Segment>> {
    segments(fields.need(key, notes)?, notes)
}

fn bodies(fields: &Fields<'_>, notes: &mut Notes<'_>) -> Vec<Vec<Segment>> {
    let list = fields.need("values", notes).map(|f| f.list(notes)).unwrap_or_default();
    list.into_iter().filter_map(|f| segments(f, notes)).collect()
}

fn segments(field: Field<'_>, notes: &mut Notes<'_>) -> Option<Vec<Segment>> {
    let list = field.list(notes);
    let parts = list.len();
    let body: Vec<_> = list.into_iter().filter_map(|f| segment(f, notes)).collect();
    // A part that could not be read was noted already; without it the rest says little.
    if body.len() == parts {
        check_body(&body, field.start, notes);
    }
    Some(body)
}

fn check(fields: &Fields<'_>, unless_given: &'static str, notes: &mut Notes<'_>) -> &'static str {
    let Some(field) = fields.get("check") else { return unless_given };
    let name = field.text(notes).unwrap_or("none");
    CHECKS.iter().find(|(known, _)| *known == name).map_or_else(
        || {
            let known: Vec<_> = CHECKS.iter().map(|(name, _)| *name).collect();
            notes.at(field.start, format!("unknown check `{name}` (known: {})", known.join(", ")));
            "None"
        },
        |(_, variant)| variant,
    )
}

fn ranges(fields: &Fields<'_>, notes: &mut Notes<'_>) -> Vec<(String, String, Vec<u16>)> {
    let Some(list) = fields.need("range", notes) else { return Vec::new() };
    let mut ranges = Vec::new();
    for item in list.list(notes) {
        let Some(table) = item.table(&["brand", "from", "to", "lengths"], notes) else { continue };
        let (from, to) = (text_of(&table, "from", notes), text_of(&table, "to", notes));
        if from.len() != to.len() || from > to || !format!("{from}{to}").bytes().all(|b| b.is_ascii_digit()) {
            notes.at(item.start, "`from` and `to` are equally many digits, in order");
        }
        let lengths = table.need("lengths", notes).map(|f| f.list(notes)).unwrap_or_default();
        ranges.push((from, to, lengths.into_iter().filter_map(|f| f.number(notes)).collect()));
    }
    ranges
}

fn examples(fields: &Fields<'_>, key: &str, notes: &mut Notes<'_>) -> Vec<Example> {
    let items = fields.get(key).map(|f| f.list(notes)).unwrap_or_default();
    let mut examples = Vec::new();
    for item in items {
        if item.is_table() {
            let Some(table) = item.table(&["key", "value"], notes) else { continue };
            let text = table.need("value", notes).and_then(|f| f.pieces(notes)).unwrap_or_default();
            examples.push(Example { key: Some(text_of(&table, "key", notes)), text });
        } else if let Some(text) = item.pieces(notes) {
            examples.push(Example { key: None, text });
        }
    }
    examples
}

/// Words for the prefilter: ASCII, because it folds the case of ASCII only; three letters, because shorter ones
/// would stop it everywhere.
pub(crate) fn triggers(fields: &Fields<'_>, key: &str, notes: &mut Notes<'_>) -> Vec<String> {
    let Some(field) = fields.need(key, notes) else { return Vec::new() };
    let words = field.texts(notes);
    if words.is_empty() {
        notes.at(field.start, format!("`{key}` is empty"));
    }
    for (word, start) in &words {
        if word.len() < 3 || !word.is_ascii() {
            notes.at(*start, format!("`{word}` is not at least three ASCII characters"));
        }
    }
    owned(words)
}

fn words(fields: &Fields<'_>, key: &str, notes: &mut Notes<'_>) -> Vec<String> {
    let words = fields.get(key).map(|f| f.texts(notes)).unwrap_or_default();
    for (word, start) in &words {
        if word.is_empty() || word.bytes().any(|b| b.is_ascii_uppercase()) {
            notes.at(*start, format!("`{word}` must be written in lower case"));
        }
    }
    owned(words)
}

fn owned(words: Vec<(&str, usize)>) -> Vec<String> {
    words.into_iter().map(|(word, _)| word.to_owned()).collect()
}

pub(crate) fn text_of(fields: &Fields<'_>, key: &str, notes: &mut Notes<'_>) -> String {
    fields.need(key, notes).and_then(|f| f.text(notes)).unwrap_or_default().to_owned()
}

fn confidence(field: Field<'_>, notes: &mut Notes<'_>) -> Option<&'static str> {
    match field.text(notes)? {
        "low" => Some("Low"),
        "medium" => Some("Medium"),
        "high" => Some("High"),
        other => {
            notes.at(field.start, format!("`{other}` is not low, medium or high"));
            None
        }
    }
}

fn well_named(name: &str) -> bool {
    let Some((class, short)) = name.split_once('/') else { return false };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    ["secret", "pii", "injection"].contains(&class) && !short.is_empty() && short.bytes().all(plain)
}

/// What only shows when all files are side by side.
fn check_all(detectors: &[Detector], mistakes: &mut Vec<String>) {
    let mut names = HashSet::new();
    for detector in detectors {
        if !names.insert(&detector.name) {
            mistakes.push(format!("`{}` is defined twice", detector.name));
        }
        let shown = |e: &Example| (e.key.clone(), e.text.clone());
        let matches: HashSet<_> = detector.matches.iter().map(shown).collect();
        if detector.not_matches.iter().any(|e| matches.contains(&shown(e))) {
            mistakes.push(format!("`{}` shows the same text as a match and as none", detector.name));
        }
    }
    for (kind, count) in [
        ("card", detectors.iter().filter(|d| matches!(d.rule, Rule::Card { .. })).count()),
        ("email", detectors.iter().filter(|d| matches!(d.rule, Rule::Email { .. })).count()),
        ("hidden", detectors.iter().filter(|d| matches!(d.rule, Rule::Hidden)).count()),
        ("iban", detectors.iter().filter(|d| d.is_personal("iban")).count()),
        ("wallet", detectors.iter().filter(|d| d.is_personal("wallet")).count()),
        ("ip-address", detectors.iter().filter(|d| d.is_personal("ip-address")).count()),
        ("private-ip-address", detectors.iter().filter(|d| d.is_personal("private-ip-address")).count()),
        ("prose-name", detectors.iter().filter(|d| d.is_personal("prose-name")).count()),
        ("mac-address", detectors.iter().filter(|d| d.is_personal("mac-address")).count()),
    ] {
        if count != 1 {
            mistakes.push(format!("there must be exactly one detector of kind `{kind}`, not {count}"));
        }
    }
    for (name, variant, _) in ROLES {
        let plays = |d: &&Detector| matches!(&d.rule, Rule::Generic { role, .. } if role == variant);
        let count = detectors.iter().filter(plays).count();
        if count != 1 {
            mistakes
                .push(format!("there must be exactly one generic detector of role `{name}`, not {count}"));
        }
    }
}

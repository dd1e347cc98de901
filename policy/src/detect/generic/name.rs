//! What the name of a value says about it: `dbPassword` is a password, `password_hash_algorithm` and `max_tokens` are
//! not. A name is split into words; the last word that means a secret decides, what stands around it may deny it.

use super::assign::table;
use super::model::{humps, word_hash};

/// Longest name that is looked at.
pub(super) const NAME_MAX: usize = 64;
/// Most words of a name.
const WORDS_MAX: usize = 14;

/// What kind of secret a name promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// People choose these.
    Password,
    /// `client_secret`
    ClientSecret,
    /// Any other secret.
    Secret,
    /// Any token.
    Token,
    /// `api_key`, `secret_key` and the like.
    ApiKey,
    /// Any other key.
    Key,
    /// `Authorization`, `auth`
    Authorization,
}

/// Whether the name leaves doubts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clarity {
    /// It says nothing else.
    Clear,
    /// Words follow whose meaning is not known.
    Vague,
}

const PASSWORD_WORDS_HASHES: &[u32] = hashes! {
    pass pwd pw pswd psw passw passcode dbpass userpass adminpass rootpass mypass requirepass keypass
    storepass sshpass authpass loginpass mysqlpass pgpass dbpwd userpwd kennwort senha motdepasse
    contrasena passwords passphrases masterauth
};
const PASSWORD_ENDS: &[&str] = &["password", "passwd", "passphrase", "passwort"];
/// Shortest end of a word that tells what it is (`token`), and the last letters of these.
const ENDS_MIN: usize = 5;
const ENDS_WITH: [bool; 256] = table(b"detny");
/// Words before `key` that make it a credential.
const KEY_HEADS_HASHES: &[u32] = hashes! {
    api secret access private encryption encrypt auth signing master license licence account app
    application service client consumer hmac jwt session shared admin integration write ingest deploy
    subscription function bot webhook crypto cipher aes symmetric security oauth developer signature
    decryption storage root sas server
};
const KEY_WORDS_HASHES: &[u32] = hashes! {
    apikey appkey secretkey accesskey authkey privatekey masterkey apikeys accountkey licensekey
    sharedkey clientkey encryptionkey signingkey functionkey
};
/// Words that deny a secret wherever they stand in the name.
const NEVER_HASHES: &[u32] = hashes! {
    hash hashed sha md checksum digest integrity fingerprint thumbprint etag commit csrf xsrf crumb
    captcha recaptcha nonce dummy fake mock placeholder invalid wrong public pub publishable css i18n
    uuid guid non not
};
/// Words before a secret's word that deny it.
const NOT_BEFORE_HASHES: &[u32] = hashes! {
    request page next prev previous max min num number total prompt completion cancel cancellation continuation
    continue cursor sync resume foreign primary partition sort cache object row index idempotency dedup
    registry map dict lookup group join search cert certificate site translation locale lang label hot
    host known stop eos bos pad mask unk vocab is has no show hide toggle forgot missing compare natural
    composite query route state storage item react list data json hashtag musical candidate trie
    progress blank pagination change title bypass require required
};
/// Words before any secret's word that deny it.
const DENIALS_HASHES: &[u32] = hashes! {
    is has no show hide toggle forgot missing require
};
/// Words behind a secret's word that deny it.
const NOT_AFTER_HASHES: &[u32] = hashes! {
    algorithm alg algo type types kind field fields name names id ids length len size count counts
    counter limit max min url uri urls endpoint path paths file files filename dir directory variable
    header headers param params parameter prefix suffix regex regexp pattern format policy rule rules
    label title hint help description desc message msg error errors err input form page link button btn
    icon class style selector required enabled disabled expired expires expiry expiration exp ttl age
    timeout time at date created updated valid validity validator validation strength reset change
    changed manager provider store factory builder handler encoder decoder parser reader writer source
    scope scopes issuer audience status state mode method version ref reference arn idx offset position
    pos start end stream set map mapping table column row usage used budget bucket rate price cost per
    left remaining ring chain alias group vault rotation sum code codes press down up frame frames board
    word words schema stuffing spray flow request response callback check checks verify user username
    email host port placeholder example tree trees kid review
};
/// Words behind a secret's word that change nothing.
const NEUTRAL_HASHES: &[u32] = hashes! {
    value val string str text plain raw base b hex prod dev test staging production live sandbox primary
    secondary old new current default v one two cleartext plaintext clear bytes data decrypted decoded
    override env s
};

/// Bits of the lists, each for the words of one.
const PASSWORD_WORDS: u8 = 1;
const KEY_HEADS: u8 = 1 << 1;
const KEY_WORDS: u8 = 1 << 2;
const NEVER: u8 = 1 << 3;
const NOT_BEFORE: u8 = 1 << 4;
const DENIALS: u8 = 1 << 5;
const NOT_AFTER: u8 = 1 << 6;
const NEUTRAL: u8 = 1 << 7;

/// All lists in one: a hash and its bits, at the place that [`place`] gives or the next one that is free. One look tells
/// which lists a word is in.
static LISTS: [(u32, u8); PLACES] = {
    let mut table = [(0, 0); PLACES];
    table = listed(table, PASSWORD_WORDS_HASHES, PASSWORD_WORDS);
    table = listed(table, KEY_HEADS_HASHES, KEY_HEADS);
    table = listed(table, KEY_WORDS_HASHES, KEY_WORDS);
    table = listed(table, NEVER_HASHES, NEVER);
    table = listed(table, NOT_BEFORE_HASHES, NOT_BEFORE);
    table = listed(table, DENIALS_HASHES, DENIALS);
    table = listed(table, NOT_AFTER_HASHES, NOT_AFTER);
    listed(table, NEUTRAL_HASHES, NEUTRAL)
};
/// More than twice as many as there are words, so that a search ends soon.
const PLACES: usize = 1024;

const fn listed(mut table: [(u32, u8); PLACES], list: &[u32], bit: u8) -> [(u32, u8); PLACES] {
    let mut at = 0;
    while at < list.len() {
        let mut place = place(list[at]);
        while table[place].1 != 0 && table[place].0 != list[at] {
            place = (place + 1) % PLACES;
        }
        table[place] = (list[at], table[place].1 | bit);
        at += 1;
    }
    table
}

const fn place(hash: u32) -> usize {
    (hash.wrapping_mul(0x9e37_79b1) >> 22) as usize
}

/// The lists that the hash is in.
fn lists_of(hash: u32) -> u8 {
    let mut place = place(hash);
    loop {
        let (known, bits) = LISTS[place];
        if known == hash || bits == 0 {
            return bits;
        }
        place = (place + 1) % PLACES;
    }
}

/// What the name says, if it names a secret.
pub(super) fn judge(name: &[u8]) -> Option<(Topic, Clarity)> {
    if name.len() > NAME_MAX {
        return None;
    }
    let mut lower = [0; NAME_MAX];
    let lower = &mut lower[..name.len()];
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let words = Words::of(name, lower);
    let words = words.list();
    let (at, topic) = (0..words.len()).rev().find_map(|at| topic(words, at).map(|topic| (at, topic)))?;
    let (before, after) = (&words[..at], &words[at + 1..]);
    let loose = !matches!(topic, Topic::ApiKey | Topic::ClientSecret | Topic::Password);
    // A password, or a credential that is named twice over (`api_key`), is one whatever else is named before.
    let denied = if loose { NOT_BEFORE } else { DENIALS };
    if words.iter().any(|word| word.is(NEVER))
        || after.iter().any(|word| word.is(NOT_AFTER))
        || before.iter().any(|word| word.is(denied))
    {
        return None;
    }
    let known = |word: &Word<'_>| word.text.iter().all(u8::is_ascii_digit) || word.is(NEUTRAL);
    // A key alone may be the key of anything.
    let alone = topic == Topic::Key && before.is_empty();
    let clarity = if !alone && after.iter().all(known) { Clarity::Clear } else { Clarity::Vague };
    Some((topic, clarity))
}

/// What the word at `at` means.
fn topic(words: &[Word<'_>], at: usize) -> Option<Topic> {
    let word = words[at];
    let before = at.checked_sub(1).map_or(Word::default(), |before| words[before]);
    let last = word.text.last();
    let long = word.text.len() >= ENDS_MIN && last.is_some_and(|b| ENDS_WITH[usize::from(*b)]);
    let ends = |list: &[&str]| long && list.iter().any(|end| word.text.ends_with(end.as_bytes()));
    match word.text {
        b"string" if before.text == b"secure" => Some(Topic::Password),
        _ if word.is(PASSWORD_WORDS) || ends(PASSWORD_ENDS) => Some(Topic::Password),
        b"secret" | b"secrets"
            if matches!(before.text, b"client" | b"consumer" | b"app" | b"application") =>
        {
            Some(Topic::ClientSecret)
        }
        b"clientsecret" | b"consumersecret" | b"appsecret" => Some(Topic::ClientSecret),
        b"secrets" | b"credential" | b"credentials" | b"creds" | b"cred" => Some(Topic::Secret),
        _ if ends(&["secret"]) => Some(Topic::Secret),
        b"tokens" | b"bearer" => Some(Topic::Token),
        _ if ends(&["token"]) => Some(Topic::Token),
        b"key" | b"keys" if before.is(KEY_HEADS) => Some(Topic::ApiKey),
        _ if word.is(KEY_WORDS) || ends(&["apikey"]) => Some(Topic::ApiKey),
        // Duo, NATS and programs that have keys of several kinds put a letter before it.
        b"key" | b"pkey" | b"skey" | b"ikey" | b"nkey" => Some(Topic::Key),
        // The codes of RFC 5849 (section 2.2), RFC 6749 (4.1.2) and RFC 7636 (4.1).
        b"verifier" if matches!(before.text, b"oauth" | b"code") => Some(Topic::Token),
        b"code" if matches!(before.text, b"auth" | b"authorization") => Some(Topic::Token),
        b"auth" | b"authorization" | b"authentication" => Some(Topic::Authorization),
        _ => None,
    }
}

/// A word of a name, in lower case, with the lists that it is in.
#[derive(Clone, Copy, Debug, Default)]
struct Word<'n> {
    text: &'n [u8],
    lists: u8,
}

impl Word<'_> {
    fn is(&self, list: u8) -> bool {
        self.lists & list != 0
    }
}

/// The words of a name, in lower case.
struct Words<'n> {
    list: [Word<'n>; WORDS_MAX],
    count: usize,
}

impl<'n> Words<'n> {
    fn of(name: &[u8], lower: &'n [u8]) -> Self {
        let mut words = Self { list: [Word::default(); WORDS_MAX], count: 0 };
        let mut at = 0;
        while at < name.len() {
            let same = |test: fn(&u8) -> bool| at + name[at..].iter().take_while(|b| test(b)).count();
            let (letters, digits) = (same(u8::is_ascii_alphabetic), same(u8::is_ascii_digit));
            for (start, end) in humps(&name[at..letters]) {
                words.push(&lower[at + start..at + end]);
            }
            if digits > at {
                words.push(&lower[at..digits]);
            }
            at = letters.max(digits).max(at + 1);
        }
        words
    }

    /// Of more words than anybody uses, the last ones count.
    fn push(&mut self, word: &'n [u8]) {
        if self.count == WORDS_MAX {
            self.list.rotate_left(1);
            self.count -= 1;
        }
        self.list[self.count] = Word { text: word, lists: lists_of(word_hash(word)) };
        self.count += 1;
    }

    fn list(&self) -> &[Word<'n>] {
        &self.list[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_any_style() {
        for (name, topic) in [
            ("password", Topic::Password),
            ("DB_PASS", Topic::Password),
            ("spring.datasource.password", Topic::Password),
            ("adminPassword2", Topic::Password),
            ("PGPASSWORD", Topic::Password),
            ("clientSecret", Topic::ClientSecret),
            ("APP_SECRET_TOKEN", Topic::Token),
            ("X-Api-Key", Topic::ApiKey),
            ("APIKey", Topic::ApiKey),
            ("aws_secret_access_key", Topic::ApiKey),
            ("cloudthing_key", Topic::Key),
            ("_authToken", Topic::Token),
            ("SECRET_KEY_BASE", Topic::ApiKey),
        ] {
            assert_eq!(judge(name.as_bytes()), Some((topic, Clarity::Clear)), "{name}");
        }
        for name in ["oauth_verifier", "codeVerifier", "authCode", "AUTHORIZATION_CODE"] {
            assert_eq!(judge(name.as_bytes()), Some((Topic::Token, Clarity::Clear)), "{name}");
        }
        assert_eq!(judge(b"skey"), Some((Topic::Key, Clarity::Vague)));
        assert_eq!(judge(b"TOKEN_GITHUB"), Some((Topic::Token, Clarity::Vague)));
    }

    #[test]
    fn names_about_secrets_are_not() {
        for name in [
            "password_hash_algorithm",
            "token_type",
            "max_tokens",
            "next_page_token",
            "csrfToken",
            "password_field",
            "public_key",
            "key_id",
            "tokenizer",
            "compass",
            "primary_key",
            "author",
            "passed",
            "secretName",
            "access_key_id",
            "is_password",
            "cacheKey",
            "keyboard",
            "monkey",
            "bypass",
            "status_code",
            "verifier",
        ] {
            assert_eq!(judge(name.as_bytes()), None, "{name}");
        }
    }
}

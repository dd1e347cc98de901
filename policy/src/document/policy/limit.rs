//! One `[[limit]]`.

use super::LimitRule;
use super::parse::{Ids, owned, sentence};
use crate::document::identity::identity_patterns;
use crate::document::reader::{Reader, Section, shown};
use crate::verdict::Access;

/// What a limit does: it cannot allow.
pub(super) const EFFECTS: &[(&str, Access)] = &[("ask", Access::Ask), ("deny", Access::Deny)];
/// More calls or bytes than any session makes.
pub(super) const CALLS: std::ops::RangeInclusive<u64> = 1..=1_000_000_000;
pub(super) const BYTES: std::ops::RangeInclusive<u64> = 1..=(1 << 50);
const NOT_YET: &[&str] = &["templates", "features", "when", "until", "days", "hours", "each"];
const MS_MAX: u64 = 31 * 24 * 3_600_000;

pub(super) fn limit(r: &mut Reader<'_>, mut s: Section<'_>, ids: &mut Ids) -> Option<LimitRule> {
    let (line, at) = (r.line(s.at), s.at);
    let id = ids.read(r, &mut s);
    let servers = s.names(r, "servers");
    let servers = identity_patterns(r, &servers);
    let [tools, prompts, resources] = ["tools", "prompts", "resources"].map(|key| owned(s.names(r, key)));
    if ["tools", "prompts", "resources"].iter().all(|key| s.value(key).is_none()) {
        let remedy = "name what is counted together: `tools = [\"*\"]` for all tools".to_owned();
        r.lacking(at, "[[limit]] names no `tools`, `prompts` or `resources`", Some(remedy));
    }
    let calls = s.number(r, "calls", CALLS);
    let bytes = s.size(r, "bytes", BYTES);
    if s.value("calls").is_none() && s.value("bytes").is_none() {
        let remedy = "write `calls = 10`, `bytes = \"1MiB\"` or both".to_owned();
        r.lacking(at, "[[limit]] has neither `calls` nor `bytes`", Some(remedy));
    }
    let per = s.required(r, "per", "say in what time: `per = \"1m\"`");
    let per = per.and_then(|text| {
        let ms = per_ms(text.text);
        if ms.is_none() {
            let remedy = "write a whole number and s, m, h or d, such as \"1m\"; at most 31 days".to_owned();
            r.wrong(text.at, format!("`per` cannot be `{}`", shown(text.text)), Some(remedy));
        }
        Some((ms?, text.text.to_owned()))
    });
    let effect = s.word(r, "effect", EFFECTS).unwrap_or(Access::Deny);
    let reason = s.required(r, "reason", "say in one sentence why: users and models will read it");
    let reason = reason.and_then(|text| sentence(r, text));
    s.close(r, NOT_YET);
    let (per_ms, per) = per?;
    let (id, reason) = (id?, reason?);
    Some(LimitRule {
        id,
        servers,
        tools,
        prompts,
        resources,
        calls,
        bytes,
        per_ms,
        per,
        effect,
        reason,
        line,
    })
}

fn per_ms(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 24 * 3_600_000,
        _ => return None,
    };
    let ms = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=MS_MAX).contains(&ms).then_some(ms)
}

impl LimitRule {
    /// `at most 10 calls and 1MiB in 1m`
    #[must_use]
    pub fn words(&self) -> String {
        let calls =
            self.calls.map(|calls| if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") });
        let bytes = self.bytes.map(size);
        let what = [calls, bytes].into_iter().flatten().collect::<Vec<_>>().join(" and ");
        format!("at most {what} in {}", self.per)
    }
}

fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = units.iter().find(|(shift, _)| bytes >= 1 << shift && bytes.trailing_zeros() >= *shift);
    whole.map_or_else(|| format!("{bytes} bytes"), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

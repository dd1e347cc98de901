//! What is known of a call → values that a condition can look at.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::Value;
use cel::objects::{Key, Map};
use serde_json::value::RawValue;

use super::Name;
use super::check::{Needs, Wanted};
use crate::rules::calendar::Civil;
use crate::rules::item::{Annotations, Arguments, Circumstances, Item, UnixTime};

/// Most bytes of arguments that one condition looks at.
const VIEW_BYTES_MAX: usize = 64 << 10;
/// Most values in them.
const VIEW_VALUES_MAX: usize = 4_096;
/// Integers that every reader of JSON keeps: ±(2^53−1).
const EXACT_MAX: i64 = (1 << 53) - 1;

/// Fields of `annotations`, by the names of the protocol.
pub(super) const ANNOTATIONS: [&str; 4] =
    ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];
/// Fields of `now`.
pub(super) const NOW: [&str; 7] = ["unix", "year", "month", "day", "weekday", "hour", "minute"];

const TOO_LARGE: Cow<'static, str> = Cow::Borrowed("the arguments that it looks at are too large");

type Converted<T> = Result<T, Cow<'static, str>>;

/// The value of one name.
pub(super) fn value<'a>(
    name: Name,
    needs: &Needs,
    item: Item<'_>,
    (known, seen): (&Circumstances<'a>, &Seen<'a>),
) -> Converted<Value> {
    let text = |text: Option<&str>| text.map(Value::from);
    let value = match name {
        Name::Args => return arguments(known.arguments, &needs.arguments, seen),
        Name::Tool => match item {
            Item::Tool(tool) => Some(Value::from(tool)),
            _ => None,
        },
        Name::Annotations => known.annotations.map(annotations),
        Name::Client => text(known.client),
        Name::User => text(known.user),
        Name::Groups => known.groups.map(|groups| {
            Value::List(Arc::new(groups.iter().map(|group| Value::from(group.as_str())).collect()))
        }),
        Name::Device => text(known.device),
        Name::Now => known.now.map(now),
    };
    value.ok_or_else(|| Cow::Owned(format!("`{}` is not known", name.word())))
}

fn annotations(hints: Annotations) -> Value {
    // What the protocol says about hints that are left out.
    let values = [
        hints.read_only.unwrap_or(false),
        hints.destructive.unwrap_or(true),
        hints.idempotent.unwrap_or(false),
        hints.open_world.unwrap_or(true),
    ];
    map(ANNOTATIONS.into_iter().zip(values.map(Value::Bool)))
}

fn now(moment: UnixTime) -> Value {
    let civil = Civil::at(moment, 0);
    let seconds = i64::try_from(moment.0 / 1_000).unwrap_or(i64::MAX);
    let (hour, minute) = (civil.minute_of_day / 60, civil.minute_of_day % 60);
    let values = [seconds, civil.year, civil.month, civil.day, civil.weekday, hour, minute];
    map(NOW.into_iter().zip(values.map(Value::Int)))
}

fn map<'k>(members: impl Iterator<Item = (&'k str, Value)>) -> Value {
    let members = members.map(|(key, value)| (Key::String(Arc::new(key.to_owned())), value));
    Value::Map(Map { map: Arc::new(members.collect::<HashMap<_, _>>()) })
}

/// The arguments of one call as conditions see them: read once and each value made once, however many conditions look.
#[derive(Debug, Default)]
pub(in crate::rules) struct Seen<'a>(OnceCell<Converted<Vec<Member<'a>>>>);

#[derive(Debug)]
struct Member<'a> {
    key: String,
    raw: &'a RawValue,
    /// The value, and how many values are in it with itself.
    made: OnceCell<(Converted<Value>, usize)>,
}

impl<'a> Seen<'a> {
    /// In the order of their keys.
    fn members(&self, raw: &'a str) -> &Converted<Vec<Member<'a>>> {
        self.0.get_or_init(|| {
            let members: BTreeMap<String, &RawValue> = read(raw)?;
            let members = members.into_iter().map(|(key, raw)| Member { key, raw, made: OnceCell::new() });
            Ok(members.collect())
        })
    }
}

impl Member<'_> {
    fn value(&self) -> &(Converted<Value>, usize) {
        self.made.get_or_init(|| {
            let mut values = 0;
            (made(self.raw, &mut values), values)
        })
    }
}

fn arguments<'a>(arguments: Arguments<'a>, wanted: &Wanted, seen: &Seen<'a>) -> Converted<Value> {
    let raw = match arguments {
        Arguments::Unknown => return Err(Cow::Borrowed("the arguments are not known")),
        Arguments::None => return Ok(map(std::iter::empty())),
        Arguments::Json(raw) => raw,
    };
    let members = seen.members(raw).as_ref().map_err(Clone::clone)?;
    let (mut bytes, mut values, mut view) = (0, 0, Vec::new());
    for member in members {
        let is_wanted = match wanted {
            Wanted::All => true,
            Wanted::Members(names) => names.contains(&member.key),
        };
        if is_wanted {
            bytes += member.key.len() + member.raw.get().len();
            if bytes > VIEW_BYTES_MAX {
                return Err(TOO_LARGE);
            }
            let (value, within) = member.value();
            values += within;
            if values > VIEW_VALUES_MAX {
                return Err(TOO_LARGE);
            }
            view.push((member.key.as_str(), value.clone()?));
        }
    }
    Ok(map(view.into_iter()))
}

/// The value of a text, counted with those in it. The grammar bounds the depth.
fn made(raw: &RawValue, values: &mut usize) -> Converted<Value> {
    *values += 1;
    if *values > VIEW_VALUES_MAX {
        return Err(TOO_LARGE);
    }
    let raw = raw.get();
    Ok(match raw.as_bytes().first() {
        Some(b'"') => Value::String(Arc::new(read(raw)?)),
        Some(b'{') => {
            let members: BTreeMap<Cow<'_, str>, &RawValue> = read(raw)?;
            let members = members.iter().map(|(key, value)| Ok((key.as_ref(), made(value, values)?)));
            map(members.collect::<Converted<Vec<_>>>()?.into_iter())
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = read(raw)?;
            let elements = elements.into_iter().map(|element| made(element, values));
            Value::List(Arc::new(elements.collect::<Converted<_>>()?))
        }
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') => Value::Null,
        _ => return number(raw),
    })
}

/// A number as every reader understands it, or none. Integers beyond 2^53 are exact in Python and rounded in JavaScript,
/// and what no double can hold is infinite for one and an error for the other: no condition is decided by these.
fn number(raw: &str) -> Converted<Value> {
    const DIFFERS: Cow<'static, str> = Cow::Borrowed("it looks at a number that programs read differently");
    if raw.contains(['.', 'e', 'E']) {
        let value = raw.parse::<f64>().ok().filter(|value| value.is_finite());
        return value.map(Value::Float).ok_or(DIFFERS);
    }
    let value = raw.parse::<i64>().ok().filter(|value| (-EXACT_MAX..=EXACT_MAX).contains(value));
    value.map(Value::Int).ok_or(DIFFERS)
}

fn read<'r, T: serde::Deserialize<'r>>(raw: &'r str) -> Converted<T> {
    // It passed the grammar: whatever the reason, it is no reason to guess.
    serde_json::from_str(raw).map_err(|_| Cow::Borrowed("the arguments cannot be read"))
}

//! The kinds of messages that ordinary work is made of.

use crate::dice::Dice;
use crate::{code, data, prose};

/// Makes one message.
pub(crate) type Make = fn(&mut Dice) -> String;

pub(crate) const KINDS: &[(&str, Make)] = &[
    ("source", code::source),
    ("diff", code::diff),
    ("answer", data::answer),
    ("schema", data::schema),
    ("lock file", data::lock_file),
    ("settings", data::settings),
    ("translations", data::translations),
    ("table", data::table),
    ("media", data::media),
    ("log", prose::log),
    ("ticket", prose::ticket),
    ("mail", prose::mail),
    ("page", prose::page),
];

//! Requests: a refusal with its evidence, kept on this machine for whoever writes the policy.

mod fragment;
mod place;
mod store;

pub(crate) use fragment::{Fragment, fragment};
pub(crate) use place::{RulePlace, Text, place};
pub(crate) use store::{Requested, all, drop_one, keep, new_id, one};

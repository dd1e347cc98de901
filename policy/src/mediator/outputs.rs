//! What tools promise of their structured results: SDK clients refuse a result that breaks its tool's output schema
//! (2025-06-18 and later, server/tools, "Output Schema"), so a placeholder has to be one of the values that it allows.

use std::collections::BTreeMap;

use jsonschema::PatternOptions;
use serde_json::Value;

use super::content::Judged;
use super::pins::NAME_BYTES_MAX;
use super::session::Mediator;
use crate::verdict::{Content, Reason};
use crate::wire::{Frame, Node};

/// Most schemas that are remembered.
const SCHEMAS_MAX: usize = 1024;
/// Longest schema that is remembered, and all of them together.
const SCHEMA_BYTES_MAX: usize = 64 << 10;
const SCHEMAS_BYTES_MAX: usize = 2 << 20;
/// A schema with more references may be told to cost any time: each can double the work.
const REFERENCES_MAX: usize = 32;
/// Most bytes of result times bytes of schema that are checked.
const WORK_MAX: usize = 1 << 34;
/// Size of a compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Output schemas of tools, as the client has them from the lists.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    by_tool: BTreeMap<Box<str>, Schema>,
    bytes: usize,
}

/// What is known of a tool's output schema.
#[derive(Debug)]
enum Schema {
    Known(Box<str>),
    /// It was too long to be kept, or there was no room.
    TooLong,
}

/// Why a redacted result cannot go to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misfit {
    #[error("the tool's output schema allows no placeholder there")]
    Refused,
    #[error("the tool's output schema is too large to be checked for placeholders")]
    TooLarge,
    #[error("the tool's output schema cannot be read to see whether it allows placeholders")]
    Unreadable,
}

impl Outputs {
    /// Notes what a list says of a tool: JSON text, or nothing.
    pub(super) fn note(&mut self, tool: &str, schema: Option<&str>) {
        self.bytes -= match self.by_tool.remove(tool) {
            Some(Schema::Known(known)) => known.len(),
            Some(Schema::TooLong) | None => 0,
        };
        let Some(schema) = schema.filter(|_| tool.len() <= NAME_BYTES_MAX) else { return };
        if self.by_tool.len() >= SCHEMAS_MAX {
            return;
        }
        let fits = schema.len() <= SCHEMA_BYTES_MAX && self.bytes + schema.len() <= SCHEMAS_BYTES_MAX;
        let schema = if fits { Schema::Known(schema.into()) } else { Schema::TooLong };
        if let Schema::Known(known) = &schema {
            self.bytes += known.len();
        }
        self.by_tool.insert(tool.into(), schema);
    }

    /// Whether a redacted result is one that the tool may give; what is not known is not asked for.
    fn allow(&self, tool: &str, line: &[u8]) -> Result<(), Misfit> {
        let schema = match self.by_tool.get(tool) {
            None => return Ok(()),
            Some(Schema::TooLong) => return Err(Misfit::TooLarge),
            Some(Schema::Known(schema)) => schema,
        };
        let bytes = line.len();
        let line: Value = serde_json::from_slice(line).map_err(|_| Misfit::Unreadable)?;
        let result = &line["result"];
        let Some(structured) = result.get("structuredContent").filter(|_| result["isError"] != true) else {
            return Ok(());
        };
        let references = schema.matches("\"$ref\"").count() + schema.matches("\"$dynamicRef\"").count();
        if references > REFERENCES_MAX || bytes.saturating_mul(schema.len()) > WORK_MAX {
            return Err(Misfit::TooLarge);
        }
        let schema: Value = serde_json::from_str(schema).map_err(|_| Misfit::Unreadable)?;
        // Backtracking would let a server's pattern cost any time; formats count, since some clients look at them.
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
            .build(&schema)
            .map_err(|_| Misfit::Unreadable)?;
        if validator.is_valid(structured) { Ok(()) } else { Err(Misfit::Refused) }
    }
}

impl Mediator {
    /// Notes what a definition in a list of tools promises.
    pub(super) fn note_output(&mut self, frame: &Frame<'_>, tool: &str, definition: Node) {
        let schema =
            frame.get(definition, "outputSchema").and_then(|schema| frame.bytes.get(frame.span(schema)));
        self.outputs.note(tool, schema.and_then(|schema| std::str::from_utf8(schema).ok()));
    }

    /// Blocks a redacted result that its client would refuse, since nothing legal could stand in the value's stead.
    pub(super) fn fit_output(&self, judged: Judged, tool: Option<&str>) -> Judged {
        let (Content::Redact, Some(tool), Some(line)) = (judged.content, tool, &judged.rewritten) else {
            return judged;
        };
        let Err(misfit) = self.outputs.allow(tool, line) else { return judged };
        let reason = judged.reason.map(|reason| Reason {
            text: format!("{}, and it cannot be redacted because {misfit}", reason.text).into(),
            ..reason
        });
        Judged { content: Content::Block, reason, rewritten: None, ..judged }
    }
}

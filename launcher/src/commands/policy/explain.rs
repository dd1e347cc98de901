//! `stockade policy explain`: a hypothetical call, the rule that decides it, and what each layer says.

use std::fmt::Write as _;

use serde_json::json;
use stockade_policy::document::policy::{Mode, moment};
use stockade_policy::rules::{Explanation, Holds, LayerAnswer};

use super::call::{Call, about, checked_arguments, in_words};
use crate::cli::PolicyExplainArgs;
use crate::error::{Failure, Kind};
use crate::exit::Exit;
use crate::host::Facts;
use crate::policies::{self, Standing};

pub(super) fn explain(args: &PolicyExplainArgs) -> Result<Exit, Failure> {
    let facts = Facts::gather()?;
    let policy = policies::load(&facts, args.policy.as_deref())?;
    let call = call(args)?;
    let explanation = policy.explain(&call.server, call.about.item(), &call.circumstances());
    if args.json {
        super::print_json(&as_json(&explanation))
    } else {
        super::print(&text(&call, &explanation))
    }
}

fn call(args: &PolicyExplainArgs) -> Result<Call, Failure> {
    if let Some(json) = &args.args {
        checked_arguments(json)?;
    }
    let at = match &args.at {
        None => policies::unix_now(),
        Some(text) => Some(moment(text).ok_or_else(|| {
            Failure::new(Kind::Usage, format!("`{text}` is no time")).hint("write --at 2026-12-31T18:00Z")
        })?),
    };
    let Standing { user, groups, device } = Standing::gather();
    // Somebody else's groups are not ours.
    let groups = if args.group.is_empty() && args.user.is_none() { groups } else { Some(args.group.clone()) };
    Ok(Call {
        server: args.server.clone(),
        about: about(&args.about),
        args: args.args.clone(),
        client: args.client.clone(),
        user: args.user.clone().or(user),
        groups,
        device,
        at,
    })
}

fn text(call: &Call, explanation: &Explanation) -> String {
    let ruling = &explanation.ruling;
    let mut text = format!("{}: {}\n", in_words(&call.about), ruling.verdict.word());
    if let Some(reason) = &ruling.reason {
        let _ = writeln!(text, "  by `{}` ({}): {}", reason.rule, reason.layer, reason.text);
    } else {
        text.push_str("  no rule speaks about it, and no default stands against it\n");
    }
    if let Some((verdict, reason)) = &ruling.would_have {
        let _ = writeln!(
            text,
            "  `{}` ({}) would {} it, and only watches",
            reason.rule,
            reason.layer,
            verdict.word()
        );
    }
    for layer in &explanation.layers {
        let _ = write!(text, "\n{}", layer_text(layer));
    }
    text
}

fn layer_text(layer: &LayerAnswer) -> String {
    let mut text = format!("{} {}: {}", layer.origin.word(), layer.name, layer.verdict.word());
    if layer.mode == Mode::Monitor {
        text.push_str(", but it only watches");
    }
    if layer.is_replaced {
        text.push_str(", but it lets a nearer layer say otherwise, and one does");
    }
    text.push('\n');
    for rule in &layer.rules {
        let holds = match &rule.holds {
            Holds::Yes => "holds".to_owned(),
            Holds::No => "is about it, and its condition or time does not fit".to_owned(),
            Holds::Open => "depends on the calls to come".to_owned(),
            Holds::Broken(why) => format!("cannot be evaluated: {why}"),
        };
        let _ = writeln!(text, "  {}:{} {} `{}` {holds}", layer.name, rule.line, rule.effect.word(), rule.id);
    }
    match &layer.reason {
        Some(reason) => drop(writeln!(text, "  decides by `{}`: {}", reason.rule, reason.text)),
        None => text.push_str("  has nothing against it\n"),
    }
    text
}

fn as_json(explanation: &Explanation) -> serde_json::Value {
    let ruling = &explanation.ruling;
    let layers = explanation.layers.iter().map(|layer| {
        let rules = layer.rules.iter().map(|rule| {
            let (holds, why) = match &rule.holds {
                Holds::Yes => ("yes", None),
                Holds::No => ("no", None),
                Holds::Open => ("open", None),
                Holds::Broken(why) => ("cannot-be-evaluated", Some(why)),
            };
            json!({ "id": rule.id, "line": rule.line, "effect": rule.effect.word(), "holds": holds, "why": why })
        });
        json!({
            "layer": layer.origin.word(),
            "file": layer.name,
            "monitors": layer.mode == Mode::Monitor,
            "verdict": layer.verdict.word(),
            "replaced": layer.is_replaced,
            "rule": layer.reason.as_ref().map(|reason| &reason.rule),
            "reason": layer.reason.as_ref().map(|reason| &reason.text),
            "rules": rules.collect::<Vec<_>>(),
        })
    });
    json!({
        "verdict": ruling.verdict.word(),
        "rule": ruling.reason.as_ref().map(|reason| &reason.rule),
        "layer": ruling.reason.as_ref().map(|reason| &reason.layer),
        "reason": ruling.reason.as_ref().map(|reason| &reason.text),
        "would_have": ruling.would_have.as_ref().map(|(verdict, reason)| json!({
            "verdict": verdict.word(), "rule": reason.rule, "layer": reason.layer,
        })),
        "layers": layers.collect::<Vec<_>>(),
    })
}

//! `stockade policy test`: a table of calls, and where a policy decides otherwise than the table says.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;
use stockade_policy::document::policy::{PolicyCase, PolicyCases};
use stockade_policy::rules::{Policy, Ruling};
use stockade_policy::verdict::Access;

use super::call::{Call, checked_arguments, in_words};
use crate::error::Failure;
use crate::exit::Exit;
use crate::host::{self, Facts};
use crate::policies;

pub(super) fn test(file: &Path, policy: Option<&Path>, json: bool) -> Result<Exit, Failure> {
    let table = PolicyCases::parse(&file.display().to_string(), &host::read_text(file)?)?;
    let beside = file.parent().unwrap_or(Path::new("."));
    let named: Vec<_> = table.policies.iter().map(|name| beside.join(name)).collect();
    let policy = match (policy, &named[..]) {
        (Some(policy), _) => policies::of_files(&[policy.to_owned()])?,
        (None, []) => policies::load(&Facts::gather()?, None)?,
        (None, named) => policies::of_files(named)?,
    };
    let mut outcomes = Vec::new();
    for case in &table.cases {
        if let Some(args) = &case.args {
            checked_arguments(args)
                .map_err(|failure| failure.cause(format!("{}:{}", file.display(), case.line)))?;
        }
        outcomes.push((case, decided(&policy, case)));
    }
    let wrong: Vec<_> = outcomes.iter().filter(|(case, ruling)| !is_as_expected(case, ruling)).collect();
    if json {
        let all = outcomes.iter().map(|(case, ruling)| as_json(case, ruling));
        super::print_json(&json!({ "passed": wrong.is_empty(), "tests": all.collect::<Vec<_>>() }))?;
    } else {
        let mut text = String::new();
        for (case, ruling) in &wrong {
            text += &difference(file, case, ruling);
        }
        let _ = writeln!(text, "{} of {} as the table says", outcomes.len() - wrong.len(), outcomes.len());
        super::print(&text)?;
    }
    Ok(if wrong.is_empty() { Exit::Ok } else { Exit::NotInOrder })
}

fn decided(policy: &Policy, case: &PolicyCase) -> Ruling<Access> {
    let call = Call::of_case(case);
    policy.decide(&call.server, call.about.item(), &call.circumstances())
}

fn is_as_expected(case: &PolicyCase, ruling: &Ruling<Access>) -> bool {
    let rule = ruling.reason.as_ref().map(|reason| reason.rule.as_ref());
    ruling.verdict == case.expect && (case.rule.is_none() || case.rule.as_deref() == rule)
}

fn difference(file: &Path, case: &PolicyCase, ruling: &Ruling<Access>) -> String {
    let by = |rule: Option<&str>| rule.map_or(String::new(), |rule| format!(" by `{rule}`"));
    let rule = ruling.reason.as_ref().map(|reason| reason.rule.as_ref());
    let mut text = format!("{}:{}: {}\n", file.display(), case.line, case.name);
    let _ = writeln!(text, "  about     {}", in_words(&case.about));
    let _ = writeln!(text, "  expected  {}{}", case.expect.word(), by(case.rule.as_deref()));
    let _ = writeln!(text, "  decided   {}{}", ruling.verdict.word(), by(rule));
    if let Some(reason) = &ruling.reason {
        let _ = writeln!(text, "            {} ({})", reason.text, reason.layer);
    }
    if let Some((verdict, reason)) = &ruling.would_have {
        let _ = writeln!(text, "            `{}` would {} it, and only watches", reason.rule, verdict.word());
    }
    text.push('\n');
    text
}

fn as_json(case: &PolicyCase, ruling: &Ruling<Access>) -> serde_json::Value {
    json!({
        "name": case.name,
        "line": case.line,
        "passed": is_as_expected(case, ruling),
        "expected": { "verdict": case.expect.word(), "rule": case.rule },
        "decided": {
            "verdict": ruling.verdict.word(),
            "rule": ruling.reason.as_ref().map(|reason| &reason.rule),
            "layer": ruling.reason.as_ref().map(|reason| &reason.layer),
            "reason": ruling.reason.as_ref().map(|reason| &reason.text),
        },
    })
}

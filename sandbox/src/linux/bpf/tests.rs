use super::interpreter::{Call, run};
use super::*;

const ARCH: u32 = 0xc000_003e;

/// What the table says, worked out without BPF.
fn expected(table: &Table, call: &Call) -> Action {
    if call.arch != table.audit_arch {
        return Action::KillProcess;
    }
    if table.foreign_from.is_some_and(|first| call.number >= first) {
        return Action::Errno(ENOSYS);
    }
    let Some(rule) = table.rules.iter().find(|rule| rule.number == call.number) else {
        return table.otherwise;
    };
    let holds = |test: &Test| {
        let value = call.arguments[usize::from(test.argument)] as u32 & test.mask;
        match test.kind {
            TestKind::Equals(wanted) => value == wanted,
            TestKind::NotEquals(unwanted) => value != unwanted,
            TestKind::AnyBit => value != 0,
        }
    };
    rule.cases.iter().find(|case| case.tests.iter().all(holds)).map_or(rule.otherwise, |case| case.action)
}

fn plain_rule(number: u32, action: Action) -> Rule {
    Rule { number, cases: Vec::new(), otherwise: action }
}

fn table(rules: Vec<Rule>) -> Table {
    Table { audit_arch: ARCH, foreign_from: Some(0x4000_0000), rules, otherwise: Action::Allow }
}

fn check(table: &Table, numbers: impl Iterator<Item = u32>, arguments: &[[u64; 6]]) {
    let program = assemble(table).expect("assembles");
    for number in numbers {
        for arguments in arguments {
            for arch in [ARCH, 0x4000_0003, 0] {
                let call = Call { arch, number, arguments: *arguments };
                assert_eq!(run(&program, &call), expected(table, &call), "{call:?}");
            }
        }
    }
}

#[test]
fn every_number_of_a_long_table_gets_its_own_action() {
    // 700 rules: blocks longer than 255 instructions, so the long form of the branch is needed.
    let rules = (0..700u32).map(|n| plain_rule(n * 3, Action::Errno(n as u16 + 1))).collect();
    check(&table(rules), 0..2_200, &[[0; 6]]);
}

#[test]
fn the_order_of_rules_does_not_matter() {
    let rules = [40u32, 3, 900, 0, 41].map(|n| plain_rule(n, Action::Errno(n as u16 + 1)));
    check(&table(rules.to_vec()), 0..1_000, &[[0; 6]]);
}

#[test]
fn cases_are_tried_in_order_and_all_tests_of_one_must_hold() {
    let rule = Rule {
        number: 41,
        cases: vec![
            Case {
                tests: vec![Test::equals(0, 2), Test::masked(1, 0xf, 1), Test::equals(2, 262)],
                action: Action::Errno(93),
            },
            Case { tests: vec![Test::equals(0, 2), Test::any_bit(1, 0x80)], action: Action::KillProcess },
            Case { tests: vec![Test::differs(0, 16)], action: Action::Errno(97) },
        ],
        otherwise: Action::Allow,
    };
    let mut arguments = Vec::new();
    for domain in [0u64, 2, 16, 0x1_0000_0002, 0x1_0000_0010] {
        for kind in [0u64, 1, 0x11, 0x80, 0x81, 0x91, 0xffff_ffff] {
            for protocol in [0u64, 262, 0x1_0000_0106] {
                arguments.push([domain, kind, protocol, 0, 0, 0]);
            }
        }
    }
    check(&table(vec![rule]), 40..43, &arguments);
}

#[test]
fn the_upper_half_of_an_argument_does_not_hide_the_lower() {
    let rule = Rule {
        number: 16,
        cases: vec![Case { tests: vec![Test::equals(1, 0x5412)], action: Action::Errno(1) }],
        otherwise: Action::Allow,
    };
    let program = assemble(&table(vec![rule])).expect("assembles");
    let call = Call { arch: ARCH, number: 16, arguments: [0, 0xdead_beef_0000_5412, 0, 0, 0, 0] };
    assert_eq!(run(&program, &call), Action::Errno(1));
}

#[test]
fn a_foreign_architecture_is_killed_and_x32_gets_enosys() {
    let program = assemble(&table(Vec::new())).expect("assembles");
    let call = |arch, number| run(&program, &Call { arch, number, arguments: [0; 6] });
    assert_eq!(call(0x4000_0003, 1), Action::KillProcess);
    assert_eq!(call(ARCH, 0x4000_0000), Action::Errno(38));
    assert_eq!(call(ARCH, 0x4000_0208), Action::Errno(38));
    assert_eq!(call(ARCH, u32::MAX), Action::Errno(38));
    assert_eq!(call(ARCH, 0x3fff_ffff), Action::Allow);
}

#[test]
fn two_rules_for_one_number_are_refused() {
    let rules = vec![plain_rule(7, Action::Allow), plain_rule(7, Action::Errno(1))];
    assert_eq!(assemble(&table(rules)), Err(AssembleError::Twice(7)));
}

#[test]
fn a_program_that_the_kernel_would_refuse_for_its_length_is_refused() {
    let rules = (0..3_000u32).map(|n| plain_rule(n, Action::Errno(1))).collect();
    assert!(matches!(assemble(&table(rules)), Err(AssembleError::TooLong(_))));
}

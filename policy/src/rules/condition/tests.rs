//! What conditions say, what they refuse to say, and what they may not be.

use super::*;
use crate::rules::item::{Annotations, UnixTime};

const TOOL: Item<'static> = Item::Tool("merge_pull_request");

fn circumstances<'a>(args: &'a str, groups: &'a [String]) -> Circumstances<'a> {
    Circumstances {
        arguments: Arguments::Json(args),
        annotations: Some(Annotations { read_only: Some(true), ..Annotations::default() }),
        client: Some("cursor"),
        user: Some("ada"),
        groups: Some(groups),
        device: Some("laptop-7"),
        // 2026-11-23, a Monday, 05:30 UTC.
        now: Some(UnixTime(1_795_411_800_000)),
    }
}

fn eval(source: &str, args: &str) -> Result<bool, String> {
    let condition = Condition::compile(source).unwrap_or_else(|mistakes| panic!("{source}: {mistakes:?}"));
    let groups = ["dev".to_owned(), "ops".to_owned()];
    condition.holds(TOOL, &circumstances(args, &groups), &Seen::default()).map_err(Cow::into_owned)
}

#[track_caller]
fn check(source: &str, args: &str, expected: bool) {
    assert_eq!(eval(source, args), Ok(expected), "{source} of {args}");
}

fn mistakes(source: &str) -> Vec<(usize, String)> {
    let mistakes = Condition::compile(source).expect_err(source);
    mistakes.into_iter().map(|mistake| (mistake.at, mistake.what)).collect()
}

#[test]
fn a_condition_looks_at_arguments_as_they_are_decoded() {
    check(r#"args.base == "main""#, r#"{"base": "main"}"#, true);
    check(r#"args.base == "main""#, r#"{"base": "ma\u0069n"}"#, true);
    check(r#"args.base == "main""#, r#"{"b\u0061se": "main"}"#, true);
    check(r#"args["base"] == "main""#, r#"{"base": "other"}"#, false);
    check(r#"args.base in ["main", "release"]"#, r#"{"base": "release"}"#, true);
    check(r#"args.base.startsWith("re") && args.base.endsWith("e")"#, r#"{"base": "release"}"#, true);
    check(r#"args.base.lowerAscii().contains("main")"#, r#"{"base": "Origin/MAIN"}"#, true);
    check("args.deep.list[1].x == null", r#"{"deep": {"list": [0, {"x": null}]}}"#, true);
    check("has(args.base) && args.base == 'x'", "{}", false);
    check("'base' in args", r#"{"base": false}"#, true);
    check("size(args) == 2", r#"{"a": 1, "b": 2}"#, true);
    check("!args.force", r#"{"force": false}"#, true);
}

#[test]
fn lists_are_walked_by_what_gives_true_or_false() {
    let args = r#"{"paths": ["/srv/a", "/srv/b", "/etc/passwd"]}"#;
    check("args.paths.all(p, p.startsWith('/srv/'))", args, false);
    check("args.paths.exists(p, p.startsWith('/etc/'))", args, true);
    check("args.paths.exists_one(p, p.startsWith('/srv/'))", args, false);
    check("args.paths.all(p, p != tool && !(p in groups))", args, true);
    check("groups.exists(g, g == 'ops')", "{}", true);
}

#[test]
fn what_is_known_besides_the_arguments() {
    for source in [
        "tool == 'merge_pull_request'",
        "client == 'cursor' && user == 'ada' && device.startsWith('laptop-')",
        "'dev' in groups && !('admins' in groups)",
        "annotations.readOnlyHint",
        // What a server leaves out means what the protocol says: destructive, and open to the world.
        "annotations.destructiveHint && annotations.openWorldHint && !annotations.idempotentHint",
        "now.year == 2026 && now.month == 11 && now.day == 23",
        "now.weekday == 1 && now.hour == 5 && now.minute == 30 && now.unix == 1795411800",
    ] {
        check(source, "{}", true);
    }
}

#[test]
fn numbers_are_compared_by_their_value_however_they_are_written() {
    for written in ["5", "5.0", "5e0", "0.5e1", "50E-1"] {
        check("args.n == 5", &format!(r#"{{"n": {written}}}"#), true);
        check("args.n > 4 && args.n < 5.5", &format!(r#"{{"n": {written}}}"#), true);
        check("args.n in [4, 5]", &format!(r#"{{"n": {written}}}"#), true);
    }
    check("args.n == 5", r#"{"n": "5"}"#, false);
    check("int(args.n) == 5", r#"{"n": "5"}"#, true);
    check("args.n == -0", r#"{"n": -0.0}"#, true);
    check("args.n == 9007199254740991", r#"{"n": 9007199254740991}"#, true);
}

#[test]
fn a_number_that_programs_read_differently_decides_nothing() {
    let why = "it looks at a number that programs read differently";
    for written in
        ["9007199254740992", "-9007199254740993", "123456789012345678901234567890", "1e400", "-1e999"]
    {
        let args = format!(r#"{{"n": {written}, "m": 1}}"#);
        assert_eq!(eval("args.n == 5", &args), Err(why.to_owned()), "{written}");
        assert_eq!(eval("args.n > 5", &args), Err(why.to_owned()), "{written}");
        // One that no condition looks at does no harm.
        check("args.m == 1", &args, true);
    }
}

#[test]
fn what_is_not_there_or_does_not_fit_is_no_answer() {
    for (source, args, why) in [
        ("args.base == 'main'", "{}", "there is no `base`"),
        ("args.a.b == 1", r#"{"a": {}}"#, "there is no `b`"),
        ("args[args.k] == 1", r#"{"k": "hunter2hunter2"}"#, "it asks for a key that is not there"),
        ("args.list[3] == 1", r#"{"list": [1]}"#, "it asks for an element that is not there"),
        ("args.n / 0 == 1", r#"{"n": 1}"#, "it divides by zero"),
        ("args.n * 9007199254740991 == 1", r#"{"n": 9007199254740991}"#, "a number in it becomes too large"),
        (
            "args.base.startsWith('m')",
            r#"{"base": 5}"#,
            "it compares or combines values of kinds that do not go together",
        ),
        (
            "args.base > 5",
            r#"{"base": "hunter2"}"#,
            "it compares or combines values of kinds that do not go together",
        ),
        ("args.base", r#"{"base": "main"}"#, "it gives neither true nor false"),
    ] {
        assert_eq!(eval(source, args), Err(why.to_owned()), "{source} of {args}");
    }
}

#[test]
fn what_is_not_known_is_no_answer() {
    let nothing = Circumstances::default();
    for source in [
        "args.a == 1",
        "annotations.readOnlyHint",
        "client == 'x'",
        "user == 'x'",
        "'x' in groups",
        "device == 'x'",
        "now.hour == 1",
    ] {
        let condition = Condition::compile(source).expect(source);
        assert!(!condition.is_answerable(TOOL, &nothing), "{source}");
        assert!(condition.holds(TOOL, &nothing, &Seen::default()).is_err(), "{source}");
    }
    let about_tool = Condition::compile("tool == 'a'").expect("a condition");
    assert!(about_tool.is_answerable(TOOL, &nothing) && !about_tool.is_answerable(Item::Server, &nothing));
    // No arguments is not the same as not known.
    let none = Circumstances { arguments: Arguments::None, ..nothing };
    let condition = Condition::compile("size(args) == 0").expect("a condition");
    assert_eq!(condition.holds(TOOL, &none, &Seen::default()), Ok(true));
}

#[test]
fn arguments_that_are_too_large_are_no_answer_and_the_others_do_no_harm() {
    let large = "x".repeat(70_000);
    let args = format!(r#"{{"large": "{large}", "small": 1}}"#);
    let why = "the arguments that it looks at are too large";
    assert_eq!(eval("args.large == 'x'", &args), Err(why.to_owned()));
    assert_eq!(eval("size(args) == 2", &args), Err(why.to_owned()));
    check("args.small == 1", &args, true);
    check("has(args.small)", &args, true);
    let many = format!(r#"{{"many": [{}0]}}"#, "0,".repeat(5_000));
    assert_eq!(eval("args.many.all(n, n == 0)", &many), Err(why.to_owned()));
}

#[test]
fn whatever_could_take_long_is_refused_with_its_place() {
    for (source, at, what) in [
        ("args.text.matches('(a+)+$')", 10, "a condition cannot call `matches`"),
        ("now.hour > 5 && duration('1s') == 1", 16, "a condition cannot call `duration`"),
        ("args.a.map(x, x + x) == []", 7, "`map` and `filter` build lists, whose size nothing bounds"),
        (
            "size(args.a.filter(x, x > 1)) > 1",
            12,
            "`map` and `filter` build lists, whose size nothing bounds",
        ),
        (
            "args.a.all(x, x.all(y, y == 1))",
            0,
            "a list cannot be walked for every element of another: nothing would bound the work",
        ),
        (
            "groups.all(x, x in args.list)",
            19,
            "`args` cannot be looked at for every element of a list: nothing would bound the work",
        ),
        (
            "args.a.all(user, user == 'x')",
            11,
            "an element cannot be called `user`: that is the name of something else",
        ),
    ] {
        assert!(mistakes(source).contains(&(at, what.to_owned())), "{source}: {:?}", mistakes(source));
    }
    let long = (0..120).map(|n| format!("args.a == {n}")).collect::<Vec<_>>().join(" || ");
    assert!(mistakes(&long)[0].1.starts_with("a condition has at most 200 parts"), "{:?}", mistakes(&long));
    for (open, close) in [("[", "]"), ("!(", ")"), ("size(", ")"), ("{1:", "}"), ("1+", ""), ("true?1:", "")]
    {
        let deep = format!("{}1{}", open.repeat(480), close.repeat(480));
        assert!(!mistakes(&deep).is_empty(), "{open}");
    }
    assert!(!mistakes(&format!("args{}", ".a".repeat(1_900))).is_empty());
    assert!(mistakes(&"x".repeat(5_000))[0].1.starts_with("a condition has at most 4000 bytes"));
}

#[test]
fn a_name_that_nobody_knows_is_a_mistake_with_its_place() {
    for (source, at, what) in [
        ("arg.base == 'main'", 0, "a condition knows no `arg`"),
        ("true || usr == 'usr'", 8, "a condition knows no `usr`"),
        ("now.hours > 5", 4, "`now` has no `hours`"),
        ("annotations.readOnly", 12, "`annotations` has no `readOnly`"),
        ("user.name == 'x'", 5, "`user` is a text or a list and has no `name`"),
        ("type(args.x) == int", 0, "a condition cannot call `type`"),
    ] {
        assert!(mistakes(source).contains(&(at, what.to_owned())), "{source}: {:?}", mistakes(source));
    }
}

#[test]
fn what_cannot_be_read_is_a_mistake_with_its_place() {
    for (source, at) in [("args.base = 'main'", 10), ("args.base ==", 12), ("'ü' == args.a b", 15), ("", 0)]
    {
        let mistakes = mistakes(source);
        assert_eq!(mistakes[0].0, at, "{source}: {mistakes:?}");
        assert!(mistakes[0].1.starts_with("this condition"), "{mistakes:?}");
    }
}

#[test]
fn hostile_texts_are_refused_and_never_panic() {
    let pieces = [
        "args",
        ".",
        "a",
        "(",
        ")",
        "[",
        "]",
        "'",
        "\"",
        "&&",
        "?",
        ":",
        "1",
        "e9",
        "0x",
        "{",
        "}",
        "\\",
        "ü",
        "in",
        " ",
        "`",
        "//",
        "\n",
        "-",
        "b'\\xff'",
        ".all(x,",
        "18446744073709551616u",
    ];
    let mut state = 7_u64;
    for _ in 0..20_000 {
        let mut source = String::new();
        for _ in 0..(state % 12) + 1 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let index = usize::try_from(state >> 33).unwrap_or(0) % pieces.len();
            source.push_str(pieces[index]);
        }
        if let Ok(condition) = Condition::compile(&source) {
            let groups = [];
            let _ = condition.holds(
                TOOL,
                &circumstances(r#"{"a": [1, "b", {"a": null}]}"#, &groups),
                &Seen::default(),
            );
        }
    }
}

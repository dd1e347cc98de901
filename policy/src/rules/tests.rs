//! What the verdict tables do not ask: everything about a policy that is no verdict.

use super::*;
use crate::document::policy::{FullDisk, UnknownMethods};
use crate::wire::Limits;

fn layer(origin: Origin, text: &str) -> Layer {
    let document = PolicyDocument::parse(origin.word(), text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    Layer { origin, name: origin.word().to_owned(), document, sha256: format!("{text:?}") }
}

fn compose(layers: &[(Origin, &str)]) -> Policy {
    Policy::compose(layers.iter().map(|(origin, text)| layer(*origin, text)).collect())
}

#[test]
fn layers_stand_furthest_first_in_whatever_order_they_were_given() {
    let policy = compose(&[
        (Origin::Flag, "version = 1"),
        (Origin::User, "version = 1"),
        (Origin::Organisation, "version = 1"),
    ]);
    let origins = policy.layers().iter().map(|layer| layer.origin).collect::<Vec<_>>();
    assert_eq!(origins, [Origin::Organisation, Origin::User, Origin::Flag]);
}

#[test]
fn the_hash_names_the_texts_and_the_places_of_all_layers() {
    let one = compose(&[(Origin::User, "version = 1")]);
    let hash = one.hash();
    assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(hash, compose(&[(Origin::User, "version = 1")]).hash());
    let others = [
        compose(&[(Origin::User, "version = 1 # other text")]),
        compose(&[(Origin::Organisation, "version = 1")]),
        compose(&[(Origin::User, "version = 1"), (Origin::Flag, "version = 1")]),
        compose(&[]),
    ];
    assert!(others.iter().all(|other| other.hash() != hash));
}

#[test]
fn the_smallest_frame_limit_holds_and_monitoring_lowers_none() {
    let small = "version = 1\n[limits]\nframe_to_server = \"1MiB\"";
    let large = "version = 1\n[limits]\nframe_to_server = \"20MiB\"";
    let watching = |text: &str| text.replace("[limits]", "mode = \"monitor\"\n[limits]");
    let to_server =
        |layers: &[(Origin, &str)]| compose(layers).frame_limits(Direction::ToServer).frame_bytes_max;
    assert_eq!(to_server(&[(Origin::User, "version = 1")]), 10 << 20);
    assert_eq!(to_server(&[(Origin::Organisation, large)]), 20 << 20);
    assert_eq!(to_server(&[(Origin::Organisation, large), (Origin::User, small)]), 1 << 20);
    assert_eq!(to_server(&[(Origin::User, &watching(small))]), 10 << 20);
    assert_eq!(to_server(&[(Origin::User, &watching(large))]), 20 << 20);
    let silent = "version = 1";
    assert_eq!(to_server(&[(Origin::Organisation, silent), (Origin::User, large)]), 10 << 20);
    assert_eq!(to_server(&[(Origin::Organisation, silent), (Origin::User, &watching(large))]), 10 << 20);
    assert_eq!(to_server(&[(Origin::Organisation, small), (Origin::User, large)]), 1 << 20);
    assert_eq!(to_server(&[(Origin::Organisation, &watching(small)), (Origin::User, large)]), 10 << 20);
    let larger = large.replace("20MiB", "24MiB");
    assert_eq!(to_server(&[(Origin::Organisation, large), (Origin::User, &larger)]), 20 << 20);
    let policy = compose(&[(Origin::User, small)]);
    assert_eq!(policy.frame_limits(Direction::ToClient), Limits::of(Direction::ToClient));
}

#[test]
fn keyword_lists_of_one_name_are_joined_and_words_stay_words() {
    let list = |words: &str, how: &str| {
        format!("version = 1\n[keywords.projects]\nwords = {words}\nmatch = \"{how}\"")
    };
    let policy = compose(&[
        (Origin::Organisation, &list("[\"b\", \"a\"]", "word")),
        (Origin::User, &list("[\"b\", \"c\"]", "word")),
        (Origin::Flag, &list("[\"part\"]", "substring")),
    ]);
    let lists = policy.keywords();
    assert_eq!(lists.len(), 2);
    assert_eq!((lists[0].words.join(" "), lists[0].whole_word), ("a b c".to_owned(), true));
    assert_eq!((lists[1].words.join(" "), lists[1].whole_word), ("part".to_owned(), false));
}

#[test]
fn the_furthest_layer_that_names_a_default_profile_decides() {
    let named = |name: &str| format!("version = 1\n[defaults]\nprofile = \"{name}\"");
    assert_eq!(compose(&[(Origin::User, "version = 1")]).default_profile(), "default");
    let (far, near) = (named("tight"), named("wide"));
    let policy = compose(&[(Origin::User, &near), (Origin::Organisation, &far)]);
    assert_eq!(policy.default_profile(), "tight");
    let policy = compose(&[(Origin::User, &near), (Origin::Organisation, "version = 1")]);
    assert_eq!(policy.default_profile(), "wide");
}

#[test]
fn one_enforcing_layer_is_enough_to_refuse_unknown_methods_and_to_stop_on_a_full_disk() {
    let closed = "version = 1\n[defaults]\nunknown_methods = \"deny\"\nfull_disk = \"stop\"";
    let policy = compose(&[(Origin::Organisation, "version = 1"), (Origin::User, closed)]);
    assert_eq!((policy.unknown_methods(), policy.full_disk()), (UnknownMethods::Deny, FullDisk::Stop));
    let watching = format!("mode = \"monitor\"\n{closed}");
    let policy = compose(&[(Origin::User, &watching)]);
    assert_eq!(
        (policy.unknown_methods(), policy.full_disk()),
        (UnknownMethods::Forward, FullDisk::DropOldest)
    );
    let nothing = compose(&[]);
    assert_eq!((nothing.unknown_methods(), nothing.full_disk()), (UnknownMethods::Deny, FullDisk::Stop));
}

/// A rule narrowed to an origin, before there is a page and after.
fn pages(effect: &str, server: &str) -> (Policy, Item<'static>) {
    let text = format!(
        "version = 1\n[defaults]\nserver = \"{server}\"\n[[rule]]\nid = \"pages\"\neffect = \"{effect}\"\n\
         features = [\"elicitation-url\"]\norigins = [\"https://a.example\"]\nreason = \"pages of a\"\n"
    );
    (compose(&[(Origin::User, &text)]), Item::Elicitation(Elicited::Url { origin: None }))
}

#[test]
fn what_may_be_denied_is_not_hidden_and_what_may_be_allowed_stays_visible() {
    for (effect, server) in [("deny", "allow"), ("ask", "allow"), ("allow", "deny")] {
        let (policy, anywhere) = pages(effect, server);
        assert_eq!(policy.access(&[], anywhere).verdict, Access::Allow, "{effect} under {server}");
    }
    let (policy, anywhere) = pages("ask", "deny");
    assert_eq!(policy.access(&[], anywhere).verdict, Access::Ask);
    let (policy, anywhere) = pages("deny", "deny");
    assert_eq!(policy.access(&[], anywhere).verdict, Access::Deny);
}

#[test]
fn what_cannot_be_told_about_a_call_is_refused() {
    let nothing = Circumstances::default();
    for (effect, server, expected) in
        [("deny", "allow", Access::Deny), ("ask", "allow", Access::Ask), ("allow", "deny", Access::Deny)]
    {
        let (policy, no_origin) = pages(effect, server);
        let ruling = policy.decide(&[], no_origin, &nothing);
        assert_eq!(ruling.verdict, expected, "{effect} under {server}");
        let reason = ruling.reason.expect("a reason").text;
        assert!(reason.contains("cannot be evaluated: the page has no address with an origin"), "{reason}");
        let there = Item::Elicitation(Elicited::Url { origin: Some("https://a.example") });
        let elsewhere = Item::Elicitation(Elicited::Url { origin: Some("https://b.example") });
        assert_eq!(policy.decide(&[], there, &nothing).verdict.word(), effect);
        assert_eq!(policy.decide(&[], elsewhere, &nothing).verdict.word(), server);
    }
}

#[test]
fn a_layer_that_only_watches_hides_nothing_before_a_call_and_says_what_it_would_do() {
    let strict = "version = 1\nmode = \"monitor\"\n[defaults]\nserver = \"deny\"";
    let ruling = compose(&[(Origin::User, strict)]).access(&[], Item::Roots);
    assert_eq!(ruling.verdict, Access::Allow);
    assert_eq!(ruling.would_have.expect("a verdict").0, Access::Deny);
}

#[test]
fn a_reason_fits_into_a_sentence() {
    let text = "version = 1\n[[rule]]\nid = \"a\"\neffect = \"deny\"\nreason = \"Merges go through review.\"";
    let ruling = compose(&[(Origin::User, text)]).access(&[], Item::Server);
    assert_eq!(ruling.reason.expect("a reason").text, "Merges go through review");
}

#[test]
fn plain_tool_names_are_short_and_of_ascii_letters_digits_and_three_signs() {
    let longest = "x".repeat(128);
    for name in ["a", "read_file", "git.status", "A-1", &longest] {
        assert!(tool_name_is_plain(name), "{name}");
    }
    let too_long = "x".repeat(129);
    for name in ["", " ", "a b", "a/b", "ä", "a\n", "a\u{200b}", "a:b", &too_long] {
        assert!(!tool_name_is_plain(name), "{name:?}");
    }
}

#[test]
fn what_the_organisation_says_is_paused_only_where_it_says_so_and_what_the_user_says_unless_it_does_not() {
    let pause = |layers: &[(Origin, &str)]| compose(layers).pause().verdict;
    const YES: &str = "version = 1\n[defaults]\npause = \"allow\"";
    const NO: &str = "version = 1\nmode = \"monitor\"\n[defaults]\npause = \"deny\"";
    const SILENT: &str = "version = 1";
    assert_eq!(pause(&[(Origin::User, SILENT)]), Access::Allow);
    assert_eq!(pause(&[(Origin::User, NO)]), Access::Deny, "a layer that only monitors has its say");
    assert_eq!(pause(&[(Origin::Organisation, SILENT), (Origin::User, YES)]), Access::Deny);
    assert_eq!(pause(&[(Origin::Organisation, YES), (Origin::User, SILENT)]), Access::Allow);
    assert_eq!(pause(&[(Origin::Organisation, YES), (Origin::Group, SILENT)]), Access::Deny);
    assert_eq!(pause(&[(Origin::Organisation, YES), (Origin::Project, NO)]), Access::Deny);
    assert_eq!(pause(&[]), Access::Deny);
}

#[test]
fn a_monitoring_policy_stops_nothing_and_says_what_it_would_stop() {
    let text = "version = 1\n[[rule]]\nid = \"no\"\neffect = \"deny\"\ntools = [\"t\"]\nreason = \"r\"\n";
    let monitoring = compose(&[(Origin::User, text)]).monitoring();
    let ruling = monitoring.access(&["a".to_owned()], Item::Tool("t"));
    assert_eq!(ruling.verdict, Access::Allow);
    assert_eq!(ruling.would_have.map(|(verdict, _)| verdict), Some(Access::Deny));
}

use super::*;

fn rule(path: &str, access: Access) -> PathRule {
    PathRule { path: path.into(), access }
}

fn read(path: &str) -> PathRule {
    rule(path, Access::Read)
}

fn exec(path: &str) -> PathRule {
    rule(path, Access::ReadExecute)
}

fn write(path: &str) -> PathRule {
    rule(path, Access::ReadWrite)
}

fn closed(path: &str) -> ClosedPlace {
    ClosedPlace { path: path.into(), closed: Closed::Entirely }
}

fn for_writing(path: &str) -> ClosedPlace {
    ClosedPlace { path: path.into(), closed: Closed::ForWriting }
}

/// The layers as text, whatever order the grants are in.
#[track_caller]
fn layers(grants: &[PathRule], places: &[ClosedPlace], grain: Grain) -> Vec<String> {
    let text = |grants: Vec<PathRule>| -> Vec<String> {
        let files = Files { closed: places.to_vec(), ..Files::plain(grants) };
        let plan = plan(&files, &[], grain);
        let layers = plan.layers.iter();
        layers.map(|layer| format!("{} {:?}", layer.path.display(), layer.what)).collect()
    };
    let one = text(grants.to_vec());
    assert_eq!(one, text(grants.iter().rev().cloned().collect()), "the order of grants matters");
    one
}

#[test]
fn directories_of_the_system_are_shown_once_where_landlock_does_the_rest() {
    let grants = [exec("/usr"), read("/etc/hosts"), read("/etc/ssl/certs"), exec("/opt/jdk"), read("/sys/a")];
    let coarse = ["/etc Bind(Read)", "/opt Bind(Execute)", "/sys/a Bind(Read)", "/usr Bind(Execute)"];
    assert_eq!(layers(&grants, &[], Grain::Coarse), coarse);
    let exact = [
        "/etc/hosts Bind(Read)",
        "/etc/ssl/certs Bind(Read)",
        "/opt/jdk Bind(Execute)",
        "/sys/a Bind(Read)",
        "/usr Bind(Execute)",
    ];
    assert_eq!(layers(&grants, &[], Grain::Exact), exact);
}

#[test]
fn grants_add_up_in_any_order() {
    let grants = [read("/h"), write("/h/w"), read("/h/w/r"), exec("/h/w/x"), write("/h/w/x/y"), exec("/h/x")];
    let expected = [
        "/h Bind(Read)",
        "/h/w Bind(Write)",
        "/h/w/x Bind(WriteExecute)",
        "/h/w/x/y Bind(Write)",
        "/h/x Bind(Execute)",
    ];
    assert_eq!(layers(&grants, &[], Grain::Coarse), expected);
    assert_eq!(layers(&grants, &[], Grain::Exact), expected);
    // Write and execution of one place: an installation, asked for by name.
    assert_eq!(layers(&[write("/h"), exec("/h")], &[], Grain::Exact), ["/h Bind(WriteExecute)"]);
}

#[test]
fn a_write_grant_in_a_directory_of_the_system_is_not_executable() {
    let expected = ["/opt Bind(Execute)", "/opt/data Bind(Write)"];
    assert_eq!(layers(&[exec("/opt"), write("/opt/data")], &[], Grain::Coarse), expected);
    assert_eq!(layers(&[exec("/opt"), write("/opt/data")], &[], Grain::Exact), expected);
}

#[test]
fn a_closed_place_is_masked_and_what_holds_it_pinned() {
    let grants = [write("/h")];
    let places = [closed("/h/.config/gh"), for_writing("/h/.git/hooks"), closed("/elsewhere")];
    let expected = [
        "/h Bind(Write)",
        "/h/.config Pin",
        "/h/.config/gh Close(Entirely, None)",
        "/h/.git Pin",
        "/h/.git/hooks Close(ForWriting, None)",
    ];
    assert_eq!(layers(&grants, &places, Grain::Coarse), expected);
    // Nothing is written in a read grant, so nothing can be renamed there.
    let expected = ["/h Bind(Read)", "/h/.config/gh Close(Entirely, None)"];
    assert_eq!(layers(&[read("/h")], &places, Grain::Exact), expected);
}

#[test]
fn a_grant_inside_a_closed_place_opens_it_again_and_one_of_the_same_place_does_not() {
    let grants = [write("/h"), write("/h/state/own"), read("/h/key"), write("/h/bin/x"), write("/h/hooks")];
    let places = [closed("/h/state"), closed("/h/key"), for_writing("/h/bin"), for_writing("/h/hooks")];
    let expected = [
        "/h Bind(Write)",
        "/h/bin Close(ForWriting, Some)",
        "/h/bin/x Bind(Write)",
        "/h/hooks Bind(Read)",
        "/h/hooks Close(ForWriting, None)",
        "/h/key Close(Entirely, None)",
        "/h/state Close(Entirely, Some)",
        "/h/state/own Bind(Write)",
    ];
    assert_eq!(layers(&grants, &places, Grain::Coarse), expected);
}

#[test]
fn a_closed_place_in_a_closed_place_needs_no_mask() {
    let places = [closed("/h/a"), closed("/h/a/b"), for_writing("/h/a/c")];
    let expected = ["/h Bind(Write)", "/h/a Close(Entirely, None)"];
    assert_eq!(layers(&[write("/h")], &places, Grain::Exact), expected);
    // One that may still be read does not hide another.
    let places = [for_writing("/h/a"), closed("/h/a/b"), for_writing("/h/a/c")];
    let expected = ["/h Bind(Write)", "/h/a Close(ForWriting, None)", "/h/a/b Close(Entirely, None)"];
    assert_eq!(layers(&[write("/h")], &places, Grain::Exact), expected);
}

#[test]
fn names_that_begin_alike_are_different_places() {
    let places = [closed("/h/secret")];
    let expected = ["/h Bind(Read)", "/h/secret Close(Entirely, None)", "/h/secrets Bind(Write)"];
    assert_eq!(layers(&[read("/h"), write("/h/secrets")], &places, Grain::Exact), expected);
}

#[test]
fn the_jails_own_places_are_no_layers() {
    let grants = vec![read("/proc"), write("/dev/null"), write("/tmp"), read("/tmp/in"), exec("/usr")];
    let scratch = Some("/s".into());
    let plan = plan(&Files { scratch, ..Files::plain(grants) }, &["/run/x".into()], Grain::Exact);
    assert_eq!(plan.proc, Some(Mode::Read));
    assert_eq!(plan.devices, [PathBuf::from("/dev/null")]);
    let text: Vec<String> =
        plan.layers.iter().map(|layer| format!("{} {:?}", layer.path.display(), layer.what)).collect();
    let expected = [
        "/run/x Bind(Read)",
        "/tmp Scratch",
        "/tmp/in Bind(Write)",
        "/usr Bind(Execute)",
        "/var/tmp Scratch",
    ];
    assert_eq!(text, expected);
}

#[test]
fn the_whole_tree_can_be_granted() {
    let files = Files { closed: vec![closed("/home/u/.ssh")], ..Files::plain(vec![read("/"), write("/h")]) };
    let plan = plan(&files, &[], Grain::Exact);
    assert_eq!(plan.root, Some(Mode::Read));
    assert_eq!(plan.proc, Some(Mode::Read));
    assert_eq!(plan.devices, [PathBuf::from("/dev")]);
    assert_eq!(plan.layers.len(), 2);
    let files = Files::plain(vec![read("/"), exec("/usr")]);
    assert_eq!(super::plan(&files, &[], Grain::Coarse).root, Some(Mode::Execute));
    assert_eq!(super::plan(&files, &[], Grain::Coarse).layers, []);
}

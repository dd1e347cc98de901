//! Command lines of containers, and what comes of them. Every attack has its control: the same without what is wrong.

use std::collections::BTreeMap;
use std::path::Path;

use stockade_sandbox::{Access, Closed};

use super::*;
use crate::identity::invocation::{Runs, parse};
use crate::plan::EntryKind;

/// A host of these paths.
struct FakeTree(BTreeMap<PathBuf, EntryKind>);

impl Tree for FakeTree {
    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        // `/link` leads to the engine's socket.
        let path = if path == Path::new("/data/link") { Path::new("/run/docker.sock") } else { path };
        self.0.contains_key(path).then(|| path.to_owned())
    }

    fn children(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    fn kind(&self, path: &Path) -> Option<EntryKind> {
        self.0.get(path).copied()
    }
}

fn tree() -> FakeTree {
    use EntryKind::{Directory, File, Other};
    let paths = [
        ("/", Directory),
        ("/var/run", Directory),
        ("/run", Directory),
        ("/run/docker.sock", Other),
        ("/data", Directory),
        ("/data/a", Directory),
        ("/data/.env", File),
        ("/data/vault", Directory),
        ("/data/.git/hooks", Directory),
        ("/data/link", Other),
        ("/data/x.sock", Other),
        ("/notes", Directory),
        ("/home/u", Directory),
        ("/data/vars", File),
    ];
    FakeTree(paths.into_iter().map(|(path, kind)| (PathBuf::from(path), kind)).collect())
}

fn granted() -> Granted {
    let path = |path: &str, access| PathRule { path: path.into(), access };
    let closed = |path: &str, closed| ClosedPlace { path: path.into(), closed };
    Granted {
        paths: vec![path("/data", Access::ReadWrite), path("/notes", Access::Read)],
        closed: vec![
            closed("/data/.env", Closed::Entirely),
            closed("/data/vault", Closed::Entirely),
            closed("/data/.git/hooks", Closed::ForWriting),
            closed("/data/later", Closed::Entirely),
        ],
        variables: vec!["TOKEN".into()],
        network: Network::Bridge,
        processes: 256,
        memory_bytes: 1 << 30,
        cwd: "/data".into(),
    }
}

fn judged_by(line: &str, granted: &Granted) -> Result<Judged, Vec<Objection>> {
    let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    let asked = parse(&words);
    let Runs::Container(run) = asked.runs else { panic!("no container: {line}") };
    assert!(asked.remainder.is_empty(), "{line}: {:?}", asked.remainder);
    judge(&run, granted, ("stockade-1", &run.image), &tree())
}

fn text(judged: &Judged) -> String {
    judged.words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

const ALWAYS: &str = "run --interactive --rm --init --name=stockade-1 --cap-drop=ALL --security-opt=no-new-privileges \
                      --pids-limit=256 --memory=1073741824 --memory-swap=1073741824";

#[test]
fn every_container_gets_the_same_walls() {
    for line in ["docker run i a -b", "docker run -it --rm --init --name mine --cap-drop NET_RAW i a -b"] {
        let judged = judged_by(line, &granted()).unwrap();
        assert_eq!(text(&judged), format!("{ALWAYS} --network=bridge --pull=missing i a -b"), "{line}");
    }
    let judged = judged_by("podman run -i i", &granted()).unwrap();
    assert!(text(&judged).contains("--http-proxy=false"), "{judged:?}");
    let offline = Granted { network: Network::None, ..granted() };
    let judged = judged_by("docker run -i --network bridge --dns 1.1.1.1 i", &offline).unwrap();
    assert_eq!(text(&judged), format!("{ALWAYS} --network=none --pull=missing i"));
    assert_eq!((judged.network, judged.notes.len()), (Network::None, 2), "{judged:?}");
}

/// Options that give the host, or what others run on it, away.
const GIVE_AWAY: &[&str] = &[
    "--privileged",
    "--privileged=true",
    "--network host",
    "--net=host",
    "--network container:other",
    "--network mynet",
    "--network ns:/proc/1/ns/net",
    "--pid host",
    "--pid=container:x",
    "--ipc host",
    "--uts host",
    "--userns host",
    "--cgroupns host",
    "--cgroup-parent /",
    "--device /dev/sda",
    "--device-cgroup-rule x",
    "--gpus all",
    "--cap-add SYS_ADMIN",
    "--cap-add=ALL",
    "--security-opt seccomp=unconfined",
    "--security-opt apparmor=unconfined",
    "--security-opt label=disable",
    "--security-opt systempaths=unconfined",
    "--security-opt no-new-privileges:false",
    "-v /var/run/docker.sock:/s",
    "-v /run:/r:ro",
    "-v /:/host:ro",
    "-v /data/link:/s:ro",
    "-v /data/x.sock:/s:ro",
    "--mount type=bind,src=/var/run,dst=/r,readonly",
    "-v /home/u:/h",
    "-v /home/u:/h:ro",
    "-v /notes:/n",
    "-v /data/.env:/e:ro",
    "-v /data/vault:/v",
    "-v /data/absent:/d",
    "-v /data:/d:shared",
    "-v /data:/d:U",
    "-v /data:/../etc",
    "-v ./../home/u:/h",
    "--mount type=bind,src=/notes,dst=/n",
    "--mount type=bind,src=/data,dst=/d,bind-propagation=rshared",
    "--mount type=volume,src=v,dst=/d,volume-opt=device=/",
    "--volumes-from other",
    "--volume-driver x",
    "--use-api-socket",
    "-p 80:80",
    "-P",
    "--link other",
    "--add-host h:host-gateway",
    "-d",
    "--restart always",
    "--cidfile /x",
    "--runtime evil",
    "--sysctl net.ipv4.ip_forward=1",
    "--annotation a=b",
    "--oom-kill-disable",
    "--oom-score-adj -1000",
    "--env-file /home/u/x",
    "--env-file /data/.env",
    "--log-driver syslog",
    "--log-opt syslog-address=tcp://h",
    "-e A*",
    "--label-file /x",
    "--isolation process",
    "-m lots",
];

#[test]
fn what_gives_the_host_away_is_refused_with_a_reason_and_a_remedy() {
    for options in GIVE_AWAY {
        let objections = judged_by(&format!("docker run -i {options} i"), &granted()).expect_err(options);
        assert_eq!(objections.len(), 1, "{options}: {objections:?}");
        for objection in objections {
            assert!(
                objection.what.starts_with("--") && !objection.why.is_empty() && !objection.remedy.is_empty(),
                "{objection:?}"
            );
        }
    }
    for options in [
        "--env-host",
        "--secret s",
        "--pod p",
        "--rootfs",
        "--init-path /x",
        "--group-add keep-groups",
        "--pidfile /x",
    ] {
        judged_by(&format!("podman run -i {options} i"), &granted()).expect_err(options);
    }
    // The control: what gives nothing away is let through.
    for options in [
        "--privileged=false",
        "--network none",
        "--network bridge",
        "--pid private",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "-v /data:/d",
        "-v /notes:/n:ro",
        "-v a:/d:cached",
        "-v cache:/c",
        "-v /anon",
        "--mount type=bind,src=/notes,dst=/n,readonly",
        "--tmpfs /t",
        "--user 1000:1000",
        "--entrypoint sh",
        "-w /d",
        "--cpus 2",
        "--read-only",
        "--platform linux/amd64",
        "--env-file /data/vars",
        "--restart no",
        "-l a=b",
        "-m 64m",
        "--add-host h:192.0.2.1",
        "--runtime runsc",
        "--log-driver none",
        "--ulimit nofile=64",
        "--hostname h",
    ] {
        judged_by(&format!("docker run -i {options} i"), &granted())
            .unwrap_or_else(|why| panic!("{options}: {why:?}"));
    }
}

#[test]
fn all_objections_are_told_at_once() {
    let objections = judged_by("docker run --privileged --pid=host -v /home/u:/h i", &granted()).unwrap_err();
    let what: Vec<&str> = objections.iter().map(|objection| objection.what.as_str()).collect();
    assert_eq!(what, ["--privileged", "--pid", "--mount"]);
    assert!(objections[2].remedy.contains("--grant-write /home/u"), "{objections:?}");
}

#[test]
fn what_is_closed_in_a_mounted_directory_is_masked() {
    let judged = judged_by("docker run -v /data:/w i", &granted()).unwrap();
    for mount in [
        "--mount=type=bind,source=/data,target=/w",
        "--mount=type=bind,source=/dev/null,target=/w/.env,readonly",
        "--mount=type=tmpfs,target=/w/vault,tmpfs-size=4096,tmpfs-mode=0",
        "--mount=type=bind,source=/data/.git/hooks,target=/w/.git/hooks,readonly",
    ] {
        assert!(judged.words.iter().any(|word| word == mount), "no {mount}: {judged:#?}");
    }
    assert!(!text(&judged).contains("later"), "what does not exist cannot be mounted over");
    let read_only = judged_by("docker run -v /data:/w:ro i", &granted()).unwrap();
    assert!(!text(&read_only).contains("hooks"), "nothing can be written there anyway");
    let below = judged_by("docker run -v /data/a:/w i", &granted()).unwrap();
    assert!(!text(&below).contains(".env"), "it does not lie there");
}

#[test]
fn only_granted_variables_come_from_the_environment() {
    let judged = judged_by("docker run -e TOKEN -e OTHER -e GIVEN=1 i", &granted()).unwrap();
    let text = text(&judged);
    assert!(
        text.contains("--env=TOKEN") && text.contains("--env=GIVEN=1") && !text.contains("OTHER"),
        "{text}"
    );
    assert!(judged.notes.iter().any(|note| note.contains("OTHER")), "{judged:?}");
    assert!(!judged.notes.concat().contains("GIVEN"), "{judged:?}");
}

#[test]
fn limits_can_be_tightened_and_not_widened() {
    let of = |options: &str| text(&judged_by(&format!("docker run {options} i"), &granted()).unwrap());
    assert!(
        of("--pids-limit 10 -m 64m").contains("--pids-limit=10 --memory=67108864 --memory-swap=67108864")
    );
    for wide in ["--pids-limit 100000 -m 64g", "--pids-limit -1", "--pids-limit 0 -m 0", "--memory-swap -1"] {
        assert!(of(wide).contains("--pids-limit=256 --memory=1073741824 --memory-swap=1073741824"), "{wide}");
    }
}

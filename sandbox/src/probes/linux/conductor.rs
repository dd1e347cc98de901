//! Runs the sessions, bare and in each backend, and hears what is said in them.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::beside;
use super::deeds;
use super::judge::{self, Ran};
use super::probe::{Probe, Said, Setting};
use super::stage::Stage;
use crate::Backend;
use crate::os::facts::Facts;
use crate::probes::{
    Bare, Claim, Fenced, Guarantee, LeftOut, Options, Proof, ProveError, SelfCommand, Verdict,
};

/// Names under which programs keep secrets; each holds this run's in the environment of the launcher.
pub(super) const SECRET_VARIABLES: [&str; 6] = [
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "OPENAI_API_KEY",
    "DATABASE_URL",
    "SSH_AUTH_SOCK",
    "STOCKADE_PROVE_SECRET",
];

/// Runs every probe without a jail, then in each backend that this host has.
///
/// # Errors
/// When the stage can't be made or a part can't be played: then nothing is known.
pub fn prove(options: &Options) -> Result<Proof, ProveError> {
    let facts = Facts::gather();
    let wanted = |probe: &&Probe| {
        options.only.is_empty() || options.only.iter().any(|word| probe.id.contains(word.as_str()))
    };
    let probes: Vec<&'static Probe> = deeds::all().filter(wanted).collect();
    let grants = beside::lines(&options.beside);
    let at = |place| Site { place, this: &options.this, weak: &[], grants: &grants };
    let bare = match in_place(at(Place::Bare), &probes)? {
        Tried::Ran { verdicts, .. } => verdicts,
        Tried::Refused(why) => return Err(ProveError::Part { place: "bare".to_owned(), why }),
    };
    let (mut fenced, mut left_out) = (Vec::new(), Vec::new());
    for backend in [Backend::Namespaces, Backend::Notify, Backend::Static] {
        if !options.backends.is_empty() && !options.backends.contains(&backend) {
            continue;
        }
        match in_place(at(Place::Jail(backend)), &probes)? {
            Tried::Ran { verdicts, landlock_abi, claims } => {
                fenced.push(Fenced { backend, landlock_abi, claims, verdicts });
            }
            Tried::Refused(why) => left_out.push(LeftOut { backend, why }),
        }
    }
    Ok(Proof {
        kernel: facts.kernel,
        uid: facts.uid,
        probes: probes.iter().map(|probe| probe.facts()).collect(),
        bare,
        fenced,
        left_out,
    })
}

/// Plays these probes in a jail out of which something is taken, and says what came of them.
///
/// # Errors
/// When the stage can't be made, a part can't be played, or there is no such jail.
#[cfg(feature = "weaken")]
pub fn weakened(
    this: &SelfCommand,
    backend: Backend,
    weak: &[&str],
    ids: &[&str],
) -> Result<Bare, ProveError> {
    let probes: Vec<&'static Probe> = deeds::all().filter(|probe| ids.contains(&probe.id)).collect();
    let place = Place::Jail(backend);
    match in_place(Site { place, this, weak, grants: &[] }, &probes)? {
        Tried::Ran { verdicts, .. } => Ok(verdicts),
        Tried::Refused(why) => Err(ProveError::Part { place: place.name(), why }),
    }
}

/// Where probes are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Bare,
    Jail(Backend),
}

impl Place {
    fn name(self) -> String {
        match self {
            Self::Bare => "bare".to_owned(),
            Self::Jail(backend) => format!("in {}", backend.word()),
        }
    }
}

/// A place with what is needed to play there.
#[derive(Clone, Copy, Debug)]
struct Site<'a> {
    place: Place,
    this: &'a SelfCommand,
    /// What is taken out of the jail.
    weak: &'a [&'a str],
    /// What a profile grants in it.
    grants: &'a [(&'static str, String)],
}

/// What came of a place.
enum Tried {
    Ran {
        verdicts: Bare,
        landlock_abi: u32,
        claims: BTreeMap<Guarantee, Claim>,
    },
    /// This host has no such jail.
    Refused(String),
}

/// Probes that are played together.
struct Session {
    probes: Vec<&'static Probe>,
    network: &'static str,
    end: End,
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    ByItself,
    LauncherKilled,
}

fn in_place(site: Site<'_>, probes: &[&'static Probe]) -> Result<Tried, ProveError> {
    let mut verdicts = Bare::new();
    let (mut landlock_abi, mut claims) = (0, BTreeMap::new());
    let sessions = sessions(site.place, probes);
    // Most of their time they wait, each for limits and ends of its own.
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            sessions.iter().map(|session| scope.spawn(move || run(site, session))).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    for (session, result) in sessions.iter().zip(results) {
        let panicked =
            |_| ProveError::Part { place: site.place.name(), why: "a session was lost".to_owned() };
        let (stage, ran) = result.map_err(panicked)??;
        if let Some(why) = ran.refused {
            if verdicts.is_empty() {
                return Ok(Tried::Refused(why));
            }
            for probe in &session.probes {
                let how = format!("a jail with the network {} can't be had: {why}", session.network);
                combine(&mut verdicts, probe, Verdict::Doubtful { how });
            }
            continue;
        }
        for probe in &session.probes {
            combine(&mut verdicts, probe, judge::verdict(probe, &ran, &stage));
        }
        landlock_abi = ran.landlock_abi;
        for (guarantee, claim) in ran.claims {
            // What one of them claims in full and another doesn't is not claimed in full.
            let before = claims.entry(guarantee).or_insert(Claim::Full);
            if *before == Claim::Full {
                *before = claim;
            }
        }
    }
    Ok(Tried::Ran { verdicts, landlock_abi, claims })
}

fn sessions(place: Place, probes: &[&'static Probe]) -> Vec<Session> {
    let of = |settings: &[Setting]| -> Vec<&'static Probe> {
        probes.iter().copied().filter(|probe| settings.contains(&probe.setting)).collect()
    };
    let session = |probes, network, end| Session { probes, network, end };
    let network = if place == Place::Bare { "open" } else { "none" };
    let mut all = vec![session(of(&[Setting::Shared, Setting::Network]), network, End::ByItself)];
    if matches!(place, Place::Jail(Backend::Namespaces | Backend::Notify)) {
        all.push(session(of(&[Setting::Network]), "brokered", End::ByItself));
    }
    all.push(session(of(&[Setting::ServerEnds]), "none", End::ByItself));
    all.push(session(of(&[Setting::LauncherKilled]), "none", End::LauncherKilled));
    for probe in of(&[Setting::Alone]) {
        all.push(session(vec![probe], "none", End::ByItself));
    }
    all.retain(|session| !session.probes.is_empty());
    all
}

/// A probe that was played twice: the worse of both counts, and of what is granted the better.
fn combine(verdicts: &mut Bare, probe: &'static Probe, new: Verdict) {
    let rank = |verdict: &Verdict| match (verdict, probe.kind) {
        (Verdict::NotHere { .. }, _) => 0,
        (Verdict::Stopped { .. }, _) => 1,
        (Verdict::Doubtful { .. }, _) => 2,
        (Verdict::Open { .. }, _) => 3,
    };
    match verdicts.get_mut(probe.id) {
        Some(Verdict::Stopped { how }) if rank(&new) == 1 => {
            if let Verdict::Stopped { how: also } = new
                && *how != also
            {
                *how = format!("{how}; with a brokered network {also}");
            }
        }
        Some(old) if rank(old) >= rank(&new) => {}
        _ => {
            verdicts.insert(probe.id, new);
        }
    }
}

fn run(site: Site<'_>, session: &Session) -> Result<(Stage, Ran), ProveError> {
    let made = |what| move |source| ProveError::Stage { what, source };
    let end = if session.end == End::LauncherKilled { "killed" } else { "itself" };
    let mut extra = vec![("end", end.to_owned()), ("network", session.network.to_owned())];
    extra.extend(site.grants.iter().cloned());
    extra.extend(site.weak.iter().map(|word| ("weak", (*word).to_owned())));
    let stage =
        Stage::new(site.this, &session.probes, &extra).map_err(made("the place where the probes play"))?;
    let mut launcher = start(site, session, &stage).map_err(made("a process that starts the probes"))?;
    let heard = listen(&mut launcher, &stage, session.end);
    let _ = launcher.kill();
    launcher.wait().map_err(made("a process that starts the probes"))?;
    let mut ran = heard.map_err(made("a pipe to the probes"))?;
    if let Some(why) = ran.failed.take() {
        return Err(ProveError::Part { place: site.place.name(), why });
    }
    // What was sent last has to arrive.
    std::thread::sleep(stage.patience.with(Duration::from_millis(100)));
    ran.survivors = judge::survivors(&stage, &session.probes);
    Ok((stage, ran))
}

fn start(site: Site<'_>, session: &Session, stage: &Stage) -> io::Result<Child> {
    let mut command = Command::new(&site.this.program);
    command.args(&site.this.words);
    match site.place {
        Place::Bare => command.arg("bare"),
        Place::Jail(backend) => command.args(["jail", backend.word(), session.network]),
    };
    command.arg(stage.root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    for name in SECRET_VARIABLES {
        command.env(name, &stage.secret);
    }
    command.spawn()
}

/// Hears a session to its end, and does what deeds ask for.
fn listen(launcher: &mut Child, stage: &Stage, end: End) -> io::Result<Ran> {
    let mut ran = Ran::default();
    let stdout = launcher.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        match line.split_once(' ') {
            Some((">", line)) => {
                if line == "over" && end == End::LauncherKilled {
                    launcher.kill()?;
                    break;
                }
                hear_player(line, &mut ran, stage);
            }
            Some(("refused", why)) => ran.refused = Some(why.to_owned()),
            Some(("failed", why)) => ran.failed = Some(why.to_owned()),
            Some(("limit", which)) => ran.limit = Some(which.to_owned()),
            Some(("abi", abi)) => ran.landlock_abi = abi.parse().unwrap_or(0),
            Some(("claim", rest)) => hear_claim(rest, &mut ran),
            _ if line == "late" => ran.failed = Some("the probes did not come to an end".to_owned()),
            _ => {}
        }
    }
    Ok(ran)
}

fn hear_claim(line: &str, ran: &mut Ran) {
    let mut words = line.splitn(3, ' ');
    let (Some(id), Some(word)) = (words.next(), words.next()) else { return };
    let text = words.next().unwrap_or("").to_owned();
    let claim = match word {
        "Full" => Claim::Full,
        "Partial" => Claim::Partial { missing: text },
        _ => Claim::None { why: text },
    };
    if let Some(guarantee) = Guarantee::ALL.into_iter().find(|guarantee| guarantee.id() == id) {
        ran.claims.insert(guarantee, claim);
    }
}

fn hear_player(line: &str, ran: &mut Ran, stage: &Stage) {
    let mut words = line.splitn(3, ' ');
    let (word, id, rest) = (words.next(), words.next(), words.next());
    match (word, id, rest) {
        (Some("result"), Some(id), Some(rest)) => {
            if let (Some(probe), Some(said)) = (deeds::all().find(|probe| probe.id == id), Said::read(rest)) {
                ran.said.insert(probe.id, said);
            }
        }
        (Some("ask"), Some(id), Some(wish)) => answer(id, wish, stage),
        (Some("lost"), ..) => ran.failed = Some(line.to_owned()),
        _ => {}
    }
}

/// What can't be done is seen by whoever asked for it: nothing comes.
fn answer(id: &str, wish: &str, stage: &Stage) {
    match wish.split_once(' ') {
        Some(("call", port)) => {
            let port = port.parse().unwrap_or(0);
            if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                let _ = stream.write_all(stage.secret.as_bytes());
            }
        }
        _ if wish == "late-place" => {
            let _ = stage.make_late_place(id);
        }
        _ => {}
    }
}

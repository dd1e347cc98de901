//! Two threads change the address and the descriptor while a third one connects.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;
use std::process::{Command, ExitCode};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};

use super::harness::{Test, say};
use super::jail::{Backend, Jail, this_binary};
use super::notify::Place;
use super::sockets::sys;

pub(crate) const TESTS: &[Test] =
    &[("a connection goes where it was decided, however the program changes its mind", race)];

const TRIES: &str = "4000";

fn race(_: Backend) {
    let (granted, other) = (Place::new(), Place::new());
    let (granted_port, other_port) = (granted.at.port().to_string(), other.at.port().to_string());
    let words = ["sockets", "race", &granted_port, &other_port, TRIES];

    // The control: a supervisor that looks, decides, and lets the call go on is beaten by this very program.
    let mut beaten = 0;
    for _ in 0..10 {
        let mut careless = Command::new(this_binary());
        careless.arg("__careless").arg(&granted_port).args(words);
        let output = careless.output().expect("starts");
        let made = made(&String::from_utf8_lossy(&output.stdout));
        beaten = other.came();
        say(&format!("  a careless supervisor: {made} made, {beaten} of them where none was granted"));
        if beaten > 0 {
            break;
        }
    }
    assert!(beaten > 0, "the race isn't one, so the rest proves nothing");
    granted.came();

    let way = format!("{}=direct:{}", granted.at, granted.at);
    let jail = Jail::new(Backend::Notify).option("--net", "brokered").option("--way", way);
    let (answer, run) = jail.probed(&words);
    let made: usize = answer.text().parse().expect("a number");
    let wished_other =
        run.lines("wish").iter().filter(|wish| wish.starts_with(&other.at.to_string())).count();
    let beaten = other.came();
    say(&format!("  ours: {made} made, {wished_other} refused, {beaten} where none was granted"));
    assert_eq!(beaten, 0);
    assert!(made > 0 && granted.came() > 0, "some are granted");
    assert!(wished_other > 0, "the address changes");
}

fn made(printed: &str) -> usize {
    let line = printed.lines().find_map(|line| line.strip_prefix("@ok "));
    line.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no count in {printed}"))
}

/// `__careless PORT WORDS`: a probe under a supervisor as it must not be.
pub(crate) fn careless(words: &[String]) -> ExitCode {
    let (granted, words) = words.split_first().expect("a port");
    let flags = SockFlag::SOCK_CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags).expect("a pair");
    let child = sys::fork_and(|| {
        let listener = sys::ask_about_connect().expect("a filter");
        let raw = [listener.as_raw_fd()];
        let data = [IoSlice::new(b"l")];
        let rights = [ControlMessage::ScmRights(&raw)];
        sendmsg::<()>(theirs.as_raw_fd(), &data, &rights, MsgFlags::empty(), None).expect("sent");
        drop(listener);
        use std::os::unix::process::CommandExt;
        let error = Command::new(this_binary()).arg("__probe").args(words).exec();
        panic!("{error}");
    });
    child.expect("a child");
    let mut space = nix::cmsg_space!([i32; 1]);
    let mut byte = [0; 1];
    let mut into = [IoSliceMut::new(&mut byte)];
    let message = recvmsg::<()>(ours.as_raw_fd(), &mut into, Some(&mut space), MsgFlags::empty());
    let message = message.expect("received");
    let fd = message.cmsgs().expect("controls").find_map(|control| match control {
        ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
        _ => None,
    });
    let listener = sys::own(fd.expect("a listener"));
    sys::serve_carelessly(&listener, granted.parse().expect("a port")).expect("serves");
    ExitCode::SUCCESS
}

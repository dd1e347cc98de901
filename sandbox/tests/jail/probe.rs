//! The program in the jail: one small deed a name, its result as `@ok TEXT` or `@errno N`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::harness::say;
use super::{hog, sys};

/// So long a chain of processes goes on when nobody ends it.
pub(crate) const HARES_RUN: Duration = Duration::from_secs(60);

/// `__probe NAME WORDS`
pub(crate) fn run(words: &[String]) -> ExitCode {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match deed(&words) {
        Ok(text) => say(&format!("@ok {text}")),
        Err(error) => say(&format!("@errno {}", error.raw_os_error().unwrap_or(-1))),
    }
    ExitCode::SUCCESS
}

fn deed(words: &[&str]) -> io::Result<String> {
    match words {
        ["sockets", rest @ ..] => super::sockets::deed(rest),
        ["syscall", number, arguments @ ..] => {
            let mut all = [0; 6];
            for (place, word) in all.iter_mut().zip(arguments) {
                *place = number_of(word);
            }
            sys::raw(number_of(number).cast_signed(), all).map(|result| result.to_string())
        }
        #[cfg(target_arch = "x86_64")]
        ["int80"] => Ok(sys::getpid_of_i386().to_string()),
        ["env"] => {
            let mut pairs: Vec<String> =
                std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            pairs.sort();
            Ok(pairs.join(" "))
        }
        ["fds"] => Ok(open_descriptors()),
        ["status", field] => status(field),
        ["limit", name] => limit(name),
        // The mark tells the chains of one test from all other processes.
        ["hares", chains, _mark] => {
            let until = Instant::now() + HARES_RUN;
            for _ in 0..number_of(chains) {
                sys::start_hares(until)?;
            }
            Ok(String::new())
        }
        ["hog", rest @ ..] => hog::deed(rest),
        ["threads", count] => threads(number_of(count)),
        [name, rest @ ..] => file_deed(name, rest).or_else(|error| match error.kind() {
            io::ErrorKind::Unsupported => socket_deed(name, rest),
            _ => Err(error),
        }),
        [] => panic!("no probe"),
    }
}

fn file_deed(name: &str, words: &[&str]) -> io::Result<String> {
    let opened = |options: &mut OpenOptions, path: &&str| options.open(path).map(drop);
    match (name, words) {
        ("read", [path]) => {
            let mut text = String::new();
            File::open(path)?.read_to_string(&mut text)?;
            return Ok(text.trim().replace('\n', " "));
        }
        ("list", [path]) => return Ok(fs::read_dir(path)?.count().to_string()),
        ("stat", [path]) => fs::metadata(path).map(drop),
        ("write", [path]) => {
            OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(b"x"))
        }
        ("append", [path]) => opened(OpenOptions::new().append(true), path),
        ("create", [path]) => opened(OpenOptions::new().write(true).create_new(true), path),
        ("tmpfile", [path]) => opened(OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE), path),
        ("truncate", [path]) => nix::unistd::truncate(*path, 0).map_err(Into::into),
        ("open-truncating", [path]) => {
            opened(OpenOptions::new().read(true).custom_flags(libc::O_TRUNC), path)
        }
        ("rename", [from, to]) => fs::rename(from, to),
        ("link", [from, to]) => fs::hard_link(from, to),
        ("symlink", [from, to]) => std::os::unix::fs::symlink(from, to),
        ("unlink", [path]) => fs::remove_file(path),
        ("mkdir", [path]) => fs::create_dir(path),
        ("rmdir", [path]) => fs::remove_dir(path),
        ("chmod", [path, mode]) => fs::set_permissions(path, fs::Permissions::from_mode(mode_of(mode))),
        ("fchmod", [path, mode]) => {
            File::open(path)?.set_permissions(fs::Permissions::from_mode(mode_of(mode)))
        }
        ("create-mode", [path, mode]) => {
            opened(OpenOptions::new().write(true).create_new(true).mode(mode_of(mode)), path)
        }
        ("tmpfile-mode", [path, mode]) => {
            let mut options = OpenOptions::new();
            opened(options.write(true).custom_flags(libc::O_TMPFILE).mode(mode_of(mode)), path)
        }
        ("mkdir-mode", [path, mode]) => fs::DirBuilder::new().mode(mode_of(mode)).create(path),
        ("mknod-mode", [path, mode]) => {
            let mode = nix::sys::stat::Mode::from_bits_truncate(mode_of(mode));
            nix::sys::stat::mknod(*path, nix::sys::stat::SFlag::S_IFREG, mode, 0).map_err(Into::into)
        }
        ("fifo", [path]) => nix::unistd::mkfifo(*path, nix::sys::stat::Mode::S_IRUSR).map_err(Into::into),
        ("read-through-link", [from, to]) => {
            std::os::unix::fs::symlink(from, to)?;
            File::open(to).map(drop)
        }
        ("read-hard-link", [from, to]) => {
            fs::hard_link(from, to)?;
            File::open(to).map(drop)
        }
        ("exec", [path]) => Command::new(path).output().map(drop),
        ("exec-by-fd", [path]) => {
            let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)?;
            use std::os::fd::AsRawFd;
            Command::new(format!("/proc/self/fd/{}", file.as_raw_fd())).output().map(drop)
        }
        ("read-then-exchange", [from, to]) => fs::rename(from, to).and_then(|()| File::open(to).map(drop)),
        _ => return Err(io::ErrorKind::Unsupported.into()),
    }?;
    Ok(String::new())
}

fn socket_deed(name: &str, words: &[&str]) -> io::Result<String> {
    match (name, words) {
        ("tcp", [address]) => TcpStream::connect(address).map(drop),
        ("udp", [address]) => UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", address).map(drop),
        ("unix", [path]) => UnixStream::connect(path).map(drop),
        ("pair", [kind]) => {
            let kind = match *kind {
                "stream" => SockType::Stream,
                "seqpacket" => SockType::SeqPacket,
                "datagram" => SockType::Datagram,
                other => panic!("unknown kind {other}"),
            };
            socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).map(drop).map_err(Into::into)
        }
        ("interfaces", []) => {
            // getifaddrs(3) asks by netlink.
            let result = sys::raw(libc::SYS_socket, [16, 3, 0, 0, 0, 0]);
            result.map(drop)
        }
        _ => return super::doors::deed(name, words),
    }?;
    Ok(String::new())
}

/// Every open descriptor, by asking for each: /proc may be out of reach.
fn open_descriptors() -> String {
    let open: Vec<String> = (0..4096)
        .filter(|fd| sys::raw(libc::SYS_fcntl, [*fd, 1, 0, 0, 0, 0]).is_ok())
        .map(|fd| fd.to_string())
        .collect();
    open.join(" ")
}

/// A field of /proc/self/status.
fn status(field: &str) -> io::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Ok(value.unwrap_or("absent").trim().to_owned())
}

fn limit(name: &str) -> io::Result<String> {
    use nix::sys::resource::{Resource, getrlimit};
    let resource = match name {
        "files" => Resource::RLIMIT_NOFILE,
        "bytes" => Resource::RLIMIT_FSIZE,
        "processes" => Resource::RLIMIT_NPROC,
        "cpu" => Resource::RLIMIT_CPU,
        "core" => Resource::RLIMIT_CORE,
        other => panic!("unknown limit {other}"),
    };
    let (soft, hard) = getrlimit(resource)?;
    Ok(format!("{soft} {hard}"))
}

/// Starts threads until one is refused, and says how many there were.
fn threads(count: u64) -> io::Result<String> {
    let mut started = 0u64;
    for _ in 0..count {
        let thread = std::thread::Builder::new().stack_size(64 * 1024);
        if thread.spawn(std::thread::park).is_err() {
            break;
        }
        started += 1;
    }
    Ok(started.to_string())
}

/// Octal, as chmod(1) takes it.
fn mode_of(word: &str) -> u32 {
    u32::from_str_radix(word, 8).expect("an octal number")
}

/// Decimal, or hexadecimal with 0x.
fn number_of(word: &str) -> u64 {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).expect("a hexadecimal number"),
        None => word.parse().expect("a number"),
    }
}

//! G9: running native code from where the server may write.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::probe::{Deed, Failed, Probe, Seen};
use super::super::scene::{Scene, c, text};
use super::super::sys::{Arg, Mapping, call, load_library};
use super::super::tiny_elf;
use super::files::{execveat, run};
use crate::probes::proof::Kind;
use crate::probes::{Control, Guarantee};

const PROGRAM: &str = "a program that the server wrote";
const LIBRARY: &str = "a library that the server wrote";
const MEMORY: &str = "a program in memory";

pub(super) const PROBES: &[Probe] = &[
    Probe::new(Guarantee::NativeCode, "G9-granted-exec", |_| {
        match Command::new(system_program()?).status()?.code() {
            Some(0) => Ok(Seen::Done),
            other => Err(Failed::Odd(format!("it ended with {other:?}"))),
        }
    })
    .of_kind(Kind::Grant)
    .tries("execve", "a granted program"),
    native("G9-exec", |scene| run(Command::new(written(scene)?))).tries("execve", PROGRAM),
    native("G9-execveat", |scene| {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(written(scene)?)?;
        execveat(scene, file.as_raw_fd())
    })
    .tries("execveat(AT_EMPTY_PATH)", PROGRAM),
    native("G9-exec-proc-fd", |scene| {
        let file = File::open(written(scene)?)?;
        run(Command::new(format!("/proc/self/fd/{}", file.as_raw_fd())))
    })
    .tries("execve(/proc/self/fd)", PROGRAM),
    native("G9-exec-hard-link", |scene| {
        let link = scene.own().join("link");
        fs::hard_link(written(scene)?, &link)?;
        run(Command::new(link))
    })
    .tries("link, execve", PROGRAM),
    native("G9-exec-tmpfile", |scene| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_TMPFILE).mode(0o700);
        let mut file = options.open(scene.own())?;
        file.write_all(&tiny_elf::bytes())?;
        // A file that is open for writing can't be executed.
        let again = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        drop(file);
        execveat(scene, again.as_raw_fd())
    })
    .tries("open(O_TMPFILE), execveat", "a file without a name"),
    native("G9-exec-tmp", |scene| in_directory(scene, Path::new("/tmp")))
        .tries("execve", "a program in /tmp"),
    native("G9-exec-shm", |scene| in_directory(scene, Path::new("/dev/shm")))
        .tries("execve", "a program in /dev/shm"),
    native("G9-shebang", |scene| {
        let script = scene.own().join("script");
        fs::write(&script, format!("#!/bin/sh\nexit {}\n", tiny_elf::EXIT))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700))?;
        run(Command::new(script))
    })
    .tries("execve", "a script that the server wrote"),
    native("G9-loader", |scene| {
        let copy = scene.own().join("copy");
        fs::copy(system_program()?, &copy)?;
        started(Command::new(mapped("ld-")?).arg(copy).stderr(Stdio::null()))
    })
    .tries("ld.so FILE", PROGRAM),
    native("G9-loader-readable", |scene| {
        let copy = scene.own().join("copy");
        fs::copy(system_program()?, &copy)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o400))?;
        started(Command::new(mapped("ld-")?).arg(copy).stderr(Stdio::null()))
    })
    .tries("ld.so FILE", "a file without an executable bit"),
    native("G9-dlopen", |scene| load(&library(scene)?)).tries("dlopen", LIBRARY),
    native("G9-preload", |scene| {
        let library = library(scene)?;
        let output = Command::new(system_program()?).env("LD_PRELOAD", library).output()?;
        // ld.so goes on without it, and says so.
        match output.stderr.is_empty() {
            true => Ok(Seen::Done),
            false => Err(Failed::Odd(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    })
    .tries("LD_PRELOAD", LIBRARY),
    native("G9-library-path", |scene| {
        let libc = mapped("libc.so")?;
        let name = libc.file_name().ok_or_else(|| Failed::Unfit("libc has no name".to_owned()))?.to_owned();
        fs::copy(&libc, scene.own().join(name))?;
        started(Command::new(system_program()?).env("LD_LIBRARY_PATH", scene.own()).stderr(Stdio::null()))
    })
    .tries("LD_LIBRARY_PATH", "a C library that the server wrote"),
    native("G9-mmap", |scene| {
        let file = File::open(written(scene)?)?;
        let access = libc::PROT_READ | libc::PROT_EXEC;
        Mapping::new(file.as_raw_fd(), 4096, access, libc::MAP_PRIVATE)?;
        Ok(Seen::Done)
    })
    .tries("mmap(PROT_EXEC)", "a file that the server wrote"),
    native("G9-mprotect", |scene| {
        let file = File::open(written(scene)?)?;
        let mapping = Mapping::new(file.as_raw_fd(), 4096, libc::PROT_READ, libc::MAP_PRIVATE)?;
        mapping.protect(libc::PROT_READ | libc::PROT_EXEC)?;
        Ok(Seen::Done)
    })
    .tries("mmap, mprotect(PROT_EXEC)", "a file that the server wrote"),
    memory("G9-memfd", |scene| execveat(scene, memfd(0, &tiny_elf::bytes())?.as_raw_fd()))
        .tries("memfd_create, execveat", MEMORY),
    memory("G9-memfd-exec", |scene| execveat(scene, memfd(MFD_EXEC, &tiny_elf::bytes())?.as_raw_fd()))
        .tries("memfd_create(MFD_EXEC), execveat", MEMORY),
    memory("G9-memfd-proc", |_| {
        let file = memfd(0, &tiny_elf::bytes())?;
        run(Command::new(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())))
    })
    .tries("memfd_create, execve(/proc/PID/fd)", MEMORY),
    memory("G9-memfd-chmod", |scene| {
        let file = memfd(MFD_NOEXEC_SEAL, &tiny_elf::bytes())?;
        file.set_permissions(fs::Permissions::from_mode(0o777))?;
        execveat(scene, file.as_raw_fd())
    })
    .tries("memfd_create(MFD_NOEXEC_SEAL), fchmod, execveat", MEMORY),
    memory("G9-memfd-dlopen", |_| {
        let file = memfd(0, &fs::read(mapped("libgcc_s").or_else(|_| mapped("libm.so"))?)?)?;
        load(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))
    })
    .of_kind(Kind::Residual)
    .stopped(&[], &[])
    .tries("memfd_create, dlopen(/proc/self/fd)", "a library in memory"),
    memory("G9-memfd-mmap", |_| {
        let file = memfd(0, &tiny_elf::bytes())?;
        let access = libc::PROT_READ | libc::PROT_EXEC;
        Mapping::new(file.as_raw_fd(), 4096, access, libc::MAP_PRIVATE)?;
        Ok(Seen::Done)
    })
    .of_kind(Kind::Residual)
    .stopped(&[], &[])
    .tries("memfd_create, mmap(PROT_EXEC)", MEMORY),
    Probe::new(Guarantee::NativeCode, "G9-interpreter", |scene| {
        let script = scene.own().join("script");
        fs::write(&script, format!("exit {}\n", tiny_elf::EXIT))?;
        run({
            let mut shell = Command::new("/bin/sh");
            shell.arg(script);
            shell
        })
    })
    .of_kind(Kind::Residual)
    .tries("an interpreter that is granted", "a script that the server wrote"),
    Probe::new(Guarantee::NativeCode, "G9-anonymous-memory", |_| {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let memory = Mapping::new(-1, 4096, access, flags)?;
        memory.write(0, tiny_elf::FUNCTION);
        memory.protect(libc::PROT_READ | libc::PROT_EXEC)?;
        match memory.run() {
            tiny_elf::EXIT => Ok(Seen::Done),
            other => Err(Failed::Odd(format!("it gave {other}"))),
        }
    })
    .of_kind(Kind::Residual)
    .tries("mmap(MAP_ANONYMOUS), mprotect(PROT_EXEC)", "code without a file, as every JIT compiler makes it"),
];

const MFD_CLOEXEC: i64 = 1;
const MFD_NOEXEC_SEAL: i64 = 8;
const MFD_EXEC: i64 = 16;

const fn native(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::NativeCode, id, deed)
        .stopped(&[Control::Landlock, Control::View], &[libc::EACCES, libc::EPERM, libc::ENOENT, libc::EROFS])
}

const fn memory(id: &'static str, deed: Deed) -> Probe {
    Probe::new(Guarantee::NativeCode, id, deed)
        .stopped(&[Control::Seccomp, Control::View], &[libc::EACCES, libc::EPERM, libc::EINVAL, libc::ENOSYS])
}

/// The tiny program, in the granted directory.
fn written(scene: &Scene) -> Result<PathBuf, Failed> {
    let path = scene.own().join("tool");
    write_program(&path)?;
    Ok(path)
}

fn write_program(path: &Path) -> Result<(), Failed> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o700).open(path)?.write_all(&tiny_elf::bytes())?;
    Ok(())
}

/// In a directory that every program may expect to be there. Taken away again.
fn in_directory(scene: &Scene, dir: &Path) -> Result<Seen, Failed> {
    let path = dir.join(format!("stockade-prove-{}", std::process::id()));
    let _ = scene;
    write_program(&path)?;
    let seen = run(Command::new(&path));
    fs::remove_file(path)?;
    seen
}

/// A file in memory.
fn memfd(flags: i64, bytes: &[u8]) -> Result<File, Failed> {
    let fd = call(libc::SYS_memfd_create, [Arg::Text(c"stockade-prove"), Arg::Int(flags | MFD_CLOEXEC)])?;
    let mut file = File::from(crate::os::sys::adopt(i32::try_from(fd).unwrap_or(-1)));
    file.write_all(bytes)?;
    // A file that is open for writing can't be executed: once more for reading alone.
    let again = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok(again)
}

/// A copy of a library of the system's, in the granted directory.
fn library(scene: &Scene) -> Result<PathBuf, Failed> {
    let path = scene.own().join("library.so");
    fs::copy(mapped("libgcc_s").or_else(|_| mapped("libm.so"))?, &path)?;
    Ok(path)
}

fn load(library: &Path) -> Result<Seen, Failed> {
    load_library(&c(library)?)?;
    Ok(Seen::Done)
}

/// A file that this process has mapped, by the beginning of its name: a statically linked one has none.
fn mapped(name: &str) -> Result<PathBuf, Failed> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let found = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).map(Path::new).find(|path| {
        path.file_name().and_then(|file| file.to_str()).is_some_and(|file| file.starts_with(name))
    });
    found.map(Path::to_owned).ok_or_else(|| Failed::Unfit(format!("this program has no {name} mapped")))
}

fn system_program() -> Result<PathBuf, Failed> {
    let found = ["/usr/bin/true", "/bin/true"].into_iter().map(PathBuf::from).find(|path| path.exists());
    found.ok_or_else(|| Failed::Unfit("there is no program true".to_owned()))
}

fn started(command: &mut Command) -> Result<Seen, Failed> {
    match command.status()?.code() {
        Some(0) => Ok(text(b"it ran")),
        other => Err(Failed::Odd(format!("it ended with {other:?}"))),
    }
}

"""The programs that tests/compat/run compares."""

import dataclasses
import pathlib
import re
import subprocess
import typing


class Place:
    """Directories of one run; the jail gets `work` for writing."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.work = self.root / "work"
        self.work.mkdir(parents=True)


def nothing(_place):
    return []


def no_env(_place):
    return {}


def no_set_up(_place):
    pass


def last_line(printed):
    lines = [line for line in printed.splitlines() if line.strip()]
    return lines[-1:]


def quiet(_printed):
    """The exit code says it all."""
    return []


def every_line(printed):
    return printed.splitlines()


def verdicts(printed):
    """`test_a (test.b.C.test_a) ... ok` of unittest -v, with what is skipped or fails named."""
    found = re.findall(r"^(\w+) \(([\w.]+)\)(?:\n.*?)? \.\.\. (ok|FAIL|ERROR|skipped)", printed, re.M)
    return [f"{where.removesuffix('.' + name)}.{name} {verdict}" for name, where, verdict in found]


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    words: typing.Callable
    needs: tuple = ()
    read: typing.Callable = nothing
    write: typing.Callable = nothing
    net: tuple = ()
    env: typing.Callable = no_env
    set_up: typing.Callable = no_set_up
    tell: typing.Callable = quiet
    may_fail: bool = False
    seconds: int = 300


def python(name, code, **more):
    return Case(name, lambda place: ["/usr/bin/python3", "-c", code], tell=every_line, **more)


def node(name, code, **more):
    return Case(name, lambda place: ["node", "-e", code], needs=("node",), tell=every_line, **more)


def cpython(module):
    return Case(
        f"cpython {module}",
        lambda place: ["/usr/bin/python3", "-m", "test", "-v", "--tempdir", str(place.work), module],
        tell=verdicts, may_fail=True, seconds=600,
    )


def git_repository(place):
    subprocess.run(["git", "init", "-q", "-b", "main", str(place.work / "origin")], check=True)
    commit = ["git", "-C", str(place.work / "origin"), "-c", "user.name=a", "-c", "user.email=a@example.org", "commit"]
    subprocess.run([*commit, "-q", "--allow-empty", "-m", "first"], check=True)


GIT = """set -e
git clone -q origin copy && cd copy
git config user.name b && git config user.email b@example.org
echo text > file && git add file && git commit -q -m second
git checkout -q -b side && git mv file moved && git commit -q -am third
git gc -q && git fsck && git log --format=%s && git status --short
git worktree add -q ../tree main && ls ../tree && git stash list && git push -q origin side
"""

JAVA = """
import java.util.concurrent.*;
public class Try {
    public static void main(String[] words) throws Exception {
        var pool = Executors.newFixedThreadPool(8);
        var sum = 0;
        for (var part : pool.invokeAll(java.util.Collections.nCopies(50, () -> 2))) sum += part.get();
        pool.shutdown();
        var file = java.nio.file.Files.createTempFile("a", "b");
        java.nio.file.Files.writeString(file, "text");
        var child = new ProcessBuilder("/bin/cat", file.toString()).start();
        System.out.println(sum + new String(child.getInputStream().readAllBytes()) + child.waitFor());
    }
}
"""

CASES = [
    python("python threads, processes and pipes", """
import subprocess, threading, tempfile, os, signal, time
print(subprocess.run(['sh', '-c', 'echo $((6*7))'], capture_output=True, text=True).stdout.strip())
threads = [threading.Thread(target=print, args=('thread',)) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
child = subprocess.Popen(['sleep', '60']); child.send_signal(signal.SIGTERM); print(child.wait())
with tempfile.NamedTemporaryFile() as f: f.write(b'x'); f.flush(); os.chmod(f.name, 0o600); print(os.stat(f.name).st_size)
"""),
    python("python multiprocessing", """
import multiprocessing as m
def f(x): return x * x
if __name__ == '__main__':
    with m.get_context('fork').Pool(4) as pool: print(sum(pool.map(f, range(100))))
    q = m.Queue(); q.put('through'); print(q.get())
"""),
    node("node worker threads and child processes", """
const {Worker} = require('worker_threads'), {execSync, fork, spawn} = require('child_process'), fs = require('fs');
new Worker('require("worker_threads").parentPort.postMessage(6*7)', {eval: true}).on('message', n => console.log(n));
console.log(execSync('echo shell').toString().trim());
fs.writeFileSync('child.js', 'process.send(process.argv[2]); process.disconnect()');
fork('./child.js', ['forked']).on('message', m => console.log(m));
spawn('sleep', ['60'], {detached: true}).on('exit', (c, s) => console.log(c, s)).kill();
console.log(fs.mkdtempSync(require('os').tmpdir() + '/x').length > 0, WebAssembly.validate(new Uint8Array([0,97,115,109,1,0,0,0])));
"""),
    Case("git clone, commit, gc, worktree, push", lambda place: ["sh", "-c", GIT], needs=("git",),
         set_up=git_repository, tell=every_line,
         env=lambda place: {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}),
    Case("a JVM with threads, files and a child", lambda place: ["java", "Try.java"], needs=("java", "javac"),
         set_up=lambda place: (place.work / "Try.java").write_text(JAVA), tell=every_line),
    *(cpython(f"test_{module}") for module in (
        "os", "posix", "shutil", "tempfile", "subprocess", "signal", "threading", "select", "selectors", "fcntl",
        "mmap", "resource", "pathlib", "zipfile", "sqlite3", "ssl", "asyncio.test_subprocess", "socket",
        "multiprocessing_fork", "concurrent_futures", "ctypes", "memoryio", "fileio", "glob", "pty", "wait4",
    )),
]

"""Programs of the system: interpreters, a JVM, git, a compiler, curl; and one made by Go."""

import functools
import http.server
import pathlib
import platform
import ssl
import threading

from .base import TOOLS, Case, told

PYTHON = "/usr/bin/python3"


def python(name, code, needs=()):
    return Case(name, "Python", lambda place: [PYTHON, "-c", code], needs=(PYTHON, *needs))


def node(name, code):
    return Case(name, "Node", lambda place: ["node", "-e", code], needs=("node",))


def shell(name, program, script, **more):
    return Case(name, program, lambda place: ["sh", "-c", script], tell=told, **more)


THREADS = """
import subprocess, threading, tempfile, os, signal
print(subprocess.run(['sh', '-c', 'echo $((6*7))'], capture_output=True, text=True).stdout.strip())
threads = [threading.Thread(target=print, args=('thread\\n',), kwargs={'end': ''}) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
child = subprocess.Popen(['sleep', '60']); child.send_signal(signal.SIGTERM); print(child.wait())
with tempfile.NamedTemporaryFile() as f: f.write(b'x'); f.flush(); os.chmod(f.name, 0o600); print(os.stat(f.name).st_size)
"""

MULTIPROCESSING = """
import multiprocessing as m, multiprocessing.shared_memory
def f(x): return x * x
def pool():
    with m.get_context('fork').Pool(4) as pool: return sum(pool.map(f, range(100)))
def pipe():
    ours, theirs = m.Pipe()
    child = m.Process(target=lambda: theirs.send('through a pipe')); child.start(); child.join()
    return ours.recv()
def queue():
    q = m.Queue(); q.put('through a queue'); return q.get()
def manager():
    with m.Manager() as manager: return str(manager.list([1, 2]))
def shared():
    memory = m.shared_memory.SharedMemory(create=True, size=1 << 20)
    memory.buf[0] = 42; found = memory.buf[0]; memory.close(); memory.unlink(); return found
for way in pool, pipe, queue, manager, shared:
    try: print(way.__name__, way(), flush=True)
    except OSError: print(way.__name__, 'failed', flush=True)
"""

WORKERS = """
const {Worker} = require('worker_threads'), {execSync, fork, spawn} = require('child_process'), fs = require('fs');
new Worker('require("worker_threads").parentPort.postMessage(6*7)', {eval: true}).on('message', n => console.log(n));
const shared = new SharedArrayBuffer(4);
const add = 'const {workerData} = require("worker_threads"); Atomics.add(new Int32Array(workerData), 0, 1)';
let ended = 0;
for (let i = 0; i < 8; i++) new Worker(add, {eval: true, workerData: shared}).on('exit', () => {
    if (++ended === 8) console.log('workers', new Int32Array(shared)[0]);
});
console.log(execSync('echo shell').toString().trim());
fs.writeFileSync('child.js', 'process.send(process.argv[2]); process.disconnect()');
fork('./child.js', ['forked']).on('message', m => console.log(m));
spawn('sleep', ['60'], {detached: true}).on('exit', (c, s) => console.log(c, s)).kill();
spawn(process.execPath, ['-p', '1 + 1']).stdout.on('data', d => console.log('node', String(d).trim()));
console.log(fs.mkdtempSync(require('os').tmpdir() + '/x').length > 0, WebAssembly.validate(new Uint8Array([0,97,115,109,1,0,0,0])));
"""

CLUSTER = """
const cluster = require('cluster'), http = require('http'), net = require('net'), path = require('path'), os = require('os');
if (cluster.isPrimary) {
    let ended = 0, port;
    const ask = () => http.get({port, host: '127.0.0.1'}, r => r.on('data', d => {
        console.log('answer', String(d));
        for (const id in cluster.workers) cluster.workers[id].kill();
    }));
    cluster.setupPrimary({exec: path.resolve('worker.js'), execArgv: []});
    require('fs').writeFileSync('worker.js',
        "require('http').createServer((q, s) => s.end('from a worker')).listen(0, '127.0.0.1')" +
        ".on('error', e => { console.log('worker', e.code); process.exit(1) })");
    let listening = 0;
    for (let i = 0; i < 2; i++) cluster.fork();
    cluster.on('listening', (w, a) => { port = a.port; if (++listening === 2) ask(); });
    cluster.on('exit', () => { if (++ended === 2) console.log('both ended'); });
    const at = path.join(os.tmpdir(), 's');
    const server = net.createServer(c => c.pipe(c)).listen(at, () => {
        const client = net.connect(at, () => client.end('over a socket file'));
        client.on('data', d => console.log(String(d))).on('end', () => server.close());
    });
}
"""

GIT = """set -e
git clone -q "$ORIGIN" copy
echo 'told: cloned' && cd copy
echo text > file && git add file && git commit -q -m second
echo 'told: committed'
git checkout -q -b side && git mv file moved && git commit -q -am third
git checkout -q main && git merge -q --ff-only side && git tag -a -m tag v1
echo more >> moved && git stash -q && git stash pop -q && git checkout -q moved
git config user.name c && git remote add other "$ORIGIN" && git fetch -q other && echo 'told: wrote its config'
git gc -q && git fsck --no-progress && git log --format='told: %s' && git status --short
git worktree add -q ../tree HEAD && ls ../tree
"""

GIT_INSIDE = """
git status --short && echo 'told: status'
echo text > file && echo 'told: a new file'
echo more >> there && echo 'told: a file that was there'
git add . && git commit -q -m second && echo 'told: committed'
git config user.name c && echo 'told: wrote its config'
echo : > .git/hooks/pre-commit && echo 'told: wrote a hook'
"""

GIT_PUSH = """set -e
git clone -q "$ORIGIN" copy && cd copy
git commit -q --allow-empty -m second && git push -q origin HEAD:side && git -C "$ORIGIN" log --format='told: %s' side
"""

AUTHOR = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "b", "GIT_AUTHOR_EMAIL": "b@example.org",
    "GIT_COMMITTER_NAME": "b", "GIT_COMMITTER_EMAIL": "b@example.org",
}


def repository(at, place, *words):
    place.run("git", "init", "-q", "-b", "main", *words, str(at), **AUTHOR)
    return at


def commit(at, place):
    (at / "there").write_text("text\n")
    place.run("git", "-C", str(at), "add", "there", **AUTHOR)
    place.run("git", "-C", str(at), "commit", "-q", "-m", "first", **AUTHOR)


def git_origin(place):
    """A repository beside the granted directory."""
    commit(repository(place.root / "origin", place), place)


def git_bare_origin(place):
    """One without a working tree, for pushing."""
    git_origin(place)
    place.run("git", "clone", "-q", "--bare", str(place.root / "origin"), str(place.root / "shared"), **AUTHOR)


def git_work(place):
    """The granted directory is a repository."""
    commit(repository(place.work, place), place)


def git(name, script, set_up, **more):
    return Case(name, "git", lambda place: ["sh", "-c", script], needs=("git",), set_up=set_up, tell=told, **more)


JAVA = """
import java.net.*;
import java.net.http.*;
import java.nio.file.*;
import java.util.concurrent.*;
public class Try {
    public static void main(String[] words) throws Exception {
        var pool = Executors.newFixedThreadPool(8);
        var sum = 0;
        Callable<Integer> two = () -> 2;
        for (var part : pool.invokeAll(java.util.Collections.nCopies(50, two))) sum += part.get();
        pool.shutdown();
        var file = Files.createTempFile("a", "b");
        Files.writeString(file, "text");
        var child = new ProcessBuilder("/bin/cat", file.toString()).start();
        System.out.println("told: " + sum + new String(child.getInputStream().readAllBytes()) + child.waitFor());
        com.sun.net.httpserver.HttpServer server;
        try {
            server = com.sun.net.httpserver.HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        } catch (BindException refused) {
            System.out.println("told: may not listen");
            return;
        }
        server.createContext("/", exchange -> {
            exchange.sendResponseHeaders(200, 2);
            exchange.getResponseBody().write("ok".getBytes());
            exchange.close();
        });
        server.start();
        var to = URI.create("http://127.0.0.1:" + server.getAddress().getPort());
        var answer = HttpClient.newHttpClient().send(HttpRequest.newBuilder(to).build(), HttpResponse.BodyHandlers.ofString());
        System.out.println("told: " + answer.body());
        server.stop(0);
        System.exit(0);
    }
}
"""

# CPython's test-suite has a certificate of localhost, and its authority.
CERTIFICATES = pathlib.Path("/usr/lib/python3.11/test")


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802  (the name is the library's)
        body = b"x" * 100_000 if self.path == "/long" else b"an answer\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):  # noqa: N802
        length = len(self.rfile.read(int(self.headers["Content-Length"])))
        body = f"took {length} bytes\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        pass


def tls_server(place):
    """A server outside of the jail, on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "keycert3.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place.notes["port"] = server.server_port
    place.ends.append(server.shutdown)
    place.ends.append(server.server_close)
    # In the granted directory: a program may bring its own authority.
    (place.work / "ca.pem").write_bytes((CERTIFICATES / "pycacert.pem").read_bytes())
    (place.work / "send").write_bytes(b"y" * 300_000)


CURL = """
at=https://localhost:$PORT
curl -sS --cacert ca.pem $at/ | sed 's/^/told: /'
curl -sS --cacert ca.pem $at/long | wc -c | sed 's/^/told: /'
curl -sS --cacert ca.pem --data-binary @send $at/ | sed 's/^/told: /'
curl -sS --cacert ca.pem -Z -o /dev/null -o /dev/null -o /dev/null $at/long $at/long $at/long && echo 'told: in parallel'
curl -sS -o /dev/null $at/ 2> /dev/null; echo "told: without the authority: $?"
curl -sS --cacert ca.pem -o /dev/null --connect-timeout 5 https://localhost:1/ 2> /dev/null; echo "told: nobody listens: $?"
"""

TLS_INSIDE = """
import http.server, ssl, threading, urllib.request, subprocess
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words): pass
try: server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Quiet)
except PermissionError: print('may not listen'); raise SystemExit
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/usr/lib/python3.11/test/keycert3.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
open('served', 'w').write('text')
at = f'https://localhost:{server.server_port}/served'
trusted = ssl.create_default_context(cafile='/usr/lib/python3.11/test/pycacert.pem')
print('urllib', urllib.request.urlopen(at, context=trusted).read().decode())
words = ['curl', '-sS', '--cacert', '/usr/lib/python3.11/test/pycacert.pem', at]
print('curl', subprocess.run(words, capture_output=True, text=True, timeout=60).stdout)
"""

MAKE = """
make -s && echo 'told: compiled and linked'
./program && echo 'told: ran what it compiled'
cc -shared -fPIC -o lib.so lib.c && echo 'told: linked a library'
/usr/bin/python3 -c 'import ctypes; print("told: loaded it,", ctypes.CDLL("./lib.so").answer())'
chmod +x script && ./script
sh ./script handed to its interpreter
"""


def sources(place):
    (place.work / "lib.c").write_text("int answer(void) { return 42; }\n")
    (place.work / "main.c").write_text('#include <stdio.h>\nint answer(void);\nint main(void) { return answer() - 42; }\n')
    (place.work / "script").write_text('#!/bin/sh\necho "told: a script ${*:-started by its name}"\n')
    (place.work / "Makefile").write_text(
        "program: main.o liball.a\n\tcc -o $@ main.o -L. -lall\n"
        "liball.a: lib.o\n\tar rcs $@ $^\n"
        "%.o: %.c\n\tcc -O1 -c $<\n"
    )


@functools.cache
def go_program():
    """esbuild is written in Go, and linked statically; npm names the architecture as Node does."""
    arch = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return str(TOOLS / "node" / "node_modules" / "@esbuild" / f"linux-{arch}" / "bin" / "esbuild")


def modules(place):
    (place.work / "in.ts").write_text('import {b} from "./b"; const a: number = b + 1; console.log(a)\n')
    (place.work / "b.ts").write_text("export const b: number = 41\n")


CASES = [
    python("python threads, children and files", THREADS),
    python("python multiprocessing", MULTIPROCESSING),
    python("python and curl over TLS to a server of their own", TLS_INSIDE, needs=("curl", str(CERTIFICATES / "keycert3.pem"))),
    node("node worker threads and child processes", WORKERS),
    node("node cluster, HTTP and socket files", CLUSTER),
    git("git clone, commit, merge, stash, gc, worktree", GIT, git_origin,
        env=lambda place: dict(AUTHOR, ORIGIN=str(place.root / "origin")), read=lambda place: [place.root / "origin"]),
    git("git push", GIT_PUSH, git_bare_origin, env=lambda place: dict(AUTHOR, ORIGIN=str(place.root / "shared")),
        write=lambda place: [place.root / "shared"]),
    git("git commit in a repository that is granted", GIT_INSIDE, git_work, env=lambda place: AUTHOR),
    Case("a JVM: compiler, threads, files, a child, HTTP", "Java", lambda place: ["java", "Try.java"],
         needs=("java", "javac"), set_up=lambda place: (place.work / "Try.java").write_text(JAVA), tell=told),
    shell("curl over TLS to a granted server", "curl", CURL, needs=("curl", str(CERTIFICATES / "keycert3.pem")),
          set_up=tls_server, env=lambda place: {"PORT": str(place.notes["port"])},
          net=lambda place: [f"localhost:{place.notes['port']}"]),
    shell("make, cc, and what they made", "C compiler", MAKE, needs=("make", "cc", "ar"), set_up=sources),
    Case("esbuild, a Go program", "Go program",
         lambda place: [go_program(), "in.ts", "--bundle", "--minify", "--log-level=warning"],
         needs=(go_program(),), set_up=modules),
]

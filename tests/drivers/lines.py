"""A bare MCP client: raw JSON lines to and from a command, no SDK. Standard library only.

Keeps every line that came, in order, and all answers by id, so that a second answer is seen as well.
"""
import json
import os
import queue
import select
import signal
import subprocess
import threading
import time


class Session:
    """A started command, spoken to line by line."""

    def __init__(self, command, env=None, stderr=subprocess.PIPE):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=0, env=env
        )
        self.arrived = queue.Queue()
        self.raw = []  # every line as it came
        self.answers = {}  # id → all its answers
        self.requests = []  # what the server asked of us
        self.others = []  # notifications
        self.foreign = []  # lines that are no JSON-RPC message
        self.stderr = b""
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=self._read, daemon=True)]
        if stderr == subprocess.PIPE:
            self._threads.append(threading.Thread(target=self._read_stderr, daemon=True))
        for thread in self._threads:
            thread.start()
        self._to_server = os.fdopen(os.dup(self.process.stdin.fileno()), "wb", buffering=1 << 16)

    @property
    def pid(self):
        return self.process.pid

    def _read(self):
        fd = self.process.stdout.fileno()
        parts = []
        while not self._closing.is_set():
            if not select.select([fd], [], [], 0.1)[0]:
                continue
            chunk = os.read(fd, 1 << 16)
            if not chunk:
                break
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                self.arrived.put(b"".join(parts) + line)
                parts = []
            parts.append(rest)
        if any(parts):
            self.foreign.append("unterminated: " + b"".join(parts)[:200].decode("utf-8", "replace"))
        self.arrived.put(None)

    def _read_stderr(self):
        while chunk := self.process.stderr.read(65536):
            self.stderr += chunk

    # --- To the server

    def send_raw(self, line, flush=True):
        self._to_server.write(line + b"\n")
        if flush:
            self._to_server.flush()

    def send(self, message, flush=True):
        self.send_raw(json.dumps(message, ensure_ascii=False).encode(), flush)

    def flush(self):
        self._to_server.flush()

    def request(self, id, method, params=None):
        self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})

    def call(self, id, tool, **arguments):
        self.request(id, "tools/call", {"name": tool, "arguments": arguments})

    def notify(self, method, params=None):
        self.send({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def close_stdin(self):
        self._to_server.close()
        self.process.stdin.close()

    def close_stdout(self):
        """Closes our end of its stdout: the next write over there fails with EPIPE."""
        self._closing.set()
        self._threads[0].join()
        self.process.stdout.close()

    # --- From the server

    def take(self, timeout):
        """Sorts the next line in; False at the end of the stream. TimeoutError if none came."""
        try:
            line = self.arrived.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError("no line within %s s; stderr: %r" % (timeout, self.stderr[-2000:])) from None
        if line is None:
            self.arrived.put(None)
            return False
        self.raw.append(line)
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            self.foreign.append(line[:200].decode("utf-8", "replace"))
        elif "method" in message:
            (self.requests if "id" in message else self.others).append(message)
        elif isinstance(message.get("id"), (int, str)):
            self.answers.setdefault(message["id"], []).append(message)
        else:
            self.others.append(message)
        return True

    def answer(self, id, timeout=30):
        """The first answer to `id`."""
        end = time.monotonic() + timeout
        while id not in self.answers:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no answer to %r within %s s; stderr: %r" % (id, timeout, self.stderr[-2000:]))
            if not self.take(left):
                raise EOFError("the stream ended before the answer to %r; stderr: %r" % (id, self.stderr[-2000:]))
        return self.answers[id][0]

    def to_end(self, timeout=30):
        """Takes everything until the stream ends."""
        end = time.monotonic() + timeout
        while self.take(max(0.001, end - time.monotonic())):
            pass

    def handshake(self, timeout=60):
        self.request("init", "initialize", {
            "protocolVersion": "2025-06-18",
            "capabilities": {"roots": {}, "sampling": {}},
            "clientInfo": {"name": "raw-driver", "version": "1"},
        })
        answer = self.answer("init", timeout)
        self.notify("notifications/initialized")
        return answer

    def wait(self, timeout=30):
        """Its exit code as a shell has it."""
        code = self.process.wait(timeout)
        for thread in self._threads:
            thread.join(5)
        return code if code >= 0 else 128 - code

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)


def text_of(answer):
    """The text of a tool's answer."""
    return "".join(part.get("text", "") for part in answer.get("result", {}).get("content", []))


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(word) for word in file.read().split()]


def descendants(pid):
    found = []
    try:
        for child in children(pid):
            found += [child, *descendants(child)]
    except OSError:  # ended meanwhile
        pass
    return found


def arguments(pid):
    with open("/proc/%d/cmdline" % pid, "rb") as file:
        return file.read().decode("utf-8", "replace").split("\0")[:-1]


def server_pid(launcher, script):
    """The pid of the scripted server below the launcher: its script is its first argument."""
    found = [pid for pid in descendants(launcher) if arguments(pid)[1:2] and arguments(pid)[1].endswith(script)]
    if len(found) != 1:
        raise LookupError("%d processes run %s below the launcher" % (len(found), script))
    return found[0]


def keeper_pids(launcher):
    """The processes below the launcher that were forked from it and not executed anew: they have its arguments.

    /proc/PID/exe would tell as well, but not to an ordinary user if they are not dumpable.
    """
    same = arguments(launcher)
    return [pid for pid in descendants(launcher) if arguments(pid) == same]


def resident_kib(pid):
    """What it holds of its own (proc_pid_status(5)). Pages of its program that are read when they are first needed, such as
    those of a path that is taken on a busy machine alone, are not its own."""
    with open("/proc/%d/status" % pid) as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    return 0

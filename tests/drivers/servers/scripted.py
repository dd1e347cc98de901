"""A scripted MCP server on raw lines: does what its tools are told to, well or badly. Standard library only.

  scripted.py [--log FILE] [--emit FILE] [MARK…]

--log   every line that arrives is appended to FILE, in hex
--emit  FILE holds lines in hex; the tool `emit` writes one of them as it is
MARK    ignored: a word by which tests find the process
"""
import json
import os
import signal
import socket
import sys
import threading
import time

TOOLS = [
    "ask", "close_stdin", "daemon", "echo", "emit", "exit", "fill", "forbidden", "hang", "ignore_signals", "noise",
    "read", "repeat", "signal", "socket", "stderr", "who", "write",
]
lock = threading.Lock()
options = {}


def write_line(data):
    with lock:
        data = memoryview(data + b"\n")
        while data:
            data = data[os.write(1, data):]


def say(message):
    write_line(json.dumps(message).encode())


def text(value, error=False):
    return {"content": [{"type": "text", "text": value}], "isError": error}


def daemon(mark):
    """Leaves a daemon behind as thoroughly as one can: forked twice, its own session, deaf to polite signals."""
    if os.fork():
        os.wait()
        return
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", mark])


def noise(size, first):
    """`size` bytes without a newline, `first` at their start."""
    block = memoryview(b"x" * (1 << 20))
    with lock:
        left = size - os.write(1, first.encode())
        while left > 0:
            left -= os.write(1, block[:left])


def do(tool, arguments):
    """A tool's result; None for no answer at all."""
    if tool == "echo":
        return text(arguments["message"])
    if tool == "repeat":
        return text(arguments["unit"] * arguments["times"])
    if tool in ("hang", "forbidden"):
        return None
    if tool == "who":
        return text(json.dumps({"pid": os.getpid(), "ppid": os.getppid(), "argv": sys.argv, "env": dict(os.environ)}))
    if tool == "ask":
        for n in range(arguments["count"]):
            id = n if n % 2 else "c-%d" % n  # the very ids that the driver uses: whose they are must be kept apart
            say({"jsonrpc": "2.0", "id": id, "method": arguments.get("method", "ping")})
        return text("asked")
    if tool == "daemon":
        daemon(arguments["mark"])
        return text("left behind")
    if tool == "stderr":
        sys.stderr.write(arguments["text"])
        sys.stderr.flush()
        return text("written")
    if tool == "exit":
        os._exit(arguments["code"])
    if tool == "signal":
        os.kill(os.getpid(), arguments["number"])
    if tool == "ignore_signals":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return text("ignored")
    if tool == "noise":
        threading.Thread(target=noise, args=(arguments["bytes"], arguments["first"]), daemon=True).start()
        return None
    if tool == "close_stdin":
        os.close(0)
        return text("closed")
    if tool == "emit":
        write_line(options["emit"][arguments["line"]])
        return text("emitted")
    try:
        if tool == "read":
            with open(arguments["path"]) as file:
                return text(file.read())
        if tool == "socket":
            socket.socket(arguments["family"], arguments["kind"]).close()
            return text("opened")
        if tool == "write":
            with open(arguments["path"], "w") as file:
                file.write(arguments["text"])
            return text("written")
        if tool == "fill":
            with open(arguments["path"], "wb") as file:
                while True:
                    file.write(b"\0" * 65536)
    except OSError as error:
        return text(str(error), error=True)
    return text("unknown tool", error=True)


def result(method, params):
    if method == "initialize":
        return {
            "protocolVersion": params.get("protocolVersion", "2025-06-18"),
            "capabilities": {"tools": {}, "prompts": {}},
            "serverInfo": {"name": "scripted", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
    if method == "prompts/list":
        return {"prompts": [{"name": "greet"}, {"name": "forbidden"}]}
    if method == "prompts/get":
        return {"messages": [{"role": "user", "content": {"type": "text", "text": "Hello " + params["name"]}}]}
    if method == "tools/call":
        return do(params.get("name"), params.get("arguments", {}))
    return {}


def take(line):
    try:
        message = json.loads(line)
    except ValueError:
        return
    if not isinstance(message, dict) or "method" not in message or "id" not in message:
        return
    answer = result(message["method"], message.get("params", {}))
    if answer is not None:
        say({"jsonrpc": "2.0", "id": message["id"], "result": answer})


def main():
    words = iter(sys.argv[1:])
    log = None
    for word in words:
        if word == "--log":
            log = os.open(next(words), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        elif word == "--emit":
            with open(next(words)) as file:
                options["emit"] = [bytes.fromhex(line) for line in file.read().split("\n")]
    parts = []
    while True:
        try:
            chunk = os.read(0, 1 << 20)
        except OSError:  # a tool closed it
            while True:
                time.sleep(60)
        if not chunk:
            return
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            line = b"".join(parts) + line
            parts = []
            if log is not None:
                os.write(log, line.hex().encode() + b"\n")
            take(line)
        parts.append(rest)


main()

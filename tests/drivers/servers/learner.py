"""An MCP server that does with files, programs and hosts what its tools are told to. Standard library only.

It mentions a variable that nobody gives it: os.environ.get("LEARNER_TOKEN").
"""
import errno
import json
import os
import socket
import subprocess
import sys


def failed(error):
    code = getattr(error, "errno", None)
    return errno.errorcode.get(code, type(error).__name__) if isinstance(code, int) else type(error).__name__


def read(path):
    with open(path) as file:
        return file.read()


def names(path):
    return " ".join(sorted(os.listdir(path)))


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return "written"


def flood(path, count):
    """Opens as many different names, none of which is there."""
    for n in range(count):
        try:
            os.close(os.open(os.path.join(path, str(n)), os.O_RDONLY))
        except OSError:
            pass
    return "done"


def link(target, place):
    os.symlink(target, place)
    return "linked"


def relink(target, place, other):
    """A link that leads elsewhere as soon as it was used."""
    os.symlink(target, place)
    try:
        outcome = read(place)
    except OSError as error:
        outcome = failed(error)
    os.unlink(place)
    os.symlink(other, place)
    return outcome


def run(words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30).stdout.strip()


def talk(host, port, send=""):
    with socket.create_connection((host, port), timeout=20) as connection:
        connection.sendall(send.encode())
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts).decode()


def variables():
    return " ".join(sorted(os.environ))


TOOLS = {tool.__name__: tool for tool in (read, names, write, flood, link, relink, run, talk, variables)}


def call(params):
    try:
        value, error = TOOLS[params["name"]](**params.get("arguments", {})), False
    except Exception as raised:
        value, error = failed(raised), True
    return {"content": [{"type": "text", "text": str(value)}], "isError": error}


def answer(method, params):
    if method == "initialize":
        info = {"name": "learner", "version": "1"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}
    return call(params) if method == "tools/call" else {}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and "method" in message:
        result = answer(message["method"], message.get("params", {}))
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)

"""An MCP server that uses the network as its tools are told to. Standard library only; no proxy variables are read."""
import errno
import json
import socket
import struct
import subprocess
import sys
import threading


def failed(error):
    code = getattr(error, "errno", None)
    return errno.errorcode.get(code, type(error).__name__) if isinstance(code, int) else type(error).__name__


def read_all(connection):
    parts = []
    while True:
        part = connection.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def talk(host, port, send=""):
    """Connects, says something, says that it is done, and returns what comes back."""
    with socket.create_connection((host, port), timeout=20) as connection:
        connection.sendall(send.encode())
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection).decode()


def upload(host, port, size):
    """How much could be written before an error."""
    written = 0
    with socket.create_connection((host, port), timeout=20) as connection:
        try:
            while written < size:
                written += connection.send(b"x" * min(65536, size - written))
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)
            return "done"
        except OSError as error:
            return failed(error)


def lookup(host):
    found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return " ".join(sorted({entry[4][0] for entry in found}))


def ask(server, name, over="udp"):
    """Asks a name server for an A record by hand: the response code and who answered."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack(">6H", 77, 0x100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, 1, 1)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    if over == "tcp":
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(20)
            connection.connect((server, 53))
            connection.sendall((struct.pack(">H", len(question)) + question) * 2)
            stream = connection.makefile("rb")
            codes = []
            for _ in range(2):
                (length,) = struct.unpack(">H", stream.read(2))
                codes.append(str(stream.read(length)[3] & 15))
            return " ".join(codes)
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.settimeout(20)
        connection.sendto(question, (server, 53))
        answer, source = connection.recvfrom(4096)
        return "%d from %s" % (answer[3] & 15, source[0])


def listen(port, host="127.0.0.1"):
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)

    def serve():
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"you said " + read_all(connection))

    threading.Thread(target=serve, daemon=True).start()
    return "listening"


def run(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    return "%d %s%s" % (done.returncode, done.stdout, done.stderr)


def hold(host, port):
    """Leaves a connection open for as long as the session lasts."""
    kept.append(socket.create_connection((host, port), timeout=20))
    return "open"


kept = []
TOOLS = {tool.__name__: tool for tool in (talk, upload, lookup, ask, listen, run, hold)}


def call(params):
    try:
        value = TOOLS[params["name"]](**params.get("arguments", {}))
    except Exception as error:
        value = failed(error)
    return {"content": [{"type": "text", "text": str(value)}]}


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] == "initialize":
        result = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "network", "version": "1"},
        }
    elif message["method"] == "tools/call":
        result = call(message["params"])
    else:
        result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)

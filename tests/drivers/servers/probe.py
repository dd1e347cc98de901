"""A server that tries what a jail forbids, and says what came of it.

    probe.py ATTEMPTS

ATTEMPTS is a JSON list of [name, verb, arguments…]. One line on stderr, `PROBE {name: outcome}`: an outcome is "done" or
the name of an errno. It never writes to stdout, which belongs to the protocol.
"""
import ctypes
import errno
import json
import os
import signal
import socket
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)


def system_call(number, *arguments):
    """A raw system call; raises OSError as Python's own wrappers do."""
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def read(path):
    """A file with the jail's own text in its place has not been read."""
    with open(path, "rb") as file:
        if file.read(100).startswith(b"# The jail of this program keeps the contents of this file from it."):
            raise PermissionError(errno.EACCES, "closed")


def write(path):
    with open(path, "ab") as file:
        file.write(b"x")


def create(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.unlink(path)


def truncate(path):
    os.truncate(path, 3)


def rename(source, target):
    os.rename(source, target)
    os.rename(target, source)


def link(source, target):
    os.link(source, target)
    os.unlink(target)


def through_link(target, place):
    os.symlink(target, place)
    try:
        read(place)
    finally:
        os.unlink(place)


def remove_dir(path):
    os.mkdir(path)
    os.rmdir(path)


def run_copy(program, place):
    with open(program, "rb") as source, open(place, "wb") as target:
        target.write(source.read())
    os.chmod(place, 0o755)
    try:
        subprocess.run([place], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    finally:
        os.unlink(place)


def tcp(host, port):
    socket.create_connection((host, port), 2).close()


def udp(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", (host, port))


def listen():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()


def unix(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect("\0" + path[1:] if path.startswith("@") else path)


def make_socket(family, kind, protocol):
    socket.socket(family, kind, protocol).close()


def send_signal(pid):
    os.kill(pid, 0)


def environment(name):
    if name not in os.environ:
        raise OSError(errno.ENOENT, "not there")


def read_memory(pid):
    """process_vm_readv(2) of a page that every process has: the first byte of its program is found in its maps."""
    with open(f"/proc/{pid}/maps") as maps:
        address = int(maps.readline().split("-")[0], 16)
    buffer = ctypes.create_string_buffer(1)
    local = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 1)
    remote = (ctypes.c_void_p * 2)(address, 1)
    if libc.process_vm_readv(pid, local, 1, remote, 1, 0) != 1:
        raise OSError(ctypes.get_errno(), "process_vm_readv")


def trace(pid):
    """PTRACE_SEIZE (0x4206) and PTRACE_DETACH (17)."""
    if libc.ptrace(0x4206, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    libc.ptrace(17, pid, None, None)


def in_new_namespace(flags):
    """unshare(2) in a child, so that a success changes nothing here."""
    code = f"import ctypes, os, sys; sys.exit(ctypes.CDLL(None, use_errno=True).unshare({flags}) and ctypes.get_errno())"
    ended = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if ended.returncode:
        raise OSError(errno.EPERM, "unshare")


def descriptors(expected):
    """Which file descriptors there are; the one that lists them is its own."""
    found = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    found = [fd for fd in found if os.path.exists(f"/proc/self/fd/{fd}") or fd < 3]
    if found != expected:
        raise OSError(errno.EBADF, str(found))


def fork(count):
    children = []
    try:
        for _ in range(count):
            pid = os.fork()
            if pid == 0:
                signal.pause()
            children.append(pid)
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


VERBS = {
    "read": read, "list": os.listdir, "follow": os.readlink, "write": write, "create": create, "truncate": truncate, "rename": rename,
    "link": link, "through_link": through_link, "mkdir": remove_dir, "run": lambda path: subprocess.run([path], check=True),
    "run_copy": run_copy, "tcp": tcp, "udp": udp, "listen": listen, "unix": unix, "socket": make_socket,
    "signal": send_signal, "environment": environment, "memory": read_memory, "trace": trace,
    "unshare": in_new_namespace, "syscall": system_call, "descriptors": descriptors, "descriptor": os.fstat, "fork": fork,
    "in_home": lambda: create(os.path.join(os.environ["HOME"], "new")),
    "socketpair": lambda: [end.close() for end in socket.socketpair()],
}  # fmt: skip

outcomes = {}
for name, verb, *arguments in json.loads(sys.argv[1]):
    try:
        VERBS[verb](*arguments)
        outcomes[name] = "done"
    except OSError as error:
        outcomes[name] = errno.errorcode.get(error.errno, str(error))
    except subprocess.CalledProcessError as error:
        outcomes[name] = f"exit {error.returncode}"
print("PROBE " + json.dumps(outcomes), file=sys.stderr, flush=True)

"""A server that writes without ever ending the line, while the client goes on talking.

  noise.py BYTES FIRST LOG -- COMMAND…

COMMAND starts servers/scripted.py with `--log LOG` under a policy that denies the tool `forbidden`. The server writes
BYTES bytes that begin with FIRST. Meanwhile a denied call is answered by the launcher, and a line is carried to the
server: both are timed. Prints seconds and the launcher's greatest resident memory.
"""
import json
import statistics
import sys
import threading
import time

from lines import Session, resident_kib


class Gauge(threading.Thread):
    """The greatest resident memory of a process, sampled every few milliseconds."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak_kib, self.running = pid, 0, True

    def run(self):
        while self.running:
            try:
                self.peak_kib = max(self.peak_kib, resident_kib(self.pid))
            except OSError:
                return
            time.sleep(0.005)


def read_bytes(pid):
    """Bytes that a process has read through system calls so far."""
    with open("/proc/%d/io" % pid) as file:
        return int(file.readline().split()[1])


def carried(session, log, mark):
    """Seconds until a line has reached the server's log."""
    start = time.monotonic()
    session.call(mark, "hang", mark=mark)
    while True:
        with open(log) as file:
            if mark.encode().hex() in file.read():
                return time.monotonic() - start
        if time.monotonic() - start > 30:
            return None
        time.sleep(0.005)


def denied(session, id):
    """Seconds until the launcher has refused a call."""
    start = time.monotonic()
    session.call(id, "forbidden")
    session.answer(id)
    return time.monotonic() - start


def main():
    size, first, log, dashes, *command = sys.argv[1:]
    assert dashes == "--", __doc__
    session = Session(command)
    try:
        session.handshake()
        gauge = Gauge(session.pid)
        idle_kib = resident_kib(session.pid)
        before = read_bytes(session.pid)
        start = time.monotonic()
        gauge.start()
        session.call("noise", "noise", bytes=int(size), first=first)
        denials, carriages = [], []
        while read_bytes(session.pid) - before < int(size):
            if time.monotonic() - start > 240:
                raise TimeoutError("%d bytes were read in 240 s" % (read_bytes(session.pid) - before))
            denials.append(denied(session, "denied-%d" % len(denials)))
            carriages.append(carried(session, log, "carried-%d" % len(carriages)))
            time.sleep(0.2)
        seconds = time.monotonic() - start
        gauge.running = False
        session.close_stdin()
        session.to_end(30)
        code = session.wait(30)
    except Exception:
        session.kill()
        raise
    print(json.dumps({
        "idle_kib": idle_kib, "peak_kib": gauge.peak_kib, "seconds": round(seconds, 1), "rounds": len(denials), "code": code,
        "slowest_denial_s": max(denials), "slowest_carriage_s": max(carriages),
        "usual_denial_s": statistics.median(denials), "usual_carriage_s": statistics.median(carriages),
        "foreign": session.foreign,
    }))


main()

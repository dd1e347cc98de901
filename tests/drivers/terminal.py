"""Runs a command on a terminal, as a person would, and prints what the terminal showed.

    terminal.py WORD…

$STOCKADE WORD… gets a new pseudo-terminal as stdin, stdout and stderr; one line is typed: $TYPED, if it is set. It is typed
when the terminal shows $AWAIT, if that is set, each time anew.
"""
import os
import pty
import sys
import time

typed = os.environ.get("TYPED", "a line").encode() + b"\n"
awaited = os.environ.get("AWAIT", "").encode()
pid, terminal = pty.fork()
if pid == 0:
    program = os.environ["STOCKADE"]
    os.execv(program, [program, *sys.argv[1:]])
if not awaited:
    time.sleep(0.2)
    os.write(terminal, typed)
shown = b""
answered = 0
while True:
    try:
        chunk = os.read(terminal, 65536)
    except OSError:  # EIO: the last process that had the terminal is gone
        break
    if not chunk:
        break
    shown += chunk
    while awaited and shown.count(awaited) > answered:
        answered += 1
        os.write(terminal, typed)
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status))

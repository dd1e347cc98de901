"""Runs a command on a terminal, as a person would, and prints what the terminal showed.

    terminal.py WORD…

$STOCKADE WORD… gets a new pseudo-terminal as stdin, stdout and stderr; one line is typed: $TYPED, if it is set.
"""
import os
import pty
import sys
import time

pid, terminal = pty.fork()
if pid == 0:
    program = os.environ["STOCKADE"]
    os.execv(program, [program, *sys.argv[1:]])
time.sleep(0.2)
os.write(terminal, os.environ.get("TYPED", "a line").encode() + b"\n")
shown = b""
while True:
    try:
        chunk = os.read(terminal, 65536)
    except OSError:  # EIO: the last process that had the terminal is gone
        break
    if not chunk:
        break
    shown += chunk
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status))

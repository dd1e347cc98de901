"""Speaks a given script of lines with a command and tells what came back. Standard library only.

  converse.py SCRIPT.json -- COMMAND…

SCRIPT.json is a list of steps, each with one key:
  {"send": MESSAGE}          a JSON message
  {"raw": "HEX"}             a line as it is
  {"handshake": true}        initialize and notifications/initialized
  {"await": ID, "within": S} waits for the answer to ID
  {"pause": SECONDS}
  {"close": true}            closes the command's stdin
  {"run": WORDS, "env": {…}} runs a command meanwhile; $CODE in its words is the code of the last decision that an answer names
  {"write": PATH, "text": T} replaces a file in one step; {"remove": PATH} removes one; {"rename": PATH, "to": PATH} moves one
Afterwards stdin is closed and everything is read to the end. Prints answers by id (as JSON text), requests,
notifications, lines that are no messages, the exit code and stderr; `late` is the id that a step waited for in vain.
"""
import json
import os
import re
import subprocess
import sys
import time

from lines import Session


def run(step, session):
    """Code and output of a command."""
    codes = re.findall(r"decision ([0-9A-Z]{4,8})", json.dumps(list(session.answers.values())))
    words = [word.replace("$CODE", codes[-1] if codes else "") for word in step["run"]]
    done = subprocess.run(words, env={**os.environ, **step.get("env", {})}, stdin=subprocess.DEVNULL, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return {"code": done.returncode, "said": done.stdout.decode("utf-8", "replace"), "words": words}


def main():
    script, dashes, *command = sys.argv[1:]
    assert dashes == "--", __doc__
    with open(script) as file:
        steps = json.load(file)
    session = Session(command)
    outcome = {"late": None, "runs": []}
    for step in steps:
        try:
            if "send" in step:
                session.send(step["send"])
            elif "raw" in step:
                session.send_raw(bytes.fromhex(step["raw"]))
            elif "handshake" in step:
                session.handshake()
            elif "await" in step:
                session.answer(step["await"], step.get("within", 20))
            elif "pause" in step:
                time.sleep(step["pause"])
            elif "close" in step:
                session.close_stdin()
            elif "run" in step:
                outcome["runs"].append(run(step, session))
            elif "write" in step:
                with open(step["write"] + ".new", "w") as file:
                    file.write(step["text"])
                os.rename(step["write"] + ".new", step["write"])
            elif "rename" in step:
                os.rename(step["rename"], step["to"])
            elif "remove" in step:
                os.remove(step["remove"])
            else:
                raise ValueError("no such step: %r" % step)
        except (TimeoutError, EOFError):
            outcome["late"] = json.dumps(step.get("await", step))
            break
        except BrokenPipeError:
            break
    try:
        session.close_stdin()
    except OSError:
        pass
    try:
        session.to_end(30)
        outcome["code"] = session.wait(30)
    except Exception:
        session.kill()
        raise
    outcome.update(
        answers={json.dumps(id): answers for id, answers in session.answers.items()},
        requests=session.requests,
        notifications=session.others,
        foreign=session.foreign,
        stderr=session.stderr.decode("utf-8", "replace"),
    )
    print(json.dumps(outcome))


main()

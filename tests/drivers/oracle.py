"""Pushes lines through a relay in both directions and tells what came out at the other end. Standard library only.

  oracle.py CASES.json DIRECTORY -- COMMAND…

CASES.json: [{"name": …, "line": HEX, "is_answer": bool}]. COMMAND starts servers/scripted.py; its `--log` and `--emit`
are added here, with files in DIRECTORY. Every line gets a session of its own and each direction as well, so that no
line meets what an earlier one left behind. A line that is an answer finds a pending request with the id 1.

Prints {NAME: {"to_server": {"forwarded": [HEX…], "answered": [MESSAGE…]}, "to_client": {…}}}; `answered` is what the
sender was told.
"""
import concurrent.futures
import json
import os
import sys

from lines import Session

# Sent by the fixture so that the client has something to answer.
QUESTION = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


def received(log):
    with open(log) as file:
        return [bytes.fromhex(line) for line in file.read().split("\n")[:-1]]


def start(case, direction, directory, command):
    base = os.path.join(directory, "%s.%s" % (case["name"], direction))
    with open(base + ".emit", "w") as file:
        file.write("%s\n%s" % (case["line"], QUESTION.hex()))
    session = Session([*command, "--log", base + ".log", "--emit", base + ".emit"])
    session.handshake()
    return session, base + ".log"


def to_server(case, directory, command):
    session, log = start(case, "to_server", directory, command)
    try:
        if case["is_answer"]:
            session.call("emit", "emit", line=1)
            session.answer("emit")
        session.request("before", "ping")
        session.answer("before")
        known, told = len(received(log)), len(session.raw)
        session.send_raw(bytes.fromhex(case["line"]))
        session.request("after", "ping")
        session.answer("after")
        forwarded = [line for line in received(log)[known:] if b'"after"' not in line]
        # Whatever is answered by the server itself was forwarded; what is answered and not forwarded, by the relay.
        answered = [json.loads(line) for line in session.raw[told:]]
        answered = [message for message in answered if message.get("id") != "after"]
    finally:
        finish(session)
    return {"forwarded": [line.hex() for line in forwarded], "answered": answered}


def to_client(case, directory, command):
    session, log = start(case, "to_client", directory, command)
    try:
        if case["is_answer"]:
            session.call(1, "hang")
        session.request("before", "ping")
        session.answer("before")
        told = len(session.raw)
        session.call("emit", "emit", line=0)
        session.answer("emit")
        forwarded = [line for line in session.raw[told:] if b'"emit"' not in line]
        known = len(received(log))
        session.request("after", "ping")
        session.answer("after")
        answered = []
        for line in received(log)[known - 1:]:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if "method" not in message:
                answered.append(message)
    finally:
        finish(session)
    return {"forwarded": [line.hex() for line in forwarded], "answered": answered}


def finish(session):
    try:
        session.close_stdin()
        session.to_end(10)
        session.wait(10)
    finally:
        session.kill()


def main():
    cases, directory, dashes, *command = sys.argv[1:]
    assert dashes == "--", __doc__
    with open(cases) as file:
        cases = json.load(file)

    def both(case):
        try:
            return {
                "to_server": to_server(case, directory, command),
                "to_client": to_client(case, directory, command),
            }
        except Exception as error:
            raise RuntimeError("case %s: %s" % (case["name"], error)) from error

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = dict(zip([case["name"] for case in cases], pool.map(both, cases)))
    print(json.dumps(outcomes))


main()

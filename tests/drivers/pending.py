"""Leaves 100 requests unanswered in both directions, makes something happen, and counts the answers to each id.

  pending.py EVENT LOG -- COMMAND…

COMMAND starts servers/scripted.py with `--log LOG`. EVENT: sigterm, client-eof, server-closes-stdin,
client-closes-stdout, server-killed, keeper-killed. Prints how often each id was answered: `to_client` for what the
client asked, `to_server` for what the server asked.
"""
import collections
import json
import os
import signal
import sys

from lines import Session, keeper_pids, server_pid

COUNT = 100


def happen(event, session):
    if event == "sigterm":
        os.kill(session.pid, signal.SIGTERM)
    elif event == "client-eof":
        session.close_stdin()
    elif event == "server-closes-stdin":
        session.call("closing", "close_stdin")
        session.answer("closing")
        session.call("into-the-void", "echo", message="nobody reads this")
    elif event == "client-closes-stdout":
        session.close_stdout()
        session.call("into-the-void", "echo", message="nobody reads this")
    elif event == "server-killed":
        os.kill(server_pid(session.pid, "scripted.py"), signal.SIGKILL)
    elif event == "keeper-killed":
        for pid in keeper_pids(session.pid):
            os.kill(pid, signal.SIGKILL)
    else:
        raise ValueError(event)


def logged_answers(log):
    """How often the server was answered, by id."""
    counts = collections.Counter()
    with open(log) as file:
        for line in file:
            try:
                message = json.loads(bytes.fromhex(line))
            except ValueError:
                continue
            if "method" not in message:
                counts[json.dumps(message["id"])] += 1
    return counts


def main():
    event, log, dashes, *command = sys.argv[1:]
    assert dashes == "--", __doc__
    session = Session(command)
    try:
        session.handshake()
        session.call("deaf", "ignore_signals")
        session.answer("deaf")
        asked = [n if n % 2 else "c-%d" % n for n in range(COUNT)]
        for id in asked:
            session.call(id, "hang")
        session.call("ask", "ask", count=COUNT)
        session.answer("ask")
        while len(session.requests) < COUNT:
            session.take(20)
        early = [json.dumps(id) for id in asked if id in session.answers]
        happen(event, session)
        session.to_end(60)
        code = session.wait(60)
    except Exception:
        session.kill()
        raise
    to_client = {json.dumps(id): len(session.answers.get(id, [])) for id in asked}
    counts = logged_answers(log)
    to_server = {json.dumps(request["id"]): counts[json.dumps(request["id"])] for request in session.requests}
    sample = session.answers.get(asked[0], [None])[0]
    print(json.dumps({
        "code": code, "early": early, "to_client": to_client, "to_server": to_server, "sample": sample,
        "foreign": session.foreign, "stderr": session.stderr.decode("utf-8", "replace"),
    }))


main()

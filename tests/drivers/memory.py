"""Resident memory of launcher and keeper after few and after many calls.

  memory.py FEW MANY -- COMMAND…

COMMAND starts servers/scripted.py. Of a hundred calls five are never answered nor spoken of again (abandoned) and five
are cancelled; so `hang` is called for these. Prints KiB after FEW and after MANY calls, and that all others were
answered once.
"""
import json
import sys
import time

from lines import Session, keeper_pids, resident_kib

IN_FLIGHT = 64


def kind(n):
    return {0: "abandoned", 10: "cancelled"}.get(n % 20, "answered")


def batch(session, first, count):
    """`count` calls, at most IN_FLIGHT ahead of their answers."""
    waiting = []
    for n in range(first, first + count):
        id = n if n % 2 else "id-%d" % n
        if kind(n) == "answered":
            message = {"name": "echo", "arguments": {"message": "call %d" % n}}
            waiting.append(id)
        else:
            message = {"name": "hang", "arguments": {}}
        session.send({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": message}, flush=False)
        if kind(n) == "cancelled":
            session.notify("notifications/cancelled", {"requestId": id, "reason": "changed my mind"})
        if len(waiting) == IN_FLIGHT:
            collect(session, waiting)
    collect(session, waiting)


def collect(session, waiting):
    session.flush()
    for id in waiting:
        answer = session.answer(id)
        if "result" not in answer or len(session.answers[id]) != 1:
            raise AssertionError("%r was answered %r" % (id, session.answers[id]))
        del session.answers[id]
    session.raw.clear()
    waiting.clear()


def resident(session):
    time.sleep(1)  # for what is spooled behind the answers
    pids = [session.pid, *keeper_pids(session.pid)]
    return {"kib": sum(resident_kib(pid) for pid in pids), "each": [resident_kib(pid) for pid in pids]}


def main():
    few, many, dashes, *command = sys.argv[1:]
    assert dashes == "--", __doc__
    few, many = int(few), int(many)
    session = Session(command)
    try:
        session.handshake()
        batch(session, 1, few)
        after_few = resident(session)
        start = time.monotonic()
        batch(session, 1 + few, many - few)
        seconds = time.monotonic() - start
        after_many = resident(session)
        session.close_stdin()
        session.to_end(30)
        code = session.wait(30)
    except Exception:
        session.kill()
        raise
    print(json.dumps({
        "few": after_few, "many": after_many, "seconds": round(seconds, 1), "code": code, "foreign": session.foreign,
    }))


main()

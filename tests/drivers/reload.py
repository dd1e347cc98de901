"""Calls tools of a command while its policy file changes, and says which policy answered. Standard library only.

  reload.py POLICY_FILE CALLS EVERY -- COMMAND…

Before each EVERY calls the policy file becomes number 0, 1, 2 …: number N denies the tool `one` if N is even, else `other`, by a
rule `rule-N`. The calls are written at once, and all of them answered before the next policy. Prints the number of
policies, of denied calls, and every answer that is not the one of the policy in force.
"""
import json
import os
import sys

from lines import Session

TOOLS = ["one", "other"]


def policy(number):
    return 'version = 1\n[[rule]]\nid = "rule-%d"\neffect = "deny"\ntools = ["%s"]\nreason = "number %d"\n' % (
        number, TOOLS[number % 2], number)


def put(path, number):
    """Every third time in its place, else another file takes it."""
    if number % 3 == 0:
        with open(path, "w") as file:
            file.write(policy(number))
    else:
        with open(path + ".new", "w") as file:
            file.write(policy(number))
        os.rename(path + ".new", path)


def main():
    path, calls, every, dashes, *command = sys.argv[1:]
    assert dashes == "--", __doc__
    put(path, 0)
    session = Session(command)
    session.handshake()
    wrong, denied = [], 0
    for number in range(int(calls) // int(every)):
        put(path, number)
        ids = range(number * int(every), (number + 1) * int(every))
        for id in ids:
            params = {"name": TOOLS[id % 2], "arguments": {}}
            session.send({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}, flush=False)
        session.flush()
        for id in ids:
            text = session.answer(id, 120)["result"]["content"][0]["text"]
            expected = "rule-%d`" % number if id % 2 == number % 2 else "KeyError"
            denied += "Stockade" in text
            if expected not in text:
                wrong.append({"id": id, "policy": number, "text": text})
            del session.answers[id]
    session.close_stdin()
    session.to_end(60)
    code = session.wait(30)
    print(json.dumps({"policies": number + 1, "denied": denied, "wrong": wrong[:10], "code": code,
                      "stderr": session.stderr.decode("utf-8", "replace")[-2000:]}))


main()

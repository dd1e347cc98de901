"""An agent that reads files, edits a line and writes them back, through two servers of server-filesystem.

  round_trips.py HOW_MANY DIRECTORY-A DIRECTORY-B COMMANDS.json

COMMANDS.json: [[COMMAND-OF-A…], [COMMAND-OF-B…]]

Makes HOW_MANY files with made-up secrets in A (the same on every run), and for each: reads it through A, changes a line of
what it got to read, writes it back through A (the whole file or an edit around a secret), and compares the bytes on
disk. What it got to read is also offered to B. Prints what came of it as JSON.
"""
import asyncio
import base64
import json
import os
import random
import string
import sys
from pathlib import Path

from mcp import Client, StdioServerParameters

CHANCE = random.Random(20261123)
LETTERS = string.ascii_letters + string.digits


def drawn(count, letters=LETTERS):
    return "".join(CHANCE.choice(letters) for _ in range(count))


def tokens():
    """Values in the form of vendors, made up; in pieces, so that nobody takes this file for a leak."""
    github, aws = "gh" + "p_" + drawn(36), "AK" + "IA" + drawn(16, string.ascii_uppercase + "234567")
    stripe, slack = "sk_" + "live_" + drawn(24), "xo" + "xb-" + "-".join(drawn(12, string.digits) for _ in "ab") + "-" + drawn(24)
    return [github, aws, stripe, slack]


def pem():
    body = base64.b64encode(CHANCE.randbytes(600)).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    kind = "PRIVATE " + "KEY"
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])


def env(values):
    return f"# settings\nREVISION=1\nGITHUB_TOKEN={values[0]}\nAWS_ACCESS_KEY_ID='{values[1]}'\nEMPTY=\n", values[:2]


def in_json(values):
    text = {"revision": "REVISION=1", "stripe": {"secret": values[2]}, "slack": [values[3]], "umlaut": "Grüße", "n": 4539578763621486}
    return json.dumps(text, indent=2, ensure_ascii=CHANCE.random() < 0.5), values[2:4] + ["4539578763621486"]


def yaml(values):
    hidden = base64.b64encode(values[0].encode()).decode()
    text = f"apiVersion: v1\nkind: Secret\ndata:\n  token: {hidden}\nnote: REVISION=1\nplain: \"{values[0]}\"\n"
    return text, [values[0], hidden]


def crlf(values):
    return f"name;token\r\nREVISION=1;-\r\nanna;{values[0]}\r\nbert;{values[0]}\r\n", values[:1]


def source(values):
    text = f'const client = new Client("{values[2]}"); // REVISION=1\nconst url = "https://u:{values[3]}@db.internal/x?y=\\"1\\"";\n'
    return text, values[2:4]


def key(values):
    block = pem()
    return f"REVISION=1\n{block}\n\ttabs\tand \u2028 odd 😀 characters\n", block.splitlines()[1:-1]


def clean(values):
    return "REVISION=1\nnothing to hide [REDACTED] here\n", []


KINDS = [env, in_json, yaml, crlf, source, key, clean]


def words_of(result):
    return "".join(part.text for part in result.content if part.type == "text")


async def trip(number, a, b, folders, tally):
    text, secrets = KINDS[number % len(KINDS)](tokens())
    path = folders[0] / f"file-{number}.txt"
    path.write_bytes(text.encode())
    shown = words_of(await a.call_tool("read_text_file", {"path": str(path)}))
    tally["seen"] += sum(secret in shown for secret in secrets)
    tally["redacted"] += shown != text
    expected = text.replace("REVISION=1", "REVISION=2")
    if number % 3 == 2 and "\r" not in text:
        # The server itself writes the line ends of an edited file anew.
        change = {"path": str(path), "edits": [{"oldText": shown, "newText": shown.replace("REVISION=1", "REVISION=2")}]}
        result = await a.call_tool("edit_file", change)
        tally["edited"] += 1
    else:
        content = shown.replace("REVISION=1", "REVISION=2")
        result = await a.call_tool("write_file", {"path": str(path), "content": content})
    tally["seen"] += sum(secret in words_of(result) for secret in secrets)
    same = not result.is_error and path.read_bytes() == expected.encode()
    tally["identical"] += same
    if not same and len(tally["broken"]) < 3:
        tally["broken"].append({"kind": KINDS[number % len(KINDS)].__name__, "told": words_of(result)[:300]})
    elsewhere = folders[1] / path.name
    result = await b.call_tool("write_file", {"path": str(elsewhere), "content": shown})
    tally["refused_elsewhere" if result.is_error and not elsewhere.exists() else "written_elsewhere"] += 1
    return secrets


async def main():
    many, folders = int(sys.argv[1]), [Path(sys.argv[2]), Path(sys.argv[3])]
    commands = json.loads(Path(sys.argv[4]).read_text())
    servers = [StdioServerParameters(command=c[0], args=c[1:], env=dict(os.environ)) for c in commands]
    tally = dict.fromkeys(["identical", "redacted", "edited", "seen", "refused_elsewhere", "written_elsewhere"], 0)
    tally["broken"], secrets = [], []
    async with Client(servers[0], mode="legacy", cache=None, read_timeout_seconds=60) as a:
        async with Client(servers[1], mode="legacy", cache=None, read_timeout_seconds=60) as b:
            for number in range(many):
                secrets += await trip(number, a, b, folders, tally)
    files = [path.read_text() for folder in folders for path in folder.iterdir()]
    tally["placeholders_on_disk"] = sum("[REDACTED:" in text for text in files)
    elsewhere = [path.read_text() for path in folders[1].iterdir()]
    tally["secrets_elsewhere"] = sum(secret in text for secret in secrets for text in elsewhere)
    tally["secrets"] = secrets
    print(json.dumps(tally))


asyncio.run(main())

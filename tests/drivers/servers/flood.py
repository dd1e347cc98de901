"""An MCP server that sends requests which nobody can accept, and reads nothing until all are sent. Then it serves: its
tool `heard` answers once it has got as many answers as it is told to wait for. Standard library only.

  flood.py COUNT
"""
import json
import sys

count = int(sys.argv[1])
for number in range(count):
    sys.stdout.write('{"jsonrpc":"2.0","id":%d,"method":"roots/list","method":"roots/list"}\n' % number)
sys.stdout.flush()

heard = set()
waiting = []


def answer(id, result):
    print(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}), flush=True)


for line in sys.stdin:
    message = json.loads(line)
    if "method" not in message:
        heard.add(message["id"])
    elif message["method"] == "tools/call":
        waiting.append((message["params"]["arguments"]["least"], message["id"]))
    elif "id" in message:
        info = {"name": "flood", "version": "1"}
        answer(message["id"], {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info})
    for least, id in [entry for entry in waiting if entry[0] <= len(heard)]:
        waiting.remove((least, id))
        answer(id, {"content": [{"type": "text", "text": "heard"}]})

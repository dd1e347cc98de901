"""A server with tools that have output schemas, as a file of cases says.

  outputs.py CASES.json

TOKEN, PASSWORD and MAIL in the cases stand for made-up values, written in pieces so that nobody takes them for a leak.
"""
import json
import sys
from pathlib import Path

VALUES = {
    "TOKEN": "ghp_" + "k3Jd92mXq7LwPz4R" + "t8VbNc5YfHs1GaQe6UoT",
    "PASSWORD": "AKIA" + "X7Q2PL5M" + "W3ZT4KJH",
    "MAIL": "anna.schmidt" + "@" + "firma-beispiel.de",
}
text = Path(sys.argv[1]).read_text()
for name, value in VALUES.items():
    text = text.replace(name, value)
cases = {case["tool"]: case for case in json.loads(text)}


def answer(method, params):
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "outputs", "version": "1"},
        }
    if method == "tools/list":
        inputs = {"type": "object"}
        return {"tools": [{"name": c["tool"], "inputSchema": inputs, "outputSchema": c["schema"]} for c in cases.values()]}
    if method == "tools/call":
        structured = cases[params["name"]]["structured"]
        return {"content": [{"type": "text", "text": json.dumps(structured)}], "structuredContent": structured}
    return {}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and "method" in message:
        result = answer(message["method"], message.get("params", {}))
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)

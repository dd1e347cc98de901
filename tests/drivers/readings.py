"""How Python reads JSON lines: one canonical text a line, or null where it cannot.

  readings.py FILE        FILE: a line in hex a line

Canonical: numbers as the 16 hex digits of their double, strings as the hex of their UTF-16 units, keys sorted.
"""
import json
import struct
import sys


def canonical(value):
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    if isinstance(value, str):
        return '"%s"' % value.encode("utf-16-be", "surrogatepass").hex()
    if isinstance(value, list):
        return "[%s]" % ",".join(map(canonical, value))
    members = sorted((canonical(key), canonical(member)) for key, member in value.items())
    return "{%s}" % ",".join("%s:%s" % member for member in members)


def reading(line):
    try:
        text = bytes.fromhex(line).decode("utf-8")
        return canonical(json.loads(text, parse_int=float, parse_float=float))
    except ValueError:
        return None


with open(sys.argv[1]) as file:
    print(json.dumps([reading(line) for line in file.read().split("\n")]))

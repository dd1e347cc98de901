#!/usr/bin/env python3
"""Writes `corpus/TARGET/` and `corpus/TARGET.dict` for libFuzzer into a folder, from the project's own cases, detectors, policies and
tests: `fuzz/seeds.py [FOLDER]`. Neither is committed, for both follow from what is."""

import hashlib
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGETS = ["wire", "detect", "mediate", "uri", "document", "condition"]
# What libFuzzer is told as `-max_len`: a longer seed would be cut in the middle.
LONGEST = 4096


def tables(pattern):
    """The TOML files of a pattern, read."""
    return [tomllib.loads(path.read_text()) for path in sorted(ROOT.glob(pattern))]


def source(pattern):
    """The text of all files of a pattern, one behind the other."""
    return "\n".join(path.read_text() for path in sorted(ROOT.glob(pattern)))


def joined(example):
    """An example of a detector: a text, or its pieces (so that scanners of repositories do not take it for a leak)."""
    return example if isinstance(example, str) else "".join(example)


def lines():
    """The single messages of the cases of the grammar and of redaction."""
    for case in tables("tests/cases/wire.toml")[0]["case"]:
        if "line" in case:
            yield case["line"].encode()
        elif "hex" in case:
            yield bytes.fromhex(case["hex"])
    for table in tables("tests/cases/redaction/*.toml"):
        for case in table.values():
            yield case["input"].replace("¦", "").encode()


def strings_of_tests():
    """Rust's string literals that begin like a message, as they stand in the tests of the mediator."""
    text = source("policy/tests/mediator/*.rs") + source("policy/tests/fuzz_smoke.rs")
    for raw in re.findall(r'r#"(\{.*?)"#', text):
        yield raw
    for escaped in re.findall(r'"([<>]?\{(?:[^"\\]|\\.)*)"', text):
        yield escaped.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def sessions():
    """Each message from either side, and the dialogues that the smoke test begins with."""
    for line in lines():
        yield b">" + line
        yield b"<" + line
    for text in strings_of_tests():
        yield text.encode() if text[0] in "<>" else b">" + text.encode()
    # An answer to the question before it is looked at otherwise than one to no question.
    call = b'>{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{}}}\n<'
    for line in lines():
        yield call + line


def policies():
    """Policy files: those that ship, those of the cases, and the examples of the documentation."""
    for path in sorted(ROOT.glob("profiles/policies/*.toml")):
        yield path.read_text()
    for table in tables("tests/cases/verdicts/*.toml"):
        for case in table.get("case", []):
            yield from (text for text in case.get("policy", {}).values() if isinstance(text, str))
    for text in re.findall(r"```toml\n(.*?)```", source("docs/policy.md") + source("docs/dlp.md"), re.S):
        yield "version = 1\n" + text


def conditions():
    """What stands behind `when`, and what the smoke test begins with."""
    for text in [*policies(), source("docs/policy.md"), source("policy/src/rules/condition/tests.rs")]:
        yield from (match[1] for match in re.findall(r"""when = (['"])(.*?)\1""", text))
    quoted = source("policy/tests/fuzz_smoke.rs") + source("policy/src/rules/condition/tests.rs")
    yield from re.findall(r'"((?:args|has|tool|now|size|user|device|groups|annotations|\'g\')[^"\n]*)"', quoted)


def uris():
    """What looks like a URI anywhere in cases, tests and the module itself."""
    text = source("tests/cases/**/*.toml") + source("policy/src/uri.rs") + source("policy/tests/**/*.rs")
    yield from re.findall(r"""["'\s]([A-Za-z][A-Za-z0-9+.-]*:[^\s"'<>]{1,200})""", text)


def examples():
    """The texts in which the detectors find something, and in which they do not."""
    for table in tables("profiles/detectors/*.toml"):
        for detector in table.get("detector", []):
            yield from map(joined, detector.get("match", []) + detector.get("not_match", []))


def words(value, names):
    """The texts under any of `names`, anywhere in a table."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in names and isinstance(inner, list):
                yield from (word for word in inner if isinstance(word, str))
            else:
                yield from words(inner, names)
    elif isinstance(value, list):
        for inner in value:
            yield from words(inner, names)


def seeds():
    """The inputs of each target."""
    return {
        "wire": [*lines(), *(text.lstrip("<>").encode() for text in strings_of_tests())],
        "detect": [*(text.encode() for text in examples()), *lines()],
        "mediate": [*sessions()],
        "uri": [text.encode() for text in uris()],
        "document": [text.encode() for text in policies()],
        "condition": [text.encode() for text in conditions()],
    }


def literals(pattern):
    """Short string literals of Rust files: method names, keys, schemes."""
    found = re.findall(r'"([A-Za-z_$][\w/.:$-]{1,40})"', source(pattern))
    return set(found)


def dictionaries():
    """The words of each target."""
    escapes = {"\\u0000", "\\ud800", "\\udc00", "\u2028", "\u0085", "\ufeff", "\r", "1e999", "-0", "null", "\u212a"}
    protocol = literals("policy/src/wire/*.rs") | literals("policy/src/mediator/*.rs")
    smoke = set(re.findall(r'"((?:[^"\\]|\\.)*)",', source("policy/tests/fuzz_smoke.rs")))
    smoke = {word.replace('\\"', '"') for word in smoke if len(word) <= 40 and "\\u{" not in word}
    detectors = tables("profiles/detectors/*.toml")
    keywords = {word for table in detectors for word in words(table, {"keywords", "context", "prefixes", "words"})}
    encodings = {"%41", "&#65;", "\\x41", "=?utf-8?B?", "H4sI", "\u200b", "\U000e0041", "\u202e", "\uff21", "\x1b[2J"}
    return {
        "wire": protocol | escapes,
        "mediate": protocol | escapes | {"\n>", "\n<", " Umbrella ", " Nightfall ", "merge_x", "[REDACTED:customers:"},
        "detect": keywords | encodings | smoke,
        "uri": literals("policy/src/uri.rs") | {"%2e", "%2F", "%25", "%5c", "..", "//", "xn--", "[::1]", "0x7f", ":443"},
        "document": literals("policy/src/document/**/*.rs") | {"[[", "]]\n", "'''", '"""', " = "},
        "condition": literals("policy/src/rules/condition/*.rs") | smoke,
    }


def entry(word):
    """A line of a dictionary: bytes that are not plain ASCII are written in hex."""
    plain = b"".join(
        b"\\x%02x" % byte if byte < 0x20 or byte > 0x7E or byte in b'"\\' else bytes([byte])
        for byte in word.encode()[:60]
    )
    return b'"' + plain + b'"\n'


def main():
    """Writes everything."""
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "fuzz"
    inputs, spoken = seeds(), dictionaries()
    for target in TARGETS:
        corpus = folder / "corpus" / target
        corpus.mkdir(parents=True, exist_ok=True)
        kept = {text for text in inputs[target] if 0 < len(text) <= LONGEST}
        for text in kept:
            (corpus / hashlib.sha1(text).hexdigest()).write_bytes(text)
        lines_of = sorted({entry(word) for word in spoken[target] if word})
        (folder / "corpus" / f"{target}.dict").write_bytes(b"".join(lines_of))
        print(f"{target}: {len(kept)} seeds, {len(lines_of)} words")


if __name__ == "__main__":
    main()

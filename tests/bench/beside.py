#!/usr/bin/env python3
"""Detectors beside two that can be installed: detect-secrets (Yelp) and presidio-analyzer (Microsoft), on this project's own
cases: the examples of profiles/detectors, and messages of ordinary work.

    python3 -m venv VENV && VENV/bin/pip install detect-secrets==1.5.0 presidio-analyzer==2.2.366
    cargo build --release && cargo build --release -p stockade-policy --example ordinary_work
    VENV/bin/python tests/bench/beside.py [--target target/release] [--count 100]

Each tool has all of its detectors on, with the settings that it comes with. Presidio runs without a language model (its models are
not packages of an index), so names and places are left out for it and for us. An example counts as found where the tool
reports anything in it, secrets or personal data alike. The examples are those that our detectors were built to find: what the table shows is how
much of it others cover, not how much of the world anybody covers. Prints a table in Markdown; asserts nothing.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A language model would be needed for these.
OF_MODELS = ("pii/person-name", "pii/street-address")
# Vendors for which detect-secrets has a plugin of its own.
NAMED = (
    "artifactory aws azure-storage discord github gitlab ibm json-web-token mailchimp npm openai private-key pypi sendgrid slack "
    "square stripe telegram twilio"
).split()


def examples():
    """(detector, text, whether it must be found)"""
    for path in sorted((ROOT / "profiles/detectors").glob("*.toml")):
        for detector in tomllib.loads(path.read_text()).get("detector", []):
            for field, must in (("match", True), ("not_match", False)):
                for example in detector.get(field, []):
                    yield detector["name"], text_of(example), must


def text_of(example):
    if isinstance(example, str):
        return example
    if isinstance(example, dict):
        # An example whose key matters.
        return f"{example['key']}: {text_of(example.get('text', example.get('value', '')))}"
    return "".join(example) if isinstance(example, list) else str(example)


def ordinary(options):
    program = options.target / "examples/ordinary_work"
    lines = subprocess.run([program, str(options.count)], check=True, capture_output=True, text=True).stdout
    return [json.loads(line)["text"] for line in lines.splitlines()]


class Stockade:
    name = "stockade"

    def __init__(self, options):
        self.command = [options.target / "stockade", "dlp", "scan", "--jsonl"]

    def found(self, texts):
        feed = "".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in enumerate(texts))
        done = subprocess.run(self.command, input=feed, capture_output=True, text=True)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        if len(rows) != len(texts):
            raise SystemExit(f"stockade dlp scan answered {len(rows)} of {len(texts)} texts: {done.stderr[-300:]}")
        return [{finding["detector"] for finding in row["findings"]} for row in rows]


class DetectSecrets:
    name = "detect-secrets 1.5.0"

    def __init__(self, _options):
        from detect_secrets.core.scan import scan_file
        from detect_secrets.settings import default_settings

        self.scan_file, self.settings = scan_file, default_settings

    def found(self, texts):
        # As files: its search in single lines leaves its limits of entropy out.
        with self.settings(), tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "text.txt"
            return [self.one(path, text) for text in texts]

    def one(self, path, text):
        path.write_text(text)
        return {f"secret/{secret.type}" for secret in self.scan_file(str(path))}


class Presidio:
    name = "presidio-analyzer 2.2.366"

    def __init__(self, _options):
        import spacy
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import SpacyNlpEngine

        class Blank(SpacyNlpEngine):
            def __init__(self):
                super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
                self.nlp = {"en": spacy.blank("en")}
                self.nlp["en"].max_length = 1 << 30

        self.analyzer = AnalyzerEngine(nlp_engine=Blank(), supported_languages=["en"])

    def found(self, texts):
        return [{f"pii/{hit.entity_type}" for hit in self.analyzer.analyze(text, language="en")} for text in texts]


def share(part, whole):
    return f"{part} of {whole} ({100 * part / max(1, whole):.1f} %)"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=pathlib.Path, default=ROOT / "target/release")
    parser.add_argument("--count", type=int, default=100, help="messages of each kind of ordinary work")
    options = parser.parse_args()
    cases, messages = list(examples()), ordinary(options)
    size = sum(len(text.encode()) for text in messages)

    def of(label):
        return lambda detector: detector.startswith(label) and detector not in OF_MODELS

    rows = [
        ("examples of secrets", of("secret/"), True),
        ("… of vendors that detect-secrets names", lambda d: d.startswith("secret/") and any(n in d for n in NAMED), True),
        ("examples of personal data, without names and streets", of("pii/"), True),
        ("examples that are no secret, flagged", of("secret/"), False),
        ("examples that are no personal data, flagged", of("pii/"), False),
    ]
    columns = []
    for tool in (Stockade(options), DetectSecrets(options), Presidio(options)):
        found, column = tool.found([text for _, text, _ in cases]), [tool.name]
        for _, wanted, must in rows:
            those = [hits for hits, (detector, _, is_match) in zip(found, cases) if is_match == must and wanted(detector)]
            column.append(share(sum(map(bool, those)), len(those)))
        start = time.perf_counter()
        flagged = tool.found(messages)
        seconds = time.perf_counter() - start
        column += [share(sum(map(bool, flagged)), len(messages)), f"{size / seconds / 1e6:.2f} MB/s"]
        columns.append(column)
    names = ["", *(name for name, _, _ in rows), f"ordinary messages flagged ({size / 1e6:.1f} MB)", "speed, whole process"]
    for at, name in enumerate(names):
        print("| " + " | ".join([name, *(column[at] for column in columns)]) + " |")
        if at == 0:
            print("|" + " --- |" * (1 + len(columns)))


if __name__ == "__main__":
    main()

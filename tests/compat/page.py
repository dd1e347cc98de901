"""docs/compatibility.md: what was compared, and every difference that is listed."""

import collections
import platform

from cases.base import TESTS
from cases.cpython import LEFT_OUT
from compare import BACKENDS, WHO, differences, listed

PAGE = TESTS.parent / "docs" / "compatibility.md"

HEAD = """# Compatibility

What works outside of the jail works inside, or it is listed here with the reason. `tests/compat/run` starts each program
bare, then under `stockade jail` with the profile `default` in either backend, with its working directory granted for writing,
and compares exit codes, what the program tells, and every test of CPython's own suite by name. This page is written by it; CI
fails where its list of differences is not what the tests expect, where a difference is not listed, and where a listed one
is gone. (A difference has to come three times to count: tests of other projects wait for fractions of a second.)

```console
tests/run --set-up                                      # once: uv, esbuild
tests/compat/run                                        # what CI compares, a few minutes
tests/compat/run --offline                              # the same without npm, pip and uv
tests/compat/run --all --markdown docs/compatibility.md # everything, and this page
tests/compat/run git                                    # whatever has `git` in its name
```

Debian's packages: `libpython3.11-testsuite`, `default-jdk-headless`, `curl`, `make`, `gcc`, `git`, `nodejs`, `npm`; for `--all`
also `chromium`, which is too large for CI.
"""


def groups(cases):
    found = collections.OrderedDict()
    for case in cases:
        found.setdefault(case.program, []).append(case)
    return found


def figures(done):
    """{program: (cases, results, skipped by itself, {backend: differing results})} of a run."""
    found = collections.OrderedDict()
    for compared in done:
        if not compared.bare:
            continue
        entry = found.setdefault(compared.case.program, [0, 0, 0, dict.fromkeys(BACKENDS, 0)])
        results = compared.bare.results.values()
        entry[0] += 1
        entry[1] += len(results)
        entry[2] += sum(result == "skipped" for result in results)
        for backend in BACKENDS:
            jailed = compared.jailed.get(backend)
            # What was not run there differs in all.
            wrong = differences(compared.bare, jailed) if jailed else results
            entry[3][backend] += sum(not line.startswith("exit: ") for line in wrong)
    return found


def summary(done):
    lines = [""]
    for program, (cases, results, skipped, differing) in figures(done).items():
        differ = ", ".join(f"{backend} {count}" for backend, count in differing.items())
        lines.append(f"{program}: {results:,} results of {cases} cases ({skipped} skipped bare too); differing: {differ}")
    return "\n".join(lines)


def where(item):
    backends, who = item.get("backends", BACKENDS), item.get("who", ("root", "user"))
    words = [", ".join(f"`{backend}`" for backend in backends) if len(backends) < len(BACKENDS) else "both backends"]
    if len(who) == 1:
        words.append("as root" if who[0] == "root" else "as an ordinary user")
    return ", ".join(words)


def known(cases):
    """The part of the page that needs no run."""
    places = {case.name: number for number, case in enumerate(cases)}
    reasons = collections.OrderedDict()
    for item in sorted(listed(), key=lambda item: places.get(item["case"], 0)):
        reasons.setdefault(" ".join(item["reason"].split()), []).append(item)
    lines = ["## What differs", ""]
    for reason, items in reasons.items():
        lines += [reason, ""]
        for item in items:
            shown = ", ".join(f"`{short(line, item['case'])}`" for line in item["lines"])
            lines.append(f"- {item['case']} ({where(item)}): {shown}")
        lines.append("")
    lines += ["## What is left out", ""]
    lines += ["Tests of CPython's that do not end the same way twice, or need what the machine may not have:", ""]
    for module, tests in LEFT_OUT.items():
        lines += [f"- {module}: `{test}`: {reason}" for test, reason in tests.items()]
    return "\n".join(lines).rstrip() + "\n"


def short(line, case):
    """Without what the case says already."""
    return line.removeprefix(f"test.{case.removeprefix('cpython ')}.")


def text(done, cases):
    who = "root" if WHO == "root" else "an ordinary user"
    tried = {compared.case.name for compared in done if compared.bare}
    untried = sum(case.name not in tried for case in cases)
    lines = [HEAD, "## Results", "", f"As {who}, on {platform.system()} {platform.release().split('-')[0]}. "
             "Skipped is what the suite itself skips, inside as outside."]
    if untried:
        lines[-1] += f" {untried} of {len(cases)} cases were not run for this table."
    lines += ["", "| program | compared | skipped | " + " | ".join(f"`{backend}`" for backend in BACKENDS) + " |"]
    lines += ["| --- | --- | --- | " + " | ".join("---" for _ in BACKENDS) + " |"]
    for program, (count, results, skipped, differing) in figures(done).items():
        told = f"{results:,} results of {count} {'program' if count == 1 else 'programs'}"
        if program.startswith("CPython"):
            told = f"{results:,} tests of {count} modules"
        ways = " | ".join(f"the same but {differing[b]}" if differing[b] else "the same" for b in BACKENDS)
        lines.append(f"| {program} | {told} | {skipped:,} | {ways} |")
    lines += ["", known(cases)]
    return "\n".join(lines)


def objections(cases):
    """Why the page is out of date; nothing where there is no page to be looked at (a copy of tests/ alone)."""
    names = {case.name for case in cases}
    for item in listed():
        if item["case"] not in names:
            return f"differences.toml lists a case that is none: {item['case']}"
        if len(item["reason"]) < 20 or not item["lines"]:
            return f"differences.toml: {item['case']} needs lines and a reason"
    if not PAGE.parent.is_dir():
        return ""
    if not PAGE.exists() or known(cases) not in PAGE.read_text():
        return f"write the page anew: tests/compat/run --all --markdown {PAGE}"
    return ""

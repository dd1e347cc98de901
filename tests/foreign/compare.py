"""What other people's probes say in the jail that they do not say bare, under the reason for it. Standard library only.

    compare.py REASONS PLACE        reads PLACE/NAME.BACKEND for every NAME.bare in it

A difference without a reason stands under a heading of its own, and makes the exit code 1.
"""
import fnmatch
import pathlib
import re
import sys
import tomllib

BACKENDS = ["namespaces", "notify", "static"]
UNEXPLAINED = "No reason is known"


def verdicts(text):
    """TAP of the kernel's selftests: name of each test → ok, not ok, skipped, waited. Or the one word of `try-syscall`."""
    if not text.startswith("TAP"):
        return {"": text.strip() or "silent"}
    found, running, waited = {}, "", False
    for line in text.splitlines():
        if began := re.match(r"#  RUN +(\S+) \.\.\.$", line):
            running, waited = began[1], False
        elif line.endswith(": Test terminated by timeout"):
            waited = True
        elif ended := re.match(r"(ok|not ok) (\d+) (# SKIP )?(.*)$", line):
            word, number, skipped, name = ended.groups()
            # Without the harness there are no names, but sentences with process ids in them.
            name = running or number + ": " + re.sub(r"\[\d+\] |\d{3,}", "", name)
            if skipped and not running:
                return {None: "skipped"}
            found[name] = "skipped" if skipped else "waited" if waited else word
    return found


def differences(place):
    """(program and test, bare verdict, verdicts in the backends), for those where they are not all the same."""
    for path in sorted(place.glob("*.bare")):
        bare = verdicts(path.read_text(errors="replace"))
        jailed = [verdicts((place / f"{path.stem}.{backend}").read_text(errors="replace")) for backend in BACKENDS]
        names = list(dict.fromkeys(name for found in [bare, *jailed] for name in found if name is not None))
        for name in names:
            was = bare.get(name, "not reached")
            now = [found.get(None) or found.get(name, "not reached") for found in jailed]
            if any(word != was for word in now):
                yield f"{path.stem} {name}".strip(), was, now


def reason_for(reasons, test, backend):
    for reason in reasons:
        if backend in reason.get("backends", BACKENDS) and any(fnmatch.fnmatchcase(test, glob) for glob in reason["tests"]):
            return reason["why"]
    return UNEXPLAINED


def main():
    reasons = tomllib.loads(pathlib.Path(sys.argv[1]).read_text())["reason"]
    place = pathlib.Path(sys.argv[2])
    groups = {reason["why"]: [] for reason in reasons} | {UNEXPLAINED: []}
    for test, was, now in differences(place):
        by_reason = {}
        for backend, word in zip(BACKENDS, now):
            if word != was:
                by_reason.setdefault(reason_for(reasons, test, backend), {}).setdefault(word, []).append(backend)
        for why, words in by_reason.items():
            told = "; ".join(f"{word} in {', '.join(backends)}" for word, backends in words.items())
            groups[why].append(f"  {test}: {was} bare; {told}")
    for path in sorted(place.glob("*.bare")):
        places = [verdicts((place / f"{path.stem}.{where}").read_text(errors="replace")) for where in ["bare", *BACKENDS]]
        if "" not in places[0]:
            ok = [sum(word == "ok" for word in found.values()) for found in places]
            print(f"{path.stem}: of {len(places[0])} ok {ok[0]} bare, " + ", ".join(
                f"{count} in {backend}" for backend, count in zip(BACKENDS, ok[1:])))
    for why, lines in groups.items():
        if lines:
            print(f"\n{why}\n" + "\n".join(lines))
    sys.exit(1 if groups[UNEXPLAINED] else 0)


if __name__ == "__main__":
    main()

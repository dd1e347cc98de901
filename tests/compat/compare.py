"""One case, bare and in the jail; and what is known to differ."""

import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import tomllib

from cases.base import TESTS, Place, environment
from cases.packages import UV

HERE = pathlib.Path(__file__).resolve().parent
BACKENDS = ("namespaces", "notify")
PROFILE = "compat-named.toml"
# The kernel and programs treat the two differently.
WHO = "root" if os.geteuid() == 0 else "user"
NOTHING = "nothing"
# The one line of a case that is not run in a backend, because it would wait for ever there.
NOT_RUN = "not run"


@dataclasses.dataclass(frozen=True)
class Outcome:
    exit: object
    # {name of a test or told line: what became of it}
    results: dict
    printed: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Compared:
    """What came of a case."""

    case: object
    failures: list
    # Differences that did not come again.
    passing: list
    bare: object = None
    # {backend: Outcome}
    jailed: dict = dataclasses.field(default_factory=dict)


def stockade():
    given = os.environ.get("STOCKADE_BIN")
    return pathlib.Path(given) if given else TESTS.parent / "target" / "debug" / "stockade"


def profiles_of_our_own(home):
    """A config and a state that are not the user's: nothing of theirs decides, and nothing is left in it."""
    folder = pathlib.Path(home) / "config" / "stockade" / "profiles"
    folder.mkdir(parents=True)
    os.chmod(home, 0o700)
    text = (HERE / PROFILE).read_text().replace("@UV@", UV)
    (folder / PROFILE).write_text(text)
    os.chmod(folder / PROFILE, 0o600)
    return {"HOME": home, "XDG_CONFIG_HOME": f"{home}/config", "XDG_STATE_HOME": f"{home}/state", "TMPDIR": "/tmp"}


def listed():
    with open(HERE / "differences.toml", "rb") as file:
        return tomllib.load(file).get("difference", [])


def known(case, backend):
    """Lines that are known to differ; `*` in one stands for anything."""
    mine = (
        item for item in listed()
        if item["case"] == case.name and backend in item.get("backends", BACKENDS) and WHO in item.get("who", ("root", "user"))
    )
    return {line for item in mine for line in item["lines"]}


def is_meant(line, expected):
    pattern = ".*".join(re.escape(part) for part in expected.split("*"))
    return re.fullmatch(pattern, line) is not None


def compare(case, backends, home, times):
    """Runs a case in all ways. A difference counts if it comes so many times in a row."""
    missing = [program for program in case.needs if not shutil.which(program) and not pathlib.Path(program).exists()]
    if missing:
        return Compared(case, [f"not installed: {', '.join(missing)}"], [])
    try:
        bare = once(case, None, home)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return Compared(case, [f"cannot be set up: {error}"], [])
    if bare.exit != 0 and not case.may_fail:
        return Compared(case, [f"fails outside already (exit {bare.exit}):\n{bare.printed[-2000:]}"], [])
    if not set(bare.results.values()) - {"skipped"}:
        return Compared(case, [f"tells nothing outside already:\n{bare.printed[-2000:]}"], [])
    failures, passing, jailed = [], [], {}
    for backend in backends:
        if NOT_RUN in known(case, backend):
            continue
        first, again = judged(case, bare, backend, home, times)
        jailed[backend] = first
        stays = again[0] - {line for line in again[0] if any(line not in other for other in again[1:])}
        passing += [f"{backend}: {line}" for line in sorted(set().union(*again) - stays)]
        if stays:
            lines = "\n".join(sorted(stays))
            failures.append(f"{backend}:\n{lines}\n{first.printed[-3000:]}")
    return Compared(case, failures, passing, bare, jailed)


def judged(case, bare, backend, home, times):
    """The first jailed run, and what was wrong in each: nothing, or as often as it has to come."""
    first = jailed = once(case, backend, home)
    wrong = [wrongs(case, backend, bare, jailed)]
    while wrong[-1] and len(wrong) < times:
        wrong.append(wrongs(case, backend, once(case, None, home), once(case, backend, home)))
    return first, wrong


def wrongs(case, backend, bare, jailed):
    found, expected = differences(bare, jailed), known(case, backend)
    new = {line for line in found if not any(is_meant(line, known_line) for known_line in expected)}
    gone = {known_line for known_line in expected if not any(is_meant(line, known_line) for line in found)}
    return {f"  {line}" for line in new} | {f"  listed, but gone: {line}" for line in gone}


def differences(bare, jailed):
    found = set()
    if bare.exit != jailed.exit:
        found.add(f"exit: {bare.exit} -> {jailed.exit}")
    for name in bare.results.keys() | jailed.results.keys():
        before, after = bare.results.get(name, NOTHING), jailed.results.get(name, NOTHING)
        if before != after:
            found.add(f"{name}: {before} -> {after}")
    return found


def once(case, backend, home):
    """One run, in directories of its own; bare without a backend."""
    # All paths are as long: the name of a socket file has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="compat-", dir="/tmp", ignore_cleanup_errors=True) as root:
        place = Place(root)
        try:
            case.set_up(place)
            if backend is None:
                words = case.words(place)
                variables = environment(HOME=str(place.home), TMPDIR=str(place.tmp), **case.env(place))
            else:
                words = jail(case, backend, place)
                variables = environment(**home)
            return outcome(case, words, variables, place)
        finally:
            for end in place.ends:
                end()


def jail(case, backend, place):
    words = [str(stockade()), "jail", "--backend", backend, "--profile", case.profile, f"--grant-write={place.work}"]
    words += [f"--grant-read={path}" for path in case.read(place)]
    words += [f"--grant-write={path}" for path in case.write(place)]
    words += [f"--grant-net={pair}" for pair in case.net(place)]
    for name, value in case.env(place).items():
        words += ["--env", f"{name}={value}"]
    return words + ["--", *case.words(place)]


def outcome(case, words, variables, place):
    start = time.monotonic()
    process = subprocess.Popen(
        words, cwd=place.work, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=case.seconds)
        ended = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
        ended = "timeout"
    text = printed.decode(errors="replace")
    return Outcome(ended, case.tell(text, place), text, time.monotonic() - start)

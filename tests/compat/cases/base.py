"""What a case is."""

import dataclasses
import os
import pathlib
import subprocess
import typing

TESTS = pathlib.Path(__file__).resolve().parent.parent.parent
SERVERS = pathlib.Path(os.environ.get("STOCKADE_TEST_SERVERS") or TESTS.parent / "target" / "test-servers")
# What `tests/run --set-up` installs for these cases alone.
TOOLS = SERVERS / "compat"

# The same for the bare run and for the launcher of the jailed one: what the jail is compared with is a run without it,
# not the settings of whoever runs this.
PASSED = (
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)


def environment(**more):
    """What both runs start with."""
    passed = {name: os.environ[name] for name in PASSED if name in os.environ}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "dumb", **passed, **more}


class Place:
    """Directories of one run; the jail gets `work` for writing, and makes a home and a TMPDIR of its own."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.work, self.home, self.tmp = (self.root / name for name in ("work", "home", "tmp"))
        for path in (self.work, self.home, self.tmp):
            path.mkdir(parents=True)
        # A set-up leaves here what the run needs to know (the port of a server) and what has to be ended after it.
        self.notes = {}
        self.ends = []

    def run(self, *words, **more):
        """Something outside of the jail, for setting up."""
        done = subprocess.run(
            words, cwd=self.work, env=environment(HOME=str(self.home), TMPDIR=str(self.tmp), **more),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout[-2000:]}")
        return done.stdout


# Where a program tells what is to be compared, each line begins so: the rest of its output may differ in times,
# addresses and file names.
TOLD = "told: "


def told(printed, _place):
    """The lines that the program marked, each with its number where it comes twice."""
    return numbered(line[len(TOLD):] for line in printed.splitlines() if line.startswith(TOLD))


def every_line(printed, _place):
    return numbered(printed.splitlines())


def numbered(lines):
    """A result for each line: lines come in any order (threads), but as often."""
    seen = {}
    for line in lines:
        seen[line] = seen.get(line, 0) + 1
    return {line: "printed" if times == 1 else f"printed {times} times" for line, times in seen.items()}


@dataclasses.dataclass(frozen=True)
class Case:
    """One program, run bare and in each jail."""

    name: str
    # The line of docs/compatibility.md that it belongs to.
    program: str
    words: typing.Callable
    # Programs that have to be installed, by name or by path.
    needs: tuple = ()
    # What of the machine the jail grants for it, beside `place.work`.
    read: typing.Callable = lambda place: []
    write: typing.Callable = lambda place: []
    net: typing.Callable = lambda place: []
    env: typing.Callable = lambda place: {}
    set_up: typing.Callable = lambda place: None
    # (what it printed, place) -> {name: result}
    tell: typing.Callable = every_line
    profile: str = "default"
    # CPython's tests fail here and there without a jail, too: then they have to fail in it.
    may_fail: bool = False
    # Not in CI: it needs much time, or what is too large to be installed for it.
    by_hand: bool = False
    # Asks the registries that this machine's npm and pip are set up for.
    registry: bool = False
    # Refuses to run as root, without a jail too.
    not_as_root: bool = False
    seconds: int = 120

"""CPython's own test-suite, as Debian packages it (libpython3.11-testsuite): the modules that touch the system."""

import pathlib
import xml.etree.ElementTree as xml

from .base import Case

PYTHON = "/usr/bin/python3.11"
# The interpreter brings the runner without the tests; this is a file of theirs.
SUITE = pathlib.Path("/usr/lib/python3.11/test/keycert3.pem")

# In CI: each within seconds.
QUICK = """
    asyncio.test_unix_events epoll fcntl fileio genericpath glob httpservers import mmap openpty os pathlib popen posix
    posixpath pty resource runpy select shutil syslog tempfile thread threadedtempfile urllib2_localnet uuid zipapp zipimport
"""

BY_HAND = """
    asyncio.test_subprocess concurrent_futures ctypes dbm_dumb file_eintr filecmp fork1 getpass grp gzip mailbox memoryio
    multiprocessing_fork netrc pipes pkg poll pwd selectors shelve signal site socket ssl subprocess tarfile threading
    threadsignals wait3 wait4 zipfile
"""

# Tests that end now one way and now another without a jail too, or that ask of the machine what it may not have.
LEFT_OUT = {
    "test_socket": {
        "*VSOCK*": "waits for ever in virtual machines whose host does not answer",
        "*UDPLITE*": "fails inside: datagrams go by UDP alone there (G2); and where a second thread fails, the suite's runner may end with it",
    },
}


def verdicts(_printed, place):
    """{test: passed, failed or skipped} of the JUnit file. A test that never ended, or whose parts failed, has no name."""
    results = {}
    path = place.work / "results.xml"
    if not path.exists():
        return results
    for test in xml.parse(path).iter("testcase"):
        name = test.get("name")
        if name is None:
            continue
        kinds = {part.tag for part in test}
        verdict = "failed" if kinds & {"error", "failure"} else "skipped" if "skipped" in kinds else "passed"
        # What runs twice counts once, with the worse of both.
        if results.get(name) != "failed":
            results[name] = verdict
    return results


def words(place, module):
    # In TMPDIR, which is the jail's own: there tests may make sockets.
    found = ["sh", "-c", 'exec "$@" --tempdir "$TMPDIR"', "sh", PYTHON, "-m", "test", "--timeout", "240"]
    found += ["--junit-xml", str(place.work / "results.xml")]
    for test in LEFT_OUT.get(module, {}):
        found += ["--ignore", test]
    return [*found, module]


def variables(_place):
    # The jail keeps Python from writing bytecode beside packages; here it may.
    return {"PYTHONDONTWRITEBYTECODE": ""}


def of_module(module, by_hand):
    return Case(
        f"cpython {module}", "CPython's test-suite", lambda place: words(place, module),
        needs=(PYTHON, str(SUITE)), env=variables, tell=verdicts, may_fail=True, by_hand=by_hand, seconds=300,
    )


CASES = [
    *(of_module(f"test_{name}", by_hand=False) for name in QUICK.split()),
    *(of_module(f"test_{name}", by_hand=True) for name in BY_HAND.split()),
]

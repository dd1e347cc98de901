"""The programs that tests/compat/run compares."""

from . import browser, cpython, packages, programs

CASES = [*programs.CASES, *packages.CASES, *browser.CASES, *cpython.CASES]

"""A server that dies within its first second: reads one line, complains on stderr with a token in it, and is gone.

  dies.py EXIT-CODE
"""
import sys
import time
import zlib

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def token():
    """A GitHub token that nobody was ever given, with the checksum that tells real ones from look-alikes.

    Made up here, so that no file holds anything that looks like a secret.
    """
    body = "k7QmZ2xVb9LwTf3RpYc8HdJs5NgAe4"
    checksum, number = "", zlib.crc32(body.encode())
    while number:
        number, digit = divmod(number, 62)
        checksum = DIGITS[digit] + checksum
    return "gh" + "p_" + body + checksum.rjust(6, "0")


sys.stdin.readline()
sys.stderr.write("fatal: login with %s was refused\n" % token())
sys.stderr.flush()
time.sleep(0.2)
sys.exit(int(sys.argv[1]))

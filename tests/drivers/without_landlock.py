"""Starts a command on what looks like a kernel without Landlock: its system calls fail.

  without_landlock.py ERROR COMMAND…

ERROR: ENOSYS, as of a kernel built without it, or EOPNOTSUPP, as of one that was not told to use it. A seccomp filter does it, which stays with the command and all its children. Standard library only.
"""
import ctypes
import errno
import os
import struct
import sys

LANDLOCK = (444, 445, 446)  # the same three numbers on every architecture
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def instruction(code, k, if_true=0, if_false=0):
    return struct.pack("=HBBI", code, if_true, if_false, k)


def main():
    number = getattr(errno, sys.argv[1])
    steps = [instruction(LOAD_WORD, 0)]  # seccomp_data.nr
    for n, call in enumerate(LANDLOCK):
        steps.append(instruction(JUMP_IF_EQUAL, call, if_true=len(LANDLOCK) - n))
    steps += [instruction(RETURN, RET_ALLOW), instruction(RETURN, RET_ERRNO | number)]
    code = b"".join(steps)
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(steps), code)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)
    ):
        raise OSError(ctypes.get_errno(), "the filter was not installed")
    if libc.syscall(LANDLOCK[0], None, 0, 1) != -1 or ctypes.get_errno() != number:
        raise OSError("Landlock is still there")
    os.execv(sys.argv[2], sys.argv[2:])


main()

"""Starts a command on what looks like a host that forbids user namespaces: clone(2) and unshare(2) with CLONE_NEWUSER fail with EPERM, clone3(2) with ENOSYS.

  without_user_namespaces.py COMMAND…

A seccomp filter does it, which stays with the command and all its children, as a container engine's does. Standard library only; x86-64 and aarch64.
"""
import ctypes
import errno
import os
import platform
import struct
import sys

CLONE, UNSHARE = {"x86_64": (56, 272), "aarch64": (220, 97)}[platform.machine()]
CLONE3 = 435
CLONE_NEWUSER = 0x10000000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
RET_ALLOW, RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD_WORD, JUMP_IF_EQUAL, JUMP_IF_BITS, RETURN = 0x20, 0x15, 0x45, 0x06
NUMBER, FIRST_ARGUMENT = 0, 16  # struct seccomp_data; the lower half of the argument, little endian


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def instruction(code, k, if_true=0, if_false=0):
    return struct.pack("=HBBI", code, if_true, if_false, k)


def main():
    code = b"".join([
        instruction(LOAD_WORD, NUMBER),
        instruction(JUMP_IF_EQUAL, CLONE3, if_true=6),
        instruction(JUMP_IF_EQUAL, CLONE, if_true=1),
        instruction(JUMP_IF_EQUAL, UNSHARE, if_false=2),
        instruction(LOAD_WORD, FIRST_ARGUMENT),
        instruction(JUMP_IF_BITS, CLONE_NEWUSER, if_true=1),
        instruction(RETURN, RET_ALLOW),
        instruction(RETURN, RET_ERRNO | errno.EPERM),
        instruction(RETURN, RET_ERRNO | errno.ENOSYS),
    ])
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(code) // 8, code)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)
    ):
        raise OSError(ctypes.get_errno(), "the filter was not installed")
    if libc.unshare(CLONE_NEWUSER) != -1 or ctypes.get_errno() != errno.EPERM:
        raise OSError("there are user namespaces still")
    os.execv(sys.argv[1], sys.argv[1:])


main()

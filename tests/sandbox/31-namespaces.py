import ctypes
import os
import signal

from attack import attempt, syscall

CLONE, UNSHARE, CLONE3 = 56, 272, 435
KINDS = {"mounts": 0x20000, "names": 0x4000000, "queues": 0x8000000, "users": 0x10000000, "processes": 0x20000000, "networks": 0x40000000}


def in_child(action):
    child = os.fork()
    if not child:
        try:
            action()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status):
        raise OSError(os.waitstatus_to_exitcode(status), "refused")
    return True


def clone(flags):
    child = syscall(CLONE, flags | signal.SIGCHLD, 0, 0, 0, 0)
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def clone3(flags):
    arguments = (ctypes.c_uint64 * 8)(flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    child = syscall(CLONE3, arguments, ctypes.sizeof(arguments))
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    return True


for name, flag in KINDS.items():
    attempt(f"unshare {name}", lambda: in_child(lambda: syscall(UNSHARE, flag)))
    attempt(f"clone {name}", lambda: in_child(lambda: clone(flag)))
    attempt(f"clone3 {name}", lambda: in_child(lambda: clone3(flag)))

import ctypes
import errno

from attack import attempt, parent, syscall

READ, WRITE = 310, 311


def somewhere():
    """An address of its stack, or one that is nobody's: what is refused is refused before it is looked at."""
    try:
        line = next(line for line in open(f"/proc/{parent}/maps") if "[stack]" in line)
        return int(line.split("-")[1].split()[0], 16) - 4096
    except OSError:
        return 4096


def transfer(call):
    buffer = ctypes.create_string_buffer(64)
    ours = (ctypes.c_ulong * 2)(ctypes.addressof(buffer), 64)
    theirs = (ctypes.c_ulong * 2)(somewhere(), 64)
    try:
        return syscall(call, parent, ours, 1, theirs, 1, 0) or "0 bytes"
    except OSError as error:
        if error.errno == errno.EFAULT:
            return "allowed, at an address that is not there"
        raise


attempt("process_vm_readv", lambda: transfer(READ))
# What it writes is what is there: nothing else is to break.
attempt("process_vm_writev", lambda: transfer(WRITE) if somewhere() == 4096 else None)

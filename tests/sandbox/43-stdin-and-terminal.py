import fcntl
import os
import signal
import sys

from attack import attempt, tried

TIOCSTI = 0x5412

signal.signal(signal.SIGTERM, signal.SIG_IGN)
# More than any pipe holds, before a byte is read.
sys.stdout.write("." * 500_000 + "\n")
sys.stdout.flush()
assert len(sys.stdin.read()) == 5_000_000
attempt("terminal", lambda: os.open("/dev/tty", os.O_RDWR))
for number in range(3):
    attempt(f"typing into {number}", lambda: fcntl.ioctl(number, TIOCSTI, b"x") or True)
tried("all input")

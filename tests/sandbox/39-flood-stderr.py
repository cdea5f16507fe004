import os
import signal

from attack import tried

signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(80):
    os.write(2, b"e" * 65536)
tried("the other output is still heard")

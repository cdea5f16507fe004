import mmap
import os
import time

from attack import escaped, mark, tried

mark()
tried("to hold 768 MB that are nobody's own")
held = []
for _ in range(24):
    try:
        file = os.memfd_create("held")
        os.ftruncate(file, 16 << 20)
        held.append(mmap.mmap(file, 16 << 20))
    except OSError:
        held.append(mmap.mmap(-1, 16 << 20))
    held.append(mmap.mmap(-1, 16 << 20))
    for piece in held[-2:]:
        piece.write(b"x" * (16 << 20))
time.sleep(0.7)
escaped(f"{sum(map(len, held))} bytes")

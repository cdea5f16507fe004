import os

from attack import tried

tried("to write a gigabyte")
piece = b"x" * (1 << 20)
try:
    for _ in range(1024):
        left = piece
        while left:
            left = left[os.write(1, left) :]
except BrokenPipeError:
    pass

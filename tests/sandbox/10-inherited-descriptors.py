import os

from attack import escaped, tried

for number in range(3, 1024):
    try:
        found = os.fstat(number)
    except OSError:
        continue
    escaped(f"{number}: {found}")
    try:
        print(os.pread(number, 100, 0))
    except OSError:
        pass
tried("descriptors")

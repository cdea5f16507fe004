import os
import tempfile

from attack import attempt


def leave(folder):
    with open(f"{folder}/left-canary", "w") as file:
        file.write("left")


for folder in (".", "..", "../..", "/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), tempfile.gettempdir()):
    attempt(folder, lambda: leave(folder))
    attempt(folder, lambda: os.makedirs(f"{folder}/.hidden/deeper") or leave(f"{folder}/.hidden/deeper"))

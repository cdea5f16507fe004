import os

from attack import attempt, escaped, reached


def write(path):
    with open(path, "w") as file:
        file.write("left")
    return os.path.realpath(path)


for folder in ("/tmp", "../..", "/var/tmp", "/dev/shm", "/dev", "/", "/etc", "/home", "/mnt", "/opt", "/root", "/usr/bin", "/usr/lib/python3"):
    own = os.path.realpath(folder).startswith("/tmp")
    attempt(folder, lambda: write(f"{folder}/left-outside"), reached if own else escaped)

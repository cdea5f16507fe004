import os

from attack import attempt, escaped, parent


def memory():
    with open(f"/proc/{parent}/mem", "rb", 0) as memory:
        for line in open(f"/proc/{parent}/maps"):
            first, last = (int(number, 16) for number in line.split()[0].split("-"))
            if "rw" in line.split()[1] and last - first < 64 << 20:
                memory.seek(first)
                try:
                    bytes_ = memory.read(last - first)
                except OSError:
                    continue
                at = bytes_.find(b"canary-memory")
                if at >= 0:
                    print(bytes_[at : at + 40].decode(errors="replace"))


attempt("mem", memory)
attempt("maps", lambda: open(f"/proc/{parent}/maps").read(100))
attempt("fd", lambda: os.listdir(f"/proc/{parent}/fd"))
attempt("root", lambda: os.listdir(f"/proc/{parent}/root"))
attempt("cwd", lambda: os.listdir(f"/proc/{parent}/cwd"))

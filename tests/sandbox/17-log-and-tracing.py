import socket

from attack import attempt, parent


def log(number):
    with open(f"/proc/{parent}/fd/{number}", "w") as log:
        log.write("forged-log\n")


def trace():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.sendto(b'{"format":"json","version":1}\n{"name":"forged"}', ("127.0.0.1", 2000))


for number in (1, 2):
    attempt(f"log {number}", lambda: log(number))
attempt("tracing", trace)

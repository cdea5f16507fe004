import socket

from attack import attempt, reached


def listen(family, address):
    with socket.socket(family) as service:
        service.bind(address)
        service.listen()
        return service.getsockname()


attempt("TCP", lambda: listen(socket.AF_INET, ("127.0.0.1", 0)), reached)
attempt("abstract", lambda: listen(socket.AF_UNIX, "\0left"), reached)
attempt("file", lambda: listen(socket.AF_UNIX, "left-socket"), reached)

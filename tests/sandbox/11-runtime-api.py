import glob
import os
import socket

from attack import attempt, reached


def connect(family, address):
    with socket.socket(family) as api:
        api.settimeout(2)
        api.connect(address)
        return address


def listening():
    """Ports of this machine on which somebody listens (proc_net_tcp(5): state 0A)."""
    rows = [line.split() for line in open("/proc/net/tcp").readlines()[1:]]
    return [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A"]


ports = {9001}
attempt("ports", lambda: ports.update(listening()))
for port in ports:
    attempt(port, lambda: connect(socket.AF_INET, ("127.0.0.1", port)), reached)
attempt("link-local", lambda: connect(socket.AF_INET, ("169.254.100.1", 9001)), reached)
for path in glob.glob("**/socket", root_dir="/tmp", recursive=True) or ["socket"]:
    attempt(path, lambda: connect(socket.AF_UNIX, os.path.join("/tmp", path)), reached)

# What every attack uses. Words that the suite looks for are put together here, so that no listing of a program has them,
# compiled or not.
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
parent = os.getppid()


def say(word, what):
    print(word, str(what)[:2000], flush=True)


def escaped(what):
    say("".join(("ESC", "APED")), what)


def reached(what):
    say("".join(("REA", "CHED")), what)


def tried(what):
    say("".join(("TR", "IED")), what)


def attempt(what, action, found=escaped):
    """Tries it; anything but a failure or nothing is something that was found."""
    try:
        got = action()
    except Exception as error:
        return tried(f"{what}: {error!r}")
    tried(what)
    if got:
        found(f"{what}: {got}")


def syscall(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def mark():
    """Kept open by whatever descends from here."""
    try:
        os.set_inheritable(os.open("survivor-mark", os.O_CREAT | os.O_RDWR), True)
    except OSError as error:
        tried(f"mark: {error!r}")


def daemon(work):
    """Runs it where no signal of a terminal, no end of a parent and no closed pipe reaches."""
    import signal

    mark()
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    try:
        work()
    finally:
        os._exit(0)


def runtime(method, path, body=b"", headers=""):
    """A request to Lambda's Runtime API: its status, head and body."""
    import socket

    host, port = os.environ.get("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001").split(":")
    with socket.create_connection((host, int(port)), timeout=3) as api:
        head = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {len(body)}\r\n\r\n"
        api.sendall(head.encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += api.recv(65536) or b"\r\n\r\n"
        head, _, rest = answer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        while len(rest) < int(fields.get("content-length", 0)):
            rest += api.recv(65536)
        return int(lines[0].split()[1]), fields, rest


def event():
    """The id of the event that runs, and the event."""
    status, fields, body = runtime("GET", "/2018-06-01/runtime/invocation/next")
    return fields["lambda-runtime-aws-request-id"], body


def forgery():
    import json

    return json.dumps({"version": 1, "status": "ok", "stdout": "".join(("FOR", "GED")), "stderr": ""}).encode()

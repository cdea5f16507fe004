import os

from attack import attempt, parent, syscall

PIDFD_OPEN, PIDFD_GETFD = 434, 438

attempt("open", lambda: None if syscall(PIDFD_OPEN, parent, 0) else None)
for number in range(16):
    attempt(f"descriptor {number}", lambda: syscall(PIDFD_GETFD, syscall(PIDFD_OPEN, parent, 0), number, 0))

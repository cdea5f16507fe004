import os
import resource

from attack import attempt, escaped, parent, reached


def nicer():
    os.setpriority(os.PRIO_PROCESS, parent, 10)
    return True


def pinned():
    os.sched_setaffinity(parent, {min(os.sched_getaffinity(0))})
    return True


def raised(limit):
    _, most = resource.getrlimit(limit)
    if most == resource.RLIM_INFINITY:
        raise OSError("there is no limit")
    resource.setrlimit(limit, (most + 1, most + 1))
    return True


attempt("priority", nicer, reached)
attempt("processors", pinned, reached)
for limit in (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
    attempt(limit, lambda: raised(limit), escaped)

import resource

from attack import attempt, parent, reached

attempt("files", lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE, (200, 200)), reached)

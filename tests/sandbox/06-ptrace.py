from attack import attempt, parent, syscall

PTRACE, SEIZE, ATTACH = 101, 0x4206, 16

attempt("seize", lambda: syscall(PTRACE, SEIZE, parent, 0, 0) == 0)
attempt("trace me", lambda: syscall(PTRACE, 0, 0, 0, 0) == 0)

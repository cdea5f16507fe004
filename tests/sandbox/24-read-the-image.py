from attack import attempt, escaped, parent, reached

attempt("users", lambda: open("/etc/passwd").read(40), reached)
attempt("passwords", lambda: open("/etc/shadow").read(40), escaped)
attempt("secret", lambda: print(open("/mnt/secret/file").read()))
for path in ("/mnt/programs/bootstrap", f"/proc/{parent}/exe"):
    attempt(path, lambda: open(path, "rb").read(4), escaped)

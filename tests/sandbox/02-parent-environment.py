from attack import attempt, parent

attempt("environ", lambda: print(open(f"/proc/{parent}/environ").read()))

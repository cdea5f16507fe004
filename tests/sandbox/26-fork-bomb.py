# Never outside of a stage: only the stage's bound on processes ends it.
import os

from attack import mark, tried

mark()
tried("to multiply")
while True:
    try:
        os.fork()
    except OSError:
        pass

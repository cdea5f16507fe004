import os
import resource

from attack import escaped, tried

child = os.fork()
if not child:
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    os.abort()
_, status = os.waitpid(child, 0)
tried(f"a child was ended with {status}")
if os.WCOREDUMP(status):
    escaped("its memory was written to a file")

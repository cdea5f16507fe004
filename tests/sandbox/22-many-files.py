import os
import time

from attack import escaped, tried

made = 0
try:
    while made < 15_000:
        os.close(os.open(f"file-{made}", os.O_CREAT | os.O_WRONLY))
        made += 1
except OSError as error:
    tried(f"{made}: {error!r}")
else:
    time.sleep(1)
    escaped(f"{made} files")

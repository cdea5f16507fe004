import locale
import os
import time

from attack import escaped, tried

for name, value in {"TZ": "UTC", "LANG": "C.UTF-8", "HOME": os.getcwd()}.items():
    if os.environ.get(name) != value:
        escaped(f"{name} is {os.environ.get(name)}")
for name in os.environ:
    if name.startswith(("LC_", "LD_")) or name in ("PYTHONSTARTUP", "PYTHONPATH", "IFS", "BASH_ENV"):
        escaped(name)
tried((time.tzname, locale.getlocale()))

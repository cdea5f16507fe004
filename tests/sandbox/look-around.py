# Looks wherever an earlier run may have left something.
import os

from attack import escaped, tried

for top in ("/tmp", "/var/tmp", "/dev/shm", os.environ.get("HOME", "/tmp"), os.getcwd(), os.path.dirname(os.getcwd())):
    for folder, _, names in os.walk(top):
        for name in names:
            if name.startswith("left-"):
                escaped(os.path.join(folder, name))
tried("looking around")

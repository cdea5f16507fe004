import os

from attack import tried

for index in range(5):
    with open(f"large-{index}.bin", "wb") as file:
        file.write(os.urandom(3 << 20))
tried("15 MB of files")

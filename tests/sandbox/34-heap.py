import time

from attack import escaped, mark, tried

mark()
tried("to hold 768 MB")
held = [bytearray(b"x") * (32 << 20) for _ in range(24)]
time.sleep(0.7)
escaped(f"{sum(map(len, held))} bytes")

from attack import escaped, tried

written = 0
try:
    with open("large", "wb", 0) as file:
        while written < 96 << 20:
            written += file.write(bytes(1 << 20))
except OSError as error:
    tried(f"{written}: {error!r}")
else:
    escaped(f"{written} bytes")

from attack import attempt, reached

for path in ("/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/sys/kernel/random/boot_id", "/proc/cpuinfo", "/proc/meminfo"):
    attempt(path, lambda: open(path).read(60), reached)
